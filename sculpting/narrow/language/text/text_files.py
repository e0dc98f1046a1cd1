"""Documents, and the files of text that they are read from."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Document", "file_document", "folder_documents", "json_documents"]

HEAD = 1024  # bytes in which a file that is not text shows a zero


@dataclass(frozen=True)
class Document:
    """A text with a name, such as its path in a folder.

    Raises
    ------
    ValueError
        When the text is empty, white space only, or has characters that UTF-8 does not write.

    Examples
    --------
    >>> Document("greeting", "Hello")
    Document(name='greeting', text='Hello')
    """

    name: str
    text: str

    def __post_init__(self) -> None:
        if not isinstance(self.text, str):
            raise ValueError(f"{self.name} must be text; got {type(self.text).__name__}")
        if not self.text.strip():
            raise ValueError(f"{self.name} must have some text; got none, or white space only. Leave it out")
        try:
            self.text.encode()
        except UnicodeEncodeError as error:
            raise ValueError(f"{self.name} must be text that UTF-8 can write; got {error}") from error


def folder_documents(folder: Path, *, suffix: str = "", without: frozenset[str] = frozenset()) -> Iterator[Document]:
    """A document for each file of text in a folder and in the folders below it, in the order of their names.

    A file is text when it decodes as UTF-8 and has no zero byte. Others are left out, as are empty and hidden files and hidden folders.

    Parameters
    ----------
    folder : Path
    suffix : str
        How the names of files must end.
    without : frozenset of str
        Names of folders that are left out, wherever they are.
    """
    for place, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith(".") and name not in without)
        for name in sorted(files):
            path = Path(place, name)
            if name.endswith(suffix) and not name.startswith(".") and path.is_file():
                text = decoded(path)
                if text is not None and text.strip():
                    yield Document(path.relative_to(folder).as_posix(), text)


def file_document(path: Path) -> Document:
    """A file of text as one document."""
    text = decoded(path)
    if text is None:
        raise ValueError(f"{path} must be text in UTF-8; got other bytes. Convert it first")
    return Document(path.name, text)


def json_documents(path: Path, key: str) -> Iterator[Document]:
    """A document for each line of a file of JSON objects, with its text under ``key``. Empty lines are left out."""
    text = decoded(path)
    if text is None:
        raise ValueError(f"{path} must be text in UTF-8; got other bytes. Convert it first")
    for number, line in enumerate(text.split("\n"), start=1):  # not splitlines: JSON may hold other line separators within a text
        if line.strip():
            where = f"line {number} of {path.name}"
            yield Document(where, _value(line, key, where))


def decoded(path: Path) -> str | None:
    """The text of a file, None where it is not text in UTF-8."""
    with path.open("rb") as file:
        head = file.read(HEAD)
        if b"\0" in head:
            return None
        try:
            return (head + file.read()).decode("utf-8-sig")
        except UnicodeDecodeError:
            return None


def _value(line: str, key: str, where: str) -> str:
    try:
        found = json.loads(line)
    except json.JSONDecodeError as error:
        raise ValueError(f"{where} must be a JSON object; got {error}") from error
    if not isinstance(found, dict):
        raise ValueError(f"{where} must be a JSON object with a text under {key!r}; got {type(found).__name__}")
    if not isinstance(found.get(key), str):
        keys = ", ".join(map(repr, found)) or "none"
        got = f"{type(found[key]).__name__} there" if key in found else f"the keys {keys}"
        raise ValueError(f"{where} must have a text under {key!r}; got {got}. Choose another key with key=")
    value: str = found[key]
    return value
