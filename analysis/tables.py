"""Tables as lines of text."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["table"]


def table(rows: Sequence[str], columns: Sequence[str], cells: Sequence[Sequence[str]]) -> list[str]:
    """The lines of a table, with row names at the left and right-aligned cells under column names.

    Examples
    --------
    >>> print("\\n".join(table(["a", "bb"], ["x"], [["1.0"], ["-2"]])))
          x
    a   1.0
    bb   -2
    """
    full = [["", *columns], *([name, *line] for name, line in zip(rows, cells, strict=True))]
    widths = [max(map(len, column)) for column in zip(*full, strict=True)]
    return ["  ".join([line[0].ljust(widths[0]), *map(str.rjust, line[1:], widths[1:])]).rstrip() for line in full]
