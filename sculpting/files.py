"""Writing files so that they are complete or absent, never partial."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

__all__ = ["check_folder", "write_file", "written_whole"]


def check_folder(folder: str | Path, what: str) -> None:
    """Refuse a folder that cannot be created or written to, without creating it; ``what`` is the name of the argument."""
    whole = Path(folder).absolute()
    there = next(path for path in (whole, *whole.parents) if path.exists())
    if not there.is_dir() or not os.access(there, os.W_OK):
        raise ValueError(f"{what} must be in a folder that can be written to; got {folder}, but {there} cannot be. Give another path")


def write_file(path: str | Path, content: bytes) -> Path:
    """Write to a temporary file beside ``path``, then rename it. Missing folders are created. Returns the path."""
    with written_whole(path) as part:
        part.write_bytes(content)
    return Path(path)


@contextmanager
def written_whole(path: str | Path) -> Iterator[Path]:
    """A temporary path beside ``path`` to write to; the file there is renamed at the end, and deleted after an error."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{os.getpid()}.{threading.get_ident()}.part")
    try:
        yield part
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
