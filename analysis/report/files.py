"""The report as a file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..files import write_file
from ..hierarchy import Hierarchy, check_hierarchy
from .facts import NOTHING, TITLE, facts_of
from .page import candidates_of, report_html
from .panel import Candidate
from .text import check_parts, text_of

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

    The other parameters are those of :func:`report_html`. A text is about ``hierarchy`` alone, without ``collapse``, ``rounds`` and
    ``settings``; of its candidate it has the facts.

    Raises
    ------
    TypeError
        When ``hierarchy`` is not a hierarchy, ``title`` not a string, or another value of another type.
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
    check_hierarchy(hierarchy)
    check_parts(comparison, evidence, settings)
    shown = candidates_of(hierarchy, candidates, rounds)[0]
    facts = facts_of(hierarchy, shown.metric, shown.facts)
    return write_file(path, f"{text_of(hierarchy, comparison, evidence, image, facts)}\n".encode())
