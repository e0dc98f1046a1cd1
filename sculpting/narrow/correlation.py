"""How well one score stands in for another."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..checks import shown

__all__ = ["ScoreCorrelation", "score_correlation"]


@dataclass(frozen=True)
class ScoreCorrelation:
    """Correlations of two scores of the same units.

    Attributes
    ----------
    pearson : float
        Of the scores themselves, which the few largest decide.
    pearson_log : float
        Of their logarithms, without the pairs in which one is 0.
    spearman : float
        Of their ranks, ties at their mean rank: what pruning by order sees.
    count : int
        Units.
    zeros : int
        How many of them the logarithms leave out.
    """

    pearson: float
    pearson_log: float
    spearman: float
    count: int
    zeros: int

    def __str__(self) -> str:
        without = f" ({self.zeros} left out for a 0)" if self.zeros else ""
        logs = f"of logarithms {self.pearson_log:.2f}{without}"
        return f"{self.count} units: Pearson {self.pearson:.2f}, {logs}, Spearman {self.spearman:.2f}"


def score_correlation(a: NDArray[Any] | Sequence[ArrayLike], b: NDArray[Any] | Sequence[ArrayLike]) -> ScoreCorrelation:
    """How two scores of the same units agree: Pearson, Pearson of logarithms, Spearman.

    Parameters
    ----------
    a, b : array of shape (H,), or sequence of arrays, one for each layer
        Scores, at least 0; layers are pooled.

    Returns
    -------
    ScoreCorrelation
        NaN where a correlation is not defined: fewer than two pairs, or one side constant.

    Raises
    ------
    ValueError
        When the two are not of equal length, or a score is negative or not finite.

    Examples
    --------
    >>> print(score_correlation([[0.0, 1.0], [2.0, 4.0]], [[0.0, 1.0], [4.0, 16.0]]))
    4 units: Pearson 0.96, of logarithms 1.00 (1 left out for a 0), Spearman 1.00
    """
    from scipy import stats  # half as long to import as torch

    first, second = _pooled(a, "a"), _pooled(b, "b")
    if len(first) != len(second):
        raise ValueError(f"a and b must score the same units; got {len(first)} and {len(second)} scores")
    kept = (first > 0) & (second > 0)
    return ScoreCorrelation(
        _correlation(stats.pearsonr, first, second),
        _correlation(stats.pearsonr, np.log(first[kept]), np.log(second[kept])),
        _correlation(stats.spearmanr, first, second),
        len(first),
        int((~kept).sum()),
    )


def _pooled(scores: NDArray[Any] | Sequence[ArrayLike], name: str) -> NDArray[np.float64]:
    try:
        pooled = np.concatenate([np.ravel(part) for part in scores] or [np.empty(0)]).astype(np.float64)
    except Exception as error:  # of NumPy, or of the user's class
        raise TypeError(f"{name} must be arrays of scores, one for each layer of units; got {shown(scores)}") from error
    if not (np.isfinite(pooled) & (pooled >= 0)).all():
        raise ValueError(f"{name} must be finite scores of at least 0; got {pooled[~(np.isfinite(pooled) & (pooled >= 0))][0]}")
    return pooled


def _correlation(measure: Callable[..., Any], a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    defined = len(a) > 1 and np.ptp(a) > 0 and np.ptp(b) > 0
    return float(measure(a, b).statistic) if defined else float("nan")
