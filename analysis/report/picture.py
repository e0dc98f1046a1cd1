"""The network as SVG: an element for each unit, edge and module, which the script of the page finds by class and order."""

from __future__ import annotations

from base64 import b64encode
from dataclasses import replace
from html import escape

import numpy as np

from ..drawing.captions import short_captions
from ..drawing.entries import has_image, is_gate, widest_link
from ..drawing.images import counted, picture_of
from ..drawing.page_layout import LABELLED, LINE, NEAR, SMALL, SMALLEST, Names, region_label, rest_label, text_width
from ..drawing.style import GROUP_WIDTHS, WIDTHS, crowd_of, opacity_of, widths_of
from .kernels import kernel_picture
from .markup import number, path, tag, tints
from .scene import NONE, REST, Line, Mark, Scene

__all__ = ["network_svg"]

TARGET = 10.0  # radius that can be pointed at, in points; half the distance of two units at most
LABEL_ROOM = 5  # points beside the label of a module
LINE_CLASSES = {"sum": "of-module", "pixels": "of-module", "plain": "plain", "carry": "rail"}


def network_svg(scene: Scene, gone: str, name: str) -> str:
    """The picture of a scene; ``gone`` are the edges and units that pruning removed, as elements, and ``name`` what a reader hears."""
    width, height = scene.size
    boxes, labels = _regions(scene)
    parts = [
        *boxes,
        tag("g", gone, class_="gone") if gone else "",
        tag("g", _edges(scene), class_="edges"),
        *labels,
        *_captions(scene),
        *_names(scene, scene.page.inputs, below=True),
        *_names(scene, scene.page.outputs, below=False),
        *(_mark(scene, i) for i in range(len(scene.marks))),
    ]
    box = f"0 0 {number(width)} {number(height)}"
    style = f"--width:{number(width)}px"
    return tag("svg", "\n".join(filter(None, parts)), class_="picture", viewBox=box, role="group", aria_label=name, style=style)


def _regions(scene: Scene) -> tuple[list[str], list[str]]:
    """The boxes of modules, which are buttons, and their labels, which stand before the edges."""
    page, groups = scene.page, scene.groups
    boxes, labels = [], []
    for module in groups.hierarchy.modules:
        region, number_of = page.layout.regions.get(module.index), groups.number(module.index)
        if region is None:
            continue
        left, bottom, right, top = page.box(region)
        x, y = scene.flip((left, top))
        box = tag("rect", x=number(x), y=number(y), width=number(right - left), height=number(top - bottom), rx=6)
        look = {"class_": "region", "role": "button", "tabindex": 0, "aria_pressed": "false", "style": tints(number_of)}
        boxes.append(tag("g", box, **look, data_module=REST if number_of is None else number_of, aria_label=_offer(number_of)))
        below = page.label_below(region)
        free = below or region.highest == len(page.baselines) - 1
        first = right if free else min(page.place(unit)[0] for unit in module.units if page.layout.level[unit[0]] == region.highest)
        room = first - left - LABEL_ROOM, right - left - LABEL_ROOM
        whole = None if number_of is None else groups.whole.modules[number_of]
        text = rest_label(groups, *room) if whole is None else region_label(whole, *room, bool(page.frames.maps))
        x, y = scene.flip((left + 3, bottom + 4 if below else top - SMALL - 1))
        look = {"class_": "label", "aria_hidden": "true", "font_size": SMALL, "style": tints(number_of)}
        place = {"x": number(x), "y": number(y), "data_label": REST if number_of is None else number_of}
        labels.append(tag("text", escape(text), **look, **place) if text else "")
    return boxes, labels


def _offer(module: int | None) -> str:
    """What a screen reader says of a region."""
    return f"{'Smaller modules' if module is None else f'Module M{module}'}: show with all paths through it, and nothing else"


def _edges(scene: Scene) -> str:
    """One path a line, in the order of the lines."""
    weighed = [line for line in scene.lines if line.kind not in ("plain", "carry")]
    widths: dict[Line, float] = {}
    crowd = crowd_of(len(weighed))
    for pixels in (True, False):  # sums of a map and other lines each have a scale
        part = [line for line in weighed if (line.kind == "pixels") == pixels]
        weights = np.array([line.weight for line in part])
        widest = (
            float(np.abs(weights).max(initial=0.0))
            if pixels or not scene.in_groups
            else widest_link(scene.groups, bool(scene.page.frames.maps))
        )
        widths |= zip(part, widths_of(weights, widest or 1.0, crowd, GROUP_WIDTHS if scene.in_groups else WIDTHS).tolist(), strict=True)
    opacity = number(opacity_of(crowd))
    return "".join(_edge(scene, line, widths.get(line), opacity) for line in scene.lines)


def _edge(scene: Scene, line: Line, width: float | None, opacity: str) -> str:
    sign = "negative" if line.weight < 0 else "positive"
    kind = LINE_CLASSES.get(line.kind, sign)
    style = _colours(scene.marks[line.source]) if kind == "of-module" else None
    wide = None if width is None else number(width)
    return tag("path", class_=f"edge {kind}", d=path(line.points), stroke_width=wide, stroke_opacity=wide and opacity, style=style)


def _captions(scene: Scene) -> list[str]:
    page, found = scene.page, []
    for level, caption in enumerate(short_captions(scene.groups.hierarchy, page.layout)):
        x, y = scene.flip((page.left - 8, page.baselines[level] + page.rises[level] / 2))
        lines = caption.split("\n")
        start = y - LINE * SMALL * (len(lines) - 1) / 2
        texts = "".join(tag("tspan", escape(text), x=number(x), y=number(start + i * LINE * SMALL)) for i, text in enumerate(lines))
        found.append(tag("text", texts, class_="caption", font_size=SMALL))
    return found


def _names(scene: Scene, names: Names, below: bool) -> list[str]:
    """The names of inputs or outputs, beyond the borders of the regions and in as many rows as the page layout has."""
    page, found = scene.page, []
    edge = page.baselines[0] - LABELLED - NEAR if below else page.baselines[-1] + page.rises[-1] + LABELLED + NEAR
    sign = -1 if below else 1
    for i, (unit, text) in enumerate(sorted(names.texts.items(), key=lambda item: page.layout.positions[item[0]])):
        shift = (i % names.rows) * LINE * names.size + (0 if names.upright else names.size / 2)
        x, y = scene.flip((page.place(unit)[0], edge + sign * shift))
        number_of = scene.numbers[unit]
        turn = {"transform": f"rotate(-90 {number(x)} {number(y)})", "text_anchor": "end" if below else "start"} if names.upright else {}
        look = {"class_": "name" if scene.marks[number_of].module != NONE else "name lone", "font_size": names.size, "data_unit": number_of}
        found.append(tag("text", escape(text), x=number(x), y=number(y), aria_hidden="true", **look, **turn))
    return found


def _mark(scene: Scene, place: int) -> str:
    """A unit: a circle, a square of a gate, the kernel of a channel, a pill of a group, or the map of a module's pixels."""
    mark, page = scene.marks[place], scene.page
    module = {NONE: "no module", REST: "smaller modules"}.get(mark.module, f"module M{mark.module}")
    said = f"{mark.name}, {mark.layer}, {module}"
    look = {"class_": "unit lone" if mark.module == NONE else "unit", "role": "img", "tabindex": -1 if place else 0, "aria_label": said}
    return tag("g", _map(scene, mark) if mark.unit[1] < 0 else _shape(scene, mark, min(TARGET, page.step / 2)), **look)


def _shape(scene: Scene, mark: Mark, reach: float) -> str:
    x, y = scene.flip(scene.page.place(mark.unit))
    radius, half, groups = scene.page.radius, scene.page.half, scene.groups
    target = tag("circle", class_="target", cx=number(x), cy=number(y), r=number(reach))
    units = groups.units(mark.unit)
    if has_image(groups, mark.unit):
        images = groups.whole.graph.layers[mark.unit[0]].images
        assert images is not None
        return target + kernel_picture(images, units[0], (x, y), half)
    if len(units) > 1:
        return target + _box((x, y), (half, radius), rounding=radius) + _count((x, y), _short(len(units)), half, radius)
    if is_gate(groups, mark.unit):
        return target + _box((x, y), (radius, radius)) + _count((x, y), str(units[0]), radius, radius)
    return target + tag("circle", class_="dot", cx=number(x), cy=number(y), r=number(radius))


def _box(place: tuple[float, float], half: tuple[float, float], rounding: float = 0.0) -> str:
    corner = {"x": number(place[0] - half[0]), "y": number(place[1] - half[1])}
    return tag("rect", class_="dot", **corner, width=number(2 * half[0]), height=number(2 * half[1]), rx=number(rounding))


def _count(place: tuple[float, float], text: str, half: float, radius: float) -> str:
    size = min(SMALLEST, 1.2 * radius, 0.86 * 2 * half / text_width(text, 1.0))
    return tag("text", text, class_="count", x=number(place[0]), y=number(place[1]), font_size=number(size), aria_hidden="true")


def _short(units: int) -> str:
    """A number that fits a mark: from 10,000 on in thousands."""
    return str(units) if units < 10_000 else f"{units // 1000}k"


def _colours(mark: Mark) -> str | None:
    """The colours of the module of a mark, as a style."""
    return tints(None if mark.module == REST else mark.module)


def _map(scene: Scene, mark: Mark) -> str:
    [pixels] = [one for one in scene.page.frames.maps if one.module == -1 - mark.unit[1]]
    left, bottom, right, top = scene.page.frame(pixels.module)
    corner = scene.flip((left, top))
    box = {"x": number(corner[0]), "y": number(corner[1]), "width": number(right - left), "height": number(top - bottom)}
    data = b64encode(picture_of(replace(pixels, module=mark.module), scene.page.frames.largest)).decode()
    image = tag("image", class_="map", href=f"data:image/png;base64,{data}", preserveAspectRatio="none", **box)
    return image + tag("rect", class_="frame", style=_colours(mark), **box) + tag("title", counted(pixels.count, "pixel"))
