"""The published module detector from end to end: clean-up, features, clusters within layers, modules across them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..graph import as_graph, several_networks
from ..hierarchy import Hierarchy
from .clustering import cluster_units
from .criteria import CRITERIA
from .distances import DISTANCES
from .features import FEATURES, alive_edges, flipped, path_features
from .linkages import LINKAGES, TIES
from .merging import merge_clusters

__all__ = ["detect_modules"]

Labels = tuple[NDArray[np.int64], ...]
Partitions = tuple[Labels, Labels]

CHOICES = {
    "features": tuple(FEATURES),
    "direction": ("outgoing", "incoming", "both"),
    "linkage": tuple(LINKAGES),
    "distance": tuple(DISTANCES),
    "criterion": tuple(CRITERIA),
    "ties": tuple(TIES),
}


def detect_modules(
    network: Any,
    *,
    features: str = "binary",
    direction: str = "outgoing",
    linkage: str = "average",
    distance: str = "cosine",
    criterion: str = "modularity",
    ties: str = "published",
    merge_threshold: float = 0.9,
    modularity_threshold: float = 0.2,
    reach: int | None = None,
) -> Any:
    """The modules of a sparse network and how they feed one another; of several networks, a list.

    Parameters
    ----------
    network : LayeredGraph, SparseNetwork, networkx.DiGraph, igraph.Graph or sequence of matrices (n_out, n_in), or an iterable of these
        A sequence of matrices is one network, a sequence of sequences of matrices are several.
    features : {"binary", "weighted"}
        What units are compared by: which units they reach (published), or the sums over paths of the product of |weight|. Weighted,
        each layer within reach counts alike (:func:`~analysis.detection.features.reach_features`).
    direction : {"outgoing", "incoming", "both"}
        The paths that count: those to later units (published; outputs are a cluster each), those from earlier units (the same
        method on the network read from its outputs to its inputs; inputs are a cluster each), or both, where inputs are
        compared by what they reach, outputs by what reaches them, and all others by the two together.
    linkage : {"average", "complete", "single"}
        How far two clusters are: the mean (published), largest or smallest distance of their units. Ward's linkage is not offered: it
        is about squared distances from means, which cosine and Jaccard distances do not have.
    distance : {"cosine", "jaccard", "euclidean"}
        Of the features of two units. Cosine (published) and Jaccard see which share of what two units reach they have in common; Euclidean
        also sees how much they reach, so that of modules of unequal size it may join the smallest.
    criterion : {"modularity", "silhouette", "calinski_harabasz", "davies_bouldin"}
        What picks the number of clusters of a layer, 2 to n-1: distance modularity (published) or scores of scikit-learn. The last two
        measure the Euclidean spread of the features whatever the distance, and know nothing better than clusters of equal units: binary
        features part all units that differ where any two do not, weighted ones most units of a small layer. All but
        modularity score each number of clusters separately: seconds for a layer of a thousand units, two minutes for Davies-Bouldin.
    ties : {"published", "symmetric"}
        What becomes of equally close units: joined two at a time, where their order may decide (published), or all at once, so that
        permuting the units of a layer permutes their labels and changes nothing else.
    merge_threshold : float in [0, 1]
        Clusters of neighbouring layers merge where the share of their edges that they have in common is above it. Published: 0.9
        for Boolean tasks, 0.6 for MNIST.
    modularity_threshold : float in [0, 1]
        A clustering of a layer with a weaker modularity has to pass the separability tests, whatever the criterion. Published: 0.2.
    reach : int, optional
        How many layers upward (or downward) a unit is compared by; all when left out, as published.

    Returns
    -------
    Hierarchy, or list of Hierarchy
        Labels and clusters stand at original unit positions, -1 where the clean-up removed the unit. Outputs always stay.

    Raises
    ------
    ValueError
        When an argument is out of range, or the network is not a layered graph.
    TypeError
        When ``network`` cannot be read as a network, or holds networks and other things.

    Notes
    -----
    The method of Patil, Michael & Dovrolis, NeurIPS 2023, which is what the defaults are; its steps are :meth:`LayeredGraph.alive`,
    :func:`~analysis.detection.features.reach_features`, :func:`~analysis.detection.clustering.cluster_units` and
    :func:`~analysis.detection.merging.merge_clusters`, where the corrected defects of the published code are named. Any
    network has a result: one without hidden layers, without edges, or with outputs that nothing reaches.

    Examples
    --------
    Two pairs of inputs, each with a hidden unit and an output of its own:

    >>> network = [[[1, 1, 0, 0], [0, 0, 1, 1]], [[1, 0], [0, 1]]]
    >>> [labels.tolist() for labels in detect_modules(network).labels]
    [[0, 0, 1, 1], [0, 1], [0, 1]]
    >>> len(detect_modules([network, network], features="weighted", ties="symmetric"))
    2
    """
    settings = _Settings(features, direction, linkage, distance, criterion, ties, merge_threshold, modularity_threshold, reach)
    networks = several_networks(network)
    if networks is None:
        return _hierarchy(network, settings, {})
    known: dict[Any, Partitions] = {}
    return [_hierarchy(one, settings, known, f"network {i}: ") for i, one in enumerate(networks)]


@dataclass(frozen=True)
class _Settings:
    """The arguments of :func:`detect_modules`, checked."""

    features: str
    direction: str
    linkage: str
    distance: str
    criterion: str
    ties: str
    merge_threshold: float
    modularity_threshold: float
    reach: int | None

    def __post_init__(self) -> None:
        for name, choices in CHOICES.items():
            if getattr(self, name) not in choices:
                raise ValueError(f"{name} must be one of {', '.join(map(repr, choices))}; got {getattr(self, name)!r}")
        for name in ("merge_threshold", "modularity_threshold"):
            value = getattr(self, name)
            if not isinstance(value, Real) or not 0 <= float(value) <= 1:
                raise ValueError(f"{name} must be a fraction in [0, 1]; got {value!r}. Give a percentage divided by 100")


def _hierarchy(network: Any, settings: _Settings, known: dict[Any, Partitions], context: str = "") -> Hierarchy:
    try:
        graph = as_graph(network)
    except (TypeError, ValueError) as error:
        raise type(error)(f"{context}{error}") from error
    alive = graph.alive()
    edges = alive_edges(graph, alive, settings.features)
    # Candidates of one run often have the same edges, and binary features see nothing else.
    key = tuple((edge.shape, np.flatnonzero(edge).tobytes()) for edge in edges) if settings.features == "binary" else len(known)
    if key not in known:
        known[key] = _partitions(edges, settings)
    labels, clusters = (_at_original_positions(part, alive) for part in known[key])
    return Hierarchy(graph, labels, clusters, network=network)


def _partitions(edges: Sequence[NDArray[Any]], settings: _Settings) -> Partitions:
    """The modules, and the clusters, of the alive units."""
    if settings.direction == "incoming":
        labels, clusters = _partitions(flipped(edges), replace(settings, direction="outgoing"))
        return labels[::-1], clusters[::-1]
    features = path_features(edges, direction=settings.direction, reach=settings.reach)
    found = [
        cluster_units(
            rows,
            modularity_threshold=settings.modularity_threshold,
            linkage=settings.linkage,
            distance=settings.distance,
            criterion=settings.criterion,
            ties=settings.ties,
        )
        for rows in features
    ]
    if len(found) == len(edges):
        found.append(np.arange(edges[-1].shape[1]))
    return merge_clusters(edges, found, threshold=settings.merge_threshold, ties=settings.ties), tuple(found)


def _at_original_positions(labels: Labels, alive: Sequence[NDArray[np.bool_]]) -> Labels:
    full = tuple(np.full(len(a), -1, dtype=np.int64) for a in alive)
    for array, values, kept in zip(full, labels, alive, strict=True):
        array[kept] = values
    return full
