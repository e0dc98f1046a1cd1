"""Several processes in one folder: a file that one of them creates, and a lock while one of them writes."""

from __future__ import annotations

import contextlib
import os
import secrets
import time
from collections.abc import Iterator
from pathlib import Path

from ..files import write_file

try:
    import fcntl
except ImportError:  # Windows; processes in one folder do not wait for each other there
    fcntl = None  # type: ignore[assignment]

__all__ = ["create_file", "locked"]

PATIENCE = 60  # seconds to wait for another process that writes


def create_file(path: Path, content: bytes) -> None:
    """Write a file that is whole as soon as it is there; one that is there already is left as it is.

    Raises
    ------
    OSError
        When it cannot be written.
    """
    part = write_file(path.with_name(f".{path.name}.{secrets.token_hex(8)}"), content)
    try:
        os.link(part, path)
    except FileExistsError:
        return
    except OSError:  # a file system without links
        with contextlib.suppress(FileExistsError):
            _create_in_place(path, content)
    finally:
        part.unlink(missing_ok=True)


def _create_in_place(path: Path, content: bytes) -> None:
    with open(path, "xb") as file:
        try:
            file.write(content)
            file.flush()
        except OSError:
            path.unlink(missing_ok=True)
            raise


@contextlib.contextmanager
def locked(folder: Path, shared: bool = False) -> Iterator[None]:
    """Keep other processes waiting that lock this folder; those with ``shared`` wait for the others only.

    The lock ends with the process, however it ends. Where there is no such folder, or its file system has no locks, nobody waits.

    Raises
    ------
    TimeoutError
        When another process holds the lock for 60 s.
    """
    if fcntl is None:
        yield
        return
    try:
        place = os.open(folder, os.O_RDONLY)
    except (FileNotFoundError, NotADirectoryError):
        yield
        return
    try:
        _lock(place, fcntl.LOCK_SH if shared else fcntl.LOCK_EX, folder)
        yield
    finally:
        os.close(place)


def _lock(place: int, kind: int, folder: Path) -> None:
    end = time.monotonic() + PATIENCE
    while True:
        try:
            return fcntl.flock(place, kind | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > end:
                raise TimeoutError(
                    f"{folder} must be free to be written to; got one that another process has held for {PATIENCE} s. End that process, "
                    "or give another folder"
                ) from None
            time.sleep(0.01)
        except OSError:  # a network file system without locks
            return None
