"""Pictures of a hierarchy: modules as coloured regions, units as circles, edges by weight and sign."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ..files import write_file
from ..hierarchy import Hierarchy
from .dot import render_dot, to_dot
from .encoding import picture_bytes
from .native import paint

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["draw"]

PICTURES = (".svg", ".pdf", ".png")
SUFFIXES = {"native": (*PICTURES, ".html", ".dot"), "graphviz": (*PICTURES, ".dot")}


def draw(
    hierarchy: Hierarchy,
    path: str | Path | None = None,
    *,
    ax: Axes | None = None,
    engine: str = "native",
    title: str | None = None,
) -> Axes | None:
    """Draw a hierarchy; returns the axes, and writes a file where a path is given.

    Parameters
    ----------
    hierarchy : Hierarchy
        What :func:`detect_modules` or :func:`consensus` found, or a ground truth.
    path : str or Path, optional
        Where to write; the suffix decides: ``.svg``, ``.pdf``, ``.png``, ``.html`` (a report with the picture) or ``.dot``.
    ax : matplotlib Axes, optional
        Draw here; line widths and texts shrink with the room. A new figure when left out.
    engine : {"native", "graphviz"}
        What arranges and draws. ``"graphviz"`` needs the program ``dot`` for all but ``.dot``.
    title : str, optional
        Stands above the picture.

    Returns
    -------
    matplotlib Axes, or None with ``engine="graphviz"``, which draws on no axes

    Raises
    ------
    ValueError
        When the suffix or engine is unknown, or ``engine="graphviz"`` gets no path, or an ``ax``.
    RuntimeError
        When ``engine="graphviz"`` finds no ``dot``.

    Examples
    --------
    >>> import numpy as np
    >>> from analysis import Hierarchy, LayeredGraph
    >>> graph = LayeredGraph.from_weights([[[1.0, -1.0]], [[1.0]]])
    >>> labels = (np.array([0, 0]), np.array([0]), np.array([1]))
    >>> ax = draw(Hierarchy(graph, labels, labels), title="a XOR b")
    >>> [text.get_text() for text in ax.texts][:2]
    ['M0', 'M1']
    """
    suffix = _check(path, ax, engine)
    if engine == "graphviz":
        assert path is not None
        content = to_dot(hierarchy, title).source.encode() if suffix == ".dot" else render_dot(hierarchy, suffix[1:], title)
        write_file(path, content)
        return None
    ax = paint(hierarchy, ax, title)
    if path is not None:
        write_file(path, _content(hierarchy, ax, suffix, title))
    return ax


def _check(path: str | Path | None, ax: Axes | None, engine: str) -> str:
    if engine not in SUFFIXES:
        raise ValueError(f"engine must be one of {list(SUFFIXES)}; got {engine!r}")
    if engine == "graphviz" and (path is None or ax is not None):
        raise ValueError(
            f'engine="graphviz" must have a path to write to and no ax; got path={path!r} and {"an" if ax is not None else "no"} ax. '
            'Use engine="native" to draw on axes'
        )
    suffix = Path(path).suffix.lower() if path is not None else ""
    if path is not None and suffix not in SUFFIXES[engine]:
        raise ValueError(f"path must end in one of {list(SUFFIXES[engine])} with engine={engine!r}; got {str(path)!r}")
    return suffix


def _content(hierarchy: Hierarchy, ax: Axes, suffix: str, title: str | None) -> bytes:
    if suffix == ".html":
        from ..report import report_html  # the report draws, so it imports this module

        return report_html(hierarchy, title=title or "Modules and hierarchy").encode()
    if suffix == ".dot":
        return to_dot(hierarchy, title).source.encode()
    return picture_bytes(ax, suffix[1:])
