"""Style shared by all elements of a picture: stacking order, texts and line widths."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .letters import families_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes

REGIONS, RAILS, EDGES, UNITS, TEXTS = 1, 1.5, 2, 3, 4  # from back to front
DASHES = (0, (2.5, 1.5))  # of an edge without a weight
PALE, RAIL = "#b4b4b4", 0.9  # colour and width in points of an edge that carries a unit on
THINNEST, WIDTHS = 0.25, (0.5, 1.6)  # widths of edges in points: the minimum, and those of zero and the largest |weight| in a small network
GROUP_WIDTHS = 0.5, 4.0  # the same between groups of units, by the number of edges
FEW_EDGES = 150  # with more edges they get thinner and more transparent


def write(ax: Axes, place: tuple[float, float], text: str, size: float, **style: Any) -> None:
    """Write a text. "$" is a letter here: names are never parsed as mathematics."""
    ax.text(*place, text, fontsize=size, family=families_of(text), parse_math=False, usetex=False, zorder=TEXTS, **style)


def crowd_of(edges: int) -> float:
    """The factor on the widths of lines where many edges are drawn, in (0, 1]."""
    return min(1.0, (FEW_EDGES / max(1, edges)) ** 0.5)


def opacity_of(crowd: float) -> float:
    """The opacity of an edge."""
    return 0.15 + 0.75 * crowd


def widths_of(weights: NDArray[np.float64], largest: float, crowd: float, ends: tuple[float, float] = WIDTHS) -> NDArray[np.float64]:
    """Widths of edges in points, from their |weight|."""
    return np.maximum(THINNEST, crowd * np.interp(np.abs(weights) / largest, (0, 1), ends))
