"""Writing files so that they are complete or absent, never partial."""

from __future__ import annotations

import os
import threading
from pathlib import Path

__all__ = ["check_folder", "write_file"]


def check_folder(folder: str | Path, what: str) -> None:
    """Refuse a folder that cannot be created or written to, without creating it; ``what`` is the name of the argument."""
    whole = Path(folder).absolute()
    there = next(path for path in (whole, *whole.parents) if path.exists())
    if not there.is_dir() or not os.access(there, os.W_OK):
        raise ValueError(f"{what} must be in a folder that can be written to; got {folder}, but {there} cannot be. Give another path")


def write_file(path: str | Path, content: bytes) -> Path:
    """Write to a temporary file beside ``path``, then rename it. Missing folders are created. Returns the path."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{os.getpid()}.{threading.get_ident()}.part")
    try:
        part.write_bytes(content)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
    return path
