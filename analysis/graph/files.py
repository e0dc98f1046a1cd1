"""Graphs from files: GraphML, GEXF and GML as networkx reads them, checked before and after."""

from __future__ import annotations

from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import ParseError
from xml.parsers import expat

import networkx as nx

__all__ = ["GRAPH_FILES", "read_graph_file"]

MOST_BYTES = 2**28
DEEPEST = 64  # elements or lists within one another
ODD = (ParseError, nx.NetworkXException, ValueError, TypeError, LookupError, AttributeError, ArithmeticError, RecursionError)


def read_graph_file(path: str | Path) -> nx.Graph:
    """The graph of a file that ends in ``.graphml``, ``.gexf`` or ``.gml``.

    Raises
    ------
    FileNotFoundError
        When there is no such file.
    ValueError
        When the ending is another, or the file is larger than 256 MB, declares a document type, which may define entities of any size,
        or is not of the kind that its ending says.
    """
    path = Path(path)
    suffix = path.suffix.lower()
    if suffix not in GRAPH_FILES:
        raise ValueError(f"a graph file must end in one of {list(GRAPH_FILES)}; got {str(path)!r}")
    if not path.is_file():
        raise FileNotFoundError(f"there is no graph file {path}")
    if path.stat().st_size > MOST_BYTES:
        raise ValueError(f"{path} must have at most {MOST_BYTES:,} bytes; got {path.stat().st_size:,}. Give a part of the graph")
    check, read = GRAPH_FILES[suffix]
    content = path.read_bytes()
    check(content, path)
    try:
        return read(BytesIO(content))
    except ODD as error:  # those of networkx and of the parsers it calls
        raise ValueError(
            f"{path} must be a graph in {suffix[1:]}; got {type(error).__name__}: {str(error)[:200]}. Write it again"
        ) from error


def _check_xml(content: bytes, path: Path) -> None:
    """Refuse XML with a document type or too deep a nesting, before a tree is built."""
    parser = expat.ParserCreate()
    depth = 0

    def declared(*_: Any) -> None:
        raise ValueError(f"{path} must have no document type, which may define entities of any size; got one. Remove the DOCTYPE")

    def opened(*_: Any) -> None:
        nonlocal depth
        depth += 1
        if depth > DEEPEST:
            raise ValueError(f"{path} must have at most {DEEPEST} elements within one another; got more. It is no graph")

    def closed(*_: Any) -> None:
        nonlocal depth
        depth -= 1

    parser.StartDoctypeDeclHandler, parser.StartElementHandler, parser.EndElementHandler = declared, opened, closed
    try:
        parser.Parse(content, True)
    except (expat.ExpatError, LookupError) as error:  # an unknown encoding is a LookupError
        raise ValueError(f"{path} must be well-formed XML; got {error}") from error


def _check_gml(content: bytes, path: Path) -> None:
    """Refuse lists that are nested too deep, which networkx reads by recursion."""
    depth = deepest = 0
    for byte in content:
        depth += (byte == ord("[")) - (byte == ord("]"))
        deepest = max(deepest, depth)
    if deepest > DEEPEST:
        raise ValueError(f"{path} must have at most {DEEPEST} lists within one another; got {deepest}. It is no graph")


GRAPH_FILES: dict[str, tuple[Callable[[bytes, Path], None], Callable[[BytesIO], nx.Graph]]] = {
    ".graphml": (_check_xml, nx.read_graphml),
    ".gexf": (_check_xml, nx.read_gexf),
    ".gml": (_check_gml, nx.read_gml),
}
