"""What all figures of rates share: the axes, the letters, the shades, and the check of what belongs together."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from ..drawing.colours import FAINT, INK
from ..drawing.page_layout import FONT, SMALL, TEXT, text_width
from ..evidence import Rate

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colors import Colormap

Grid = Mapping[str, Mapping[str, Rate | None]]
LETTERS: dict[str, Any] = {"family": FONT, "parse_math": False, "usetex": False}
NOT_RUN = "–"
STRICT, LENIENT = "strict", "counting valid"
TICKS = (0.0, 0.25, 0.5, 0.75, 1.0)


def axes_of(ax: Axes | None, width: float, height: float) -> Axes:
    """``ax``, or the axes of a new figure of so many inches."""
    from matplotlib.figure import Figure

    return ax if ax is not None else Figure(figsize=(width, height), layout="constrained", facecolor="white").add_subplot()


def widest(names: Iterable[str]) -> float:
    """Inches that the longest line of the names takes, with a gap."""
    return max(text_width(line, SMALL) + 6 for name in names for line in name.split("\n")) / 72


def letter(ax: Axes, title: str, xlabel: str, ylabel: str, pad: float = 6.0) -> None:
    """Title and names of the axes; ``pad`` points are left free below the title."""
    ax.set_title(title, loc="left", fontsize=TEXT, color=INK, weight="bold", pad=pad, **LETTERS)
    ax.set_xlabel(xlabel, fontsize=TEXT, color=INK, **LETTERS)
    ax.set_ylabel(ylabel, fontsize=TEXT, color=INK, **LETTERS)
    ax.tick_params(labelsize=SMALL, colors=INK, labelfontfamily=FONT)


def rate_axis(ax: Axes) -> None:
    """An axis of rates from 0 to 1, a little longer, so that a bar of height 0 and a marker at 1 are seen whole."""
    ax.set(ylim=(-0.015, 1.03), yticks=TICKS)
    ax.spines[["top", "right"]].set_visible(False)
    ax.grid(axis="y", color=FAINT, alpha=0.2, linewidth=0.5)
    ax.set_axisbelow(True)


def shades() -> Colormap:
    """White to dark blue: an order that a copy in grey keeps."""
    from matplotlib import colormaps

    return colormaps["Blues"]


def check_grid(rates: Grid) -> list[str]:
    """The columns of a grid, the same in every row."""
    if not rates or not all(rates.values()):
        raise ValueError(f"rates must have at least one group of at least one rate; got {dict(rates)}")
    check_rates("rates", rates)
    names = {row: list(columns) for row, columns in rates.items()}
    first, columns = next(iter(names.items()))
    for row, others in names.items():
        if others != columns:
            raise ValueError(
                f"rates[{row!r}] must have the names of rates[{first!r}], {columns}, in that order; got {others}. "
                "Where nothing was run, use None"
            )
    return columns


def check_rates(name: str, grid: Grid) -> None:
    """Refuse what is no rate, such as its fraction, which tells of no trials."""
    for row, columns in grid.items():
        for column, rate in columns.items():
            if rate is not None and not isinstance(rate, Rate):
                raise TypeError(
                    f"{name}[{row!r}][{column!r}] must be a Rate, such as Rate(11, 12), or None where nothing was run; got {rate!r}"
                )


def check_beside(name: str, beside: Grid | None, rates: Grid) -> Grid:
    """``beside``, or nothing; it may leave out what it does not know, but knows nothing that ``rates`` does not name."""
    check_rates(name, beside or {})
    for row, columns in (beside or {}).items():
        unknown = [row] if row not in rates else [column for column in columns if column not in rates[row]]
        if unknown:
            raise ValueError(f"{name} must name what rates names; got {unknown[0]!r}, which is none of {list(rates.get(row, rates))}")
    return beside or {}


def check_lenient(lenient: Grid | None, rates: Grid) -> Grid:
    """``lenient``, or nothing: it counts the same trials as ``rates``, and at least its successes."""
    known = check_beside("lenient", lenient, rates)
    for row, columns in known.items():
        for column, more in columns.items():
            strict = rates[row][column]
            if not _counts_more(more, strict):
                raise ValueError(
                    f"lenient[{row!r}][{column!r}] must have the trials of rates[{row!r}][{column!r}], {strict}, "
                    f"and at least its successes; got {more}"
                )
    return known


def _counts_more(more: Rate | None, strict: Rate | None) -> bool:
    if more is None or strict is None:
        return more is strict
    return more.total == strict.total and more.successes >= strict.successes
