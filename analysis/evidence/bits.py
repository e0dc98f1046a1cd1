"""The shares of the bits of two digits in the variance of units."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..graph.arrays import checked_array

__all__ = ["bit_shares"]

# S = rows, u = units.

BITS = (4, 2, 1)
PAIRS = 64  # of digits


def bit_shares(values: ArrayLike, digits: ArrayLike) -> NDArray[np.float64]:
    """For each unit and each bit of two digits, the share of the unit's variance between digit pairs that the bit explains.

    Parameters
    ----------
    values : array of shape (S, u)
    digits : int array of shape (S, 2)
        The left digit a and the right digit b of each row, 0 to 7. Every pair occurs about equally often, and there are more rows than
        the 64 pairs.

    Returns
    -------
    array of shape (u, 3)
        Shares in [0, 1], of the bits 4, 2 and 1. NaN for a unit whose mean does not vary between the pairs.

    Raises
    ------
    ValueError
        When digits are not from 0 to 7, or there are too few rows.

    Notes
    -----
    The share of bit j in unit h is ``Var(E[h | a_j, b_j]) / Var(E[h | a, b])``. The denominator is the variance of the unit's mean over
    the images of a digit pair. The numerator is the part of it that the j-th bits of both digits explain. This is a closed Sobol index
    (Sobol, Mathematical Modelling and Computational Experiment 1, 407 (1993)) of two bits among six independent ones, so the shares of
    a unit sum to at most 1. A unit that depends on a_j and b_j alone has the share 1, whatever it computes of them: their XOR, their AND
    or one of them. A unit that separates one digit from the seven others has 1/7 for each bit. Correlation with single bits would miss
    an XOR, which correlates with neither of its bits.

    Variation between images of one pair adds (groups - 1) times its variance to a sum of squares between group means. It is estimated
    within the pairs and subtracted (Kelley, PNAS 21, 554 (1935)); shares are then clipped to [0, 1].

    Examples
    --------
    >>> a, b = np.divmod(np.tile(np.arange(64), 2), 8)
    >>> units = np.stack([(a ^ b) & 4, (a & b & 1) + 0.0, a == 5, 0 * a], axis=1)
    >>> bit_shares(units, np.stack([a, b], axis=1)).round(2).tolist()
    [[1.0, 0.0, 0.0], [0.0, 0.0, 1.0], [0.14, 0.14, 0.14], [nan, nan, nan]]
    """
    units, pairs = checked_array(values, "values"), np.asarray(digits)
    if pairs.shape != (len(units), 2) or len(pairs) <= PAIRS or pairs.min() < 0 or pairs.max() > 7:
        raise ValueError(f"digits must be two of 0...7 for each of the {len(units)} rows, more than {PAIRS}; got shape {pairs.shape}")
    cells = _between(units, 8 * pairs[:, 0] + pairs[:, 1])
    noise = (len(units) * units.var(axis=0) - cells) / (len(units) - PAIRS)
    signal = cells - (PAIRS - 1) * noise
    by_bit = [_between(units, 2 * ((pairs[:, 0] & bit) > 0) + ((pairs[:, 1] & bit) > 0)) - 3 * noise for bit in BITS]
    constant = signal <= 1e-9 * units.var(axis=0)  # far above rounding
    shares = np.clip(np.stack(by_bit, axis=1) / np.where(constant, 1, signal)[:, None], 0, 1)
    return np.where(constant[:, None], np.nan, shares)


def _between(units: NDArray[np.float64], groups: NDArray[np.int64]) -> NDArray[np.float64]:
    """The sum of squares between the means of groups of rows; shape (u,)."""
    member = groups[:, None] == np.unique(groups)
    sizes = member.sum(axis=0)
    means = member.T @ units / sizes[:, None]
    squares: NDArray[np.float64] = sizes @ (means - units.mean(axis=0)) ** 2
    return squares
