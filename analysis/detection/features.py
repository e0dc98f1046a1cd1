"""Features of units for clustering: which units they reach, and which units reach them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from numbers import Integral
from typing import Any, NamedTuple

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from ..graph import Block, Wiring
from ..graph.arrays import near_one
from ..texts import shown
from .reach import check_size, is_sparse, sparse_reach

__all__ = ["layers_within", "path_features", "reach_features", "reached_by_some"]

# N layers; a_i alive units in layer i; r = reach. Edges and features are bool (is there a path?) or floats of at least 0 (how strong are
# the paths?). Edges are a wiring, or a chain: L matrices of shape (a_i, a_{i+1}), for N = L + 1 layers.

Edges = Sequence[NDArray[Any]]

Scales = dict[tuple[int, int], float]


class _Columns(NamedTuple):
    """Features for some later layers, and for each the binary logarithm of what they must be multiplied by."""

    layers: tuple[int, ...]
    features: NDArray[Any]
    scales: list[float]


SMALL = 4096  # entries; for smaller layers a dense product is faster than the conversion to a sparse matrix


def path_features(edges: Edges | Wiring, *, direction: str = "outgoing", reach: int | None = None) -> tuple[NDArray[Any], ...]:
    """For each layer the features of its units: which units they reach, and with ``"both"`` also which units reach them.

    Parameters
    ----------
    edges : Wiring, or sequence of L arrays of shape (a_i, a_{i+1})
        From :func:`~analysis.detection.alive.alive_wiring` or :func:`~analysis.detection.alive.alive_edges`.
    direction : {"outgoing", "both"}
        For incoming paths alone, give the edges of :func:`~analysis.detection.alive.flipped`.
    reach : int, optional
        How many layers the paths span at most; all when left out.

    Returns
    -------
    tuple of arrays of shape (a_i, f_i)
        For a chain and outgoing paths L of them, since outputs have none; else one for each layer, with outgoing before incoming features.

    Examples
    --------
    >>> first, second = np.array([[1, 0], [1, 1]], dtype=bool), np.array([[1], [1]], dtype=bool)
    >>> [features.astype(int).tolist() for features in path_features([first, second], direction="both")]
    [[[1, 0, 1], [1, 1, 1]], [[1, 1, 1], [1, 0, 1]], [[1, 1, 1, 1]]]
    """
    outgoing = reach_features(edges, reach)
    if direction == "outgoing":
        return outgoing
    wiring = Wiring.of(edges)
    incoming = reach_features(wiring.flipped(), reach)[::-1]
    ahead = outgoing if isinstance(edges, Wiring) else (*outgoing, np.zeros((wiring.sizes[-1], 0), dtype=outgoing[0].dtype))
    return tuple(_beside(parts) for parts in zip(ahead, incoming, strict=True))


def _beside(parts: Sequence[Any]) -> Any:
    return sp.hstack([sp.csr_array(part) for part in parts], format="csr") if any(map(sp.issparse, parts)) else np.hstack(parts)


def reach_features(edges: Edges | Wiring, reach: int | None = None) -> tuple[NDArray[Any], ...]:
    """For each layer, which later units a unit reaches by a path over at most ``reach`` layers, or how strongly.

    Parameters
    ----------
    edges : Wiring, or sequence of L arrays of shape (a_i, a_{i+1})
        From :func:`~analysis.detection.alive.alive_wiring` or :func:`~analysis.detection.alive.alive_edges`.
    reach : int, optional
        How many layers the paths span at most; all when left out. Where edges skip layers, a layer is as deep as the longest path to it.

    Returns
    -------
    tuple of arrays of shape (a_i, a_j + a_k + ...), dtypes as ``edges``
        A row for each unit, a column for each unit of the layers j, k, ... that a path leads to, nearest layer first: see
        :func:`layers_within`. For a chain given as arrays there are L of them, without the outputs, which reach nothing. Sparse bool
        arrays for a wiring of many units, of which each reaches few.

    Raises
    ------
    ValueError
        When ``reach`` is not a positive integer or None, or the features need more memory than 1 GiB.

    Notes
    -----
    The union of ``A, A^2, ..., A^r`` of the binary adjacency ``A``, computed from the outputs downward: a unit reaches its children and
    the units that they reach. Step 1 of the detector of Patil, Michael & Dovrolis, NeurIPS 2023. Departure from the published code: a
    row contains only the layers within reach, so both separability tests count overlaps over the same units (published: one test
    counts over all units, and its score is NaN for short reaches).

    The weighted feature of a unit for a later unit is the sum over all paths between them of the product of |weight| along the path:
    in a chain, an entry of ``|W_i| |W_{i+1}| ... |W_j|``. These products shrink or grow with every layer. The features of a layer for each
    later layer are therefore divided by their Frobenius norm, so that all layers count equally and scaling the weights of a layer of a
    chain changes nothing. (Published: weights are ignored wherever the distance is cosine.)

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
    wiring = Wiring.of(edges)
    within = layers_within(wiring, reach)
    sparse = isinstance(edges, Wiring) and is_sparse(wiring, within)
    check_size(wiring, within, sparse)
    if sparse:
        return sparse_reach(wiring, within)
    is_binary = all(block.weights.dtype == bool for block in wiring.blocks)
    leaving: list[list[Block]] = [[] for _ in wiring.sizes]
    for block in wiring.blocks:
        leaving[block.source].append(block)
    features: dict[int, NDArray[Any]] = {}
    scales: dict[tuple[int, int], float] = {}
    for layer in reversed(range(len(wiring.sizes))):
        some = within[layer]
        columns = [_through(b, some, wiring, within[b.target], features, scales) for b in leaving[layer] if b.target in some]
        sizes = [wiring.sizes[j] for j in some]
        features[layer], logs = _added_up(columns, some, (wiring.sizes[layer], sizes), bool if is_binary else float)
        if not is_binary and sizes:
            for j, log, part in zip(some, logs, np.split(features[layer], np.cumsum(sizes)[:-1], axis=1), strict=True):
                scales[layer, j] = log + _normalise(part)
    found = tuple(features[layer] for layer in range(len(wiring.sizes)))
    return found if isinstance(edges, Wiring) else found[:-1]


def reached_by_some(rows: Any) -> NDArray[np.bool_]:
    """The features that a unit has at least, shape (f,).

    Examples
    --------
    >>> reached_by_some(np.array([[True, False], [True, False]])).tolist()
    [True, False]
    """
    if sp.issparse(rows):
        return np.bincount(rows.indices, minlength=rows.shape[1]) > 0
    return np.asarray(rows.any(axis=0))


def layers_within(wiring: Wiring, reach: int | None) -> tuple[tuple[int, ...], ...]:
    """For each layer the later ones that paths over at most ``reach`` layers lead to, nearest first.

    Examples
    --------
    >>> layers_within(Wiring.of([np.ones((1, 1))] * 3), 2)
    ((1, 2), (2, 3), (3,), ())
    """
    depths = wiring.depths
    most = _checked_reach(reach, max(depths))
    return tuple(tuple(j for j in later if depths[j] - depths[i] <= most) for i, later in enumerate(wiring.later))


def _through(
    block: Block, some: Sequence[int], wiring: Wiring, within: Sequence[int], features: Mapping[int, NDArray[Any]], scales: Scales
) -> _Columns:
    """The features that units of the source of a block have by its edges, for those of the layers ``some`` that these lead to."""
    edge, size = _near_one(block.weights)
    further = [j for j in within if j in some]
    parts = [edge.toarray() if sp.issparse(edge) else edge]
    if further:
        # Children reach one layer further than their parents. A product of bools is a union, a product of floats a sum.
        seen = _columns(features[block.target], within, further, wiring.sizes)
        dense = not sp.issparse(edge) and edge.size < SMALL
        parts.append((edge if dense else sp.csr_array(edge)) @ seen)
    return _Columns((block.target, *further), np.hstack(parts), [size, *(size + scales.get((block.target, j), 0.0) for j in further)])


def _added_up(
    columns: Sequence[_Columns], layers: Sequence[int], shape: tuple[int, list[int]], dtype: type
) -> tuple[NDArray[Any], list[float]]:
    """The union or the sum of the features by several blocks, and what each part of it must be multiplied by.

    ``scales`` are binary logarithms. They matter only where several blocks lead from one layer to another, since their norms differ.
    """
    if len(columns) == 1 and columns[0].layers == tuple(layers):
        return columns[0].features, columns[0].scales
    units, sizes = shape
    found: NDArray[Any] = np.zeros((units, sum(sizes)), dtype=dtype)
    if not layers:
        return found, []
    parts = dict(zip(layers, np.split(found, np.cumsum(sizes)[:-1], axis=1), strict=True))
    largest = {j: max(one.scales[one.layers.index(j)] for one in columns if j in one.layers) for j in layers}
    for one in columns:
        ends = np.cumsum([parts[j].shape[1] for j in one.layers])[:-1]
        for j, scale, values in zip(one.layers, one.scales, np.split(one.features, ends, axis=1), strict=True):
            if dtype is bool:
                parts[j] |= values
            elif scale > -np.inf:
                parts[j] += values * 2.0 ** max(scale - largest[j], -1000.0)
    return found, [largest[j] for j in layers]


def _columns(features: NDArray[Any], layers: Sequence[int], some: Sequence[int], sizes: Sequence[int]) -> NDArray[Any]:
    """The columns of the features of ``layers`` that belong to some of them."""
    if list(layers[: len(some)]) == list(some):
        return features[:, : sum(sizes[j] for j in some)]
    chosen = np.repeat(np.isin(layers, some), [sizes[j] for j in layers])
    return features[:, chosen]


def _near_one(edge: Any) -> tuple[Any, float]:
    """Edges times a power of two, the largest in [1/2, 1), and the binary logarithm of what they were divided by."""
    if edge.dtype == bool:
        return edge, 0.0
    values = edge.data if sp.issparse(edge) else edge
    exponent = int(np.frexp(values.max(initial=0))[1])
    if not sp.issparse(edge):
        return near_one(edge), float(exponent)
    return sp.csr_array((near_one(values), edge.indices, edge.indptr), shape=edge.shape), float(exponent)


def _normalise(part: NDArray[np.float64]) -> float:
    """Divide features by their norm, and return the binary logarithm of what they were divided by."""
    exponent = int(np.frexp(part.max(initial=0))[1])
    part[...] = near_one(part)
    norm = float(np.linalg.norm(part))
    part /= norm or 1
    return exponent + float(np.log2(norm)) if norm else -np.inf


def _checked_reach(reach: int | None, layers: int) -> int:
    if reach is None:
        return layers
    if isinstance(reach, bool) or not isinstance(reach, Integral) or reach < 1:
        raise ValueError(f"reach must be a positive integer, or None for all {layers} weight layers; got {shown(reach)}")
    return min(int(reach), layers)
