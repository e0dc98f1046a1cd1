"""The marks of units: circles, squares of gates, kernels of channels, and pills of groups."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..layout.groups import Groups
from .colours import FAINT, INK, signed_shades
from .entries import has_image, is_gate
from .page_layout import SMALLEST, PageLayout, text_width
from .style import UNITS, write

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.patches import Patch

Point = tuple[float, float]
Unit = tuple[int, int]
SEAM = 0.1  # points; the overlap of neighbouring pixels
TEXT_ROOM = 0.86  # of the width of a mark


def paint_units(groups: Groups, page: PageLayout, ax: Axes, scale: float) -> None:
    """Draw the units of each module, and outputs without a module as dashed rings."""
    from matplotlib.collections import PatchCollection

    members: dict[int, list[Unit]] = defaultdict(list)
    for layer, index in page.layout.positions:
        members[int(groups.hierarchy.labels[layer][index])].append((layer, index))
    for module, units in sorted(members.items()):
        # An output without a module is a dashed ring.
        look = {"edgecolor": INK, "linestyle": "-"} if module >= 0 else {"edgecolor": FAINT, "linestyle": (0, (2, 1.5))}
        width = min(0.8, 0.2 * page.radius) * scale
        marks = [mark_of(groups, unit, page) for unit in units]
        collection = PatchCollection(marks, facecolor="white", linewidth=width, zorder=UNITS, **look)
        name = f"units-{groups.name(module)}" if module >= 0 else "units-none"
        collection.set_gid(name)
        ax.add_collection(collection, autolim=False)
        _paint_kernels(groups, [unit for unit in units if has_image(groups, unit)], f"{name}-kernels", page, ax, scale)
        for unit in units:
            _paint_text(groups, unit, page, ax, scale)


def mark_of(groups: Groups, unit: Unit, page: PageLayout) -> Patch:
    """The outline of a unit: a pill of a group, a square of a gate or a kernel, else a circle."""
    from matplotlib.patches import Circle, FancyBboxPatch, Rectangle

    x, y = page.place(unit)
    if len(groups.units(unit)) > 1:
        half, radius = page.half, page.radius
        style = f"round,pad=0,rounding_size={radius:.3f}"
        return FancyBboxPatch((x - half, y - radius), 2 * half, 2 * radius, boxstyle=style)
    if is_gate(groups, unit) or has_image(groups, unit):
        half = page.half if has_image(groups, unit) else page.radius
        return Rectangle((x - half, y - half), 2 * half, 2 * half)
    return Circle((x, y), page.radius)


def paint_kernel(image: NDArray[np.float64], place: Point, half: float, ax: Axes, scale: float, zorder: float, gid: str = "") -> None:
    """Draw an image with values from -1 to 1 in a square around a place, in a frame."""
    from matplotlib.patches import Rectangle

    left, bottom = place[0] - half, place[1] - half
    ax.add_patch(Rectangle((left, bottom), 2 * half, 2 * half, fc="white", ec=INK, lw=0.5 * scale, zorder=zorder))
    _paint_squares([(image, place)], half, gid, ax, scale, zorder)


def _paint_text(groups: Groups, unit: Unit, page: PageLayout, ax: Axes, scale: float) -> None:
    """The number of units of a group, and that of a gate."""
    units = groups.units(unit)
    if len(units) > 1:
        text, half = _count(len(units)), page.half
    elif is_gate(groups, unit):
        text, half = str(units[0]), page.radius
    else:
        return
    size = min(SMALLEST, 1.2 * page.radius, TEXT_ROOM * 2 * half / text_width(text, 1.0))
    color = INK if groups.hierarchy.labels[unit[0]][unit[1]] >= 0 else FAINT
    write(ax, page.place(unit), text, size * scale, ha="center", va="center_baseline", color=color)


def _count(units: int) -> str:
    """A number that fits a mark: from 10,000 on in thousands."""
    return str(units) if units < 10_000 else f"{units // 1000}k"


def _paint_kernels(groups: Groups, units: Sequence[Unit], gid: str, page: PageLayout, ax: Axes, scale: float) -> None:
    """Images of units, each layer with one scale."""
    found = []
    for layer, index in units:
        images = groups.whole.graph.layers[layer].images
        assert images is not None
        largest = float(np.abs(images).max()) or 1.0
        found.append((images[groups.units((layer, index))[0]] / largest, page.place((layer, index))))
    if found:
        _paint_squares(found, page.half, gid, ax, scale, UNITS)


def _paint_squares(
    images: Sequence[tuple[NDArray[np.float64], Point]], half: float, gid: str, ax: Axes, scale: float, zorder: float
) -> None:
    """The pixels of images that are not zero, each image as large as fits a square of side ``2 * half`` around its place."""
    from matplotlib.collections import PolyCollection

    corners, colors = [], []
    for image, (x, y) in images:
        height, width = image.shape
        side = 2 * half / max(height, width)
        rows, columns = np.nonzero(image)
        lefts, bottoms = x + (columns - width / 2) * side, y + (height / 2 - rows - 1) * side
        square = np.array([(0, 0), (1, 0), (1, 1), (0, 1)]) * side
        corners.append(np.stack([lefts, bottoms], axis=1)[:, None] + square)
        colors.append(signed_shades(image[rows, columns]))
    fills = np.concatenate(colors)
    squares = PolyCollection(list(np.concatenate(corners)), facecolors=fills, edgecolors=fills, linewidths=SEAM * scale, zorder=zorder)
    if gid:
        squares.set_gid(gid)
    ax.add_collection(squares, autolim=False)
