"""Writing of files, complete or not at all."""

from __future__ import annotations

import os
import threading
from pathlib import Path

__all__ = ["write_file"]


def write_file(path: str | Path, content: bytes) -> Path:
    """Write under a temporary name beside ``path``, then rename; missing folders are created. Returns the path."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{os.getpid()}.{threading.get_ident()}.part")
    try:
        part.write_bytes(content)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
    return path
