"""The targets of the Boolean study, and whether it reaches them."""

from __future__ import annotations

from collections.abc import Sequence

from ...store import Row
from ..common.success_rates import NOT_RUN, counts_text, rate_of, reached, rows_of, table
from .published import TARGETS, Target

__all__ = ["target_table"]

HEADER = ("group", "published", "target", "ours, strict", "ours, counting valid", "reached?")


def target_table(rows: Sequence[Row]) -> str:
    """A line for each of ``TARGETS``, as markdown; where rows are missing it says so, and no line is left out.

    The target holds for the figure in bold. *Open*: the rows so far neither reach it nor rule it out.
    """
    return table(HEADER, [_line(rows, target) for target in TARGETS])


def _line(rows: Sequence[Row], target: Target) -> list[str]:
    from analysis import Rate

    found = [rows_of(rows, cell.tasks, cell.depth) for cell in target.cells]
    strict, lenient = ([rate_of(some, verdicts) for some in found] for verdicts in ((target.verdict,), (target.verdict, "valid")))
    ours = [counts_text(strict), counts_text(lenient)]
    ours[target.lenient] = f"**{ours[target.lenient]}**"
    published, least = [Rate(*cell.published) for cell in target.cells], [Rate(*cell.least) for cell in target.cells]
    verdicts = [reached(rate, needed) for rate, needed in zip(lenient if target.lenient else strict, least, strict=True)]
    return [target.group, counts_text(published), counts_text(least), *ours, _together([cell.name for cell in target.cells], verdicts)]


def _together(names: Sequence[str], verdicts: Sequence[str]) -> str:
    if len(set(verdicts)) == 1:
        return verdicts[0]
    where = {kind: [name for name, verdict in zip(names, verdicts, strict=True) if verdict == kind] for kind in ("no", "open", NOT_RUN)}
    return "; ".join(f"{kind}: {', '.join(cells)}" for kind, cells in where.items() if cells)
