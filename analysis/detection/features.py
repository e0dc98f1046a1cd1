"""Features of units for clustering: which units they reach, and which units reach them."""

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

# L weight layers; a_i alive units in unit layer i; r = reach, at most L. Edges and features are bool (is there a path?) or floats of
# at least 0 (how strong are the paths?).

Edges = Sequence[NDArray[Any]]

SMALL = 4096  # entries; for smaller layers a dense product is faster than the conversion to a sparse matrix

# The strength of edges.
FEATURES: dict[str, Callable[[NDArray[np.float64]], NDArray[Any]]] = {"binary": lambda weights: weights != 0, "weighted": np.abs}


def alive_edges(graph: LayeredGraph, alive: Sequence[NDArray[np.bool_]], features: str = "binary") -> tuple[NDArray[Any], ...]:
    """For each weight layer the edges between alive units: whether there is one, or how strong it is.

    Parameters
    ----------
    graph : LayeredGraph
    alive : sequence of bool arrays, one a layer, of shape (widths[i],)
        From :meth:`LayeredGraph.alive`.
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
    """The edges of the reversed network, from outputs to inputs.

    Examples
    --------
    >>> [edge.tolist() for edge in flipped([np.array([[1, 0], [1, 1]]), np.array([[1], [0]])])]
    [[[1, 0]], [[1, 1], [0, 1]]]
    """
    return tuple(edge.T for edge in reversed(edges))


def path_features(edges: Edges, *, direction: str = "outgoing", reach: int | None = None) -> tuple[NDArray[Any], ...]:
    """For each layer the features of its units: which units they reach, and with ``"both"`` also which units reach them.

    Parameters
    ----------
    edges : sequence of L arrays of shape (a_i, a_{i+1})
        From :func:`alive_edges`.
    direction : {"outgoing", "both"}
        For incoming paths alone, give the :func:`flipped` edges.
    reach : int, optional
        How many layers the paths span at most; all when left out.

    Returns
    -------
    tuple of arrays of shape (a_i, f_i)
        L of them for outgoing paths, since outputs have none; else L + 1, with outgoing before incoming features.

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
    """For each layer but the last, which later units a unit reaches by a path over at most ``reach`` layers, or how strongly.

    Parameters
    ----------
    edges : sequence of L arrays of shape (a_i, a_{i+1})
        From :func:`alive_edges`.
    reach : int, optional
        How many layers the paths span at most; all when left out.

    Returns
    -------
    tuple of L arrays of shape (a_i, a_{i+1} + ... + a_{min(i+r, L)}), dtypes as ``edges``
        A row for each unit, a column for each unit of the layers above, nearest layer first.

    Raises
    ------
    ValueError
        When ``reach`` is not a positive integer or None.

    Notes
    -----
    The union of ``A, A^2, ..., A^r`` of the binary adjacency ``A``, computed from the outputs downward: a unit reaches its children and
    the units that they reach. Step 1 of the detector of Patil, Michael & Dovrolis, NeurIPS 2023. Departure from the published code: a
    row contains only the layers within reach, so both separability tests count overlaps over the same units (published: one test
    counts over all units, and its score is NaN for short reaches).

    The weighted feature of a unit for a later unit is the sum over all paths between them of the product of |weight| along the path:
    an entry of ``|W_i| |W_{i+1}| ... |W_j|``. These products shrink or grow with every layer. The features of a layer for each later
    layer are therefore divided by their Frobenius norm, so that all layers count equally and scaling the weights of a layer changes
    nothing. (Published: weights are ignored wherever the distance is cosine.)

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
            # Children reach one layer further than their parents. A product of bools is a union, a product of floats a sum.
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
