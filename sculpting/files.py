"""Writing files so that they are complete or absent, never partial."""

from __future__ import annotations

import errno
import os
import re
import secrets
import shutil
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
    with _replaced(Path(path)) as part, open(part, "wb", opener=_opened) as file:
        file.write(content)
    return Path(path)


@contextmanager
def written_whole(path: str | Path) -> Iterator[Path]:
    """A temporary path beside ``path`` to write to; the file there is renamed at the end, and deleted after an error.

    Otherwise as :func:`write_file`. It is in a folder of its own, since writers such as that of safetensors make temporary files, too.
    """
    with _replaced(Path(path), private=True) as part:
        yield part


@contextmanager
def _replaced(path: Path, *, private: bool = False) -> Iterator[Path]:
    """A new file beside the target of ``path``, which it replaces at the end; ``private`` where it is in a folder of its own."""
    with _explained(path), ExitStack() as after:
        target = _target(path, "path")
        target.parent.mkdir(parents=True, exist_ok=True)
        _remove_left(target)
        part = target.with_name(f".{_head(target)}.{secrets.token_hex(8)}.part")  # nobody can foresee it
        after.callback(_remove, part)
        if private:
            part.mkdir(mode=0o700)
            part /= "content"
        mode = target.stat().st_mode & 0o777 if target.exists() else None
        os.close(_opened(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666 if mode is None else 0o600))
        mode = part.stat().st_mode & 0o777 if mode is None else mode
        yield part
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


def _remove(part: Path) -> None:
    """Remove a temporary file or folder; where that fails, the error that is on its way says so."""
    if part.is_dir() and not part.is_symlink():
        shutil.rmtree(part, ignore_errors=True)
        return
    with suppress(OSError):
        part.unlink(missing_ok=True)


def _set_mode(part: Path, mode: int) -> None:
    """Give a temporary file its final mode, which its writer may have changed; a link that was put in its place is refused."""
    handle = _opened(part, os.O_RDONLY)
    try:
        os.chmod(handle if os.chmod in os.supports_fd else part, mode)
    finally:
        os.close(handle)


def _opened(path: str | Path, flags: int, mode: int = 0o666) -> int:
    """A file that is opened, but for a link."""
    return os.open(path, flags | NO_FOLLOWING, mode)


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


def _remove_left(target: Path) -> None:
    """Remove temporary files of this target that a kill left, those of earlier versions too."""
    heads = "|".join(re.escape(name) for name in (_head(target), target.name))
    ours = re.compile(rf"\.(?:{heads})\.(?:[0-9a-f]{{16}}|\d+\.\d+)\.part")
    oldest = time.time() - LEFT_AFTER
    with os.scandir(target.parent) as entries:
        for entry in entries:
            if ours.fullmatch(entry.name):
                with suppress(OSError):  # another process has removed it
                    inside = [*Path(entry.path).iterdir()] if entry.is_dir(follow_symlinks=False) else []
                    if all(each.lstat().st_mtime < oldest for each in (Path(entry.path), *inside)):
                        _remove(Path(entry.path))


def _head(target: Path) -> str:
    """The first bytes of a name, cut between characters."""
    return target.name.encode(errors="ignore")[:HEAD].decode(errors="ignore")
