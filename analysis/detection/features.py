"""What each unit reaches, and is reached from: the features that clustering works on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from numbers import Integral
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from ..graph import LayeredGraph
from ..graph.arrays import near_one

__all__ = ["FEATURES", "alive_edges", "flipped", "path_features", "reach_features"]

# L weight layers; a_i alive units in unit layer i; r = reach, at most L. Edges, and features, are bool (is there a path?) or floats of
# at least 0 (how strong are the paths?).

Edges = Sequence[NDArray[Any]]

SMALL = 4096  # entries of a layer up to which its product takes less time than making it sparse

# What counts of an edge.
FEATURES: dict[str, Callable[[NDArray[np.float64]], NDArray[Any]]] = {"binary": lambda weights: weights != 0, "weighted": np.abs}


def alive_edges(graph: LayeredGraph, alive: Sequence[NDArray[np.bool_]], features: str = "binary") -> tuple[NDArray[Any], ...]:
    """For each weight layer, which alive units are joined by an edge, or by edges of which strength.

    Parameters
    ----------
    graph : LayeredGraph
    alive : sequence of bool arrays, one a layer, of shape (widths[i],)
        As :meth:`LayeredGraph.alive` gives them.
    features : {"binary", "weighted"}

    Returns
    -------
    tuple of arrays of shape (a_i, a_{i+1})
        Row = source, column = target; bool, or |weight|.

    Examples
    --------
    >>> graph = LayeredGraph.from_weights([[[1.0, 0.0, -2.0]], [[3.0]]])
    >>> [edge.tolist() for edge in alive_edges(graph, graph.alive())]
    [[[True], [True]], [[True]]]
    >>> [edge.tolist() for edge in alive_edges(graph, graph.alive(), "weighted")]
    [[[1.0], [2.0]], [[3.0]]]
    """
    read = FEATURES[features]
    return tuple(read(w[a][:, b]) for w, a, b in zip(graph.weights, alive, alive[1:], strict=False))


def flipped(edges: Edges) -> tuple[NDArray[Any], ...]:
    """The edges of the network read from its outputs to its inputs.

    Examples
    --------
    >>> [edge.tolist() for edge in flipped([np.array([[1, 0], [1, 1]]), np.array([[1], [0]])])]
    [[[1, 0]], [[1, 1], [0, 1]]]
    """
    return tuple(edge.T for edge in reversed(edges))


def path_features(edges: Edges, *, direction: str = "outgoing", reach: int | None = None) -> tuple[NDArray[Any], ...]:
    """For each layer the features of its units: what they reach, or also what reaches them.

    Parameters
    ----------
    edges : sequence of L arrays of shape (a_i, a_{i+1})
        As :func:`alive_edges` gives them.
    direction : {"outgoing", "both"}
        For incoming paths alone, give the :func:`flipped` edges.
    reach : int, optional
        How many layers a unit is seen; all when left out.

    Returns
    -------
    tuple of arrays of shape (a_i, f_i)
        L of them for outgoing paths, which outputs have none of; else L + 1, outgoing before incoming.

    Examples
    --------
    >>> first, second = np.array([[1, 0], [1, 1]], dtype=bool), np.array([[1], [1]], dtype=bool)
    >>> [features.astype(int).tolist() for features in path_features([first, second], direction="both")]
    [[[1, 0, 1], [1, 1, 1]], [[1, 1, 1], [1, 0, 1]], [[1, 1, 1, 1]]]
    """
    outgoing = reach_features(edges, reach)
    if direction == "outgoing":
        return outgoing
    incoming = reach_features(flipped(edges), reach)[::-1]
    inner = (np.hstack(parts) for parts in zip(outgoing[1:], incoming[:-1], strict=True))
    return (outgoing[0], *inner, incoming[-1])


def reach_features(edges: Edges, reach: int | None = None) -> tuple[NDArray[Any], ...]:
    """For each layer but the last, which later units each unit reaches by a directed path of at most ``reach`` layers, or how strongly.

    Parameters
    ----------
    edges : sequence of L arrays of shape (a_i, a_{i+1})
        As :func:`alive_edges` gives them.
    reach : int, optional
        How many layers upward a unit is seen; all when left out.

    Returns
    -------
    tuple of L arrays of shape (a_i, a_{i+1} + ... + a_{min(i+r, L)}), dtypes as ``edges``
        One row a unit, one column a unit of the layers above, nearest layer first.

    Raises
    ------
    ValueError
        When ``reach`` is not a positive integer or None.

    Notes
    -----
    The union of ``A, A^2, ..., A^r`` of the binary adjacency ``A``, built from the outputs downward: a unit reaches its
    children and what they reach. Step 1 of the detector of Patil, Michael & Dovrolis, NeurIPS 2023. Departure from the
    published code: a row holds the layers within reach and no others, so that both separability tests count the overlap of two
    rows over the same units (published: over all units in one test, which makes its score NaN for short reaches).

    Of strengths, the feature of a unit for a later unit is the sum over all paths between the two of the product of |weight| along the
    path: entries of ``|W_i| |W_{i+1}| ... |W_j|``. These shrink or grow with every layer, so the features of a layer for
    each later layer are divided by their Frobenius norm: all layers count alike, and scaling the weights of a layer changes nothing.
    (Published: weights are ignored wherever the distance is cosine.)

    Examples
    --------
    >>> first, second = np.array([[1, 0], [1, 1]], dtype=bool), np.array([[1], [1]], dtype=bool)
    >>> [features.astype(int).tolist() for features in reach_features([first, second])]
    [[[1, 0, 1], [1, 1, 1]], [[1], [1]]]
    >>> reach_features([first, second], reach=1)[0].astype(int).tolist()
    [[1, 0], [1, 1]]
    >>> reach_features([np.array([[2.0, 0.0], [1.0, 2.0]]), np.array([[1.5], [0.5]])])[0].round(3).tolist()
    [[0.667, 0.0, 0.768], [0.333, 0.667, 0.64]]
    """
    depth = _checked_reach(reach, len(edges))
    edges = [edge if edge.dtype == bool else near_one(edge) for edge in edges]
    features: list[NDArray[Any]] = []
    for layer in reversed(range(len(edges))):
        within = edges[layer : layer + depth]
        parts = [edges[layer]]
        if len(within) > 1:
            # The children see one layer further than their parents do. A product of bools is their union, of floats their sum.
            seen = features[-1][:, : sum(e.shape[1] for e in within[1:])]
            parts.append((edges[layer] if edges[layer].size < SMALL else sp.csr_array(edges[layer])) @ seen)
        features.append(_in_equal_shares(np.hstack(parts), [e.shape[1] for e in within]))
    return tuple(reversed(features))


def _in_equal_shares(features: NDArray[Any], widths: Sequence[int]) -> NDArray[Any]:
    if features.dtype != bool:
        for part in np.split(features, np.cumsum(widths)[:-1], axis=1):
            part[...] = near_one(part)
            part /= np.linalg.norm(part) or 1
    return features


def _checked_reach(reach: int | None, layers: int) -> int:
    if reach is None:
        return layers
    if isinstance(reach, bool) or not isinstance(reach, Integral) or reach < 1:
        raise ValueError(f"reach must be a positive integer, or None for all {layers} weight layers; got {reach!r}")
    return min(int(reach), layers)
