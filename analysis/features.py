"""What each unit reaches further up: the binary features that clustering works on."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Integral

import numpy as np
from numpy.typing import NDArray

from .graph import LayeredGraph

__all__ = ["alive_edges", "reach_features"]

# L weight layers; a_i alive units in unit layer i; r = reach, at most L.


def alive_edges(graph: LayeredGraph, alive: Sequence[NDArray[np.bool_]]) -> tuple[NDArray[np.bool_], ...]:
    """For each weight layer, which alive units are joined by an edge.

    Parameters
    ----------
    graph : LayeredGraph
    alive : sequence of bool arrays, one a layer, of shape (widths[i],)
        As :meth:`LayeredGraph.alive` gives them.

    Returns
    -------
    tuple of bool arrays of shape (a_i, a_{i+1})
        Row = source, column = target.

    Examples
    --------
    >>> graph = LayeredGraph.from_weights([[[1.0, 0.0, 2.0]], [[3.0]]])
    >>> [edge.tolist() for edge in alive_edges(graph, graph.alive())]
    [[[True], [True]], [[True]]]
    """
    return tuple((w[a][:, b] != 0) for w, a, b in zip(graph.weights, alive, alive[1:], strict=False))


def reach_features(edges: Sequence[NDArray[np.bool_]], reach: int | None = None) -> tuple[NDArray[np.bool_], ...]:
    """For each layer but the last, which later units each unit reaches by a directed path of at most ``reach`` layers.

    Parameters
    ----------
    edges : sequence of L bool arrays of shape (a_i, a_{i+1})
        As :func:`alive_edges` gives them.
    reach : int, optional
        How many layers upward a unit is seen; all when left out.

    Returns
    -------
    tuple of L bool arrays of shape (a_i, a_{i+1} + ... + a_{min(i+r, L)})
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

    Examples
    --------
    >>> first, second = np.array([[1, 0], [1, 1]], dtype=bool), np.array([[1], [1]], dtype=bool)
    >>> [features.astype(int).tolist() for features in reach_features([first, second])]
    [[[1, 0, 1], [1, 1, 1]], [[1], [1]]]
    >>> reach_features([first, second], reach=1)[0].astype(int).tolist()
    [[1, 0], [1, 1]]
    """
    depth = _checked_reach(reach, len(edges))
    features: list[NDArray[np.bool_]] = []
    for layer in reversed(range(len(edges))):
        edge = edges[layer]
        if features and depth > 1:
            # The children see one layer further than their parents do.
            within = sum(e.shape[1] for e in edges[layer + 1 : layer + depth])
            # In floats, for the speed of BLAS: a sum of zeros and ones is positive exactly where a path leads.
            further = edge.astype(np.float32) @ features[-1][:, :within].astype(np.float32) > 0
            features.append(np.hstack([edge, further]))
        else:
            features.append(edge.copy())
    return tuple(reversed(features))


def _checked_reach(reach: int | None, layers: int) -> int:
    if reach is None:
        return layers
    if isinstance(reach, bool) or not isinstance(reach, Integral) or reach < 1:
        raise ValueError(f"reach must be a positive integer, or None for all {layers} weight layers; got {reach!r}")
    return min(int(reach), layers)
