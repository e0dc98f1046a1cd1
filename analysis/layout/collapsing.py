"""Groups of units: where a graph is large, the units of one module in one layer are drawn as one."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from ..graph import LayeredGraph, UnitGraph
from ..graph.blocks import CARRY, INPUT, OUTPUT, Block, Layer
from ..hierarchy import Hierarchy
from .rows import CARRIED, Unit

__all__ = ["MOST_UNITS", "Groups", "TooLarge", "as_groups", "check_marks", "collapsed", "is_large"]

MOST_UNITS, MOST_OF_CHAIN = 150, 1000  # that are drawn one by one in a UnitGraph, and in a LayeredGraph
MOST_MARKS, MOST_EDGES, MOST_MODULES = 1500, 10_000, 300  # of a picture
MOST_PAIRS = 300_000  # of units of neighbouring layers, among which the layout looks for crossings
NAMED = 2  # units of a group of inputs or outputs


class TooLarge(ValueError):  # noqa: N818
    """There is more to draw than fits a picture."""


@dataclass(frozen=True, eq=False)
class Groups:
    """What is drawn of a hierarchy: its units, or groups of them.

    Attributes
    ----------
    whole : Hierarchy
        The hierarchy itself.
    hierarchy : Hierarchy
        The same, or one whose units are groups of units, and whose edges are weighted by the number of edges between two groups.
    members : dict of (layer, index) to tuple of int
        The units of each group, by their indices in the layer; empty where units are drawn one by one.
    """

    whole: Hierarchy
    hierarchy: Hierarchy
    members: dict[Unit, tuple[int, ...]] = field(default_factory=dict)

    @property
    def note(self) -> str:
        """What is drawn together; empty where nothing is."""
        units = sum(map(len, self.members.values()))
        groups = f"{len(self.members):,} group{'' if len(self.members) == 1 else 's'} of one module in one layer"
        return f"{units:,} unit{'' if units == 1 else 's'} drawn as {groups}" if self.members else ""

    def units(self, unit: Unit) -> tuple[int, ...]:
        """The indices in its layer of the units that a unit of the picture stands for."""
        return self.members.get(unit, (unit[1],))


def as_groups(hierarchy: Hierarchy, collapse: bool | None = None) -> Groups:
    """The groups that are drawn: those of :func:`collapsed`, or with ``collapse=False`` each unit by itself.

    With ``collapse=None`` units are grouped where :func:`is_large` says so.
    """
    return collapsed(hierarchy) if collapse or (collapse is None and is_large(hierarchy)) else Groups(hierarchy, hierarchy)


def is_large(hierarchy: Hierarchy) -> bool:
    """Whether units are drawn in groups where nothing else is asked for.

    A :class:`UnitGraph` with more than 150 units of modules, a chain with more than 1,000 of them, 10,000 edges, or 300,000 pairs of units
    in neighbouring layers.
    """
    units, pairs = _sizes(hierarchy)
    if not isinstance(hierarchy.graph, LayeredGraph):
        return units > MOST_UNITS
    return units > MOST_OF_CHAIN or pairs > MOST_PAIRS or hierarchy.graph.edge_count > MOST_EDGES


def _sizes(hierarchy: Hierarchy) -> tuple[int, int]:
    """The units of modules, and the pairs of them in neighbouring layers."""
    living = [int((labels >= 0).sum()) for labels in hierarchy.labels]
    return sum(living), sum(a * b for a, b in pairwise(living))


def check_marks(hierarchy: Hierarchy) -> None:
    """Refuse a picture of more than can be told apart, whose layout would take minutes.

    Raises
    ------
    TooLarge
        When there are more than 1,500 units or groups of units, 300,000 pairs of them in neighbouring layers, 10,000 edges or 300 modules.
    """
    counts = *_sizes(hierarchy), hierarchy.graph.edge_count, len(hierarchy.modules)
    most = MOST_MARKS, MOST_PAIRS, MOST_EDGES, MOST_MODULES
    if any(count > limit for count, limit in zip(counts, most, strict=True)):
        raise TooLarge(
            "a picture must have at most {:,} units or groups of units, {:,} pairs of them in neighbouring layers, ".format(*most[:2])
            + "{:,} edges and {:,} modules; ".format(*most[2:])
            + "got {:,}, {:,}, {:,} and {:,}. ".format(*counts)
            + "collapse=True draws the units of one module in one layer as one; report_text has modules of any number"
        )


def collapsed(hierarchy: Hierarchy) -> Groups:
    """The hierarchy with one unit for all units of one module in one layer; modules keep their numbers.

    Outputs without a module are a group too. The weight of an edge is the number of edges between two groups. A layer without units of
    modules keeps one unit that has none.

    Examples
    --------
    >>> from analysis import detect_modules
    >>> found = collapsed(detect_modules([[[1.0, 1.0, 0.0], [1.0, 1.0, 0.0]], [[1.0, 1.0]]]))
    >>> found.hierarchy.graph.widths, found.members[0, 0], found.hierarchy.graph.blocks[0].weights.toarray().tolist()
    ((1, 1, 1), (0, 1), [[4.0]])
    """
    graph, layers, parts = hierarchy.graph, [], []
    for i, (layer, labels) in enumerate(zip(graph.layers, hierarchy.labels, strict=True)):
        numbers = np.unique(labels[labels >= (-1 if layer.kind == OUTPUT else 0)])
        groups = [np.flatnonzero(labels == number).tolist() for number in numbers.tolist()]
        names = [_joined([graph.unit_name(i, k) for k in group]) for group in groups] or [graph.unit_name(i, 0)]
        layers.append(Layer(layer.name, layer.kind, max(1, len(groups)), tuple(names) if layer.kind in (INPUT, OUTPUT) else ()))
        parts.append((numbers, groups))
    among = [_membership(groups, width) for (_, groups), width in zip(parts, graph.widths, strict=True)]
    blocks = []
    for block in graph.blocks:
        edges = sp.csr_array(np.abs(sp.csr_array(block.weights)) > 0, dtype=float)
        counts = sp.csr_array(among[block.source].T @ edges @ among[block.target])
        blocks.append(Block(block.source, block.target, counts, CARRIED if block.kind == CARRY else block.kind))
    modules = tuple(numbers if len(numbers) else np.array([-1]) for numbers, _ in parts)
    members = {(i, k): tuple(group) for i, (_, groups) in enumerate(parts) for k, group in enumerate(groups)}
    return Groups(hierarchy, Hierarchy(UnitGraph(tuple(layers), tuple(blocks)), modules, modules), members)


def _membership(groups: list[list[int]], width: int) -> sp.csr_array:
    """Which unit is in which group, shape (width, groups)."""
    rows: NDArray[np.int64] = np.array([unit for group in groups for unit in group], dtype=np.int64)
    columns = np.repeat(np.arange(len(groups)), [len(group) for group in groups])
    return sp.csr_array((np.ones(len(rows)), (rows, columns)), shape=(width, max(1, len(groups))))


def _joined(names: list[str]) -> str:
    return ", ".join(names) if len(names) <= NAMED else f"{', '.join(names[:NAMED])}, …"
