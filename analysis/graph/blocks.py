"""Layers of units and blocks of edges between two of them, which a graph of units is made of."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from .arrays import checked_array
from .limits import MOST_UNITS

__all__ = ["CARRY", "INPUT", "OUTPUT", "UNWEIGHTED", "Block", "Layer", "Matrix", "entries_of", "layer_names", "stored_matrix", "transposed"]

INPUT, OUTPUT = "input", "output"  # kinds of layers
CARRY = "carry"  # a kind of block
UNWEIGHTED = ("product", "gate", "mix")  # kinds of blocks whose edges are no parameters, and so have weight 1 and no sign

Matrix: TypeAlias = NDArray[Any] | sp.csr_array


@dataclass(frozen=True)
class Layer:
    """Units of one kind at one point of the forward pass.

    Attributes
    ----------
    name : str
        Such as ``"layers.0.mlp"``.
    kind : str
        ``"input"``, ``"output"``, or any other word, such as ``"neuron"``, ``"channel"``, ``"residual"`` or ``"value"``.
    size : int
        Number of units.
    units : tuple of str, optional
        Their names.
    images : float array of shape (size, h, w), optional
        A small image of each unit, such as the kernel of a channel, which pictures show. Other formats do not hold them.
    """

    name: str
    kind: str
    size: int
    units: tuple[str, ...] = ()
    images: NDArray[np.float64] | None = field(default=None, repr=False, compare=False)


@dataclass(frozen=True, eq=False)
class Block:
    """Edges from the units of one layer to those of a later one.

    Attributes
    ----------
    source, target : int
        Positions of the layers.
    weights : matrix of shape (size of the source, size of the target)
        Row = source, column = target. Zero means no edge. The edge of a kernel is its L2 norm.
    kind : str
        ``"carry"`` where a unit of the target is the unit of the source itself, unchanged, as along a residual stream. Any other word says
        what the edges are, such as ``"dense"``, ``"conv"``, ``"q"``, ``"product"`` or ``"gate"``.
    """

    source: int
    target: int
    weights: Matrix
    kind: str = "dense"

    @property
    def carry(self) -> bool:
        """Whether the edges join each unit with itself, one stage later."""
        return self.kind == CARRY


def layer_names(depth: int) -> list[str]:
    """The name of each layer of a chain with ``depth`` weight layers.

    Examples
    --------
    >>> layer_names(2)
    ['inputs', 'hidden 1', 'outputs']
    """
    return ["inputs", *(f"hidden {i}" for i in range(1, depth)), "outputs"]


def entries_of(matrix: Matrix) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[Any]]:
    """Rows, columns and values of the entries of a matrix that are not zero, row by row.

    Examples
    --------
    >>> [part.tolist() for part in entries_of(np.array([[0.0, 2.0], [3.0, 0.0]]))]
    [[0, 1], [1, 0], [2.0, 3.0]]
    """
    rows, columns = matrix.nonzero()
    values = np.asarray(matrix[rows, columns]).ravel() if len(rows) else np.zeros(0)
    return rows.astype(np.int64), columns.astype(np.int64), values


def transposed(matrix: Matrix) -> Matrix:
    """The transpose, sparse row by row where the matrix is sparse.

    Examples
    --------
    >>> transposed(sp.csr_array(np.array([[1.0, 2.0]]))).format
    'csr'
    """
    return sp.csr_array(matrix.T) if sp.issparse(matrix) else matrix.T


def stored_matrix(weights: Any, name: str) -> sp.csr_array:
    """Weights as a read-only sparse matrix of finite floats without stored zeros.

    Raises
    ------
    TypeError
        When they are not real numbers.
    ValueError
        When they are no matrix, or not finite.
    """
    given = weights if sp.issparse(weights) else checked_array(weights, name)  # SciPy before 1.13 makes one row of a vector
    if given.ndim != 2 or max(given.shape) > MOST_UNITS:
        raise ValueError(f"{name} must be a matrix, a row for each unit of the source; got shape {given.shape}")
    matrix = sp.coo_array(given)
    # Converted to floats before duplicate entries are added up: small integer types would overflow.
    found = sp.csr_array((checked_array(matrix.data, name), (matrix.row, matrix.col)), shape=matrix.shape)
    found.sum_duplicates()
    found.eliminate_zeros()
    if not np.isfinite(found.data).all():
        raise ValueError(f"{name} must be finite; got {int((~np.isfinite(found.data)).sum())} NaN or infinite values")
    for array in (found.data, found.indices, found.indptr):
        array.setflags(write=False)
    return found
