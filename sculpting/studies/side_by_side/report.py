"""The study of data sets side by side in words and pictures: targets, every cell, and a picture of each."""

from __future__ import annotations

from collections.abc import Sequence

from ...store import Row
from ...study import Read
from ..common.reporting import consensus_rows, draw_found, hours, spread, with_interval
from ..common.settings import SEEDS
from ..common.success_rates import NOT_RUN, rate_of, table
from .cells import ALL_KINDS, cell_name

__all__ = ["side_by_side_report", "side_by_side_summary"]

LEAST_APART, MOST_LOST = 0.95, 0.01  # the targets
TARGET_HEADER = ("what", "target", "consensus of four seeds", "of one seed", "reached?")
HEADER = (
    "sets", "hidden layers", "sample", "apart", "verdict", "modules", "support", "edges", "inputs", "test accuracy", "dense",
    "one seed: apart", "seconds",
)  # fmt: skip
MEANING = (
    "*Apart*: every set is answered, and no path leads from inputs of one set to outputs of another, whatever its weight; the joint output "
    "is meant to have both. *Verdict*: of `compare` against one module for each set; *finer* means that a set has several. A result is the "
    "consensus of the candidates of four seeds, unless a column says otherwise. Accuracies are fractions of bits, on test rows. Intervals "
    "are Wilson's."
)


def side_by_side_report(rows: Sequence[Row], read: Read) -> dict[str, bytes]:
    """``summary.md``, and a picture for each choice of sets and depth."""
    files = {"summary.md": side_by_side_summary(rows).encode()}
    for sets, joint, depth in dict.fromkeys((row["sets"], row["joint"], row["depth"]) for row in rows):
        found = consensus_rows(rows, SEEDS, sets=sets, joint=joint, depth=depth)
        picture = draw_found(found, _cell, read)
        if picture is not None:
            files[f"{cell_name(sets.split('+'), joint, depth, 0).removesuffix('_split0')}.svg"] = picture
    return files


def side_by_side_summary(rows: Sequence[Row]) -> str:
    """The summary of the study, as markdown.

    Examples
    --------
    >>> side_by_side_summary([]).splitlines()[2][:39]
    '0 cells (sets, depth, sample) were run.'
    """
    found = consensus_rows(rows, SEEDS)
    there = {(tuple(row["sets"].split("+")), row["joint"]) for row in rows}
    missing = ", ".join(_name("+".join(sets), joint) for sets, joint in ALL_KINDS if (sets, joint) not in there)
    parts = [
        *("# Data sets side by side", f"{len(found)} cells (sets, depth, sample) were run.{f' Not run: {missing}.' if missing else ''}"),
        *(MEANING, "## Targets", table(TARGET_HEADER, _target_lines(rows))),
        *("## Every cell", table(HEADER, [_cell_line(rows, row) for row in found])),
        *("## Time", f"{hours(found)}."),
    ]
    return "\n\n".join(parts) + "\n"


def _target_lines(rows: Sequence[Row]) -> list[list[str]]:
    four, one = consensus_rows(rows, SEEDS), consensus_rows(rows, 1)
    apart = rate_of(four, ("apart",))
    lost, lost_one = _mean_loss(four), _mean_loss(one)
    return [
        [
            "sets apart", f"{LEAST_APART:.0%}", with_interval(apart), with_interval(rate_of(one, ("apart",))),
            NOT_RUN if apart is None else _word(apart.fraction >= LEAST_APART),
        ],
        [
            "points of test accuracy below dense, mean", f"{100 * MOST_LOST:.1f}", _points(lost), _points(lost_one),
            NOT_RUN if lost is None else _word(lost <= MOST_LOST),
        ],
        [
            "modules those of the truth", "", *(with_interval(rate_of(part, ("modules_right",))) for part in (four, one)), "",
        ],
    ]  # fmt: skip


def _mean_loss(rows: Sequence[Row]) -> float | None:
    """How far sparse networks are below the dense ones, on the mean of those that were accepted."""
    lost = [row["dense_test_accuracy"] - row["test_accuracy"] for row in rows if row["test_accuracy"] is not None]
    return sum(lost) / len(lost) if lost else None


def _points(lost: float | None) -> str:
    return NOT_RUN if lost is None else f"{100 * lost:.1f}"


def _cell_line(rows: Sequence[Row], row: Row) -> list[str]:
    single = consensus_rows(rows, 1, **{name: row[name] for name in ("sets", "joint", "depth", "split")})
    numbers = ["" if row[name] is None else str(row[name]) for name in ("edges", "inputs_read")]
    accuracies = [spread([row[name]], ".3f") for name in ("test_accuracy", "dense_test_accuracy")]
    return [
        _name(row["sets"], row["joint"]), str(row["depth"]), str(row["split"]), _word(row["apart"]), row["verdict"],
        str(row["modules"] or ""), spread([row["support"]], ".2f"), *numbers, *accuracies,
        with_interval(rate_of(single, ("apart",))), f"{row['seconds']:.0f}",
    ]  # fmt: skip


def _name(sets: str, joint: str | None) -> str:
    text = sets.replace("_", " ").replace("+", " + ")
    return f"{text}, joint {joint}" if joint else text


def _word(verdict: bool) -> str:
    return "yes" if verdict else "no"


def _cell(row: Row) -> str:
    return cell_name(row["sets"].split("+"), row["joint"], row["depth"], row["split"])
