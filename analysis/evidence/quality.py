"""Quality of a hierarchy, for the comparison with null models."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..detection.distances import cosine_distances
from ..detection.features import alive_edges, reach_features
from ..hierarchy import Hierarchy

__all__ = ["modularity", "separation"]


def separation(hierarchy: Hierarchy) -> float:
    """How different the clusters of a layer are in the units they reach: mean over layers, at most 1/2, 0 for one cluster.

    Parameters
    ----------
    hierarchy : Hierarchy
        Its ``clusters`` count, in every layer but the outputs.

    Notes
    -----
    The negative of the distance modularity that the published detector minimises (Patil, Michael & Dovrolis, NeurIPS 2023):
    ``sum_c [d(c, all)^2 - d(c, c)]``, where ``d`` are the cosine distances of the units' reach features divided by their sum. A layer of
    equal units counts as 0.

    Examples
    --------
    >>> from analysis import detect_modules
    >>> round(separation(detect_modules([[[1, 1, 0, 0], [0, 0, 1, 1]], [[1, 0], [0, 1]]])), 12)
    0.5
    """
    kept = [clusters >= 0 for clusters in hierarchy.clusters]
    features = reach_features(alive_edges(hierarchy.graph, kept))
    return float(np.mean([_layer_separation(f, c[k]) for f, c, k in zip(features, hierarchy.clusters, kept, strict=False)]))


def modularity(hierarchy: Hierarchy, *, weighted: bool = False) -> float:
    """The fraction of edges within modules minus the fraction expected by chance.

    Parameters
    ----------
    hierarchy : Hierarchy
        Its ``labels`` count: edges between modules lower the value, and edges of removed units are left out.
    weighted : bool
        Whether an edge counts as its ``|weight|`` instead of 1.

    Notes
    -----
    ``sum over layers and pairs of [A_ij - k_i k_j / m_layer] delta(c_i, c_j), divided by m``: the bipartite modularity of Barber,
    Physical Review E 76, 066102 (2007), summed over the layers. ``k_i`` are outgoing and ``k_j`` incoming totals in a layer, ``m_layer``
    is the total of the layer and ``m`` that of all layers. The value is 0 without edges.

    Examples
    --------
    >>> from analysis import detect_modules
    >>> modularity(detect_modules([[[1, 1, 0, 0], [0, 0, 1, 1]], [[1, 0], [0, 1]]]))
    0.5
    """
    excess = total = 0.0
    for weight, below, above in zip(hierarchy.graph.weights, hierarchy.labels, hierarchy.labels[1:], strict=False):
        edges = np.abs(weight) if weighted else (weight != 0).astype(float)
        edges = edges[below >= 0][:, above >= 0]
        same = below[below >= 0][:, None] == above[above >= 0]
        mass = edges.sum()
        if mass > 0:
            excess += edges[same].sum() - np.outer(edges.sum(axis=1), edges.sum(axis=0))[same].sum() / mass
            total += mass
    return float(excess / total) if total else 0.0


def _layer_separation(features: NDArray[np.bool_], clusters: NDArray[np.int64]) -> float:
    distances = cosine_distances(features) if len(features) else np.zeros((0, 0))
    total = distances.sum()
    if total <= 0:
        return 0.0
    shares = np.bincount(clusters, distances.sum(axis=1) / total)
    within = distances[clusters[:, None] == clusters].sum() / total
    return float(shares @ shares - within)
