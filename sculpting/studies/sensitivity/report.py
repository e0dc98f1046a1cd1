"""The sensitivity study in words and pictures: how many results are right at each value of each setting, and what settings explain."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ...store import Row
from ...study import Read
from ..common.reporting import hours, pictures
from ..common.settings import SEEDS
from ..common.success_rates import rate_of, table
from .cells import CATEGORIES, DEFAULT, DETECTION, TASKS, ordered, task_of, value_text, values_and_defaults
from .variance import Shares, bootstrapped, interval, permuted, shares_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from analysis import Rate

__all__ = ["Explained", "explained", "right_at", "sensitivity_report", "sensitivity_summary"]

STRICT, LENIENT = ("exact",), ("exact", "valid")
SIZES = {"single seeds": 1, "answers of four": SEEDS}
DRAWS, SHUFFLES, FIRST = 1_000, 4_999, 3
HEADER = (
    "setting", "right: single seeds, answers of four", "share", "p", "by task", "answers: share", "p", "valid", "nearest", "first three",
)  # fmt: skip
Values = dict[Any, list[Row]]
MEANING = (
    "One setting changed at a time; the default in bold. After each value, how many single seeds and how many answers of four, the "
    "consensus of four seeds, are exactly the truth. *Share*: of the variance of success within tasks, what the values of the setting "
    "explain (epsilon squared), with the middle 95 % of a bootstrap over seeds; *p*: by shuffling. *By task*: what they explain "
    "differently from task to task. *Valid*: the share where other valid decompositions count as right. *Nearest*: with the default and "
    "the values beside it alone. *First three*: in how many of the draws the setting is among the three of the largest shares."
)


@dataclass(frozen=True)
class Explained:
    """What the values of a setting explain of the variance of success.

    Attributes
    ----------
    shares : Shares
        Of single seeds.
    interval : (float, float)
        Of ``shares.value``, by bootstrap.
    p, p_answers : float
        By shuffling the results of single seeds, and of answers of four.
    answers, valid, nearest : float
        The share of answers of four; of single seeds where other valid decompositions are right; with the values beside the default alone.
    first : float
        The fraction of the draws of the bootstrap in which the setting is among the three of the largest shares.
    """

    shares: Shares
    interval: tuple[float, float]
    p: float
    answers: float
    p_answers: float
    valid: float
    nearest: float
    first: float


def sensitivity_report(rows: Sequence[Row], read: Read) -> dict[str, bytes]:
    """``summary.md`` and the figure ``sensitivity`` as SVG and PNG."""
    facts = explained(rows)
    return {"summary.md": _summary(rows, facts).encode(), **pictures(sensitivity=_figure(rows, facts))}


def sensitivity_summary(rows: Sequence[Row]) -> str:
    """Three parts as markdown: the tasks by the default, the settings with the largest shares, and every setting."""
    return _summary(rows, explained(rows))


def right_at(rows: Sequence[Row], size: int) -> dict[str, Values]:
    """For each setting with a value beside the default, and each of its values in order, the rows of results over so many seeds.

    Values without a result for every result of the default, as in a study that has only begun, are left out.
    """
    values, defaults = values_and_defaults()
    by_point: dict[tuple[str, Any], list[Row]] = {}
    for row in ordered(rows):
        if row["seeds"] == size:
            by_point.setdefault((row["parameter"], row["value"]), []).append(row)
    usual = by_point.get((DEFAULT, None), [])
    found = {
        name: {
            value: some
            for value in known
            if len(some := usual if value == defaults[name] else by_point.get((name, value), [])) == len(usual)
        }
        for name, known in values.items()
    }
    return {name: some for name, some in found.items() if len(some) > 1}


def _results(values: Values, verdicts: Sequence[str] = STRICT) -> NDArray[np.float64]:
    """0 or 1 for each task, value and result."""
    tasks = list(dict.fromkeys(row["task"] for rows in values.values() for row in rows))
    return np.array([
        [[float(any(row[verdict] for verdict in verdicts)) for row in rows if row["task"] == task] for rows in values.values()]
        for task in tasks
    ])  # fmt: skip


def _nearest(name: str, values: Values) -> Values:
    """The default, and of values that have an order those beside it."""
    if name in CATEGORIES:
        return values
    place = list(values).index(values_and_defaults()[1][name])
    return {value: rows for i, (value, rows) in enumerate(values.items()) if abs(i - place) <= 1}


def explained(rows: Sequence[Row]) -> dict[str, Explained]:
    """What each setting explains of the variance of success, the largest share of single seeds first."""
    single, four = (right_at(rows, size) for size in SIZES.values())
    results = {name: _results(values) for name, values in single.items()}
    draws = bootstrapped(results, DRAWS)
    leading = np.argsort(-np.array(list(draws.values())), axis=0)[:FIRST]
    facts = {
        name: Explained(
            shares=shares_of(some),
            interval=interval(draws[name]),
            p=permuted(some, SHUFFLES),
            answers=shares_of(answers := _results(four[name])).value,
            p_answers=permuted(answers, SHUFFLES),
            valid=shares_of(_results(single[name], LENIENT)).value,
            nearest=shares_of(_results(_nearest(name, single[name]))).value,
            first=float((leading == k).any(axis=0).mean()),
        )
        for k, (name, some) in enumerate(results.items())
    }
    return dict(sorted(facts.items(), key=lambda item: -item[1].shares.value))


def _summary(rows: Sequence[Row], facts: Mapping[str, Explained]) -> str:
    parts = ["# Sensitivity", f"{_tasks(rows)}.", f"{_largest(facts)}.", MEANING, _table(rows, facts), f"{hours(_sculpted(rows))}."]
    return "\n\n".join(parts) + "\n"


def _sculpted(rows: Sequence[Row]) -> list[Row]:
    """The rows of single seeds of what was sculpted, whose seconds add up to those of the study."""
    return [row for row in rows if row["seeds"] == 1 and row["parameter"] not in DETECTION]


def _tasks(rows: Sequence[Row]) -> str:
    """How often the default is right on each task."""
    usual = [row for row in rows if row["parameter"] == DEFAULT]
    counts = []
    for name, (width, depth) in TASKS.items():
        single, four = (rate_of([row for row in usual if row["task"] == name and row["seeds"] == size], STRICT) for size in SIZES.values())
        counts.append(f"`{task_of(name).name}` ({width} units, {depth} hidden): {single}, {four}")
    return f"The default, single seeds and answers of four: {'; '.join(counts)}"


def _largest(facts: Mapping[str, Explained]) -> str:
    first = [f"{name} {fact.shares.value:.3f}" for name, fact in list(facts.items())[:FIRST]]
    return f"The settings with the largest shares: {', '.join(first)}"


def _table(rows: Sequence[Row], facts: Mapping[str, Explained]) -> str:
    grids = [_rates(rows, size) for size in SIZES.values()]
    defaults = _defaults()
    lines = []
    for name, fact in facts.items():
        counts = [
            f"**{value}: {one}, {grids[1][name][value]}**" if value == defaults[name] else f"{value}: {one}, {grids[1][name][value]}"
            for value, one in grids[0][name].items()
        ]
        low, high = fact.interval
        lines.append([
            name, "; ".join(counts), f"{fact.shares.value:.3f} ({low:.3f}-{high:.3f})", f"{fact.p:.4f}",
            f"{fact.shares.by_task:.3f}", f"{fact.answers:.3f}", f"{fact.p_answers:.4f}", f"{fact.valid:.3f}",
            f"{fact.nearest:.3f}", f"{fact.first:.0%}",
        ])  # fmt: skip
    return table(HEADER, lines)


def _rates(rows: Sequence[Row], size: int) -> dict[str, dict[str, Rate | None]]:
    return {
        name: {value_text(name, value): rate_of(some, STRICT) for value, some in values.items()}
        for name, values in right_at(rows, size).items()
    }


def _defaults() -> dict[str, str]:
    return {name: value_text(name, value) for name, value in values_and_defaults()[1].items()}


def _figure(rows: Sequence[Row], facts: Mapping[str, Explained]) -> Axes:
    from analysis import series_panels

    grids = {name: _rates(rows, size) for name, size in SIZES.items()}
    series = {name: {setting: grid[setting] for setting in facts} for name, grid in grids.items()}
    notes = {setting: f"share {max(fact.shares.value, 0):.2f}" for setting, fact in facts.items()}
    defaults = {setting: text for setting, text in _defaults().items() if setting in facts}
    return series_panels(series, defaults=defaults, notes=notes).axes[0]
