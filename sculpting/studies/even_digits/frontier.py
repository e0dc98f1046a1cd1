"""The frontier of the study of even digits: images until 97 % by hidden units, ours and published, in numbers and as a figure."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from ...store import Row
from .cells import METHODS, PROTOCOLS
from .published import PUBLISHED

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["NAMES", "PUBLISHED_SHAPES", "Frontier", "frontier", "frontier_figure", "published_near", "thousands", "verdict"]

NAMES = {
    "scratch": "scratch",
    "distillation": "distillation",
    "activation-gradient": "pruned by activation x gradient",
    "random": "pruned at random",
    "group-lasso": "group lasso",
}
PUBLISHED_SHAPES = ("reduced", "full")  # protocols whose networks have the published form
NEAR = 1.25  # a published point stands beside a size up to so many times as large or small
STYLES: dict[str, dict[str, Any]] = {
    "scratch": {"color": "#1a1a1a", "linestyle": (0, (1, 1)), "marker": "s"},
    "distillation": {"color": "#6b6b6b", "linestyle": (0, (4, 1.5)), "marker": "D"},
    "activation-gradient": {"color": "#0072B2", "linestyle": "-", "marker": "o"},
    "random": {"color": "#56B4E9", "linestyle": (0, (4, 1, 1, 1)), "marker": "v"},
    "group-lasso": {"color": "#D55E00", "linestyle": "-", "marker": "^"},
}


class Frontier(NamedTuple):
    """A method at a size: the rows of its best learning rate, the mean of their images, and whether it is exact or only a lower bound."""

    rows: list[Row]
    images: float
    exact: bool

    def below(self, other: Frontier) -> bool | None:
        """Whether it needs fewer images than another; None where seeds that did not get there leave it open."""
        if self.exact and self.images < other.images:
            return True
        return False if other.exact and self.images >= other.images else None

    def __str__(self) -> str:
        return f"{'' if self.exact else 'above '}{thousands(self.images)}"


def frontier(rows: Sequence[Row], method: str, size: int) -> Frontier | None:
    """A method at a size; None where it was not run.

    Of several learning rates and strengths, the one with which most seeds got there, of equals that of fewest images, then the first.
    """
    tried: dict[tuple[Any, ...], list[Row]] = {}
    for row in rows:
        if (row["method"], row["asked"]) == (method, size):
            tried.setdefault((row["learning_rate"], row["strength"]), []).append(row)
    found = [Frontier(some, statistics.mean(row["images"] for row in some), all(row["reached"] for row in some)) for some in tried.values()]
    return min(found, key=lambda one: (-sum(row["reached"] for row in one.rows), one.images), default=None)


def verdict(rows: Sequence[Row], method: str, other: str, size: int) -> str | None:
    """Whether a method needs fewer images than another: yes, no or open; None where one of them was not run."""
    one, two = (frontier(rows, name, size) for name in (method, other))
    return None if one is None or two is None else {True: "yes", False: "no", None: "open"}[one.below(two)]


def published_near(method: str, size: int) -> str:
    """The nearest published point, if it is near."""
    points = PUBLISHED.get(method, {})
    near = min(points, key=lambda units: abs(math.log(units / size)), default=None)
    if near is None or not 1 / NEAR <= near / size <= NEAR:
        return ""
    return f"{thousands(points[near])}{'' if near == size else f' at {near}'}"


def thousands(images: float) -> str:
    """As ``0.8k`` or ``12.3k``."""
    return f"{images / 1000:.1f}k"


def frontier_figure(rows: Sequence[Row], protocol: str) -> Axes:
    """Images by units that are left, means with bands from the least to the most of the seeds; published points as faint crosses."""
    from matplotlib.lines import Line2D
    from matplotlib.ticker import NullLocator

    from analysis.drawing import FONT, SMALL
    from analysis.figures import axes_of, letter

    known = PROTOCOLS[protocol]
    ax = axes_of(None, 5.2, 3.6)
    ticks = [10**k for k in range(3, 7) if 10**k <= 1.2 * max(row["images"] for row in rows if row["method"] != "teacher")]
    ax.set_xscale("log")
    ax.set_yscale("symlog", linthresh=1000, linscale=0.5)  # some need none at all
    ax.set_xticks(known.sizes, [str(size) for size in known.sizes])
    ax.set_yticks([0, *ticks], ["0", *(f"{tick // 1000:,}k" for tick in ticks)])
    for axis in (ax.xaxis, ax.yaxis):
        axis.set_minor_locator(NullLocator())
    for method in METHODS:
        points = [point for size in known.sizes if (point := frontier(rows, method, size)) is not None]
        _draw(ax, method, points, PUBLISHED.get(method, {}) if protocol in PUBLISHED_SHAPES else {})
    ax.set_ylim(bottom=0)
    ax.spines[["top", "right"]].set_visible(False)
    letter(ax, "Even digits: images until 97 %", "hidden units that are left", "training images consumed")
    handles = [Line2D([], [], **STYLES[method], markersize=4, label=NAMES[method]) for method in METHODS]
    lone: dict[str, Any] = {"linestyle": "none", "markersize": 4, "color": "#1a1a1a"}
    if protocol in PUBLISHED_SHAPES:
        handles.append(Line2D([], [], label="published", marker="x", **lone))
    if any(line.get_markerfacecolor() == "white" for line in ax.lines):
        handles.append(Line2D([], [], label="lower bound: some seeds failed", marker="o", markerfacecolor="white", **lone))
    ax.figure.legend(handles=handles, loc="outside lower center", ncols=3, frameon=False, prop={"family": FONT, "size": SMALL})
    return ax


def _draw(ax: Axes, method: str, points: Sequence[Frontier], published: Mapping[int, float]) -> None:
    """The line of a method, open markers where the mean is a lower bound; and what was published in the range of sizes."""
    style = STYLES[method]
    units = [statistics.mean(row["units"] for row in point.rows) for point in points]
    ends = [(min(images), max(images)) for point in points if (images := [row["images"] for row in point.rows])]
    line = {**style, "marker": None}
    ax.plot(units, [point.images for point in points], **line, linewidth=1.4, label=NAMES[method], gid=method)
    ax.fill_between(units, [low for low, _ in ends], [high for _, high in ends], color=style["color"], alpha=0.12, linewidth=0)
    for at, point in zip(units, points, strict=True):
        face = style["color"] if point.exact else "white"
        ax.plot(at, point.images, color=style["color"], marker=style["marker"], markersize=4, markerfacecolor=face, gid="point")
    if units:
        near = {at: images for at, images in published.items() if min(units) / NEAR <= at <= max(units) * NEAR}
        ax.plot(
            list(near), list(near.values()), color=style["color"], linestyle="none", marker="x", markersize=4, alpha=0.5, gid="published"
        )
