"""Rows: the layers of any graph of units one above another, with a lane for the edges that skip a row."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from ..graph import LayeredGraph
from ..graph.blocks import CARRY, UNWEIGHTED, entries_of
from ..hierarchy import Hierarchy

__all__ = ["CARRIED", "Bundle", "Edge", "Rows", "Unit", "bundle_of", "drawn", "in_rows"]

CARRIED = "carried"  # a kind of block: edges of kind "carry" between groups of units, of which several may meet
MOST_LANES = 80  # in a picture; with more bundles of edges none has a lane of its own

Unit = tuple[int, int]
Bundle = tuple[int, int, int, int, bool]  # the modules and rows of both ends, and whether the edges carry units on


class Edge(NamedTuple):
    """An edge between two units that have modules."""

    source: Unit
    target: Unit
    weight: float
    kind: str

    @property
    def carry(self) -> bool:
        """Whether it carries a unit on, or some units of a group."""
        return self.kind in (CARRY, CARRIED)

    @property
    def weighted(self) -> bool:
        """Whether its weight is that of parameters, so that it has a sign."""
        return not self.carry and self.kind not in UNWEIGHTED


@dataclass(frozen=True, eq=False)
class Rows:
    """A hierarchy whose layers are rows, so that it can be laid out as a chain.

    Attributes
    ----------
    hierarchy : Hierarchy
        Of a chain. Units of a row are those of its layers, layer after layer, and then places that bundles of edges pass through.
    numbers : tuple of int
        For each module of it the module of the original hierarchy, -1 for a lane.
    level : tuple of int
        The row of each original layer.
    start : tuple of int
        For each original layer the position of its first unit in the row.
    lanes : dict of bundle to tuple of (row, position)
        The places that the edges of a bundle pass through, from the lowest row upward.
    """

    hierarchy: Hierarchy
    numbers: tuple[int, ...]
    level: tuple[int, ...]
    start: tuple[int, ...]
    lanes: dict[Bundle, tuple[Unit, ...]] = field(default_factory=dict)


def drawn(hierarchy: Hierarchy) -> Iterator[Edge]:
    """The edges between units that have modules."""
    for block in hierarchy.graph.blocks:
        for source, target, weight in zip(*(part.tolist() for part in entries_of(block.weights)), strict=True):
            if hierarchy.labels[block.source][source] >= 0 and hierarchy.labels[block.target][target] >= 0:
                yield Edge((block.source, source), (block.target, target), float(weight), block.kind)


def in_rows(hierarchy: Hierarchy) -> Rows:
    """The rows of a hierarchy: for a chain its layers, for any other graph the layers of equal depth.

    Edges that skip rows are bundled: those between the same two modules, from the same row to the same row, pass through one place in
    each row between. Inside a module these places are in its region; else they are a lane beside the regions, so that no region hides
    the edges.

    Examples
    --------
    >>> from analysis import UnitGraph, detect_modules
    >>> layers, one = [("x", "input", 1), ("h", "neuron", 1), ("y", "output", 1)], [[1.0]]
    >>> rows = in_rows(detect_modules(UnitGraph(layers, [(0, 1, one), (1, 2, one), (0, 2, one)])))
    >>> rows.hierarchy.graph.widths, list(rows.lanes)
    ((1, 2, 1), [(0, 0, 0, 2, False)])
    """
    graph = hierarchy.graph
    if isinstance(graph, LayeredGraph):
        layers = len(graph.widths)
        return Rows(hierarchy, tuple(m.index for m in hierarchy.modules), tuple(range(layers)), (0,) * layers)
    ranks = {depth: row for row, depth in enumerate(sorted(set(graph.depths)))}
    level = tuple(ranks[depth] for depth in graph.depths)
    sizes, start = [0] * len(ranks), []
    for row, width in zip(level, graph.widths, strict=True):
        start.append(sizes[row])
        sizes[row] += width
    edges = list(drawn(hierarchy))
    bundles = sorted({bundle for edge in edges if (bundle := bundle_of(hierarchy, level, edge)) is not None})
    lanes: dict[Bundle, tuple[Unit, ...]] = {}
    labels = [[int(m) for layer, found in enumerate(hierarchy.labels) if level[layer] == row for m in found] for row in range(len(sizes))]
    for number, bundle in enumerate(bundles if len(bundles) <= MOST_LANES else ()):
        places = []
        for row in range(bundle[2] + 1, bundle[3]):
            places.append((row, len(labels[row])))
            labels[row].append(bundle[0] if bundle[0] == bundle[1] else len(hierarchy.modules) + number)
        lanes[bundle] = tuple(places)
    rows = Rows(hierarchy, (), level, tuple(start), lanes)
    arrays = tuple(np.array(part, dtype=np.int64) for part in labels)
    folded = Hierarchy(_chain(hierarchy, rows, edges, [len(part) for part in labels]), arrays, arrays)
    modules = len(hierarchy.modules)
    known = [int(arrays[m.units[0][0]][m.units[0][1]]) for m in folded.modules]
    return Rows(folded, tuple(number if number < modules else -1 for number in known), level, tuple(start), lanes)


def bundle_of(hierarchy: Hierarchy, level: tuple[int, ...], edge: Edge) -> Bundle | None:
    """The bundle of an edge that skips a row; None for any other edge."""
    low, high = level[edge.source[0]], level[edge.target[0]]
    if high - low < 2:
        return None
    a, b = (int(hierarchy.labels[layer][index]) for layer, index in (edge.source, edge.target))
    return a, b, low, high, edge.carry


def _chain(hierarchy: Hierarchy, rows: Rows, edges: list[Edge], widths: list[int]) -> LayeredGraph:
    """The rows as a chain, in which edges that skip rows run through the places of their bundle."""
    weights = [np.zeros(shape) for shape in pairwise(widths)]
    for edge in edges:
        ends = [(rows.level[layer], rows.start[layer] + index) for layer, index in (edge.source, edge.target)]
        bundle = bundle_of(hierarchy, rows.level, edge)
        stops = ends if bundle is None else [ends[0], *rows.lanes[bundle], ends[1]] if bundle in rows.lanes else []
        for (row, a), (_, b) in pairwise(stops):
            weights[row][a, b] = 1.0
    return LayeredGraph.from_weights(weights, orientation="in_out")
