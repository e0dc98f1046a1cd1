"""Tables of rows as CSV and JSON."""

from __future__ import annotations

import contextlib
import csv
import io
from collections.abc import Iterable, Sequence
from numbers import Number
from pathlib import Path
from typing import Any

from ..files import write_file
from ..plain import brief, plain_text

__all__ = ["Row", "table_bytes", "write_rows"]

FORMULAS = ("=", "+", "-", "@", "\t", "\r")  # a spreadsheet takes a text that begins so as a formula

Row = dict[str, Any]


def write_rows(rows: Sequence[Row], path: str | Path) -> Path:
    """Write rows as ``.csv`` or ``.json``, whole or not at all; returns the path.

    Parameters
    ----------
    rows : sequence of dict
        At least one, all with the same keys, which are the columns. None is an empty field of a CSV file. A text that a spreadsheet would
        take as a formula, since it begins with ``=``, ``+``, ``-``, ``@``, a tab or a carriage return and is no number, stands in a CSV
        file behind an apostrophe.
    path : str or Path
        The suffix decides.

    Raises
    ------
    TypeError
        When the rows are no list of dicts, or hold values that JSON has not.
    ValueError
        When the suffix is another, there are no rows, or their keys differ.
    OSError
        When the file cannot be written.
    """
    path = Path(path)
    if path.suffix not in (".csv", ".json"):
        raise ValueError(f"path must end in .csv or .json; got {str(path)!r}")
    return write_file(path, table_bytes(rows, path.suffix))


def table_bytes(rows: Sequence[Row], suffix: str = ".csv") -> bytes:
    """The content of a ``.csv`` or ``.json`` file of rows: see :func:`write_rows`."""
    if not isinstance(rows, Sequence) or not all(isinstance(row, dict) for row in rows):
        raise TypeError(f"rows must be a list of dicts; got {brief(rows)}")
    if not rows:
        raise ValueError("rows must be at least one; got none")
    for i, row in enumerate(rows):
        if list(row) != list(rows[0]):
            raise ValueError(f"rows[{i}] must have the columns of the first, {list(rows[0])}; got {list(row)}")
    if suffix == ".json":
        text = ",\n".join(plain_text(row, f"rows[{i}]") for i, row in enumerate(rows))
        return f"[\n{text}\n]\n".encode()
    lines = [_csv_line(rows[0]), *(_csv_line(row.values()) for row in rows)]
    return "".join(lines).encode(errors="backslashreplace")  # half a surrogate pair has no UTF-8


def _csv_line(values: Iterable[Any]) -> str:
    line = io.StringIO()
    csv.writer(line, lineterminator="\r\n").writerow([_harmless(value) for value in values])  # quotes what has either of these
    return f"{line.getvalue()[:-2]}\n"


def _harmless(value: Any) -> Any:
    """A text that no spreadsheet takes as a formula; numbers and None as they are."""
    if value is None or isinstance(value, Number):
        return value
    value = _shown(value)
    if not value.startswith(FORMULAS):
        return value
    with contextlib.suppress(ValueError):
        float(value)
        return value
    return f"'{value}"


def _shown(value: Any) -> str:
    try:
        return str(value)
    except Exception as error:  # of the value's own class, or RecursionError of lists in lists
        raise TypeError(f"values of a table must be texts, numbers or None; got one of {type(value).__name__} that has no text") from error
