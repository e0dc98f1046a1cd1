"""Which later units a unit reaches, without a matrix of all pairs: for graphs of many units of which each reaches few."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from ..graph import Wiring

__all__ = ["MOST_ENTRIES", "check_size", "is_sparse", "sparse_reach"]

# N layers; a_i alive units in layer i; n units in all.

DENSE = 2**26  # features of all units together up to which a table of all of them is the fastest
SPARSE_COST = 8  # bytes of a feature that is stored by its position, with what is needed meanwhile, to one of a table
MOST_ENTRIES = 2**30  # bytes of features


def is_sparse(wiring: Wiring, within: Sequence[Sequence[int]]) -> bool:
    """Whether features are stored by their positions: many units, of which each reaches few.

    Examples
    --------
    >>> is_sparse(Wiring.of([np.ones((2, 2), dtype=bool)]), [(1,), ()])
    False
    """
    table = sum(size * sum(wiring.sizes[j] for j in some) for size, some in zip(wiring.sizes, within, strict=True))
    binary = all(block.weights.dtype == bool for block in wiring.blocks)
    return table > DENSE and binary and SPARSE_COST * _most_reached(wiring, within) < table


def check_size(wiring: Wiring, within: Sequence[Sequence[int]], sparse: bool) -> None:
    """Refuse features that need more memory than is tried.

    Raises
    ------
    ValueError
        When there are more of them than ``MOST_ENTRIES``.
    """
    binary = all(block.weights.dtype == bool for block in wiring.blocks)
    table = sum(size * sum(wiring.sizes[j] for j in some) for size, some in zip(wiring.sizes, within, strict=True))
    needed = SPARSE_COST * _most_reached(wiring, within) if sparse else table * (1 if binary else 8)
    if needed > MOST_ENTRIES:
        raise ValueError(
            f"what units reach must take at most {MOST_ENTRIES / 2**30:.0f} GiB; got an estimate of {needed / 2**30:,.1f} GiB for "
            f'{sum(wiring.sizes):,} alive units in {len(wiring.sizes)} layers. Give a small reach, such as reach=2, features="binary", or '
            "a graph with fewer edges"
        )


def sparse_reach(wiring: Wiring, within: Sequence[Sequence[int]]) -> tuple[sp.csr_array, ...]:
    """The binary features of :func:`~analysis.detection.features.reach_features` as sparse arrays, with the same columns.

    Examples
    --------
    >>> first, second = np.array([[1, 0], [1, 1]], dtype=bool), np.array([[1], [1]], dtype=bool)
    >>> found = sparse_reach(Wiring.of([first, second]), [(1, 2), (2,), ()])
    >>> found[0].astype(int).toarray().tolist()
    [[1, 0, 1], [1, 1, 1]]
    """
    starts = np.cumsum([0, *wiring.sizes])
    features: dict[int, sp.csr_array] = {}  # with a column for each unit of the graph
    for layer in reversed(range(len(wiring.sizes))):
        parts = []
        for block in (block for block in wiring.blocks if block.source == layer and block.target in within[layer]):
            edge = sp.csr_array(block.weights)
            shifted = sp.csr_array((edge.data, edge.indices + starts[block.target], edge.indptr), shape=(edge.shape[0], starts[-1]))
            parts += [shifted, sp.csr_array(edge @ features[block.target])]
        found = _union(parts) if parts else sp.csr_array((wiring.sizes[layer], starts[-1]), dtype=bool)
        features[layer] = _only(found, within[layer], starts)
    return tuple(features[layer][:, _places(within[layer], starts)] for layer in range(len(wiring.sizes)))


def _union(parts: Sequence[sp.csr_array]) -> sp.csr_array:
    """The union of binary matrices, without entries that are stored as False."""
    found = parts[0]
    for part in parts[1:]:
        found = found + part
    found = sp.csr_array(found)
    found.eliminate_zeros()
    return found


def _places(layers: Sequence[int], starts: NDArray[np.int64]) -> NDArray[np.int64]:
    """The columns of some layers."""
    return np.concatenate([np.zeros(0, dtype=np.int64), *(np.arange(starts[j], starts[j + 1]) for j in layers)])


def _only(found: sp.csr_array, layers: Sequence[int], starts: NDArray[np.int64]) -> sp.csr_array:
    """The entries in the columns of some layers."""
    kept = np.zeros(starts[-1], dtype=bool)
    kept[_places(layers, starts)] = True
    if kept[found.indices].all():
        return found
    found = found.copy()
    found.data = found.data & kept[found.indices]
    found.eliminate_zeros()
    return found


def _most_reached(wiring: Wiring, within: Sequence[Sequence[int]]) -> float:
    """At most so many features all units have together: a unit has no more than its children and all that they have."""
    most: dict[int, NDArray[np.float64]] = {}
    for layer in reversed(range(len(wiring.sizes))):
        total = np.zeros(wiring.sizes[layer])
        for block in (block for block in wiring.blocks if block.source == layer and block.target in within[layer]):
            total += (block.weights != 0) @ (1.0 + most[block.target])
        most[layer] = np.minimum(total, float(sum(wiring.sizes[j] for j in within[layer])))
    return float(sum(values.sum() for values in most.values()))
