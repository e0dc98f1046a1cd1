"""Threshold functions: what one unit can compute."""

from __future__ import annotations

from functools import cache, lru_cache
from itertools import product

import numpy as np
from numpy.typing import NDArray

__all__ = ["LARGEST", "all_rows", "is_threshold"]

LARGEST = 8  # inputs of a function that is tested
UNATE_ENOUGH = 3  # inputs
KEPT = 10_000  # answers


@cache
def all_rows(inputs: int) -> NDArray[np.bool_]:
    """Every row of so many inputs, shape (2^n, n), the first column slowest."""
    return np.array(list(product((False, True), repeat=inputs)), dtype=bool).reshape(2**inputs, inputs)


def is_threshold(column: NDArray[np.bool_]) -> bool:
    """Whether a Boolean function is ``w x > b`` for some weights w and b.

    Parameters
    ----------
    column : bool array of shape (2^n,)
        Its values on :func:`all_rows`.

    Notes
    -----
    A linear program looks for w and b with ``w x - b >= 1`` where the function is true, and ``<= -1`` where it is false. It has a
    solution exactly for threshold functions, since w and b may be scaled.

    Examples
    --------
    >>> a, b, c = all_rows(3).T
    >>> is_threshold(a & b | a & c | b & c), is_threshold(a & (b | c)), is_threshold(a ^ b)
    (True, True, False)
    """
    return _is_known(column.tobytes(), int(column.size).bit_length() - 1)


@lru_cache(KEPT)
def _is_known(column: bytes, inputs: int) -> bool:
    true = np.frombuffer(column, dtype=bool)
    if not _is_unate(true, inputs):
        return False
    # Of at most three inputs, every unate function is a threshold function.
    return inputs <= UNATE_ENOUGH or _has_weights(true, inputs)


def _is_unate(column: NDArray[np.bool_], inputs: int) -> bool:
    """Whether no input raises the value in one row and lowers it in another, as a threshold function requires."""
    table = column.reshape((2,) * inputs)
    halves = (np.moveaxis(table, i, 0) for i in range(inputs))
    return not any(bool((low & ~high).any() and (high & ~low).any()) for low, high in halves)


def _has_weights(true: NDArray[np.bool_], inputs: int) -> bool:
    from scipy.optimize import linprog  # costs a noticeable part of importing the package

    if true.all() or not true.any():
        return True
    sides = np.where(true, 1.0, -1.0)[:, None]
    rows = np.concatenate([all_rows(inputs), -np.ones((len(true), 1))], axis=1)
    found = linprog(np.zeros(inputs + 1), A_ub=-sides * rows, b_ub=-np.ones(len(true)), bounds=(None, None))
    return bool(found.success)
