"""The published module detector: clean-up, features, clusters within layers, modules across layers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from numbers import Integral, Real
from typing import Any, Unpack, cast, overload

import numpy as np
from numpy.typing import NDArray

from ..graph import Wiring, as_graph, network_of, several_networks
from ..hierarchy import Hierarchy
from ..texts import shown
from .alive import FEATURES, alive_wiring
from .clustering import MOST_COMPARED, cluster_units
from .criteria import CRITERIA
from .distances import DISTANCES
from .features import path_features, reached_by_some
from .kinds import DetectionOptions, Network, OneNetwork, Weights
from .linkages import LINKAGES, TIES
from .merging import merge_clusters
from .readers import lone_readers

__all__ = ["detect_modules"]

Labels = tuple[NDArray[np.int64], ...]
Partitions = tuple[Labels, Labels]

TIES_OF = {"refined": "symmetric", "published": "published"}
CHOICES = {
    "method": ("refined", "published"),
    "features": tuple(FEATURES),
    "direction": ("outgoing", "incoming", "both"),
    "linkage": tuple(LINKAGES),
    "distance": tuple(DISTANCES),
    "criterion": tuple(CRITERIA),
    "ties": tuple(TIES),
}


@overload
def detect_modules(network: OneNetwork, **options: Unpack[DetectionOptions]) -> Hierarchy: ...
@overload
def detect_modules(network: Iterable[Network | Weights], **options: Unpack[DetectionOptions]) -> list[Hierarchy]: ...
def detect_modules(
    network: Any,
    *,
    method: str = "refined",
    features: str = "binary",
    direction: str | None = None,
    linkage: str = "average",
    distance: str = "cosine",
    criterion: str = "modularity",
    ties: str | None = None,
    merge_threshold: float = 0.9,
    modularity_threshold: float = 0.2,
    reach: int | None = None,
    max_units: int = MOST_COMPARED,
) -> Hierarchy | list[Hierarchy]:
    """The modules of a sparse network and the edges between them; for several networks, a list.

    Parameters
    ----------
    network : LayeredGraph, UnitGraph, SparseNetwork, networkx.DiGraph, igraph.Graph or sequence of matrices (n_out, n_in), or several
        A sequence of matrices is one network, a sequence of sequences of matrices are several. A result of ``sculpt`` stands for its
        sparsest network; a fitted ``MLPClassifier`` or ``MLPRegressor`` of scikit-learn is read too.
    method : {"refined", "published"}
        Refined: the published method with symmetric ties; and a hidden unit that alone reads a group of inputs, and nothing else, is with
        these inputs, and apart from other units (:func:`~analysis.detection.readers.lone_readers`); not so with incoming paths.
    features : {"binary", "weighted"}
        Compare units by which units they reach (published), or by the sums over paths of the product of |weight|. Weighted features
        give each layer within reach the same norm (:func:`~analysis.detection.features.reach_features`).
    direction : {"outgoing", "incoming", "both"}, optional
        The paths that count. Outgoing: paths to later units (published); each output is a cluster. Incoming: paths from earlier
        units, the same method on the reversed network; each input is a cluster. Both: inputs are compared by their outgoing paths,
        outputs by their incoming paths, and hidden units by both. When left out, both where edges carry units on, since a
        residual stream leads to nearly all that is written later, and outgoing for any other graph.
    linkage : {"average", "complete", "single"}
        The distance of two clusters: the mean (published), largest or smallest distance of their units. Ward's linkage is not offered: it
        needs squared distances from means, which are not defined for cosine and Jaccard distances.
    distance : {"cosine", "jaccard", "euclidean"}
        Between the features of two units. Cosine (published) and Jaccard distances depend on the share of reached units that two units
        have in common. Euclidean distances also depend on the number of reached units, so they may join the smallest modules.
    criterion : {"modularity", "silhouette", "calinski_harabasz", "davies_bouldin"}
        The score that selects the number of clusters of a layer, 2 to n-1: distance modularity (published) or scores of scikit-learn. The
        last two measure the Euclidean spread of the features for every distance, and are best for clusters of identical units: with
        binary features they separate all units that differ as soon as two units are equal, with weighted features most units of a small
        layer. All but modularity score each number of clusters separately: for a layer of a thousand units this takes seconds, with
        Davies-Bouldin two minutes.
    ties : {"symmetric", "published"}, optional
        How equally close units merge: all at once, so that permuting the units of a layer permutes their labels and changes nothing else
        (refined), or two at a time, where the result may depend on their order (published). That of the method when left out.
    merge_threshold : float in [0, 1]
        Clusters of neighbouring layers merge where the shares of their edges that run between them are above it. Published: 0.9
        for Boolean tasks, 0.6 for MNIST.
    modularity_threshold : float in [0, 1]
        A clustering of a layer with a weaker modularity must pass the separability tests, with every criterion. Published: 0.2.
    reach : int, optional
        How many layers the compared paths span at most; all when left out, as published. Where edges skip layers, a layer is as deep as
        the longest path to it.
    max_units : int
        The most units of one layer that are compared with one another, in memory that grows with their square: 12 bytes a pair. Of a layer
        with more than 4,096, those that reach the same count once with symmetric ties and binary features.

    Returns
    -------
    Hierarchy, or list of Hierarchy
        Labels and clusters are at the original positions of the units, -1 for removed units. Outputs are never removed.

    Raises
    ------
    ValueError
        When an argument is out of range, the network has a cycle, a layer has more than ``max_units`` to compare, or what units reach
        takes more than 1 GiB.
    TypeError
        When ``network`` cannot be read as a network, or is a mixture of networks and other objects.

    Notes
    -----
    With ``method="published"``, the method of Patil, Michael & Dovrolis, NeurIPS 2023. Its steps are :meth:`LayeredGraph.alive`,
    :func:`~analysis.detection.features.reach_features`, :func:`~analysis.detection.clustering.cluster_units` and
    :func:`~analysis.detection.merging.merge_clusters`. Their documentation lists the corrected defects of the published code. Every
    network has a result, also one without hidden layers, without edges, or with outputs that nothing reaches.

    In a :class:`~analysis.graph.UnitGraph` a unit is compared by what it reaches in all later layers that paths lead to, edges that carry
    a unit on included. These are not counted when clusters merge: see :func:`~analysis.detection.merging.merge_clusters`.

    Examples
    --------
    Two pairs of inputs, each with a hidden unit and an output of its own:

    >>> network = [[[1, 1, 0, 0], [0, 0, 1, 1]], [[1, 0], [0, 1]]]
    >>> [labels.tolist() for labels in detect_modules(network).labels]
    [[0, 0, 1, 1], [0, 1], [0, 1]]
    >>> len(detect_modules([network, network], features="weighted", ties="symmetric"))
    2
    """
    settings = _Settings(
        method, features, direction, linkage, distance, criterion, ties, merge_threshold, modularity_threshold, reach, max_units
    )
    networks = several_networks(network)
    if networks is None:
        return _hierarchy(network, settings, {})
    known: dict[Any, Partitions] = {}
    return [_hierarchy(one, settings, known, f"network {i}: ") for i, one in enumerate(networks)]


@dataclass(frozen=True)
class _Settings:
    """The arguments of :func:`detect_modules`, checked."""

    method: str
    features: str
    direction: str | None
    linkage: str
    distance: str
    criterion: str
    ties: str | None
    merge_threshold: float
    modularity_threshold: float
    reach: int | None
    max_units: int

    def __post_init__(self) -> None:
        for name, choices in CHOICES.items():
            value = getattr(self, name)
            if not (isinstance(value, str) and value in choices) and (value is not None or name not in ("ties", "direction")):
                raise ValueError(f"{name} must be one of {', '.join(map(repr, choices))}; got {shown(value)}")
        for name in ("merge_threshold", "modularity_threshold"):
            share = getattr(self, name)
            if not isinstance(share, Real) or not 0 <= cast(Any, share) <= 1:
                raise ValueError(f"{name} must be a fraction in [0, 1]; got {shown(share)}. Give a percentage divided by 100")
        if isinstance(self.max_units, bool) or not isinstance(self.max_units, Integral) or self.max_units < 1:
            raise ValueError(f"max_units must be a positive integer, the units of one layer to compare; got {shown(self.max_units)}")


def _hierarchy(network: Any, settings: _Settings, known: dict[Any, Partitions], context: str = "") -> Hierarchy:
    try:
        network = network_of(network)
        graph = as_graph(network)
    except (TypeError, ValueError) as error:
        raise type(error)(f"{context}{error}") from error
    alive = graph.alive()
    wiring = alive_wiring(graph, alive, settings.features)
    # Candidates of one run often have the same edges, and binary features depend on nothing else.
    key = _key(wiring, graph.inputs) if settings.features == "binary" else len(known)
    if key not in known:
        known[key] = _partitions(wiring, graph.inputs, settings)
    labels, clusters = (_at_original_positions(part, alive) for part in known[key])
    return Hierarchy(graph, labels, clusters, network=network)


def _key(wiring: Wiring, inputs: Sequence[int]) -> tuple[Any, ...]:
    blocks = ((b.source, b.target, b.carry, np.stack(b.weights.nonzero()).tobytes()) for b in wiring.blocks)
    return wiring.sizes, tuple(inputs), wiring.outputs, *blocks


def _partitions(wiring: Wiring, inputs: Sequence[int], settings: _Settings) -> Partitions:
    """Labels and clusters of the alive units."""
    direction = settings.direction or ("both" if any(block.carry for block in wiring.blocks) else "outgoing")
    ties = settings.ties or TIES_OF[settings.method]
    if direction == "incoming":  # outputs are no inputs: they have no lone readers
        last = len(wiring.sizes) - 1
        turned = replace(wiring.flipped(), outputs=tuple(last - i for i in inputs))
        outputs = [last - i for i in wiring.outputs]
        labels, clusters = _partitions(turned, outputs, replace(settings, direction="outgoing", method="published", ties=ties))
        return labels[::-1], clusters[::-1]
    features = path_features(wiring, direction=direction, reach=settings.reach)
    if not wiring.is_chain:
        # In a chain all units of later layers are reached from each layer. Others say nothing of it, but would make overlaps look large.
        features = tuple(rows[:, reached_by_some(rows)] for rows in features)
    found = tuple(
        cluster_units(
            rows,
            modularity_threshold=settings.modularity_threshold,
            linkage=settings.linkage,
            distance=settings.distance,
            criterion=settings.criterion,
            ties=ties,
            max_units=settings.max_units,
        )
        if direction == "both" or layer not in wiring.outputs
        else np.arange(wiring.sizes[layer])
        for layer, rows in enumerate(features)
    )
    if settings.method == "refined" and len(wiring.sizes) > 2:
        found = lone_readers(wiring, found, inputs)
    return merge_clusters(wiring, found, threshold=settings.merge_threshold, ties=ties), found


def _at_original_positions(labels: Labels, alive: Sequence[NDArray[np.bool_]]) -> Labels:
    full = tuple(np.full(len(a), -1, dtype=np.int64) for a in alive)
    for array, values, kept in zip(full, labels, alive, strict=True):
        array[kept] = values
    return full
