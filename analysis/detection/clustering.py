"""Clusters of the units of one layer: units that reach the same part of the network form a cluster."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .criteria import CRITERIA, Tree, best_count, candidate_counts
from .distances import DISTANCES, TOLERANCE
from .linkages import TIES, replay_merges
from .separability import overruled_count

__all__ = ["cluster_units"]

# n units, f features.


def cluster_units(
    features: ArrayLike,
    *,
    modularity_threshold: float = 0.2,
    linkage: str = "average",
    distance: str = "cosine",
    criterion: str = "modularity",
    ties: str = "published",
) -> NDArray[np.int64]:
    """The cluster of each unit of a layer, numbered 0, 1, ... in the order in which they first appear.

    Parameters
    ----------
    features : array of shape (n, f), bool or floats of at least 0
        One row for each unit, from :func:`~analysis.detection.features.reach_features`. Never changed.
    modularity_threshold : float in [0, 1]
        A clustering whose distance modularity is above ``-modularity_threshold`` must pass the separability tests.
    linkage, distance, criterion, ties : str
        Keys of ``LINKAGES``, ``DISTANCES``, ``CRITERIA`` and ``TIES``.

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
    rows = np.asarray(features)
    distances = DISTANCES[distance](rows)
    if distances.max(initial=0) <= TOLERANCE:
        return np.zeros(len(rows), dtype=np.int64)
    tree = Tree(rows, distances, TIES[ties](distances, linkage))
    counts = candidate_counts(tree.merges)
    best = best_count(counts, CRITERIA[criterion](tree, counts)) if len(counts) else None
    if best in (None, 2, len(rows) - 1) or tree.modularity[best - 1] > TOLERANCE - modularity_threshold:
        best = overruled_count(tree, ties) or best or len(rows)
    return replay_merges(tree.merges, best)
