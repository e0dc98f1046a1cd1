"""Success rates of trials, with their confidence intervals."""

from __future__ import annotations

import math
from dataclasses import dataclass
from numbers import Integral

__all__ = ["Rate", "wilson"]

Z = 1.959963984540054  # 97.5 % point of the standard normal distribution


def wilson(fraction: float, total: float) -> tuple[float, float]:
    """The Wilson 95 % confidence interval of a success rate, within [0, 1].

    For a fraction p of n trials and z = 1.96: (p + z^2 / 2n ± z sqrt(p (1 - p) / n + z^2 / 4n^2)) / (1 + z^2 / n). ``total`` may be an
    effective number, as for weighted trials. Source: Wilson, J. Am. Stat. Assoc. 22, 209 (1927).

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
    """Number of successes and of trials. Printed, such as ``11/12``.

    Parameters
    ----------
    successes : int
    total : int
        Number of trials, at least 1.

    Raises
    ------
    ValueError
        When there is no trial, there are more successes than trials, or either is not an integer.

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
                "a rate must be integers with total >= 1 and 0 <= successes <= total; "
                f"got successes={self.successes!r} and total={self.total!r}. Use None where there are no trials"
            )

    def __str__(self) -> str:
        return f"{self.successes}/{self.total}"

    @property
    def fraction(self) -> float:
        """Successes over trials, in [0, 1]."""
        return self.successes / self.total

    @property
    def interval(self) -> tuple[float, float]:
        """The 95 % confidence interval: see ``wilson``."""
        return wilson(self.fraction, self.total)
