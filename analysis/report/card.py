"""A compact card for notebooks: a text, and the picture of a hierarchy."""

from __future__ import annotations

from base64 import b64encode
from html import escape
from typing import Any

from ..drawing.encoding import picture_bytes
from ..drawing.native import paint
from ..hierarchy import Hierarchy
from ..layout.collapsing import TooLarge
from ..texts import clean
from .facts import facts_of, headline_of

__all__ = ["report_card", "report_svg"]

STYLE = "border: 1px solid #8884; border-radius: 8px; padding: 0.6em 0.8em; max-width: 44em"


def report_card(what: Any) -> str:
    """A piece of HTML: of a hierarchy its facts and picture, of anything else its text.

    The picture is that of :func:`~analysis.drawing.draw`, so above 150 units, 600 edges or 60 modules it shows groups.
    Where there is more than fits a picture, the card says so.

    Examples
    --------
    >>> print(report_card("a < b").replace(STYLE, "..."))
    <div style="..."><pre style="margin: 0; white-space: pre-wrap">a &lt; b</pre></div>
    """
    if not isinstance(what, Hierarchy):
        return _framed(str(what))
    lines = [headline_of(what), *(f"{name}: {value}" for name, value in facts_of(what))]
    svg = report_svg(what)
    if svg is None:
        return _framed("\n".join([*lines, "there is more to draw than fits a picture"]))
    # As an image, so that ids in the SVGs of two cards of one page do not meet.
    data = b64encode(svg.encode()).decode()
    style = "width: 100%; background: #ffffff; border-radius: 8px; margin-top: 0.6em"
    picture = f'<img style="{style}" alt="{escape(headline_of(what))}" src="data:image/svg+xml;base64,{data}">'
    return _framed("\n".join(lines), picture)


def report_svg(hierarchy: Hierarchy) -> str | None:
    """The picture that the card shows, as SVG; None where it shows none.

    Examples
    --------
    >>> from analysis import detect_modules
    >>> (report_svg(detect_modules([[[1.0, 1.0]]])) or "")[:4]
    '<svg'
    """
    try:
        ax = paint(hierarchy, None, None, (), None)
    except TooLarge:
        return None
    svg = picture_bytes(ax, "svg").decode()
    return svg[svg.index("<svg") :]


def _framed(text: str, picture: str = "") -> str:
    return f'<div style="{STYLE}"><pre style="margin: 0; white-space: pre-wrap">{escape(clean(text))}</pre>{picture}</div>'
