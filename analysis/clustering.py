"""Clusters of the units of one layer: units that reach the same part of the network belong together."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.cluster.hierarchy import linkage

__all__ = ["best_count", "cluster_units", "cosine_distances", "modularity_by_count", "overlap_test", "replay_merges"]

# n units, f features. `merges` is a SciPy linkage of shape (n - 1, 4): the two clusters joined, their distance, the new size.

# Distances and modularities closer than this are tied: far above the rounding of a linkage, far below any true difference.
TOLERANCE = 1e-9


class OverlapTest(NamedTuple):
    """What the overlap of two feature sets says: ``separate`` and ``single`` may both hold, or neither; ``excess`` is a z-score."""

    separate: bool
    single: bool
    excess: float


def cluster_units(features: ArrayLike, *, modularity_threshold: float = 0.2) -> NDArray[np.int64]:
    """The cluster of each unit of a layer, numbered 0, 1, ... in no particular order.

    Parameters
    ----------
    features : bool array of shape (n, f)
        One row a unit, as :func:`~analysis.features.reach_features` gives them. Never changed.
    modularity_threshold : float in [0, 1]
        A clustering whose distance modularity is above ``-modularity_threshold`` has to pass the separability tests.

    Returns
    -------
    int array of shape (n,)

    Notes
    -----
    Steps 2 to 4 of the detector of Patil, Michael & Dovrolis, NeurIPS 2023: average linkage of cosine distances, cut at the
    number k of clusters in 2..n-1 of lowest distance modularity. Where k is 2 or n-1, or the modularity is weak, two tests of
    the overlap may overrule it: the two closest units (if they look independent, all units are separate) and the
    last two clusters (if they share what they reach, all units are one cluster). Where both fire the larger z-score wins;
    on a tie, the single cluster.

    Corrected defects of the published code:

    - no surviving unit, or one, is an answer (published: an unbound number of clusters for a single input);
    - equidistant units: a k that would cut between merges of equal distance is no candidate, since it would merge an
      arbitrary pair. Where no candidate is left, all distances are equal, and if no test fires all units are separate (published:
      k = n-1). Units without any distance between them are one cluster;
    - a unit without features has distance 1 to all others and 0 to its like (published: NaN);
    - the features of the caller are read only (published: overwritten by the second test);
    - one linkage gives every k (published: a refit and all distances anew for each).

    Units at tied distances are otherwise joined in the order of the linkage, as published, which can depend on their order.

    Examples
    --------
    >>> cluster_units([[1, 0, 0, 1], [1, 0, 0, 1], [0, 1, 1, 0], [0, 1, 1, 0]]).tolist()
    [0, 0, 1, 1]
    """
    rows = np.array(features, dtype=float)
    count = len(rows)
    distances = cosine_distances(rows)
    if not distances.any():
        return np.zeros(count, dtype=np.int64)
    merges = _average_linkage(distances)
    modularity = modularity_by_count(merges, distances)
    best = best_count(merges, modularity)
    if best in (None, 2, count - 1) or modularity[best - 1] > -modularity_threshold:
        best = _overruled(rows, merges) or best or count
    return replay_merges(merges, best)


def cosine_distances(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    """Cosine distances of binary rows, shape (n, n); 0 between two empty rows and 1 from an empty row to any other.

    Computed from the integer overlaps, ``1 - |a & b| / sqrt(|a| |b|)``, so that equal overlaps give exactly equal distances.

    Examples
    --------
    >>> cosine_distances(np.array([[1.0, 1.0], [1.0, 1.0], [0.0, 0.0]])).tolist()
    [[0.0, 0.0, 1.0], [0.0, 0.0, 1.0], [1.0, 1.0, 0.0]]
    """
    overlaps = rows @ rows.T
    sizes = overlaps.diagonal()
    distances = 1 - overlaps / np.sqrt(np.maximum(np.outer(sizes, sizes), 1))
    empty = sizes == 0
    distances[np.outer(empty, empty)] = 0
    return distances


def modularity_by_count(merges: NDArray[np.float64], distances: NDArray[np.float64]) -> NDArray[np.float64]:
    """The distance modularity of the partition into k clusters, for k = 1..n; lower is better.

    Parameters
    ----------
    merges : array of shape (n - 1, 4)
        An average linkage of ``distances``.
    distances : array of shape (n, n)
        Symmetric, zero diagonal, not all zero.

    Returns
    -------
    array of shape (n,)
        Entry ``k - 1`` belongs to k clusters.

    Notes
    -----
    With ``d`` the distances divided by their sum, ``sum_c [d(c, c) - d(c, all)^2]`` over the clusters c: Newman's modularity of
    a distance matrix (step 3 of Patil, Michael & Dovrolis, NeurIPS 2023). Merging a and b adds ``2 [d(a, b) - d(a, all) d(b, all)]``,
    and average linkage knows ``d(a, b)``: its distance of a and b is the mean over the ``|a| |b|`` pairs.

    Examples
    --------
    >>> apart = np.array([[0.0, 0.0, 1.0], [0.0, 0.0, 1.0], [1.0, 1.0, 0.0]])
    >>> modularity_by_count(np.array([[0, 1, 0.0, 2], [2, 3, 1.0, 3]]), apart).tolist()
    [0.0, -0.5, -0.375]
    """
    total = distances.sum()
    shares: list[float] = (distances.sum(axis=1) / total).tolist()
    sizes = [1.0] * len(shares)
    values = [-sum(share * share for share in shares)]
    for first, second, height, size in merges.tolist():
        a, b = int(first), int(second)
        values.append(values[-1] + 2 * (height * sizes[a] * sizes[b] / total - shares[a] * shares[b]))
        shares.append(shares[a] + shares[b])
        sizes.append(size)
    return np.array(values[::-1])


def best_count(merges: NDArray[np.float64], modularity: NDArray[np.float64]) -> int | None:
    """The number of clusters, from 2 to n-1, of lowest modularity; the largest where several tie; None where there is no candidate.

    A number that would cut between two merges of equal distance is no candidate. Values within ``1e-9`` are tied.

    Examples
    --------
    >>> merges = np.array([[0, 1, 0.1, 2], [2, 3, 0.2, 2], [4, 5, 0.9, 4]])
    >>> best_count(merges, np.array([0.0, -0.4, -0.4, -0.25]))
    3
    """
    # Cutting between merges j and j+1 leaves n-1-j clusters: from n-1 down to 2.
    counts = len(merges) - np.arange(len(merges) - 1)
    counts = counts[np.diff(merges[:, 2]) > TOLERANCE]
    if not len(counts):
        return None
    values = modularity[counts - 1]
    return int(counts[values <= values.min() + TOLERANCE].max())


def replay_merges(merges: NDArray[np.float64], count: int) -> NDArray[np.int64]:
    """Labels 0..count-1 of the partition into ``count`` clusters: the first n - count merges, one after the other.

    Examples
    --------
    >>> replay_merges(np.array([[0, 2, 0.1, 2], [1, 3, 0.9, 3]]), 2).tolist()
    [1, 0, 1]
    """
    units = len(merges) + 1
    labels = np.arange(units)
    for step, (first, second) in enumerate(merges[: units - count, :2]):
        labels[(labels == first) | (labels == second)] = units + step
    return np.unique(labels, return_inverse=True)[1]


def overlap_test(first: NDArray[np.float64], second: NDArray[np.float64]) -> OverlapTest:
    """Whether two sets of features overlap less, or more, than two random sets of their sizes.

    Parameters
    ----------
    first, second : binary arrays of shape (f,)

    Notes
    -----
    Sizes a and b, overlap o, probability ``x = a b / f^2`` that a feature falls into both by chance, expected overlap ``e = f x``,
    ``excess = (o - e) / sqrt(f x (1 - x))``. ``separate``: o < max(a, b), and o <= e or o < 1. ``single``: o >= 1 and o >= e, or
    o >= max(a, b). The score describes, it is no significance: features of a layered network are not independent.
    Step 4 of Patil, Michael & Dovrolis, NeurIPS 2023. Departure from the published code: two empty sets are equal, not separate.

    Examples
    --------
    >>> overlap_test(np.array([1.0, 1, 0, 0]), np.array([1.0, 0, 1, 0]))
    OverlapTest(separate=True, single=True, excess=0.0)
    """
    overlap, sizes, total = float(first @ second), (float(first.sum()), float(second.sum())), max(len(first), 1)
    expected = sizes[0] * sizes[1] / total
    spread = (expected * (1 - expected / total)) ** 0.5
    return OverlapTest(
        separate=overlap < max(sizes) and (overlap <= expected or overlap < 1),
        single=overlap >= max(1, expected) or overlap >= max(sizes),
        excess=(overlap - expected) / spread if spread > 0 else 0.0,
    )


def _overruled(rows: NDArray[np.float64], merges: NDArray[np.float64]) -> int | None:
    closest = overlap_test(*rows[merges[0, :2].astype(int)])
    split = replay_merges(merges, 2) == 0
    last = overlap_test(rows[split].max(axis=0), rows[~split].max(axis=0))
    if last.single and (not closest.separate or last.excess >= -closest.excess):
        return 1
    return len(rows) if closest.separate else None


def _average_linkage(distances: NDArray[np.float64]) -> NDArray[np.float64]:
    if len(distances) == 2:
        return np.array([[0, 1, distances[0, 1], 2]])
    return linkage(distances[np.triu_indices(len(distances), 1)], method="average")
