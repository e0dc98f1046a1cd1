"""Files are complete or absent, wherever they are written and whatever interrupts it."""

from __future__ import annotations

import errno
import os
import resource
import shutil
import socket
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from sculpting import files
from sculpting.files import check_file, check_folder, write_file, written_whole

posix = pytest.mark.skipif(sys.platform == "win32", reason="has other links, modes and devices")


def test_a_file_is_written_into_folders_that_are_missing(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b" / "file"
    assert write_file(path, b"one") == path
    write_file(str(path), b"two")
    assert path.read_bytes() == b"two"
    with written_whole(path) as part:
        part.write_bytes(b"three")
        assert path.read_bytes() == b"two"
    assert path.read_bytes() == b"three"
    assert [each.name for each in path.parent.iterdir()] == ["file"]


# Names


@pytest.mark.parametrize("name", ["x" * 255, "x" * 250, "é" * 127, "\N{GRINNING FACE}" * 63, ".part", "a b\n'\"<>"])
def test_names_up_to_the_limit_of_the_system_can_be_written(name: str, tmp_path: Path) -> None:
    write_file(tmp_path / name, b"old")
    write_file(tmp_path / name, b"new")
    assert [(each.name, each.read_bytes()) for each in tmp_path.iterdir()] == [(name, b"new")]


def test_a_name_that_is_too_long_is_one_clear_error(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="too long"):
        write_file(tmp_path / ("x" * 256), b"")
    with pytest.raises(ValueError, match=r"checkpoint must be in a folder that can be written to; got .*too long"):
        check_folder(tmp_path / ("x" * 256), "checkpoint")
    with pytest.raises(ValueError, match="path must hold no NUL character"):
        write_file(tmp_path / "a\0b", b"")
    assert not list(tmp_path.iterdir())


# Links, modes, devices


@posix
def test_a_link_that_was_planted_for_a_temporary_file_is_not_followed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    victim, path = tmp_path / "victim", tmp_path / "file"
    victim.write_bytes(b"precious")
    (tmp_path / f".file.{os.getpid()}.{threading.get_ident()}.part").symlink_to(victim)
    write_file(path, b"content")
    assert victim.read_bytes() == b"precious"
    monkeypatch.setattr(files.secrets, "token_hex", lambda size: "0" * 16)  # even if the name could be foreseen
    planted = tmp_path / f".file.{'0' * 16}.part"
    for write in (write_file, lambda path, _: written_whole(path).__enter__()):
        planted.symlink_to(victim)
        with pytest.raises(FileExistsError, match="file was written, which is as before"):
            write(path, b"other")
    assert (victim.read_bytes(), path.read_bytes()) == (b"precious", b"content")


@posix
def test_a_temporary_file_that_is_exchanged_for_a_link_is_not_taken(tmp_path: Path) -> None:
    victim, path = tmp_path / "victim", write_file(tmp_path / "file", b"mine")
    victim.write_bytes(b"precious")
    mode = victim.stat().st_mode
    with pytest.raises(OSError, match=r"symbolic links, while .*file was written"), written_whole(path) as part:  # noqa: PT012
        part.unlink()
        part.symlink_to(victim)
    assert (victim.read_bytes(), victim.stat().st_mode, path.read_bytes()) == (b"precious", mode, b"mine")


@posix
@pytest.mark.parametrize("before", [None, 0o640])
def test_a_writer_that_replaces_the_temporary_file_changes_no_mode(before: int | None, tmp_path: Path) -> None:
    path = write_file(tmp_path / "file", b"old")
    wanted = stat.S_IMODE(path.stat().st_mode) if before is None else before
    path.unlink() if before is None else path.chmod(before)
    with written_whole(path) as part:
        (tmp_path / "own").write_bytes(b"new")
        (tmp_path / "own").chmod(0o600)
        (tmp_path / "own").replace(part)
    assert stat.S_IMODE(path.stat().st_mode) == wanted


@posix
def test_a_symbolic_link_stays_and_its_target_is_replaced(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    for name, there in (("file", True), ("missing", False)):
        link, target = tmp_path / name, elsewhere / name
        if there:
            target.write_bytes(b"old")
        link.symlink_to(target)
        write_file(link, b"new")
        assert link.is_symlink()
        assert target.read_bytes() == b"new"
    assert sorted(each.name for each in elsewhere.iterdir()) == ["file", "missing"]
    (tmp_path / "a").symlink_to(tmp_path / "b")
    (tmp_path / "b").symlink_to(tmp_path / "a")
    with pytest.raises(OSError, match="symbolic links"):
        write_file(tmp_path / "a", b"")


@posix
@pytest.mark.parametrize("mode", [0o600, 0o640, 0o755])
def test_the_mode_of_a_file_that_is_there_is_kept(mode: int, tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"secret")
    path.chmod(mode)
    with written_whole(path) as part:
        assert stat.S_IMODE(part.stat().st_mode) == 0o600  # nobody else reads it meanwhile
        part.write_bytes(b"other secret")
    assert stat.S_IMODE(path.stat().st_mode) == mode


@posix
@pytest.mark.parametrize(("umask", "mode"), [(0o022, 0o644), (0o077, 0o600)])
def test_a_new_file_has_the_mode_that_the_user_asked_for(umask: int, mode: int, tmp_path: Path) -> None:
    code = f"import os, sys; os.umask({umask}); from sculpting.files import write_file; write_file(sys.argv[1], b'')"
    subprocess.run([sys.executable, "-c", code, str(tmp_path / "file")], check=True)
    assert stat.S_IMODE((tmp_path / "file").stat().st_mode) == mode


def no_file(kind: str, folder: Path) -> Path:
    path = folder / kind
    if kind == "fifo":
        os.mkfifo(path)
    elif kind == "socket":
        before = os.getcwd()
        os.chdir(folder)  # the path of a socket has at most 108 bytes
        with socket.socket(socket.AF_UNIX) as made:
            made.bind(kind)
        os.chdir(before)
    elif kind == "link to a device":
        path.symlink_to("/dev/null")
    else:
        return Path("/dev/full")
    return path


@posix
@pytest.mark.parametrize(
    ("kind", "text"), [("device", "a device"), ("link to a device", "a device"), ("fifo", "a pipe"), ("socket", "a socket")]
)
def test_what_is_no_file_is_refused_and_left_alone(kind: str, text: str, tmp_path: Path) -> None:
    path = no_file(kind, tmp_path)
    before = path.stat().st_ino, [*tmp_path.iterdir()]
    with pytest.raises(ValueError, match=rf"path must be that of a file; got .*, which is {text}\. Give another path"):
        write_file(path, b"content")
    with pytest.raises(ValueError, match="checkpoint must be that of a file"):
        check_file(path, "checkpoint")
    assert (path.stat().st_ino, [*tmp_path.iterdir()]) == before


def test_a_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(OSError, match=f"while {tmp_path} was written"):
        write_file(tmp_path, b"")
    with pytest.raises(ValueError, match="checkpoint must be the path of a file; got the folder"):
        check_file(tmp_path, "checkpoint")
    assert [*tmp_path.parent.glob(".*.part")] == []


# Several writers


def test_threads_that_write_one_path_leave_one_of_their_files_whole(tmp_path: Path) -> None:
    path, failed = tmp_path / "file", []

    def write(letter: bytes) -> None:
        try:
            for _ in range(20):
                write_file(path, letter * 100_000)
        except OSError as error:
            failed.append(error)

    threads = [threading.Thread(target=write, args=(bytes([65 + i]),)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    content = path.read_bytes()
    assert len(content) == 100_000
    assert len({*content}) == 1
    assert [*tmp_path.iterdir()] == [path]


def test_processes_of_one_number_write_one_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "getpid", lambda: 1)  # as in two containers
    with written_whole(tmp_path / "file") as one, written_whole(tmp_path / "file") as other:
        one.write_bytes(b"one")
        other.write_bytes(b"other")
    assert [(each.name, each.read_bytes()) for each in tmp_path.iterdir()] == [("file", b"one")]


# What a kill leaves


def test_temporary_files_that_a_kill_left_are_removed_later(tmp_path: Path) -> None:
    old, mine = time.time() - 2 * files.LEFT_AFTER, "0123456789abcdef"
    left = [f".file.{mine}.part", ".file.1234.140737.part"]
    kept = [f".other.{mine}.part", f"file.{mine}.part", ".file.notours.part", f".file.{mine}.part.gz", f".file.x.{mine}.part"]
    for name in (*left, *kept):
        (tmp_path / name).write_bytes(b"")
        os.utime(tmp_path / name, (old, old))
    folder = tmp_path / f".file.{'a' * 16}.part"
    folder.mkdir()
    (folder / ".tmp123").write_bytes(b"")
    for place in (folder / ".tmp123", folder):
        os.utime(place, (old, old))
    (tmp_path / f".file.{'f' * 16}.part").write_bytes(b"being written")
    write_file(tmp_path / "file", b"content")
    assert {each.name for each in tmp_path.iterdir()} == {*kept, f".file.{'f' * 16}.part", "file"}


def test_a_killed_writer_leaves_the_old_content(tmp_path: Path) -> None:
    path = write_file(tmp_path / "file", b"old")
    code = (
        "import os, signal, sys\n"
        "from sculpting.files import written_whole\n"
        "with written_whole(sys.argv[1]) as part:\n"
        "    part.write_bytes(b'half')\n"
        "    os.kill(os.getpid(), signal.SIGKILL)"
    )
    assert subprocess.run([sys.executable, "-c", code, str(path)], check=False).returncode == -9
    assert path.read_bytes() == b"old"
    [left] = [each for each in tmp_path.iterdir() if each != path]
    for place in (*left.iterdir(), left):
        os.utime(place, (0, 0))
    write_file(path, b"new")
    assert [each.name for each in tmp_path.iterdir()] == ["file"]


# Full disks, folders that cannot be written to or that vanish


@contextmanager
def at_most(size: int) -> Iterator[None]:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@posix
def test_a_full_disk_is_one_clear_error_and_the_old_content_stays(tmp_path: Path) -> None:
    path = write_file(tmp_path / "file", b"old")
    with at_most(1000), pytest.raises(OSError, match=r"while .*file was written, which is as before\. Make room there") as caught:
        write_file(path, b"x" * 100_000)
    assert caught.value.errno == errno.EFBIG
    assert path.read_bytes() == b"old"
    assert [*tmp_path.iterdir()] == [path]


def refuse(name: str) -> Callable[..., None]:
    def refused(*_: object, **__: object) -> None:
        raise OSError(getattr(errno, name), os.strerror(getattr(errno, name)))

    return refused


@pytest.mark.parametrize("step", ["os.open", "os.replace"])
@pytest.mark.parametrize(("name", "kind"), [("EROFS", OSError), ("EACCES", PermissionError), ("ENOSPC", OSError)])
def test_a_folder_that_cannot_be_written_to_is_one_clear_error(
    step: str, name: str, kind: type[OSError], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_file(tmp_path / "file", b"old")
    with monkeypatch.context() as patch:
        patch.setattr(step, refuse(name))
        with pytest.raises(kind, match="file was written, which is as before") as caught:
            write_file(path, b"new")
    assert caught.value.errno == getattr(errno, name)
    assert path.read_bytes() == b"old"
    assert [*tmp_path.iterdir()] == [path]


def test_a_folder_that_vanishes_is_made_again_or_one_clear_error(tmp_path: Path) -> None:
    path = write_file(tmp_path / "run" / "file", b"old")
    shutil.rmtree(path.parent)
    write_file(path, b"new")
    assert path.read_bytes() == b"new"
    with pytest.raises(FileNotFoundError, match="No such file or directory"), written_whole(path) as part:  # noqa: PT012
        part.write_bytes(b"newer")
        shutil.rmtree(path.parent)
    assert not path.parent.exists()
