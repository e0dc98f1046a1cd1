"""Whether a hierarchy that is not the published one still takes the function apart, or is simply wrong.

Judged on the truth table and on how the modules are wired; never on how well a network was trained.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..graph import LayeredGraph
from ..hierarchy import Hierarchy, Module, first_appearance
from .truth_table import TruthTable

__all__ = ["Boundary", "Verdict", "judge_decomposition"]

# R = 2^n rows, n inputs, k outputs, w units of a layer.

# Values of a unit over the table that lie closer than this part of their range are one level. Training leaves an AND unit slightly
# different values on the rows where it says no; a level that means something stands far from the next.
LEVEL_GAP = 0.1
ROUNDING = 1e-6  # part of the largest value of a unit

Ends = tuple[tuple[int, ...], tuple[int, ...]]  # the inputs and outputs of a module
Groups = Sequence[tuple[int, ...]]


@dataclass(frozen=True)
class Boundary:
    """What passes out of a module that others read.

    Attributes
    ----------
    module : int
        Its index.
    inputs : tuple of int
        The network's inputs that it depends on, by its wiring.
    classes : int
        The column multiplicity of ``inputs`` with regard to the outputs that the module reaches; see :meth:`TruthTable.classes`.
    leaving : tuple of (layer, index)
        Its units with an edge to another module.
    units : int
        How many of them are no copies of one another and not constant.
    computed : bool
        Whether a hidden unit is among them. Where none is, the module passes its inputs on as they are.
    patterns, levels : int or None
        How many patterns the leaving units take over the table, and how many levels the one with most: more than 2 is an
        analog code. None when the network, as a graph, does not compute the table, which includes networks known as masks only.
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
    """Whether a decomposition is valid; if not, why; and what passes out of each module."""

    valid: bool
    reasons: tuple[str, ...]
    boundaries: tuple[Boundary, ...]


def judge_decomposition(found: Hierarchy, modules: Sequence[Ends], table: TruthTable) -> Verdict:
    """Whether the modules are a valid decomposition of the function, and if not, why.

    Parameters
    ----------
    found : Hierarchy
    modules : sequence of (inputs, outputs)
        The network's inputs and outputs that each module of the truth holds, as tuples of positions in ascending order.
    table : TruthTable

    Returns
    -------
    Verdict

    Raises
    ------
    ValueError
        When the table has other inputs or outputs than the network.

    Notes
    -----
    Four rules, on the table and the wiring, so that networks known as masks only are judged too. A module depends on
    the inputs S from which a path leads to it, and reaches the outputs O to which a path leads; ``mu(S, O)`` is the column
    multiplicity, :meth:`TruthTable.classes`.

    1. Inputs. No module holds inputs that the truth keeps apart. Where the inputs of one truth module are held by several, each
       part of two or more inputs has ``mu < 2^|part|``: what passes out of the part is less than went in, so that the part is a
       sub-function. Single inputs are no sub-function, so not all parts may be one.
    2. Outputs. No module holds outputs that the truth keeps apart, and copies (equal or complementary columns) that it holds
       together stay together. Finer is valid otherwise: the truth of a deeper network separates outputs that a shallower one
       cannot. Outputs that are constant may be anywhere.
    3. Reach. An output is wired to exactly the inputs on which it depends; over any other, ``mu = 1`` and nothing is to pass.
    4. Boundaries. Of the units by which a module with hidden units is read, at most ``mu(S, O) - 1`` are no copies of one
       another. Every function of c classes is a constant plus a weighted sum of c - 1 of their indicators, so c - 1 units can say
       all that any reader may need, and one more says what none needs. A module of inputs alone computes nothing; rule 1 judges it.
       Nor is a module asked that has the inputs and outputs of one of the truth's: it is a sub-function on the task's word, and
       may leave its last OR to its readers, as the published networks of ``[8,2,1,2,k]`` nearly all do. For any other module a
       narrow boundary is the only evidence.

    Units are copies when they depend on one and the same input (two units of one bit are affine functions of each other). If the
    network computes the table, also when they split its rows into the same levels, and constant units do not count; so known
    weights may excuse a unit but never blame one.

    The number of patterns that the leaving units really take is reported but decides nothing. More patterns than classes need not
    say more: training leaves surplus levels in sparse networks too, which the readers threshold away, and the same modules would
    be valid as a mask and not with weights. And fewer units than bits, one analog unit that carries two functions, pass no
    more than they must; ``levels`` shows them.

    Rule 4 is necessary, not sufficient: whether units of unknown weights compute what the boundary has room for, nobody can tell.

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
        *_input_reasons(found, [inputs for inputs, _ in modules if inputs], table),
        *_output_reasons(found, [outputs for _, outputs in modules if outputs], table),
        *_reach_reasons(found, table),
        *_boundary_reasons(found, modules, boundaries),
    )
    return Verdict(not reasons, reasons, boundaries)


def leaving_units(found: Hierarchy, module: Module) -> tuple[tuple[int, int], ...]:
    """The units of a module with an edge to another module, as (layer, index)."""
    leaving = []
    for layer, index in module.units:
        if layer < len(found.graph.weights):
            targets = found.labels[layer + 1][found.graph.weights[layer][index] != 0]
            if ((targets >= 0) & (targets != module.index)).any():
                leaving.append((layer, index))
    return tuple(leaving)


def _computes(graph: LayeredGraph, table: TruthTable) -> bool:
    return bool((graph.decisions(graph.evaluate(table.x)) == table.y).all())


def _dependence(graph: LayeredGraph) -> list[NDArray[np.bool_]]:
    """For each layer which inputs a path leads from, shape (n, w)."""
    known = [np.eye(graph.widths[0], dtype=bool)]
    for weight in graph.weights:
        known.append(known[-1].astype(float) @ (weight != 0) > 0)
    return known


def _reached(graph: LayeredGraph) -> list[NDArray[np.bool_]]:
    """For each layer which outputs a path leads to, shape (w, k)."""
    known = [np.eye(graph.widths[-1], dtype=bool)]
    for weight in reversed(graph.weights):
        known.append((weight != 0).astype(float) @ known[-1] > 0)
    return known[::-1]


def _boundaries(found: Hierarchy, table: TruthTable) -> tuple[Boundary, ...]:
    graph = found.graph
    dependence, reached = _dependence(graph), _reached(graph)
    values = graph.unit_values(table.x) if _computes(graph, table) else None
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
    """How many units are no copies, by the wiring: several that depend on one and the same input count once."""
    reads = {unit: np.flatnonzero(dependence[unit[0]][:, unit[1]]) for unit in leaving}
    return len({(0, int(inputs[0])) if len(inputs) == 1 else unit for unit, inputs in reads.items()}), None, None


def _counts_taken(leaving: Sequence[tuple[int, int]], values: Sequence[NDArray[np.float64]]) -> tuple[int, int, int]:
    """How many units are no copies, how many patterns they take over the table, and how many levels at most."""
    split = np.stack([_levels(values[layer][:, unit]) for layer, unit in leaving])
    return len({row.tobytes() for row in split if row.any()}), np.unique(split, axis=1).shape[1], int(split.max()) + 1


def _levels(values: NDArray[np.float64]) -> NDArray[np.int64]:
    """The level of a unit in each row, numbered by first appearance, so that a unit and its negation are alike."""
    order = np.argsort(values, kind="stable")
    gaps = np.diff(values[order])
    span = values.max() - values.min()
    # Rounding is no level: a unit that always says the same spreads by less than any weight could mean, for its size.
    apart = gaps > max(LEVEL_GAP * span, ROUNDING * np.abs(values).max())
    levels = np.empty(len(values), dtype=np.int64)
    levels[order] = np.concatenate([[0], np.cumsum(apart)])
    return first_appearance([levels])[0]


def _input_reasons(found: Hierarchy, groups: Groups, table: TruthTable) -> Iterable[str]:
    parts = [module.inputs for module in found.modules if module.inputs]
    outputs = range(table.y.shape[1])
    for part in parts:
        if _joins(part, groups):
            yield f"{_set(found.graph.input_names, part)} joins inputs that the truth keeps apart"
        elif len(part) > 1 and part not in groups:
            classes = table.classes(part, outputs)
            if classes == 2 ** len(part):
                yield f"{_set(found.graph.input_names, part)} passes {classes} classes of {classes}"
    for group in groups:
        if len(group) > 1 and all((i,) in parts for i in group):
            yield f"{_set(found.graph.input_names, group)} is split into single inputs"


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
    wired, names = _dependence(found.graph)[-1], found.graph.output_names
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
