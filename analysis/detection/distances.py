"""Distances between units, from their features. A distance is one function and one entry in ``DISTANCES``."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from scipy.spatial.distance import pdist, squareform

__all__ = [
    "DISTANCES", "OF_OVERLAPS", "TOLERANCE", "Rows", "cosine_distances", "differences", "euclidean_distances", "jaccard_distances",
    "overlaps", "shapes", "sizes_of",
]  # fmt: skip

# n units, f features. Rows are bool (which units are reached), which may be sparse, or floats of at least 0 (how strongly).

# Distances and scores closer than this are tied: far above the rounding of a linkage, far below any true difference of small counts.
TOLERANCE = 1e-9

Rows: TypeAlias = NDArray[np.bool_] | NDArray[np.float64] | sp.csr_array

ROWS, CHUNK = 1024, 256  # rows and columns of sparse features that are multiplied at once
SPARSE_PAYS = 32  # a multiplication of dense matrices takes a 32nd of the time of one with sparse ones


def cosine_distances(rows: Rows) -> NDArray[np.float64]:
    """Cosine distances of rows, shape (n, n), in [0, 1]; 0 between two empty rows and 1 from an empty row to any other.

    ``1 - <a, b> / sqrt(<a, a> <b, b>)``, which is ``1 - |a & b| / sqrt(|a| |b|)`` for binary rows. These are computed from integer
    overlaps, so that equal overlaps give exactly equal distances.

    Examples
    --------
    >>> cosine_distances(np.array([[True, True], [True, True], [False, False]])).tolist()
    [[0.0, 0.0, 1.0], [0.0, 0.0, 1.0], [1.0, 1.0, 0.0]]
    """
    return cosine_of(overlaps(shapes(rows)))  # the scale of a row does not change cosines, and squares of shares do not underflow


def cosine_of(shared: NDArray[np.floating]) -> NDArray[np.float64]:
    """Cosine distances of rows whose products are ``shared``."""
    sizes = shared.diagonal().astype(float)
    distances = np.outer(sizes, sizes)  # in place from here: copies of a layer of thousands of units take too much memory
    np.maximum(distances, 1, out=distances)
    np.divide(shared, np.sqrt(distances, out=distances), out=distances)
    np.subtract(1, distances, out=distances)
    np.maximum(distances, 0, out=distances)
    empty = sizes == 0
    if empty.any():
        distances[np.outer(empty, empty)] = 0
    return distances


def jaccard_distances(rows: Rows) -> NDArray[np.float64]:
    """Jaccard distances of rows, shape (n, n), in [0, 1]; 0 between two empty rows and 1 from an empty row to any other.

    ``1 - sum_j min(a_j, b_j) / sum_j max(a_j, b_j)``, which is ``1 - |a & b| / |a | b|`` for binary rows.

    Examples
    --------
    >>> jaccard_distances(np.array([[True, True, False], [True, True, True], [False, False, True]]))[0].round(3).tolist()
    [0.0, 0.333, 1.0]
    """
    return _jaccard(differences(rows), sizes_of(rows))


def _jaccard(apart: NDArray[np.float64], sizes: NDArray[np.float64]) -> NDArray[np.float64]:
    # min(a, b) + max(a, b) = a + b, and max(a, b) - min(a, b) = |a - b|.
    united = np.add.outer(sizes, sizes) + apart
    united[united == 0] = 1
    return 2 * apart / united


def euclidean_distances(rows: Rows) -> NDArray[np.float64]:
    """Euclidean distances of rows, shape (n, n); for binary rows the square root of the number of units that only one of two reaches.

    Examples
    --------
    >>> euclidean_distances(np.array([[True, True, False, False, False], [False, True, True, True, True]])).tolist()
    [[0.0, 2.0], [2.0, 0.0]]
    """
    return np.sqrt(differences(rows)) if rows.dtype == bool else _pairwise(rows, "euclidean")


DISTANCES: dict[str, Callable[[Rows], NDArray[np.float64]]] = {
    "cosine": cosine_distances,
    "jaccard": jaccard_distances,
    "euclidean": euclidean_distances,
}

# The same distances of binary rows, from the numbers of features that two of them share.
OF_OVERLAPS: dict[str, Callable[[NDArray[np.floating]], NDArray[np.float64]]] = {
    "cosine": cosine_of,
    "jaccard": lambda shared: _jaccard(_apart(shared), shared.diagonal().astype(float)),
    "euclidean": lambda shared: np.sqrt(_apart(shared)),
}


def shapes(rows: Rows) -> Rows:
    """Rows divided by their largest entry; bool rows and rows of zeros are not changed.

    Examples
    --------
    >>> shapes(np.array([[1.0, 4.0], [0.0, 0.0]])).tolist()
    [[0.25, 1.0], [0.0, 0.0]]
    """
    if rows.dtype == bool:
        return rows
    scale = rows.max(axis=1, initial=0, keepdims=True)
    return rows / np.where(scale > 0, scale, 1)


def sizes_of(rows: Rows) -> NDArray[np.float64]:
    """The sum of each row, shape (n,)."""
    found: NDArray[np.float64] = np.asarray(rows.sum(axis=1), dtype=float) if sp.issparse(rows) else rows.sum(axis=1, dtype=float)
    return found


def overlaps(rows: Rows) -> NDArray[np.floating]:
    """Products of rows, shape (n, n); for binary rows the exact number of features that two of them share.

    Examples
    --------
    >>> overlaps(sp.csr_array(np.array([[True, True, False], [False, True, True]]))).tolist()
    [[2.0, 1.0], [1.0, 2.0]]
    """
    if sp.issparse(rows):
        return _sparse_overlaps(rows)
    # Single precision counts exactly up to 2^24, in half the time and memory.
    factors = rows.astype(np.float32) if rows.dtype == bool and rows.shape[1] < 2**24 else rows.astype(float)
    return factors @ factors.T


def differences(rows: Rows) -> NDArray[np.float64]:
    """Sums of absolute differences, shape (n, n)."""
    if rows.dtype != bool:
        return _pairwise(rows, "cityblock")
    return _apart(overlaps(rows))


def _apart(shared: NDArray[np.floating]) -> NDArray[np.float64]:
    """The number of features that only one of two binary rows has, shape (n, n)."""
    sizes = shared.diagonal().astype(float)
    return np.add.outer(sizes, sizes) - 2 * shared


def _sparse_overlaps(rows: sp.csr_array) -> NDArray[np.float32]:
    """The overlaps of sparse binary rows, a part at a time, so that nothing larger than the result is made."""
    units, features = rows.shape
    counts = sp.csr_array((np.ones(rows.nnz, dtype=np.float32), rows.indices, rows.indptr), shape=rows.shape)
    read = np.bincount(rows.indices, minlength=features).astype(float)
    found = np.zeros((units, units), dtype=np.float32)
    if SPARSE_PAYS * float(read @ read) < float(units) ** 2 * features:
        for start in range(0, units, ROWS):
            part = (counts[start : start + ROWS] @ sp.csr_array(counts[start:].T)).toarray()
            found[start : start + ROWS, start:] = part
            found[start:, start : start + ROWS] = part.T
        return found
    columns = counts.tocsc()[:, np.flatnonzero(read)]
    for start in range(0, columns.shape[1], CHUNK):
        part = columns[:, start : start + CHUNK].toarray()
        found += part @ part.T
    return found


def _pairwise(rows: Rows, metric: str) -> NDArray[np.float64]:
    return squareform(pdist(rows, metric)) if rows.size else np.zeros((len(rows), len(rows)))
