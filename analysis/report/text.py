"""The report as text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..drawing.images import pixel_maps
from ..drawing.names import one_line
from ..hierarchy import Hierarchy, check_hierarchy
from ..texts import clean
from .facts import COLUMNS, NOTHING, PIXEL_COLUMNS, facts_of, headline_of, pixel_headline, pixel_row, rows_of

__all__ = ["check_parts", "report_text", "text_of"]


def report_text(
    hierarchy: Hierarchy, comparison: Any = None, evidence: Mapping[str, Any] = NOTHING, *, image: tuple[int, int] | None = None
) -> str:
    """The report as text: facts of the network, and one line for each module.

    Parameters
    ----------
    hierarchy : Hierarchy
        The report gives the accuracy if ``hierarchy.network`` has an ``accuracy``.
    comparison : Comparison, optional
    evidence : mapping of str to object, optional
        Headings with objects whose text is added at the end, such as ``{"Chance": significance(hierarchy)}``.
    image : (int, int), optional
        Height and width of the image, if the inputs are its pixels, row by row from the top left. The report then has a section on the
        pixels of each module: the number that are read, their first and last row and column from 0, and the fractions in the left and
        right half.

    Raises
    ------
    TypeError
        When ``hierarchy`` is not a hierarchy, ``comparison`` no comparison, or ``evidence`` no mapping.
    ValueError
        When ``image`` does not have one pixel for each input.

    Examples
    --------
    >>> import numpy as np
    >>> from analysis import LayeredGraph
    >>> graph = LayeredGraph.from_weights([[[1.0, 1.0]], [[1.0]]])
    >>> labels = (np.array([0, 0]), np.array([0]), np.array([1]))
    >>> print(report_text(Hierarchy(graph, labels, labels)))
    2 modules in a network of widths 2-1-1
    edges: 3 of 3 (density 1.000)
    units: 2 of 2 inputs, 1 of 1 in hidden 1, 1 of 1 outputs
    <BLANKLINE>
    M0: inputs x0, x1; hidden units 1 in layer 1; reads from no module
    M1: outputs y0; hidden units none; reads from M0
    >>> print(report_text(Hierarchy(graph, labels, labels), image=(1, 2)).splitlines()[-1])
    M0: pixels 2; rows 0 to 0; columns 0 to 1; left half 0.50; right half 0.50
    """
    check_hierarchy(hierarchy)
    return text_of(hierarchy, comparison, evidence, image, facts_of(hierarchy))


def text_of(
    hierarchy: Hierarchy, comparison: Any, evidence: Mapping[str, Any], image: tuple[int, int] | None, facts: Sequence[tuple[str, str]]
) -> str:
    """The text of :func:`report_text` with facts that are given."""
    check_parts(comparison, evidence)
    maps = () if image is None else pixel_maps(hierarchy, image)
    lines = [headline_of(hierarchy), *(f"{name}: {value}" for name, value in facts), ""]
    lines += [_line(COLUMNS, row) for row in rows_of(hierarchy)]
    if image is not None:
        lines += ["", f"Pixels: {pixel_headline(maps, image)}", *(_line(PIXEL_COLUMNS, pixel_row(one)) for one in maps)]
    if comparison is not None:
        lines += ["", str(comparison)]
    for heading, what in evidence.items():
        lines += ["", f"{one_line(str(heading))}:", str(what)]
    return clean("\n".join(lines))


def check_parts(comparison: Any, evidence: Any, settings: Any = NOTHING) -> None:
    """Refuse what a report cannot add."""
    if not isinstance(settings, Mapping):
        raise TypeError(f"settings must be a mapping of names to values; got {type(settings).__name__}. Leave it out where there are none")
    if comparison is not None and not (hasattr(comparison, "exact") and hasattr(comparison, "valid")):
        raise TypeError(f"comparison must be that of compare(hierarchy, truth), or None; got {type(comparison).__name__}")
    if not isinstance(evidence, Mapping):
        raise TypeError(
            f"evidence must be a mapping of headings to objects; got {type(evidence).__name__}. Leave it out where there is none"
        )


def _line(columns: Sequence[str], row: Sequence[str]) -> str:
    cells = [(column, cell or _nothing(column)) for column, cell in zip(columns[1:], row[1:], strict=True)]
    return f"{row[0]}: " + "; ".join(f"{column} {text}" for column, text in cells if text)


def _nothing(column: str) -> str:
    return {"hidden units": "none", "reads from": "no module"}.get(column, "")
