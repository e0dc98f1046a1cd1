"""Studies that are killed, interrupted, or lose their disk: one clear error, and what was there stays whole."""

from __future__ import annotations

import errno
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any

import pytest
from test_study import CELLS, ROWS, Counted, no_report, square, stored, study

from sculpting.cli import commands, main
from sculpting.cli.ending import Signals
from sculpting.files import write_file
from sculpting.store import folder as folder_module
from sculpting.study import CellResult, Study, run

WITH_WORKERS = """
import sys, time
from sculpting.executors import workers
from sculpting.study import CellResult, Study, run

def work(x):
    time.sleep(0.02)
    return CellResult([{"x": x, "square": x * x}] * 2, {f"networks/{x}.json": b"%d" % x})

if __name__ == "__main__":
    cells = {f"cell-{i}": {"x": i} for i in range(int(sys.argv[2]))}
    with workers(2) as executor:
        run(Study(cells, work, {}, lambda rows, read: {}), sys.argv[1], executor=executor, progress=False)
"""


def begun(folder: Path, cells: int, script: Path) -> subprocess.Popen[bytes]:
    script.write_text(WITH_WORKERS)
    return subprocess.Popen([sys.executable, str(script), str(folder), str(cells)], stderr=subprocess.PIPE, start_new_session=True)


def with_file(x: int) -> CellResult:
    return CellResult(square(x), {f"networks/{x}.json": b"%d" % x})


def check_kills(tmp_path: Path, moments: int, seed: int) -> None:
    """Kill a study with two workers, once each time that some more of its cells are stored, and finish it here."""
    drawn, folder, each = random.Random(seed), tmp_path / "study", 4
    cells = {f"cell-{i}": {"x": i} for i in range(each * (moments + 1))}
    for moment in range(moments):
        with begun(folder, len(cells), tmp_path / "script.py") as process:
            end = time.monotonic() + 120
            while len(stored(folder)) < each * moment + 1 and process.poll() is None and time.monotonic() < end:
                time.sleep(0.001)
            time.sleep(drawn.uniform(0, 0.03))
            process.kill()
        assert each * moment < len(stored(folder))
    rows = run(Study(cells, with_file, {}, no_report), folder, progress=False)
    assert rows == [{"x": i, "square": i * i} for i in range(len(cells)) for _ in range(2)]
    whole = run(Study(cells, with_file, {}, no_report), tmp_path / "whole", progress=False)
    assert rows == whole
    for path in (tmp_path / "whole").rglob("*"):
        if path.is_file():
            assert (folder / path.relative_to(tmp_path / "whole")).read_bytes() == path.read_bytes()


def test_a_study_with_two_workers_is_killed_and_goes_on_to_the_same_bytes(tmp_path: Path) -> None:
    check_kills(tmp_path, 3, 0)


@pytest.mark.slow
def test_a_study_is_killed_twenty_times(tmp_path: Path) -> None:
    check_kills(tmp_path, 20, 1)


@pytest.mark.parametrize("kind", ["threads", pytest.param("processes", marks=pytest.mark.slow)])
def test_two_runs_in_one_folder_at_once_give_the_same(kind: str, tmp_path: Path) -> None:
    if kind == "processes":
        for process in [begun(tmp_path / "study", 8, tmp_path / f"script{i}.py") for i in range(2)]:
            with process:
                assert process.wait(120) == 0
    else:
        with ThreadPoolExecutor(2) as threads:
            runs = [threads.submit(run, Study(CELLS, with_file, {}, no_report), tmp_path / "study", progress=False) for _ in range(2)]
            assert [each.result() for each in runs] == [ROWS, ROWS]
    assert run(Study(CELLS, with_file, {}, no_report), tmp_path / "study", progress=False) == ROWS


# --- Disks --------------------------------------------------------------------------------------------------------------------


def test_a_full_disk_ends_a_study_at_once_and_keeps_its_cells(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(path: Path, content: bytes) -> Path:
        if path.parent.name == "cells" and len(stored(tmp_path)) == 3:
            raise OSError(errno.ENOSPC, "No space left on device", str(path))
        return write_file(path, content)

    monkeypatch.setattr(folder_module, "write_file", full)
    work = Counted()
    with pytest.raises(OSError, match=r"cell cell-\d could not be stored: .*No space left.*\. 3 of 8 cells are stored; mend this"):
        study(tmp_path, work)
    assert (len(work.calls), len(stored(tmp_path))) == (4, 3)
    monkeypatch.undo()
    assert study(tmp_path) == ROWS


def test_a_folder_that_is_deleted_ends_a_study_and_does_not_come_back(tmp_path: Path) -> None:
    folder = tmp_path / "study"

    def delete(calls: list[int]) -> None:
        if len(calls) == 3:
            shutil.rmtree(folder)

    work = Counted(delete)
    with pytest.raises(OSError, match=r"could not be stored: .*must keep its study\.json while the study runs"):
        study(folder, work)
    assert len(work.calls) == 3
    assert not folder.exists()
    with pytest.raises(FileNotFoundError, match=r"must keep its study\.json"):  # while the report is made
        run(Study(CELLS, square, {}, lambda rows, read: shutil.rmtree(folder) or {"summary.md": b""}), folder, progress=False)
    assert not folder.exists()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    study(tmp_path / "a", cells={"one": {"x": 1}})
    for folder in (tmp_path / "a" / "cells", tmp_path / "a"):
        folder.chmod(0o500)
    with pytest.raises(OSError, match="Permission denied"):
        study(tmp_path / "a")
    assert stored(tmp_path / "a") == {"one"}


def test_cells_that_were_changed_are_refused_or_named_in_a_file(tmp_path: Path) -> None:
    study(tmp_path)
    cell = tmp_path / "cells" / "cell-3.json"
    cell.write_text(cell.read_text().replace('"square": 9', '"square": 10'))
    with pytest.raises(ValueError, match=r"cell-3\.json was changed after it was written"):
        study(tmp_path)
    with pytest.warns(UserWarning, match=r"taken although changed after they were written: cells/cell-3\.json"):
        assert [row["square"] for row in study(tmp_path, altered=True) if row["x"] == 3] == [10, 10]
    assert "cells/cell-3.json" in (tmp_path / "altered.json").read_text()
    cell.unlink()
    assert study(tmp_path) == ROWS
    assert not (tmp_path / "altered.json").exists()


def test_cells_without_a_digest_are_taken_and_counted(tmp_path: Path) -> None:
    study(tmp_path)
    for name in ("study", "cells/cell-3"):
        path = tmp_path / f"{name}.json"
        lines = path.read_text().replace('"files": {},', '"files": []').splitlines()
        path.write_text("\n".join(line for line in lines if '"digest"' not in line).replace("},\n}", "}\n}").replace("{},\n}", "{}\n}"))
    with pytest.warns(UserWarning, match="1 cells of .* were written by an earlier version, without a digest"):
        assert study(tmp_path) == ROWS


# --- Workers and signals ------------------------------------------------------------------------------------------------------


class Broken(Executor):
    """An executor of which a worker is killed in its third cell."""

    def __init__(self) -> None:
        self.given = 0

    def submit(self, function: Any, /, *arguments: Any, **options: Any) -> Future[Any]:
        self.given += 1
        future: Future[Any] = Future()
        if self.given < 3:
            future.set_result(function(*arguments, **options))
        else:
            future.set_exception(BrokenProcessPool("A process in the process pool was terminated abruptly"))
        return future


def test_a_worker_that_is_killed_is_said_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    text = "a worker ended before its cell was done: it was killed, or the machine has too little memory. 2 of 8 cells are stored; "
    text += "start again to run only those that are missing"
    with pytest.raises(RuntimeError, match=text):
        study(tmp_path / "a", executor=Broken())
    assert len(stored(tmp_path / "a")) == 2
    assert study(tmp_path / "a") == ROWS

    def fake_run(_: Study, out: Path, **options: Any) -> Any:
        return run(Study(CELLS, square, {}, no_report), out, executor=Broken(), progress=False)

    monkeypatch.setattr(commands, "run", fake_run)
    assert main(["study", "boolean", "--quiet", "--out", str(tmp_path / "b")]) == 1
    shown = capsys.readouterr().err
    assert shown == f"sculpting study boolean: {text}\n"


DYING = """
import os, signal, sys
from sculpting.executors import workers
from sculpting.study import Study, run

def work(x):
    if x == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    return [{"x": x}]

if __name__ == "__main__":
    with workers(2) as executor:
        run(Study({f"cell-{i}": {"x": i} for i in range(8)}, work, {}, lambda r, f: {}), sys.argv[1], executor=executor, progress=False)
"""


@pytest.mark.slow
def test_a_worker_that_kills_itself_ends_the_study(tmp_path: Path) -> None:
    (tmp_path / "script.py").write_text(DYING)
    done = subprocess.run([sys.executable, str(tmp_path / "script.py"), str(tmp_path / "study")], capture_output=True, text=True)
    assert done.stderr.splitlines()[-1].startswith("RuntimeError: a worker ended before its cell was done")


def test_signals_end_a_command_at_once_before_it_runs_and_once_afterwards(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    ended: list[int] = []

    def end(status: int) -> None:
        ended.append(status)
        raise SystemExit(status)

    monkeypatch.setattr(os, "_exit", end)
    handler = Signals("sculpting")
    with pytest.raises(SystemExit):
        handler(signal.SIGTERM)
    assert (ended, capsys.readouterr().err) == ([143], "sculpting: stopped\n")
    handler = Signals("sculpting study")
    handler.started = True
    with pytest.raises(KeyboardInterrupt):
        handler(signal.SIGINT)
    handler(signal.SIGINT)  # while files are put away
    assert (handler.status, ended) == (130, [143])
    handler.first -= 10
    with pytest.raises(SystemExit):
        handler(signal.SIGINT)
    assert (ended, capsys.readouterr().err) == ([143, 130], "")


STUDY = ["study", "boolean", "--tasks", "both", "--groups", "1", "--jobs", "2", "--quiet", "--out"]


@pytest.mark.slow
@pytest.mark.parametrize(("seconds", "signals"), [(0.5, 1), (2, 2), (4, 1), (7, 2), (7, 1)])
def test_ctrl_c_prints_one_line_in_every_phase(seconds: float, signals: int, tmp_path: Path) -> None:
    command: Sequence[str] = [sys.executable, "-m", "sculpting", *STUDY, str(tmp_path / "study")]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, start_new_session=True) as process:
        time.sleep(seconds)
        for _ in range(signals):
            os.killpg(process.pid, signal.SIGINT)
        assert process.wait(60) == 130
        assert process.stderr is not None
        shown = process.stderr.read()
    assert shown.endswith("stopped\n")
    assert shown.count("\n") == 1
