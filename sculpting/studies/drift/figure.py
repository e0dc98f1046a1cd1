"""The figure of the study of tasks that change: how often the changed module is named, and how many steps that takes."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median
from typing import TYPE_CHECKING

from ...store import Row
from .changing import DIGIT_KINDS
from .edits import KINDS
from .targets import STEPS

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from analysis import Rate

__all__ = ["drift_figure"]

SHARES = {"modules of before": "modules_right", "detected again": "detected_right"}
BROAD, NARROW = 7.4, 3.4  # inches: width and height


def drift_figure(rows: Sequence[Row]) -> Axes:
    """Shares of changes in which the changed module, and no other, is named, by kind of change, beside steps against sculpting anew.

    ``rows`` are those of changes; there is at least one.
    """
    from matplotlib.figure import Figure

    from analysis.figures import success_bars

    of_kind = {kind: some for kind in (*KINDS, *DIGIT_KINDS) if (some := [row for row in rows if row["kind"] == kind])}
    figure = Figure(figsize=(BROAD, 2 * NARROW), layout="constrained", facecolor="white")
    shares = {_broken(kind): {name: _rate(some, column) for name, column in SHARES.items()} for kind, some in of_kind.items()}
    first = success_bars(shares, ax=figure.add_subplot(2, 1, 1), title="The changed module, and no other, is named")
    _steps(figure.add_subplot(2, 1, 2), {_broken(kind): some for kind, some in of_kind.items()})
    return first


def _steps(ax: Axes, of_kind: dict[str, list[Row]]) -> None:
    from analysis.drawing import FAINT, INK, POSITIVE
    from analysis.figures import letter

    for place, rows in enumerate(of_kind.values()):
        ratios = sorted(row["steps"] / row["anew_steps"] for row in rows)
        spread = [place + 0.3 * ((i + 0.5) / len(ratios) - 0.5) for i in range(len(ratios))]
        ax.plot(spread, ratios, "o", markersize=3.5, color=POSITIVE, alpha=0.6, gid="changes")
        ax.plot([place - 0.25, place + 0.25], [median(ratios)] * 2, color=INK, linewidth=1.4, gid="median")
    for level, style in ((STEPS, (0, (3, 2))), (1.0, "-")):
        ax.axhline(level, color=FAINT, linewidth=0.8, linestyle=style)
    ax.set(yscale="log", xlim=(-0.6, len(of_kind) - 0.4))
    ax.set_xticks(range(len(of_kind)), [*of_kind])
    ax.spines[["top", "right"]].set_visible(False)
    letter(ax, "Steps of training; dashed: half of those of sculpting anew", "", "steps / steps of sculpting anew")


def _rate(rows: Sequence[Row], column: str) -> Rate:
    from analysis import Rate

    return Rate(sum(bool(row[column]) for row in rows), len(rows))


def _broken(kind: str) -> str:
    return kind.replace(" ", "\n")
