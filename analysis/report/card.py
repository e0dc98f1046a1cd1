"""A compact card for notebooks: a text, and the picture of a hierarchy where it is small enough."""

from __future__ import annotations

from base64 import b64encode
from html import escape
from typing import Any

from ..drawing.encoding import picture_bytes
from ..drawing.native import paint
from ..hierarchy import Hierarchy
from ..texts import clean
from .facts import facts_of, headline_of

__all__ = ["MOST_EDGES", "MOST_UNITS", "report_card", "report_svg"]

MOST_UNITS, MOST_EDGES = 150, 600  # of a network whose picture a card shows
STYLE = "border: 1px solid #8884; border-radius: 8px; padding: 0.6em 0.8em; max-width: 44em"


def report_card(what: Any) -> str:
    """A piece of HTML: of a hierarchy its facts and picture, of anything else its text.

    Above 150 units in modules or 600 edges the picture is left out, which the card says.

    Examples
    --------
    >>> print(report_card("a < b").replace(STYLE, "..."))
    <div style="..."><pre style="margin: 0; white-space: pre-wrap">a &lt; b</pre></div>
    """
    if not isinstance(what, Hierarchy):
        return _framed(str(what))
    lines = [headline_of(what), *(f"{name}: {value}" for name, value in facts_of(what))]
    if not _is_small(what):
        return _framed("\n".join([*lines, "too large for a picture in a card; draw() draws it"]))
    return _framed("\n".join(lines), what)


def report_svg(hierarchy: Hierarchy) -> str | None:
    """The picture that the card shows, as SVG; None where it shows none.

    Examples
    --------
    >>> from analysis import detect_modules
    >>> (report_svg(detect_modules([[[1.0, 1.0]]])) or "")[:4]
    '<svg'
    """
    if not _is_small(hierarchy):
        return None
    svg = picture_bytes(paint(hierarchy, None, None, (), None), "svg").decode()
    return svg[svg.index("<svg") :]


def _is_small(hierarchy: Hierarchy) -> bool:
    units = sum(int((labels >= 0).sum()) for labels in hierarchy.labels)
    return units <= MOST_UNITS and hierarchy.graph.edge_count <= MOST_EDGES


def _framed(text: str, hierarchy: Hierarchy | None = None) -> str:
    picture = "" if hierarchy is None else _picture(hierarchy)
    return f'<div style="{STYLE}"><pre style="margin: 0; white-space: pre-wrap">{escape(clean(text))}</pre>{picture}</div>'


def _picture(hierarchy: Hierarchy) -> str:
    # As an image, so that ids in the SVGs of two cards of one page do not meet.
    data = b64encode(picture_bytes(paint(hierarchy, None, None, (), None), "svg")).decode()
    style = "width: 100%; background: #ffffff; border-radius: 8px; margin-top: 0.6em"
    return f'<img style="{style}" alt="{escape(headline_of(hierarchy))}" src="data:image/svg+xml;base64,{data}">'
