"""A folder of cells and what they made."""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..files import write_file
from ..plain import brief, plain_text, plain_value
from .contents import FILE, NAME, Cell, cell_bytes, manifest_bytes, read_cell, read_manifest
from .rows import Row
from .sharing import create_file, locked

__all__ = ["Store"]

NAMED = 3  # settings that an error names; another study differs in dozens
AGAIN = "Delete this file; the cell is then run again"


@dataclass(frozen=True)
class Store:
    """The finished cells of a study, kept in a folder.

    ``study.json`` holds the settings that all rows depend on, ``cells/NAME.json`` the arguments and the rows of a cell and the names of
    the files that it made, which lie beside, with the SHA-256 of each. Both hold the SHA-256 of their own content, so that what was
    changed later is refused. Every file is written under a temporary name and renamed; a temporary file that was left behind is not
    read. Several processes may share a folder: where two save the same cell, the later one stands.

    Folders of earlier versions have no digests and are read without. Where ``study.json`` has one, every cell must.

    Attributes
    ----------
    folder : Path
    altered : bool
        Whether cells and files that were changed after they were written are taken all the same.
    marks : dict of str to str
        What was taken all the same, by the name of its file, and why it would be refused.
    silent : set of str
        The cells among those read so far that would not show a change, since they have no digest.

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
    altered: bool = False
    marks: dict[str, str] = field(default_factory=dict, compare=False, repr=False)
    silent: set[str] = field(default_factory=set, compare=False, repr=False)
    _manifest: bytes | None = field(default=None, compare=False, repr=False)  # study.json when the folder was opened
    _signed: bool = field(default=False, compare=False, repr=False)  # whether it has a digest
    _owners: dict[str, str] = field(default_factory=dict, compare=False, repr=False)  # the cell that made a file,
    _known: set[str] = field(default_factory=set, compare=False, repr=False)  # of these cells, which were read so far

    @classmethod
    def open(cls, folder: str | Path, settings: Mapping[str, Any], *, altered: bool = False) -> Store:
        """The store in a folder, which is made when it is not there.

        Of several processes that begin in a new folder at once, one makes the study; the others compare their settings with it.

        Parameters
        ----------
        folder : str or Path
            New, empty, or of a study with the same settings.
        settings : mapping of str to plain values
            What the rows depend on and all cells have in common.
        altered : bool
            Take what was changed after it was written, and say so in ``marks``.

        Raises
        ------
        TypeError
            When the settings are no mapping of plain values.
        ValueError
            When the folder holds something else, a study that was changed, or one with other settings, which the text names.
        OSError
            When the folder cannot be read or written.
        """
        known, folder = _plain(_mapping(settings, "settings"), "settings"), Path(folder)
        path = folder / "study.json"
        if not path.exists():
            _check_new(folder)
            create_file(path, manifest_bytes(known))
        there, digest, got = read_manifest(path)
        store = cls(folder, altered, _manifest=path.read_bytes(), _signed=digest is not None)
        if digest not in (None, got):
            store._refuse("study.json", f"expected SHA-256 {digest}; got {got}", "Give another folder")
        _check_settings(folder, there, known)
        return store

    def names(self) -> set[str]:
        """The cells that are finished."""
        return {path.stem for path in (self.folder / "cells").glob("*.json") if NAME.fullmatch(path.stem)}

    def load(self, cell: str, arguments: Mapping[str, Any] | None = None) -> list[Row] | None:
        """The rows of a cell, or None when it is not finished; whatever its arguments where none are given.

        Raises
        ------
        TypeError, ValueError
            When its file is broken, was changed after it was written, or holds the rows of other arguments, or these could not be stored.
        """
        given = None if arguments is None else _plain(_mapping(arguments, f"arguments of cell {cell}"), f"arguments of cell {cell}")
        found = self._cell(cell)
        if found is None:
            return None
        if arguments is not None and found.arguments != given:
            raise ValueError(
                f"{self._path(cell)} must hold the rows of {brief(given)}; got those of {brief(found.arguments)}. "
                "Give another folder, or delete this file"
            )
        return list(found.rows)

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
            When the rows are not dicts of plain, finite values, or a file has another kind of name or content.
        OSError
            When the cell cannot be written; FileNotFoundError when the folder was deleted since it was opened.
        """
        path, files = self._path(cell), _mapping({} if files is None else files, f"files of cell {cell}")
        if not isinstance(rows, Sequence) or not all(isinstance(row, dict) for row in rows):
            raise TypeError(f"the rows of cell {cell} must be a list of dicts; got {brief(rows)}")
        given = {"arguments": _mapping(arguments, f"arguments of cell {cell}"), "rows": list(rows)}
        facts = _plain(given, f"arguments and rows of cell {cell}")
        _check_files(cell, files)
        digests = {name: hashlib.sha256(files[name]).hexdigest() for name in sorted(files)}
        with locked(self.folder):
            if any(self._digest_of(name) not in (None, digest) for name, digest in digests.items()):
                path.unlink(missing_ok=True)  # were the run killed now, the old rows would stand beside new files
            for name, content in files.items():
                self._write(name, content)
            self._write(f"cells/{path.name}", cell_bytes(cell, **facts, files=digests))
        self._own(cell, files)
        return list(facts["rows"])

    def made(self, cell: str) -> list[str] | None:
        """The names of the files that a cell made; None when it is not finished, or its files are missing.

        Raises
        ------
        ValueError
            When the cell or a file was changed after it was written.
        """
        with locked(self.folder, shared=True):
            found = self._cell(cell)
            files = None if found is None else found.files
            there = {name: self._digest_of(name) for name in files or ()}
            if files is None or None in there.values():
                return None
            for name, digest in files.items():
                self._check_digest(name, cell, digest, there[name])
            return list(files)

    def read(self, name: str, cell: str | None = None) -> bytes | None:
        """The content of a file of the study, such as ``networks/small.safetensors``; None when there is none.

        Parameters
        ----------
        name : str
        cell : str, optional
            The cell that made the file; looked up when left out.

        Raises
        ------
        TypeError, ValueError
            When the name leads out of the folder, or the file was changed after the cell made it.
        """
        path = self._inside(name)
        with locked(self.folder, shared=True):
            if not path.is_file():
                return None
            content, cell = path.read_bytes(), cell or self._owner(name)
            found = None if cell is None else self._cell(cell)
            if cell is not None and found is not None and name in (found.files or ()):
                self._check_digest(name, cell, (found.files or {})[name], hashlib.sha256(content).hexdigest())
            return content

    def write(self, name: str, content: bytes) -> Path:
        """Write a file about the study, such as a table or a picture, whole or not at all; returns its path.

        Raises
        ------
        TypeError, ValueError
            When the content is not bytes, or the name leads out of the folder or to the study's own files.
        OSError
            When it cannot be written; FileNotFoundError when the folder was deleted since it was opened.
        """
        path = self._inside(name)
        if name == "study.json" or name.startswith("cells/"):
            raise ValueError(f"a file about a study must not have the name of the study's own; got {name}")
        if not isinstance(content, bytes):
            raise TypeError(f"file {name} of a study must be bytes; got {type(content).__name__}")
        with locked(self.folder):
            self._write(name, content)
        return path

    def delete(self, name: str) -> None:
        """Delete a file about the study, if it is there."""
        self._inside(name).unlink(missing_ok=True)

    def _write(self, name: str, content: bytes) -> None:
        """Write a file; where the folder was deleted meanwhile, it does not come back."""
        self._check_there()
        path = self.folder / name
        try:
            for parent in reversed(path.relative_to(self.folder).parents[:-1]):
                (self.folder / parent).mkdir(exist_ok=True)  # fails where the study's folder has just been deleted
            write_file(path, content)
            self._check_there()
        except FileNotFoundError:
            with contextlib.suppress(OSError):  # what somebody else put there stays
                path.unlink(missing_ok=True)
                path.parent.rmdir()
                self.folder.rmdir()
            raise self._deleted() from None

    def _check_there(self) -> None:
        """Refuse to write where the study is no longer, or where another one is now."""
        if self._manifest is None:
            return
        try:
            same = (self.folder / "study.json").read_bytes() == self._manifest
        except (FileNotFoundError, NotADirectoryError):
            same = False
        if not same:
            raise self._deleted()

    def _deleted(self) -> FileNotFoundError:
        return FileNotFoundError(
            f"{self.folder} must keep its study.json while the study runs; got a folder without it, or with that of another study. "
            "It was deleted, moved or replaced: start again to compute what is missing"
        )

    def _cell(self, cell: str) -> Cell | None:
        path = self._path(cell)
        found = read_cell(path, cell)
        if found is None:
            return None
        if found.digest is None and not self._signed:
            self.silent.add(cell)
        elif found.digest is None:
            self._refuse(f"cells/{path.name}", "expected a digest, as study.json has; got none")
        elif found.digest != found.got:
            self._refuse(f"cells/{path.name}", f"expected SHA-256 {found.digest}; got {found.got}")
        self._own(cell, found.files or ())
        return found

    def _own(self, cell: str, files: Iterable[str]) -> None:
        self._known.add(cell)
        self._owners.update(dict.fromkeys(files, cell))

    def _path(self, cell: str) -> Path:
        if not isinstance(cell, str):
            raise TypeError(f"the name of a cell must be text; got {type(cell).__name__}")
        if not NAME.fullmatch(cell):
            raise ValueError(f"the name of a cell must be letters, digits and ._+=- so that it can name a file; got {brief(cell)}")
        return self.folder / "cells" / f"{cell}.json"

    def _inside(self, name: str) -> Path:
        if not isinstance(name, str):
            raise TypeError(f"the name of a file of a study must be text; got {type(name).__name__}")
        if not all(NAME.fullmatch(part) for part in name.split("/")):
            raise ValueError(f"a file of a study must be named by letters, digits and ._+=-, and folders of such names; got {brief(name)}")
        return self.folder / name

    def _owner(self, name: str) -> str | None:
        """The cell that made a file; cells that were not read yet are read for it."""
        if name not in self._owners and FILE.fullmatch(name):
            for cell in sorted(self.names() - self._known):
                self._cell(cell)
        return self._owners.get(name)

    def _digest_of(self, name: str) -> str | None:
        path = self.folder / name
        if not path.is_file():
            return None
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()

    def _check_digest(self, name: str, cell: str, expected: str, got: str | None) -> None:
        if expected not in ("", got):
            self._refuse(name, f"expected SHA-256 {expected}, as cell {cell} made it; got {got}")

    def _refuse(self, name: str, why: str, remedy: str = AGAIN) -> None:
        """Refuse what was changed, or mark it where it is to be taken all the same."""
        text = f"{self.folder / name} was changed after it was written: {why}"
        if not self.altered:
            raise ValueError(f"{text}. {remedy}, or pass altered=True to take it as it is")
        self.marks[name] = text


def _plain(value: Any, what: str) -> Any:
    """What is read back once the value was written."""
    return plain_value(plain_text(value, what))


def _mapping(value: Any, what: str) -> dict[str, Any]:
    if not isinstance(value, Mapping):
        raise TypeError(f"{what} must be a mapping of names to values; got {type(value).__name__}")
    return dict(value)


def _check_new(folder: Path) -> None:
    """Refuse a folder in which something lies that is no study."""
    if folder.exists() and not folder.is_dir():
        raise ValueError(f"{folder} must be a folder; got a file. Give another folder")
    there = sorted(p.name for p in folder.glob("*") if not p.name.startswith("."))
    if there and "study.json" not in there:  # which another process may just have made
        raise ValueError(
            f"{folder} holds no study: expected study.json or an empty folder; got {', '.join(there[:3])}. Give another folder"
        )


def _check_files(cell: str, files: Mapping[str, bytes]) -> None:
    for name, content in files.items():
        if not isinstance(name, str) or not FILE.fullmatch(name):
            raise ValueError(
                f"a file of cell {cell} must be named as folder/name.safetensors, .safetensors.xz or .json, not in cells/; "
                f"got {brief(name)}"
            )
        if not isinstance(content, bytes):
            raise TypeError(f"file {name} of cell {cell} must be bytes; got {type(content).__name__}")


def _check_settings(folder: Path, there: dict[str, Any], here: dict[str, Any]) -> None:
    names = [name for name in {**there, **here} if name not in there or name not in here or there[name] != here[name]]
    if names:
        values = ("not set" if name not in s else json.dumps(s[name]) for name in names for s in (there, here))
        text = "; ".join(f"{name} is {a} there and {b} now" for name, a, b in zip(names[:NAMED], values, values, strict=False))
        text += f"; {len(names) - NAMED} more differ" * (len(names) > NAMED)
        raise ValueError(f"{folder} holds a study with other settings: {text}. Give another folder, or delete this one to begin again")
