"""What the picture of a page holds: marks of units, groups and maps, and lines between them, at the places of our pictures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np

from ..drawing.images import PixelMap, counted, pixel_maps, weights_of_pixels
from ..drawing.names import full_name, one_line
from ..drawing.page_layout import LINE, NO_FRAMES, SMALL, PageLayout, plan_page
from ..drawing.placeholders import layout_with_maps
from ..drawing.routes import route
from ..hierarchy import Hierarchy
from ..layout import layered_layout
from ..layout.collapsing import as_groups, check_marks
from ..layout.groups import Groups
from ..layout.rows import drawn

__all__ = ["NONE", "REST", "Line", "Mark", "Scene", "scene_of"]

Unit = tuple[int, int]
Point = tuple[float, float]
NONE, REST = -1, -2  # for a module: of an output that reads nothing, and of the small modules that are drawn together
FAN = 0.4  # of the width of a map: how far from its middle lines begin


class Mark(NamedTuple):
    """A unit, a group of units or, with an index below 0, the map of a module's pixels.

    ``unit`` is its position among the units of the picture, ``module`` the number in the whole hierarchy, ``NONE`` or ``REST``.
    """

    unit: Unit
    name: str
    layer: str
    module: int


class Line(NamedTuple):
    """An edge between two marks, by their numbers.

    ``kind`` is ``"weight"``, ``"sum"`` or ``"pixels"`` where ``weight`` is that of several, ``"plain"`` or ``"carry"`` where it has none.
    """

    source: int
    target: int
    weight: float
    kind: str
    points: tuple[Point, ...]


@dataclass(frozen=True, eq=False)
class Scene:
    """A hierarchy with its places on a page. Points are in the coordinates of SVG, where y grows downward."""

    groups: Groups
    page: PageLayout
    marks: tuple[Mark, ...]
    lines: tuple[Line, ...]

    @property
    def size(self) -> Point:
        """Width and height, without the legend, which the page writes as text."""
        legend = LINE * SMALL * (self.page.legend.rows + bool(self.page.frames.maps))
        return self.page.width, self.page.height - legend

    @property
    def in_groups(self) -> bool:
        """Whether units are drawn in groups, with links between them."""
        return self.groups.links is not None

    @cached_property
    def numbers(self) -> dict[Unit, int]:
        """The number of the mark of each unit of the picture."""
        return {mark.unit: number for number, mark in enumerate(self.marks)}

    def flip(self, point: Point) -> Point:
        """A point of the page layout."""
        return point[0], self.page.height - point[1]

    def number_of(self, layer: int, index: int) -> int:
        """The number of the mark that stands for a unit of the network; -1 for one that is not drawn."""
        return self._of_units.get((layer, index), -1)

    @cached_property
    def drawn_as(self) -> dict[int, int]:
        """For each module of the network the module of its marks: itself, ``REST``, or ``NONE`` where its outputs read nothing."""
        found = {}
        for module in self.groups.whole.modules:
            shown = {self.marks[number].module for unit in module.units if (number := self.number_of(*unit)) >= 0}
            found[module.index] = module.index if module.index in shown else REST if REST in shown else NONE
        return found

    @cached_property
    def _of_units(self) -> dict[Unit, int]:
        found: dict[Unit, int] = {}
        for number, mark in enumerate(self.marks):
            layer, index = mark.unit
            members = np.flatnonzero(self.groups.hierarchy.labels[0] == -1 - index).tolist() if index < 0 else self.groups.units(mark.unit)
            found.update(dict.fromkeys(((layer, unit) for unit in members), number))
        return found


def scene_of(hierarchy: Hierarchy, maps: Sequence[PixelMap], collapse: bool | None) -> Scene:
    """The scene of a hierarchy, with ``maps`` instead of inputs if there are any.

    Raises
    ------
    TooLarge
        When there is more than a picture can hold.
    """
    groups = as_groups(hierarchy, collapse, bool(maps))
    if maps:
        layout, frames = layout_with_maps(groups.hierarchy, pixel_maps(groups.hierarchy, maps[0].image))
    else:
        check_marks(groups.hierarchy)
        layout, frames = layered_layout(groups.hierarchy), NO_FRAMES
    page = plan_page(groups.hierarchy, layout, None, frames, groups)
    marks = (*_map_marks(groups, page), *(_mark(groups, unit) for unit in sorted(layout.positions)))
    numbers = {mark.unit: number for number, mark in enumerate(marks)}
    return Scene(groups, page, marks, (*_map_lines(groups.hierarchy, page, numbers), *_lines(groups, page, numbers)))


def _module(groups: Groups, module: int) -> int:
    """The number of a module of the picture in the whole hierarchy, or ``NONE`` or ``REST``."""
    number = groups.number(module) if module >= 0 else NONE
    return REST if number is None else number


def _mark(groups: Groups, unit: Unit) -> Mark:
    layer = one_line(groups.whole.graph.layers[unit[0]].name)
    units = groups.units(unit)
    name = full_name(groups.whole, (unit[0], units[0])) if len(units) == 1 else f"{len(units):,} units"
    return Mark(unit, name, layer, _module(groups, int(groups.hierarchy.labels[unit[0]][unit[1]])))


def _map_marks(groups: Groups, page: PageLayout) -> list[Mark]:
    layer = one_line(groups.whole.graph.layers[0].name)
    return [Mark((0, -1 - one.module), counted(one.count, "pixel"), layer, _module(groups, one.module)) for one in page.frames.maps]


def _lines(groups: Groups, page: PageLayout, numbers: dict[Unit, int]) -> list[Line]:
    found = []
    for edge in drawn(groups.hierarchy):
        if page.frames.maps and edge.source[0] == 0:
            continue
        kind = "carry" if edge.carry else "plain" if not edge.weighted else "weight" if groups.links is None else "sum"
        points = tuple((x, page.height - y) for x, y in route(groups.hierarchy, page, edge))
        found.append(Line(numbers[edge.source], numbers[edge.target], edge.weight, kind, points))
    return found


def _map_lines(hierarchy: Hierarchy, page: PageLayout, numbers: dict[Unit, int]) -> list[Line]:
    """A line from each map to each unit that reads it, with the sum of |weight|."""
    found = []
    for one in page.frames.maps:
        left, _, right, top = page.frame(one.module)
        sums = weights_of_pixels(hierarchy)[hierarchy.labels[0] == one.module].sum(axis=0)
        for unit in np.flatnonzero(sums).tolist():
            x, y = page.place((1, unit))
            middle, reach = (left + right) / 2, FAN * (right - left)
            start = min(max(x, middle - reach), middle + reach)
            points = (start, page.height - top), (x, page.height - y)
            found.append(Line(numbers[0, -1 - one.module], numbers[1, unit], float(sums[unit]), "pixels", points))
    return found
