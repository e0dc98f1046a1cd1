"""Tables in Markdown, between marks of a page: `<!-- begin NAME -->` and `<!-- end NAME -->`, each on a line of its own."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path


def table(columns: Sequence[str], rows: Iterable[Iterable[object]]) -> list[str]:
    """The lines of a table.

    Examples
    --------
    >>> table(["a", "b"], [[1, "x"]])
    ['| a | b |', '|---|---|', '| 1 | x |']
    """
    return [_row(columns), "|---" * len(columns) + "|", *map(_row, rows)]


def wrapped(text: str) -> list[str]:
    """The lines of a paragraph, of 100 characters at most."""
    return textwrap.wrap(text, 100, break_long_words=False, break_on_hyphens=False)


def _row(cells: Iterable[object]) -> str:
    return f"| {' | '.join(map(str, cells))} |"


def filled(text: str, blocks: Mapping[str, Sequence[str]]) -> str:
    """A page with what stands between its marks replaced; marks that are not there are left out.

    Examples
    --------
    >>> filled("<!-- begin a -->\\nold\\n<!-- end a -->", {"a": ["new"], "b": ["none"]})
    '<!-- begin a -->\\n\\nnew\\n\\n<!-- end a -->'
    """
    for name, lines in blocks.items():
        block = "\n".join(["", *lines, ""])
        text = _pattern(name).sub(lambda match, block=block: f"{match[1]}{block}\n{match[3]}", text)
    return text


def kept_lines(path: Path, name: str) -> list[str]:
    """What stands between the marks of a name.

    Raises
    ------
    ValueError
        When the page has no such marks.
    """
    match = _pattern(name).search(path.read_text())
    if match is None:
        raise ValueError(f"{path.name} must have the mark {name}; got none. Run the benchmark without --again")
    return match[2].strip("\n").split("\n")


def _pattern(name: str) -> re.Pattern[str]:
    return re.compile(rf"(<!-- begin {re.escape(name)} -->\n)(.*?)(<!-- end {re.escape(name)} -->)", re.DOTALL)
