"""Writing of files, complete or not at all."""

from __future__ import annotations

import os
import secrets
import stat
from pathlib import Path

__all__ = ["write_file"]


def write_file(path: str | Path, content: bytes) -> Path:
    """Write a new file beside ``path``, which it then replaces; missing folders are created. Returns the path.

    A symbolic link stays, and the file that it names is replaced. A file that is there keeps its mode.

    Raises
    ------
    ValueError
        When something other than a file is there, such as a device.
    OSError
        When the file cannot be written. What was there is then as before.
    """
    target = Path(os.path.realpath(path))
    there = target.stat().st_mode if target.exists() else None
    if there is not None and not stat.S_ISREG(there):
        raise ValueError(f"path must be that of a file; got {path}, which is a {'folder' if stat.S_ISDIR(there) else 'device or a pipe'}")
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f".{secrets.token_hex(16)}.part")  # a name that nobody can foresee, and short
    try:
        with open(part, "xb") as file:
            file.write(content)
        if there is not None:
            part.chmod(stat.S_IMODE(there))
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)
    return Path(path)
