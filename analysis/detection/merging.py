"""Modules: clusters of different layers merge where nearly all of their edges run between them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..graph import Wiring
from .descendants import SharedDescendants

__all__ = ["merge_clusters"]

# N layers; a_i alive units in layer i; c clusters above. A chain of N = L + 1 layers may be given as L matrices.

ALIKE = 0.5  # of the units that one of two clusters leads to, the fraction that both must lead to


def merge_clusters(
    edges: Wiring | Sequence[NDArray[Any]], clusters: Sequence[NDArray[np.integer]], *, threshold: float = 0.9, ties: str = "published"
) -> tuple[NDArray[np.int64], ...]:
    """The module of every unit, from the inputs upward.

    Parameters
    ----------
    edges : Wiring, or sequence of L arrays of shape (a_i, a_{i+1})
        From :func:`~analysis.detection.alive.alive_wiring` or :func:`~analysis.detection.alive.alive_edges`. A nonzero entry is an
        edge.
    clusters : sequence of N int arrays of shape (a_i,)
        The cluster of each unit within its layer, numbered 0, 1, ...
    threshold : float in [0, 1]
        Clusters merge where their shares of edges are above it.
    ties : {"published", "symmetric"}
        The rule for a cluster that fits two modules equally well.

    Returns
    -------
    tuple of N int arrays of shape (a_i,)
        Units with the same label form one module, in one layer or several.

    Notes
    -----
    Step 6 of the detector of Patil, Michael & Dovrolis, NeurIPS 2023. A cluster joins a module of the layers that it reads if

    - (edges between them / all edges into the cluster) > threshold, and
    - (edges between them / all edges out of the module's units in these layers) > threshold, which outputs need not meet.

    Edges are counted; weights are ignored. The tie rule matters for thresholds below 0.5 only: of several modules that fit, the cluster
    joins the one with the largest share of its incoming edges, and of equal ones the one with the lowest label. With symmetric ties it
    joins none of equal ones, since labels depend on the order of the units. At a threshold of 1 nothing merges.

    Corrected defects of the published code: a share of no edges is 0 (published: NaN), so an output without edges is a module of its
    own; labels and positions are never confused.

    In a chain a module's edges out of a layer all end in the next one. Where edges skip layers, or layers stand side by side, some end
    elsewhere. Those that end within the module do not count. Those to a cluster that leads to the same later units
    (:class:`~analysis.detection.descendants.SharedDescendants`) do not count either: units that pass these edges on, one for each layer
    between, would be in one cluster with that which is to join. All others count against it.

    Edges that carry a unit on are never counted. A unit with no other incoming edges is the unit that it carries on, and has its module.

    Examples
    --------
    >>> first = np.array([[1, 0], [1, 0], [0, 1]], dtype=bool)
    >>> labels = merge_clusters([first], [np.array([0, 0, 1]), np.array([0, 1])])
    >>> [part.tolist() for part in labels]
    [[0, 0, 1], [0, 1]]
    """
    wiring = Wiring.of(edges)
    shared = SharedDescendants(wiring, clusters, ALIKE)
    labels: list[NDArray[np.int64]] = []
    fresh = 0
    for layer, given in enumerate(clusters):
        cluster = np.asarray(given, dtype=np.int64)
        names = fresh + np.arange(_count(cluster))
        fresh += len(names)
        flows, below = _counted(wiring, labels, layer, cluster)
        if len(below):
            flows = flows.where(flows.shares > threshold)
            if layer not in wiring.outputs:
                others = _elsewhere(wiring, labels, clusters, layer, below, flows, shared)
                flows = flows.where(flows.counts / np.maximum(flows.leaving + others, 1) > threshold)
            joined = _joined(flows, len(names), ties)
            names[joined >= 0] = below[joined[joined >= 0]]
        labels.append(_carried(wiring, labels, layer, names[cluster]))
    return tuple(labels)


class _Flows(NamedTuple):
    """The pairs of a module below and a cluster above that edges join, module by module: arrays of shape (pairs,)."""

    module: NDArray[np.int64]  # its position among those below
    cluster: NDArray[np.int64]
    counts: NDArray[np.int64]  # edges of the pair
    leaving: NDArray[np.int64]  # edges from the module to the layer
    shares: NDArray[np.float64]  # of all edges into the cluster

    def where(self, kept: NDArray[np.bool_]) -> _Flows:
        """Some of the pairs."""
        module, cluster, counts, leaving, shares = self
        return _Flows(module[kept], cluster[kept], counts[kept], leaving[kept], shares[kept])


def _counted(
    wiring: Wiring, labels: Sequence[NDArray[np.int64]], layer: int, cluster: NDArray[np.int64]
) -> tuple[_Flows, NDArray[np.int64]]:
    """The edges from modules below to clusters of a layer, and the labels of these modules."""
    into = [block for block in wiring.blocks if block.target == layer and not block.carry]
    below = np.unique(np.concatenate([labels[source] for source in _sources(wiring, layer)] or [np.zeros(0, dtype=np.int64)]))
    width = _count(cluster)
    places = [np.zeros(0, dtype=np.int64)]
    for block in into:
        source, target = block.weights.nonzero()
        places.append(np.searchsorted(below, labels[block.source][source]) * width + cluster[target])
    known, counts = np.unique(np.concatenate(places), return_counts=True)
    module, column = np.divmod(known, max(width, 1))
    leaving, entering = (np.bincount(ends, counts, minlength=size) for ends, size in ((module, len(below)), (column, width)))
    return _Flows(module, column, counts, leaving[module].astype(np.int64), counts / entering[column]), below


def _sources(wiring: Wiring, layer: int) -> list[int]:
    return sorted({block.source for block in wiring.blocks if block.target == layer and not block.carry})


def _elsewhere(
    wiring: Wiring,
    labels: Sequence[NDArray[np.int64]],
    clusters: Sequence[NDArray[np.integer]],
    layer: int,
    below: NDArray[np.int64],
    flows: _Flows,
    shared: SharedDescendants,
) -> NDArray[np.int64]:
    """What counts against joining: edges from the module of each pair, in the layers below, to clusters of other layers."""
    sources, found = _sources(wiring, layer), np.zeros(len(flows.module), dtype=np.int64)
    first, last = (np.searchsorted(flows.module, np.arange(len(below)), side) for side in ("left", "right"))
    for block in wiring.blocks:
        if block.source not in sources or block.target == layer or block.carry:
            continue
        source, target = block.weights.nonzero()
        module = labels[block.source][source]
        left = module != labels[block.target][target] if block.target < layer else np.full(len(target), True)
        ends = np.stack([np.searchsorted(below, module[left]), np.asarray(clusters[block.target])[target[left]]])
        pairs, edges = np.unique(ends, axis=1, return_counts=True)
        for (place, cluster), count in zip(pairs.T.tolist(), edges.tolist(), strict=True):
            for pair in range(first[place], last[place]):
                if not shared.alike((layer, int(flows.cluster[pair])), (block.target, cluster)):
                    found[pair] += count
    return found


def _count(labels: NDArray[np.integer]) -> int:
    return int(labels.max()) + 1 if len(labels) else 0


def _carried(wiring: Wiring, labels: Sequence[NDArray[np.int64]], layer: int, found: NDArray[np.int64]) -> NDArray[np.int64]:
    """The labels of a layer, with units that are only carried on in the module that they come from."""
    into = [block for block in wiring.blocks if block.target == layer]
    written = np.zeros(len(found), dtype=bool)
    for block in into:
        if not block.carry:
            written[block.weights.nonzero()[1]] = True
    for block in into:
        if block.carry:
            source, target = block.weights.nonzero()
            same = ~written[target]
            found[target[same]] = labels[block.source][source[same]]
    return found


def _joined(flows: _Flows, width: int, ties: str) -> NDArray[np.int64]:
    """For each cluster above, the module below that it joins, of those that fit, or -1; shape (c,)."""
    most = np.zeros(width)
    np.maximum.at(most, flows.cluster, flows.shares)
    best = flows.where(flows.shares == most[flows.cluster])
    found = np.full(width, -1, dtype=np.int64)
    found[best.cluster[::-1]] = best.module[::-1]  # the lowest label of equal ones
    if ties == "symmetric":
        found[np.bincount(best.cluster, minlength=width) > 1] = -1
    return found
