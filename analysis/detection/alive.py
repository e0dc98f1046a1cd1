"""The edges between the alive units of a graph, as detection reads them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..graph import AnyGraph, Block, LayeredGraph, Wiring

__all__ = ["FEATURES", "alive_edges", "alive_wiring", "flipped"]

# a_i alive units in layer i. Edges are bool (is there one?) or floats of at least 0 (how strong is it?).

# The strength of edges.
FEATURES: dict[str, Callable[[Any], Any]] = {"binary": lambda weights: weights != 0, "weighted": abs}


def alive_wiring(graph: AnyGraph, alive: Sequence[NDArray[np.bool_]], features: str = "binary") -> Wiring:
    """The wiring of the alive units: as :func:`alive_edges`, for the graph of any network.

    Examples
    --------
    >>> graph = LayeredGraph.from_weights([[[1.0, 0.0, -2.0]], [[3.0]]])
    >>> alive_wiring(graph, graph.alive()).sizes
    (2, 1, 1)
    """
    read = FEATURES[features]
    blocks = tuple(Block(b.source, b.target, read(b.weights[alive[b.source]][:, alive[b.target]]), b.kind) for b in graph.blocks)
    return Wiring(tuple(int(a.sum()) for a in alive), blocks, graph.outputs)


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


def flipped(edges: Sequence[NDArray[Any]]) -> tuple[NDArray[Any], ...]:
    """The edges of the reversed network, from outputs to inputs.

    Examples
    --------
    >>> [edge.tolist() for edge in flipped([np.array([[1, 0], [1, 1]]), np.array([[1], [0]])])]
    [[[1, 0]], [[1, 1], [0, 1]]]
    """
    return tuple(edge.T for edge in reversed(edges))
