"""The gate of the task that each module carries, by read-out and by lesion."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from numbers import Integral
from typing import Any

import networkx as nx
import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..evidence.silencing import silenced
from ..graph import chain_of
from ..hierarchy import Hierarchy, Members, Module, check_hierarchy, members_of
from ..imports import kept_random
from ..tables import table
from .truth_table import TruthTable, check_truth
from .validity import leaving_units

__all__ = ["FunctionMap", "best_readout", "function_map"]

# g gates, m modules, k outputs, R rows of the truth table, u units, P different patterns of them.

# Differences between values of a unit below this fraction of its range are rounding.
ROUNDING = 6  # decimals
TOLERANCE = 1e-9  # of losses: far above rounding, far below any real difference
SEPARABLE = 1e6  # inverse strength of regularisation: nearly none, so that separable patterns are separated


@dataclass(frozen=True, eq=False)
class FunctionMap:
    """The result of ``function_map``. Printed, it is a table.

    Attributes
    ----------
    gates : tuple of str
        Rows: the gates that outputs use, without constants. Of copies (equal or complementary bits) only the first.
    modules : tuple of int
        Columns: the indices of the modules.
    readout : array of shape (g, m)
        Balanced accuracy of the best linear read-out of the gate from the top units of the module, in [0.5, 1].
    effect : array of shape (g, m)
        Mean loss of the outputs that use the gate when the module is silenced, in [0, 1]; 1 is chance level.
    exactness : array of shape (g, m)
        Of the outputs that use the gate or lose accuracy when the module is silenced, the fraction that do both (Jaccard index).
    carriers : dict of str to int
        The module that carries each gate. Gates without a carrier are left out.
    score : float
        In [0, 1].
    units : tuple of int
        For each module, the number of units that the read-out uses.
    accuracy : float
        Fraction of the output bits of the truth table that the network computes correctly.
    members : tuple of tuple of (layer, index), or None
        The units of each module: by them a report knows the hierarchy that this is about. None where they are not known.
    """

    gates: tuple[str, ...]
    modules: tuple[int, ...]
    readout: NDArray[np.float64]
    effect: NDArray[np.float64]
    exactness: NDArray[np.float64]
    carriers: dict[str, int]
    score: float
    units: tuple[int, ...]
    accuracy: float
    members: Members | None = field(default=None, repr=False)

    def __str__(self) -> str:
        cells = [
            [f"{r:.2f} {e:.2f}{'*' if self.carriers.get(gate) == m else ' '}" for m, r, e in zip(self.modules, reads, effects, strict=True)]
            for gate, reads, effects in zip(self.gates, self.readout, self.effect, strict=True)
        ]
        heads = [f"M{m} ({count} unit{'' if count == 1 else 's'}) " for m, count in zip(self.modules, self.units, strict=True)]
        return "\n".join(
            [
                f"function: score {self.score:.2f} ({len(self.carriers)} of {len(self.gates)} gates are carried; "
                f"the network gets {self.accuracy:.1%} of the truth table right)",
                "balanced accuracy of the best linear read-out, and what the outputs that use the gate lose without the module",
                *table(self.gates, heads, cells),
                "* carries the gate",
            ]
        )


def function_map(hierarchy: Hierarchy, truth: nx.DiGraph) -> FunctionMap:
    """Which gate of the ground truth each module carries, by read-out and by lesion.

    Parameters
    ----------
    hierarchy : Hierarchy
        Its graph must have the weights, biases and activations of the network, since it is evaluated.
    truth : networkx.DiGraph
        With the graph attributes ``x`` and ``y`` (the truth table), ``gates`` (name to the bits of the gate, in the order of the rows
        of ``x``) and ``users`` (name to the positions of the outputs that use the gate). Truth graphs of tasks made of gates have
        them. The modules of the truth are ignored.

    Returns
    -------
    FunctionMap

    Raises
    ------
    ValueError
        When the truth is not such a graph, lacks gates or a table, or its table, gates or users do not fit the network or each other.

    Notes
    -----
    *Read-out*, with :func:`best_readout`, from the top units of a module: the units that other modules read, and the decisions of its
    outputs. The read-out is fitted and measured on all rows of the table. They are all possible rows, so none are held out. The chance
    level is 0.5 only for few units: any bit of u + 1 patterns in general position can be read from u units. The number of units is
    therefore printed beside each module.

    *Lesion*: all units of the module, outputs included, are held at their mean over the table. The loss of an output is twice the drop of
    its balanced accuracy, at least 0, so 1 is chance level. The loss of constant outputs is 0.

    *Carrier and score*: the carrier of a gate is the module with the best read-out of it. Of equal ones it is the module with the largest
    ``exactness``, then the one nearest the inputs. The score is the mean over the gates of ``(2 readout - 1) * exactness`` of their
    carriers. It is 1 if every gate can be read from a module whose lesion damages exactly the outputs that use the gate. Gates with
    different users in one module lower the score, even where the truth has them in one module: the ideal network of ``[4,1,2,k]`` has
    the score 0.8. A module of inputs alone computes nothing, so it carries no gate, although single gates can be read from their inputs.

    Examples
    --------
    >>> from analysis import LayeredGraph, detect_modules
    >>> graph = LayeredGraph.from_weights([[[1, 1, 0, 0], [0, 0, 1, 1]], [[1, 0], [0, 1]]], biases=([-1, -1], [-0.5, -0.5]))
    >>> x = np.array([[a, b, c, d] for a in (0, 1) for b in (0, 1) for c in (0, 1) for d in (0, 1)])
    >>> p, q = x[:, 0] & x[:, 1], x[:, 2] & x[:, 3]
    >>> truth = nx.DiGraph(x=x, y=np.stack([p, q], axis=1), gates={"p": p, "q": q}, users={"p": (0,), "q": (1,)})
    >>> found = function_map(detect_modules(graph), truth)
    >>> found.carriers, found.score
    ({'p': 0, 'q': 1}, 1.0)
    """
    check_hierarchy(hierarchy)
    graph = chain_of(hierarchy.graph, "function_map")
    x, y = _checked_table(hierarchy, truth)
    gates = _gates(truth, y)
    values = graph.unit_values(x)
    decided = graph.decisions(values[-1])
    tops = [_top_units(hierarchy, module) for module in hierarchy.modules]
    readout = _readouts([*values[:-1], decided], tops, [bits for bits, _ in gates.values()])
    losses = np.stack([_losses(hierarchy, module, values, y) for module in hierarchy.modules])
    effect, exactness = _effects(losses, [users for _, users in gates.values()])
    computes = [any(layer > 0 for layer, _ in top) for top in tops]
    best, fit = _carriers(np.where(computes, readout, 0.5), exactness)
    carriers = {gate: hierarchy.modules[m].index for gate, m, value in zip(gates, best, fit, strict=True) if value > 0}
    return FunctionMap(
        gates=tuple(gates),
        modules=tuple(module.index for module in hierarchy.modules),
        readout=readout,
        effect=effect,
        exactness=exactness,
        carriers=carriers,
        score=float(fit.mean()) if gates else 0.0,
        units=tuple(map(len, tops)),
        accuracy=float((decided == y).mean()),
        members=members_of(hierarchy),
    )


def best_readout(values: ArrayLike, bits: ArrayLike) -> float:
    """The balanced accuracy of the best linear read-out of a bit found here, in [0.5, 1].

    Parameters
    ----------
    values : array of shape (R, u)
    bits : array of shape (R,), of 0 and 1, not constant

    Notes
    -----
    The best threshold, with either sign, along each unit and along the direction of a logistic regression with balanced classes and
    almost no regularisation (scikit-learn's ``LogisticRegression``). The result is exact for one unit, and where a plane separates the
    bit by more than a tiny margin. Otherwise it is a lower bound, since finding the best separator is NP-hard.

    Examples
    --------
    AND can be read from two units; for XOR every direction is at chance level:

    >>> rows = [[0, 0], [0, 1], [1, 0], [1, 1]]
    >>> best_readout(rows, [0, 0, 0, 1]), best_readout(rows, [0, 1, 1, 0])
    (1.0, 0.5)
    """
    units, bit = np.asarray(values, dtype=float), np.asarray(bits) == 1
    spans = np.ptp(units, axis=0)
    scaled = ((units - units.min(axis=0)) / np.where(spans > 0, spans, 1)).round(ROUNDING)
    patterns, which = np.unique(scaled, axis=0, return_inverse=True)
    no, yes = (np.bincount(which[bit == side], minlength=len(patterns)) for side in (False, True))
    # In integers, so that equal read-outs compare equal and a perfect one is exactly 1.
    excess = yes * no.sum() - no * yes.sum()
    directions = [*patterns.T]
    if len(directions) > 1:
        shares = np.concatenate([no / no.sum(), yes / yes.sum()])
        sides = np.repeat([0, 1], len(patterns))[shares > 0]
        with kept_random():
            from sklearn.linear_model import LogisticRegression

        model = LogisticRegression(C=SEPARABLE, max_iter=10_000)
        model.fit(np.tile(patterns, (2, 1))[shares > 0], sides, sample_weight=shares[shares > 0])
        directions.append(model.decision_function(patterns).round(ROUNDING))
    return 0.5 + 0.5 * max(_best_cut(direction, excess) for direction in directions) / int(no.sum() * yes.sum())


def _best_cut(scores: NDArray[np.float64], excess: NDArray[np.int64]) -> int:
    """The largest excess of rows with bit 1 over rows with bit 0 on one side of a threshold."""
    order = np.argsort(scores)
    ends = np.append(np.diff(scores[order]) > 0, True)
    return int(np.abs(np.cumsum(excess[order])[ends]).max())


def _checked_table(hierarchy: Hierarchy, truth: nx.DiGraph) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    check_truth(truth)
    missing = [name for name in ("x", "y", "gates", "users") if name not in truth.graph]
    if missing:
        raise ValueError(
            f"the truth must carry x, y, gates and users as graph attributes, as task.truth(hidden_layers=2) of a task made of gates does; "
            f"got none for {missing}"
        )
    TruthTable.of(truth)  # refuses an incomplete table
    x, y = (np.asarray(truth.graph[name], dtype=np.uint8) for name in ("x", "y"))
    widths = hierarchy.graph.widths
    if (x.shape[1], y.shape[1]) != (widths[0], widths[-1]):
        raise ValueError(
            f"the truth table must have the network's {widths[0]} inputs and {widths[-1]} outputs; got {x.shape[1]} and {y.shape[1]}"
        )
    return x, y


def _gates(truth: nx.DiGraph, y: NDArray[np.uint8]) -> dict[str, tuple[NDArray[np.uint8], set[int]]]:
    """The bits of each gate and the outputs that use it, without constants and unused gates, and with copies merged."""
    varies = (y != y[0]).any(axis=0)
    first: dict[bytes, str] = {}
    gates: dict[str, tuple[NDArray[np.uint8], set[int]]] = {}
    if not isinstance(truth.graph["gates"], Mapping) or not truth.graph["gates"]:
        raise ValueError(f"gates must map names to bits, at least one; got {truth.graph['gates']!r}")
    for name, column in truth.graph["gates"].items():
        bits = _bits(name, column, len(y))
        users = {output for output in _users(name, truth, y.shape[1]) if varies[output]}
        if bits.any() and not bits.all() and users:
            kept = first.setdefault((bits ^ bits[0]).tobytes(), name)
            gates.setdefault(kept, (bits, set()))[1].update(users)
    return gates


def _bits(name: str, column: Any, rows: int) -> NDArray[np.uint8]:
    bits = np.asarray(column)
    if bits.shape != (rows,) or not np.isin(bits, (0, 1)).all():
        got = f"shape {bits.shape}" if bits.shape != (rows,) else f"{bits[~np.isin(bits, (0, 1))][0]}"
        raise ValueError(f"gates[{name!r}] must be the {rows} bits of the gate, 0 or 1, in the order of the rows of x; got {got}")
    return bits.astype(np.uint8)


def _users(name: str, truth: nx.DiGraph, outputs: int) -> set[int]:
    given = truth.graph["users"].get(name) if isinstance(truth.graph["users"], Mapping) else None
    users: list[Any] = list(given) if isinstance(given, Iterable) else [given]
    if not all(isinstance(user, Integral) and user in range(outputs) for user in users):
        raise ValueError(f"users[{name!r}] must be the positions of the outputs that read the gate, from 0 to {outputs - 1}; got {given!r}")
    return set(users)


def _top_units(hierarchy: Hierarchy, module: Module) -> Sequence[tuple[int, int]]:
    last = len(hierarchy.graph.widths) - 1
    read = [*leaving_units(hierarchy, module), *((last, output) for output in module.outputs)]
    return read or [unit for unit in module.units if unit[0] == module.units[-1][0]]


def _readouts(
    values: Sequence[NDArray[Any]], tops: Sequence[Sequence[tuple[int, int]]], gates: Sequence[NDArray[np.uint8]]
) -> NDArray[np.float64]:
    """The read-out of each gate from each module, shape (g, m)."""
    read = [np.stack([values[layer][:, unit] for layer, unit in top], axis=1) for top in tops]
    return np.array([[best_readout(units, bits) for units in read] for bits in gates]).reshape(-1, len(read))


def _effects(losses: NDArray[np.float64], users: Sequence[set[int]]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Effect and exactness, shapes (g, m), from the losses of the outputs by module, shape (m, k)."""
    using = np.array([[output in use for output in range(losses.shape[1])] for use in users], dtype=bool).reshape(-1, losses.shape[1])
    both, either = (pair.sum(axis=2) for pair in (using[:, None] & (losses > TOLERANCE), using[:, None] | (losses > TOLERANCE)))
    return using @ losses.T / using.sum(axis=1, keepdims=True), both / either


def _carriers(readout: NDArray[np.float64], exactness: NDArray[np.float64]) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """The column of the carrier of each gate, and its part of the score."""
    # Read-outs of a gate are integers over one denominator, so equal ones compare equal.
    best = np.where(readout == readout.max(axis=1, keepdims=True), exactness, -1).argmax(axis=1)
    rows = np.arange(len(best))
    return best, (2 * readout[rows, best] - 1) * exactness[rows, best]


def _losses(hierarchy: Hierarchy, module: Module, values: Sequence[NDArray[np.float64]], y: NDArray[np.uint8]) -> NDArray[np.float64]:
    """The loss of each output when the module is silenced, shape (k,)."""
    held = [np.flatnonzero(labels == module.index) for labels in hierarchy.labels]
    means = [layer.mean(axis=0) for layer in values]
    graph = chain_of(hierarchy.graph, "function_map")
    after = silenced(graph, held[:-1], means).evaluate(values[0])
    after[:, held[-1]] = means[-1][held[-1]]
    drop = _balanced_accuracy(graph.decisions(values[-1]), y) - _balanced_accuracy(graph.decisions(after), y)
    return np.clip(2 * drop, 0, 1)


def _balanced_accuracy(decided: NDArray[np.bool_], y: NDArray[np.uint8]) -> NDArray[np.float64]:
    """The balanced accuracy of each output, shape (k,); 0 for constant outputs."""
    shares = [((decided == y) & (y == side)).sum(axis=0) / np.maximum((y == side).sum(axis=0), 1) for side in (0, 1)]
    return np.where((y != y[0]).any(axis=0), (shares[0] + shares[1]) / 2, 0)
