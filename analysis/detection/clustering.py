"""Clusters of the units of one layer: units that reach the same part of the network form a cluster."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from .criteria import CRITERIA, Tree, best_count, candidate_counts
from .distances import DISTANCES, TOLERANCE
from .linkages import TIES, replay_merges
from .many import cluster_many, distinct_rows
from .separability import overruled_count

__all__ = ["MOST_COMPARED", "check_compared", "cluster_units"]

# n units, f features.

MANY = 4096  # units of a layer; larger ones are compared without copies of their distances
MOST_COMPARED = 20_000  # units of a layer
BYTES = 12  # of memory for each pair of units


def cluster_units(
    features: Any,
    *,
    modularity_threshold: float = 0.2,
    linkage: str = "average",
    distance: str = "cosine",
    criterion: str = "modularity",
    ties: str = "published",
    max_units: int = MOST_COMPARED,
) -> NDArray[np.int64]:
    """The cluster of each unit of a layer, numbered 0, 1, ... in the order in which they first appear.

    Parameters
    ----------
    features : array of shape (n, f), bool or floats of at least 0; or a sparse bool array
        One row for each unit, from :func:`~analysis.detection.features.reach_features`. Never changed.
    modularity_threshold : float in [0, 1]
        A clustering whose distance modularity is above ``-modularity_threshold`` must pass the separability tests.
    linkage, distance, criterion, ties : str
        Keys of ``LINKAGES``, ``DISTANCES``, ``CRITERIA`` and ``TIES``.
    max_units : int
        The most units that are compared with one another. With symmetric ties, modularity and binary features, more than 4,096 units
        that reach the same count as one (:func:`~analysis.detection.many.cluster_many`).

    Raises
    ------
    ValueError
        When more than ``max_units`` are to be compared, or more than 4,096 by a criterion other than modularity.

    Returns
    -------
    int array of shape (n,)

    Notes
    -----
    Steps 2 to 4 of the detector of Patil, Michael & Dovrolis, NeurIPS 2023: average linkage of cosine distances, cut at the
    number k of clusters in 2..n-1 with the lowest distance modularity. Where k is 2 or n-1, or the modularity is weak, two overlap tests
    may overrule it. If the two closest units look independent, all units are separate. If the last two clusters share what they reach,
    all units are one cluster. If both tests fire, the larger z-score wins; on a tie, the single cluster.

    No criterion gives a score to 1 or n clusters, so only the tests lead there. They follow every criterion, distance and linkage
    by the same rule. The modularity compared with the threshold is that of the distances in use. Weighted features count as in
    :func:`~analysis.detection.separability.overruled_count`.

    Corrected defects of the published code:

    - a layer with no alive unit, or one, has a result (published: an unbound number of clusters for a single input);
    - a k that cuts between merges of equal distance is not a candidate, since it would merge an arbitrary one of equidistant pairs.
      Where no candidate is left, all distances are equal; if no test fires, all units are separate (published: k = n-1). Units at
      distance 0 from one another are one cluster;
    - a unit without features has distance 0 to other units without features, and 1 to all others (published: NaN);
    - the given features are not changed (published: overwritten by the second test);
    - one linkage gives every k (published: a new fit, with all distances, for each k).

    Otherwise units at tied distances are merged in the order of the linkage, as published. The result may then depend on the order of the
    units. With ``ties="symmetric"`` it does not: see :func:`~analysis.detection.linkages.symmetric_merges`, and
    :func:`~analysis.detection.separability.overruled_count` for the tests.

    Examples
    --------
    >>> cluster_units([[1, 0, 0, 1], [1, 0, 0, 1], [0, 1, 1, 0], [0, 1, 1, 0]]).tolist()
    [0, 0, 1, 1]
    """
    rows = features if sp.issparse(features) else np.asarray(features)
    if rows.shape[0] > MANY and criterion != "modularity":
        raise ValueError(
            f"the criterion of a layer of more than {MANY:,} alive units must be 'modularity', since others score each number of clusters "
            f"by itself; got {criterion!r} for {rows.shape[0]:,} units"
        )
    if rows.shape[0] > MANY and ties == "symmetric" and rows.dtype == bool:
        rows = sp.csr_array(rows)
        check_compared(len(distinct_rows(rows)[0]), max_units)
        return cluster_many(rows, modularity_threshold=modularity_threshold, linkage=linkage, distance=distance)
    check_compared(rows.shape[0], max_units)
    distances = DISTANCES[distance](rows)
    if distances.max(initial=0) <= TOLERANCE:
        return np.zeros(rows.shape[0], dtype=np.int64)
    tree = Tree(rows, distances, TIES[ties](distances, linkage))
    counts = candidate_counts(tree.merges)
    best = best_count(counts, CRITERIA[criterion](tree, counts)) if len(counts) else None
    if best in (None, 2, rows.shape[0] - 1) or tree.modularity[best - 1] > TOLERANCE - modularity_threshold:
        best = overruled_count(tree, ties) or best or rows.shape[0]
    return replay_merges(tree.merges, best)


def check_compared(units: int, max_units: int) -> None:
    """Refuse more units of one layer than are to be compared.

    Raises
    ------
    ValueError
        When there are more than ``max_units``.
    """
    if units > max_units:
        raise ValueError(
            f"a layer must have at most max_units={max_units:,} alive units to compare, those that reach the same counted once; got "
            f"{units:,}, whose distances take {BYTES * units**2 / 1e9:,.1f} GB. Give max_units={units} where there is so much memory"
        )
