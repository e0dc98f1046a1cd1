"""The targets of the study of tasks that change, and whether it reaches them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from statistics import median

from ...store import Row
from ..common.reporting import with_interval
from ..common.success_rates import NOT_RUN, table
from .monitored import RATE

__all__ = ["NAMED_BY", "changed", "groups_of", "target_table"]

NAMED, KEPT, STEPS = 0.9, 0.8, 0.5
NAMED_BY = {
    "modules_right": "the changed module, and no other, is named",
    "detected_right": "the same, modules detected again",
    "units_right": "the units that changed are the gate's",
    "part_right": "the units learnt again are the gate's",
}
RATE_ALPHA = 0.05  # of the binomial test of false alarms
ALARMS = {"by units": "false_alarms", "by modules": "false_alarms_modules"}
HEADER = ("", "target", "all", "reached?", "first 8 functions", "5 fresh functions", "two digits", "functions, one reader apart")


def changed(rows: Sequence[Row]) -> list[Row]:
    """The rows in which something changed."""
    return [row for row in rows if row["kind"] != "none"]


def groups_of(rows: Sequence[Row]) -> list[list[Row]]:
    """All rows, those of each group, and those of functions in which the gate and its readers lead to different outputs."""
    groups = [[row for row in rows if row["group"] == group] for group in ("first", "fresh", "digits")]
    return [[*rows], *groups, [row for row in (*groups[0], *groups[1]) if not row["one_reader"]]]


def target_table(rows: Sequence[Row]) -> str:
    """A line for each target, as markdown."""
    lines = [_line(name, f"{NAMED:.0%}", rows, partial(_named, column=column)) for column, name in NAMED_BY.items()]
    lines.append(_line("changes that keep 80 % of the edges of the rest", "median", rows, _kept))
    lines.append(_line("steps against sculpting anew, median", f"{STEPS}", rows, _steps))
    none = [row for row in rows if row["kind"] == "none"]
    lines += [_line(f"false alarms a batch, {name}", f"{RATE}", none, partial(_alarms, column=column)) for name, column in ALARMS.items()]
    lines.append(_line("nothing learnt again where nothing changed", "all", none, _still))
    return table(HEADER, lines)


Measure = Callable[[Sequence[Row]], tuple[str, bool]]


def _line(name: str, target: str, rows: Sequence[Row], measure: Measure) -> list[str]:
    """A line of the table; ``measure`` gives the figure of some rows in words, and whether it reaches the target."""
    found = [measure(some) if some else (NOT_RUN, None) for some in groups_of(rows)]
    word = NOT_RUN if found[0][1] is None else "yes" if found[0][1] else "no"
    return [name, target, found[0][0], word, *(text for text, _ in found[1:])]


def _named(rows: Sequence[Row], column: str) -> tuple[str, bool]:
    from analysis import Rate

    some = changed(rows)
    if not some:
        return NOT_RUN, False
    right = sum(bool(row[column]) for row in some)
    return with_interval(Rate(right, len(some))), right >= NAMED * len(some)


def _kept(rows: Sequence[Row]) -> tuple[str, bool]:
    kept = [row["kept_rest"] for row in changed(rows) if row["kept_rest"] is not None]
    if not kept:
        return NOT_RUN, False
    return f"{sum(each >= KEPT for each in kept)}/{len(kept)}; {median(kept):.2f} in the median", median(kept) >= KEPT


def _steps(rows: Sequence[Row]) -> tuple[str, bool]:
    ratios = [row["steps"] / row["anew_steps"] for row in changed(rows)]
    return (f"{median(ratios):.3f}", median(ratios) <= STEPS) if ratios else (NOT_RUN, False)


def _alarms(rows: Sequence[Row], column: str) -> tuple[str, bool]:
    from scipy.stats import binomtest

    wrong, batches = sum(row[column] for row in rows), sum(row["batches"] for row in rows)
    return f"{wrong}/{batches}", binomtest(wrong, batches, RATE, alternative="greater").pvalue > RATE_ALPHA


def _still(rows: Sequence[Row]) -> tuple[str, bool]:
    same = sum(row["status"] == "UNCHANGED" for row in rows)
    return f"{same}/{len(rows)}", same == len(rows)
