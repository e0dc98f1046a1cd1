"""The study of parities in words and pictures: targets, task by task."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ...store import Row
from ...study import Read
from ..common.reporting import consensus_rows, draw_found, hours, pictures, spread, with_interval
from ..common.settings import PUBLISHED, SEEDS
from ..common.success_rates import LENIENT, NOT_RUN, STRICT, layers, rate_of, table
from .cells import DEPTHS, KINDS, cell_name

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["parities_report", "parities_summary"]

HEADER = (
    "m", "k", "outputs", "hidden layers", "groups of inputs", "distractors out", "all modules", "modules, found + others",
    "connected alike", "or valid", "reached?", "support", "edges", "units", "smallest, any/right", "one seed: groups",
    "one seed: all modules", "minutes",
)  # fmt: skip
NEEDED = ("inputs_right", "distractors_out", "modules_right")
MEANING = (
    "m parities of k bits and two distractors, one setting for all tasks. *One* output follows the code that control bits name, each "
    "parity alone or all at once; *all*: the same in every combination; *each*: an output for each code, and no control bits. The "
    "result is the consensus of the candidates of four seeds; beside it, of each seed alone, with Wilson's intervals. *Groups of "
    "inputs*: every block in a group of its own, with its control bit. *All modules*: those of the truth at that depth and nothing "
    "else. *Found + others*: how many modules of the truth are there, of how many, and how many more than those. *Reached*: groups, "
    "distractors and modules. *Smallest*: the size, edges and two for each hidden unit, of the smallest candidate of the four seeds, "
    "and of the smallest whose modules are exactly those of the truth. Nothing was published of the modules of such networks to compare "
    "with. With one output a decomposition has no verdict on validity."
)


def parities_report(rows: Sequence[Row], read: Read) -> dict[str, bytes]:
    """``summary.md``, the figure ``success`` as SVG and PNG, and a picture of each task and depth."""
    files = {"summary.md": parities_summary(rows).encode(), **pictures(success=_figure(rows))}
    for row in consensus_rows(rows, SEEDS):
        picture = draw_found([row], _cell, read, **PUBLISHED)
        if picture is not None:
            files[f"{_cell(row)}.svg"] = picture
    return files


def parities_summary(rows: Sequence[Row]) -> str:
    """The summary of the study of parities, as markdown.

    Examples
    --------
    >>> print(parities_summary([]).splitlines()[2])
    0 of 20 cells (task, outputs, depth) were run; 0 of them reached their target.
    """
    found = consensus_rows(rows, SEEDS)
    right = sum(all(row[name] for name in NEEDED) for row in found)
    cells = [(*kind, depth) for kind in KINDS for depth in DEPTHS]
    counts = f"{len(found)} of {len(cells)} cells (task, outputs, depth) were run; {right} of them reached their target."
    lines = [_line(rows, *cell) for cell in cells]
    parts = ["# Parities", counts, MEANING, "## Targets", table(HEADER, lines), "## Time", f"{hours(found)}."]
    return "\n\n".join(parts) + "\n"


def _line(rows: Sequence[Row], m: int, k: int, outputs: str, depth: int) -> list[str]:
    facts = {"m": m, "k": k, "outputs": outputs, "depth": depth}
    found, single = consensus_rows(rows, SEEDS, **facts), consensus_rows(rows, 1, **facts)
    named = list(map(str, facts.values()))
    if not found:
        return [*named, *[""] * 6, NOT_RUN, *[""] * 7]
    (row,) = found
    verdicts = [*(_word(row[name]) for name in NEEDED), _modules(row), *(_word(row[name]) for name in ("exact", "valid"))]
    size = [spread([row["support"]], ".2f"), str(row["edges"] or "none accepted"), row["units"] or "", _smallest(row)]
    rates = [with_interval(rate_of(single, (name,))) for name in ("inputs_right", "modules_right")]
    return [*named, *verdicts, _word(all(row[name] for name in NEEDED)), *size, *rates, f"{row['seconds'] / 60:.1f}"]


def _modules(row: Row) -> str:
    """How many modules of the truth were found, of how many, and how many others."""
    return "" if row["matched"] is None else f"{row['matched']}/{row['matched'] + row['missing']} + {row['extra']}"


def _smallest(row: Row) -> str:
    """Of any candidate, and of any with exactly the modules of the truth."""
    any_, right = row["smallest"], row["smallest_right"]
    return "" if any_ is None else f"{any_:g}/{'none' if right is None else format(right, 'g')}"


def _word(verdict: bool | None) -> str:
    return "" if verdict is None else "yes" if verdict else "no"


def _cell(row: Row) -> str:
    return cell_name(row["m"], row["k"], row["outputs"], row["width"], row["depth"])


def _figure(rows: Sequence[Row]) -> Axes:
    """Bars of single seeds by task and depth."""
    from analysis.figures import success_bars

    names = {(m, k, outputs): f"m={m}, k={k}\n{outputs}" for m, k, outputs in KINDS}
    strict, lenient = (
        {
            name: {layers(d): rate_of(consensus_rows(rows, 1, m=m, k=k, outputs=outputs, depth=d), verdicts) for d in DEPTHS}
            for (m, k, outputs), name in names.items()
        }
        for verdicts in (STRICT, LENIENT)
    )
    xlabel = "outputs: one, one for all combinations, or one for each code"
    return success_bars(strict, lenient=lenient, title="Parities, single seeds", xlabel=xlabel)
