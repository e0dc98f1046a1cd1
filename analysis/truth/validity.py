"""Whether a hierarchy that differs from the published one is still a valid decomposition of the function.

The verdict depends on the truth table and on the wiring of the modules, never on how well a network was trained.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..graph import LayeredGraph, chain_of
from ..hierarchy import Hierarchy, Module, first_appearance
from .truth_table import TruthTable

__all__ = ["Boundary", "Verdict", "judge_decomposition", "wrong_rows"]

# R = 2^n rows, n inputs, k outputs, w units of a layer.

# Values of a unit over the table that are closer than this fraction of their range are one level. After training an AND unit has slightly
# different values on the rows where it is 0; levels that carry information are far apart.
LEVEL_GAP = 0.1
ROUNDING = 1e-6  # fraction of the largest value of a unit

Ends = tuple[tuple[int, ...], tuple[int, ...]]  # the inputs and outputs of a module
Groups = Sequence[tuple[int, ...]]


@dataclass(frozen=True)
class Boundary:
    """What a module passes on to the modules that read it.

    Attributes
    ----------
    module : int
        Its index.
    inputs : tuple of int
        The network's inputs that it depends on, by its wiring.
    classes : int
        The column multiplicity of ``inputs`` for the outputs that the module reaches: see :meth:`TruthTable.classes`.
    leaving : tuple of (layer, index)
        Its units with an edge to another module.
    units : int
        The number of leaving units, without copies and constants.
    computed : bool
        Whether a hidden unit is among the leaving units. If not, the module passes on its inputs unchanged.
    patterns, levels : int or None
        The number of patterns of the leaving units over the table, and the largest number of levels of one of them; more than 2 is
        an analog code. None where the graph does not compute the table, as for networks of which only the masks are known.
    """

    module: int
    inputs: tuple[int, ...]
    classes: int
    leaving: tuple[tuple[int, int], ...]
    units: int
    computed: bool
    patterns: int | None
    levels: int | None


@dataclass(frozen=True)
class Verdict:
    """Whether a decomposition is valid, the reasons if it is not, and the boundary of each module."""

    valid: bool
    reasons: tuple[str, ...]
    boundaries: tuple[Boundary, ...]


def judge_decomposition(found: Hierarchy, modules: Sequence[Ends], table: TruthTable) -> Verdict:
    """Whether the modules are a valid decomposition of the function, with reasons if they are not.

    Parameters
    ----------
    found : Hierarchy
    modules : sequence of (inputs, outputs)
        The network's inputs and outputs in each module of the truth, as tuples of positions in ascending order.
    table : TruthTable

    Returns
    -------
    Verdict

    Raises
    ------
    ValueError
        When the numbers of inputs or outputs of table and network differ.

    Notes
    -----
    There are four rules. They use the table and the wiring only, so they also apply to networks of which only the masks are known. A
    module depends on the inputs S with a path to it, and reaches the outputs O with a path from it. ``mu(S, O)`` is the column
    multiplicity, :meth:`TruthTable.classes`.

    1. Inputs. No module contains inputs that the truth separates, unless it computes a sub-function of them: it depends on no other
       inputs, and all that leaves it are hidden units that share inputs, fewer than it has inputs and at most ``mu - 1``. Where the
       inputs of one truth module are split among several modules, each part of two or more inputs has ``mu < 2^|part|``: less
       information leaves the part than enters it, so the part is a sub-function. Single inputs are not sub-functions, so not all parts
       may be single inputs.
    2. Outputs. No module contains outputs that the truth separates. Copies (equal or complementary columns) that are together in the truth
       stay together. Otherwise finer groups are valid: the truth of a deeper network separates outputs that a shallower one cannot.
       Constant outputs may be anywhere.
    3. Reach. An output is wired to exactly the inputs on which it depends. For any other input ``mu = 1``, so nothing needs to pass.
    4. Boundaries. Of the units of a module with hidden units that other modules read, at most ``mu(S, O) - 1`` are not copies of one
       another. Every function of c classes is a constant plus a weighted sum of c - 1 class indicators. So c - 1 units can carry all
       that any reader needs, and one more carries what no reader needs.

    Rule 4 has two exceptions. A module of inputs alone computes nothing, and rule 1 applies to it. A module with the inputs and outputs of
    a truth module is a sub-function by the definition of the task; it may leave its last OR to its readers, as nearly all published
    networks of ``[8,2,1,2,k]`` do. For any other module a narrow boundary is the only evidence.

    Units are copies if they depend on the same single input (two units of one bit are affine functions of each other). If the network
    computes the table, units that split its rows into the same levels are copies too, and constant units do not count. Known weights can
    therefore make a hierarchy valid, but never invalid.

    The number of patterns of the leaving units is reported but decides nothing. More patterns than classes need not carry more
    information: training leaves surplus levels in sparse networks too, which the readers threshold away. By such a rule the same modules
    would be valid as a mask and invalid with weights. One analog unit that carries two functions passes on no more than necessary;
    ``levels`` shows such units.

    Rule 4 is necessary, not sufficient. With unknown weights it cannot be known what the units of a boundary compute.

    Examples
    --------
    >>> from analysis import detect_modules
    >>> both = [[0, 0], [0, 1], [1, 0], [1, 1]]
    >>> apart = [((0,), ()), ((1,), ()), ((), (0,))]
    >>> judge_decomposition(detect_modules([[[1, 1]], [[1]]]), apart, TruthTable(both, [[0], [0], [0], [1]])).reasons
    ('{x0, x1} joins inputs that the truth keeps apart',)
    """
    if (table.x.shape[1], table.y.shape[1]) != (found.graph.widths[0], found.graph.widths[-1]):
        raise ValueError(
            f"the truth table must have the network's {found.graph.widths[0]} inputs and {found.graph.widths[-1]} outputs; "
            f"got {table.x.shape[1]} and {table.y.shape[1]}"
        )
    boundaries = _boundaries(found, table)
    reasons = (
        *_input_reasons(found, [inputs for inputs, _ in modules if inputs], table, boundaries),
        *_output_reasons(found, [outputs for _, outputs in modules if outputs], table),
        *_reach_reasons(found, table),
        *_boundary_reasons(found, modules, boundaries),
    )
    return Verdict(not reasons, reasons, boundaries)


def leaving_units(found: Hierarchy, module: Module) -> tuple[tuple[int, int], ...]:
    """The units of a module with an edge to another module, as (layer, index)."""
    leaving, weights = [], _chain(found).weights
    for layer, index in module.units:
        if layer < len(weights):
            targets = found.labels[layer + 1][weights[layer][index] != 0]
            if ((targets >= 0) & (targets != module.index)).any():
                leaving.append((layer, index))
    return tuple(leaving)


def _chain(found: Hierarchy) -> LayeredGraph:
    return chain_of(found.graph, "the verdict on validity")


def wrong_rows(graph: LayeredGraph, table: TruthTable) -> NDArray[np.int64]:
    """For each output, the number of rows in which the network decides otherwise than the table, shape (k,)."""
    wrong: NDArray[np.int64] = (graph.decisions(graph.evaluate(table.x)) != table.y).sum(axis=0)
    return wrong


def _dependence(graph: LayeredGraph) -> list[NDArray[np.bool_]]:
    """For each layer, which inputs have a path to each unit, shape (n, w)."""
    known = [np.eye(graph.widths[0], dtype=bool)]
    for weight in graph.weights:
        known.append(known[-1].astype(float) @ (weight != 0) > 0)
    return known


def _reached(graph: LayeredGraph) -> list[NDArray[np.bool_]]:
    """For each layer, which outputs have a path from each unit, shape (w, k)."""
    known = [np.eye(graph.widths[-1], dtype=bool)]
    for weight in reversed(graph.weights):
        known.append((weight != 0).astype(float) @ known[-1] > 0)
    return known[::-1]


def _boundaries(found: Hierarchy, table: TruthTable) -> tuple[Boundary, ...]:
    graph = _chain(found)
    dependence, reached = _dependence(graph), _reached(graph)
    values = None if wrong_rows(graph, table).any() else graph.unit_values(table.x)
    boundaries = []
    for module in found.modules:
        leaving = leaving_units(found, module)
        if leaving:
            inputs = np.flatnonzero(np.any([dependence[layer][:, unit] for layer, unit in module.units], axis=0)).tolist()
            outputs = np.flatnonzero(np.any([reached[layer][unit] for layer, unit in module.units], axis=0)).tolist()
            computed = any(layer > 0 for layer, _ in leaving)
            counts = _counts(leaving, dependence) if values is None else _counts_taken(leaving, values)
            boundaries.append(
                Boundary(module.index, tuple(inputs), table.classes(inputs, outputs), leaving, counts[0], computed, *counts[1:])
            )
    return tuple(boundaries)


def _counts(leaving: Sequence[tuple[int, int]], dependence: Sequence[NDArray[np.bool_]]) -> tuple[int, None, None]:
    """The number of units without copies, by the wiring: units that depend on the same single input count once."""
    reads = {unit: np.flatnonzero(dependence[unit[0]][:, unit[1]]) for unit in leaving}
    return len({(0, int(inputs[0])) if len(inputs) == 1 else unit for unit, inputs in reads.items()}), None, None


def _counts_taken(leaving: Sequence[tuple[int, int]], values: Sequence[NDArray[np.float64]]) -> tuple[int, int, int]:
    """The number of units without copies, of their patterns over the table, and of levels of one unit at most."""
    split = np.stack([_levels(values[layer][:, unit]) for layer, unit in leaving])
    return len({row.tobytes() for row in split if row.any()}), np.unique(split, axis=1).shape[1], int(split.max()) + 1


def _levels(values: NDArray[np.float64]) -> NDArray[np.int64]:
    """The level of a unit in each row. Numbered by first appearance, so that a unit and its negation have equal levels."""
    order = np.argsort(values, kind="stable")
    gaps = np.diff(values[order])
    span = values.max() - values.min()
    # Rounding makes no levels: the values of a constant unit differ by a tiny fraction of their size only.
    apart = gaps > max(LEVEL_GAP * span, ROUNDING * np.abs(values).max())
    levels = np.empty(len(values), dtype=np.int64)
    levels[order] = np.concatenate([[0], np.cumsum(apart)])
    return first_appearance([levels])[0]


def _input_reasons(found: Hierarchy, groups: Groups, table: TruthTable, boundaries: Iterable[Boundary]) -> Iterable[str]:
    parts = {module.index: module.inputs for module in found.modules if module.inputs}
    reads = _dependence(_chain(found))
    computed = {b.module for b in boundaries if b.inputs == parts.get(b.module) and _narrows(b, reads)}
    outputs = range(table.y.shape[1])
    for module, part in parts.items():
        if _joins(part, groups):
            if module in computed:
                continue
            yield f"{_set(found.graph.input_names, part)} joins inputs that the truth keeps apart"
        elif len(part) > 1 and part not in groups:
            classes = table.classes(part, outputs)
            if classes == 2 ** len(part):
                yield f"{_set(found.graph.input_names, part)} passes {classes} classes of {classes}"
    for group in groups:
        if len(group) > 1 and all((i,) in parts.values() for i in group):
            yield f"{_set(found.graph.input_names, group)} is split into single inputs"


def _narrows(boundary: Boundary, reads: Sequence[NDArray[np.bool_]]) -> bool:
    """Whether a module computes one sub-function of its inputs; ``reads`` are the inputs on which every unit depends.

    Fewer hidden units than it has inputs, and no more than its classes need, are all that leaves it; and none of them is apart from the
    others: what several functions of separate inputs are, is no sub-function.
    """
    if any(layer == 0 for layer, _ in boundary.leaving) or boundary.units >= min(len(boundary.inputs), boundary.classes):
        return False
    left = [reads[layer][:, unit] for layer, unit in boundary.leaving]
    joined = left.pop()
    while left:
        touching = next((i for i, inputs in enumerate(left) if (inputs & joined).any()), None)
        if touching is None:
            return False
        joined = joined | left.pop(touching)
    return True


def _output_reasons(found: Hierarchy, groups: Groups, table: TruthTable) -> Iterable[str]:
    names, constant = found.graph.output_names, np.flatnonzero(~table.support.any(axis=0))
    for module in found.modules:
        if _joins([o for o in module.outputs if o not in constant], groups):
            yield f"{_set(names, module.outputs)} joins outputs that the truth keeps apart"
    for group in groups:
        copies: dict[bytes, list[int]] = {}
        for output in group:
            if output not in constant:
                copies.setdefault((table.y[:, output] ^ table.y[0, output]).tobytes(), []).append(output)
        for same in copies.values():
            if len(set(found.labels[-1][same].tolist())) > 1:
                yield f"{_set(names, same)} are copies in different modules"


def _reach_reasons(found: Hierarchy, table: TruthTable) -> Iterable[str]:
    wired, names = _dependence(_chain(found))[-1], found.graph.output_names
    for differs, what in (
        (wired & ~table.support, "reaches {}, without need"),
        (table.support & ~wired, "does not reach {}, which depends on it"),
    ):
        alike: dict[tuple[int, ...], list[int]] = {}
        for i, row in enumerate(differs):
            if row.any():
                alike.setdefault(tuple(np.flatnonzero(row).tolist()), []).append(i)
        yield from (f"{_set(found.graph.input_names, i)} {what.format(_set(names, o))}" for o, i in alike.items())


def _boundary_reasons(found: Hierarchy, modules: Sequence[Ends], boundaries: Iterable[Boundary]) -> Iterable[str]:
    known = {m.index for m in found.modules if (m.inputs or m.outputs) and (m.inputs, m.outputs) in modules}
    for b in boundaries:
        if b.computed and b.units >= b.classes and b.module not in known:
            yield f"M{b.module} passes {b.units} units where {b.classes} classes need {b.classes - 1}"


def _joins(held: Sequence[int], groups: Groups) -> bool:
    owner = {position: i for i, group in enumerate(groups) for position in group}
    return len({owner.get(position) for position in held}) > 1


def _set(names: Sequence[str], positions: Iterable[int]) -> str:
    return f"{{{', '.join(names[i] for i in positions)}}}"
