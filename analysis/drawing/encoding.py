"""Pictures as bytes; equal pictures give equal bytes."""

from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.axes import Axes

DOTS_PER_INCH = 300
# No dates and a fixed salt for the ids of an SVG, so that the same input gives the same bytes. Texts are kept as text.
METADATA: dict[str, dict[str, Any]] = {
    "svg": dict.fromkeys(("Date", "Creator", "Format", "Type")),
    "pdf": {"CreationDate": None},
    "png": {},
}
SETTINGS: dict[Any, Any] = {"svg.hashsalt": "neural-sculpting", "svg.fonttype": "none", "pdf.fonttype": 42, "savefig.bbox": None}


def picture_bytes(ax: Axes, kind: str) -> bytes:
    """The figure of an axes as ``svg``, ``pdf`` or ``png``."""
    from matplotlib import rc_context

    figure = ax.figure.canvas.figure  # the whole figure, also for axes in a subfigure
    buffer = BytesIO()
    with rc_context(SETTINGS):
        figure.savefig(buffer, format=kind, metadata=METADATA[kind], dpi=DOTS_PER_INCH)
    return buffer.getvalue()
