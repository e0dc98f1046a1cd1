"""Bar charts of success rates."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ..drawing.colours import FAINT, INK, NEGATIVE
from ..drawing.letters import FONT
from ..drawing.page_layout import LINE, SMALL, SMALLEST, TEXT, text_width
from ..evidence import Rate
from .paper import (
    LENIENT,
    LETTERS,
    NOT_RUN,
    STRICT,
    Grid,
    axes_of,
    check_beside,
    check_grid,
    check_lenient,
    letter,
    rate_axis,
    shades,
    widest,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["success_bars"]

FILLED = 0.8  # width of a group of bars, as a fraction of the distance between two groups
HATCH, PUBLISHED = "////", "published"
KEY = 24.0  # points of a legend entry beside its text
ROW = LINE * SMALL  # points; the height of a row of counts above the bars
DIAMOND: dict[str, Any] = {
    "marker": "D",
    "markersize": 4.5,
    "markerfacecolor": "white",
    "markeredgecolor": NEGATIVE,
    "markeredgewidth": 1.1,
}


def success_bars(
    rates: Grid,
    *,
    lenient: Grid | None = None,
    published: Grid | None = None,
    ax: Axes | None = None,
    title: str = "",
    xlabel: str = "",
) -> Axes:
    """Draw success rates as bars with counts and Wilson 95 % intervals; return the axes.

    Parameters
    ----------
    rates : mapping of str to mapping of str to Rate or None
        For each group the rate of each series. All groups have the same series. None, where nothing was run, is drawn as a dash.
    lenient : mapping, optional
        Rates of the same trials by a more lenient criterion, such as one that also counts valid decompositions: hatched bars on top. The
        intervals are then those of the lenient rates.
    published : mapping, optional
        Published rates, as far as known: open diamonds.
    ax : matplotlib Axes, optional
        The axes to draw on. A new figure when left out.
    title, xlabel : str

    Returns
    -------
    matplotlib Axes

    Raises
    ------
    TypeError
        When rates are no dict of ``Rate``, or none of such dicts.
    ValueError
        When groups differ in their series, ``lenient`` or ``published`` have names that ``rates`` does not have, or ``lenient`` has fewer
        successes or other trials.

    Examples
    --------
    >>> rates = {"use 1": {"2 layers": Rate(7, 12), "3 layers": Rate(0, 12)}}
    >>> ax = success_bars(rates, published={"use 1": {"2 layers": Rate(6, 12)}})
    >>> [text.get_text() for text in ax.texts]
    ['ours', '7/12', '0/12', 'published', '6/12', '–']
    """
    series = check_grid(rates)
    lenient, published = check_lenient(lenient, rates), check_beside("published", published, rates)
    ax = axes_of(ax, max(3.4, 1.1 + max(0.41 * len(series), widest(rates)) * len(rates)), 3.2)
    rows: dict[str, Grid] = {STRICT if lenient else "ours": rates}
    rows |= {LENIENT: lenient} if lenient else {}
    rows |= {PUBLISHED: published} if published else {}
    letter(ax, title, xlabel, "rate of success", pad=ROW * len(rows) + 8)
    rate_axis(ax)
    width = FILLED / len(series)
    for place, group, name in _places(rates):
        _bar(ax, place, rates[group][name], lenient.get(group, {}).get(name), _shade(series.index(name), len(series)), width)
        _published(ax, place + 0.27 * width, published.get(group, {}).get(name))
    for k, (caption, grid) in enumerate(rows.items()):
        _counts(ax, _places(rates), grid, caption, 4 + ROW * (len(rows) - 1 - k))
    ax.set_xlim(-0.5, len(rates) - 0.5)
    ax.set_xticks(range(len(rates)), list(rates), fontsize=SMALL, **LETTERS)
    ax.tick_params(axis="x", length=0)
    _legend(ax, series, lenient, rates, bool(published))
    return ax


def _places(rates: Grid) -> list[tuple[float, str, str]]:
    """The position of the bar of each group and series."""
    places = []
    for i, (group, row) in enumerate(rates.items()):
        places += [(i + (j - (len(row) - 1) / 2) * FILLED / len(row), group, name) for j, name in enumerate(row)]
    return places


def _shade(j: int, count: int) -> tuple[float, float, float, float]:
    return shades()(float(np.interp(j, (0, max(1, count - 1)), (0.2, 0.7))))


def _bar(ax: Axes, place: float, rate: Rate | None, lenient: Rate | None, colour: tuple[float, ...], width: float) -> None:
    if rate is None:
        return
    # The outline of a bar of height 0 is a line, which shows that it was run.
    ax.bar(place, rate.fraction, 0.9 * width, color=colour, edgecolor=INK, linewidth=0.7)
    top = lenient or rate
    if top.successes > rate.successes:
        more = top.fraction - rate.fraction
        style: dict[str, Any] = {"color": "white", "edgecolor": FAINT, "linewidth": 0.7, "hatch": HATCH}
        ax.bar(place, more, 0.9 * width, bottom=rate.fraction, gid="lenient", **style)
    ax.vlines(place, *top.interval, color="white", linewidth=3.0)  # a white margin around the line, on shades and hatches
    ax.vlines(place, *top.interval, color=INK, linewidth=1.2, gid="interval")


def _published(ax: Axes, place: float, rate: Rate | None) -> None:
    if rate is not None:
        ax.plot(place, rate.fraction, **DIAMOND, linestyle="none", gid="published", zorder=4, clip_on=False)


def _counts(ax: Axes, places: list[tuple[float, str, str]], grid: Grid, caption: str, height: float) -> None:
    """Write a row of counts, ``height`` points above the axes, with its caption at the left."""
    style: dict[str, Any] = {"xycoords": ("data", "axes fraction"), "textcoords": "offset points", "annotation_clip": False, **LETTERS}
    style |= {"va": "bottom", "fontsize": SMALLEST, "color": NEGATIVE if caption == PUBLISHED else INK}
    ax.annotate(caption, (-0.5, 1), (-4, height), ha="right", **style)
    for place, group, name in places:
        ax.annotate(str(grid.get(group, {}).get(name) or NOT_RUN), (place, 1), (0, height), ha="center", **style)


def _legend(ax: Axes, series: list[str], lenient: Grid, strict: Grid, published: bool) -> None:
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch
    from matplotlib.transforms import ScaledTranslation

    looks: dict[str, dict[str, Any]] = {name: {"fc": _shade(j, len(series)), "ec": INK} for j, name in enumerate(series)}
    if any(rate != strict[group][name] for group, row in lenient.items() for name, rate in row.items()):
        looks["another valid decomposition"] = {"fc": "white", "ec": FAINT, "hatch": HATCH}
    entries: list[Patch | Line2D] = [Patch(label=name, linewidth=0.7, **look) for name, look in looks.items()]
    interval = f"95 % interval{', counting valid' if lenient else ''}"
    entries.append(Line2D([], [], color=INK, linewidth=1.2, marker="|", linestyle="none", markersize=9, label=interval))
    if published:
        entries.append(Line2D([], [], label=PUBLISHED, linestyle="none", **DIAMOND))
    lines = 1 + max(tick.get_text().count("\n") for tick in ax.get_xticklabels())
    label = ax.get_xlabel()
    below = 8 + LINE * (SMALL * lines + (TEXT * (1 + label.count("\n")) if label else 0))
    shift = ScaledTranslation(0, -below / 72, ax.figure.dpi_scale_trans)
    legend = ax.legend(
        handles=entries,
        loc="upper center",
        bbox_to_anchor=(0.5, 0),
        bbox_transform=ax.transAxes + shift,
        borderaxespad=0,
        ncols=_columns(ax, [str(entry.get_label()) for entry in entries]),
        frameon=False,
        prop={"family": FONT, "size": SMALL},
        columnspacing=1.2,
        handlelength=1.4,
    )
    for text in legend.get_texts():
        text.set(parse_math=False, color=INK)


def _columns(ax: Axes, labels: list[str]) -> int:
    """The number of legend entries in a row: all if they fit a little more than the width of the axes."""
    widths = [text_width(label, SMALL) + KEY for label in labels]
    room = 1.2 * ax.get_window_extent().width * 72 / ax.figure.get_dpi()
    return len(labels) if sum(widths) <= room else max(1, int(room / max(widths)))
