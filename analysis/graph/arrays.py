"""Input values as arrays of floats: conversion, checks and scaling."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from numbers import Integral
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from .frames import is_frame
from .limits import check_dense

__all__ = ["checked_array", "checked_matrix", "kept", "near_one"]

DEEPEST = 8  # sequences within one another that are counted


def checked_array(values: Any, name: str) -> NDArray[np.float64]:
    """Values as an array of floats: an array, a SciPy sparse array, a tensor or a data frame. It may share memory with the values.

    Raises
    ------
    TypeError
        When values are not real numbers.
    ValueError
        When entries are masked, a number is too large for a float, or there are more than ``MOST_ENTRIES`` numbers.
    """
    check_dense(_count(values), name)
    array = values.toarray() if sp.issparse(values) else _of_tensor(values) if hasattr(values, "detach") else values
    if np.ma.is_masked(array):
        raise ValueError(
            f"{name} must have a number everywhere; got {np.ma.count_masked(array)} masked entries. Fill them, with 0 for no edge"
        )
    try:
        if np.iscomplexobj(array):
            raise TypeError("complex numbers; give real ones")
        return np.asarray(array, dtype=float)
    except OverflowError as error:
        raise ValueError(f"{name} must hold numbers that a float can hold; got {error}. Scale them") from error
    except (TypeError, ValueError, RuntimeError) as error:  # of objects that only look like sequences, too
        raise TypeError(f"{name} must hold real numbers; got {type(values).__name__}{_wrong_column(values)}: {error}") from error


def _count(values: Any) -> int:
    """How many numbers an array would have, by its shape or by the lengths of the first sequences in one another."""
    shape = getattr(values, "shape", None)
    if isinstance(shape, tuple):
        return prod(int(side) for side in shape if isinstance(side, Integral))
    count, depth = 1, 0
    while isinstance(values, Sequence) and not isinstance(values, (str, bytes)) and depth < DEEPEST:
        count, depth = count * len(values), depth + 1
        values = values[0] if len(values) else None
    return count


def _of_tensor(tensor: Any) -> Any:
    """A tensor of torch as one that NumPy reads, which it cannot where numbers are of 16 bits or stored sparsely."""
    dense = tensor.detach().cpu().to_dense()
    return dense if dense.is_complex() else dense.double()


def _wrong_column(values: Any) -> str:
    """Where the columns of a data frame have names, the first that does not hold numbers."""
    for name in values.columns if is_frame(values) else ():
        try:
            np.asarray(values[name], dtype=float)
        except (TypeError, ValueError):
            return f" with {values[name].dtype} in column {name!r}. Fill what is missing, encode texts as numbers, or leave the column out"
    return ""


def checked_matrix(values: Any, name: str) -> NDArray[np.float64]:
    """Values as a matrix of finite floats, with at least one row and column. It may share memory with the values."""
    array = checked_array(values, name)
    if array.ndim != 2 or array.size == 0:
        raise ValueError(f"{name} must be a matrix with at least one row and one column; got shape {array.shape}")
    if not np.isfinite(array).all():
        raise ValueError(f"{name} must be finite; got {int((~np.isfinite(array)).sum())} NaN or infinite values")
    return array


def kept(array: NDArray[np.float64]) -> NDArray[np.float64]:
    """A read-only copy with the same memory order.

    An array that owns its data and is read-only already is returned itself, as in a graph made from another graph.
    """
    if array.flags.owndata and not array.flags.writeable:
        return array
    copy = np.array(array)
    copy.setflags(write=False)
    return copy


def near_one(strengths: NDArray[np.float64]) -> NDArray[np.float64]:
    """``strengths`` times the power of two that brings the largest into [1/2, 1).

    Scaling by a power of two is exact, and keeps squares and products within the range of floating-point numbers.

    Examples
    --------
    >>> near_one(np.array([0.0, 3.0, 4.0])).tolist()
    [0.0, 0.375, 0.5]
    """
    return np.ldexp(strengths, -np.frexp(strengths.max(initial=0))[1])
