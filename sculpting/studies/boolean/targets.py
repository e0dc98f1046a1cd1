"""The table of what the Boolean study has to reach, and whether it does."""

from __future__ import annotations

from collections.abc import Sequence

from ...store import Row
from ..common.success_rates import NOT_RUN, answers_of, rate_of, reached, table, told
from .published import FLOORS, Floor

__all__ = ["floor_table"]

HEADER = ("group", "published", "floor", "ours, strict", "ours, counting valid", "reached?")


def floor_table(rows: Sequence[Row]) -> str:
    """A line for each of ``FLOORS``, as markdown; where rows are missing it says so, and no line is left out.

    The floor holds for the figure in bold. *Open*: what was run neither reaches it nor rules it out.
    """
    return table(HEADER, [_line(rows, floor) for floor in FLOORS])


def _line(rows: Sequence[Row], floor: Floor) -> list[str]:
    from analysis import Rate

    answers = [answers_of(rows, cell.tasks, cell.depth) for cell in floor.cells]
    strict, lenient = ([rate_of(some, verdicts) for some in answers] for verdicts in ((floor.verdict,), (floor.verdict, "valid")))
    ours = [told(strict), told(lenient)]
    ours[floor.lenient] = f"**{ours[floor.lenient]}**"
    published, least = [Rate(*cell.published) for cell in floor.cells], [Rate(*cell.floor) for cell in floor.cells]
    verdicts = [reached(rate, needed) for rate, needed in zip(lenient if floor.lenient else strict, least, strict=True)]
    return [floor.group, told(published), told(least), *ours, _together([cell.name for cell in floor.cells], verdicts)]


def _together(names: Sequence[str], verdicts: Sequence[str]) -> str:
    if len(set(verdicts)) == 1:
        return verdicts[0]
    where = {kind: [name for name, verdict in zip(names, verdicts, strict=True) if verdict == kind] for kind in ("no", "open", NOT_RUN)}
    return "; ".join(f"{kind}: {', '.join(cells)}" for kind, cells in where.items() if cells)
