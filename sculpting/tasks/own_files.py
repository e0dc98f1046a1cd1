"""A file of the user as a task: the columns of a table, or the arrays x and y.

S = rows.
"""

from __future__ import annotations

import datetime
import difflib
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..surroundings import set_aside
from .columns import is_missing, is_text
from .own_data import as_task
from .tables import TABLES
from .task import Task

__all__ = ["FILES", "from_file"]

FILES = (*TABLES, ".npz")
MOST_VALUES = 100  # of a text column that becomes columns of 0 and 1: with more it is a name or a remark
MOST_CLASSES = 20  # that whole numbers from 0 on are taken for

Columns = Mapping[str, NDArray[Any]]


@set_aside()
def from_file(
    path: str | Path, *, target: str | Sequence[str] = (), ignore: Sequence[str] = (), loss: str | None = None, seed: int = 0
) -> Task:
    """The task of a file of data.

    Parameters
    ----------
    path : str or Path
        A table as ``.csv``, ``.tsv`` or, with pandas, ``.parquet``; or ``.npz`` with arrays ``x`` and ``y``.
    target : str or sequence of str
        The columns of a table to predict; all others are inputs. A target that is text, or whole numbers from 0 on with 3 to 20
        different ones, holds classes. A text column among the inputs becomes columns of 0 and 1, such as ``colour=red``.
    ignore : sequence of str
        Columns of a table that are neither.
    loss : {"bce", "ce", "mse"}, optional
        When left out, it follows from the targets. With ``"ce"`` any numbers are classes, with ``"mse"`` none are.
    seed : int
        Seed of the held-out rows.

    Raises
    ------
    ValueError
        When the file cannot be read, has no such column, or a column has missing values, dates, or text with too many values.
    ImportError
        When a Parquet file is to be read without pandas.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     path = Path(folder) / "fruit.csv"
    ...     _ = path.write_text("colour,size,price\\nred,3,1.5\\ngreen,4,2.5\\nred,6,3.5\\n")
    ...     task = from_file(path, target="price")
    >>> task.input_names, task.output_names, task.loss
    (('colour=green', 'colour=red', 'size'), ('price',), 'mse')
    """
    path, targets = Path(path), [target] if isinstance(target, str) else list(target)
    if path.suffix.lower() not in FILES:
        raise ValueError(f"a file of data must end in one of {', '.join(FILES)}; got {path}")
    if not path.is_file():
        raise FileNotFoundError(f"there is no file {path}")
    if path.suffix.lower() == ".npz":
        if targets or ignore:
            raise ValueError(f"targets and ignored columns are those of tables; got some for {path}, whose targets are its array y")
        x, y = _arrays(path)
    else:
        table = TABLES[path.suffix.lower()](path)
        _check_columns(table, targets, ignore, path)
        for name, column in table.items():
            if name not in ignore:
                _check_complete(column, f"column {name!r} of {path}")
        x = _inputs({name: column for name, column in table.items() if name not in {*targets, *ignore}}, path)
        y = _targets({name: table[name] for name in targets}, loss)
    return as_task((x, y), loss=loss, seed=seed, name=path.stem)


def _arrays(path: Path) -> tuple[Any, Any]:
    try:
        with open(path, "rb") as opened, np.load(opened, allow_pickle=False) as file:  # np.load leaves a broken file open
            found = {name.lower(): file[name] for name in file.files}
    except (ValueError, OSError, AttributeError, TypeError, EOFError, zipfile.BadZipFile) as error:
        raise ValueError(f"{path} must hold numeric arrays x and y, as np.savez writes them; got {error}") from error
    if not {"x", "y"} <= found.keys():
        raise ValueError(f"{path} must hold arrays x and y; got {', '.join(found) or 'none'}")
    return found["x"], found["y"]


def _check_columns(table: Columns, targets: Sequence[str], ignore: Sequence[str], path: Path) -> None:
    for name in (*targets, *ignore):
        if name not in table:
            near = difflib.get_close_matches(name, table, n=1)
            hint = f". Did you mean {near[0]!r}?" if near else ""
            raise ValueError(f"the columns of {path} are {', '.join(table)}; got {name!r}{hint}")
    if not targets:
        raise ValueError(f"the target must be a column of {path}, one of {', '.join(table)}; got none. Name the one to predict")
    if not table.keys() - {*targets, *ignore}:
        raise ValueError(f"{path} must have a column that is neither a target nor ignored; got none")


def _check_complete(column: NDArray[Any], what: str) -> None:
    values = column.tolist() if column.dtype.kind in "Of" else []
    missing = [row for row, value in enumerate(values, start=1) if is_missing(value)]
    if missing:
        raise ValueError(f"{what} must have no missing values; got {len(missing)}, the first in row {missing[0]}. Fill them or ignore it")


def _inputs(columns: Columns, path: Path) -> dict[str, NDArray[Any]]:
    """The inputs, text as a column of 0 and 1 for each of its values."""
    inputs: dict[str, NDArray[Any]] = {}
    for name, column in columns.items():
        if not is_text(column):
            inputs[name] = column
            continue
        values = sorted(set(column.tolist()))
        what = f"column {name!r} of {path}"
        if all(map(_is_date, values)):
            raise ValueError(f"{what} must be numbers or a choice of words; got dates. Make numbers of them, such as days, or ignore it")
        if len(values) > MOST_VALUES:
            raise ValueError(f"{what} must be numbers or at most {MOST_VALUES} different words; got {len(values)}. Group them or ignore it")
        inputs |= {f"{name}={value}": column == value for value in values}
    return inputs


def _targets(columns: Columns, loss: str | None) -> Any:
    """Classes as one array, other targets as columns with their names."""
    first = next(iter(columns.values()))
    if len(columns) > 1 or is_text(first) or loss in ("bce", "mse"):
        return columns
    values = np.unique(first)
    if loss == "ce":
        return first.astype(str)
    counted = 2 < len(values) <= MOST_CLASSES and np.array_equal(values, np.arange(len(values)))
    return first.astype(np.int64) if counted else columns


def _is_date(text: str) -> bool:
    try:
        datetime.datetime.fromisoformat(text)
    except ValueError:
        return False
    return True
