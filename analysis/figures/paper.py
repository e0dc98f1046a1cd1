"""Shared by all figures of rates: axes, texts, colours, and checks of the rates."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from ..drawing.colours import FAINT, INK
from ..drawing.letters import FONT
from ..drawing.page_layout import SMALL, TEXT, text_width
from ..evidence import Rate
from ..texts import clean

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colors import Colormap

Grid = Mapping[str, Mapping[str, Rate | None]]
LETTERS: dict[str, Any] = {"family": FONT, "parse_math": False, "usetex": False}
NOT_RUN = "–"
STRICT, LENIENT = "strict", "counting valid"
TICKS = (0.0, 0.25, 0.5, 0.75, 1.0)


def axes_of(ax: Axes | None, width: float, height: float) -> Axes:
    """``ax``, or the axes of a new figure with a width and height in inches."""
    from matplotlib.figure import Figure

    return ax if ax is not None else Figure(figsize=(width, height), layout="constrained", facecolor="white").add_subplot()


def widest(names: Iterable[str]) -> float:
    """The width in inches of the longest line of the names, with a gap."""
    return max(text_width(line, SMALL) + 6 for name in names for line in name.split("\n")) / 72


def letter(ax: Axes, title: str, xlabel: str, ylabel: str, pad: float = 6.0) -> None:
    """Write the title and the axis labels; ``pad`` points are left free below the title."""
    title, xlabel, ylabel = map(clean, (title, xlabel, ylabel))
    ax.set_title(title, loc="left", fontsize=TEXT, color=INK, weight="bold", pad=pad, **LETTERS)
    ax.set_xlabel(xlabel, fontsize=TEXT, color=INK, **LETTERS)
    ax.set_ylabel(ylabel, fontsize=TEXT, color=INK, **LETTERS)
    ax.tick_params(labelsize=SMALL, colors=INK, labelfontfamily=FONT)


def rate_axis(ax: Axes) -> None:
    """Set up an axis of rates from 0 to 1, slightly longer, so that bars of height 0 and markers at 1 are fully visible."""
    ax.set(ylim=(-0.015, 1.03), yticks=TICKS)
    ax.spines[["top", "right"]].set_visible(False)
    ax.grid(axis="y", color=FAINT, alpha=0.2, linewidth=0.5)
    ax.set_axisbelow(True)


def shades() -> Colormap:
    """Colours from white to dark blue, which keep their order in greyscale."""
    from matplotlib import colormaps

    return colormaps["Blues"]


def check_grid(rates: Grid) -> list[str]:
    """The columns of a grid, the same in every row."""
    check_rates("rates", rates)
    if not rates or not all(rates.values()):
        raise ValueError(f"rates must have at least one group of at least one rate; got {dict(rates)}")
    names = {row: list(columns) for row, columns in rates.items()}
    first, columns = next(iter(names.items()))
    for row, others in names.items():
        if others != columns:
            raise ValueError(
                f"rates[{row!r}] must have the names of rates[{first!r}], {columns}, in that order; got {others}. "
                "Use None where nothing was run"
            )
    return columns


def check_named(name: str, given: Any) -> None:
    """Refuse what is no mapping, such as a list of values without names."""
    if not isinstance(given, Mapping):
        raise TypeError(f"{name} must be a dict by name; got {type(given).__name__}")


def check_rates(name: str, grid: Grid) -> None:
    """Refuse values that are not a ``Rate``, such as a fraction, which has no number of trials."""
    check_named(name, grid)
    for row, columns in grid.items():
        check_named(f"{name}[{row!r}]", columns)
        for column, rate in columns.items():
            if rate is not None and not isinstance(rate, Rate):
                raise TypeError(
                    f"{name}[{row!r}][{column!r}] must be a Rate, such as Rate(11, 12), or None where nothing was run; got {rate!r}"
                )


def check_beside(name: str, beside: Grid | None, rates: Grid) -> Grid:
    """``beside``, or an empty grid. It may lack names of ``rates``, but must have no others."""
    check_rates(name, beside or {})
    for row, columns in (beside or {}).items():
        unknown = [row] if row not in rates else [column for column in columns if column not in rates[row]]
        if unknown:
            raise ValueError(f"{name} must have names of rates only; got {unknown[0]!r}, which is not in {list(rates.get(row, rates))}")
    return beside or {}


def check_lenient(lenient: Grid | None, rates: Grid) -> Grid:
    """``lenient``, or an empty grid. It must have the same trials as ``rates``, and at least as many successes."""
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
