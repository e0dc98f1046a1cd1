"""The number of clusters: scores of the partitions of a linkage. A criterion is one function and one entry in ``CRITERIA``."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from ..imports import kept_random
from .distances import TOLERANCE, Rows
from .linkages import replay_merges

__all__ = ["CRITERIA", "Tree", "best_count", "candidate_counts", "modularity_by_count"]

# n units, f features, c candidates: numbers of clusters, each from 2 to n - 1.


@dataclass(frozen=True, eq=False)
class Tree:
    """Features of n units, shape (n, f), their distances, shape (n, n), and a linkage of the distances, shape (n - 1, 4)."""

    rows: Rows
    distances: NDArray[np.float64]
    merges: NDArray[np.float64]

    @cached_property
    def modularity(self) -> NDArray[np.float64]:
        """:func:`modularity_by_count`."""
        return modularity_by_count(self.merges, self.distances)


def modularity_by_count(
    merges: NDArray[np.float64], distances: NDArray[np.float64], sizes: NDArray[np.float64] | None = None
) -> NDArray[np.float64]:
    """The distance modularity of the partition into k clusters, for k = 1..n; lower is better.

    Parameters
    ----------
    merges : array of shape (n - 1, 4)
        Any linkage.
    distances : array of shape (n, n)
        Symmetric, zero diagonal, not all zero.
    sizes : float array of shape (n,), optional
        How many equal units each stands for; one when left out. Where it is given, ``distances`` are written over, which saves a copy.

    Returns
    -------
    array of shape (n,)
        Entry ``k - 1`` belongs to k clusters.

    Notes
    -----
    With ``d`` the distances divided by their sum: ``sum_c [d(c, c) - d(c, all)^2]`` over the clusters c. This is Newman's modularity of
    a distance matrix (step 3 of Patil, Michael & Dovrolis, NeurIPS 2023). Merging a and b adds ``2 [d(a, b) - d(a, all) d(b, all)]``.

    Examples
    --------
    >>> apart = np.array([[0.0, 0.0, 1.0], [0.0, 0.0, 1.0], [1.0, 1.0, 0.0]])
    >>> modularity_by_count(np.array([[0, 1, 0.0, 2], [2, 3, 1.0, 3]]), apart).tolist()
    [0.0, -0.5, -0.375]
    """
    if sizes is None:
        sums = distances / distances.sum()  # a cluster is stored at the position of one of its units
    else:
        sums = distances
        sums *= sizes[:, None]
        sums *= sizes
        sums /= sums.sum()
    shares = sums.sum(axis=1).tolist()
    place = list(range(len(shares)))
    values = [-sum(share * share for share in shares)]
    for first, second in merges[:, :2].astype(int).tolist():
        a, b = place[first], place[second]
        values.append(values[-1] + 2 * (sums.item(a, b) - shares[first] * shares[second]))
        shares.append(shares[first] + shares[second])
        place.append(a)
        sums[a] += sums[b]
        sums[:, a] = sums[a]  # except the diagonal, which is not read
    return np.array(values[::-1])


def candidate_counts(merges: NDArray[np.float64]) -> NDArray[np.int64]:
    """The numbers of clusters from n-1 down to 2 that do not cut between merges of equal distance; shape (c,).

    A cut between merges within ``1e-9`` would join some of equally close units and not others.

    Examples
    --------
    >>> candidate_counts(np.array([[0, 1, 0.1, 2], [2, 3, 0.1, 2], [4, 5, 0.9, 4]])).tolist()
    [2]
    """
    # Cutting between merges j and j + 1 leaves n - 1 - j clusters.
    counts = len(merges) - np.arange(len(merges) - 1)
    return counts[np.diff(merges[:, 2]) > TOLERANCE]


def best_count(counts: NDArray[np.int64], values: NDArray[np.float64]) -> int | None:
    """The number of clusters with the lowest value, the largest of those within ``1e-9``; None where there is no candidate.

    Examples
    --------
    >>> best_count(np.array([4, 3, 2]), np.array([-0.2, -0.4, -0.4]))
    3
    """
    return int(counts[values <= values.min() + TOLERANCE].max()) if len(counts) else None


def modularity(tree: Tree, counts: NDArray[np.int64]) -> NDArray[np.float64]:
    """Distance modularity, the criterion of the published detector: :func:`modularity_by_count`."""
    return tree.modularity[counts - 1]


def silhouette(tree: Tree, counts: NDArray[np.int64]) -> NDArray[np.float64]:
    """Negative mean silhouette, of the distances that the linkage uses, in [-1, 1] (Rousseeuw 1987)."""
    with kept_random():
        from sklearn.metrics import silhouette_score

    return _each(tree, counts, lambda labels: -silhouette_score(tree.distances, labels, metric="precomputed"))


def calinski_harabasz(tree: Tree, counts: NDArray[np.int64]) -> NDArray[np.float64]:
    """One over the Calinski-Harabasz score of the features (1974): the variance within clusters relative to that between them.

    It is 0, the best value, where all units of a cluster have the same features (scikit-learn gives such a partition the score 1).
    """
    with kept_random():
        from sklearn.metrics import calinski_harabasz_score

    def ratio(labels: NDArray[np.int64]) -> float:
        score = np.inf if _uniform(tree.rows, labels) else calinski_harabasz_score(tree.rows, labels)
        return 1 / score if score else np.inf

    return _each(tree, counts, ratio)


def davies_bouldin(tree: Tree, counts: NDArray[np.int64]) -> NDArray[np.float64]:
    """Davies-Bouldin index of the features (1979): the spread of two clusters over their distance, with the worst partner of each."""
    with kept_random():
        from sklearn.metrics import davies_bouldin_score

    return _each(tree, counts, lambda labels: davies_bouldin_score(tree.rows, labels))


# Each gives the values of the partitions, shape (c,). Lower is better.
CRITERIA: dict[str, Callable[[Tree, NDArray[np.int64]], NDArray[np.float64]]] = {
    "modularity": modularity,
    "silhouette": silhouette,
    "calinski_harabasz": calinski_harabasz,
    "davies_bouldin": davies_bouldin,
}


def _each(tree: Tree, counts: NDArray[np.int64], score: Callable[[NDArray[np.int64]], float]) -> NDArray[np.float64]:
    return np.array([score(replay_merges(tree.merges, int(count))) for count in counts])


def _uniform(rows: Rows, labels: NDArray[np.int64]) -> bool:
    first = np.unique(labels, return_index=True)[1]
    return bool((rows == rows[first[labels]]).all())
