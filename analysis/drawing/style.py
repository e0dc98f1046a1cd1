"""Style shared by all elements of a picture: stacking order, texts and line widths."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .page_layout import FONT

if TYPE_CHECKING:
    from matplotlib.axes import Axes

REGIONS, EDGES, UNITS, TEXTS = 1, 2, 3, 4  # from back to front
THINNEST, WIDTHS = 0.25, (0.5, 1.6)  # of an edge, in points: never below; least and greatest |weight| of a small network
FEW_EDGES = 150  # more of them get thinner and more transparent


def write(ax: Axes, place: tuple[float, float], text: str, size: float, **style: Any) -> None:
    """Set a text. A name is never read as mathematics: "$" is a letter here."""
    ax.text(*place, text, fontsize=size, family=FONT, parse_math=False, usetex=False, zorder=TEXTS, **style)


def crowd_of(edges: int) -> float:
    """What widths shrink to where so many edges are drawn."""
    return min(1.0, (FEW_EDGES / max(1, edges)) ** 0.5)


def opacity_of(crowd: float) -> float:
    """Of an edge."""
    return 0.15 + 0.75 * crowd


def widths_of(weights: NDArray[np.float64], largest: float, crowd: float) -> NDArray[np.float64]:
    """Widths of edges in points, by their |weight|."""
    return np.maximum(THINNEST, crowd * np.interp(np.abs(weights) / largest, (0, 1), WIDTHS))
