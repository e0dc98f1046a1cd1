"""The units that compute a gate graph: what each of them reads, and the layer on which it can be at the earliest."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import reduce

import numpy as np
from numpy.typing import NDArray

from .formulas import Formula, Literal
from .gates import GateGraph
from .threshold import LARGEST, all_rows, is_threshold

__all__ = ["GateUnits", "units_of"]

MOST_UNITS = 20_000  # of an AND or an OR one, of an XOR three for each term: a second or two

Column = NDArray[np.bool_]
Function = Callable[[Mapping[str, Column]], Column]  # of the columns of what a unit reads: no call goes deeper than that
Term = tuple[str, bool]  # a value, and whether it is negated


@dataclass(frozen=True, eq=False)
class GateUnits:
    """The units of a gate graph, in an order in which every unit comes after what it reads.

    Attributes
    ----------
    reads : dict of str to tuple of str
        What each unit reads.
    level : dict of str to int
        The layer on which each value can be at the earliest; that of the inputs is 0.
    source : dict of str to str
        The value that each value is: a unit that reads one other is that.
    """

    reads: dict[str, tuple[str, ...]] = field(default_factory=dict)
    level: dict[str, int] = field(default_factory=dict)
    source: dict[str, str] = field(default_factory=dict)

    def level_of(self, parents: Sequence[str]) -> int:
        """The layer of a unit that reads several values."""
        return 1 + max(self.level[self.source[parent]] for parent in parents)

    def place(self, name: str, parents: tuple[str, ...]) -> None:
        """Add a unit.

        Raises
        ------
        ValueError
            When a gate or an input has its name already, or there are 20,000 units.
        """
        if name in self.level:
            raise ValueError(f"gates and inputs must not have the names of parts of other gates; got {name!r} for both. Rename it")
        if len(self.reads) >= MOST_UNITS:
            raise ValueError(f"gates must have at most {MOST_UNITS:,} parts for a ground truth; got more. Give fewer, or shorter formulas")
        alone = len(parents) == 1
        self.reads[name] = parents
        self.level[name] = self.level[self.source[parents[0]]] if alone else self.level_of(parents)
        self.source[name] = self.source[parents[0]] if alone else name


def units_of(gates: GateGraph) -> GateUnits:
    """The units that compute the gates.

    An AND or an OR is one unit. An XOR is an OR of two ANDs. A part of a formula without a name of its own is no unit where what reads it
    is a threshold function of the parts of the part, and comes a layer earlier so. A value that reads one other is that value.

    Examples
    --------
    >>> units_of(GateGraph.parse({"p": "a ^ b", "y": "p & (c | d)"})).level["y"]
    3
    """
    builder = _Builder(gates)
    for name, formula in gates.gates.items():
        builder.place(name, formula)
    return builder.placed


class _Builder:
    """Places units, and knows the function of each while it does."""

    def __init__(self, gates: GateGraph) -> None:
        self.gates = gates
        self.placed = GateUnits(level=dict.fromkeys(gates.inputs, 0), source={name: name for name in gates.inputs})
        self.functions: dict[str, Function] = {}
        self.ors: set[str] = set()  # the ORs of XORs

    def place(self, name: str, formula: Formula) -> None:
        """Place a formula and its parts."""
        terms: list[Term] = []
        parts = []
        for i, term in enumerate(formula.terms):
            if isinstance(term, Formula):
                self.place(f"{name}.{i}", term)
                parts.append(f"{name}.{i}")
            terms.append((term.name, term.negated) if isinstance(term, Literal) else (f"{name}.{i}", False))
        if formula.operator == "^":
            self._place_xor(name, terms, parts, formula.negated)
        else:
            fold = np.logical_or if formula.operator == "|" else np.logical_and
            self._add(name, tuple(dict.fromkeys(term for term, _ in terms)), _folded(fold, terms, formula.negated), parts)

    def _place_xor(self, name: str, terms: Sequence[Term], parts: Sequence[str], negated: bool) -> None:
        last, known = terms[0], set(parts)
        for i, other in enumerate(terms[1:], start=1):
            target = name if i == len(terms) - 1 else f"{name}^{i}"
            unnamed = [value for value, _ in (last, other) if value in known or value in self.ors]
            for sign, first in (("+", False), ("-", True)):
                signed = [(last[0], last[1] ^ first), (other[0], other[1] ^ (not first))]
                self._add(f"{target}{sign}", tuple(dict.fromkeys((last[0], other[0]))), _folded(np.logical_and, signed, False), unnamed)
            either = [(f"{target}+", False), (f"{target}-", False)]
            self._add(target, (f"{target}+", f"{target}-"), _folded(np.logical_or, either, negated and target == name), [])
            if target not in self.gates.gates:
                self.ors.add(target)
            last = target, False

    def _add(self, name: str, parents: tuple[str, ...], function: Function, parts: Sequence[str]) -> None:
        """Place a unit, without those of its unnamed ``parts`` that it can do without."""
        for some in ([part for part in parts if part in self.ors], [part for part in parts if part not in self.ors]):
            held = set(parents)
            parents, function = self._merged(parents, function, {part for part in some if part in self.functions and part in held})
        self.functions[name] = function
        self.placed.place(name, parents)

    def _merged(self, parents: tuple[str, ...], function: Function, parts: set[str]) -> tuple[tuple[str, ...], Function]:
        """A unit that reads what its parts read in place of these; as it was where it is no threshold function then, or no lower."""
        known = self.placed
        reads = tuple(dict.fromkeys(read for parent in parents for read in (known.reads[parent] if parent in parts else (parent,))))
        if not parts or len(reads) > LARGEST or known.level_of(reads) >= known.level_of(parents):
            return parents, function
        columns = dict(zip(reads, all_rows(len(reads)).T, strict=True))
        whole = function({**columns, **{part: self.functions[part](columns) for part in parts}})
        # The table stands for the function from here on: functions of functions would be called twice as often with each XOR.
        return (reads, _looked_up(reads, whole)) if is_threshold(whole) else (parents, function)


def _folded(fold: Callable[..., Column], terms: Sequence[Term], negated: bool) -> Function:
    """An AND or an OR of values that may be negated."""

    def function(columns: Mapping[str, Column]) -> Column:
        value: Column = reduce(fold, (columns[name] ^ sign for name, sign in terms))
        return value ^ negated

    return function


def _looked_up(reads: Sequence[str], table: Column) -> Function:
    """The function whose values on :func:`all_rows` are those of a table."""

    def function(columns: Mapping[str, Column]) -> Column:
        row = reduce(lambda code, name: 2 * code + columns[name], reads, np.zeros(1, dtype=np.intp))
        return table[row]

    return function
