"""How many levels of each hidden unit the decisions of a network need."""

from __future__ import annotations

from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .functions import ACTIVATIONS
from .layered import LayeredGraph
from .reading import chain_of

__all__ = ["needed_levels"]

# R rows.

CUTS = 6  # of a unit at most, at its largest gaps
LEAST_GAP = 0.05  # fraction of the range of a unit's values; values that are closer are one level
MOST_TRIED = 3  # levels; where so many are too few, all cuts are tried together
MOST = CUTS + 1  # this many levels, or more


def needed_levels(network: Any, x: ArrayLike) -> tuple[NDArray[np.int64], ...]:
    """For each hidden layer the number of levels that the network's decisions need of every unit.

    The values of one unit over the rows are cut at some of their largest gaps, and each part is replaced by its mean. A unit needs the
    fewest levels with which no decision changes. A unit that carries one bit needs two, however many values it takes; a unit from which two
    functions are read by two thresholds needs three or four.

    Parameters
    ----------
    network : anything that ``detect_modules`` takes as one network
    x : array of shape (rows, inputs)
        For instance all rows of a truth table.

    Returns
    -------
    tuple of int arrays of shape (widths[i],), one for each hidden layer
        1 for a unit that no output depends on; 7 stands for 7 and more.

    Raises
    ------
    ValueError
        When x has no rows, another number of columns than the network has inputs, or is not finite.

    Notes
    -----
    Values that are closer than a twentieth of their range are one level. At most the six largest gaps of a unit are cut; where three
    levels are too few, all cuts together are tried.

    Examples
    --------
    The unit has the values 0, 1 and 2; its first reader needs them all to compute an XOR, or only one threshold to compute an AND:

    >>> rows = [[0, 0], [0, 1], [1, 0], [1, 1]]
    >>> sums, tops = [[1.0, 1.0], [1.0, 1.0]], [[1.0, -2.0]]
    >>> xor = LayeredGraph.from_weights([sums, tops], biases=[[0.0, -1.0], [-0.5]], activations=["relu", "identity"])
    >>> needed_levels(xor, rows)[0].tolist()
    [2, 2]
    >>> both = LayeredGraph.from_weights([sums[:1], [[1.0]]], biases=[[0.0], [-1.5]], activations=["relu", "identity"])
    >>> needed_levels(both, rows)[0].tolist()
    [2]
    """
    graph = chain_of(network, "needed_levels")
    values = graph.unit_values(x)
    if not len(values[0]):
        raise ValueError(f"x must have at least one row, such as all rows of a truth table; got shape {values[0].shape}")
    decisions = graph.decisions(values[-1])
    found = []
    for layer, alive in enumerate(graph.alive()[1:-1], start=1):
        levels = np.ones(graph.widths[layer], dtype=np.int64)
        for unit in np.flatnonzero(alive):
            levels[unit] = _of_unit(graph, values, decisions, layer, int(unit))
        found.append(levels)
    return tuple(found)


def _of_unit(graph: LayeredGraph, values: tuple[NDArray[np.float64], ...], decisions: NDArray[np.bool_], layer: int, unit: int) -> int:
    column = values[layer][:, unit]
    ordered = np.sort(column)
    gaps = np.diff(ordered)
    largest = np.argsort(-gaps, kind="stable")[:CUTS]
    largest = np.sort(largest[gaps[largest] > LEAST_GAP * (ordered[-1] - ordered[0])])
    cuts = (ordered[largest] + ordered[largest + 1]) / 2
    for levels in sorted({*range(1, min(MOST_TRIED, len(cuts)) + 1), len(cuts) + 1}):
        changes = (_in_levels(column, some) - column for some in combinations(cuts, levels - 1))
        if any(_keeps(graph, values, decisions, layer, unit, change) for change in changes):
            return levels
    return MOST


def _in_levels(column: NDArray[np.float64], cuts: tuple[float, ...]) -> NDArray[np.float64]:
    """The values of a unit, each replaced by the mean of its level."""
    level = np.digitize(column, cuts)
    means = np.bincount(level, column) / np.maximum(np.bincount(level), 1)
    found: NDArray[np.float64] = means[level]
    return found


def _keeps(
    graph: LayeredGraph,
    values: tuple[NDArray[np.float64], ...],
    decisions: NDArray[np.bool_],
    layer: int,
    unit: int,
    change: NDArray[np.float64],
) -> bool:
    """Whether a change of a unit, of shape (R,), leaves all decisions as they are."""
    above = values[layer].copy()
    above[:, unit] += change
    for weight, bias, activation in list(zip(graph.weights, graph.biases, graph.activations, strict=True))[layer:]:
        above = ACTIVATIONS[activation](above @ weight + bias)
    return bool((graph.decisions(above) == decisions).all())
