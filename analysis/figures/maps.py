"""Heat maps of success rates."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..drawing.colours import FAINT, INK
from ..drawing.page_layout import SMALL, SMALLEST, TEXT
from ..evidence import Rate
from .paper import LETTERS, NOT_RUN, Grid, axes_of, check_beside, check_grid, letter, shades, widest

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["success_map"]

DARK = 0.8  # cells with at least this rate have white text, which then has more contrast than dark text


def success_map(
    rates: Grid,
    *,
    published: Grid | None = None,
    ax: Axes | None = None,
    title: str = "",
    xlabel: str = "",
    ylabel: str = "",
) -> Axes:
    """Draw success rates as a heat map, with rate and count in each cell and the published rate below; return the axes.

    Parameters
    ----------
    rates : mapping of str to mapping of str to Rate or None
        For each row, from top to bottom, the rate of each column. None, where nothing was run, is drawn as a dash.
    published : mapping, optional
        Published rates, as far as known.
    ax : matplotlib Axes, optional
        The axes to draw on. A new figure when left out.
    title, xlabel, ylabel : str

    Returns
    -------
    matplotlib Axes

    Raises
    ------
    TypeError
        When rates are no dict of ``Rate``, or none of such dicts.
    ValueError
        When rows differ in their columns, or ``published`` has names that ``rates`` does not have.

    Examples
    --------
    >>> ax = success_map({"0": {"use 1": Rate(35, 36), "use 2": None}}, published={"0": {"use 1": Rate(18, 36)}})
    >>> [text.get_text() for text in ax.texts]
    ['0.97', '35/36', 'publ. 0.50', '–']
    """
    columns, published = check_grid(rates), check_beside("published", published, rates)
    ax = axes_of(ax, 0.5 + widest(rates) + max(0.62, widest(columns)) * len(columns), 0.8 + 0.56 * len(rates))
    letter(ax, title, xlabel, ylabel)
    values = [[np.nan if rate is None else rate.fraction for rate in row.values()] for row in rates.values()]
    # Squares instead of a raster image, so that they are sharp in a vector file.
    ax.pcolormesh(np.ma.masked_invalid(values), cmap=shades(), vmin=0, vmax=1.15, edgecolors="white", linewidth=1.5)
    for i, row in enumerate(rates):
        for j, column in enumerate(columns):
            _cell(ax, j + 0.5, i + 0.5, rates[row][column], published.get(row, {}).get(column))
    ax.set(xlim=(0, len(columns)), ylim=(len(rates), 0))
    ax.set_xticks(np.arange(len(columns)) + 0.5, columns, fontsize=SMALL, **LETTERS)
    ax.set_yticks(np.arange(len(rates)) + 0.5, list(rates), fontsize=SMALL, **LETTERS)
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)
    return ax


def _cell(ax: Axes, x: float, y: float, rate: Rate | None, published: Rate | None) -> None:
    ink = "white" if rate and rate.fraction >= DARK else INK
    lines = (
        [(f"{rate.fraction:.2f}", TEXT, "bold", ink), (str(rate), SMALLEST, "normal", ink)] if rate else [(NOT_RUN, TEXT, "normal", FAINT)]
    )
    if published:
        lines.append((f"publ. {published.fraction:.2f}", SMALLEST - 0.5, "normal", ink))
    for k, (text, size, weight, colour) in enumerate(lines):
        place = y + 0.27 * (k - (len(lines) - 1) / 2)
        ax.text(x, place, text, fontsize=size, weight=weight, color=colour, ha="center", va="center", **LETTERS)
