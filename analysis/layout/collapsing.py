"""What is drawn together: where a graph is large, the units of one module in one layer; and always outputs that read nothing."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from ..graph import AnyGraph, LayeredGraph, UnitGraph
from ..graph.blocks import OUTPUT, Block, Layer, entries_of
from ..hierarchy import Hierarchy
from .groups import Groups
from .links import linked, strongest
from .loose import loosened, numbers_of, with_loose_together
from .names import group_names

__all__ = ["MOST_APART", "MOST_EDGES", "MOST_UNITS", "TooLarge", "as_groups", "check_marks", "collapsed", "is_large"]

MOST_UNITS, MOST_EDGES = 150, 600  # that are drawn one by one where nothing else is asked for
MOST_APART = 60  # modules of such a picture, whose numbers can still be read
MOST_MODULES, MOST_GROUPS = 24, 300  # of a picture of groups; as many modules as there are colours
LIMITS = 1500, 300_000, 10_000, 300  # of any picture: marks, pairs of them in neighbouring layers, lines, modules

Labels = tuple[NDArray[np.int64], ...]
Parts = list[list[tuple[int, list[int]]]]  # for each layer its groups: label and units


class TooLarge(ValueError):  # noqa: N818
    """There is more to draw than fits a picture."""


def as_groups(hierarchy: Hierarchy, collapse: bool | None = None, pixels: bool = False) -> Groups:
    """The groups that are drawn: those of :func:`collapsed`, or with ``collapse=False`` each unit by itself.

    With ``collapse=None`` units are grouped where :func:`is_large` says so; elsewhere only outputs that read nothing are. With ``pixels``
    the inputs are pixels, which maps show.
    """
    if collapse is False:
        return Groups(hierarchy, hierarchy)
    return collapsed(hierarchy, pixels) if collapse or is_large(hierarchy, pixels) else with_loose_together(hierarchy)


def is_large(hierarchy: Hierarchy, pixels: bool = False) -> bool:
    """Whether units are drawn in groups where nothing else is asked for: with more than 150 units, 600 edges or 60 modules.

    Units are those of modules, without outputs that read nothing; edges those between them, without edges that carry units on; modules
    those that have such units. With
    ``pixels``, inputs do not count, and of the edges from the inputs of one module to a unit all count as the one line that is drawn.

    Examples
    --------
    >>> from analysis import detect_modules
    >>> is_large(detect_modules([np.ones((24, 25))])), is_large(detect_modules([np.ones((24, 26))]))
    (False, True)
    """
    graph, labels = hierarchy.graph, loosened(hierarchy)
    alive = [found >= 0 for found in labels]
    if sum(int(found.sum()) for found in alive[pixels:]) > MOST_UNITS:
        return True
    if len(np.unique(np.concatenate([found[there] for found, there in zip(labels[pixels:], alive[pixels:], strict=True)]))) > MOST_APART:
        return True
    edges = 0
    for block in graph.blocks:
        if block.carry:
            continue
        weights = block.weights[alive[block.source]][:, alive[block.target]]
        if pixels and block.source == 0:
            read = [weights[labels[0][alive[0]] == module] for module in np.unique(labels[0][alive[0]])]
            edges += sum(int(((some != 0).sum(axis=0) > 0).sum()) for some in read)
        else:
            edges += len(weights.nonzero()[0])
    return edges > MOST_EDGES


def check_marks(hierarchy: Hierarchy) -> None:
    """Refuse a picture of more than can be told apart, whose layout would take minutes.

    Raises
    ------
    TooLarge
        When there are more than 1,500 units or groups of units, 300,000 pairs of them in neighbouring layers, 10,000 edges or 300 modules.
    """
    living = [int((labels >= 0).sum()) for labels in hierarchy.labels]
    counts = sum(living), sum(a * b for a, b in pairwise(living)), hierarchy.graph.edge_count, len(hierarchy.modules)
    if any(count > limit for count, limit in zip(counts, LIMITS, strict=True)):
        raise TooLarge(
            "a picture must have at most {:,} units or groups of units, {:,} pairs of them in neighbouring layers, ".format(*LIMITS[:2])
            + "{:,} edges and {:,} modules; ".format(*LIMITS[2:])
            + "got {:,}, {:,}, {:,} and {:,}. ".format(*counts)
            + "collapse=True draws the units of one module in one layer as one; report_text has modules of any number"
        )


def collapsed(hierarchy: Hierarchy, pixels: bool = False) -> Groups:
    """The hierarchy with one unit for all units of one module in one layer, and the strongest links between them.

    Of more than 24 modules those with the most units are shown, of equal ones those with the most edges, then the first; fewer where they
    would have more than 300 groups. The units of the others are together, a group for each layer. Outputs that read nothing are a group
    too. A layer without units of modules keeps one unit that has none. With ``pixels``, inputs stay as they are.

    Examples
    --------
    >>> from analysis import detect_modules
    >>> found = collapsed(detect_modules([[[1.0, 1.0, 0.0], [1.0, 1.0, 0.0]], [[1.0, 1.0]]]))
    >>> found.hierarchy.graph.widths, found.members[0, 0], found.hierarchy.graph.blocks[0].weights.toarray().tolist()
    ((1, 1, 1), (0, 1), [[4.0]])
    """
    graph, labels = hierarchy.graph, loosened(hierarchy)
    shown = _largest_modules(hierarchy, labels)
    others = len(np.unique(np.concatenate([found[found >= 0] for found in labels]))) - len(shown)
    rest = len(hierarchy.modules)  # the label of the rest
    labels = tuple(np.where((found < 0) | np.isin(found, shown), found, rest) for found in labels)
    kinds = [layer.kind for layer in graph.layers]
    parts = [_parts(found, kinds[i] == OUTPUT, pixels and i == 0) for i, found in enumerate(labels)]
    among = [_membership(groups, width) for groups, width in zip(parts, graph.widths, strict=True)]
    blocks, counts = strongest([linked(block, among[block.source], among[block.target]) for block in graph.blocks], first=int(pixels))
    mine = tuple(np.array([label for label, _ in groups] or [-1], dtype=np.int64) for groups in parts)
    drawn = Hierarchy(_graph_of(graph, parts, blocks, pixels), mine, mine)
    members = {(i, k): tuple(units) for i, groups in enumerate(parts) if i or not pixels for k, (_, units) in enumerate(groups)}
    numbers = tuple(None if number == rest else number for number in numbers_of(drawn, mine))
    return Groups(hierarchy, drawn, members, numbers, counts, others)


def _largest_modules(hierarchy: Hierarchy, labels: Labels) -> NDArray[np.int64]:
    """The modules that are shown, in their order."""
    count = len(hierarchy.modules)
    units, layers = np.zeros(count, dtype=np.int64), np.zeros(count, dtype=np.int64)
    for found in labels:
        present = np.bincount(found[found >= 0], minlength=count)
        units += present
        layers += present > 0
    order = np.lexsort((-_edges_of(hierarchy, labels), -units))
    order = order[units[order] > 0][:MOST_MODULES]
    if (units > 0).sum() > len(order) or layers.sum() > MOST_GROUPS:
        room = MOST_GROUPS - len(labels)  # the rest has a group in each layer
        order = order[: max(1, int((np.cumsum(layers[order]) <= room).sum()))]
    return np.sort(order)


def _edges_of(hierarchy: Hierarchy, labels: Labels) -> NDArray[np.int64]:
    """The number of edges at the units of each module; one inside a module counts twice."""
    count = len(hierarchy.modules)
    found = np.zeros(count + 1, dtype=np.int64)
    for block in hierarchy.graph.blocks:
        for layer, units in zip((block.source, block.target), entries_of(block.weights)[:2], strict=True):
            found += np.bincount(labels[layer][units] + 1, minlength=count + 1)
    return found[1:]


def _parts(labels: NDArray[np.int64], loose: bool, single: bool) -> list[tuple[int, list[int]]]:
    """The groups of a layer, in the order of their labels, with outputs that read nothing last."""
    if single:
        return [(label, [unit]) for unit, label in enumerate(labels.tolist())]
    numbers = [*np.unique(labels[labels >= 0]).tolist(), *([-1] if loose and (labels < 0).any() else [])]
    return [(number, np.flatnonzero(labels == number).tolist()) for number in numbers]


def _membership(groups: list[tuple[int, list[int]]], width: int) -> sp.csr_array:
    """Which unit is in which group, shape (width, groups); units without a module are in none, also where they stay as they are."""
    rows: NDArray[np.int64] = np.array([unit for label, group in groups if label >= 0 for unit in group], dtype=np.int64)
    columns = np.repeat(np.arange(len(groups)), [len(group) if label >= 0 else 0 for label, group in groups])
    return sp.csr_array((np.ones(len(rows)), (rows, columns)), shape=(width, max(1, len(groups))))


def _graph_of(graph: AnyGraph, parts: Parts, blocks: list[Block], chain: bool) -> AnyGraph:
    """The graph of the groups; a group of inputs or outputs has the names of its units."""
    names = group_names(graph, {i: [group for _, group in groups] or [[0]] for i, groups in enumerate(parts)})
    if chain:
        fields = {"input_names": tuple(names[0]), "output_names": tuple(names[len(parts) - 1])}
        return LayeredGraph.from_weights([sp.csr_array(block.weights).toarray() for block in blocks], orientation="in_out", **fields)
    layers = [
        Layer(layer.name, layer.kind, max(1, len(groups)), tuple(names.get(i, ())))
        for i, (layer, groups) in enumerate(zip(graph.layers, parts, strict=True))
    ]
    return UnitGraph(tuple(layers), tuple(blocks))
