"""Writing files so that they are complete or absent, never partial."""

from __future__ import annotations

import errno
import os
import re
import secrets
import stat
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

__all__ = ["check_file", "check_folder", "write_file", "written_whole"]

HEAD = 60  # bytes of a name that its temporary files repeat, so that theirs stay below the limit of 255
LEFT_AFTER = 3600.0  # seconds after which a temporary file that nobody writes to is one that a kill left
NO_FOLLOWING = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)  # as far as the system knows them
KINDS = {stat.S_ISCHR: "a device", stat.S_ISBLK: "a device", stat.S_ISFIFO: "a pipe", stat.S_ISSOCK: "a socket"}


def check_folder(folder: str | Path, what: str) -> None:
    """Refuse a folder that cannot be created or written to, without creating it; ``what`` is the name of the argument."""
    whole = Path(folder).absolute()
    try:
        there = next(path for path in (whole, *whole.parents) if path.exists())
    except (OSError, ValueError) as error:  # a name that is too long, or that holds NUL
        raise ValueError(f"{what} must be in a folder that can be written to; got {str(folder)!r}: {error}. Give another path") from error
    if not there.is_dir() or not os.access(there, os.W_OK | os.X_OK):
        raise ValueError(f"{what} must be in a folder that can be written to; got {folder}, but {there} cannot be. Give another path")


def check_file(path: str | Path, what: str) -> None:
    """Refuse a path at which no file can be written, without creating it; ``what`` is the name of the argument.

    Raises
    ------
    ValueError
        When it is that of a folder, a device, a pipe or a socket, or its folder cannot be written to.
    """
    if Path(path).is_dir():
        raise ValueError(f"{what} must be the path of a file; got the folder {path}. Give the name of a file in it")
    check_folder(Path(path).parent, what)
    _target(Path(path), what)


def write_file(path: str | Path, content: bytes) -> Path:
    """Write to a temporary file beside ``path``, then rename it. Missing folders are created. Returns the path.

    Where ``path`` is a symbolic link, the link stays, and the file that it names is replaced. A file that is there keeps its mode.

    Raises
    ------
    ValueError
        When the path is that of a device, a pipe or a socket.
    OSError
        When the file cannot be written. What was there is then as before.
    """
    with _temporary(Path(path)) as (handle, _), open(handle, "wb", closefd=False) as file:
        file.write(content)
    return Path(path)


@contextmanager
def written_whole(path: str | Path) -> Iterator[Path]:
    """A temporary path beside ``path`` to write to; the file there is renamed at the end, and deleted after an error.

    Otherwise as :func:`write_file`.
    """
    with _temporary(Path(path)) as (_, part):
        yield part


@contextmanager
def _temporary(path: Path) -> Iterator[tuple[int, Path]]:
    """A new file beside the target of ``path``, open and by its path, which replaces the target at the end."""
    with _explained(path), ExitStack() as after:
        target = _target(path, "path")
        target.parent.mkdir(parents=True, exist_ok=True)
        _remove_left(target)
        before = target.stat().st_mode & 0o777 if target.exists() else None
        handle, part = _created(target, 0o666 if before is None else 0o600)
        after.callback(_remove, part)
        with _closed(handle):
            mode = os.fstat(handle).st_mode & 0o777 if before is None else before
            yield handle, part
        _set_mode(part, mode)
        part.replace(target)


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    """Errors of the system inside, with the path that they are about and what to do."""
    try:
        yield
    except OSError as error:
        if error.errno is None:
            raise
        text = f"{error.strerror}, while {path} was written, which is as before. Make room there, or give another path"
        raise OSError(error.errno, text, str(path)) from error


@contextmanager
def _closed(handle: int) -> Iterator[None]:
    try:
        yield
    finally:
        os.close(handle)


def _remove(part: Path) -> None:
    with suppress(OSError):  # its folder is gone, or cannot be written to any more: the error that is on its way says so
        part.unlink(missing_ok=True)


def _set_mode(part: Path, mode: int) -> None:
    """Give a temporary file its final mode; a link that was put in its place is refused.

    It is opened anew, since writers may have replaced the file: safetensors does, with one of mode 0600.
    """
    handle = os.open(part, os.O_RDONLY | NO_FOLLOWING)
    with _closed(handle):
        os.chmod(handle if os.chmod in os.supports_fd else part, mode)


def _target(path: Path, what: str) -> Path:
    """Where a path leads through symbolic links; only a file, or nothing yet, may be there."""
    if "\0" in str(path):
        raise ValueError(f"{what} must hold no NUL character; got {str(path)!r}. Give another path")
    target = Path(os.path.realpath(path))
    try:
        mode = target.lstat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        return target
    if stat.S_ISLNK(mode):  # what is left of a circle of links
        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), str(path))
    kind = next((kind for is_kind, kind in KINDS.items() if is_kind(mode)), None)
    if kind is not None:
        raise ValueError(f"{what} must be that of a file; got {path}, which is {kind}. Give another path")
    return target


def _created(target: Path, mode: int) -> tuple[int, Path]:
    """A new file with a name that nobody can foresee; one that is there is neither opened nor followed."""
    part = target.with_name(f".{_head(target)}.{secrets.token_hex(8)}.part")
    return os.open(part, os.O_RDWR | os.O_CREAT | os.O_EXCL | NO_FOLLOWING, mode), part


def _remove_left(target: Path) -> None:
    """Remove temporary files of this target that a kill left, those of earlier versions too."""
    heads = "|".join(re.escape(name) for name in (_head(target), target.name))
    ours = re.compile(rf"\.(?:{heads})\.(?:[0-9a-f]{{16}}|\d+\.\d+)\.part")
    oldest = time.time() - LEFT_AFTER
    with os.scandir(target.parent) as entries:
        for entry in entries:
            if ours.fullmatch(entry.name):
                with suppress(OSError):  # another process has removed it
                    if entry.is_file(follow_symlinks=False) and entry.stat(follow_symlinks=False).st_mtime < oldest:
                        os.unlink(entry.path)


def _head(target: Path) -> str:
    """The first bytes of a name, cut between characters."""
    return target.name.encode(errors="ignore")[:HEAD].decode(errors="ignore")
