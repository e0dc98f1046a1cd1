"""Scatter plots of two scores of the same units."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..drawing.colours import FAINT, INK, NEGATIVE, POSITIVE
from ..drawing.letters import FONT
from ..drawing.page_layout import SMALLEST
from ..texts import clean
from .paper import axes_of, check_named, letter

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.collections import PathCollection

__all__ = ["score_scatter"]

Pair = tuple[NDArray[np.float64], NDArray[np.float64]]
# Filled markers below open ones, so that overlapping points are visible.
LOOKS: tuple[dict[str, Any], ...] = (
    {"marker": "o", "s": 9, "color": POSITIVE, "linewidths": 0},
    {"marker": "D", "s": 11, "facecolors": "none", "edgecolors": NEGATIVE, "linewidths": 0.6},
)
BEYOND = 2.0  # smallest ratio of the ends of the axes and the outermost points
ALONE = range(-1, 2)  # exponents of the axes where there are no points
TICKS = 6  # at most
LEAST = 5e-324  # the smallest number above 0
CROWD = 200  # with more units markers shrink and fade
FAINTEST = 0.4  # smallest opacity of markers


def score_scatter(
    scores: Mapping[str, tuple[ArrayLike, ArrayLike]],
    *,
    ax: Axes | None = None,
    title: str = "",
    xlabel: str = "",
    ylabel: str = "",
) -> Axes:
    """Draw two scores of the same units against each other, on equal logarithmic axes; return the axes.

    The two are equal on the faint line. A unit with a score of 0 cannot be drawn; the legend gives the number of these.

    Parameters
    ----------
    scores : mapping of str to pair of arrays of shape (H,)
        For each series, at most two, the horizontal and the vertical scores of the same H units: at least 0, in the same unit of measure.
    ax : matplotlib Axes, optional
        The axes to draw on. A new figure when left out.
    title, xlabel, ylabel : str

    Returns
    -------
    matplotlib Axes

    Raises
    ------
    TypeError
        When ``scores`` is no dict.
    ValueError
        When there is no series or more than two, or scores are negative, not finite, or of different numbers of units.

    Examples
    --------
    >>> ax = score_scatter({"first order": ([0.1, 0.2, 0.0], [0.1, 0.3, 0.0])}, xlabel="attribution", ylabel="ablation")
    >>> ax.collections[0].get_offsets().tolist(), [text.get_text() for text in ax.get_legend().get_texts()]
    ([[0.1, 0.1], [0.2, 0.3]], ['first order: 2 units, 1 more with a 0'])
    """
    check_named("scores", scores)
    if not 1 <= len(scores) <= len(LOOKS):
        raise ValueError(f"scores must be of one or two series, since more would hide one another; got {list(scores)}")
    pairs = {name: _pair(name, *pair) for name, pair in scores.items()}
    ax = axes_of(ax, 3.2, 3.2)
    ax.set(xscale="log", yscale="log")
    series: dict[str, PathCollection] = {}
    for (given, (across, up)), look in zip(pairs.items(), LOOKS, strict=False):
        name = clean(str(given))
        shown = (across > 0) & (up > 0)
        zeros = len(shown) - int(shown.sum())
        label = f"{name}: {shown.sum()} units{f', {zeros} more with a 0' * (zeros > 0)}"
        share = min(1.0, CROWD / max(1, int(shown.sum())))
        size = {"s": look["s"] * share, "linewidths": look["linewidths"] * share**0.5, "alpha": max(FAINTEST, share)}
        series[label] = ax.scatter(across[shown], up[shown], **{**look, **size}, gid=name, label=label, zorder=3)
    decades = _decades(pairs)
    ends, ticks = (_power(decades[0]), _power(decades[-1])), [_power(decade) for decade in decades[:: -(-len(decades) // TICKS)]]
    ax.plot(ends, ends, color=FAINT, linewidth=0.6, gid="equal")
    ax.set(xlim=ends, ylim=ends, xticks=ticks, yticks=ticks)
    ax.minorticks_off()
    ax.spines[["top", "right"]].set_visible(False)
    _letters(ax, series, title, xlabel, ylabel)
    return ax


def _pair(name: str, across: ArrayLike, up: ArrayLike) -> Pair:
    first, second = (np.asarray(part, dtype=np.float64) for part in (across, up))
    if first.ndim != 1 or first.shape != second.shape:
        raise ValueError(
            f"scores[{name!r}] must be two arrays of one shape (H,), a score for each unit; got {first.shape} and {second.shape}"
        )
    for part in (first, second):
        wrong = part[~(np.isfinite(part) & (part >= 0))]
        if len(wrong):
            raise ValueError(f"scores[{name!r}] must be finite and at least 0; got {wrong[0]}. Give absolute values")
    return first, second


def _decades(pairs: Mapping[str, Pair]) -> range:
    """The exponents of ten on both axes."""
    shown = np.concatenate([np.concatenate(pair)[np.tile((pair[0] > 0) & (pair[1] > 0), 2)] for pair in pairs.values()])
    if not len(shown):
        return ALONE
    return range(math.floor(math.log10(max(shown.min() / BEYOND, LEAST))), math.ceil(math.log10(shown.max() * BEYOND)) + 1)


def _power(decade: int) -> float:
    """Ten to the power of ``decade``, or the smallest positive number."""
    return max(10.0**decade, LEAST)


def _letters(ax: Axes, series: Mapping[str, PathCollection], title: str, xlabel: str, ylabel: str) -> None:
    """Write the axis labels, and the legend between the title and the points."""
    letter(ax, title, xlabel, ylabel, pad=1.5 * SMALLEST * len(series) + 6)
    # Labels are passed explicitly, since matplotlib leaves out series with names that begin with "_".
    legend = ax.legend(
        list(series.values()),
        list(series),
        loc="lower left",
        bbox_to_anchor=(0, 1),
        borderaxespad=0.2,
        borderpad=0,
        handletextpad=0.2,
        labelspacing=0.3,
        handlelength=1.2,
        frameon=False,
        prop={"family": FONT, "size": SMALLEST},
    )
    for marker in legend.legend_handles:
        if marker is not None:
            marker.set_alpha(1.0)
    for text in legend.get_texts():
        text.set(parse_math=False, color=INK)
