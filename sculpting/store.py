"""Results on disk, each file whole or not at all: a folder of cells, what they made, and tables of rows."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .files import write_file

__all__ = ["Row", "Store", "table_bytes", "write_rows"]

FORMAT = "neural-sculpting study"
VERSION = 1
NAME = re.compile(r"[A-Za-z0-9_+=-][A-Za-z0-9._+=-]{0,99}")
FILE = re.compile(rf"(?!cells/)[A-Za-z0-9_-]+/{NAME.pattern}\.(safetensors|safetensors\.xz|json)")  # what a cell makes beside its rows
NAMED = 3  # settings that an error names; another study differs in dozens

Row = dict[str, Any]


@dataclass(frozen=True)
class Store:
    """The finished cells of a study, kept in a folder.

    ``study.json`` holds the settings that all rows depend on, ``cells/NAME.json`` the arguments and the rows of a cell and the names of
    the files that it made, which lie beside. Every file is written under a temporary name and renamed; a temporary file that was left
    behind is not read.

    Attributes
    ----------
    folder : Path

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     store = Store.open(folder, {"steps": 60})
    ...     rows = store.save("small", {"width": 4}, [{"width": 4, "edges": 3}])
    ...     rows == Store.open(folder, {"steps": 60}).load("small", {"width": 4}), store.load("large", {"width": 8})
    (True, None)
    """

    folder: Path

    @classmethod
    def open(cls, folder: str | Path, settings: Mapping[str, Any]) -> Store:
        """The store in a folder, which is made when it is not there.

        Parameters
        ----------
        folder : str or Path
            New, empty, or of a study with the same settings.
        settings : mapping of str to plain values
            What the rows depend on and all cells have in common.

        Raises
        ------
        ValueError
            When the folder holds something else, or a study with other settings, which the text names.
        """
        store, known = cls(Path(folder)), _plain(dict(settings), "settings")
        path = store.folder / "study.json"
        if path.exists():
            _check_settings(store.folder, _stored_settings(path), known)
            return store
        if store.folder.exists() and not store.folder.is_dir():
            raise ValueError(f"{folder} must be a folder; got a file. Give another folder")
        there = sorted(p.name for p in store.folder.glob("*") if not p.name.startswith("."))
        if there:
            raise ValueError(
                f"{folder} holds no study: expected study.json or an empty folder; got {', '.join(there[:3])}. Give another folder"
            )
        _write(path, {"format": FORMAT, "version": VERSION, "settings": known})
        return store

    def names(self) -> set[str]:
        """The cells that are finished."""
        return {path.stem for path in (self.folder / "cells").glob("*.json") if NAME.fullmatch(path.stem)}

    def load(self, cell: str, arguments: Mapping[str, Any] | None = None) -> list[Row] | None:
        """The rows of a cell, or None when it is not finished; whatever its arguments where none are given.

        Raises
        ------
        ValueError
            When its file is broken, or holds the rows of other arguments, or these could not be stored.
        """
        given = arguments and _plain(dict(arguments), f"arguments of cell {cell}")
        facts = self._facts(cell)
        if facts is None:
            return None
        if arguments is not None and facts["arguments"] != given:
            raise ValueError(
                f"{self._path(cell)} must hold the rows of {dict(arguments)}; got those of {facts['arguments']}. "
                "Give another folder, or delete this file"
            )
        return list(facts["rows"])

    def save(self, cell: str, arguments: Mapping[str, Any], rows: Sequence[Row], files: Mapping[str, bytes] | None = None) -> list[Row]:
        """Keep a cell and the files that it made; returns its rows as :meth:`load` gives them: tuples have become lists.

        Parameters
        ----------
        cell : str
        arguments : mapping of str to plain values
        rows : sequence of dict
        files : mapping of str to bytes, optional
            By names such as ``networks/small.safetensors``. They are written before the rows, so that a finished cell has them.

        Raises
        ------
        TypeError, ValueError
            When the rows are not dicts of plain, finite values, or a file has another kind of name.
        """
        if not isinstance(rows, Sequence) or not all(isinstance(row, dict) for row in rows):
            raise TypeError(f"the rows of cell {cell} must be a list of dicts; got {rows!r}")
        facts = {"arguments": dict(arguments), "rows": list(rows), "files": sorted(files or {})}
        plain: list[Row] = _plain(facts, f"arguments and rows of cell {cell}")["rows"]
        for name in files or {}:
            if not FILE.fullmatch(name):
                raise ValueError(
                    f"a file of cell {cell} must be named as folder/name.safetensors, .safetensors.xz or .json, not in cells/; got {name!r}"
                )
        for name, content in (files or {}).items():
            self.write(name, content)
        _write(self._path(cell), facts)
        return plain

    def made(self, cell: str) -> list[str] | None:
        """The names of the files that a cell made; None when it is not finished, or its files are missing."""
        names: list[str] | None = (self._facts(cell) or {}).get("files")
        return None if names is None or not all((self.folder / name).is_file() for name in names) else names

    def read(self, name: str) -> bytes | None:
        """The content of a file of the study, such as ``networks/small.safetensors``; None when there is none."""
        path = self.folder / name
        return path.read_bytes() if path.is_file() else None

    def write(self, name: str, content: bytes) -> Path:
        """Write a file of the study, whole or not at all; returns its path."""
        return write_file(self.folder / name, content)

    def _facts(self, cell: str) -> dict[str, Any] | None:
        path = self._path(cell)
        try:
            facts: dict[str, Any] = json.loads(path.read_bytes())
            rows, _ = facts["rows"], facts["arguments"]
            if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
                raise TypeError("rows must be a list of dicts")
            files = facts.get("files", [])  # cells of earlier versions have none
            if not isinstance(files, list) or not all(isinstance(name, str) and FILE.fullmatch(name) for name in files):
                raise TypeError("files must be a list of names, folder/name.safetensors, .safetensors.xz or .json")
        except FileNotFoundError:
            return None
        except (ValueError, KeyError, TypeError) as error:
            raise ValueError(f"{path} is not a whole cell: {error}. Delete this file; the cell is then run again") from error
        return facts

    def _path(self, cell: str) -> Path:
        if not NAME.fullmatch(cell):
            raise ValueError(f"the name of a cell must be letters, digits and ._+=- so that it can name a file; got {cell!r}")
        return self.folder / "cells" / f"{cell}.json"


def _plain(value: Any, what: str) -> Any:
    """What is read back once the value was written."""
    return json.loads(_text(value, what))


def _text(value: Any, what: str) -> str:
    try:
        return json.dumps(value, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise type(error)(f"{what} must be texts, finite numbers, booleans, None, and lists and dicts of these; got {error}") from error


def _write(path: Path, facts: Mapping[str, Any]) -> Path:
    return write_file(path, (json.dumps(facts, indent=1) + "\n").encode())


def _stored_settings(path: Path) -> dict[str, Any]:
    try:
        facts = json.loads(path.read_bytes())
        form, version, settings = facts["format"], facts["version"], dict(facts["settings"])
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{path} is not of a study: {error}. Give another folder") from error
    if (form, version) != (FORMAT, VERSION):
        raise ValueError(f"{path} must be of format {FORMAT!r}, version {VERSION}; got {form!r}, version {version}. Give another folder")
    return settings


def _check_settings(folder: Path, there: dict[str, Any], here: dict[str, Any]) -> None:
    names = [name for name in {**there, **here} if name not in there or name not in here or there[name] != here[name]]
    if names:
        values = ("not set" if name not in s else json.dumps(s[name]) for name in names for s in (there, here))
        text = "; ".join(f"{name} is {a} there and {b} now" for name, a, b in zip(names[:NAMED], values, values, strict=False))
        text += f"; {len(names) - NAMED} more differ" * (len(names) > NAMED)
        raise ValueError(f"{folder} holds a study with other settings: {text}. Give another folder, or delete this one to begin again")


def write_rows(rows: Sequence[Row], path: str | Path) -> Path:
    """Write rows as ``.csv`` or ``.json``, whole or not at all; returns the path.

    Parameters
    ----------
    rows : sequence of dict
        At least one, all with the same keys, which are the columns. None is an empty field of a CSV file.
    path : str or Path
        The suffix decides.

    Raises
    ------
    ValueError
        When the suffix is another, there are no rows, or their keys differ.
    """
    path = Path(path)
    if path.suffix not in (".csv", ".json"):
        raise ValueError(f"path must end in .csv or .json; got {str(path)!r}")
    return write_file(path, table_bytes(rows, path.suffix))


def table_bytes(rows: Sequence[Row], suffix: str = ".csv") -> bytes:
    """The content of a ``.csv`` or ``.json`` file of rows: see :func:`write_rows`."""
    if not rows:
        raise ValueError("rows must be at least one; got none")
    for i, row in enumerate(rows):
        if list(row) != list(rows[0]):
            raise ValueError(f"rows[{i}] must have the columns of the first, {list(rows[0])}; got {list(row)}")
    if suffix == ".json":
        text = ",\n".join(_text(row, f"rows[{i}]") for i, row in enumerate(rows))
        return f"[\n{text}\n]\n".encode()
    table = io.StringIO()
    writer = csv.DictWriter(table, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return table.getvalue().encode()
