"""The report as one HTML page, with the picture."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from ..drawing.encoding import picture_bytes
from ..drawing.images import PixelMap, largest_weight, picture_of, pixel_maps
from ..drawing.native import paint
from ..drawing.pictures import check_collapse
from ..hierarchy import Hierarchy, check_hierarchy
from ..layout.collapsing import TooLarge
from ..texts import checked_title, clean
from .facts import COLUMNS, PIXEL_COLUMNS, TITLE, facts_of, headline_of, pixel_headline, pixel_row, rows_of
from .templates import PAGE, PIXELS
from .text import NOTHING, check_parts

__all__ = ["report_html"]

MAP_WIDTH, MAP_HEIGHT = 14.0, 10.0  # largest size of a map in the table of pixels, in rem


def report_html(
    hierarchy: Hierarchy,
    comparison: Any = None,
    title: str = TITLE,
    evidence: Mapping[str, Any] = NOTHING,
    *,
    image: tuple[int, int] | None = None,
    collapse: bool | None = None,
) -> str:
    """The report as one self-contained HTML page: picture, facts and a table of modules.

    Pointing at a module highlights its units and edges. Where a hierarchy is too large to draw, the page says so in place of the picture.

    Parameters
    ----------
    hierarchy : Hierarchy
    comparison : Comparison, optional
        Its text and verdict are added.
    title : str
        Of the page.
    evidence : mapping of str to object, optional
        Headings with objects whose text is added, a section for each.
    image : (int, int), optional
        As for :func:`report_text`. The section shows the maps of all modules, the picture those of the largest, as in
        :func:`~analysis.drawing.draw`.
    collapse : bool, optional
        As for :func:`~analysis.drawing.draw`.

    Raises
    ------
    TypeError
        When ``hierarchy`` is not a hierarchy, ``title`` not a string, ``comparison`` no comparison, or ``evidence`` no mapping.
    ValueError
        When ``image`` does not have one pixel for each input, or ``collapse=True`` is used with it.

    Examples
    --------
    >>> import numpy as np
    >>> from analysis import LayeredGraph
    >>> labels = (np.array([0, 0]), np.array([0]))
    >>> page = report_html(Hierarchy(LayeredGraph.from_weights([[[1.0, 1.0]]]), labels, labels), title="a < b")
    >>> "<h1>a &lt; b</h1>" in page, "http://" in page.split("<svg")[0]
    (True, False)
    """
    check_hierarchy(hierarchy)
    check_parts(comparison, evidence)
    check_collapse(collapse, image=image)
    maps = () if image is None else pixel_maps(hierarchy, image)
    fields = {
        "title": escape(checked_title(title) or ""),
        "headline": escape(headline_of(hierarchy)),
        "picture": _picture(hierarchy, maps, collapse),
        "facts": "".join(f"<dt>{escape(name)}</dt><dd>{escape(value)}</dd>" for name, value in facts_of(hierarchy)),
        "head": _html_head(COLUMNS),
        "rows": "\n".join(_html_row(m.index, row) for m, row in zip(hierarchy.modules, rows_of(hierarchy), strict=True)),
        "pixels": "" if image is None else _html_pixels(maps, image),
        "comparison": "" if comparison is None else _html_comparison(comparison),
        "evidence": "\n".join(_section(heading, what) for heading, what in evidence.items()),
    }
    return clean(PAGE.substitute(fields))


def _picture(hierarchy: Hierarchy, maps: Sequence[PixelMap], collapse: bool | None) -> str:
    try:
        ax = paint(hierarchy, None, None, maps, collapse)
    except TooLarge as error:
        return f"<p>{escape(str(error))}</p>"
    svg = picture_bytes(ax, "svg").decode()
    return svg[svg.index("<svg") :].replace("<svg", f'<svg role="img" aria-label="{escape(headline_of(hierarchy))}"', 1)


def _html_head(columns: Sequence[str]) -> str:
    return "".join(f'<th scope="col">{column}</th>' for column in columns)


def _html_row(module: int, cells: Sequence[str], last: str = "") -> str:
    head, *rest = map(escape, cells)
    row = "".join(f"<td>{c or '–'}</td>" for c in rest)
    return f'<tr data-module="{module}" tabindex="0"><th scope="row">{head}</th>{row}{last}</tr>'


def _html_pixels(maps: Sequence[PixelMap], image: tuple[int, int]) -> str:
    width = min(MAP_WIDTH, MAP_HEIGHT * image[1] / image[0])
    rows = []
    for one in maps:
        data = b64encode(picture_of(one, largest_weight(maps))).decode()
        alt = f"Where the pixels of M{one.module} are"
        picture = f'<td><img class="map" style="width: {width:.3g}rem" alt="{alt}" src="data:image/png;base64,{data}"></td>'
        rows.append(_html_row(one.module, pixel_row(one), picture))
    return PIXELS.substitute(
        headline=pixel_headline(maps, image), head=_html_head((*PIXEL_COLUMNS, "summed |weight|")), rows="\n".join(rows)
    )


def _html_comparison(comparison: Any) -> str:
    verdict = "exact" if comparison.exact else "another valid decomposition" if comparison.valid else "not exact"
    return _section(f"Against the truth: {verdict}", comparison)


def _section(heading: str, what: Any) -> str:
    return f"<h2>{escape(str(heading))}</h2>\n<pre>{escape(str(what))}</pre>"
