"""Successes of trials, and how far the true rate may lie from what was seen."""

from __future__ import annotations

import math
from dataclasses import dataclass
from numbers import Integral

__all__ = ["Rate", "wilson"]

Z = 1.959963984540054  # 97.5 % point of the standard normal distribution


def wilson(fraction: float, total: float) -> tuple[float, float]:
    """Lowest and highest true rate where a fraction of so many trials succeeded: the 95 % interval, within [0, 1].

    For a fraction p of n trials and z = 1.96: (p + z^2 / 2n ± z sqrt(p (1 - p) / n + z^2 / 4n^2)) / (1 + z^2 / n). ``total`` may be an
    effective number, such as that of weighted trials. Source: Wilson, J. Am. Stat. Assoc. 22, 209 (1927).

    Examples
    --------
    >>> [round(end, 3) for end in wilson(0.5, 10)]
    [0.237, 0.763]
    """
    square = Z * Z / total
    centre, half = fraction + square / 2, math.sqrt(max(fraction * (1 - fraction), 0) * square + square * square / 4)
    low, high = ((end / (1 + square)) for end in (centre - half, centre + half))
    return max(0.0, low), min(1.0, high)


@dataclass(frozen=True)
class Rate:
    """So many successes of so many trials; printed, ``11/12``.

    Parameters
    ----------
    successes : int
    total : int
        Trials, at least 1.

    Raises
    ------
    ValueError
        When there is no trial, there are more successes than trials, or either is no whole number.

    Examples
    --------
    >>> rate = Rate(11, 12)
    >>> print(rate, round(rate.fraction, 3), [round(end, 3) for end in rate.interval])
    11/12 0.917 [0.646, 0.985]
    """

    successes: int
    total: int

    def __post_init__(self) -> None:
        whole = all(isinstance(n, Integral) and not isinstance(n, bool) for n in (self.successes, self.total))
        if not whole or self.total < 1 or not 0 <= self.successes <= self.total:
            raise ValueError(
                f"a rate must have at least one trial and from none to all of them successes, in whole numbers; "
                f"got {self.successes!r} of {self.total!r}. "
                "Where nothing was tried, use None"
            )

    def __str__(self) -> str:
        return f"{self.successes}/{self.total}"

    @property
    def fraction(self) -> float:
        """Successes over trials, in [0, 1]."""
        return self.successes / self.total

    @property
    def interval(self) -> tuple[float, float]:
        """Lowest and highest true rate: see ``wilson``."""
        return wilson(self.fraction, self.total)
