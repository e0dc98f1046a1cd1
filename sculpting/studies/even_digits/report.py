"""The study of even digits in words and pictures: images until 97 % by method and size, what is below what, and the frontier."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ...store import Row, table_bytes
from ...study import Read
from ..common.agreement import (
    AGREEMENT_HEADER,
    KINDS,
    PUBLISHED_AGREEMENT,
    WHAT_SCORES_ARE,
    agreement_line,
    agreement_scatter,
    mean_and_range,
)
from ..common.reporting import hours, pictures, spread, with_interval
from ..common.success_rates import NOT_RUN, reached, table
from .cells import METHODS, PROTOCOLS, TARGET
from .frontier import NAMES, PUBLISHED_SHAPES, frontier, frontier_figure, published_near, thousands, verdict
from .methods import SCORED
from .published import MINUTES

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["even_report", "even_summary"]

BELOW = METHODS[2:]  # the target: fewer images than scratch
TARGET_HEADER = ("what", "target", "ours", "reached?")
SIZE_HEADER = ("units", *NAMES.values(), f"below scratch? {', '.join(NAMES[method] for method in BELOW)}", "fewest images")
HEADER = (
    "units", "method", "reached 97 %", "units left", "images, mean", "range", "published", "test accuracy", "learning rate", "strength",
)  # fmt: skip
TEACHER_HEADER = ("seed", "hidden units", "images of all digits", "validation, even digits", "test, even digits")
MEANING = (
    "Images of even digits that training consumed, each time they were used, until 97 % of the validation images of even digits were named "
    "right; for pruning by activation x gradient, those that units were scored on too. Means over seeds, at the learning rate (and "
    "strength of the group lasso) that most seeds got there with, of equals with fewest images. What a teacher was trained on is not "
    "counted. *Above*: some seeds did not get there, and the mean counts what they had."
)
NOTE = (
    "Published: Michaud, Parker-Sartori and Tegmark (NeurIPS 2025), figure 4, at the nearest size: one teacher of 2,400 units, 29,492 "
    "training images of even digits, training until 97 % of the test images. Pruning at random is not in that figure."
)
AGREEMENT = (
    "Scores for the even digits of every hidden unit of the teachers, both layers together; mean and range over teachers. On the "
    f"{SCORED} training images that units are scored on for pruning by activation x gradient; the teachers were trained on them too, so "
    f"losses are small there. {WHAT_SCORES_ARE} {PUBLISHED_AGREEMENT}"
)


def even_report(rows: Sequence[Row], read: Read, *, protocol: str) -> dict[str, bytes]:
    """``curves.csv``, ``summary.md`` and the figures ``frontier`` and ``attribution`` as SVG and PNG.

    Rows have their ``curve``, ``scores`` and ``attributions``.
    """
    names = ("learning_rate", "strength", "seed")
    points = [
        {**{name: row[name] for name in names}, "images": images, "units": units, "validation_accuracy": accuracy}
        for row in rows
        for images, units, accuracy in row["curve"] or ()
    ]
    figures = pictures(frontier=frontier_figure(rows, protocol), attribution=_attribution(rows))
    return {"curves.csv": table_bytes(points), "summary.md": even_summary(rows, protocol).encode(), **figures}


def _attribution(rows: Sequence[Row]) -> Axes:
    """The first teacher's attributions for the even digits against its ablation scores, a point for each hidden unit."""
    first = next(row for row in rows if row["method"] == "teacher")
    return agreement_scatter(first["attributions"], first["scores"], title="Even digits: the first teacher")


def even_summary(rows: Sequence[Row], protocol: str) -> str:
    """The summary of the study of even digits, as markdown.

    Examples
    --------
    >>> print(even_summary([], "reduced").splitlines()[2])
    0 of 360 networks were trained, of 5 seeds, 5 methods, 6 sizes and their learning rates; 0 got to 97 %.
    """
    known = PROTOCOLS[protocol]
    teachers = [row for row in rows if row["method"] == "teacher"]
    small = [row for row in rows if row["method"] != "teacher"]
    total = sum(len(cell["units"]) for cell in known.cells.values()) * known.seeds
    counts = (
        f"{len(small)} of {total} networks were trained, of {known.seeds} seeds, {len(METHODS)} methods, {len(known.sizes)} sizes and "
        f"their learning rates; {sum(row['reached'] for row in small)} got to {100 * TARGET:.0f} %."
    )
    lines = [_line(rows, method, size, protocol) for size in known.sizes for method in METHODS]
    agreement = [agreement_line(teachers, kind, known.units) for kind in KINDS]
    parts = ["# Even digits", counts, MEANING, "## Targets", table(TARGET_HEADER, _targets(rows, protocol))]
    parts += ["## Images until 97 %, by size", table(SIZE_HEADER, [_of_size(rows, size) for size in known.sizes])]
    parts += [_where_distillation_wins(rows, known.sizes), "## Every method and size", table(HEADER, lines)]
    parts += [NOTE] if protocol in PUBLISHED_SHAPES else []
    parts += ["## Teachers", table(TEACHER_HEADER, map(_teacher, teachers))]
    parts += ["## Attribution against ablation", AGREEMENT, table(AGREEMENT_HEADER, agreement)]
    return "\n\n".join([*parts, "## Time", f"{hours(rows)}."]) + "\n"


def _targets(rows: Sequence[Row], protocol: str) -> list[list[str]]:
    """A line for each method that should need fewer images than scratch at every size, and one for the time."""
    from analysis import Rate

    sizes, lines = PROTOCOLS[protocol].sizes, []
    for method in BELOW:
        verdicts = [known for size in sizes if (known := verdict(rows, method, "scratch", size)) is not None]
        rate, target = Rate(verdicts.count("yes"), len(verdicts)) if verdicts else None, Rate(len(sizes), len(sizes))
        # Open while some sizes are undecided and none has failed.
        is_reached = "open" if "open" in verdicts and "no" not in verdicts else reached(rate, target)
        lines.append([f"{NAMES[method]}: fewer images than scratch, of all sizes", str(target), with_interval(rate), is_reached])
    if protocol != "reduced":
        return lines
    minutes = sum(row["seconds"] for row in rows) / 120
    ours = [f"{minutes:.1f}", "yes" if minutes <= MINUTES else "no"] if rows else [NOT_RUN, NOT_RUN]
    return [*lines, ["minutes of two cores at most", f"{MINUTES:g}", *ours]]


def _of_size(rows: Sequence[Row], size: int) -> list[str]:
    points = {method: frontier(rows, method, size) for method in METHODS}
    below = ", ".join(verdict(rows, method, "scratch", size) or NOT_RUN for method in BELOW)
    return [str(size), *(str(point or NOT_RUN) for point in points.values()), below, NAMES.get(_fewest(rows, size) or "", "open")]


def _fewest(rows: Sequence[Row], size: int) -> str | None:
    """The method that needs fewer images than every other; None where there is none, or it is open."""
    return next((one for one in METHODS if all(verdict(rows, one, other, size) == "yes" for other in METHODS if other != one)), None)


def _where_distillation_wins(rows: Sequence[Row], sizes: Sequence[int]) -> str:
    """A sentence for each other method."""
    parts = []
    for other in (method for method in METHODS if method != "distillation"):
        won = [str(size) for size in sizes if verdict(rows, "distillation", other, size) == "yes"]
        parts.append(f"than {NAMES[other]} at {', '.join(won) if won else 'no size'}")
    return f"Distillation needs fewer images {'; '.join(parts)}."


def _line(rows: Sequence[Row], method: str, size: int, protocol: str) -> list[str]:
    from analysis import Rate

    point, published = frontier(rows, method, size), published_near(method, size) if protocol in PUBLISHED_SHAPES else ""
    if point is None:
        return [str(size), NAMES[method], NOT_RUN, "", "", "", published, "", "", ""]
    some = point.rows
    columns = {name: [row[name] for row in some] for name in ("units", "images", "test_accuracy")}
    images = "-".join(dict.fromkeys(thousands(end) for end in (min(columns["images"]), max(columns["images"]))))
    rate, strength = (some[0][name] for name in ("learning_rate", "strength"))
    count = Rate(sum(row["reached"] for row in some), len(some))
    facts = [str(size), NAMES[method], str(count), spread(columns["units"], "d"), str(point), images, published]
    return [*facts, mean_and_range(columns["test_accuracy"], ".3f"), f"{rate:g}", "" if strength is None else f"{strength:g}"]


def _teacher(row: Row) -> list[str]:
    accuracies = [f"{row[name]:.3f}" for name in ("validation_accuracy", "test_accuracy")]
    return [str(row["seed"]), str(row["units"]), thousands(row["images"]), *accuracies]
