"""The layout with heat maps: a row of placeholder units reserves the place of the pixels of each module."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from math import ceil

import numpy as np

from ..graph import LayeredGraph, chain_of
from ..hierarchy import Hierarchy
from ..layout import Layout, layered_layout
from ..layout.collapsing import check_marks
from ..layout.ordering import groups_of
from ..layout.placing import LONGEST_ROW
from .images import PixelMap, counted, largest_weight, weights_of_pixels

MOST = 8  # maps in a picture
WIDEST, HIGHEST = 8.5, 6.5  # of a map; all lengths in steps, the distance of two units
SHARE = 0.5  # smallest width of all maps together, as a fraction of the longest row of units; in wide pictures steps are shorter
BESIDE = 0.4  # free space on both sides of a map together
NARROWEST = 4  # placeholders: the number of pixels must be readable below the narrowest map


@dataclass(frozen=True)
class Frames:
    """The maps that are drawn instead of the inputs, and their positions.

    Attributes
    ----------
    maps : tuple of PixelMap
        In the order of the modules.
    centres : dict of int to float
        The x of the middle of each module's map.
    size : (float, float)
        Width and height of every map.
    largest : float
        The weight of the heaviest pixel of all maps, including those that are left out.
    note : str
        Names what is left out; empty if nothing is.
    """

    maps: tuple[PixelMap, ...] = ()
    centres: dict[int, float] = field(default_factory=dict)
    size: tuple[float, float] = (0.0, 0.0)
    largest: float = 1.0
    note: str = ""


def layout_with_maps(hierarchy: Hierarchy, maps: Sequence[PixelMap]) -> tuple[Layout, Frames]:
    """The layout of all units but the inputs, and the frames of the maps drawn instead of them: the largest eight, of at least one.

    A row of placeholders, one step apart, replaces the inputs of a module. Each has all edges of the map, so the units that read the map
    attract all of them equally and they stay side by side. A module of pixels alone whose map is left out has no region.
    """
    shown = _biggest(maps)
    height, width = shown[0].weights.shape
    wide = min(WIDEST, HIGHEST * width / height) * max(1.0, SHARE * _longest_row(hierarchy) / (len(shown) * WIDEST))
    modules = np.repeat([one.module for one in sorted(shown, key=_middle)], max(NARROWEST, ceil(wide + BESIDE)))
    folded, numbers = _folded(hierarchy, modules)
    check_marks(folded)
    layout = layered_layout(folded)
    places = np.array([layout.positions[0, k][0] for k in range(len(modules))])
    centres = {one.module: float(places[modules == one.module].mean()) for one in shown}
    positions = {unit: place for unit, place in layout.positions.items() if unit[0] > 0}
    regions = {numbers[module]: region for module, region in layout.regions.items()}
    frames = Frames(shown, centres, (wide, wide * height / width), largest_weight(maps), _note(maps, shown))
    return replace(layout, positions=positions, regions=regions), frames


def _biggest(maps: Sequence[PixelMap]) -> tuple[PixelMap, ...]:
    """The maps with the most pixels, in the order of the modules; of equal ones the first."""
    chosen = sorted(maps, key=lambda one: (-one.count, one.module))[:MOST]
    return tuple(sorted(chosen, key=lambda one: one.module))


def _longest_row(hierarchy: Hierarchy) -> int:
    """The number of units in a row of the widest layer above the inputs, with rows as in the layout."""
    widest = max(int((groups >= 0).sum()) for groups in groups_of(hierarchy)[1:])
    return ceil(widest / ceil(widest / LONGEST_ROW))


def _middle(pixels: PixelMap) -> float:
    """Mean column: pixels on the left of the image are drawn on the left, unless edges would cross more."""
    return float(np.nonzero(pixels.weights)[1].mean())


def _note(maps: Sequence[PixelMap], shown: Sequence[PixelMap]) -> str:
    pixels, count = sum(one.count for one in maps) - sum(one.count for one in shown), len(maps) - len(shown)
    return f"not shown: {counted(pixels, 'pixel')} of {counted(count, 'smaller module')}" if count else ""


def _folded(hierarchy: Hierarchy, modules: np.ndarray) -> tuple[Hierarchy, list[int]]:
    """The hierarchy with placeholders of the given modules as inputs, and the original numbers of its modules."""
    first = weights_of_pixels(hierarchy)
    rows = np.stack([first[hierarchy.labels[0] == module].sum(axis=0) for module in modules])
    labels = (modules, *hierarchy.labels[1:])
    above = chain_of(hierarchy.graph, "image").weights[1:]
    graph = LayeredGraph.from_weights((rows, *above), orientation="in_out")
    folded = Hierarchy(graph, labels, labels)
    return folded, [int(labels[m.units[0][0]][m.units[0][1]]) for m in folded.modules]
