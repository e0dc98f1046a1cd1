"""The page layout of a picture in points: its size, the positions of its units, and the sizes of its texts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

import numpy as np

from ..graph import LayeredGraph
from ..hierarchy import Hierarchy, Module
from ..layout import Layout, Region
from ..layout.groups import Groups
from ..layout.rows import Bundle
from .captions import short_captions, short_layers
from .entries import Entry, Legend, legend_of
from .images import counted
from .letters import families_of, without_glyph_warnings
from .names import full_name, shortened
from .placeholders import Frames

# All lengths in points (1/72 inch).
STEP, WIDEST = 20.0, 720.0  # distance of two units, which is smaller where the picture would be too wide
LAYER_STEPS = 54.0, 110.0  # distance of two layers; larger in wide pictures, where edges are flatter
LOWEST_STEP, TALLEST = 42.0, 700.0  # the same in graphs of units with many rows; what the rows may take together
PLAIN, LABELLED = 11.0, 19.0  # from the outermost units of a module to the border of its region, without and with a label
TEXT, SMALL, SMALLEST = 8.0, 7.0, 6.0
LINE = 1.25  # height of a line of text, relative to its size
MARGIN, NEAR = 6.0, 3.0  # to the border of the picture; from a region to the names beside it
LEGEND, ENTRY = 160.0, 85.0  # the legend of edges, and each further entry of it
SYMBOL, BESIDE = 15.0, 12.0  # from the start of a symbol to its text; from a text to the next symbol
NO_FRAMES = Frames()


@dataclass(frozen=True)
class Names:
    """How the names of inputs or outputs are written: not at all, in one row, in two alternating rows, or upright."""

    texts: dict[tuple[int, int], str]
    size: float = TEXT
    rows: int = 1
    upright: bool = False
    height: float = 0.0
    overhang: float = 0.0  # of the first and last name beyond their units


@dataclass(frozen=True)
class PageLayout:
    """Sizes and places of one picture."""

    layout: Layout
    inputs: Names
    outputs: Names
    step: float
    baselines: tuple[float, ...]  # y of the first row of each level
    rises: tuple[float, ...]  # from the first row of each level to its last
    left: float
    width: float
    height: float
    frames: Frames
    legend: Legend

    @property
    def half(self) -> float:
        """Half of the width of the mark of a group, and of a kernel."""
        return min(7.5, 0.42 * self.step)

    @property
    def radius(self) -> float:
        """Of a unit's circle."""
        return radius_at(self.step)

    def place(self, unit: tuple[int, int]) -> tuple[float, float]:
        """The centre of a unit's circle."""
        x, row = self.layout.positions[unit]
        return self.left + x * self.step, self.baselines[self.layout.level[unit[0]]] + row * self.step

    def lane(self, bundle: Bundle) -> list[tuple[float, float]]:
        """The points through which the edges of a bundle pass: upright beside the regions of each level."""
        points = []
        for level, x, _ in self.layout.lanes.get(bundle, ()):
            left, low, high = self.left + x * self.step, self.baselines[level] - PLAIN, self.baselines[level] + self.rises[level] + LABELLED
            points += [(left, low), (left, high)]
        return points

    def frame(self, module: int) -> tuple[float, float, float, float]:
        """Left, bottom, right, top of the map of a module's pixels; it extends as far below the layer as circles."""
        middle, half = self.left + self.frames.centres[module] * self.step, self.frames.size[0] * self.step / 2
        bottom = self.baselines[0] - self.radius
        return middle - half, bottom, middle + half, bottom + self.frames.size[1] * self.step

    def label_below(self, region: Region) -> bool:
        """Whether the label is at the bottom: no edges enter there at the inputs. At the outputs none leave at the top."""
        return region.lowest == 0 and region.highest < len(self.baselines) - 1

    def box(self, region: Region) -> tuple[float, float, float, float]:
        """Left, bottom, right, top of a module's region."""
        left, right = (self.left + x * self.step for x in (region.left, region.right))
        # The lower borders of all regions at the inputs are on one line, with the names below.
        bottom = self.baselines[region.lowest] - (LABELLED if region.lowest == 0 else PLAIN)
        top = self.baselines[region.highest] + self.rises[region.highest]
        return left, bottom, right, top + (PLAIN if self.label_below(region) else LABELLED)


def plan_page(
    hierarchy: Hierarchy, layout: Layout, title: str | None, frames: Frames = NO_FRAMES, groups: Groups | None = None
) -> PageLayout:
    """The layout of a page on which everything has room. Where ``groups`` are drawn, the hierarchy and its layout are theirs."""
    legend = legend_of(groups or Groups(hierarchy, hierarchy), bool(frames.maps))
    lanes = [x + 0.3 for lane in layout.lanes.values() for _, x, _ in lane]
    extent = max([x + 0.55 for x, _ in layout.positions.values()] + [r.right for r in layout.regions.values()] + lanes)
    step = min(STEP, WIDEST / extent)
    inputs, outputs = (_set_names(hierarchy, layout, layers, step) for layers in (hierarchy.graph.inputs, hierarchy.graph.outputs))
    captions = max(text_width(line, SMALL) for caption in short_captions(hierarchy, layout) for line in caption.split("\n"))
    left = MARGIN + max(captions + 8, inputs.overhang, outputs.overhang)
    needed = left + extent * step + max(MARGIN, inputs.overhang, outputs.overhang)
    texts = text_width(title or "", TEXT, bold=True), *(text_width(line, SMALL) for line in (frames.note, *legend.notes))
    entries = entries_width(legend.lines, legend.plain), entries_width(legend.marks)
    width = max(needed, max(*entries, *texts, legend_width(map_legend(frames, legend.of_groups))) + 2 * MARGIN)
    rises = (np.array(layout.rows) - 1) * step
    if frames.maps:
        rises[0] = max(0.0, frames.size[1] * step - 2 * radius_at(step))
    heights = np.clip(0.16 * extent * step, *_layer_steps(hierarchy, layout)) + rises
    below = inputs.height + LINE * SMALL * bool(frames.note)
    bottom = MARGIN + LINE * SMALL * (legend.rows + bool(frames.maps)) + 6 + below + NEAR + LABELLED
    baselines = tuple(bottom + np.concatenate([[0.0], np.cumsum(heights[:-1])]))
    top = baselines[-1] + rises[-1] + LABELLED + NEAR + outputs.height + (2 * TEXT if title else 0.0) + MARGIN
    return PageLayout(
        layout, inputs, outputs, step, baselines, tuple(rises), left + (width - needed) / 2, width, float(top), frames, legend
    )


def entries_width(entries: Sequence[Entry], plain: bool = False) -> float:
    """The width of a row of the legend; entries of the row of signs are equally far apart."""
    if plain:
        return LEGEND + ENTRY * (len(entries) - 2)
    return legend_width([entry.text for entry in entries])


def radius_at(step: float) -> float:
    """The radius of a unit's circle for a distance of ``step`` points between units."""
    return min(5.0, 0.34 * step)


def map_legend(frames: Frames, of_groups: bool = False) -> tuple[str, ...]:
    """The texts of the legend of maps: of shades, and of lines."""
    texts = f"summed |weight| of a pixel, up to {frames.largest:.3g}", f"summed |weight| from a map to a {'group' if of_groups else 'unit'}"
    return texts if frames.maps else ()


def legend_width(texts: Sequence[str]) -> float:
    """Points from the first symbol to the end of the last text."""
    return sum(SYMBOL + text_width(text, SMALL) + BESIDE for text in texts) - BESIDE


def region_label(module: Module, room: float, width: float, pixels: bool = False) -> str:
    """The label of a module: its number and contents if they fit ``room`` points, its number if it fits ``width`` points, or nothing.

    Before the contents are left out completely, the number of pixels is tried alone.
    """
    hidden = len(module.units) - len(module.inputs) - len(module.outputs)
    counts = [(len(module.inputs), "pixel" if pixels else "input"), (hidden, "hidden"), (len(module.outputs), "output")]
    parts = [f"{n} hidden" if word == "hidden" else counted(n, word) for n, word in counts if n]
    choices = [(f"M{module.index}: {', '.join(parts)}", room), (f"M{module.index}", width)]
    if pixels and module.inputs:
        choices.insert(1, (f"M{module.index}: {parts[0]}", room))
    return _fitting(choices)


def rest_label(groups: Groups, room: float, width: float) -> str:
    """The label of the modules that are drawn together, as for one of them."""
    units = groups.rest_units
    return _fitting([(f"rest: {groups.rest:,} modules, {units:,} units", room), (f"rest: {groups.rest:,} modules", room), ("rest", width)])


def _fitting(choices: Sequence[tuple[str, float]]) -> str:
    """The first text that has room, in bold letters."""
    return next((text for text, points in choices if text_width(text, SMALL, bold=True) <= points), "")


def text_width(text: str, size: float, bold: bool = False) -> float:
    """Width of a text in points."""
    return _unit_width(text, bold) * size / 100


@lru_cache(maxsize=4096)
def _unit_width(text: str, bold: bool) -> float:
    from matplotlib.font_manager import FontProperties
    from matplotlib.textpath import text_to_path

    font = FontProperties(family=families_of(text), weight="bold" if bold else "normal", size=100)
    with without_glyph_warnings():
        return float(text_to_path.get_text_width_height_descent(text, font, ismath=False)[0]) if text else 0.0


def _set_names(hierarchy: Hierarchy, layout: Layout, layers: Sequence[int], step: float) -> Names:
    row = sorted((x, unit) for unit, (x, _) in layout.positions.items() if unit[0] in layers)
    texts = dict(zip((unit for _, unit in row), shortened(_unit_names(hierarchy, [unit for _, unit in row])), strict=True))
    if not texts:
        return Names({})
    space = step * min((b - a for (a, _), (b, _) in pairwise(row)), default=10.0)  # a single unit has room
    width = {size: max(text_width(t, size) for t in texts.values()) for size in (TEXT, SMALL, SMALLEST)}
    for size in (TEXT, SMALL):
        for rows in (1, 2):
            if width[size] + 3 <= rows * space and width[size] <= 3 * STEP:
                return Names(texts, size, rows, False, rows * LINE * size, width[size] / 2)
    for size in (TEXT, SMALL, SMALLEST):
        if LINE * size <= space:
            return Names(texts, size, 1, True, width[size], LINE * size / 2)
    return Names({})


def _unit_names(hierarchy: Hierarchy, units: Sequence[tuple[int, int]]) -> list[str]:
    """The names of units, with the short names of their layers."""
    names = [full_name(hierarchy, unit) for unit in units]
    if isinstance(hierarchy.graph, LayeredGraph):
        return names
    short = short_layers(hierarchy)
    long = [layer.name for layer in hierarchy.graph.layers]
    return [name.replace(f"{long[i]}.", f"{short[i]}.") for name, (i, _) in zip(names, units, strict=True)]


def _layer_steps(hierarchy: Hierarchy, layout: Layout) -> tuple[float, float]:
    """The smallest and the largest distance of two layers."""
    if isinstance(hierarchy.graph, LayeredGraph):
        return LAYER_STEPS
    most = max(LOWEST_STEP, TALLEST / max(1, len(layout.rows) - 1))
    return min(LAYER_STEPS[0], most), min(LAYER_STEPS[1], most)
