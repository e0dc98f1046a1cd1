"""Documents from whatever holds them: a domain by name, a folder, a file, texts, a dataset on the hub."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterable, Iterator
from itertools import islice
from numbers import Integral
from pathlib import Path
from typing import Any

from .domains import DOMAINS
from .hub import HUB, hub_documents
from .text_files import Document, file_document, folder_documents, json_documents

__all__ = ["Document", "read_documents"]

SOURCES = (
    f"one of {', '.join(map(repr, DOMAINS))}, a folder of text files, a .jsonl file with one object a line, "
    f"a text file, a sequence of texts, or '{HUB}NAME' for a dataset on the Hugging Face hub"
)
SHOWN = 80  # characters of a text that was given as a path


def read_documents(source: Any, *, limit: int | None = None, key: str = "text") -> tuple[Document, ...]:
    """The documents of a source, in an order that is always the same.

    Parameters
    ----------
    source : str, Path or sequence of str or Document
        ``"python"``: the standard library of the running interpreter. ``"english"``: the topics of Python's ``help()`` and licences.
        Neither needs a download, and they share no text; a folder of such a name is ``"./python"``. A folder: each file that decodes as
        UTF-8, those in folders below included; hidden, empty and other files are left out. A ``.jsonl`` file: each line an object. Any
        other file: one document.
        ``"hf:NAME"`` or ``"hf:NAME:CONFIGURATION"``: the training split of a dataset on the Hugging Face hub, read as a stream.
    limit : int, optional
        The largest number of documents, the first ones. A dataset on the hub must have it.
    key : str
        Where an object of a ``.jsonl`` file or a row of a dataset holds its text.

    Raises
    ------
    FileNotFoundError
        When there is no such file or folder.
    ValueError
        When a source has no text, a line is no JSON object with a text under ``key``, or a text is empty.
    ImportError
        When a dataset is to be read without the package ``datasets``.

    Examples
    --------
    >>> read_documents(["Hello", "Hi"], limit=1)
    (Document(name='text 0', text='Hello'),)
    """
    if limit is not None and (not isinstance(limit, Integral) or isinstance(limit, bool) or limit < 1):
        raise ValueError(f"limit must be a whole number of at least 1, or None for all documents; got {limit!r}")
    documents = tuple(islice(_documents(source, limit, key), limit))
    if not documents:
        raise ValueError(f"{_shown(source)} must hold some text in UTF-8; got no document with any")
    return documents


def _documents(source: Any, limit: int | None, key: str) -> Iterator[Document]:
    if isinstance(source, str) and source in DOMAINS:
        if os.path.exists(source):
            warnings.warn(f"{source!r} is the domain of that name. For what is there under this name give './{source}'", stacklevel=3)
        return DOMAINS[source]()
    if isinstance(source, str) and source.startswith(HUB):
        if limit is None:
            raise ValueError(f"limit must be given for {source}, since a dataset may be larger than the memory; got None")
        return hub_documents(source, key)
    if isinstance(source, (str, Path)):
        return _of_path(source, key)
    if isinstance(source, Iterable) and not isinstance(source, (bytes, Document)):
        return (each if isinstance(each, Document) else Document(f"text {number}", each) for number, each in enumerate(source))
    raise ValueError(f"a source of documents must be {SOURCES}; got {type(source).__name__}")


def _of_path(source: str | Path, key: str) -> Iterator[Document]:
    path = Path(source)
    if os.path.isdir(source):  # Path.is_dir raises when a text is too long for a name
        return folder_documents(path)
    if not os.path.isfile(source):
        raise FileNotFoundError(f"there is no file or folder {_shown(source)}. A source of documents is {SOURCES}")
    return json_documents(path, key) if path.suffix.lower() == ".jsonl" else iter([file_document(path)])


def _shown(source: Any) -> str:
    if not isinstance(source, (str, Path)):
        return "a sequence of texts"
    text = str(source)
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}..."
