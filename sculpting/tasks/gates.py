"""Gate graphs: Boolean formulas over named inputs, compiled to a truth table.

A formula is written with Python's operators ``&`` (AND), ``|`` (OR), ``^`` (XOR), ``~`` (NOT) and parentheses, over inputs
and other gates: ``{"p": "x0 & x1", "y0": "p | ~q"}``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from graphlib import CycleError, TopologicalSorter
from itertools import islice
from operator import and_, or_, xor

import numpy as np
from numpy.typing import NDArray

from ..checks import shown
from .formulas import LONGEST_NAME, Formula, Literal, normal, read_formula

__all__ = ["MAX_INPUTS", "GateGraph"]

MAX_INPUTS = 20
MOST_GATES = 10_000
LONGEST_FORMULAS = 300_000  # characters of all formulas together: a second to read
MOST_BYTES = 400_000_000  # of the truth table of a task with all its gates
_FOLDS = {"&": and_, "|": or_, "^": xor}


@dataclass(frozen=True, eq=False)
class GateGraph:
    """A directed acyclic graph of gates.

    Attributes
    ----------
    inputs, outputs : tuple of str
        Names; the first input is the slowest column of the truth table. An output is a gate or an input.
    gates : dict of str to Formula
        In an order in which every gate comes after what it reads.

    Raises
    ------
    TypeError, ValueError
        As :meth:`parse`, and when a gate comes before one that it reads.
    """

    inputs: tuple[str, ...]
    gates: dict[str, Formula]
    outputs: tuple[str, ...]

    def __post_init__(self) -> None:
        gates = _checked(self.gates)
        inputs, outputs = _names("inputs", self.inputs), _names("outputs", self.outputs)
        _check_names(inputs, gates, outputs)
        if not 1 <= len(inputs) <= MAX_INPUTS:
            raise ValueError(f"a truth table must have 1 to {MAX_INPUTS} inputs; got {len(inputs)}. Sample a larger task and pass (x, y)")
        if not outputs:
            raise ValueError("there must be at least one output; got none. Name gates, or list `outputs`")
        _check_table(len(inputs), len(gates), len(outputs))
        for name, value in (("inputs", inputs), ("gates", gates), ("outputs", outputs)):
            object.__setattr__(self, name, value)

    @classmethod
    def parse(cls, gates: Mapping[str, str], inputs: Sequence[str] | None = None, outputs: Sequence[str] | None = None) -> GateGraph:
        """The gate graph of formulas.

        Parameters
        ----------
        gates : mapping of gate name to formula
        inputs : sequence of str, optional
            Otherwise the names that no gate defines, in natural order (x2 before x10).
        outputs : sequence of str, optional
            Otherwise the gates that no other gate reads, in the order given.

        Raises
        ------
        TypeError
            When ``gates`` is no mapping, or ``inputs`` or ``outputs`` are no sequence of names.
        ValueError
            When a formula cannot be read, gates form a cycle, a name is not known, there are more than 20 inputs, 10,000 gates or 300,000
            characters of formulas, a name has more than 1,000 characters, or the truth table with all its gates would take more than
            400 MB.

        Examples
        --------
        >>> graph = GateGraph.parse({"p": "x0 & x1", "y": "p | ~x2"})
        >>> graph.inputs, graph.outputs
        (('x0', 'x1', 'x2'), ('y',))
        """
        if not isinstance(gates, Mapping):
            raise TypeError(f"gates must be a mapping of names to formulas, such as {{'y': 'a ^ b'}}; got {type(gates).__name__}")
        _check_lengths(gates)
        # Names in formulas are read as Python reads them, by their NFKC form.
        formulas = {_name("gates", name): read_formula(str(name), text) for name, text in gates.items()}
        if len(formulas) < len(gates):
            raise ValueError(
                f"gates must have different names, also after Python's normalization of names (NFKC); got {shown([*map(str, gates)])}"
            )
        ordered = _sorted(formulas)
        read = _read(formulas)
        free = sorted(read - set(formulas), key=_natural)
        inputs = tuple(free) if inputs is None else _names("inputs", inputs)
        outputs = tuple(name for name in formulas if name not in read) if outputs is None else _names("outputs", outputs)
        return cls(inputs, ordered, outputs)

    def evaluate(self, values: Mapping[str, int], ones: int) -> dict[str, int]:
        """Every input's and gate's value, bit by bit of the given integers; ``ones`` is the integer with every bit set."""
        known = dict(values)
        for name, formula in self.gates.items():
            known[name] = _evaluate(formula, known, ones)
        return known

    def truth_table(self) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """Inputs ``(2**n, n)`` in lexicographic order, first column slowest, and outputs ``(2**n, k)``.

        One integer of ``2**n`` bits holds a column, so a gate costs one operation on packed bits.

        Examples
        --------
        >>> x, y = GateGraph.parse({"y": "a & b"}).truth_table()
        >>> x.tolist(), y.ravel().tolist()
        ([[0, 0], [0, 1], [1, 0], [1, 1]], [0, 0, 0, 1])
        """
        columns = self.columns()
        x, y = (np.stack([columns[name] for name in names], axis=1) for names in (self.inputs, self.outputs))
        return x, y

    def columns(self) -> dict[str, NDArray[np.uint8]]:
        """The value of every input and every gate in each row of the truth table, arrays of shape ``(2**n,)``.

        Examples
        --------
        >>> GateGraph.parse({"y": "a & b"}).columns()["b"].tolist()
        [0, 1, 0, 1]
        """
        rows, n = 2 ** len(self.inputs), len(self.inputs)
        ones = (1 << rows) - 1
        columns = {}
        for i, name in enumerate(self.inputs):
            run = 1 << (n - 1 - i)  # rows for which the column keeps its value: 0...0 1...1 0...0 ...
            value, size = (1 << run) - 1, 2 * run
            while size < rows:
                value, size = value | value << size, 2 * size
            columns[name] = value
        return {name: _unpack(value, rows) for name, value in self.evaluate(columns, ones).items()}

    def users(self) -> dict[str, tuple[int, ...]]:
        """For every gate the positions of the outputs that read it, directly or through other gates.

        Examples
        --------
        >>> GateGraph.parse({"p": "a & b", "y": "p | c", "z": "~p"}).users()
        {'p': (0, 1), 'y': (0,), 'z': (1,)}
        """
        found = {name: {i for i, output in enumerate(self.outputs) if output == name} for name in self.gates}
        for name in reversed(self.gates):
            for source in self.gates[name].names():
                found.get(source, set()).update(found[name])
        return {name: tuple(sorted(outputs)) for name, outputs in found.items()}


def _check_lengths(gates: Mapping[str, str]) -> None:
    """Refuse more or longer formulas than can be read in about a second."""
    if len(gates) > MOST_GATES:
        raise ValueError(f"gates must be at most {MOST_GATES:,}; got {len(gates):,}. Divide the task")
    length = sum(len(text) for text in gates.values() if isinstance(text, str))
    if length > LONGEST_FORMULAS:
        raise ValueError(f"formulas must have at most {LONGEST_FORMULAS:,} characters together; got {length:,}. Divide the task")


def _name(what: str, name: object) -> str:
    """A name in its NFKC form."""
    if not isinstance(name, (str, int)):
        raise TypeError(f"the names of {what} must be text; got {type(name).__name__}")
    if isinstance(name, int) or len(name) <= LONGEST_NAME:
        found = normal(name)
        if len(found) <= LONGEST_NAME:
            return found
    raise ValueError(f"the names of {what} must have at most {LONGEST_NAME:,} characters; got {shown(name)}")


def _names(what: str, names: object) -> tuple[str, ...]:
    """Names that were given in order."""
    if isinstance(names, bytes) or not isinstance(names, Iterable):
        raise TypeError(f"{what} must be a sequence of names, such as ['a', 'b']; got {type(names).__name__}")
    given = tuple(islice(names, MOST_GATES + MAX_INPUTS + 1))  # more are more than there are
    return tuple(_name(what, name) for name in given)


def _read(gates: Mapping[str, Formula]) -> set[str]:
    return {name for formula in gates.values() for name in formula.names()}


def _checked(gates: object) -> dict[str, Formula]:
    """Gates, refused where they are no formulas by their names, each after what it reads."""
    if not isinstance(gates, Mapping):
        raise TypeError(f"gates must be a mapping of names to Formula; got {type(gates).__name__}. Use GateGraph.parse for text")
    places = {name: place for place, name in enumerate(gates)}
    for name, formula in gates.items():
        if not isinstance(name, str):
            raise TypeError(f"the names of gates must be text; got {type(name).__name__}")
        if not isinstance(formula, Formula):
            got = f"{type(formula).__name__} for {shown(name)}"
            raise TypeError(f"gates must be a mapping of names to Formula; got {got}. Use GateGraph.parse for text")
        late = next((other for other in formula.names() if places.get(other, -1) >= places[name]), None)
        if late is not None:
            raise ValueError(f"gates must come after what they read; got {shown(name)} before {shown(late)}. Use GateGraph.parse")
    return dict(gates)


def _check_names(inputs: tuple[str, ...], gates: Mapping[str, Formula], outputs: tuple[str, ...]) -> None:
    """Refuse names that are not known, or used twice."""
    known = {*inputs, *gates}
    unknown = [name for name in [*sorted(_read(gates) - known, key=_natural), *outputs] if name not in known]
    if unknown:
        raise ValueError(
            f"every name must be an input or a gate; got {shown(unknown[0])}. Inputs: {shown([*inputs])}, gates: {shown([*gates])}"
        )
    clash = [name for name in inputs if name in gates]
    if clash or len(set(inputs)) != len(inputs) or len(set(outputs)) != len(outputs):
        raise ValueError(f"inputs, gates and outputs must have different names; got {shown(clash or [*inputs, *outputs])}")


def _check_table(inputs: int, gates: int, outputs: int) -> None:
    """Refuse a truth table that would need too much memory: a byte a value, and four more where it is a number of a task."""
    size = 2**inputs * (inputs + gates + 5 * (inputs + outputs))
    if size > MOST_BYTES:
        raise ValueError(
            f"a truth table must take at most {MOST_BYTES // 10**6} MB; {inputs} inputs, {gates:,} gates and {outputs:,} outputs take "
            f"about {size // 10**6:,} MB. Give fewer, or sample rows and pass (x, y)"
        )


def _evaluate(term: Literal | Formula, known: Mapping[str, int], ones: int) -> int:
    value = known[term.name] if isinstance(term, Literal) else _combine(term, known, ones)
    return value ^ ones if term.negated else value


def _combine(formula: Formula, known: Mapping[str, int], ones: int) -> int:
    values = [_evaluate(t, known, ones) for t in formula.terms]
    return values[0] if formula.operator == "=" else reduce(_FOLDS[formula.operator], values)


def _unpack(column: int, rows: int) -> NDArray[np.uint8]:
    """The bits of an integer, the highest first. The highest bit is the first row of the table."""
    size = max(rows, 8)
    return np.unpackbits(np.frombuffer((column << (size - rows)).to_bytes(size // 8, "big"), dtype=np.uint8))[:rows]


def _sorted(formulas: dict[str, Formula]) -> dict[str, Formula]:
    """Every gate after those that it reads: level by level, in the order given."""
    reads = {name: [other for other in dict.fromkeys(formula.names()) if other in formulas] for name, formula in formulas.items()}
    order = TopologicalSorter(reads)
    try:
        level: dict[str, int] = {}
        for name in order.static_order():
            level[name] = 1 + max((level[other] for other in reads[name]), default=0)
    except CycleError as error:
        cycle = set(error.args[1])
        raise ValueError(f"gates must not form a cycle; got one among {shown([name for name in formulas if name in cycle])}") from error
    return {name: formulas[name] for name in sorted(formulas, key=level.__getitem__)}


def _natural(name: str) -> list[tuple[int, int, str]]:
    return [(0, int(part), "") if part.isdecimal() else (1, 0, part) for part in re.split(r"(\d+)", name) if part]
