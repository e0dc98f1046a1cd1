"""Linkage of the units of a layer: the order in which clusters merge. Partitions into any number of clusters follow from it."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray
from scipy.cluster.hierarchy import linkage as scipy_linkage
from scipy.sparse.csgraph import connected_components
from scipy.spatial.distance import squareform

from .distances import TOLERANCE

__all__ = ["LINKAGES", "TIES", "published_merges", "replay_merges", "symmetric_merges"]

# n units. `merges` is a SciPy linkage of shape (n - 1, 4): the two clusters joined, their distance, the new size. Unit i is cluster i,
# merge j makes cluster n + j.

SMALL = 512  # places of clusters; of more, those that are no longer used are given up
LIVING = 0.8  # fraction of the places that are still used

Merges = NDArray[np.float64]
Distances = NDArray[np.float64]


def published_merges(distances: Distances, linkage: str) -> Merges:
    """The merges of n > 1 units by SciPy, two clusters at a time; the choice between equally close pairs depends on their order."""
    if len(distances) == 2:
        return np.array([[0, 1, distances[0, 1], 2]])
    return scipy_linkage(squareform(distances, checks=False), method=linkage)


def symmetric_merges(distances: Distances, linkage: str, sizes: NDArray[np.float64] | None = None) -> Merges:
    """Merges of n > 1 units that do not depend on the order of the units: equally close clusters merge at once.

    Parameters
    ----------
    distances : array of shape (n, n)
        Symmetric.
    linkage : str
        A key of ``LINKAGES``.
    sizes : float array of shape (n,), optional
        How many equal units each stands for; one when left out. Where it is given, ``distances`` are written over, which saves a copy.

    Returns
    -------
    array of shape (n - 1, 4)
        A joint merge of g clusters is written as g - 1 merges of equal distance.

    Notes
    -----
    All clusters that are connected by pairs at the smallest distance, chains included, merge into one at that distance. This is the
    multidendrogram of Fernandez & Gomez, Journal of Classification 25, 2008.

    Examples
    --------
    Of three units in a row the outer two are equally far from the middle one:

    >>> row = np.array([[0.0, 1, 2, 9], [1, 0, 1, 9], [2, 1, 0, 9], [9, 9, 9, 0]])
    >>> symmetric_merges(row, "average").tolist()
    [[0.0, 1.0, 1.0, 2.0], [4.0, 2.0, 1.0, 3.0], [5.0, 3.0, 9.0, 4.0]]
    >>> published_merges(row, "average").tolist()
    [[0.0, 1.0, 1.0, 2.0], [2.0, 4.0, 1.5, 3.0], [3.0, 5.0, 9.0, 4.0]]
    """
    # A cluster is stored at the place of one of its units; distances of the other places are infinite.
    apart = distances.copy() if sizes is None else distances
    np.fill_diagonal(apart, np.inf)
    nearest = apart.min(axis=1)
    units = len(apart)
    names, sizes = np.arange(units), np.ones(units) if sizes is None else sizes.astype(float)
    merges: list[tuple[float, ...]] = []
    while len(merges) < units - 1:
        if len(apart) > SMALL and (nearest < np.inf).sum() < LIVING * len(apart):
            kept = np.flatnonzero(nearest < np.inf)
            apart, nearest, names, sizes = _compacted(apart, kept), nearest[kept], names[kept], sizes[kept]
        height = nearest.min()
        stale = np.zeros(len(apart), dtype=bool)
        for places in _tied(apart, nearest, height):
            _write(merges, names, sizes, places, height, units)
            parts = apart[places]
            stale |= (parts <= nearest).any(axis=0)
            _unite(apart, LINKAGES[linkage](parts, sizes[places]), places)
            sizes[places[0]] = sizes[places].sum()
        stale &= nearest < np.inf  # others are part of a union
        nearest[stale] = apart[stale].min(axis=1)
    return np.array(merges)


def replay_merges(merges: Merges, count: int) -> NDArray[np.int64]:
    """Labels 0..count-1 of the partition into ``count`` clusters, from the first n - count merges; numbered by first appearance.

    Examples
    --------
    >>> replay_merges(np.array([[0, 2, 0.1, 2], [1, 3, 0.9, 3]]), 2).tolist()
    [0, 1, 0]
    """
    units = len(merges) + 1
    cluster = list(range(2 * units - count))
    for step, (first, second) in reversed(list(enumerate(merges[: units - count, :2].astype(int).tolist()))):
        cluster[first] = cluster[second] = cluster[units + step]
    names: dict[int, int] = {}
    return np.array([names.setdefault(c, len(names)) for c in cluster[:units]], dtype=np.int64)


# The distances of a union of clusters to all others, from the distances of its parts, shape (parts, n), and their sizes.
LINKAGES: dict[str, Callable[[Distances, NDArray[np.float64]], Distances]] = {
    "average": lambda parts, sizes: sizes @ parts / sizes.sum(),
    "complete": lambda parts, sizes: parts.max(axis=0),
    "single": lambda parts, sizes: parts.min(axis=0),
}

TIES: dict[str, Callable[[Distances, str], Merges]] = {"published": published_merges, "symmetric": symmetric_merges}


def _tied(apart: Distances, nearest: NDArray[np.float64], height: float) -> Iterator[NDArray[np.intp]]:
    """The places of each group of clusters that are connected by pairs at the smallest distance."""
    places = np.flatnonzero(nearest <= height + TOLERANCE)
    if len(places) == 2:  # the closest pair, which is nearly always alone
        return iter((places,))
    count, group = connected_components(apart[np.ix_(places, places)] <= height + TOLERANCE, directed=False)
    return (places[group == i] for i in range(count))


def _write(
    merges: list[tuple[float, ...]],
    names: NDArray[np.int64],
    sizes: NDArray[np.float64],
    places: NDArray[np.intp],
    height: float,
    units: int,
) -> None:
    first, *others = places.tolist()
    size = sizes[first]
    for other in others:
        size += sizes[other]
        merges.append((names[first], names[other], height, size))
        names[first] = units + len(merges) - 1


def _compacted(apart: Distances, kept: NDArray[np.intp]) -> Distances:
    """The distances of some clusters, in the memory of all."""
    for place, row in enumerate(kept.tolist()):
        apart[place, : len(kept)] = apart[row, kept]
    return apart[: len(kept), : len(kept)]


def _unite(apart: Distances, union: Distances, places: NDArray[np.intp]) -> None:
    """Store a union at its first place, and set the distances of its other places to infinity."""
    union[places] = np.inf
    apart[places[0]] = apart[:, places[0]] = union
    apart[places[1:]] = apart[:, places[1:]] = np.inf
