"""Two domains of text that need no download: Python and English, both from the interpreter that runs."""

from __future__ import annotations

import importlib.metadata
import re
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path

from .text_files import Document, decoded, folder_documents

__all__ = ["DOMAINS", "english_documents", "python_documents"]

TESTS = frozenset({"test", "tests", "idle_test"})
INSTALLED = frozenset({"site-packages", "dist-packages"})
LICENCE = re.compile(r"(licen[cs]e|copying|notice)", re.IGNORECASE)


def python_documents() -> Iterator[Document]:
    """The Python sources of the standard library, each file a document.

    Left out are its tests, installed packages, ``pydoc_data/topics.py``, whose texts are the English domain, and the values that were
    written when the interpreter was built, which differ from one machine to the next.

    Examples
    --------
    >>> next(python_documents()).name
    '__future__.py'
    """
    library = Path(sysconfig.get_paths()["stdlib"])
    for document in folder_documents(library, suffix=".py", without=TESTS | INSTALLED):
        if document.name != "pydoc_data/topics.py" and not document.name.startswith("_sysconfigdata"):
            yield document


def english_documents() -> Iterator[Document]:
    """The topics of Python's ``help()``, then the licences of the interpreter and of the packages installed beside it.

    They are written for people and in no file of the Python domain. Docstrings would be more text, but they are inside the Python files:
    used as English they would be a leak between the domains. Licences depend on the packages that are installed. Of texts that differ in
    white space alone the first is kept.

    Examples
    --------
    >>> next(english_documents()).name.startswith("topic ")
    True
    """
    seen = set()
    for document in (*_topics(), *_licences()):
        words = " ".join(document.text.split())
        if words not in seen:
            seen.add(words)
            yield document


DOMAINS = {"english": english_documents, "python": python_documents}


def _topics() -> Iterator[Document]:
    from pydoc_data.topics import topics

    return (Document(f"topic {name}", text) for name, text in sorted(topics.items()) if text.strip())


def _licences() -> Iterator[Document]:
    found: dict[str, Path] = {}
    for folder in (Path(sysconfig.get_paths()["stdlib"]), Path(sys.base_prefix)):
        found |= {f"licence python/{path.name}": path for path in folder.glob("LICENSE*")}
    for package in importlib.metadata.distributions():
        for file in package.files or []:
            if LICENCE.match(file.name) and any(part.endswith((".dist-info", ".egg-info")) for part in file.parts):
                found.setdefault(f"licence {file.as_posix()}", Path(str(file.locate())))
    for name, path in sorted(found.items()):
        text = decoded(path) if path.is_file() else None  # a package may list files that are gone
        if text and text.strip():
            yield Document(name, text)
