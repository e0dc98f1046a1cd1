"""The published module detector from end to end: clean-up, features, clusters within layers, modules across them."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .clustering import cluster_units
from .features import alive_edges, reach_features
from .graph import as_graph
from .hierarchy import Hierarchy
from .merging import merge_clusters

__all__ = ["detect_modules"]


def detect_modules(network: Any, *, merge_threshold: float = 0.9, modularity_threshold: float = 0.2, reach: int | None = None) -> Hierarchy:
    """The modules of a sparse network and how they feed one another.

    Parameters
    ----------
    network : LayeredGraph, SparseNetwork, networkx.DiGraph, igraph.Graph or sequence of matrices (n_out, n_in)
        Only which weights are zero matters.
    merge_threshold : float in [0, 1]
        Clusters of neighbouring layers merge where the share of their edges that they have in common is above it. Published: 0.9
        for Boolean tasks, 0.6 for MNIST.
    modularity_threshold : float in [0, 1]
        A clustering of a layer with a weaker modularity has to pass the separability tests. Published: 0.2.
    reach : int, optional
        How many layers upward a unit is compared by; all when left out, as published.

    Returns
    -------
    Hierarchy
        Labels and clusters stand at original unit positions, -1 where the clean-up removed the unit. Outputs always stay,
        each of them a cluster.

    Raises
    ------
    ValueError
        When an argument is out of range, or the network is not a layered graph.
    TypeError
        When ``network`` cannot be read as a network.

    Notes
    -----
    The method of Patil, Michael & Dovrolis, NeurIPS 2023; its steps are :meth:`LayeredGraph.alive`,
    :func:`~analysis.features.reach_features`, :func:`~analysis.clustering.cluster_units` and :func:`~analysis.merging.merge_clusters`,
    where the corrected defects of the published code are named. Any network has an answer: one without
    hidden layers, without edges, or with outputs that nothing reaches.

    Examples
    --------
    Two pairs of inputs, each with a hidden unit and an output of its own:

    >>> hierarchy = detect_modules([[[1, 1, 0, 0], [0, 0, 1, 1]], [[1, 0], [0, 1]]])
    >>> [labels.tolist() for labels in hierarchy.labels]
    [[0, 0, 1, 1], [0, 1], [0, 1]]
    """
    _check_fraction(merge_threshold, "merge_threshold")
    _check_fraction(modularity_threshold, "modularity_threshold")
    graph = as_graph(network)
    alive = graph.alive()
    edges = alive_edges(graph, alive)
    clusters = [cluster_units(features, modularity_threshold=modularity_threshold) for features in reach_features(edges, reach)]
    clusters.append(np.arange(graph.widths[-1]))
    labels = merge_clusters(edges, clusters, threshold=merge_threshold)
    return Hierarchy(graph, _at_original_positions(labels, alive), _at_original_positions(clusters, alive), network=network)


def _at_original_positions(labels: Sequence[NDArray[np.int64]], alive: Sequence[NDArray[np.bool_]]) -> tuple[NDArray[np.int64], ...]:
    full = tuple(np.full(len(a), -1, dtype=np.int64) for a in alive)
    for array, values, kept in zip(full, labels, alive, strict=True):
        array[kept] = values
    return full


def _check_fraction(value: float, name: str) -> None:
    if not isinstance(value, Real) or not 0 <= value <= 1:
        raise ValueError(f"{name} must be a fraction in [0, 1]; got {value!r}. Give a percentage divided by 100")
