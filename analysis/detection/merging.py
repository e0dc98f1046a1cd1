"""Modules: clusters of neighbouring layers merge where nearly all of their edges run between them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from scipy.sparse.csgraph import connected_components

from ..hierarchy import first_appearance

__all__ = ["lone_readers", "merge_clusters"]

# L weight layers; a_i alive units in unit layer i; m modules below, c clusters above.


def merge_clusters(
    edges: Sequence[NDArray[Any]], clusters: Sequence[NDArray[np.integer]], *, threshold: float = 0.9, ties: str = "published"
) -> tuple[NDArray[np.int64], ...]:
    """The module of every unit, from the inputs upward.

    Parameters
    ----------
    edges : sequence of L arrays of shape (a_i, a_{i+1})
        From :func:`~analysis.detection.features.alive_edges`. A nonzero entry is an edge.
    clusters : sequence of L + 1 int arrays of shape (a_i,)
        The cluster of each unit within its layer, numbered 0, 1, ...
    threshold : float in [0, 1]
        Clusters merge where their shares of edges are above it.
    ties : {"published", "symmetric"}
        The rule for a cluster that fits two modules equally well.

    Returns
    -------
    tuple of L + 1 int arrays of shape (a_i,)
        Units with the same label form one module, in one layer or several.

    Notes
    -----
    Step 6 of the detector of Patil, Michael & Dovrolis, NeurIPS 2023. A cluster joins a module of the layer below if

    - (edges between them / all edges into the cluster) > threshold, and
    - (edges between them / all edges out of the module's units in that layer) > threshold, which outputs need not meet.

    Edges are counted; weights are ignored. The tie rule matters for thresholds below 0.5 only: of several modules that fit, the cluster
    joins the one with the largest share of its incoming edges, and of equal ones the one with the lowest label. With symmetric ties it
    joins none of equal ones, since labels depend on the order of the units. At a threshold of 1 nothing merges.

    Corrected defects of the published code: a share of no edges is 0 (published: NaN), so an output without edges is a module of its
    own; labels and positions are never confused.

    Examples
    --------
    >>> first = np.array([[1, 0], [1, 0], [0, 1]], dtype=bool)
    >>> labels = merge_clusters([first], [np.array([0, 0, 1]), np.array([0, 1])])
    >>> [part.tolist() for part in labels]
    [[0, 0, 1], [0, 1]]
    """
    labels = [np.asarray(clusters[0], dtype=np.int64)]
    fresh = _count(clusters[0])
    for layer, edge in enumerate(edges):
        below, position = np.unique(labels[-1], return_inverse=True)
        above = np.asarray(clusters[layer + 1], dtype=np.int64)
        counts = _edge_counts(edge, position, len(below), above)
        joined = _joined(counts, threshold, ties, is_last=layer == len(edges) - 1)
        names = fresh + np.arange(len(joined))
        names[joined >= 0] = below[joined[joined >= 0]]
        fresh += len(joined)
        labels.append(names[above])
    return tuple(labels)


def lone_readers(
    edges: Sequence[NDArray[Any]], inputs: NDArray[np.integer], above: NDArray[np.integer]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The clusters of the inputs and of the first hidden layer, with lone readers and what they read apart.

    1. Inputs that have no reader but one hidden unit, which reads nothing else, are a cluster, unless one input of theirs would be left.
       Blocks of the network that are not connected with one another are left whole: a cluster of all inputs of one is not divided.
    2. A hidden unit that alone reads a cluster of inputs, and nothing else, is a cluster.

    Parameters
    ----------
    edges : sequence of L arrays of shape (a_i, a_{i+1})
        From :func:`~analysis.detection.features.alive_edges`. A nonzero entry is an edge.
    inputs, above : int arrays of shapes (a_0,) and (a_1,)
        The clusters of both layers, numbered 0, 1, ...

    Returns
    -------
    pair of int arrays of the same shapes

    Notes
    -----
    Not in the published method, which clusters the two units of ``m = majority(a, b, c)`` and ``n = majority(d, e, f)`` when both are read
    by the same units, and their six inputs too when that is all they lead to. All that leaves {a, b, c} passes through m, so that they are
    one sub-function.

    Examples
    --------
    >>> edges = [np.array([[1, 0, 0], [1, 0, 0], [0, 1, 0], [0, 1, 1]]), np.ones((3, 1))]
    >>> [labels.tolist() for labels in lone_readers(edges, np.array([0, 0, 1, 1]), np.array([0, 0, 0]))]
    [[0, 0, 1, 1], [0, 1, 1]]
    """
    edge = edges[0] != 0
    if not edge.size:
        return np.asarray(inputs), np.asarray(above)
    inputs = _groups_apart(edges, edge, np.asarray(inputs))
    member = inputs == np.arange(_count(inputs))[:, None]
    reads = member @ edge.astype(np.int64) > 0
    lone = (reads & (reads.sum(axis=1) == 1)[:, None] & (reads.sum(axis=0) == 1)).any(axis=0)
    apart = np.where(lone, _count(above) + np.arange(len(above)), above)
    return inputs, first_appearance([apart])[0]


def _groups_apart(edges: Sequence[NDArray[Any]], edge: NDArray[np.bool_], inputs: NDArray[np.integer]) -> NDArray[np.int64]:
    """Rule 1: the clusters of the inputs."""
    once = edge.sum(axis=1) == 1
    alone = (edge.sum(axis=0) > 1) & ~(edge & ~once[:, None]).any(axis=0)
    reader = np.where(once & edge[:, alone].any(axis=1), edge.argmax(axis=1), -1)
    labels = np.asarray(inputs, dtype=np.int64)
    for cluster in range(_count(inputs)):
        mine = labels == cluster
        rest = int((reader[mine] < 0).sum())
        if len(set(reader[mine].tolist())) > 1 and rest != 1 and not (rest == 0 and _is_block(edges, mine)):
            labels = np.where(mine & (reader >= 0), len(labels) + reader + labels.max(), labels)
    return first_appearance([labels])[0]


def _is_block(edges: Sequence[NDArray[Any]], some: NDArray[np.bool_]) -> bool:
    """Whether some inputs are all of a part of the network that is not connected with the rest."""
    ends = np.cumsum([0, *(len(edge) for edge in edges), edges[-1].shape[1]])
    pairs = [np.stack(edge.nonzero()) + ends[layer : layer + 2, None] for layer, edge in enumerate(edges)]
    source, target = np.concatenate(pairs, axis=1)
    graph = sp.coo_array((np.ones(len(source)), (source, target)), shape=(ends[-1], ends[-1]))
    blocks, block = connected_components(graph, directed=False)
    of_inputs = block[: ends[1]]
    return bool(blocks > 1 and (some == (of_inputs == of_inputs[some.argmax()])).all())


def _count(labels: NDArray[np.integer]) -> int:
    return int(labels.max()) + 1 if len(labels) else 0


def _edge_counts(edge: NDArray[Any], below: NDArray[np.integer], modules: int, above: NDArray[np.int64]) -> NDArray[np.int64]:
    """Number of edges from each module below to each cluster above, shape (m, c)."""
    clusters = _count(above)
    source, target = edge.nonzero()
    return np.bincount(below[source] * clusters + above[target], minlength=modules * clusters).reshape(modules, clusters)


def _joined(counts: NDArray[np.int64], threshold: float, ties: str, *, is_last: bool) -> NDArray[np.int64]:
    """For each cluster above, the module below that it joins, or -1; shape (c,)."""
    if not len(counts):
        return np.full(counts.shape[1], -1)
    into = counts / np.maximum(counts.sum(axis=0), 1)
    fits = into > threshold
    if not is_last:
        fits &= counts / np.maximum(counts.sum(axis=1, keepdims=True), 1) > threshold
    share = np.where(fits, into, -1)
    joins = fits.any(axis=0)
    if ties == "symmetric":
        joins &= (share == share.max(axis=0)).sum(axis=0) == 1
    return np.where(joins, share.argmax(axis=0), -1)
