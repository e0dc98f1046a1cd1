"""The picture of a hierarchy, on axes and in a file."""

from __future__ import annotations

from collections.abc import Mapping
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..files import write_file
from ..hierarchy import VIEWS, Hierarchy, check_hierarchy
from ..layout.collapsing import check_marks
from ..texts import checked_title
from .dot import render_dot, to_dot
from .encoding import picture_bytes
from .images import PixelMap, pixel_maps
from .native import paint

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["check_collapse", "draw"]

PICTURES = (".svg", ".pdf", ".png")
SUFFIXES = {"native": (*PICTURES, ".html", ".dot"), "graphviz": (*PICTURES, ".dot")}


def draw(
    hierarchy: Hierarchy,
    path: str | Path | None = None,
    *,
    ax: Axes | None = None,
    engine: str = "native",
    title: str | None = None,
    image: tuple[int, int] | None = None,
    collapse: bool | None = None,
) -> Axes | None:
    """Draw a hierarchy and return the axes; if a path is given, also write a file.

    Parameters
    ----------
    hierarchy : Hierarchy
        From :func:`detect_modules` or :func:`consensus`.
    path : str or Path, optional
        The file to write. The suffix selects the format: ``.svg``, ``.pdf``, ``.png``, ``.html`` (a report with the picture) or ``.dot``.
    ax : matplotlib Axes, optional
        The axes to draw on; line widths and texts scale with their size. A new figure when left out.
    engine : {"native", "graphviz"}
        The program for layout and drawing. ``"graphviz"`` needs the program ``dot`` for all formats but ``.dot``.
    title : str, optional
        Above the picture.
    image : (int, int), optional
        Height and width of the image, if the inputs are its pixels, row by row from the top left. The pixels of a module are then drawn as
        a map of the image instead of one circle each; see the notes. Not available with ``engine="graphviz"`` or ``.dot``.
    collapse : bool, optional
        Whether to draw the units of one module in one layer as one mark with their number; see the notes. When left out, this is done
        for more than 150 units or 600 edges of modules, or 60 modules; elsewhere only outputs that read nothing are one mark, where there
        are several. False draws each unit. ``engine="graphviz"`` and ``.dot`` have each unit.

    Returns
    -------
    matplotlib Axes, or None with ``engine="graphviz"``

    Raises
    ------
    TypeError
        When ``hierarchy`` is not a hierarchy, ``ax`` not axes, ``path`` no path, or ``title`` not a string.
    ValueError
        When the suffix or engine is unknown, ``engine="graphviz"`` is used without a path or with an ``ax``, ``image`` does not have one
        pixel for each input or is used with Graphviz, ``collapse=True`` is used with Graphviz, or there are more than 1,500 units or
        groups of units, 300,000 pairs of them in neighbouring layers, 10,000 edges or 300 modules to draw.
    RuntimeError
        When ``engine="graphviz"`` does not find the program ``dot``.

    Warns
    -----
    UserWarning
        When a name or the title has letters that no installed font has.

    Notes
    -----
    The shade of a pixel p in a map is its summed weight ``s(p) = sum over u of |w(p, u)|``, over all units u of modules that read it,
    divided by the largest ``s`` of all pixels of the network. Shades can be compared within a picture, not between pictures. Pixels of
    other modules, removed pixels and pixels that no unit reads are blank.

    The width of a line from a map to a unit u is the sum of ``|w(p, u)|`` over the pixels of the map. The line has the colour of the
    module, since it combines weights of both signs. If more than eight modules have pixels, the eight with the most pixels get a map, and
    a note in the picture names what is left out.

    In a :class:`UnitGraph` a row is a layer, or several of the same depth. Its caption leaves out what all names of layers begin with, and
    says what the units are; an SVG has the whole names as a title. Gates, such as heads of attention, are squares with their number. A
    channel whose layer has ``images`` shows its kernel, blue where it is positive and orange where it is negative, the deeper the larger
    in its layer. Edges without a weight are dashed: products of two units, gates, and units that are mixed by a rotation. Edges that
    carry units on are grey rails.

    Groups of units are pills with the number of units. The width of a line between two groups is the sum of |weight| over the edges, and
    its colour that of the module that it leaves. Pixels that maps show do not count as units, and a line from a map counts as one edge;
    edges that carry units on do not count.

    Of more than 24 modules the 24 with the most units are shown (of equal ones those with the most edges), in deep networks fewer, so that
    there are at most 300 groups. The units of the others are grey groups, one in each layer: the rest. Of the links between groups the 150
    strongest are drawn, and of each group the strongest that enters it and that leaves it. Lines in the picture say what is drawn together
    and what is left out.

    Of names longer than 28 characters the middle is left out; an SVG has the whole name as a title, which its viewer shows under the
    pointer. Letters that the usual font lacks are drawn in an installed font that has them.

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
    check_hierarchy(hierarchy)
    suffix, title = _check(path, ax, engine), checked_title(title)
    maps = _maps(hierarchy, path, engine, image)
    check_collapse(collapse, suffix, engine)
    if engine == "graphviz":
        assert path is not None
        if suffix != ".dot":
            check_marks(hierarchy)
        content = to_dot(hierarchy, title).source.encode() if suffix == ".dot" else render_dot(hierarchy, suffix[1:], title)
        write_file(path, content)
        return None
    ax = paint(hierarchy, ax, title, maps, collapse)
    if path is not None:
        write_file(path, _content(hierarchy, ax, suffix, title, {"image": image, "collapse": collapse}))
    return ax


def _check(path: str | Path | None, ax: Axes | None, engine: str) -> str:
    if not isinstance(engine, str) or engine not in SUFFIXES:
        raise ValueError(f"engine must be one of {list(SUFFIXES)}; got {engine!r}")
    if engine == "graphviz" and (path is None or ax is not None):
        raise ValueError(
            f'engine="graphviz" must have a path to write to and no ax; got path={path!r} and {"an" if ax is not None else "no"} ax. '
            'Use engine="native" to draw on axes'
        )
    if ax is not None and not hasattr(ax, "add_patch"):
        raise TypeError(f"ax must be matplotlib Axes; got {type(ax).__name__}")
    if path is not None and not isinstance(path, (str, PathLike)):
        raise TypeError(f"path must be a path, or None; got {type(path).__name__}")
    suffix = Path(path).suffix.lower() if path is not None else ""
    if path is not None and suffix not in SUFFIXES[engine]:
        raise ValueError(f"path must end in one of {list(SUFFIXES[engine])} with engine={engine!r}; got {str(path)!r}")
    return suffix


def _maps(hierarchy: Hierarchy, path: str | Path | None, engine: str, image: tuple[int, int] | None) -> tuple[PixelMap, ...]:
    if image is None:
        return ()
    if engine == "graphviz" or Path(path or "").suffix.lower() == ".dot":
        raise ValueError(
            f'image must go with engine="native" and no ".dot" file, since Graphviz draws no maps of pixels; '
            f"got image={image!r}, engine={engine!r} and path={str(path)!r}. Leave image out to draw each input as a unit"
        )
    return pixel_maps(hierarchy, image)


def check_collapse(collapse: bool | None, suffix: str = "", engine: str = "native") -> None:
    """Refuse groups of units where Graphviz draws, and a ``collapse`` that is no truth value."""
    if not (collapse is None or isinstance(collapse, bool)):
        raise ValueError(f"collapse must be True, False or None; got {collapse!r}")
    if collapse and (engine == "graphviz" or suffix == ".dot"):
        raise ValueError(
            f'collapse=True must go with engine="native" and no ".dot" file; got engine={engine!r} and a path that ends in {suffix!r}. '
            "Leave collapse out to draw each unit"
        )


def _content(hierarchy: Hierarchy, ax: Axes, suffix: str, title: str | None, options: Mapping[str, Any]) -> bytes:
    if suffix == ".html":
        report: str = VIEWS["page"](hierarchy, title=title or "Modules and hierarchy", **options)
        return report.encode()
    if suffix == ".dot":
        return to_dot(hierarchy, title).source.encode()
    return picture_bytes(ax, suffix[1:])
