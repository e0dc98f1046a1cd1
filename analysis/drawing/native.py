"""The picture itself, with matplotlib's object-oriented interface."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from ..hierarchy import Hierarchy
from ..layout import layered_layout
from ..layout.ordering import drawn_edges
from .colours import FAINT, INK, NEGATIVE, POSITIVE, region_colours
from .heat import paint_map_legend, paint_map_lines, paint_maps
from .images import PixelMap
from .marks import EDGES, REGIONS, TEXTS, UNITS, crowd_of, opacity_of, widths_of, write
from .sheet import LABELLED, LEGEND, LINE, MARGIN, NEAR, NO_FRAMES, SMALL, TEXT, Names, Sheet, captions_of, plan_sheet, region_label
from .stand_ins import layout_with_maps

if TYPE_CHECKING:
    from matplotlib.axes import Axes

PER_INCH = 72


def paint(hierarchy: Hierarchy, ax: Axes | None, title: str | None, maps: Sequence[PixelMap] = ()) -> Axes:
    """Draw on ``ax``, or on an axes that fills a new figure of the right size; returns the axes.

    Where there are ``maps``, they stand for the inputs. Names of elements (``gid``): ``module-<m>``, ``label-<m>``, ``units-<m>``,
    ``pixels-<m>`` and ``edges-<m>-<n>`` from module m to module n.
    """
    from matplotlib.figure import Figure

    layout, frames = layout_with_maps(hierarchy, maps) if maps else (layered_layout(hierarchy), NO_FRAMES)
    sheet = plan_sheet(hierarchy, layout, title, frames)
    if ax is None:
        ax = Figure(figsize=(sheet.width / PER_INCH, sheet.height / PER_INCH), facecolor="white").add_axes((0, 0, 1, 1))
    scale = _scale(ax, sheet)
    ax.set(xlim=(0, sheet.width), ylim=(0, sheet.height), aspect="equal")
    ax.set_axis_off()
    _paint_regions(hierarchy, sheet, ax, scale)
    _paint_edges(hierarchy, sheet, ax, scale)
    paint_map_lines(hierarchy, sheet, ax, scale)
    _paint_units(hierarchy, sheet, ax, scale)
    paint_maps(sheet, ax, scale)
    _paint_names(hierarchy, sheet, ax, scale)
    _paint_captions(hierarchy, sheet, ax, scale)
    _paint_legend(sheet, ax, scale)
    paint_map_legend(sheet, ax, scale)
    if title:
        place = sheet.width / 2, sheet.height - MARGIN
        write(ax, place, title, TEXT * scale, ha="center", va="top", color=INK, weight="bold")
    return ax


def _scale(ax: Axes, sheet: Sheet) -> float:
    """Points on paper for one point of the sheet: texts and lines shrink with the room that a given axes leaves."""
    box = ax.get_window_extent()
    points = PER_INCH / ax.figure.get_dpi()
    return min(box.width * points / sheet.width, box.height * points / sheet.height)


def _paint_regions(hierarchy: Hierarchy, sheet: Sheet, ax: Axes, scale: float) -> None:
    from matplotlib.patches import FancyBboxPatch

    for module in hierarchy.modules:
        if module.index not in sheet.layout.regions:
            continue
        left, bottom, right, top = sheet.box(sheet.layout.regions[module.index])
        fill, border = region_colours(module.index)
        round_box = f"round,pad=0,rounding_size={min(6.0, 0.3 * sheet.step):.3f}"
        box = FancyBboxPatch(
            (left, bottom), right - left, top - bottom, boxstyle=round_box, fc=fill, ec=border, lw=min(0.7, 0.1 * sheet.step) * scale
        )
        box.set(gid=f"module-{module.index}", zorder=REGIONS)
        ax.add_patch(box)
        region, highest = sheet.layout.regions[module.index], module.units[-1][0]
        below = sheet.label_below(region)
        # In the middle of the network edges leave at the top, and would run behind a long label.
        free = below or highest == len(hierarchy.graph.weights)
        first = right if free else min(sheet.place(unit)[0] for unit in module.units if unit[0] == highest)
        label = region_label(module, first - left - (3 if free else 5), right - left - 3, bool(sheet.frames.maps))
        y, va = (bottom + 2.5, "bottom") if below else (top - 2.5, "top")
        back = {"boxstyle": "square,pad=0.08", "fc": fill, "ec": "none"}  # keeps edges off the letters
        style = {"ha": "left", "va": va, "color": INK, "weight": "bold", "gid": f"label-{module.index}", "bbox": back}
        if label:
            write(ax, (left + 2.5, y), label, SMALL * scale, **style)


def _paint_edges(hierarchy: Hierarchy, sheet: Sheet, ax: Axes, scale: float) -> None:
    from matplotlib.collections import LineCollection

    bundles: dict[tuple[int, int], list[tuple[float, list[tuple[float, float]]]]] = defaultdict(list)
    first = 1 if sheet.frames.maps else 0
    for layer, edge in enumerate(drawn_edges(hierarchy)[first:], start=first):
        for source, target in np.argwhere(edge).tolist():
            pair = int(hierarchy.labels[layer][source]), int(hierarchy.labels[layer + 1][target])
            ends = [sheet.place(unit) for unit in ((layer, source), (layer + 1, target))]
            bundles[pair].append((float(hierarchy.graph.weights[layer][source, target]), ends))
    largest = max((abs(weight) for bundle in bundles.values() for weight, _ in bundle), default=1.0)
    crowd = crowd_of(sum(map(len, bundles.values())))
    for (a, b), bundle in sorted(bundles.items()):
        weights = np.array([weight for weight, _ in bundle])
        widths = widths_of(weights, largest, crowd) * scale
        lines = LineCollection([ends for _, ends in bundle], linewidths=widths, zorder=EDGES, gid=f"edges-{a}-{b}")
        lines.set(color=np.where(weights > 0, POSITIVE, NEGATIVE).tolist(), alpha=opacity_of(crowd), capstyle="round")
        ax.add_collection(lines, autolim=False)


def _paint_units(hierarchy: Hierarchy, sheet: Sheet, ax: Axes, scale: float) -> None:
    from matplotlib.collections import PatchCollection
    from matplotlib.patches import Circle

    members: dict[int, list[tuple[int, int]]] = defaultdict(list)
    for layer, index in sheet.layout.positions:
        members[int(hierarchy.labels[layer][index])].append((layer, index))
    for module, units in sorted(members.items()):
        circles = [Circle(sheet.place(unit), sheet.radius) for unit in units]
        # An output that no module holds is a dashed ring.
        look = {"edgecolor": INK, "linestyle": "-"} if module >= 0 else {"edgecolor": FAINT, "linestyle": (0, (2, 1.5))}
        width = min(0.8, 0.2 * sheet.radius) * scale
        collection = PatchCollection(circles, facecolor="white", linewidth=width, zorder=UNITS, **look)
        collection.set_gid(f"units-{module}" if module >= 0 else "units-none")
        ax.add_collection(collection, autolim=False)


def _paint_names(hierarchy: Hierarchy, sheet: Sheet, ax: Axes, scale: float) -> None:
    # Beyond the borders of the regions, so that names of one layer stand on one line.
    bottom = sheet.baselines[0] - LABELLED - NEAR
    top = sheet.baselines[-1] + sheet.rises[-1] + LABELLED + NEAR
    for y, direction, anchor, names in ((bottom, -1, "top", sheet.inputs), (top, 1, "bottom", sheet.outputs)):
        for i, (unit, text) in enumerate(_from_left(names, sheet)):
            row = i % names.rows
            place = sheet.place(unit)[0], y + direction * row * LINE * names.size
            color = INK if hierarchy.labels[unit[0]][unit[1]] >= 0 else FAINT
            turn = {"rotation": 90, "rotation_mode": "default"} if names.upright else {}
            write(ax, place, text, names.size * scale, ha="center", va=anchor, color=color, **turn)


def _from_left(names: Names, sheet: Sheet) -> list[tuple[tuple[int, int], str]]:
    return sorted(names.texts.items(), key=lambda item: sheet.layout.positions[item[0]])


def _paint_captions(hierarchy: Hierarchy, sheet: Sheet, ax: Axes, scale: float) -> None:
    for layer, caption in enumerate(captions_of(len(hierarchy.graph.weights))):
        y = sheet.baselines[layer] + sheet.rises[layer] / 2
        write(ax, (sheet.left - 8, y), caption, SMALL * scale, ha="right", va="center_baseline", color=FAINT)


def _paint_legend(sheet: Sheet, ax: Axes, scale: float) -> None:
    from matplotlib.lines import Line2D

    x, y = (sheet.width - LEGEND) / 2, MARGIN + SMALL / 2
    for text, color in (("positive weight", POSITIVE), ("negative weight", NEGATIVE)):
        ax.add_line(Line2D([x, x + 12], [y, y], color=color, lw=1.4 * scale, zorder=TEXTS))
        write(ax, (x + 15, y), text, SMALL * scale, ha="left", va="center_baseline", color=INK)
        x += 85
