"""What hidden units tell of the bits of two digits: whether a network computes the XOR of each bit apart from the others."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ...store import Row

__all__ = ["BITS", "bit_columns", "bit_shares"]

# S = rows, u = units of a layer.

BITS = (4, 2, 1)
PAIRS = 64
PURE = 0.9  # share from which on a unit is said to tell of one bit


def bit_shares(values: ArrayLike, digits: ArrayLike) -> NDArray[np.float64]:
    """How much of what each unit tells of two digits it tells of one bit of both; shape (u, 3), of the bits 4, 2 and 1.

    Parameters
    ----------
    values : array of shape (S, u)
    digits : int array of shape (S, 2)
        The left digit a and the right digit b of each row, 0 to 7, every pair about equally often, and more rows than the 64 pairs.

    Raises
    ------
    ValueError
        When the digits are others, or there are too few rows.

    Notes
    -----
    For a unit h and bit j the share is ``Var(E[h | a_j, b_j]) / Var(E[h | a, b])``: of the variance of its mean over the images of a
    pair of digits, the part that the j-th bits of both explain. It is a closed Sobol index (Sobol, Mathematical Modelling and
    Computational Experiment 1, 407 (1993)) of two bits among six independent ones, so the shares of a unit sum to 1 at the most: 1 for a
    unit that a_j and b_j alone decide, however (their XOR, their AND, one of them), 1/7 each for a unit that tells one digit from
    the seven others. Correlation with single bits would not do: an XOR has none with either. Chance of the images adds (groups - 1)
    times its variance to a sum of squares among the means of groups; estimated within the pairs, it is taken off (Kelley, PNAS 21, 554
    (1935)), and shares are cut to [0, 1]. A unit that tells nothing, whose variance of means is not above 0, has NaN.

    Examples
    --------
    >>> a, b = np.divmod(np.tile(np.arange(64), 2), 8)
    >>> units = np.stack([(a ^ b) & 4, (a & b & 1) + 0.0, a == 5, 0 * a], axis=1)
    >>> bit_shares(units, np.stack([a, b], axis=1)).round(2).tolist()
    [[1.0, 0.0, 0.0], [0.0, 0.0, 1.0], [0.14, 0.14, 0.14], [nan, nan, nan]]
    """
    units, pairs = np.asarray(values, dtype=float), np.asarray(digits)
    if pairs.shape != (len(units), 2) or len(pairs) <= PAIRS or pairs.min() < 0 or pairs.max() > 7:
        raise ValueError(f"digits must be two of 0...7 for each of the {len(units)} rows, more than {PAIRS}; got shape {pairs.shape}")
    cells = _among(units, 8 * pairs[:, 0] + pairs[:, 1])
    noise = (len(units) * units.var(axis=0) - cells) / (len(units) - PAIRS)
    told = cells - (PAIRS - 1) * noise
    by_bit = [_among(units, 2 * ((pairs[:, 0] & bit) > 0) + ((pairs[:, 1] & bit) > 0)) - 3 * noise for bit in BITS]
    nothing = told <= 1e-9 * units.var(axis=0)  # far above rounding
    shares = np.clip(np.stack(by_bit, axis=1) / np.where(nothing, 1, told)[:, None], 0, 1)
    return np.where(nothing[:, None], np.nan, shares)


def _among(units: NDArray[np.float64], groups: NDArray[np.int64]) -> NDArray[np.float64]:
    """The sum of squares among the means of groups of rows; shape (u,)."""
    member = groups[:, None] == np.unique(groups)
    sizes = member.sum(axis=0)
    means = member.T @ units / sizes[:, None]
    squares: NDArray[np.float64] = sizes @ (means - units.mean(axis=0)) ** 2
    return squares


def bit_columns(graph: Any, x: ArrayLike, digits: ArrayLike) -> Row:
    """Whether a network that XORs two digits computes the bits apart; its function first, then its edges.

    Only hidden units on a path from an input to an output count.

    Parameters
    ----------
    graph : LayeredGraph
        With an output for each of the bits 4, 2 and 1.
    x : array of shape (S, inputs)
    digits : int array of shape (S, 2)

    Returns
    -------
    dict
        ``bit_share``: for each hidden layer the mean over its units of the largest of their :func:`bit_shares`, such as
        ``"0.31-0.55-0.93"``; ``nan`` where no unit tells anything. ``bits_separate``: whether in a hidden layer below the last every
        unit tells of one bit, with a share of at least 0.9, and each bit is told of; in the last they have to be apart in a network of
        modules, since each of its units then serves one output. ``one_output``: for each hidden layer how many units reach one output
        only, such as ``"0-2-9"``.
    """
    alive = [np.flatnonzero(part) for part in graph.alive()[1:-1]]
    values = graph.unit_values(x)[1:-1]
    shares = [bit_shares(layer[:, kept], digits) for layer, kept in zip(values, alive, strict=True)]
    outputs = [np.count_nonzero(reach[kept], axis=1) for reach, kept in zip(_reached_outputs(graph), alive, strict=True)]
    return {
        "bit_share": "-".join(f"{_mean_largest(layer):.2f}" for layer in shares),
        "bits_separate": any(map(_separate, shares[:-1])),
        "one_output": "-".join(str(int((counts == 1).sum())) for counts in outputs),
    }


def _mean_largest(shares: NDArray[np.float64]) -> float:
    largest = shares[~np.isnan(shares[:, 0])].max(axis=1)
    return float(largest.mean()) if len(largest) else float("nan")


def _separate(shares: NDArray[np.float64]) -> bool:
    telling = shares[~np.isnan(shares[:, 0])]
    return bool((telling.max(axis=1) >= PURE).all()) and set(telling.argmax(axis=1).tolist()) == set(range(len(BITS)))


def _reached_outputs(graph: Any) -> list[NDArray[np.bool_]]:
    """Which outputs each unit of each hidden layer reaches, shapes (units, outputs)."""
    reach = [graph.weights[-1] != 0]
    for weight in graph.weights[-2:0:-1]:
        reach.append((weight != 0) @ reach[-1])
    return reach[::-1]
