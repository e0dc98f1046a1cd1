"""The study of tasks of known structure in words and pictures: verdicts by kind, every cell, and a picture of each kind."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from statistics import mean

from ...store import Row
from ...study import Read
from ..common.reporting import consensus_rows, draw_found, hours, spread, with_interval
from ..common.settings import SEEDS
from ..common.success_rates import rate_of, table
from .cells import KINDS, TABLES, cell_name, task_of

__all__ = ["known_report", "known_summary"]

WORDS = ("exact", "coarser", "finer", "valid", "mixed", "wrong", "none")
KIND_HEADER = (
    "kind", "cells", "verdicts, four seeds", "score, mean", "one seed: exact", "one seed: exact to valid", "score, mean",
    "no output's inputs", "test accuracy", "dense",
)  # fmt: skip
CELL_HEADER = (
    "kind", "sample", "verdict", "score", "found/true modules", "p", "chance", "support", "edges", "inputs", "test accuracy",
    "worst output", "dense", "one seed: verdicts", "seconds",
)  # fmt: skip
MEANING = (
    "A result is the consensus of the candidates of four seeds, unless a column says *one seed*: then of those of each alone. *Verdict*: "
    "of `compare` against the truth of the generator; *exact* to *valid* are right. *p*: of `significance`, against 200 random networks "
    "with the same numbers of edges at every unit, in which the detector finds modules too. Small networks often leave no other choice; "
    "*cannot be told from chance* then says nothing against them. *No output's inputs*: single seeds that read an input on which no output "
    "depends. Accuracies are fractions of bits, on test rows, or on all rows of expressions. Intervals are Wilson's."
)


def known_report(rows: Sequence[Row], read: Read) -> dict[str, bytes]:
    """``summary.md``, and a picture of each kind."""
    files = {"summary.md": known_summary(rows).encode()}
    for kind, depth in dict.fromkeys((row["kind"], row["depth"]) for row in rows):
        found = consensus_rows(rows, SEEDS, kind=kind, depth=depth)
        picture = draw_found(found, _cell, read, image=task_of(kind, found[0]["sample"]).image)
        if picture is not None:
            files[f"{kind}_depth{depth}.svg"] = picture
    return files


def known_summary(rows: Sequence[Row]) -> str:
    """The summary of the study, as markdown.

    Examples
    --------
    >>> known_summary([]).splitlines()[2]
    '0 cells (kind, depth, sample) were run.'
    """
    found = consensus_rows(rows, SEEDS)
    parts = [
        *("# Tasks of known structure", f"{len(found)} cells (kind, depth, sample) were run.", MEANING),
        *("## Kinds", table(KIND_HEADER, [line for kind in (*KINDS, "") if (line := _kind_line(rows, kind))])),
        *("## Every cell", table(CELL_HEADER, [_cell_line(rows, row) for row in found])),
        *("## Time", f"{hours(found)}."),
    ]
    return "\n\n".join(parts) + "\n"


def _kind_line(rows: Sequence[Row], kind: str) -> list[str]:
    """A kind, or, without a name, all of them; nothing where it was not run."""
    four, one = ([row for row in consensus_rows(rows, size) if kind in ("", row["kind"])] for size in (SEEDS, 1))
    if not four:
        return []
    outside = sum(bool(row["outside"]) for row in one)
    accuracies = [_mean([row[name] for row in four], ".3f") for name in ("test_accuracy", "dense_test_accuracy")]
    return [
        kind or "all", str(len(four)), _verdicts(four), _mean([row["score"] for row in four], ".2f"),
        with_interval(rate_of(one, ("modules_right",))), with_interval(rate_of(one, ("right",))),
        _mean([row["score"] for row in one], ".2f"), f"{outside}/{len(one)}", *accuracies,
    ]  # fmt: skip


def _cell_line(rows: Sequence[Row], row: Row) -> list[str]:
    single = consensus_rows(rows, 1, **{name: row[name] for name in ("kind", "depth", "sample")})
    numbers = [spread([row[name]], form) for name, form in (("support", ".2f"), ("edges", "d"), ("inputs_read", "d"))]
    return [
        row["kind"], str(row["sample"]), row["verdict"], spread([row["score"]], ".2f"), f"{row['modules'] or 0}/{row['true_modules']}",
        spread([row["p_value"]], ".3f"), row["chance"] or "", *numbers, spread([row["test_accuracy"]], ".3f"), _worst(row),
        spread([row["dense_test_accuracy"]], ".3f"), _verdicts(single), f"{row['seconds']:.0f}",
    ]  # fmt: skip


def _worst(row: Row) -> str:
    """The accuracy of the worst output, with its interval where rows are a sample."""
    from analysis import Rate

    if row["worst_accuracy"] is None:
        return ""
    if row["kind"] in TABLES:
        return f"{row['worst_accuracy']:.3f}"
    low, high = Rate(round(row["worst_accuracy"] * row["test_rows"]), row["test_rows"]).interval
    return f"{row['worst_accuracy']:.3f} ({low:.3f}-{high:.3f})"


def _verdicts(rows: Sequence[Row]) -> str:
    """How often each verdict occurs, the best first."""
    counts = Counter(row["verdict"] for row in rows)
    return ", ".join(f"{counts[word]} {word}" for word in WORDS if counts[word])


def _mean(values: Sequence[float | None], form: str) -> str:
    known = [value for value in values if value is not None]
    return f"{mean(known):{form}}" if known else ""


def _cell(row: Row) -> str:
    return cell_name(row["kind"], row["depth"], row["sample"])
