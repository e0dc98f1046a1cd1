"""How many rows of the Boolean study are right, and how that is written."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from ...store import Row
from .answers import SEEDS

if TYPE_CHECKING:
    from analysis import Rate

__all__ = ["LENIENT", "NOT_RUN", "STRICT", "answers_of", "rate_of", "reached", "table", "told"]

STRICT, LENIENT = ("modules_right",), ("modules_right", "valid")  # a row is right by any of these columns
NOT_RUN = "not run"


def answers_of(
    rows: Iterable[Row], tasks: Sequence[str], depth: int | None = None, *, rule: str = "consensus", seeds: int = SEEDS
) -> list[Row]:
    """The rows of some tasks, at one depth or at all; of one rule over so many seeds, by default the study's answers."""
    return [row for row in rows if row["task"] in tasks and depth in (None, row["depth"]) and row["rule"] == rule and row["seeds"] == seeds]


def rate_of(rows: Sequence[Row], verdicts: Sequence[str] = STRICT) -> Rate | None:
    """How many rows are right by any of the verdicts; None when there are no rows."""
    from analysis import Rate

    return Rate(sum(any(row[verdict] for verdict in verdicts) for row in rows), len(rows)) if rows else None


def told(rates: Sequence[Rate | None]) -> str:
    """Counts in a line, with their total once where it is the same; of a single one, the fraction too.

    Examples
    --------
    >>> from analysis import Rate
    >>> told([Rate(11, 12), Rate(12, 12)]), told([Rate(11, 12), Rate(4, 4), None]), told([Rate(162, 180)]), told([None, None])
    ('11, 12 of 12', '11/12, 4/4, not run', '162 of 180 (0.90)', 'not run')
    """
    run = [rate for rate in rates if rate is not None]
    if not run:
        return NOT_RUN
    if len(rates) == 1:
        return f"{run[0].successes} of {run[0].total} ({run[0].fraction:.2f})"
    if len(run) == len(rates) and len({rate.total for rate in run}) == 1:
        return f"{', '.join(str(rate.successes) for rate in run)} of {run[0].total}"
    return ", ".join(str(rate or NOT_RUN) for rate in rates)


def reached(rate: Rate | None, floor: Rate) -> str:
    """Whether a floor is reached; before all answers are there, whether it must be, or cannot be.

    Examples
    --------
    >>> from analysis import Rate
    >>> [reached(Rate(right, 11), Rate(11, 12)) for right in (11, 10, 9)]
    ['yes', 'open', 'no']
    """
    if rate is None:
        return NOT_RUN
    if rate.total >= floor.total:
        return "yes" if rate.successes * floor.total >= floor.successes * rate.total else "no"
    if rate.successes >= floor.successes:
        return "yes"
    return "no" if rate.successes + floor.total - rate.total < floor.successes else "open"


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
