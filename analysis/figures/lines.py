"""Line charts of success rates over the values of a parameter."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from ..drawing.colours import INK, POSITIVE
from ..drawing.page_layout import SMALL, SMALLEST
from ..evidence import Rate
from .paper import LENIENT, LETTERS, NOT_RUN, STRICT, axes_of, check_lenient, check_named, check_rates, letter, rate_axis

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["success_lines"]

Values = Mapping[str, Rate | None]
BAND = "#ececec"  # behind the default


def success_lines(
    rates: Values,
    *,
    default: str | None = None,
    lenient: Values | None = None,
    ax: Axes | None = None,
    title: str = "",
    xlabel: str = "",
) -> Axes:
    """Draw success rates over the values of one parameter, with counts and Wilson 95 % intervals; return the axes.

    Parameters
    ----------
    rates : mapping of str to Rate or None
        The rate of each value; None where nothing was run. The values are drawn in this order, at equal distances.
    default : str, optional
        The value to highlight.
    lenient : mapping, optional
        Rates of the same trials by a more lenient criterion: a dashed line with open markers.
    ax : matplotlib Axes, optional
        The axes to draw on. A new figure when left out.
    title, xlabel : str

    Returns
    -------
    matplotlib Axes

    Raises
    ------
    TypeError
        When rates are no dict of ``Rate``.
    ValueError
        When ``default`` is not one of the values, or ``lenient`` has values that ``rates`` does not have, fewer successes or other trials.

    Examples
    --------
    >>> ax = success_lines({"0.05": Rate(5, 6), "0.1": Rate(6, 6)}, default="0.1", title="learning rate")
    >>> [text.get_text() for text in ax.texts], ax.lines[0].get_ydata().round(2).tolist()
    (['5/6', '6/6'], [0.83, 1.0])
    """
    check_named("rates", rates)
    if not rates:
        raise ValueError("rates must have at least one value; got none")
    if default is not None and default not in rates:
        raise ValueError(f"default must be one of the values {list(rates)}; got {default!r}")
    check_rates("rates", {title: rates})
    lenient = check_lenient({title: lenient} if lenient else None, {title: rates}).get(title, {})
    ax = axes_of(ax, 2.6, 2.1)
    letter(ax, title, xlabel, "rate of success", pad=SMALLEST + 8)
    rate_axis(ax)
    if default is not None:
        place = list(rates).index(default)
        ax.axvspan(place - 0.4, place + 0.4, color=BAND, linewidth=0, zorder=0, gid="default")
    if lenient:
        _line(ax, list(rates), lenient, {"linestyle": (0, (3, 1.5)), "markerfacecolor": "white", "label": LENIENT})
    _line(ax, list(rates), rates, {"label": STRICT})
    _name_values(ax, rates, default)
    return ax


def _line(ax: Axes, names: list[str], rates: Values, style: dict[str, Any]) -> None:
    run = [(i, rate) for i, name in enumerate(names) if (rate := rates.get(name)) is not None]
    places, fractions = [i for i, _ in run], np.array([rate.fraction for _, rate in run])
    ax.plot(
        places, fractions, **{"color": POSITIVE, "marker": "o", "markersize": 4, "linewidth": 1.4, "clip_on": False, "zorder": 3, **style}
    )


def _name_values(ax: Axes, rates: Values, default: str | None) -> None:
    for i, rate in enumerate(rates.values()):
        if rate is not None:
            ax.vlines(i, *rate.interval, color=INK, linewidth=0.8, gid="interval", zorder=2)
        ax.annotate(
            str(rate or NOT_RUN),
            (i, 1),
            (0, 3),
            xycoords=("data", "axes fraction"),
            textcoords="offset points",
            ha="center",
            va="bottom",
            fontsize=SMALLEST,
            color=INK,
            annotation_clip=False,
            **LETTERS,
        )
    ax.set_xlim(-0.5, len(rates) - 0.5)
    ax.set_xticks(range(len(rates)), list(rates), fontsize=SMALL, **LETTERS)
    for name, label in zip(rates, ax.get_xticklabels(), strict=True):
        label.set_fontweight("bold" if name == default else "normal")
