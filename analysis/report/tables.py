"""The tables of the page: a row for each module."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Sequence
from html import escape

from ..drawing.images import PixelMap, largest_weight, picture_of
from .facts import PIXEL_COLUMNS, pixel_headline, pixel_row
from .markup import tag, tints

__all__ = ["modules_table", "pixels_section"]

MAP_WIDTH, MAP_HEIGHT = 14.0, 10.0  # largest size of a map in the table of pixels, in rem


def modules_table(heads: Sequence[str], rows: Sequence[tuple[int, Sequence[str], str]], buttons: bool = True) -> str:
    """A table with a row for each module; the last entry of a row is markup for a further cell."""
    head = "".join(tag("th", escape(name), scope="col", role="columnheader") for name in heads)
    body = []
    for module, cells, last in rows:
        name: str = escape(cells[0])
        if buttons:
            name = tag(
                "button",
                name,
                type="button",
                aria_pressed="false",
                data_module=module,
                style=tints(module),
                title="Show it and its paths alone",
            )
        row = tag("th", name, scope="row", role="rowheader")
        row += "".join(
            tag("td", escape(cell) or "–", data_label=head, role="cell") for head, cell in zip(heads[1:], cells[1:], strict=False)
        )
        body.append(tag("tr", row + last, data_module=module, role="row"))
    parts = tag("thead", tag("tr", head, role="row"), role="rowgroup") + tag("tbody", "\n".join(body), role="rowgroup")
    return tag("table", parts, role="table")


def pixels_section(maps: Sequence[PixelMap], image: tuple[int, int]) -> str:
    """The section on pixels: which each module reads."""
    width = min(MAP_WIDTH, MAP_HEIGHT * image[1] / image[0])
    heads = (*PIXEL_COLUMNS, "summed |weight|")
    rows = []
    for one in maps:
        data = b64encode(picture_of(one, largest_weight(maps))).decode()
        alt = f"Where the pixels of M{one.module} are"
        picture = f'<img class="map" style="width: {width:.3g}rem" alt="{alt}" src="data:image/png;base64,{data}">'
        rows.append((one.module, pixel_row(one), tag("td", picture, data_label=heads[-1], role="cell")))
    return tag("h2", "Pixels") + tag("p", pixel_headline(maps, image), class_="headline") + modules_table(heads, rows, buttons=False)
