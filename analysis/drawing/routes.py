"""The lines of edges: straight from one level to the next, curved through the lane of their bundle where they skip levels."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from ..hierarchy import Hierarchy
from ..layout.rows import Edge, bundle_of
from .page_layout import PageLayout

__all__ = ["route"]

Point = tuple[float, float]
PARTS = 12  # straight pieces of a curve between two points


def route(hierarchy: Hierarchy, page: PageLayout, edge: Edge) -> list[Point]:
    """The points of the line of an edge."""
    ends = [page.place(edge.source), page.place(edge.target)]
    bundle = bundle_of(hierarchy, page.layout.level, edge)
    if bundle is None:
        return ends
    return curve([ends[0], *page.lane(bundle), ends[1]])


def curve(points: list[Point]) -> list[Point]:
    """A smooth line that passes through the points, upright at each of them.

    Examples
    --------
    >>> [round(x, 2) for x, _ in curve([(0.0, 0.0), (1.0, 2.0)])][:: PARTS // 2]
    [0.0, 0.5, 1.0]
    """
    share = np.linspace(0.0, 1.0, PARTS + 1)[1:]
    line = [points[0]]
    for (x, y), (right, top) in pairwise(points):
        across = x + (right - x) * share**2 * (3 - 2 * share)  # a cubic with upright ends
        line += zip(across.tolist(), (y + (top - y) * share).tolist(), strict=True)
    return line
