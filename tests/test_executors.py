"""Where cells run: processes that end with their study, a study that was killed, and threads of a cell."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier
from typing import Any

import pytest
import torch
from test_study import CELLS, ROWS, Counted, no_report, stored, study

from sculpting.executors import workers
from sculpting.study import Study, run, run_cell

KILLED = """
import pathlib, sys, time
from sculpting.study import Study, run

def work(x):
    log = pathlib.Path(sys.argv[2])
    log.write_text(log.read_text() + f"{x}\\n")
    if log.read_text().count("\\n") == 3:
        time.sleep(600)
    return [{"x": x, "square": x * x}] * 2

cells = {f"cell-{i}": {"x": i} for i in range(8)}
run(Study(cells, work, {}, lambda rows, read: {}), sys.argv[1], progress=False)
"""
ORPHANS = """
import os, pathlib, sys, time
from sculpting.executors import workers

def work(folder):
    (pathlib.Path(folder) / str(os.getpid())).touch()
    time.sleep(600)

if __name__ == "__main__":
    with workers(2) as executor:
        for _ in range(2):
            executor.submit(work, sys.argv[1])
"""


def until(true: Callable[[], bool]) -> bool:
    end = time.monotonic() + 60
    while not true() and time.monotonic() < end:
        time.sleep(0.02)
    return true()


def test_a_killed_study_continues_where_it_stopped(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.touch()
    with subprocess.Popen([sys.executable, "-c", KILLED, str(tmp_path / "study"), str(log)]) as process:
        assert until(lambda: log.read_text().count("\n") == 3)
        process.kill()
    begun = [int(x) for x in log.read_text().split()]
    assert stored(tmp_path / "study") == {f"cell-{x}" for x in begun[:2]}
    work = Counted()
    assert study(tmp_path / "study", work) == ROWS
    assert work.calls[0] == begun[2]
    assert set(work.calls) == set(range(8)) - set(begun[:2])


def test_one_job_is_this_process() -> None:
    with workers(1) as executor:
        assert executor is None


@pytest.mark.parametrize("jobs", [0, -1, 1.5, "two", True, 1025])
def test_jobs_are_checked(jobs: Any) -> None:
    with pytest.raises(ValueError, match="jobs must be a whole number of processes, at least 1 and at most 1024; got"), workers(jobs):
        pass


def place(x: int) -> list[dict[str, int]]:
    return [{"x": x, "process": os.getpid(), "threads": torch.get_num_threads()}]


@pytest.mark.slow
def test_jobs_are_processes_on_one_thread_each(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    with workers(2) as executor:
        rows = run(Study(CELLS, place, {}, no_report), tmp_path, executor=executor, progress=False)
    assert [row["x"] for row in rows] == list(range(8))
    assert {row["threads"] for row in rows} == {1}
    assert os.getpid() not in {row["process"] for row in rows}


@pytest.mark.slow
def test_workers_end_with_a_killed_study(tmp_path: Path) -> None:
    (tmp_path / "script.py").write_text(ORPHANS)
    (tmp_path / "pids").mkdir()
    with subprocess.Popen([sys.executable, str(tmp_path / "script.py"), str(tmp_path / "pids")]) as process:
        assert until(lambda: len(list((tmp_path / "pids").iterdir())) == 2)
        process.kill()
    assert until(lambda: not any(alive(int(path.name)) for path in (tmp_path / "pids").iterdir()))


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def threads_of(x: int) -> list[dict[str, int]]:
    if x == 3:
        raise KeyError(x)
    return [{"x": x, "threads": torch.get_num_threads()}]


def test_a_cell_has_one_thread_and_this_process_its_threads_again() -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        assert run_cell(threads_of, {"x": 1}, None).rows == [{"x": 1, "threads": 1}]
        assert torch.get_num_threads() == 2
        with pytest.raises(KeyError):
            run_cell(threads_of, {"x": 3}, None)
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


def test_cells_in_threads_have_one_thread_each_and_this_process_its_threads_again() -> None:
    inside = Barrier(2)

    def wait_for_the_other(x: int) -> list[dict[str, int]]:
        inside.wait(10)
        if x:
            time.sleep(0.05)  # ends last
        return [{"x": x, "threads": torch.get_num_threads()}]

    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        with ThreadPoolExecutor(2) as executor:
            for result in executor.map(lambda x: run_cell(wait_for_the_other, {"x": x}, None), range(2)):
                assert result.rows[0]["threads"] == 1
        assert torch.get_num_threads() == 2
        assert run_cell(threads_of, {"x": 1}, None).rows == [{"x": 1, "threads": 1}]
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)
