"""Panels of success rates over the values of many settings, several series in each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from ..drawing.colours import INK, NEGATIVE, POSITIVE
from ..drawing.letters import FONT
from ..drawing.page_layout import SMALL, SMALLEST
from ..evidence import Rate
from ..texts import shown
from .lines import BAND
from .paper import LETTERS, Grid, check_named, check_rates, letter, rate_axis

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["series_panels"]

STYLES = ((POSITIVE, "o"), (NEGATIVE, "s"))  # of the two series
ABREAST, APART = 4, 0.22  # panels in a row; distance of two series at a value, of that of two values


def series_panels(series: Mapping[str, Grid], *, defaults: Mapping[str, str], notes: Mapping[str, str] | None = None) -> Figure:
    """A figure with a panel for each parameter: the rates of one or two series at each of its values, with Wilson 95 % intervals.

    Parameters
    ----------
    series : mapping of str to mapping of str to mapping of str to Rate
        For each series, and each parameter, the rate of each value. All series have the parameters and values of the first.
    defaults : mapping of str to str
        For each parameter the value to highlight; dotted lines go on from its rates, and parameters without one have none.
    notes : mapping of str to str, optional
        What stands above a panel, to the right of the parameter's name.

    Returns
    -------
    matplotlib Figure

    Raises
    ------
    TypeError
        When rates are no dict of ``Rate``, or defaults or notes no dict of texts.
    ValueError
        When there are more than two series, a series has other parameters or values than the first, there is no value, or defaults or
        notes name a parameter that there is not.

    Examples
    --------
    >>> seeds, answers = {"noise": {"0": Rate(3, 12), "0.3": Rate(7, 12)}}, {"noise": {"0": Rate(1, 3), "0.3": Rate(2, 3)}}
    >>> figure = series_panels({"seeds": seeds, "answers": answers}, defaults={"noise": "0.3"}, notes={"noise": "0.4"})
    >>> [ax.get_title(loc="right") for ax in figure.axes], [text.get_text() for text in figure.legends[0].get_texts()]
    (['0.4'], ['seeds', 'answers'])
    """
    from matplotlib.figure import Figure

    parameters = _checked(series, {"defaults": defaults, "notes": notes or {}})
    across = min(ABREAST, len(parameters))
    down = -(-len(parameters) // across)
    figure = Figure(figsize=(0.5 + 1.7 * across, 0.4 + 1.45 * down), layout="constrained", facecolor="white")
    for k, parameter in enumerate(parameters):
        ax = figure.add_subplot(down, across, k + 1)
        letter(ax, parameter, "", "" if k % across else "rate of success", pad=4)
        ax.set_title((notes or {}).get(parameter, ""), loc="right", fontsize=SMALL, color=INK, pad=4, **LETTERS)
        _panel(ax, {name: grid[parameter] for name, grid in series.items()}, defaults.get(parameter))
        ax.tick_params(labelleft=not k % across)
    handles = [figure.axes[0].lines[k] for k in range(len(series))]
    figure.legend(
        handles=handles, labels=list(series), loc="outside lower center", ncols=2, frameon=False, prop={"family": FONT, "size": SMALL}
    )
    return figure


def _checked(series: Mapping[str, Grid], texts: Mapping[str, Mapping[str, str]]) -> list[str]:
    """The parameters of all series."""
    check_named("series", series)
    for name, grid in series.items():
        check_rates(f"series[{name!r}]", grid)
    if not 1 <= len(series) <= len(STYLES) or not all(grid and all(grid.values()) for grid in series.values()):
        raise ValueError(f"series must be one or two, with at least one value for each parameter; got {shown(dict(series))}")
    first, *others = ({parameter: list(values) for parameter, values in grid.items()} for grid in series.values())
    for other in others:
        if other.keys() != first.keys() or any({*values} - {*other[parameter]} for parameter, values in first.items()):
            raise ValueError(f"all series must have the parameters and values of the first, {shown(first)}; got {shown(other)}")
    for name, given in texts.items():
        check_named(name, given)
        if not all(isinstance(text, str) for text in given.values()):
            raise TypeError(f"{name} must be a dict of texts; got {shown(dict(given))}")
        if unknown := [parameter for parameter in given if parameter not in first]:
            raise ValueError(f"{name} must name parameters of series, {list(first)}; got {shown(unknown)}")
    return list(first)


def _panel(ax: Axes, series: Mapping[str, Mapping[str, Rate | None]], default: str | None) -> None:
    values = list(next(iter(series.values())))
    rate_axis(ax)
    if default in values:
        place = values.index(default)
        ax.axvspan(place - 0.42, place + 0.42, color=BAND, linewidth=0, zorder=0, gid="default")
    for k, (rates, (colour, marker)) in enumerate(zip(series.values(), STYLES, strict=False)):
        shift = APART * (k - (len(series) - 1) / 2)
        run = [(i + shift, rate) for i, value in enumerate(values) if (rate := rates[value]) is not None]
        places, ends = [place for place, _ in run], np.array([rate.interval for _, rate in run]).reshape(-1, 2)
        fractions = [rate.fraction for _, rate in run]
        ax.plot(places, fractions, color=colour, marker=marker, markersize=3.2, linewidth=0.7, clip_on=False, zorder=3)
        ax.vlines(places, ends[:, 0], ends[:, 1], color=colour, linewidth=0.9, gid="interval", zorder=2)
    for rates, (colour, _) in zip(series.values(), STYLES, strict=False):
        if default is not None and (rate := rates.get(default)) is not None:
            ax.axhline(rate.fraction, color=colour, linewidth=0.6, linestyle=(0, (1, 2)), zorder=1)
    ax.set_xlim(-0.55, len(values) - 0.45)
    ax.set_xticks(range(len(values)), [value.replace("_", "\n") for value in values], fontsize=SMALLEST, color=INK, **LETTERS)
    for value, label in zip(values, ax.get_xticklabels(), strict=True):
        label.set_fontweight("bold" if value == default else "normal")
