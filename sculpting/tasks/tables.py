"""Tables in files as named columns: CSV by Python alone, Parquet by pandas."""

from __future__ import annotations

import csv
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["TABLES", "read_csv", "read_parquet"]

MISSING = {"", "na", "n/a", "nan", "null"}
FLAGS = {"true": True, "false": False}


def read_csv(path: str | Path) -> dict[str, NDArray[Any]]:
    """The columns of a text file whose first line names them.

    A column is of numbers, of ``true`` and ``false``, or of text. Missing are empty cells, ``NA``, ``N/A``, ``NaN`` and ``null``: NaN in
    a column of numbers, else None. The first line shows what separates the columns: commas, semicolons, tabs or bars; with semicolons
    numbers may have decimal commas.

    Raises
    ------
    ValueError
        When the file is no text in UTF-8, columns have no names or the same, a line has another number of cells, or a column of numbers
        has some text.
    """
    try:
        with open(path, newline="", encoding="utf-8-sig") as file:
            first = file.readline()
            separator = max(",;\t|", key=first.count)
            file.seek(0)
            reader = csv.reader(file, delimiter=separator)
            lines = [(reader.line_num, cells) for cells in reader if cells]
    except (UnicodeDecodeError, csv.Error) as error:
        raise ValueError(f"{path} must be a table as text in UTF-8; got {error}") from error
    if len(lines) < 2:
        raise ValueError(f"{path} must have a line of names and at least one row; got {len(lines)} lines")
    names = [name.strip() for name in lines[0][1]]
    _check_names(names, path)
    wrong = next(((number, cells) for number, cells in lines if len(cells) != len(names)), None)
    if wrong is not None:
        raise ValueError(f"every line of {path} must have {len(names)} cells, one for each name; got {len(wrong[1])} in line {wrong[0]}")
    columns = zip(*(cells for _, cells in lines[1:]), strict=True)
    return {name: _column(cells, f"column {name!r} of {path}", separator == ";") for name, cells in zip(names, columns, strict=True)}


def read_parquet(path: str | Path) -> dict[str, NDArray[Any]]:
    """The columns of a Parquet file.

    Raises
    ------
    ImportError
        When pandas is not installed.
    ValueError
        When the file cannot be read.
    """
    try:
        import pandas
    except ImportError as error:
        raise ImportError(
            f'reading {path} needs pandas and pyarrow: pip install "neural-sculpting[parquet]". Or write the table as CSV'
        ) from error
    try:
        frame = pandas.read_parquet(path)
    except ImportError:
        raise
    except Exception as error:  # the engines of pandas have errors of their own
        raise ValueError(f"{path} must be a Parquet file; got {error}") from error
    _check_names([str(name) for name in frame.columns], path)
    return {str(name): np.asarray(column) for name, column in frame.items()}


TABLES: dict[str, Callable[[Path], dict[str, NDArray[Any]]]] = {".csv": read_csv, ".tsv": read_csv, ".parquet": read_parquet}


def _check_names(names: Sequence[str], path: str | Path) -> None:
    if "" in names:
        raise ValueError(f"every column of {path} must have a name; got none for column {names.index('') + 1}. Name it or leave it out")
    if all(_number(name, False) is not None for name in names):
        raise ValueError(f"the first line of {path} must name the columns; got numbers, {', '.join(names[:3])}. Add a line of names")
    double = next((name for name in names if names.count(name) > 1), None)
    if double is not None:
        raise ValueError(f"the columns of {path} must have different names; got {double!r} twice")


def _column(cells: Sequence[str], what: str, commas: bool) -> NDArray[Any]:
    values = [None if (cell := each.strip()).lower() in MISSING else cell for each in cells]
    known = [value for value in values if value is not None]
    if known and all(value.lower() in FLAGS for value in known):
        return np.array([value if value is None else FLAGS[value.lower()] for value in values])
    numbers = [_number(value, commas) for value in known]
    strange = [value for value, number in zip(known, numbers, strict=True) if number is None]
    if not strange:
        found = iter(numbers)
        return np.array([np.nan if value is None else next(found) for value in values])
    if 2 * len(strange) < len(known):
        raise ValueError(f"{what} must be numbers or text; got {strange[0]!r} in a column that is mostly numbers. Mend or ignore it")
    return np.array(values, dtype=object)


def _number(cell: str, commas: bool) -> int | float | None:
    for kind in (int, float):
        try:
            return kind(cell.replace(",", ".") if commas else cell)
        except ValueError:
            pass
    return None
