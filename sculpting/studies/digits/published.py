"""What was published of two digits side by side, the targets of the study, and whether it reaches them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ...store import Row
from ..common.reporting import consensus_rows, spread, with_interval
from ..common.settings import SEEDS
from ..common.success_rates import NOT_RUN, Count, rate_of, reached, table

__all__ = ["NAMES", "PUBLISHED", "target_table"]

NAMES = {"mnist-pair": "two digits", "mnist-xor": "XOR of two digits"}
# Of 12 networks of size 28, by task and depth: left and right apart, outputs in their modules, all modules right.
PUBLISHED: dict[str, dict[int, tuple[Count, Count, Count]]] = {
    "mnist-pair": dict.fromkeys((2, 3), ((12, 12), (12, 12), (12, 12))),
    "mnist-xor": {4: ((12, 12), (10, 12), (10, 12)), 5: ((12, 12), (11, 12), (11, 12))},
}
HEADER = ("task", "size", "hidden layers", "what", "published", "target", "ours", "reached?")
MINUTES = 10.0  # that a cell of size 14 may take
LOSS = 0.01  # of test accuracy


@dataclass(frozen=True)
class Target:
    """A line of the table: how many of the results of a task, at some depths of one size, have to be right.

    ``verdict`` is the column that says what is right; ``published`` and ``least`` are None where there is nothing.
    """

    what: str
    verdict: str
    task: str
    size: int
    depths: tuple[int, ...]
    published: Count | None
    least: Count | None


def _of_xor(what: str, verdict: str, published: Sequence[Count | None], least: Count | None) -> tuple[Target, ...]:
    return tuple(Target(what, verdict, "mnist-xor", 14, (depth,), count, least) for depth, count in zip((4, 5), published, strict=True))


APART, TWO, ACCURATE = "left and right apart", "exactly two modules, left and right", "test accuracy within 1 point of dense"
TARGETS: tuple[Target, ...] = (
    Target(APART, "sides_apart", "mnist-pair", 14, (2, 3), (24, 24), (16, 16)),
    Target(TWO, "two_modules", "mnist-pair", 14, (2, 3), (24, 24), (15, 16)),
    Target(TWO, "two_modules", "mnist-pair", 28, (2,), (12, 12), (2, 2)),
    Target(ACCURATE, "as_accurate", "mnist-pair", 14, (2, 3), None, (16, 16)),
    Target(ACCURATE, "as_accurate", "mnist-pair", 28, (2,), None, (2, 2)),
    *_of_xor(APART, "sides_apart", [(12, 12), (12, 12)], (8, 8)),
    *_of_xor("three modules of outputs", "outputs_right", [(10, 12), (11, 12)], (7, 8)),
    *_of_xor("all modules of the truth", "modules_right", [(10, 12), (11, 12)], None),
    *_of_xor("three modules in the middle", "three_middle", [(0, 12), (0, 12)], None),
    *_of_xor("the bits apart in the middle", "bits_separate", [None, None], None),
)


def target_table(rows: Sequence[Row]) -> str:
    """A line for each of ``TARGETS`` and one for the time, as markdown; where rows are missing it says so, and no line is left out.

    The results are those by consensus of one seed.
    """
    return table(HEADER, [*(_line(rows, target) for target in TARGETS), _time_line(rows)])


def _line(rows: Sequence[Row], target: Target) -> list[str]:
    from analysis import Rate

    found = [_judged(row) for row in consensus_rows(rows, 1, task=target.task, size=target.size) if row["depth"] in target.depths]
    ours, least = rate_of(found, (target.verdict,)), target.least and Rate(*target.least)
    published = with_interval(Rate(*target.published)) if target.published else ""
    facts = [NAMES[target.task], str(target.size), ", ".join(map(str, target.depths)), target.what]
    return [*facts, published, str(least or ""), with_interval(ours), reached(ours, least) if least else ""]


def _judged(row: Row) -> Row:
    """The row with the verdicts of targets that are no columns."""
    sparse, dense = row["test_accuracy"], row["dense_test_accuracy"]
    return {
        **row,
        "two_modules": row["sides_apart"] and row["modules"] == 2,
        "as_accurate": sparse is not None and sparse >= dense - LOSS,
        "three_middle": row["middle_modules"] == 3,
    }


def _time_line(rows: Sequence[Row]) -> list[str]:
    minutes = [row["seconds"] / 60 for row in consensus_rows(rows, SEEDS, size=14)]
    facts = ["both", "14", "all", "minutes of a cell, four seeds on one core, at most", "", f"{MINUTES:g}"]
    return [*facts, spread(minutes, ".1f") or NOT_RUN, ("yes" if max(minutes) <= MINUTES else "no") if minutes else NOT_RUN]
