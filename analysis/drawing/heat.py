"""Heat maps instead of inputs: the pixels of each module, and one line from the map to each unit that reads it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..layout.groups import Groups
from .colours import FAINT, INK, region_colours, shades
from .images import PixelMap, weights_of_pixels
from .page_layout import BESIDE, LABELLED, LINE, MARGIN, NEAR, SMALL, SYMBOL, PageLayout, legend_width, map_legend, text_width
from .style import EDGES, GROUP_WIDTHS, TEXTS, UNITS, WIDTHS, crowd_of, opacity_of, widths_of, write

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Box = tuple[float, float, float, float]
SEAM = 0.15  # points; the overlap of neighbouring pixels, so that no white line is between them
FAN = 0.8  # fraction of the upper edge from which lines start
DOTS = 5  # of the legend, from light to dark


def paint_maps(groups: Groups, page: PageLayout, ax: Axes, scale: float) -> None:
    """Draw the maps, frames with their pixels, and the note on maps that are left out."""
    for pixels in page.frames.maps:
        _paint_map(groups, pixels, page, ax, scale)
    if page.frames.note:
        lefts, _, rights, _ = zip(*(page.frame(one.module) for one in page.frames.maps), strict=True)
        place = (min(lefts) + max(rights)) / 2, page.baselines[0] - LABELLED - NEAR
        write(ax, place, page.frames.note, SMALL * scale, ha="center", va="top", color=FAINT)


def paint_map_lines(groups: Groups, page: PageLayout, ax: Axes, scale: float) -> None:
    """Draw the lines from maps to units, with the sum of |weight| as width, in the colour of the module for either sign."""
    from matplotlib.collections import LineCollection

    if not page.frames.maps:
        return
    hierarchy = groups.hierarchy
    weights = weights_of_pixels(hierarchy)
    sums = {one.module: weights[hierarchy.labels[0] == one.module].sum(axis=0) for one in page.frames.maps}
    largest = max((float(row.max()) for row in sums.values()), default=1.0)
    crowd = crowd_of(sum(int(np.count_nonzero(row)) for row in sums.values()))
    for module, row in sums.items():
        targets = np.array([page.place((1, unit)) for unit in np.flatnonzero(row).tolist()])
        lines = np.stack([_starts(targets[:, 0], page.frame(module)), targets], axis=1)
        readers = hierarchy.labels[1][row > 0]
        widths = widths_of(row[row > 0], largest, crowd, WIDTHS if groups.links is None else GROUP_WIDTHS) * scale
        for reader in np.unique(readers).tolist():
            own = readers == reader
            name = f"edges-{groups.name(module)}-{groups.name(reader)}-pixels"
            bundle = LineCollection(lines[own], linewidths=widths[own], gid=name, zorder=EDGES)
            bundle.set(color=region_colours(groups.number(module))[1], alpha=opacity_of(crowd), capstyle="round")
            ax.add_collection(bundle, autolim=False)


def paint_map_legend(page: PageLayout, ax: Axes, scale: float) -> None:
    """Draw the legend of shades and lines, above the legend of the other edges."""
    from matplotlib.lines import Line2D

    texts = map_legend(page.frames, page.legend.of_groups)
    x, y = (page.width - legend_width(texts)) / 2, MARGIN + SMALL / 2 + LINE * SMALL
    for i, text in enumerate(texts):
        if i == 0:
            _paint_ramp(x, y, ax)
        else:
            ax.add_line(Line2D([x, x + 12], [y, y], color=FAINT, lw=1.4 * scale, zorder=TEXTS))
        write(ax, (x + SYMBOL, y), text, SMALL * scale, ha="left", va="center_baseline", color=INK)
        x += SYMBOL + text_width(text, SMALL) + BESIDE


def _starts(x: NDArray[np.float64], frame: Box) -> NDArray[np.float64]:
    """Start points on the upper edge of lines to units at ``x``, in the same order so that no two cross; shape (n, 2)."""
    left, _, right, top = frame
    offsets = x - (left + right) / 2
    reach = FAN * (right - left) / 2
    shrink = min(1.0, reach / max(np.abs(offsets).max(), reach))
    return np.column_stack([(left + right) / 2 + offsets * shrink, np.full(len(x), top)])


def _paint_map(groups: Groups, pixels: PixelMap, page: PageLayout, ax: Axes, scale: float) -> None:
    from matplotlib.collections import PolyCollection
    from matplotlib.patches import Rectangle

    left, bottom, right, top = page.frame(pixels.module)
    rows, columns = np.nonzero(pixels.weights)
    colors = shades(groups.number(pixels.module), pixels.weights[rows, columns] / page.frames.largest)
    side = (right - left) / pixels.weights.shape[1]
    corners = np.array([(0, 0), (1, 0), (1, 1), (0, 1)]) * side
    places = np.stack([left + columns * side, top - (rows + 1) * side], axis=1)
    squares = PolyCollection(places[:, None] + corners, facecolors=colors, edgecolors=colors, linewidths=SEAM * scale, zorder=UNITS)
    name = f"pixels-{groups.name(pixels.module)}"
    squares.set_gid(name)
    border = region_colours(groups.number(pixels.module))[1]
    frame = Rectangle((left, bottom), right - left, top - bottom, fc="white", ec=border, lw=0.6 * scale)
    frame.set(gid=f"{name}-frame", zorder=UNITS)
    ax.add_patch(frame)
    ax.add_collection(squares, autolim=False)


def _paint_ramp(x: float, y: float, ax: Axes) -> None:
    from matplotlib.patches import Rectangle

    side = 12 / DOTS
    for i, color in enumerate(shades(None, np.linspace(0, 1, DOTS))):
        ax.add_patch(Rectangle((x + i * side, y - side), side, 2 * side, fc=color, ec="none", zorder=TEXTS))
