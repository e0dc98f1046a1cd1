"""How many rows of a study are right, how that is written, and whether it reaches a target."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from ...store import Row
from .settings import SEEDS

if TYPE_CHECKING:
    from analysis import Rate

__all__ = ["LENIENT", "NOT_RUN", "STRICT", "Count", "counts_text", "layers", "rate_of", "reached", "rows_of", "table"]

STRICT, LENIENT = ("modules_right",), ("modules_right", "valid")  # a row is right by any of these columns
NOT_RUN = "not run"

Count = tuple[int, int]  # successes, networks


def rows_of(
    rows: Iterable[Row], tasks: Sequence[str], depth: int | None = None, *, rule: str = "consensus", seeds: int = SEEDS
) -> list[Row]:
    """The rows of some tasks, at one depth or at all; of one rule over so many seeds, by default the rule of the study."""
    return [row for row in rows if row["task"] in tasks and depth in (None, row["depth"]) and row["rule"] == rule and row["seeds"] == seeds]


def rate_of(rows: Sequence[Row], verdicts: Sequence[str] = STRICT) -> Rate | None:
    """How many rows are right by any of the verdicts; None when there are no rows."""
    from analysis import Rate

    return Rate(sum(any(row[verdict] for verdict in verdicts) for row in rows), len(rows)) if rows else None


def counts_text(rates: Sequence[Rate | None]) -> str:
    """Counts in a line, with their total once where it is the same; of a single one, the fraction too.

    Examples
    --------
    >>> from analysis import Rate
    >>> counts_text([Rate(11, 12), Rate(12, 12)]), counts_text([Rate(11, 12), Rate(4, 4), None])
    ('11, 12 of 12', '11/12, 4/4, not run')
    >>> counts_text([Rate(162, 180)]), counts_text([None, None])
    ('162 of 180 (0.90)', 'not run')
    """
    run = [rate for rate in rates if rate is not None]
    if not run:
        return NOT_RUN
    if len(rates) == 1:
        return f"{run[0].successes} of {run[0].total} ({run[0].fraction:.2f})"
    if len(run) == len(rates) and len({rate.total for rate in run}) == 1:
        return f"{', '.join(str(rate.successes) for rate in run)} of {run[0].total}"
    return ", ".join(str(rate or NOT_RUN) for rate in rates)


def reached(rate: Rate | None, target: Rate) -> str:
    """Whether a target is reached; before all rows are there, whether it must be, or cannot be.

    Examples
    --------
    >>> from analysis import Rate
    >>> [reached(Rate(right, 11), Rate(11, 12)) for right in (11, 10, 9)]
    ['yes', 'open', 'no']
    """
    if rate is None:
        return NOT_RUN
    if rate.total >= target.total:
        return "yes" if rate.successes * target.total >= target.successes * rate.total else "no"
    if rate.successes >= target.successes:
        return "yes"
    return "no" if rate.successes + target.total - rate.total < target.successes else "open"


def layers(depth: int) -> str:
    """A depth in words: ``2 hidden layers``."""
    return f"{depth} hidden layer{'s' * (depth > 1)}"


def table(header: Sequence[str], lines: Iterable[Sequence[str]]) -> str:
    """A table as markdown.

    Examples
    --------
    >>> print(table(["task", "right"], [["both", "12/12"]]))
    | task | right |
    | --- | --- |
    | both | 12/12 |
    """
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (header, ["---"] * len(header), *lines))
