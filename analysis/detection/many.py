"""Clusters of the units of a large layer: units that reach the same are one from the start, and no matrix is held twice."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from .criteria import best_count, candidate_counts, modularity_by_count
from .distances import OF_OVERLAPS, TOLERANCE, overlaps, sizes_of
from .linkages import replay_merges, symmetric_merges
from .separability import Pair, overlap_verdict, pairs_of_unions

__all__ = ["cluster_many", "distinct_rows"]

# n units, m of which reach different units; f features.

CHUNK = 256  # rows of distances that are searched at once


def cluster_many(rows: sp.csr_array, *, modularity_threshold: float, linkage: str, distance: str) -> NDArray[np.int64]:
    """The clusters of :func:`~analysis.detection.clustering.cluster_units` with symmetric ties and modularity, for large layers.

    Parameters
    ----------
    rows : sparse bool array of shape (n, f)
    modularity_threshold, linkage, distance
        As for ``cluster_units``.

    Returns
    -------
    int array of shape (n,)

    Notes
    -----
    Units that reach the same have distance 0 and merge first, all at once. They are one unit with a size here, which changes no distance
    of clusters, no modularity and no overlap. With m of them the memory is that of 12 m^2 bytes, the time grows with m^2 to m^3.

    Examples
    --------
    >>> rows = np.array([[1, 0, 0, 1], [1, 0, 0, 1], [0, 1, 1, 0], [0, 1, 1, 0]], dtype=bool)
    >>> cluster_many(sp.csr_array(rows), modularity_threshold=0.2, linkage="average", distance="cosine").tolist()
    [0, 0, 1, 1]
    """
    units = rows.shape[0]
    first, group = distinct_rows(rows)
    some, sizes = rows[first], np.bincount(group).astype(float)
    if len(first) == 1:
        return np.zeros(units, dtype=np.int64)
    shared = overlaps(some)
    distances = OF_OVERLAPS[distance](shared)
    if distances.max() <= TOLERANCE:
        return np.zeros(units, dtype=np.int64)
    closest = _closest(distances, shared, sizes_of(some), sizes)
    merges = symmetric_merges(distances, linkage, sizes)
    del distances  # written over
    modularity = modularity_by_count(merges, OF_OVERLAPS[distance](shared), sizes)
    counts = candidate_counts(merges)
    if len(first) < units and merges[0, 2] > TOLERANCE:
        counts = np.concatenate([[len(first)], counts])  # equal units together, and nothing else
    best = best_count(counts, modularity[counts - 1]) if len(counts) else None
    if best in (None, 2, units - 1) or modularity[best - 1] > TOLERANCE - modularity_threshold:
        tied = int((merges[:, 2] >= merges[-1, 2] - TOLERANCE).sum())
        best = overlap_verdict(closest, pairs_of_unions(some, replay_merges(merges, 1 + tied)), some.shape[1], units) or best or units
    return np.arange(units) if best > len(first) else replay_merges(merges, best)[group]


def distinct_rows(rows: sp.csr_array) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The first of each set of equal rows, in order, and for each row the number of its set.

    Examples
    --------
    >>> [part.tolist() for part in distinct_rows(sp.csr_array(np.array([[True, False], [True, True], [True, False]])))]
    [[0, 1], [0, 1, 0]]
    """
    rows.sort_indices()
    number: dict[bytes, int] = {}
    group = np.empty(rows.shape[0], dtype=np.int64)
    first: list[int] = []
    for i, (start, end) in enumerate(zip(rows.indptr[:-1].tolist(), rows.indptr[1:].tolist(), strict=True)):
        group[i] = number.setdefault(rows.indices[start:end].tobytes(), len(number))
        if group[i] == len(first):
            first.append(i)
    return np.array(first, dtype=np.int64), group


def _closest(
    distances: NDArray[np.float64], shared: NDArray[np.floating], reached: NDArray[np.float64], sizes: NDArray[np.float64]
) -> list[Pair]:
    """The overlaps and sizes of all pairs of closest units, different ones once: of equal units where there are any."""
    if (sizes > 1).any():
        near = np.unique(reached[sizes > 1])
        return [(size, size, size) for size in near.tolist()]
    np.fill_diagonal(distances, np.inf)
    nearest = distances.min()
    found: set[Pair] = set()
    for start in range(0, len(distances), CHUNK):
        row, column = np.nonzero(distances[start : start + CHUNK] <= nearest + TOLERANCE)
        upper = column > row + start
        row, column = row[upper] + start, column[upper]
        triples = np.stack([shared[row, column], reached[row], reached[column]])
        found |= set(map(tuple, np.unique(triples, axis=1).T.tolist()))
    np.fill_diagonal(distances, 0.0)
    return list(found)
