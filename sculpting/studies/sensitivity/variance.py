"""How much of the variance of success each setting explains: an analysis of variance with tasks as blocks.

T = tasks, V = values of a setting, R = results of a task at a value.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Shares", "bootstrapped", "interval", "permuted", "shares_of"]

Results = NDArray[np.float64]


@dataclass(frozen=True)
class Shares:
    """Shares of the variance of success within tasks; the rest is between seeds.

    Attributes
    ----------
    value : float
        By the value of the setting, the same in all tasks; without what chance adds, so that it may be below 0.
    plain : float
        The same with what chance adds.
    by_task : float
        By the value differently in each task, without what chance adds.
    """

    value: float
    plain: float
    by_task: float


def shares_of(results: Results) -> Shares:
    """The shares of the variance of success that the values of one setting explain.

    With success y of task t, value v and result r, the sum of squares within tasks, sum (y_tvr - y_t..)^2, is that of values,
    T R sum_v (y_.v. - y_...)^2, that of values by task, R sum_tv (y_tv. - y_t.. - y_.v. + y_...)^2, and the rest, E. ``plain`` is the
    first over the sum, eta squared, the first-order index of Sobol of the value within a task. ``value`` is epsilon squared,
    (first - (V - 1) E / (T V (R - 1))) / sum.

    Parameters
    ----------
    results : float array of shape (T, V, R)
        0 or 1.

    Notes
    -----
    Sources: Fisher, Statistical Methods for Research Workers (1925); Kelley, PNAS 21, 554 (1935), epsilon squared; Cohen, Educ.
    Psychol. Meas. 33, 107 (1973), for shares after the variance of blocks is removed; Sobol, Math. Model. Comput. Exp. 1, 407 (1993).
    Where all results of every task are equal there is nothing to explain, and the shares are 0. Of a single result of each task and
    value, what differs by task counts as chance.

    Examples
    --------
    >>> shares_of(np.array([[[0.0, 0.0], [1.0, 1.0]], [[0.0, 0.0], [1.0, 1.0]]]))
    Shares(value=1.0, plain=1.0, by_task=0.0)
    """
    tasks, values, repeats = results.shape
    task, value, cell = results.mean((1, 2), keepdims=True), results.mean((0, 2), keepdims=True), results.mean(2, keepdims=True)
    mean = results.mean()
    total = float(((results - task) ** 2).sum())
    if total == 0:
        return Shares(0.0, 0.0, 0.0)
    of_value = tasks * repeats * float(((value - mean) ** 2).sum())
    of_both = repeats * float(((cell - task - value + mean) ** 2).sum())
    crossed = (tasks - 1) * (values - 1)
    chance = (total - of_value - of_both) / (tasks * values * (repeats - 1)) if repeats > 1 else of_both / crossed
    by_task = (of_both - crossed * chance) / total
    return Shares((of_value - (values - 1) * chance) / total, of_value / total, by_task)


def permuted(results: Results, times: int, seed: int = 0) -> float:
    """How often the values explain at least as much as here when the results of each task are shuffled over the values: a p-value.

    The results as they are count as one of the shuffles (Phipson and Smyth, Stat. Appl. Genet. Mol. Biol. 9, 39, 2010).

    Examples
    --------
    >>> round(permuted(np.array([[[0.0] * 6, [1.0] * 6]] * 4), 999), 3)
    0.001
    """
    tasks, values, repeats = results.shape
    rng = np.random.default_rng(seed)
    flat = np.broadcast_to(results.reshape(tasks, -1), (times, tasks, values * repeats))
    means = rng.permuted(flat, axis=2).reshape(times, tasks, values, repeats).mean((1, 3))
    here = results.mean((0, 2)).var()
    return float((np.count_nonzero(means.var(axis=1) >= here - 1e-12) + 1) / (times + 1))


def bootstrapped(settings: Mapping[str, Results], times: int, seed: int = 0) -> dict[str, NDArray[np.float64]]:
    """Draws of the share of each setting's values, of shape (times,): the results of every task are drawn again with replacement.

    All values and settings get the same draws, since their seeds are the same and the default is a value of each. To draw results again
    adds chance a second time, so that the draws are moved to have ``value`` as their mean (Efron and Tibshirani, An Introduction to the
    Bootstrap, 1993, 10.3).
    """
    rng = np.random.default_rng(seed)
    draws = {name: np.empty(times) for name in settings}
    for k in range(times):
        picks: dict[tuple[int, int], NDArray[np.int64]] = {}
        for name, results in settings.items():
            tasks, _, repeats = results.shape
            if (tasks, repeats) not in picks:
                picks[tasks, repeats] = rng.integers(repeats, size=(tasks, 1, repeats))
            draws[name][k] = shares_of(np.take_along_axis(results, picks[tasks, repeats], axis=2)).value
    return {name: some - some.mean() + shares_of(settings[name]).value for name, some in draws.items()}


def interval(draws: NDArray[np.float64]) -> tuple[float, float]:
    """The middle 95 % of draws, within [0, 1].

    Examples
    --------
    >>> interval(np.linspace(-0.1, 0.9, 101))
    (0.0, 0.875)
    """
    low, high = np.clip(np.quantile(draws, (0.025, 0.975)), 0, 1)
    return float(low), float(high)
