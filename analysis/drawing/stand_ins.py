"""Where heat maps go: the layout of the same hierarchy, in which a row of stand-ins keeps the place of each module's pixels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from math import ceil

import numpy as np

from ..graph import LayeredGraph
from ..hierarchy import Hierarchy
from ..layout import Layout, layered_layout
from ..layout.ordering import groups_of
from ..layout.placing import LONGEST_ROW
from .images import PixelMap, counted, largest_weight, weights_of_pixels

MOST = 8  # maps in a picture
WIDEST, HIGHEST = 8.5, 6.5  # of a map; all lengths in steps, the distance of two units
SHARE = 0.5  # of the longest row of units that all maps together may take where they are wider for it: there steps are shorter
BESIDE = 0.4  # left free on both sides of a map, together
NARROWEST = 4  # stand-ins: the number of pixels has to be readable below the narrowest map


@dataclass(frozen=True)
class Frames:
    """The maps that are drawn instead of the inputs, and where.

    Attributes
    ----------
    maps : tuple of PixelMap
        In the order of the modules.
    centres : dict of int to float
        The x of the middle of each module's map.
    size : (float, float)
        Width and height of every map.
    largest : float
        The weight of the heaviest pixel of all maps, those that are left out too.
    note : str
        What is left out, or nothing.
    """

    maps: tuple[PixelMap, ...] = ()
    centres: dict[int, float] = field(default_factory=dict)
    size: tuple[float, float] = (0.0, 0.0)
    largest: float = 1.0
    note: str = ""


def layout_with_maps(hierarchy: Hierarchy, maps: Sequence[PixelMap]) -> tuple[Layout, Frames]:
    """The layout of all units but the inputs, and the frames of the maps that stand for them: of at least one map, the biggest eight.

    A row of stand-ins, one step apart, which all have the edges of their map, takes the place of the inputs of a module. The units that
    read the map pull on all of them alike, so that they stay side by side. A module of pixels alone whose map is left out has no region.
    """
    shown = _biggest(maps)
    height, width = shown[0].weights.shape
    wide = min(WIDEST, HIGHEST * width / height) * max(1.0, SHARE * _longest_row(hierarchy) / (len(shown) * WIDEST))
    modules = np.repeat([one.module for one in sorted(shown, key=_middle)], max(NARROWEST, ceil(wide + BESIDE)))
    folded, numbers = _folded(hierarchy, modules)
    layout = layered_layout(folded)
    places = np.array([layout.positions[0, k][0] for k in range(len(modules))])
    centres = {one.module: float(places[modules == one.module].mean()) for one in shown}
    positions = {unit: place for unit, place in layout.positions.items() if unit[0] > 0}
    regions = {numbers[module]: region for module, region in layout.regions.items()}
    frames = Frames(shown, centres, (wide, wide * height / width), largest_weight(maps), _note(maps, shown))
    return replace(layout, positions=positions, regions=regions), frames


def _biggest(maps: Sequence[PixelMap]) -> tuple[PixelMap, ...]:
    """The maps of the most pixels, in the order of the modules; of equal ones the first."""
    chosen = sorted(maps, key=lambda one: (-one.count, one.module))[:MOST]
    return tuple(sorted(chosen, key=lambda one: one.module))


def _longest_row(hierarchy: Hierarchy) -> int:
    """Units in a row of the widest layer above the inputs, as the layout breaks layers into rows."""
    widest = max(int((groups >= 0).sum()) for groups in groups_of(hierarchy)[1:])
    return ceil(widest / ceil(widest / LONGEST_ROW))


def _middle(pixels: PixelMap) -> float:
    """Mean column: what is on the left of the image is drawn on the left, unless edges would cross more."""
    return float(np.nonzero(pixels.weights)[1].mean())


def _note(maps: Sequence[PixelMap], shown: Sequence[PixelMap]) -> str:
    pixels, count = sum(one.count for one in maps) - sum(one.count for one in shown), len(maps) - len(shown)
    return f"not shown: {counted(pixels, 'pixel')} of {counted(count, 'smaller module')}" if count else ""


def _folded(hierarchy: Hierarchy, modules: np.ndarray) -> tuple[Hierarchy, list[int]]:
    """The hierarchy with stand-ins of the given modules as inputs, and the numbers that its modules have in the given one."""
    first = weights_of_pixels(hierarchy)
    rows = np.stack([first[hierarchy.labels[0] == module].sum(axis=0) for module in modules])
    labels = (modules, *hierarchy.labels[1:])
    folded = Hierarchy(LayeredGraph((rows, *hierarchy.graph.weights[1:])), labels, labels)
    return folded, [int(labels[m.units[0][0]][m.units[0][1]]) for m in folded.modules]
