"""Studies that are stopped, killed and started again; the order of rows; what fails, and what it says."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event
from typing import Any

import pytest
import torch

from sculpting.study import run_study, workers

CELLS = {f"cell-{i}": {"x": i} for i in range(8)}
ROWS = [{"x": i, "square": i * i} for i in range(8) for _ in range(2)]


def square(x: int) -> list[dict[str, int]]:
    return [{"x": x, "square": x * x}] * 2


class Counted:
    """Squares, but for what happens before a call; ``calls`` has the arguments in the order in which cells were begun."""

    def __init__(self, before: Callable[[list[int]], None] = lambda calls: None) -> None:
        self.calls: list[int] = []
        self.before = before

    def __call__(self, x: int) -> list[dict[str, int]]:
        self.calls.append(x)
        self.before(self.calls)
        return square(x)


def third(error: BaseException) -> Callable[[list[int]], None]:
    def before(calls: list[int]) -> None:
        if len(calls) == 3:
            raise error

    return before


def study(folder: Path, work: Any = square, **options: Any) -> list[dict[str, Any]]:
    return run_study(CELLS, work, folder, **{"settings": {}, "progress": False, **options})


def stored(folder: Path) -> set[str]:
    return {path.stem for path in (folder / "cells").glob("*.json")}


def test_rows_come_in_the_order_of_the_cells_which_are_begun_in_another(tmp_path: Path) -> None:
    first, second = Counted(), Counted()
    assert study(tmp_path / "a", first) == ROWS
    assert sorted(first.calls) == list(range(8))
    assert first.calls != list(range(8))
    reverse = {name: CELLS[name] for name in reversed(CELLS)}
    assert run_study(reverse, second, tmp_path / "b", settings={}, progress=False) == ROWS[::-1]
    assert second.calls == first.calls


def test_a_finished_study_is_not_run_again(tmp_path: Path) -> None:
    study(tmp_path)
    work = Counted()
    assert study(tmp_path, work) == ROWS
    assert work.calls == []


def test_work_may_change_what_it_is_given(tmp_path: Path) -> None:
    def work(x: list[int]) -> list[dict[str, int]]:
        x.append(1)
        return [{"length": len(x)}]

    for _ in range(2):
        assert run_study({"one": {"x": []}}, work, tmp_path, settings={}, progress=False) == [{"length": 1}]


def test_a_larger_grid_adds_to_a_smaller_one(tmp_path: Path) -> None:
    part = {name: CELLS[name] for name in ("cell-5", "cell-2")}
    assert [row["x"] for row in run_study(part, square, tmp_path, settings={}, progress=False)] == [5, 5, 2, 2]
    work = Counted()
    assert study(tmp_path, work) == ROWS
    assert sorted(work.calls) == [0, 1, 3, 4, 6, 7]


def test_cells_that_an_earlier_call_left_are_handed_over_where_that_is_asked_for(tmp_path: Path) -> None:
    first, second = {"b": {"x": 2}, "c": {"x": 3}}, {"a": {"x": 1}, "c": {"x": 3}}
    run_study(first, square, tmp_path, settings={}, progress=False)
    rows = run_study(second, square, tmp_path, settings={}, progress=False, others=True)
    assert [row["x"] for row in rows] == [1, 1, 3, 3, 2, 2]
    assert [row["x"] for row in run_study(second, square, tmp_path, settings={}, progress=False)] == [1, 1, 3, 3]


def test_a_cell_that_fails_is_named_and_loses_no_other(tmp_path: Path) -> None:
    work = Counted(third(ZeroDivisionError("no weights")))
    with pytest.raises(
        RuntimeError, match=r"cell cell-\d failed: ZeroDivisionError: no weights\. 7 of 8 cells are stored; start again"
    ) as told:
        study(tmp_path, work)
    failed = f"cell-{work.calls[2]}"
    assert failed in str(told.value)
    assert isinstance(told.value.__cause__, ZeroDivisionError)
    assert stored(tmp_path) == CELLS.keys() - {failed}
    again = Counted()
    assert study(tmp_path, again) == ROWS
    assert again.calls == [work.calls[2]]


def test_many_that_fail_are_counted(tmp_path: Path) -> None:
    def work(x: int) -> Any:
        return square(x) if x < 2 else None

    with pytest.raises(RuntimeError, match=r"failed: TypeError: .* \(also cell-\d, cell-\d, cell-\d and more\)\. 2 of 8 cells are stored"):
        study(tmp_path, work)
    assert stored(tmp_path) == {"cell-0", "cell-1"}


def test_an_interrupt_keeps_what_was_done(tmp_path: Path) -> None:
    work = Counted(third(KeyboardInterrupt()))
    with pytest.raises(KeyboardInterrupt):
        study(tmp_path, work)
    assert stored(tmp_path) == {f"cell-{x}" for x in work.calls[:2]}
    again = Counted()
    assert study(tmp_path, again) == ROWS
    assert again.calls[0] == work.calls[2]
    assert sorted(again.calls + work.calls[:2]) == list(range(8))


def test_cells_are_stored_as_soon_as_they_end(tmp_path: Path) -> None:
    counts = []
    study(tmp_path, Counted(lambda calls: counts.append(len(stored(tmp_path)))))
    assert counts == list(range(8))


def test_with_an_executor_cells_are_stored_as_they_end_and_rows_keep_their_order(tmp_path: Path) -> None:
    ended: list[int] = []
    gates = {x: Event() for x in range(8)}

    def work(x: int) -> list[dict[str, int]]:
        assert gates[x].wait(10)
        ended.append(x)
        return square(x)

    def next_one(done: int, total: int) -> None:
        if done < total:
            gates[7 - done].set()

    with ThreadPoolExecutor(8) as executor:
        assert study(tmp_path, work, executor=executor, progress=next_one) == ROWS
    assert ended == list(range(7, -1, -1))


def test_with_an_executor_a_failure_loses_no_other_cell(tmp_path: Path) -> None:
    def work(x: int) -> list[dict[str, int]]:
        return square(x if x != 3 else int("three"))

    with ThreadPoolExecutor(2) as executor, pytest.raises(RuntimeError, match="cell cell-3 failed: ValueError: invalid literal"):
        study(tmp_path, work, executor=executor)
    assert stored(tmp_path) == CELLS.keys() - {"cell-3"}


def test_an_interrupt_cancels_what_has_not_begun(tmp_path: Path) -> None:
    second, stopped = Event(), Event()

    def before(calls: list[int]) -> None:
        if len(calls) == 2:
            second.set()
            assert stopped.wait(30)

    def stop(done: int, total: int) -> None:
        if done == 1:
            assert second.wait(30)
            raise KeyboardInterrupt

    work = Counted(before)
    with ThreadPoolExecutor(1) as executor:
        with pytest.raises(KeyboardInterrupt):
            study(tmp_path, work, executor=executor, progress=stop)
        stopped.set()
    assert len(work.calls) == 2
    assert stored(tmp_path) == {f"cell-{work.calls[0]}"}


def test_progress_tells_of_cells_that_are_done(tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    with pytest.raises(KeyboardInterrupt):
        study(tmp_path, Counted(third(KeyboardInterrupt())), progress=lambda *counts: told.append(counts))
    assert told == [(0, 8), (1, 8), (2, 8)]
    told.clear()
    study(tmp_path, progress=lambda *counts: told.append(counts))
    assert told == [(done, 8) for done in range(2, 9)]


def test_the_bar_counts_cells_and_failures(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(RuntimeError):
        study(tmp_path, Counted(third(ValueError("no"))), progress=True)
    told = capsys.readouterr()
    assert "8/8" in told.err
    assert "failed=1" in told.err
    assert told.out == ""
    study(tmp_path, progress=True)
    told = capsys.readouterr()
    assert "7/8" in told.err
    assert "0/8" not in told.err
    study(tmp_path, progress=False)
    assert capsys.readouterr().err == ""


def test_what_is_wrong_is_said_before_any_cell_is_run(tmp_path: Path) -> None:
    work = Counted()
    with pytest.raises(ValueError, match="cells must be at least one; got none"):
        run_study({}, work, tmp_path / "none", settings={}, progress=False)
    with pytest.raises(ValueError, match="the name of a cell must be"):
        run_study({"good": {"x": 1}, "a/b": {"x": 2}}, work, tmp_path / "names", settings={}, progress=False)
    with pytest.raises(ValueError, match="arguments of cell two must be texts, finite numbers"):
        run_study({"one": {"x": 1}, "two": {"x": float("nan")}}, work, tmp_path / "nan", settings={}, progress=False)
    study(tmp_path / "a", settings={"steps": 60})
    with pytest.raises(ValueError, match="steps is 60 there and 61 now"):
        study(tmp_path / "a", work, settings={"steps": 61})
    (tmp_path / "a" / "cells" / "cell-6.json").write_text('{"arguments"')
    with pytest.raises(ValueError, match=r"cell-6\.json is not a whole cell"):
        study(tmp_path / "a", work, settings={"steps": 60})
    assert work.calls == []


# --- Processes ----------------------------------------------------------------------------------------------------------------

KILLED = """
import pathlib, sys, time
from sculpting.study import run_study

def work(x):
    log = pathlib.Path(sys.argv[2])
    log.write_text(log.read_text() + f"{x}\\n")
    if log.read_text().count("\\n") == 3:
        time.sleep(600)
    return [{"x": x, "square": x * x}] * 2

run_study({f"cell-{i}": {"x": i} for i in range(8)}, work, sys.argv[1], settings={}, progress=False)
"""
ORPHANS = """
import os, pathlib, sys, time
from sculpting.study import workers

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


def test_a_killed_study_goes_on_where_it_was(tmp_path: Path) -> None:
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


def test_one_job_is_this_process_on_one_thread() -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        with workers(1) as executor:
            assert executor is None
            assert torch.get_num_threads() == 1
        assert torch.get_num_threads() == 2
        with pytest.raises(KeyError), workers(1):
            raise KeyError
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize("jobs", [0, -1, 1.5, "two"])
def test_jobs_are_checked(jobs: Any) -> None:
    with pytest.raises(ValueError, match="jobs must be a whole number of processes, at least 1; got"), workers(jobs):
        pass


def place(x: int) -> list[dict[str, int]]:
    return [{"x": x, "process": os.getpid(), "threads": torch.get_num_threads()}]


@pytest.mark.slow
def test_jobs_are_processes_on_one_thread_each(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    with workers(2) as executor:
        rows = study(tmp_path, place, executor=executor)
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
