"""Coordinates: a module has one interval of x in all layers it spans, and modules that share a layer do not overlap."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_factor, cho_solve, cholesky, solve_triangular
from scipy.optimize import isotonic_regression, nnls

from ..hierarchy import Hierarchy
from .ordering import Labels, Matrices, drawn_edges, groups_of, order_groups, order_units, spans_of
from .rows import Bundle, in_rows

PAD = 0.55  # from the outermost unit to the border of its region; 1 is the distance of two units
LABEL = 0.5  # more room on the left of a region with edges below and above, so that they pass beside the label
GAP = 0.3  # between regions
LONGEST_ROW = 72  # units; a larger layer has several rows, so that its circles can still be seen
PULL = 1e-3  # towards the middle, so that groups without edges stay near
ROUNDS = 2


@dataclass(frozen=True)
class Region:
    """The rectangle of a module: an interval of x, on all levels from ``lowest`` to ``highest``."""

    left: float
    right: float
    lowest: int
    highest: int


@dataclass(frozen=True)
class Layout:
    """Positions of units and regions. One step of x is the smallest distance of two units in one row.

    Attributes
    ----------
    positions : dict of (layer, index) to (x, row)
        Of all units of modules, and of all outputs. Rows count upward from 0 within a level.
    rows : tuple of int
        Number of rows of each level: one, unless it is very wide.
    regions : dict of int to Region
        The rectangle of each module. If two modules share a level, their intervals do not touch.
    level : tuple of int
        For each layer, how far up it stands: in a chain its position, else its depth.
    lanes : dict of bundle to tuple of (level, x, row)
        Where the edges of a bundle that skips levels pass: see :func:`~analysis.layout.rows.in_rows`.
    """

    positions: dict[tuple[int, int], tuple[float, int]]
    rows: tuple[int, ...]
    regions: dict[int, Region]
    level: tuple[int, ...] = ()
    lanes: dict[Bundle, tuple[tuple[int, float, int], ...]] = field(default_factory=dict)


def layered_layout(hierarchy: Hierarchy) -> Layout:
    """The :class:`Layout` of a hierarchy: inputs at the bottom, outputs at the top.

    The order of modules has few crossings: it is the better of igraph's Sugiyama layout and the order of the labels, both improved by
    sifting. Units inside modules are ordered by barycentre sweeps. The positions of modules then minimise the sum of squared edge lengths
    under the constraint of their order and distance. The same hierarchy gives the same layout.

    Examples
    --------
    >>> import numpy as np
    >>> from analysis import Hierarchy, LayeredGraph
    >>> graph = LayeredGraph.from_weights([[[1.0, 1.0]], [[1.0]]])
    >>> labels = (np.array([0, 0]), np.array([0]), np.array([1]))
    >>> layout = layered_layout(Hierarchy(graph, labels, labels))
    >>> round(layout.positions[0, 1][0] - layout.positions[0, 0][0], 3)
    1.0
    """
    rows = in_rows(hierarchy)
    found = _chain_layout(rows.hierarchy)
    if rows.hierarchy is hierarchy:
        return replace(found, level=rows.level)
    units = [(layer, i) for layer, width in enumerate(hierarchy.graph.widths) for i in range(width)]
    places = {(layer, i): (rows.level[layer], rows.start[layer] + i) for layer, i in units}
    return Layout(
        {unit: found.positions[place] for unit, place in places.items() if place in found.positions},
        found.rows,
        {rows.numbers[number]: region for number, region in found.regions.items() if rows.numbers[number] >= 0},
        rows.level,
        {bundle: tuple((place[0], *found.positions[place]) for place in lane) for bundle, lane in rows.lanes.items()},
    )


def _chain_layout(hierarchy: Hierarchy) -> Layout:
    """The layout of a chain of layers."""
    groups, edges = groups_of(hierarchy), drawn_edges(hierarchy)
    group_order = order_groups(groups, edges)
    layers = order_units(groups, edges, group_order)
    rows = tuple(-(-len(layer) // LONGEST_ROW) or 1 for layer in layers)
    spans, rooms = spans_of(groups), _rooms(groups, rows)
    lefts, rights = rooms + PAD + LABEL * ((spans[:, 0] > 0) & (spans[:, 1] < len(edges))), rooms + PAD
    offsets = [_centred(layer, groups[i], rows[i]) for i, layer in enumerate(layers)]
    for _ in range(ROUNDS):
        centres = _place_groups(groups, edges, offsets, group_order, lefts, rights, spans)
        offsets = _align_units(layers, groups, edges, offsets, centres, rooms, rows)
    centres = np.round(centres - (centres - lefts).min(), 6)
    positions = {
        (i, unit): (float(np.round(centres[groups[i][unit]] + offsets[i][unit], 6)), k % rows[i])
        for i, layer in enumerate(layers)
        for run in _runs(layer, groups[i])
        for k, unit in enumerate(run)
    }
    regions = {
        m.index: Region(float(centres[m.index] - lefts[m.index]), float(centres[m.index] + rights[m.index]), m.units[0][0], m.units[-1][0])
        for m in hierarchy.modules
    }
    return Layout(positions, rows, regions)


def _rooms(groups: Labels, rows: Sequence[int]) -> NDArray[np.float64]:
    """The largest distance of units from the centre of each group; shape (G,)."""
    count = 1 + max(int(array.max()) for array in groups)
    lengths = [(np.bincount(array[array >= 0], minlength=count) - 1) / rows[i] for i, array in enumerate(groups)]
    return np.max([np.zeros(count), *lengths], axis=0) / 2


def _centred(layer: Sequence[int], groups: NDArray[np.int64], rows: int) -> NDArray[np.float64]:
    """Offset of each unit from the middle of its group, with units of a row one step apart; shape (width,)."""
    offsets = np.zeros(len(groups))
    for run in _runs(layer, groups):
        offsets[run] = (np.arange(len(run)) - (len(run) - 1) / 2) / rows
    return offsets


def _runs(layer: Sequence[int], groups: NDArray[np.int64]) -> list[list[int]]:
    """The units of a layer, one list for each group."""
    runs: dict[int, list[int]] = {}
    for unit in layer:
        runs.setdefault(int(groups[unit]), []).append(unit)
    return list(runs.values())


def _place_groups(
    groups: Labels, edges: Matrices, offsets: list[NDArray], order: Sequence[int], lefts: NDArray, rights: NDArray, spans: NDArray
) -> NDArray[np.float64]:
    """The centre of each group: least squared edge lengths, with each group to the right of its predecessors in a shared layer."""
    count = len(lefts)
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
    distances = np.array([rights[a] + GAP + lefts[b] for a, b in pairs])
    centres = _least_squares(stiffness, force, pairs, distances)
    for group in order:  # meet the distances exactly; the solver does so approximately
        for (left, right), distance in zip(pairs, distances, strict=True):
            if right == group:
                centres[right] = max(centres[right], centres[left] + distance)
    return centres


def _neighbours(order: Sequence[int], spans: NDArray) -> list[tuple[int, int]]:
    pairs: dict[tuple[int, int], None] = {}
    for layer in range(int(spans.max()) + 1):
        present = [g for g in order if spans[g, 0] <= layer <= spans[g, 1]]
        pairs.update(dict.fromkeys(pairwise(present)))
    return list(pairs)


def _least_squares(stiffness: NDArray, force: NDArray, pairs: list[tuple[int, int]], distances: NDArray) -> NDArray[np.float64]:
    """The x that minimises x'Sx/2 - f'x with x[b] - x[a] >= distance: least distance programming (Lawson and Hanson, 1974, chapter 23)."""
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
    layers: list[list[int]], groups: Labels, edges: Matrices, offsets: list[NDArray], centres: NDArray, rooms: NDArray, rows: Sequence[int]
) -> list[NDArray[np.float64]]:
    """Offsets that move each unit close to its neighbours, in order, one step apart, inside its region."""
    offsets = [array.copy() for array in offsets]
    for i in (*range(len(layers)), *range(len(layers) - 2, -1, -1)):
        for run in _runs(layers[i], groups[i]):
            group = groups[i][run[0]]
            targets = np.array([_mean_neighbour(i, unit, groups, edges, offsets, centres) for unit in run]) - centres[group]
            steps = np.arange(len(run)) / rows[i]
            # Isotonic regression of the targets minus the steps is the exact least-squares solution; clipping keeps it optimal.
            placed = isotonic_regression(targets - steps).x
            offsets[i][run] = np.clip(placed, -rooms[group], rooms[group] - steps[-1]) + steps
    return offsets


def _mean_neighbour(layer: int, unit: int, groups: Labels, edges: Matrices, offsets: list[NDArray], centres: NDArray) -> float:
    """Mean x of a unit's neighbours in its own module, or else of all neighbours; its own x where it has none.

    Inside a module units are thus above the units that they read, wherever the readers of the module are.
    """
    below = [(layer - 1, edges[layer - 1][:, unit])] if layer else []
    above = [(layer + 1, edges[layer][unit])] if layer < len(edges) else []
    group = groups[layer][unit]
    inside = [offsets[i][mask & (groups[i] == group)] + centres[group] for i, mask in below + above]
    around = [offsets[i][mask] + centres[groups[i][mask]] for i, mask in below + above]
    found = np.concatenate(inside if any(map(len, inside)) else around)
    return float(found.mean()) if len(found) else float(centres[group] + offsets[layer][unit])
