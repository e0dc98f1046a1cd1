"""Quality of a hierarchy, for the comparison with null models."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from ..detection.alive import alive_wiring
from ..detection.distances import cosine_distances
from ..detection.features import reach_features
from ..graph.blocks import Matrix, entries_of
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
    features = reach_features(alive_wiring(hierarchy.graph, kept))
    layers = [layer for layer in range(len(kept)) if layer not in hierarchy.graph.outputs]
    return float(np.mean([_layer_separation(features[i], hierarchy.clusters[i][kept[i]]) for i in layers]))


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
    ``sum over blocks and pairs of [A_ij - k_i k_j / m_block] delta(c_i, c_j), divided by m``: the bipartite modularity of Barber,
    Physical Review E 76, 066102 (2007), summed over the blocks of edges, which in a chain are the weight layers. ``k_i`` are
    outgoing and ``k_j`` incoming totals in a block, ``m_block`` is the total of the block and ``m`` that of all blocks. Blocks that carry
    units on do not count. The value is 0 without edges.

    Examples
    --------
    >>> from analysis import detect_modules
    >>> modularity(detect_modules([[[1, 1, 0, 0], [0, 0, 1, 1]], [[1, 0], [0, 1]]]))
    0.5
    """
    excess = total = 0.0
    for block in hierarchy.graph.blocks:
        if block.carry:
            continue
        part = _excess(block.weights, hierarchy.labels[block.source], hierarchy.labels[block.target], weighted)
        excess, total = excess + part[0], total + part[1]
    return float(excess / total) if total else 0.0


def _excess(weight: Matrix, below: NDArray[np.int64], above: NDArray[np.int64], weighted: bool) -> tuple[float, float]:
    """The edges of a block within modules minus those expected by chance, and all its edges."""
    edges = abs(weight) if weighted else (weight != 0).astype(float)
    edges = edges[below >= 0][:, above >= 0]
    mass = edges.sum()
    if not mass > 0:
        return 0.0, 0.0
    below, above = below[below >= 0], above[above >= 0]
    if not sp.issparse(edges):
        same = below[:, None] == above
        return edges[same].sum() - np.outer(edges.sum(axis=1), edges.sum(axis=0))[same].sum() / mass, mass
    source, target, values = entries_of(edges)
    count = 1 + max(below.max(), above.max())
    leaving, entering = (np.bincount(labels, values, count) for labels in (below[source], above[target]))
    return float(values[below[source] == above[target]].sum() - leaving @ entering / mass), float(mass)


def _layer_separation(features: NDArray[np.bool_], clusters: NDArray[np.int64]) -> float:
    distances = cosine_distances(features) if len(features) else np.zeros((0, 0))
    total = distances.sum()
    if total <= 0:
        return 0.0
    shares = np.bincount(clusters, distances.sum(axis=1) / total)
    within = distances[clusters[:, None] == clusters].sum() / total
    return float(shares @ shares - within)
