"""Files of analysis are whole, and nothing else is touched."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from analysis.files import write_file


def test_a_link_stays_and_its_file_keeps_its_mode(tmp_path: Path) -> None:
    target = tmp_path / "file.svg"
    target.write_bytes(b"before")
    target.chmod(0o600)
    (tmp_path / "link.svg").symlink_to(target)
    write_file(tmp_path / "link.svg", b"after")
    assert (tmp_path / "link.svg").is_symlink()
    assert (target.read_bytes(), target.stat().st_mode & 0o777) == (b"after", 0o600)
    assert sorted(os.listdir(tmp_path)) == ["file.svg", "link.svg"]


def test_devices_pipes_and_folders_are_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (Path("/dev/null"), tmp_path / "pipe", tmp_path):
        with pytest.raises(ValueError, match="path must be that of a file"):
            write_file(path, b"")


def test_long_names_and_many_threads(tmp_path: Path) -> None:
    name = "n" * 251 + ".svg"
    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(lambda i: write_file(tmp_path / name, bytes([i]) * 1000), range(40)))
    assert len({*(tmp_path / name).read_bytes()}) == 1
    assert os.listdir(tmp_path) == [name]


def test_what_was_there_stays_after_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"before")
    with pytest.raises(TypeError):
        write_file(tmp_path / "file", "no bytes")  # type: ignore[arg-type]
    assert (tmp_path / "file").read_bytes() == b"before"
    assert os.listdir(tmp_path) == ["file"]
