"""Coordinates: a module keeps one interval of x in all the layers it spans, and modules that share a layer keep apart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_factor, cho_solve, cholesky, solve_triangular
from scipy.optimize import isotonic_regression, nnls

from ..hierarchy import Hierarchy
from .ordering import Labels, Matrices, drawn_edges, groups_of, order_groups, order_units, spans_of

PAD = 0.55  # from the outermost unit to the border of its region; 1 is the distance of two units
GAP = 0.3  # between regions
BELOW, ABOVE = 0.2, 0.36  # from the lowest and highest unit to the border, in distances of two layers; the label stands above
PULL = 1e-3  # towards the middle, so that what hangs on nothing stays near
ROUNDS = 2


@dataclass(frozen=True)
class Region:
    """The rectangle of a module."""

    left: float
    bottom: float
    right: float
    top: float


@dataclass(frozen=True)
class Layout:
    """Where everything goes. One step of x is the least distance of two units, one step of y the distance of two layers.

    Attributes
    ----------
    positions : dict of (layer, index) to (x, y)
        All units of modules, and all outputs. ``y`` is the layer.
    regions : dict of int to Region
        The rectangle of each module; no two of them touch.
    """

    positions: dict[tuple[int, int], tuple[float, float]]
    regions: dict[int, Region]


def layered_layout(hierarchy: Hierarchy) -> Layout:
    """The :class:`Layout` of a hierarchy: inputs at the bottom, outputs at the top.

    Modules are ordered to cross little (igraph's Sugiyama layout and the order of the labels, both improved by sifting), units
    inside them by barycentre sweeps. Then modules are placed where the sum of squared edge lengths is least among all places
    that keep their order and distance. The same hierarchy gives the same layout.

    Examples
    --------
    >>> import numpy as np
    >>> from analysis import Hierarchy, LayeredGraph
    >>> graph = LayeredGraph.from_weights([[[1.0, 1.0]], [[1.0]]])
    >>> labels = (np.array([0, 0]), np.array([0]), np.array([1]))
    >>> layout = layered_layout(Hierarchy(graph, labels, labels))
    >>> layout.positions[0, 1][0] - layout.positions[0, 0][0]
    1.0
    """
    groups, edges = groups_of(hierarchy), drawn_edges(hierarchy)
    group_order = order_groups(groups, edges)
    layers = order_units(groups, edges, group_order)
    spans, halves = spans_of(groups), _half_widths(groups)
    offsets = [_centred(layer, groups[i]) for i, layer in enumerate(layers)]
    for _ in range(ROUNDS):
        centres = _place_groups(groups, edges, offsets, group_order, halves, spans)
        offsets = _align_units(layers, groups, edges, offsets, centres, halves)
    centres = np.round(centres - (centres - halves).min(), 6)
    positions = {
        (i, unit): (float(np.round(centres[groups[i][unit]] + offsets[i][unit], 6)), float(i))
        for i, layer in enumerate(layers)
        for unit in layer
    }
    regions = {
        m.index: Region(
            float(centres[m.index] - halves[m.index]),
            float(spans[m.index, 0] - BELOW),
            float(centres[m.index] + halves[m.index]),
            float(spans[m.index, 1] + ABOVE),
        )
        for m in hierarchy.modules
    }
    return Layout(positions, regions)


def _half_widths(groups: Labels) -> NDArray[np.float64]:
    count = 1 + max(int(array.max()) for array in groups)
    most = np.max([np.bincount(array[array >= 0], minlength=count) for array in groups], axis=0)
    return (most - 1) / 2 + PAD


def _centred(layer: Sequence[int], groups: NDArray[np.int64]) -> NDArray[np.float64]:
    """Distance of each unit from the middle of its group, units one step apart; shape (units of the layer,)."""
    offsets = np.zeros(len(groups))
    for members in _runs(layer, groups):
        offsets[members] = np.arange(len(members)) - (len(members) - 1) / 2
    return offsets


def _runs(layer: Sequence[int], groups: NDArray[np.int64]) -> list[list[int]]:
    runs: dict[int, list[int]] = {}
    for unit in layer:
        runs.setdefault(int(groups[unit]), []).append(unit)
    return list(runs.values())


def _place_groups(
    groups: Labels, edges: Matrices, offsets: list[NDArray], order: Sequence[int], halves: NDArray, spans: NDArray
) -> NDArray[np.float64]:
    """The centre of each group: least squared edge lengths, each group right of those that precede it in a shared layer."""
    count = len(halves)
    stiffness, force = PULL * np.eye(count), np.zeros(count)
    for i, edge in enumerate(edges):
        sources, targets = np.nonzero(edge)
        a, b, stretch = groups[i][sources], groups[i + 1][targets], offsets[i + 1][targets] - offsets[i][sources]
        np.add.at(stiffness, (a, a), 1.0)
        np.add.at(stiffness, (b, b), 1.0)
        np.add.at(stiffness, (a, b), -1.0)
        np.add.at(stiffness, (b, a), -1.0)
        np.add.at(force, a, stretch)
        np.add.at(force, b, -stretch)
    pairs = _neighbours(order, spans)
    distances = np.array([halves[a] + halves[b] + GAP for a, b in pairs])
    centres = _least_squares(stiffness, force, pairs, distances)
    for group in order:  # exact where the solver was only near
        for (a, b), distance in zip(pairs, distances, strict=True):
            if b == group:
                centres[b] = max(centres[b], centres[a] + distance)
    return centres


def _neighbours(order: Sequence[int], spans: NDArray) -> list[tuple[int, int]]:
    pairs: dict[tuple[int, int], None] = {}
    for layer in range(int(spans.max()) + 1):
        present = [g for g in order if spans[g, 0] <= layer <= spans[g, 1]]
        pairs.update(dict.fromkeys(zip(present, present[1:], strict=False)))
    return list(pairs)


def _least_squares(stiffness: NDArray, force: NDArray, pairs: list[tuple[int, int]], distances: NDArray) -> NDArray[np.float64]:
    """The x that minimises x'Sx/2 - f'x where x[b] - x[a] >= distance: least distance programming (Lawson and Hanson, 1974, chapter 23)."""
    free = cho_solve(cho_factor(stiffness), force)
    if not pairs:
        return free
    rows = np.zeros((len(pairs), len(force)))
    for k, (a, b) in enumerate(pairs):
        rows[k, a], rows[k, b] = -1.0, 1.0
    root = cholesky(stiffness)
    scaled = solve_triangular(root, rows.T, trans="T")
    system = np.vstack([scaled, distances - rows @ free])
    target = np.append(np.zeros(len(force)), 1.0)
    multipliers, _ = nnls(system, target)
    residual = target - system @ multipliers
    return free - solve_triangular(root, residual[:-1] / residual[-1])


def _align_units(
    layers: list[list[int]], groups: Labels, edges: Matrices, offsets: list[NDArray], centres: NDArray, halves: NDArray
) -> list[NDArray[np.float64]]:
    """Offsets that bring each unit near its neighbours, in order, a step apart, inside its region."""
    offsets = [array.copy() for array in offsets]
    for i in (*range(len(layers)), *range(len(layers) - 2, -1, -1)):
        for run in _runs(layers[i], groups[i]):
            group = groups[i][run[0]]
            goals = np.array([_mean_neighbour(i, unit, groups, edges, offsets, centres) for unit in run]) - centres[group]
            steps = np.arange(len(run))
            room = halves[group] - PAD
            # Isotonic regression of what is left after the steps is the exact least-squares place; clipping keeps it so.
            placed = isotonic_regression(goals - steps).x
            offsets[i][run] = np.clip(placed, -room, room - (len(run) - 1)) + steps
    return offsets


def _mean_neighbour(layer: int, unit: int, groups: Labels, edges: Matrices, offsets: list[NDArray], centres: NDArray) -> float:
    places = [np.array([centres[groups[layer][unit]] + offsets[layer][unit]])[:0]]
    for other, mask in ((layer - 1, edges[layer - 1][:, unit] if layer else None), (layer + 1, edges[layer][unit] if layer < len(edges) else None)):
        if mask is not None:
            places.append(centres[groups[other][mask]] + offsets[other][mask])
    found = np.concatenate(places)
    return float(found.mean()) if len(found) else float(centres[groups[layer][unit]] + offsets[layer][unit])
