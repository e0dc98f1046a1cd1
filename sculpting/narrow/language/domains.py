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
    used as English they would be a leak between the domains. The licences depend on the packages that are installed; of licences that
    differ in white space alone the first is kept.

    Examples
    --------
    >>> next(english_documents()).name.startswith("topic ")
    True
    """
    from pydoc_data.topics import topics

    yield from (Document(f"topic {name}", text) for name, text in sorted(topics.items()))
    seen = set()
    for name, path in _licences():
        text = decoded(path) if path.is_file() else None
        words = tuple(text.split()) if text else ()
        if text and words and words not in seen:
            seen.add(words)
            yield Document(name, text)


DOMAINS = {"english": english_documents, "python": python_documents}


def _licences() -> Iterator[tuple[str, Path]]:
    """Names and paths of licences; some paths may no longer exist."""
    for folder in (Path(sysconfig.get_paths()["stdlib"]), Path(sys.base_prefix)):
        yield from ((f"licence python/{path.name}", path) for path in sorted(folder.glob("LICENSE*")))
    found: dict[str, Path] = {}
    for package in importlib.metadata.distributions():
        for path in package.files or []:
            if LICENCE.match(path.name) and any(part.endswith((".dist-info", ".egg-info")) for part in path.parts):
                found.setdefault(f"licence {path.as_posix()}", Path(str(path.locate())))
    yield from sorted(found.items())
