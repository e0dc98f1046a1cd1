"""The study of two digits in words and pictures: targets, every cell, the middle of the XOR, and the time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ...store import Row
from ...study import Read
from ..common.reporting import consensus_rows, draw_found, hours, pictures, spread, with_interval
from ..common.settings import IMAGE_THRESHOLD, SEEDS
from ..common.success_rates import layers, rate_of, table
from .cells import DETECTION, cell_name
from .published import NAMES, PUBLISHED, target_table

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["digits_report", "digits_summary"]

VERDICTS = {"left and right apart": "sides_apart", "outputs as in the truth": "outputs_right", "all modules": "modules_right"}
CELL_HEADER = (
    "task", "size", "width", "hidden layers", *VERDICTS, "four seeds: modules", "all right", "support", "edges", "pixels",
    "test accuracy", "dense", "minutes",
)  # fmt: skip
MIDDLE_HEADER = ("size", "width", "seed", "units", "share", "one output", "modules in the middle", "bits apart")
MEANING = (
    "A result is the consensus of the candidates of one seed, unless a column says otherwise; clusters merge above "
    f"{IMAGE_THRESHOLD}. Accuracies are fractions of bits, on test images. Intervals are Wilson's."
)
NOTE = (
    "Published counts were read off the figures of Patil, Michael and Dovrolis (NeurIPS 2023): three widths and four seeds at size 28, "
    "with settings for each width and depth; separate modules in the middle of the XOR in 0 of 48 networks of 2 to 5 hidden layers. A "
    "network that does take the bits apart need not have such modules: what one output alone reads joins the module of that output. So the "
    "last lines are about the function: *the bits apart*, a hidden layer below the last, each of whose units carries one bit only."
)
MIDDLE_NOTE = (
    "By hidden layer: *share*, the mean over units of the largest part that one bit of both digits has in what the unit carries of them "
    "(1: of one bit only; 0.14: of one digit against all others); *one output*, how many units reach one output only. *Bits apart*: in a "
    "layer below the last every unit has a share of at least 0.9, and each bit is carried."
)


def digits_report(rows: Sequence[Row], read: Read) -> dict[str, bytes]:
    """``summary.md``, the figure ``success`` as SVG and PNG, and a picture of each task, size and depth."""
    files = {"summary.md": digits_summary(rows).encode(), **pictures(success=_figure(rows))}
    for task, size, depth in _groups(rows):
        part = consensus_rows(rows, SEEDS, task=task, size=size, depth=depth)
        picture = draw_found(part, _cell, read, image=(size, 2 * size), **DETECTION)
        if picture is not None:
            files[f"{task}_size{size}_depth{depth}.svg"] = picture
    return files


def digits_summary(rows: Sequence[Row]) -> str:
    """The summary of the study of two digits, as markdown.

    Examples
    --------
    >>> print(digits_summary([]).splitlines()[2])
    0 cells (task, size, width, depth) were run.
    """
    cells = consensus_rows(rows, SEEDS)
    parts = [
        "# Two digits side by side",
        f"{len(cells)} cells (task, size, width, depth) were run.",
        *(MEANING, "## Targets", target_table(rows), NOTE),
        *("## Every cell", table(CELL_HEADER, [_cell_line(rows, row) for row in cells])),
        *("## The middle of the XOR", table(MIDDLE_HEADER, _middle_lines(rows)), MIDDLE_NOTE),
        *("## Time", f"{hours(cells)}."),
    ]
    return "\n\n".join(parts) + "\n"


def _cell_line(rows: Sequence[Row], row: Row) -> list[str]:
    shape = ("task", "size", "width", "depth")
    single = consensus_rows(rows, 1, **{name: row[name] for name in shape})
    rates = [with_interval(rate_of(single, (verdict,))) for verdict in VERDICTS.values()]
    of_four = [str(row["modules"] or "none"), "yes" if row["modules_right"] else "no", spread([row["support"]], ".2f")]
    forms = {"edges": "d", "pixels_read": "d", "test_accuracy": ".4f", "dense_test_accuracy": ".4f"}
    ranges = [spread([one[name] for one in single], form) for name, form in forms.items()]
    return [NAMES[row["task"]], *(str(row[name]) for name in shape[1:]), *rates, *of_four, *ranges, f"{row['seconds'] / 60:.1f}"]


def _middle_lines(rows: Sequence[Row]) -> list[list[str]]:
    columns = ("units", "bit_share", "one_output", "middle_modules")
    return [
        [
            *(str(row[name]) for name in ("size", "width")),
            "all four" if row["seeds"] == SEEDS else str(row["seed"]),
            *(str(row[name]) for name in columns),
            "yes" if row["bits_separate"] else "no",
        ]
        for row in rows
        if row["task"] == "mnist-xor" and row["rule"] == "consensus" and row["edges"] is not None
    ]


def _groups(rows: Sequence[Row]) -> list[tuple[str, int, int]]:
    return list(dict.fromkeys((row["task"], row["size"], row["depth"]) for row in rows))


def _cell(row: Row) -> str:
    return cell_name(row["task"], row["size"], row["width"], row["depth"])


def _figure(rows: Sequence[Row]) -> Axes:
    """Bars of single seeds by task, size and depth, all widths together."""
    from analysis import Rate
    from analysis.figures import success_bars

    rates, known = {}, {}
    for task, size, depth in _groups(rows):
        group = f"{NAMES[task]}\n{size}x{size}\n{layers(depth)}"
        single = consensus_rows(rows, 1, task=task, size=size, depth=depth)
        rates[group] = {name: rate_of(single, (verdict,)) for name, verdict in VERDICTS.items()}
        known[group] = {name: Rate(*count) for name, count in zip(VERDICTS, PUBLISHED[task][depth], strict=True)}
    return success_bars(rates, published=known, title="Two digits side by side, single seeds")
