"""The report as a file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..files import write_file
from ..hierarchy import Hierarchy
from .facts import TITLE
from .page import report_html
from .panel import Candidate
from .text import NOTHING, report_text

__all__ = ["write_report"]


def write_report(
    hierarchy: Hierarchy,
    path: str | Path,
    comparison: Any = None,
    title: str = TITLE,
    evidence: Mapping[str, Any] = NOTHING,
    *,
    image: tuple[int, int] | None = None,
    collapse: bool | None = None,
    candidates: Sequence[Candidate] = (),
    rounds: Any = None,
    settings: Mapping[str, Any] = NOTHING,
) -> Path:
    """Write the report to ``path``, with suffix ``.html`` or ``.txt``, and return the path.

    The other parameters are those of :func:`report_html`; a text has no ``collapse``, ``candidates``, ``rounds`` and ``settings``.

    Raises
    ------
    TypeError
        When ``hierarchy`` is not a hierarchy, or ``title`` not a string.
    ValueError
        When the suffix is different, or ``image`` does not have one pixel for each input.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> import numpy as np
    >>> from analysis import LayeredGraph
    >>> labels = (np.array([0, 0]), np.array([0]))
    >>> with TemporaryDirectory() as folder:
    ...     write_report(Hierarchy(LayeredGraph.from_weights([[[1.0, 1.0]]]), labels, labels), f"{folder}/report.txt").name
    'report.txt'
    """
    suffix = Path(path).suffix.lower()
    if suffix not in (".html", ".txt"):
        raise ValueError(f"path must end in .html or .txt; got {str(path)!r}")
    if suffix == ".html":
        more: dict[str, Any] = {"collapse": collapse, "candidates": candidates, "rounds": rounds, "settings": settings}
        return write_file(path, report_html(hierarchy, comparison, title, evidence, image=image, **more).encode())
    return write_file(path, f"{report_text(hierarchy, comparison, evidence, image=image)}\n".encode())
