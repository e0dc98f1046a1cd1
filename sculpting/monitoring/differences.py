"""How likely a difference between two samples is where both are drawn from one distribution.

n = rows of the reference, m = rows of a batch, d = units.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["of_groups", "of_shares", "of_values"]

ENOUGH = 10  # shuffles as far apart as the samples, after which no more are drawn
AT_ONCE, MOST_NUMBERS = 64, 2**22  # shuffles that are looked at together, and numbers that they may take


def of_values(reference: NDArray[np.float32], batch: NDArray[np.float32]) -> float:
    """The p-value of Kolmogorov and Smirnov of two samples of one unit; 1 where all values are equal."""
    from scipy.stats import ks_2samp

    return float(ks_2samp(reference, batch).pvalue) if len({*reference, *batch}) > 1 else 1.0


def of_shares(reference: NDArray[np.bool_], batch: NDArray[np.bool_]) -> float:
    """Fisher's exact p-value of two shares of rows."""
    from scipy.stats import fisher_exact

    return float(fisher_exact([[int(each.sum()), int((~each).sum())] for each in (reference, batch)]).pvalue)


def of_groups(reference: NDArray[np.float32], batch: NDArray[np.float32], most: int, random: np.random.Generator) -> float:
    """The p-value of the largest distance of Kolmogorov and Smirnov over several units, ``(n, d)`` against ``(m, d)``.

    Rows are shuffled between the samples, whole rows, so that the test is exact however the units depend on one another. Shuffling ends
    once 10 shuffles are as far apart as the samples are, and after ``most``. Source: Besag and Clifford, "Sequential Monte Carlo
    p-values", Biometrika 1991.

    Examples
    --------
    >>> random = np.random.default_rng(0)
    >>> rows = random.normal(size=(60, 3)).astype(np.float32)
    >>> of_groups(rows[:40], rows[40:], 999, random) > 0.05, of_groups(rows[:40], rows[40:] + 2, 999, random)
    (True, 0.001)
    """
    samples = _Samples(reference, batch)
    observed = samples.distances(samples.own[None])[0]
    at_once = max(1, min(AT_ONCE, MOST_NUMBERS // samples.order.size))
    far = drawn = 0
    while drawn < most and observed:
        shuffled = random.permuted(np.tile(samples.own, (min(at_once, most - drawn), 1)), axis=1)
        hits = np.flatnonzero(samples.distances(shuffled) >= observed)
        if far + len(hits) >= ENOUGH:
            return ENOUGH / (drawn + int(hits[ENOUGH - far - 1]) + 1)
        far, drawn = far + len(hits), drawn + len(shuffled)
    return (far + 1) / (most + 1) if observed else 1.0


class _Samples:
    """Two samples of the same units, put together."""

    def __init__(self, reference: NDArray[np.float32], batch: NDArray[np.float32]) -> None:
        rows = np.concatenate([reference, batch])
        self.order = rows.argsort(axis=0, kind="stable")
        values = np.take_along_axis(rows, self.order, axis=0)
        # Between equal values there is no step of a distribution function.
        self.steps = np.append(values[1:] != values[:-1], np.zeros((1, rows.shape[1]), dtype=bool), axis=0)
        # Whole numbers, so that distances are exact: n m times that between the distribution functions.
        self.own = np.repeat(np.array([len(batch), -len(reference)]), [len(reference), len(batch)])

    def distances(self, owners: NDArray[np.int64]) -> NDArray[np.int64]:
        """The largest distance over all units for each assignment of rows ``(shuffles, n + m)``."""
        found: NDArray[np.int64] = np.abs(np.cumsum(owners[:, self.order], axis=1) * self.steps).max(axis=(1, 2), initial=0)
        return found
