"""Pictures as bytes; equal pictures give equal bytes."""

from __future__ import annotations

from html import escape
from io import BytesIO
from typing import TYPE_CHECKING, Any

from .letters import without_glyph_warnings

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

DOTS_PER_INCH = 300
# No dates and a fixed salt for the ids of an SVG, so that the same input gives the same bytes. Texts are kept as text.
METADATA: dict[str, dict[str, Any]] = {
    "svg": dict.fromkeys(("Date", "Creator", "Format", "Type")),
    "pdf": {"CreationDate": None},
    "png": {},
}
SETTINGS: dict[Any, Any] = {"svg.hashsalt": "neural-sculpting", "svg.fonttype": "none", "pdf.fonttype": 42, "savefig.bbox": None}


def picture_bytes(ax: Axes, kind: str) -> bytes:
    """The figure of an axes as ``svg``, ``pdf`` or ``png``. In an SVG, texts with a label have it as their title."""
    from matplotlib import rc_context

    figure = ax.figure.canvas.figure  # the whole figure, also for axes in a subfigure
    buffer = BytesIO()
    with rc_context(SETTINGS), without_glyph_warnings():
        figure.savefig(buffer, format=kind, metadata=METADATA[kind], dpi=DOTS_PER_INCH)
    return _titled(figure, buffer.getvalue()) if kind == "svg" else buffer.getvalue()


def _titled(figure: Figure, svg: bytes) -> bytes:
    from matplotlib.text import Text

    for text in figure.findobj(Text):
        if text.get_gid() and text.get_label():
            group = f'<g id="{text.get_gid()}">'
            svg = svg.replace(group.encode(), f"{group}<title>{escape(str(text.get_label()))}</title>".encode())
    return svg
