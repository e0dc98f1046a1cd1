"""Communities among the units of dense networks: by their weights, by how they act together, and by what their loss costs.

S = rows, n = units of all layers, inputs and outputs included.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...models.network import SparseNetwork
from .dense import Case, Found

__all__ = [
    "WEAK",
    "ablation_profiles",
    "by_ablation",
    "by_activations",
    "by_weights",
    "cosines",
    "linked",
    "one_module",
    "rows_of",
    "varying",
]

WEAK = 0.5  # of the mean |weight| within modules: links between modules below it do not count
ROWS = 500  # at most, of data that are no complete table

Labels = Sequence[NDArray[np.int64]]


def by_weights(case: Case, *, method: str, apart: bool, **options: Any) -> list[Found]:
    """Communities of |weight|: ``"spectral"``, as Filan et al. (2021), or ``"leiden"``."""
    return _each(case, lambda network, _: None, method, apart, options)


def by_activations(case: Case, *, apart: bool, resolution: float) -> list[Found]:
    """Communities of the absolute correlations of units over the rows."""

    def affinity(network: SparseNetwork, graph: Any) -> NDArray[np.float64]:
        values = np.hstack(graph.unit_values(rows_of(case)))
        return np.abs(cosines(values - values.mean(axis=0)))

    return _each(case, affinity, "leiden", apart, {"resolution": resolution})


def by_ablation(case: Case, *, apart: bool, resolution: float) -> list[Found]:
    """Communities of units whose ablation changes the same outputs in the same rows."""

    def affinity(network: SparseNetwork, graph: Any) -> NDArray[np.float64]:
        return cosines(ablation_profiles(graph, rows_of(case)))

    return _each(case, affinity, "leiden", apart, {"resolution": resolution})


def one_module(case: Case) -> list[Found]:
    """Everything in one module, whatever the network: a control."""
    from analysis import Hierarchy
    from analysis.graph import as_graph

    found = []
    for network in case.dense.networks:
        graph = as_graph(network)
        labels = tuple(np.zeros(width, dtype=np.int64) for width in graph.widths)
        found.append(Found(Hierarchy(graph, labels, labels, network=network), network, 0.0))
    return found


def rows_of(case: Case) -> NDArray[np.float64]:
    """The rows on which units are compared: all of a complete table, or 500 validation rows."""
    return case.task.x_validation[: None if case.task.complete else ROWS].double().numpy()


def varying(case: Case) -> NDArray[np.bool_]:
    """Which inputs vary over the training rows: the others, such as pixels that are always dark, belong to no module."""
    x = case.task.x
    return (x != x[:1]).any(dim=0).numpy()


def cosines(columns: NDArray[np.float64]) -> NDArray[np.float64]:
    """The cosines between the columns of ``(S, n)``: shape (n, n), 0 for columns without length.

    Examples
    --------
    >>> cosines(np.array([[1.0, 2.0, 0.0], [1.0, 2.0, 0.0]])).round(6).tolist()
    [[1.0, 1.0, 0.0], [1.0, 1.0, 0.0], [0.0, 0.0, 0.0]]
    """
    lengths = np.linalg.norm(columns, axis=0)
    unit = columns / np.where(lengths > 1e-9, lengths, np.inf)
    return unit.T @ unit


def ablation_profiles(graph: Any, x: NDArray[np.float64]) -> NDArray[np.float64]:
    """How far each value of each output moves when a unit is held at its mean over the rows: shape (S k, n), k outputs.

    An output that is held at its mean moves itself alone.
    """
    values = graph.unit_values(x)
    outputs, profiles = values[-1], []
    for layer, known in enumerate(values[:-1]):
        above = replace(
            graph, weights=graph.weights[layer:], biases=graph.biases[layer:], activations=graph.activations[layer:], input_names=()
        )
        for unit in range(known.shape[1]):
            held = known.copy()
            held[:, unit] = held[:, unit].mean()
            profiles.append(np.abs(above.evaluate(held) - outputs).ravel())
    alone = np.abs(outputs - outputs.mean(axis=0))
    profiles += [(alone * (np.arange(alone.shape[1]) == k)).ravel() for k in range(alone.shape[1])]
    return np.stack(profiles, axis=1)


def _each(case: Case, affinity: Callable[[SparseNetwork, Any], Any], method: str, apart: bool, options: dict[str, Any]) -> list[Found]:
    from analysis import detect_baseline
    from analysis.graph import as_graph

    found = []
    for network in case.dense.networks:
        start = time.perf_counter()
        graph = as_graph(network)
        whole = detect_baseline(network, method, features="weighted", affinity=affinity(network, graph), **options)
        first = np.where(varying(case), whole.labels[0], -1)
        hierarchy = replace(whole, labels=(first, *whole.labels[1:]), clusters=(first, *whole.clusters[1:]))
        found.append(Found(linked(hierarchy, apart), network, time.perf_counter() - start))
    return found


def linked(hierarchy: Any, apart: bool = False) -> Any:
    """The same modules with the strong links between them only, since in a dense network every module reads every other.

    A link from one module to another is the mean |weight| over the pairs of their units in adjacent layers. It stays if it is at least
    half of the mean |weight| within modules.

    Parameters
    ----------
    hierarchy : Hierarchy
        Of a ``LayeredGraph``.
    apart : bool
        Divide every module into its inputs, its hidden units and its outputs, so that there can be levels.

    Returns
    -------
    Hierarchy
        Whose graph lacks the weights of weak links.
    """
    from analysis import Hierarchy

    graph, whole = hierarchy.graph, hierarchy.labels
    last = len(whole) - 1
    sides = [0 if layer == 0 else 2 if layer == last else 1 for layer in range(last + 1)]
    labels = [np.where(part >= 0, 3 * part + side * apart, -1) for part, side in zip(whole, sides, strict=True)]
    within = _mean_within(graph.weights, whole)
    count = 3 * (1 + max(0, *(int(part.max()) for part in whole)))
    sums, pairs = np.zeros((count, count)), np.zeros((count, count))
    for weight, above, below in zip(graph.weights, labels, labels[1:], strict=False):
        a, b = _members(above, count), _members(below, count)
        sums += a.T @ np.abs(weight) @ b
        pairs += np.outer(a.sum(axis=0), b.sum(axis=0))
    strong = sums >= WEAK * within * pairs
    kept = [
        np.where((above[:, None] == below) | (strong[above][:, below] & (above[:, None] >= 0) & (below >= 0)), weight, 0.0)
        for weight, above, below in zip(graph.weights, labels, labels[1:], strict=False)
    ]
    shown = replace(graph, weights=tuple(kept))
    return Hierarchy(shown, tuple(labels), tuple(labels), network=hierarchy.network)


def _members(labels: NDArray[np.int64], count: int) -> NDArray[np.float64]:
    """Which unit is in which module: shape (units, count), without units that are in none."""
    return (labels[:, None] == np.arange(count)).astype(np.float64)


def _mean_within(weights: Sequence[NDArray[np.float64]], labels: Labels) -> float:
    """The mean |weight| between units of the same module; 0 where there are none."""
    same = [(above[:, None] == below) & (below >= 0) for above, below in pairwise(labels)]
    held = np.concatenate([np.abs(weight)[where] for weight, where in zip(weights, same, strict=True)])
    return float(held.mean()) if len(held) else 0.0
