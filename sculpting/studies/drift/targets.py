"""The targets of the study of tasks that change, and whether it reaches them."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median

from ...store import Row
from ..common.reporting import with_interval
from ..common.success_rates import NOT_RUN, table

__all__ = ["changed", "plain", "target_table"]

NAMED, KEPT, STEPS = 0.9, 0.8, 0.5
NAMED_BY = (
    ("by the units that changed", "named_right"),
    ("by the part learnt again", "part_right"),
    ("by the modules that have such units, detected again", "modules_right"),
)
RATE_ALPHA = 0.05  # of the binomial test of false alarms


def changed(rows: Sequence[Row]) -> list[Row]:
    """The rows in which something changed."""
    return [row for row in rows if row["kind"] != "none"]


def plain(rows: Sequence[Row]) -> list[Row]:
    """Of these, those in which the gate and its readers lead to different outputs."""
    return [row for row in changed(rows) if not row["one_reader"]]


def target_table(rows: Sequence[Row]) -> str:
    """A line for each target, as markdown."""
    from analysis import Rate

    lines = []
    for what, some in (("", changed(rows)), (", one reader apart", plain(rows))):
        for name, column in NAMED_BY:
            rate = Rate(sum(bool(row[column]) for row in some), len(some)) if some else None
            reached = NOT_RUN if rate is None else _word(sum(bool(row[column]) for row in some) >= NAMED * len(some))
            lines.append([f"named{what}, {name}", f"{NAMED:.0%}", with_interval(rate), reached])
    some = changed(rows)
    kept = [row["kept_rest"] for row in some if row["kept_rest"] is not None]
    share = f"{median(kept):.2f} in the median; {sum(each >= KEPT for each in kept)}/{len(kept)} changes reach it" if kept else NOT_RUN
    lines.append(["edges of the rest that are kept", f"{KEPT:.0%}", share, _word(median(kept) >= KEPT) if kept else NOT_RUN])
    ratios = [row["steps"] / row["anew_steps"] for row in some]
    lines.append(["steps against sculpting anew, median", f"{STEPS}", f"{median(ratios):.3f}" if ratios else NOT_RUN,
                  _word(median(ratios) <= STEPS) if ratios else NOT_RUN])  # fmt: skip
    return table(["", "target", "found", "reached?"], [*lines, _false_alarms(rows)])


def _false_alarms(rows: Sequence[Row]) -> list[str]:
    from scipy.stats import binomtest

    from .cells import RATE

    none = [row for row in rows if row["kind"] == "none"]
    wrong, batches = sum(row["false_alarms"] for row in none), sum(row["batches"] for row in none)
    name = "false alarms a batch where nothing changed"
    if not batches:
        return [name, f"{RATE}", NOT_RUN, NOT_RUN]
    fits = binomtest(wrong, batches, RATE, alternative="greater").pvalue > RATE_ALPHA
    same = sum(row["status"] == "UNCHANGED" for row in none)
    return [name, f"{RATE}", f"{wrong}/{batches}; nothing learnt again in {same}/{len(none)}", _word(fits)]


def _word(reached: bool) -> str:
    return "yes" if reached else "no"
