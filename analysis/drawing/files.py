"""Pictures as bytes, the same for the same picture, and files that are there whole or not at all."""

from __future__ import annotations

import os
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.axes import Axes

DOTS_PER_INCH = 300
# No dates, and one salt for the ids of an SVG, so that the same input gives the same bytes. Texts stay texts.
METADATA: dict[str, dict[str, Any]] = {
    "svg": dict.fromkeys(("Date", "Creator", "Format", "Type")),
    "pdf": {"CreationDate": None},
    "png": {},
}
SETTINGS: dict[Any, Any] = {"svg.hashsalt": "neural-sculpting", "svg.fonttype": "none", "pdf.fonttype": 42, "savefig.bbox": None}


def picture_bytes(ax: Axes, kind: str) -> bytes:
    """The figure around an axes as ``svg``, ``pdf`` or ``png``."""
    from matplotlib import rc_context

    figure = ax.figure.canvas.figure  # the whole one, where the axes stand in a part of it
    buffer = BytesIO()
    with rc_context(SETTINGS):
        figure.savefig(buffer, format=kind, metadata=METADATA[kind], dpi=DOTS_PER_INCH)
    return buffer.getvalue()


def write_file(path: str | Path, content: bytes) -> Path:
    """Write under a temporary name beside ``path`` and rename; missing folders are created. Returns the path."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        part.write_bytes(content)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
    return path
