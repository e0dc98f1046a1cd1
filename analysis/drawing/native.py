"""Drawing with matplotlib's object-oriented interface."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ..graph import LayeredGraph
from ..hierarchy import Hierarchy
from ..layout import layered_layout
from ..layout.collapsing import as_groups, check_marks
from ..layout.groups import Groups
from ..layout.rows import Edge, drawn
from .captions import full_caption, short_captions
from .colours import FAINT, INK, NEGATIVE, POSITIVE, region_colours
from .entries import widest_link
from .heat import paint_map_legend, paint_map_lines, paint_maps
from .images import PixelMap, pixel_maps
from .legend import paint_legend
from .letters import note_boxes
from .marks import paint_units
from .names import cut, full_name, one_line
from .page_layout import (
    LABELLED,
    LINE,
    MARGIN,
    NEAR,
    NO_FRAMES,
    SMALL,
    SMALLEST,
    TEXT,
    Names,
    PageLayout,
    plan_page,
    region_label,
    rest_label,
    text_width,
)
from .placeholders import layout_with_maps
from .routes import route
from .style import DASHES, EDGES, GROUP_WIDTHS, PALE, RAIL, RAILS, REGIONS, WIDTHS, crowd_of, opacity_of, widths_of, write

if TYPE_CHECKING:
    from matplotlib.axes import Axes

PER_INCH = 72
LONGEST_TITLE = 200  # characters; a longer one would make the page wider than a picture can be
Line = list[tuple[float, float]]


def paint(hierarchy: Hierarchy, ax: Axes | None, title: str | None, maps: Sequence[PixelMap] = (), collapse: bool | None = None) -> Axes:
    """Draw on ``ax``, or on the axes of a new figure of the right size; return the axes.

    If there are ``maps``, they are drawn instead of the inputs. The names of elements (``gid``) are ``module-<m>``, ``label-<m>``,
    ``units-<m>``, ``pixels-<m>``, ``edges-<m>-<n>`` from module m to module n, and ``name-<layer>-<index>`` for names that are
    shortened; their ``label`` is the whole name. Edges that carry units on are ``carried``, those without weights
    ``edges-<m>-<n>-unweighted``, kernels ``units-<m>-kernels``, captions ``caption-<level>``, and what is drawn together or left out is in
    ``note-<line>``. Modules that are drawn together are the module ``rest``.
    """
    from matplotlib.figure import Figure

    title = title and cut(one_line(title), LONGEST_TITLE)
    groups = as_groups(hierarchy, collapse, bool(maps))
    hierarchy = groups.hierarchy
    if maps:
        maps = pixel_maps(hierarchy, maps[0].image)
    else:
        check_marks(hierarchy)
    layout, frames = layout_with_maps(hierarchy, maps) if maps else (layered_layout(hierarchy), NO_FRAMES)
    page = plan_page(hierarchy, layout, title, frames, groups)
    note_boxes([*page.inputs.texts.values(), *page.outputs.texts.values(), title or ""])
    if ax is None:
        ax = Figure(figsize=(page.width / PER_INCH, page.height / PER_INCH), facecolor="white").add_axes((0, 0, 1, 1))
    scale = _scale(ax, page)
    ax.set(xlim=(0, page.width), ylim=(0, page.height), aspect="equal")
    ax.set_axis_off()
    _paint_regions(groups, page, ax, scale)
    _paint_edges(groups, page, ax, scale)
    paint_map_lines(groups, page, ax, scale)
    paint_units(groups, page, ax, scale)
    paint_maps(groups, page, ax, scale)
    _paint_names(hierarchy, page, ax, scale)
    _paint_captions(hierarchy, page, ax, scale)
    paint_legend(page, ax, scale)
    paint_map_legend(page, ax, scale)
    if title:
        place = page.width / 2, page.height - MARGIN
        write(ax, place, title, TEXT * scale, ha="center", va="top", color=INK, weight="bold")
    return ax


def _scale(ax: Axes, page: PageLayout) -> float:
    """Points on the axes for one point of the page layout: texts and lines scale with the size of given axes."""
    box = ax.get_window_extent()
    points = PER_INCH / ax.figure.get_dpi()
    return min(box.width * points / page.width, box.height * points / page.height)


def _paint_regions(groups: Groups, page: PageLayout, ax: Axes, scale: float) -> None:
    from matplotlib.patches import FancyBboxPatch

    for module in groups.hierarchy.modules:
        number = groups.number(module.index)
        if module.index not in page.layout.regions:
            continue
        left, bottom, right, top = page.box(page.layout.regions[module.index])
        fill, border = region_colours(number)
        round_box = f"round,pad=0,rounding_size={min(6.0, 0.3 * page.step):.3f}"
        box = FancyBboxPatch(
            (left, bottom), right - left, top - bottom, boxstyle=round_box, fc=fill, ec=border, lw=min(0.7, 0.1 * page.step) * scale
        )
        box.set(gid=f"module-{groups.name(module.index)}", zorder=REGIONS)
        ax.add_patch(box)
        region = page.layout.regions[module.index]
        below = page.label_below(region)
        # Edges leave regions in the middle of the network at the top, and would run behind a long label.
        free = below or region.highest == len(page.baselines) - 1
        first = right if free else min(page.place(unit)[0] for unit in module.units if page.layout.level[unit[0]] == region.highest)
        room = first - left - (3 if free else 5), right - left - 3
        pixels, size = bool(page.frames.maps), SMALL
        label = rest_label(groups, *room) if number is None else region_label(groups.whole.modules[number], *room, pixels)
        if not label and number is not None and text_width(f"M{number}", SMALLEST, bold=True) <= room[1]:
            label, size = f"M{number}", SMALLEST
        y, va = (bottom + 2.5, "bottom") if below else (top - 2.5, "top")
        back = {"boxstyle": "square,pad=0.08", "fc": fill, "ec": "none"}  # no edges behind the letters
        style = {"ha": "left", "va": va, "color": INK, "weight": "bold", "gid": f"label-{groups.name(module.index)}", "bbox": back}
        if label:
            write(ax, (left + 2.5, y), label, size * scale, **style)


def _paint_edges(groups: Groups, page: PageLayout, ax: Axes, scale: float) -> None:
    hierarchy = groups.hierarchy
    bundles: dict[tuple[int, int], list[tuple[float, Line]]] = defaultdict(list)
    unweighted: dict[tuple[int, int], list[Line]] = defaultdict(list)
    rails = []
    for edge in drawn(hierarchy):
        if page.frames.maps and edge.source[0] == 0:
            continue
        line = route(hierarchy, page, edge)
        if edge.carry:
            rails.append(line)
        elif edge.weighted:
            bundles[_modules(hierarchy, edge)].append((edge.weight, line))
        else:
            unweighted[_modules(hierarchy, edge)].append(line)
    if groups.links is None:
        largest = max((abs(weight) for bundle in bundles.values() for weight, _ in bundle), default=1.0)
    else:
        largest = widest_link(groups, bool(page.frames.maps)) or 1.0
    crowd = crowd_of(sum(map(len, bundles.values())))
    for (a, b), bundle in sorted(bundles.items()):
        weights = np.array([weight for weight, _ in bundle])
        widths = widths_of(weights, largest, crowd, WIDTHS if groups.links is None else GROUP_WIDTHS) * scale
        colors = np.where(weights > 0, POSITIVE, NEGATIVE).tolist() if groups.links is None else [region_colours(groups.number(a))[1]]
        look = {"color": colors, "alpha": opacity_of(crowd), "capstyle": "round"}
        _add_lines(ax, [ends for _, ends in bundle], widths, _id_of(groups, a, b), EDGES, **look)
    for (a, b), lines in sorted(unweighted.items()):
        _add_lines(ax, lines, RAIL * scale, f"{_id_of(groups, a, b)}-unweighted", EDGES, color=FAINT, linestyle=DASHES)
    if rails:
        _add_lines(ax, rails, RAIL * scale, "carried", RAILS, color=PALE)


def _add_lines(ax: Axes, lines: Sequence[Line], widths: Any, gid: str, zorder: float, **look: Any) -> None:
    from matplotlib.collections import LineCollection

    collection = LineCollection(lines, linewidths=widths, zorder=zorder, gid=gid)
    collection.set(**look)
    ax.add_collection(collection, autolim=False)


def _id_of(groups: Groups, a: int, b: int) -> str:
    return f"edges-{groups.name(a)}-{groups.name(b)}"


def _modules(hierarchy: Hierarchy, edge: Edge) -> tuple[int, int]:
    return int(hierarchy.labels[edge.source[0]][edge.source[1]]), int(hierarchy.labels[edge.target[0]][edge.target[1]])


def _paint_names(hierarchy: Hierarchy, page: PageLayout, ax: Axes, scale: float) -> None:
    # Beyond the borders of the regions, so that names of one layer are on one line.
    bottom = page.baselines[0] - LABELLED - NEAR
    top = page.baselines[-1] + page.rises[-1] + LABELLED + NEAR
    for y, direction, anchor, names in ((bottom, -1, "top", page.inputs), (top, 1, "bottom", page.outputs)):
        for i, (unit, text) in enumerate(_from_left(names, page)):
            row = i % names.rows
            place = page.place(unit)[0], y + direction * row * LINE * names.size
            color = INK if hierarchy.labels[unit[0]][unit[1]] >= 0 else FAINT
            turn = {"rotation": 90, "rotation_mode": "default"} if names.upright else {}
            full = full_name(hierarchy, unit)
            # The label of a text is its title in an SVG: see `picture_bytes`.
            title = {"gid": f"name-{unit[0]}-{unit[1]}", "label": full} if text != full else {}
            write(ax, place, text, names.size * scale, ha="center", va=anchor, color=color, **turn, **title)


def _from_left(names: Names, page: PageLayout) -> list[tuple[tuple[int, int], str]]:
    return sorted(names.texts.items(), key=lambda item: page.layout.positions[item[0]])


def _paint_captions(hierarchy: Hierarchy, page: PageLayout, ax: Axes, scale: float) -> None:
    for level, caption in enumerate(short_captions(hierarchy, page.layout)):
        y = page.baselines[level] + page.rises[level] / 2
        several = "\n" in caption
        # The label of a text is its title in an SVG: see `picture_bytes`.
        title = {} if isinstance(hierarchy.graph, LayeredGraph) else {"label": full_caption(hierarchy, page.layout, level)}
        look = {"va": "center", "linespacing": 1.15, "multialignment": "right"} if several else {"va": "center_baseline"}
        look |= {"gid": f"caption-{level}", **title} if title else {}
        write(ax, (page.left - 8, y), caption, SMALL * scale, ha="right", color=FAINT, **look)
