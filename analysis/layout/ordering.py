"""The order from left to right of the modules, and of the units inside each module."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from ..hierarchy import Hierarchy

# G groups: the modules, then every output without a module. A group spans all layers from its lowest to its highest unit.
Labels = Sequence[NDArray[np.int64]]
Matrices = Sequence[NDArray]
Cost = tuple[float, ...]

EVALUATIONS = 6000  # orders of the groups that are tried, at most
CELLS = 100_000_000  # matrix entries read, at most: large networks get fewer evaluations and so a bounded time
SWEEPS = 8


def groups_of(hierarchy: Hierarchy) -> tuple[NDArray[np.int64], ...]:
    """The group of every unit, one array for each layer; -1 for units that are not drawn."""
    labels = [array.copy() for array in hierarchy.labels]
    lone = np.flatnonzero(labels[-1] < 0)
    labels[-1][lone] = len(hierarchy.modules) + np.arange(len(lone))
    return tuple(labels)


def drawn_edges(hierarchy: Hierarchy) -> tuple[NDArray[np.bool_], ...]:
    """For each weight layer of a chain, which edges join two units that have modules; shapes as the weights."""
    kept = [labels >= 0 for labels in hierarchy.labels]
    return tuple((b.weights != 0) & kept[b.source][:, None] & kept[b.target] for b in hierarchy.graph.blocks)


def spans_of(groups: Labels) -> NDArray[np.int64]:
    """The lowest and highest layer of each group, shape (G, 2)."""
    count = 1 + max(int(array.max()) for array in groups)
    present = np.array([[(array == group).any() for array in groups] for group in range(count)])
    return np.stack([present.argmax(axis=1), present.shape[1] - 1 - present[:, ::-1].argmax(axis=1)], axis=1)


def crossings(adjacency: NDArray) -> int:
    """The number of pairs of edges that cross between two layers, with units in the order of rows and of columns.

    Entries are numbers of parallel edges. Of a stack of matrices, shape (..., rows, columns), the sum.

    Examples
    --------
    >>> crossings(np.array([[0, 1], [1, 0]])), crossings(np.eye(2))
    (1, 0)
    """
    further_right = np.cumsum(adjacency[..., ::-1, :], axis=-2)[..., ::-1, :] - adjacency
    and_ending_left = np.cumsum(further_right, axis=-1) - further_right
    return int((adjacency * and_ending_left).sum())


def order_groups(groups: Labels, edges: Matrices) -> list[int]:
    """The groups from left to right: fewest crossings, then shortest edges, then closest to the order of labels, inputs first."""
    spans = spans_of(groups)
    flows = _flows(groups, edges, spans)
    stacked, levels, natural = np.stack(flows), range(len(flows)), list(range(len(spans)))
    distance = np.abs(np.subtract.outer(natural, natural))
    holds_inputs = spans[:, 0] == 0
    of_inputs = np.outer(holds_inputs, holds_inputs)  # readers expect x0 before x1, and the left of an image on the left

    def cost(order: list[int]) -> Cost:
        flow = stacked[np.ix_(levels, order, order)]
        inverted = np.triu(np.greater.outer(order, order))
        return crossings(flow), float((flow * distance).sum()), int(inverted[of_inputs[np.ix_(order, order)]].sum()), int(inverted.sum())

    budget = min(EVALUATIONS, CELLS // (len(flows) * len(natural) ** 2))
    found = [_sift(start, cost, budget // 2) for start in (natural, _sugiyama(flows, spans))]
    return min((order for one in found for order in (one, one[::-1])), key=cost)


def order_units(groups: Labels, edges: Matrices, group_order: Sequence[int]) -> list[list[int]]:
    """The drawn units of each layer from left to right, groups side by side in ``group_order``."""
    rank = np.argsort(group_order)
    layers = [_sorted(np.flatnonzero(array >= 0).tolist(), rank[array], np.arange(len(array))) for array in groups]
    best, fewest = [*layers], _total(layers, edges)
    for sweep in range(SWEEPS):
        upward = sweep % 2 == 0
        path = range(1, len(layers)) if upward else range(len(layers) - 2, -1, -1)
        for i in path:
            matrix = edges[i - 1].T if upward else edges[i]
            targets = _barycentres(layers[i], layers[i - 1 if upward else i + 1], matrix)
            layers[i] = _sorted(layers[i], rank[groups[i]], targets)
        swapped = _swap_neighbours(layers, groups, edges)
        if (total := _total(swapped, edges)) < fewest:
            best, fewest = swapped, total
    return best


def _flows(groups: Labels, edges: Matrices, spans: NDArray[np.int64]) -> list[NDArray[np.int64]]:
    members = [(array[:, None] == np.arange(len(spans))).astype(np.int64) for array in groups]
    flows = [members[i].T @ edge.astype(np.int64) @ members[i + 1] for i, edge in enumerate(edges)]
    for i, flow in enumerate(flows):
        # A region that spans this gap is in the way of edges even where it has no edge of its own.
        inside = (spans[:, 0] <= i) & (i < spans[:, 1])
        flow[inside, inside] = np.maximum(flow[inside, inside], 1)
    return flows


def _sugiyama(flows: Matrices, spans: NDArray[np.int64]) -> list[int]:
    """Groups by the mean position of their layers in igraph's layout, which may separate the layers of one group."""
    import igraph  # imports matplotlib.pyplot, which is slow

    vertices = [(group, layer) for group, (low, high) in enumerate(spans) for layer in range(low, high + 1)]
    number = {vertex: i for i, vertex in enumerate(vertices)}
    pairs = [(number[int(a), i], number[int(b), i + 1]) for i, flow in enumerate(flows) for a, b in np.argwhere(flow)]
    graph = igraph.Graph(len(vertices), pairs, directed=True)
    layout = graph.layout_sugiyama(layers=[layer for _, layer in vertices])
    place = np.zeros(len(spans))
    for (group, _), (x, _) in zip(vertices, layout.coords[: len(vertices)], strict=True):
        place[group] += x
    return np.argsort(place / (spans[:, 1] - spans[:, 0] + 1), kind="stable").tolist()


def _sift(start: list[int], cost: Callable[[list[int]], Cost], budget: int) -> list[int]:
    """Move one group at a time to its best position, until no move helps or the budget is used up."""
    best, lowest = start, cost(start)
    while True:
        before = lowest
        for group in sorted(start):
            rest = [g for g in best if g != group]
            for place in range(len(start)):
                if budget <= 0:
                    return best
                budget -= 1
                order = [*rest[:place], group, *rest[place:]]
                if (value := cost(order)) < lowest:
                    best, lowest = order, value
        if lowest == before:
            return best


def _sorted(layer: list[int], ranks: NDArray, targets: NDArray) -> list[int]:
    """Units sorted by the rank of their group, then by their target position; the sort is stable."""
    return sorted(layer, key=lambda unit: (ranks[unit], targets[unit]))


def _total(layers: list[list[int]], edges: Matrices) -> int:
    return sum(crossings(edge[np.ix_(layers[i], layers[i + 1])].astype(np.int64)) for i, edge in enumerate(edges))


def _barycentres(layer: list[int], other: list[int], edge: NDArray) -> NDArray[np.float64]:
    """Mean position, from 0 to 1, of each unit's neighbours in the other layer; its own position where it has none."""
    places = (np.arange(len(other)) + 0.5) / len(other)
    targets = np.zeros(len(edge))
    for i, unit in enumerate(layer):
        row = edge[unit][other]
        targets[unit] = places[row].mean() if row.any() else (i + 0.5) / len(layer)
    return targets


def _swap_neighbours(layers: list[list[int]], groups: Labels, edges: Matrices) -> list[list[int]]:
    """Swap adjacent units of one group while that reduces crossings."""
    layers = [list(layer) for layer in layers]
    for _ in range(SWEEPS):
        saved = False
        for i, layer in enumerate(layers):
            around = [edges[i - 1].T[:, layers[i - 1]]] if i else []
            around += [edges[i][:, layers[i + 1]]] if i < len(edges) else []
            for k in range(len(layer) - 1):
                a, b = layer[k : k + 2]
                if groups[i][a] == groups[i][b] and _pair(around, b, a) < _pair(around, a, b):
                    layer[k : k + 2] = b, a
                    saved = True
        if not saved:
            break
    return layers


def _pair(around: list[NDArray], left: int, right: int) -> int:
    """Crossings between the edges of two adjacent units, in the gaps below and above them."""
    return sum(crossings(edge[[left, right]].astype(np.int64)) for edge in around)
