"""The report as one HTML page, with pictures that can be explored and no need of a network."""

from __future__ import annotations

import platform
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from html import escape
from importlib import metadata, resources
from string import Template
from typing import Any

import numpy as np

from ..drawing.names import one_line
from ..drawing.pictures import check_collapse
from ..hierarchy import Hierarchy, check_hierarchy
from ..texts import checked_title, clean
from .facts import NOTHING, TITLE
from .markup import definitions, script_data, tag
from .panel import Candidate, panel_of
from .text import check_parts

__all__ = ["candidates_of", "report_html"]

SHOWN = "this network"  # the name of the hierarchy itself, where other candidates are given and it is none of them


def report_html(
    hierarchy: Hierarchy,
    comparison: Any = None,
    title: str = TITLE,
    evidence: Mapping[str, Any] = NOTHING,
    *,
    image: tuple[int, int] | None = None,
    collapse: bool | None = None,
    candidates: Sequence[Candidate] = (),
    rounds: Any = None,
    settings: Mapping[str, Any] = NOTHING,
) -> str:
    """The report as one self-contained HTML page: picture, rounds of pruning, hierarchy, tables and settings.

    Pointing at a unit shows its weights, a click on a module it and its paths alone; a slider goes through the rounds of pruning, and a
    switch to the other candidates. Where a hierarchy is too large to draw, the page says so in place of the picture.

    Parameters
    ----------
    hierarchy : Hierarchy
    comparison : Comparison, optional
        Its text and verdict are added.
    title : str
        Of the page.
    evidence : mapping of str to object, optional
        Headings with objects whose text is added, a section for each. What ``function_map`` and ``lesions`` say of single modules is in
        the table of modules too, and the p-value of ``significance`` among the facts.
    image : (int, int), optional
        As for :func:`report_text`. The section shows the maps of all modules, the picture those of the largest, as in
        :func:`~analysis.drawing.draw`.
    collapse : bool, optional
        As for :func:`~analysis.drawing.draw`.
    candidates : sequence of Candidate, optional
        The networks that the page can switch to. One whose hierarchy is ``hierarchy`` itself is shown at first, and has its evidence;
        otherwise ``hierarchy`` stands before them.
    rounds : Rounds or str, optional
        The rounds of pruning that led to the network, for ``hierarchy`` itself where it is none of the candidates: any object with
        ``attempts`` and ``removed_in``, see :class:`Candidate`. A text says why there are none.
    settings : mapping of str to object, optional
        What the foot of the page says before the versions.

    Raises
    ------
    TypeError
        When ``hierarchy`` is not a hierarchy, ``title`` not a string, ``comparison`` no comparison, or ``evidence`` no mapping; when
        candidates are not a name with a hierarchy, or rounds are neither rounds nor a text.
    ValueError
        When ``image`` does not have one pixel for each input, or rounds are not those of the network.

    Examples
    --------
    >>> import numpy as np
    >>> from analysis import LayeredGraph
    >>> labels = (np.array([0, 0]), np.array([0]))
    >>> page = report_html(Hierarchy(LayeredGraph.from_weights([[[1.0, 1.0]]]), labels, labels), title="a < b")
    >>> "<h1>a &lt; b</h1>" in page, "http" in page
    (True, False)
    """
    check_hierarchy(hierarchy)
    check_parts(comparison, evidence, settings)
    check_collapse(collapse)
    shown = candidates_of(hierarchy, candidates, rounds)
    panels = [
        panel_of(one, i, image, collapse, evidence if one.hierarchy is hierarchy else NOTHING, len(shown) > 1)
        for i, one in enumerate(shown)
    ]
    fields = {
        "title": escape(checked_title(title) or ""),
        "style": Template(_part("page.css")).substitute(dark=_part("dark.css")),
        "script": _part("page.js"),
        "choice": _choice(shown),
        "networks": "\n".join(panel.html for panel in panels),
        "comparison": "" if comparison is None else _comparison(comparison),
        "evidence": "\n".join(_section(heading, what) for heading, what in evidence.items()),
        "settings": definitions([*((one_line(str(name)), one_line(str(value))) for name, value in settings.items()), *_versions()]),
        "data": script_data([panel.data for panel in panels]),
    }
    return clean(Template(_part("page.html")).substitute(fields))


def candidates_of(hierarchy: Hierarchy, candidates: Sequence[Candidate], rounds: Any) -> list[Candidate]:
    """The networks of the page, that of the hierarchy first."""
    if isinstance(candidates, str) or not isinstance(candidates, Iterable):
        raise TypeError(f"candidates must be a sequence of names with hierarchies; got {type(candidates).__name__}")
    found = [_candidate(one) for one in candidates]
    first = [one for one in found if one.hierarchy is hierarchy][:1] or [Candidate(SHOWN, hierarchy, rounds)]
    return first + [one for one in found if one.hierarchy is not hierarchy]


def _candidate(one: Any) -> Candidate:
    parts = list(one) if isinstance(one, tuple | list) else [one]
    if not 2 <= len(parts) <= len(Candidate._fields) or not isinstance(parts[0], str) or not isinstance(parts[1], Hierarchy):
        got = " and ".join(type(part).__name__ for part in parts[:2]) or "nothing"
        raise TypeError(f"candidates must be names with hierarchies, such as Candidate('seed 0', hierarchy); got {got}")
    found = Candidate(*parts)
    if not isinstance(found.facts, Mapping):
        raise TypeError(f"facts of a candidate must be a mapping of names to values; got {type(found.facts).__name__}")
    return found


@cache
def _part(name: str) -> str:
    return (resources.files(__package__) / name).read_text(encoding="utf-8").strip()


def _choice(shown: Sequence[Candidate]) -> str:
    if len(shown) < 2:
        return ""
    options = [
        f'<label><input type="radio" name="network" value="{i}"{" checked" if i == 0 else ""}> {escape(one_line(one.name))}</label>'
        for i, one in enumerate(shown)
    ]
    return tag("fieldset", tag("legend", "Network") + "".join(options), class_="choice")


def _comparison(comparison: Any) -> str:
    verdict = "exact" if comparison.exact else "another valid decomposition" if comparison.valid else "not exact"
    return _section(f"Against the truth: {verdict}", comparison)


def _section(heading: str, what: Any) -> str:
    return f'<h2>{escape(one_line(str(heading)))}</h2>\n<pre tabindex="0">{escape(str(what))}</pre>'


def _versions() -> list[tuple[str, str]]:
    try:
        own = [("neural-sculpting", metadata.version("neural-sculpting"))]
    except metadata.PackageNotFoundError:  # used from a folder
        own = []
    return [*own, ("Python", platform.python_version()), ("NumPy", np.__version__)]
