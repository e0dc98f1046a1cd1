"""What pruning removed: units at free places of their layers, and edges, gathered by the round that removed them."""

from __future__ import annotations

from collections import defaultdict
from html import escape

import numpy as np
from numpy.typing import NDArray

from ..drawing.names import one_line
from ..drawing.page_layout import MARGIN
from .markup import number, path, tag
from .rounds import Rounds, presence
from .scene import Scene

__all__ = ["gone_elements", "places_between"]

LARGEST = 2.6  # radius of a removed unit, in points
CLEAR = 3.0  # points between a removed unit and a circle
Point = tuple[float, float]
Ends = dict[int, tuple[int, Point]]  # for each unit of a layer what it is drawn as, and where


def gone_elements(scene: Scene, rounds: Rounds, first: int) -> str:
    """Paths and circles with ``data-until``, the first round in which they are not there, of the rounds from ``first`` on.

    Removed units have places of their own where single units are drawn; groups and maps stand for units of modules alone. What is left
    of the network but drawn nowhere, at units without a module, is there up to the last round but one.
    """
    last = len(rounds.attempts) - 1
    there = [presence(rounds, layer) for layer in range(len(rounds.removed_in))]
    lost, dots = _lost_units(scene, there, first, last)
    kept = {(line.source, line.target) for line in scene.lines}
    strokes: dict[int, list[str]] = defaultdict(list)
    for layer, until in enumerate(there):
        below, above = (_ends(scene, lost, i, up=i > layer) for i in (layer, layer + 1))
        found: dict[tuple[int, int], tuple[int, Point, Point]] = {}
        for a, b in np.argwhere(until > first).tolist():
            if a in below and b in above and (key := (below[a][0], above[b][0])) not in kept:
                stays = min(int(until[a, b]), last)
                found[key] = max(stays, found.get(key, (0,))[0]), below[a][1], above[b][1]
        for stays, start, end in found.values():
            strokes[stays].append(path([start, end]))
    lines = (tag("path", d="".join(parts), data_until=until, data_count=len(parts)) for until, parts in sorted(strokes.items()))
    return "".join([*lines, *dots])


def places_between(ends: tuple[float, float], taken: NDArray[np.float64], count: int, clear: float) -> NDArray[np.float64]:
    """Evenly spread places on a line, away from those that are taken as long as there is room.

    Examples
    --------
    >>> places_between((0.0, 10.0), np.array([5.0]), 2, 1.0).tolist()
    [0.0, 10.0]
    """
    slots = np.linspace(*ends, count)
    for more in (1, 2, 4):
        slots = np.linspace(*ends, more * count + len(taken) + 1)
        slots = slots[(np.abs(slots[:, None] - taken) >= clear).all(axis=1)]
        if len(slots) >= count:
            return slots[np.linspace(0, len(slots) - 1, count).round().astype(int)]
    return np.linspace(*ends, count)


def _lost_units(scene: Scene, there: list[NDArray[np.int64]], first: int, last: int) -> tuple[list[Ends], list[str]]:
    """For each layer the removed units that are shown, and their circles."""
    lost: list[Ends] = []
    dots: list[str] = []
    key = len(scene.marks)
    for layer in range(len(there) + 1):
        until = _last_seen(there, layer)
        hidden = scene.in_groups or (layer == 0 and bool(scene.page.frames.maps))
        units = [] if hidden else [i for i in np.flatnonzero(until > first).tolist() if scene.number_of(layer, i) < 0]
        places, radius = _places(scene, layer, len(units))
        lost.append({unit: (key + k, place) for k, (unit, place) in enumerate(zip(units, places, strict=True))})
        key += len(units)
        for unit, (x, y) in zip(units, places, strict=True):
            name = one_line(scene.groups.whole.graph.unit_name(layer, unit))
            look = {"cx": number(x), "cy": number(y), "r": number(radius), "data_until": min(int(until[unit]), last)}
            dots.append(tag("circle", tag("title", escape(f"{name}, removed by pruning")), **look))
    return lost, dots


def _last_seen(there: list[NDArray[np.int64]], layer: int) -> NDArray[np.int64]:
    """For each unit of a layer the number of rounds after which it still had an edge."""
    below = [part.max(axis=0) for part in there[layer - 1 : layer]] if layer else []
    above = [part.max(axis=1) for part in there[layer : layer + 1]]
    found: NDArray[np.int64] = np.max([*below, *above], axis=0)
    return found


def _places(scene: Scene, layer: int, count: int) -> tuple[list[Point], float]:
    """Places for removed units in the row of their layer, and their radius."""
    page = scene.page
    left, right = _room(scene, count)
    taken = np.array([page.place(unit)[0] for unit in page.layout.positions if unit[0] == layer])
    y = scene.flip((0.0, page.baselines[layer]))[1]
    xs = places_between((left, right), taken, count, page.radius + CLEAR).tolist() if count else []
    return [(x, y) for x in xs], min(LARGEST, 0.35 * (right - left) / max(1, count))


def _room(scene: Scene, count: int) -> tuple[float, float]:
    """The ends of a row of removed units: as far apart as the units of the network, farther where there are many, inside the picture."""
    page = scene.page
    xs = [page.place(unit)[0] for unit in page.layout.positions]
    middle, half = (min(xs) + max(xs)) / 2, (max(xs) - min(xs)) / 2
    free = min(middle - page.left, page.width - MARGIN - middle) - LARGEST
    half = max(half, min(free, CLEAR * count))
    return middle - half, middle + half


def _ends(scene: Scene, lost: list[Ends], layer: int, up: bool) -> Ends:
    """What the units of a layer are drawn as; lines end at the upper side of a map."""
    found = dict(lost[layer])
    for unit in range(scene.groups.whole.graph.widths[layer]):
        mark = scene.number_of(layer, unit)
        if mark >= 0:
            key = scene.marks[mark].unit
            if key[1] >= 0:
                found[unit] = mark, scene.flip(scene.page.place(key))
            elif not up:
                left, _, right, top = scene.page.frame(-1 - key[1])
                found[unit] = mark, scene.flip(((left + right) / 2, top))
    return found
