"""Studies: the order of rows, going on after a stop, failures, files that cells make and need, tables and reports."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event
from time import sleep
from typing import Any

import pytest

from sculpting.store import Row
from sculpting.study import CellResult, Read, Study, _shuffled, run

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


def no_report(rows: Sequence[Row], read: Read) -> dict[str, bytes]:
    return {}


def study(folder: Path, work: Any = square, cells: Any = CELLS, settings: Any = None, **options: Any) -> list[dict[str, Any]]:
    return run(Study(cells, work, settings or {}, no_report), folder, **{"progress": False, **options})


def stored(folder: Path) -> set[str]:
    return {path.stem for path in (folder / "cells").glob("*.json")}


def test_rows_come_in_the_order_of_the_cells_which_are_begun_in_another(tmp_path: Path) -> None:
    first, second = Counted(), Counted()
    assert study(tmp_path / "a", first) == ROWS
    assert sorted(first.calls) == list(range(8))
    assert first.calls != list(range(8))
    reverse = {name: CELLS[name] for name in reversed(CELLS)}
    assert study(tmp_path / "b", second, reverse) == ROWS[::-1]
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
        assert study(tmp_path, work, {"one": {"x": []}}) == [{"length": 1}]


def test_a_larger_grid_adds_to_a_smaller_one(tmp_path: Path) -> None:
    part = {name: CELLS[name] for name in ("cell-5", "cell-2")}
    assert [row["x"] for row in study(tmp_path, square, part)] == [5, 5, 2, 2]
    work = Counted()
    assert study(tmp_path, work) == ROWS
    assert sorted(work.calls) == [0, 1, 3, 4, 6, 7]


def test_rows_of_cells_that_an_earlier_run_left_come_last_unless_left_out(tmp_path: Path) -> None:
    first, second = {"b": {"x": 2}, "c": {"x": 3}}, {"a": {"x": 1}, "c": {"x": 3}}
    study(tmp_path, square, first)
    assert [row["x"] for row in study(tmp_path, square, second)] == [1, 1, 3, 3, 2, 2]
    assert [row["x"] for row in study(tmp_path, square, second, others=False)] == [1, 1, 3, 3]


def test_a_cell_that_fails_is_named_and_loses_no_other(tmp_path: Path) -> None:
    work = Counted(third(ZeroDivisionError("no weights")))
    with pytest.raises(
        RuntimeError, match=r"cell cell-\d failed: ZeroDivisionError: no weights\. 7 of 8 cells are stored; start again"
    ) as shown:
        study(tmp_path, work)
    failed = f"cell-{work.calls[2]}"
    assert failed in str(shown.value)
    assert isinstance(shown.value.__cause__, ZeroDivisionError)
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
    begin = {x: Event() for x in range(8)}

    def work(x: int) -> list[dict[str, int]]:
        assert begin[x].wait(10)
        ended.append(x)
        return square(x)

    def next_one(done: int, total: int) -> None:
        if done < total:
            begin[7 - done].set()

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
    shown: list[tuple[int, int]] = []
    with pytest.raises(KeyboardInterrupt):
        study(tmp_path, Counted(third(KeyboardInterrupt())), progress=lambda *counts: shown.append(counts))
    assert shown == [(0, 8), (1, 8), (2, 8)]
    shown.clear()
    study(tmp_path, progress=lambda *counts: shown.append(counts))
    assert shown == [(done, 8) for done in range(2, 9)]


def test_the_bar_counts_cells_and_failures(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(RuntimeError):
        study(tmp_path, Counted(third(ValueError("no"))), progress=True)
    shown = capsys.readouterr()
    assert "8/8" in shown.err
    assert "failed=1" in shown.err
    assert shown.out == ""
    study(tmp_path, progress=True)
    shown = capsys.readouterr()
    assert "7/8" in shown.err
    assert "0/8" not in shown.err
    study(tmp_path, progress=False)
    assert capsys.readouterr().err == ""


def test_what_is_wrong_is_said_before_any_cell_is_run(tmp_path: Path) -> None:
    work = Counted()
    with pytest.raises(ValueError, match="cells must be at least one; got none"):
        study(tmp_path / "none", work, {})
    with pytest.raises(ValueError, match="the name of a cell must be"):
        study(tmp_path / "names", work, {"good": {"x": 1}, "a/b": {"x": 2}})
    with pytest.raises(ValueError, match="arguments of cell two must be texts, finite numbers"):
        study(tmp_path / "nan", work, {"one": {"x": 1}, "two": {"x": float("nan")}})
    with pytest.raises(ValueError, match="cell one must need cells of its study; got two"):
        run(Study({"one": {"x": 1}}, work, {}, no_report, needs={"one": ["two"]}), tmp_path / "needs", progress=False)
    circle = {"one": ["two"], "two": ["one"]}
    for needs, text in ((circle, "circle; got one -> two -> one|circle; got two -> one -> two"), ({"one": ["one"]}, "one -> one")):
        with pytest.raises(ValueError, match=text):
            run(Study({"one": {"x": 1}, "two": {"x": 2}}, work, {}, no_report, needs=needs), tmp_path / "needs", progress=False)
    study(tmp_path / "a", settings={"steps": 60})
    with pytest.raises(ValueError, match="steps is 60 there and 61 now"):
        study(tmp_path / "a", work, settings={"steps": 61})
    (tmp_path / "a" / "cells" / "cell-6.json").write_text('{"arguments"')
    with pytest.raises(ValueError, match=r"cell-6\.json is not a whole cell"):
        study(tmp_path / "a", work, settings={"steps": 60})
    assert work.calls == []


# --- Files --------------------------------------------------------------------------------------------------------------------

NETS = {"net-0": {"x": 0}, "net-1": {"x": 1}}
READERS = {f"reader-{i}": {"x": i} for i in range(4)}
NEEDS = {name: ["net-0", "net-1"] for name in READERS}


class Networks:
    """Work that makes a file, or reads those of the cells that it needs; ``calls`` has what was begun."""

    def __init__(self) -> None:
        self.calls: list[str] = []

    def __call__(self, x: int, files: Mapping[str, bytes] | None = None) -> CellResult:
        self.calls.append("net" if files is None else "reader")
        if files is None:
            return CellResult([{"x": x, "read": ""}], {f"networks/net-{x}.safetensors": b"weights %d" % x})
        return CellResult([{"x": x, "read": "+".join(content.decode() for _, content in sorted(files.items()))}])


def networks(folder: Path, work: Any, **options: Any) -> list[dict[str, Any]]:
    return run(Study({**READERS, **NETS}, work, {}, no_report, needs=NEEDS), folder, **{"progress": False, **options})


READ = [*({"x": i, "read": "weights 0+weights 1"} for i in range(4)), {"x": 0, "read": ""}, {"x": 1, "read": ""}]


@pytest.mark.parametrize("threads", [0, 3])
def test_a_cell_begins_with_the_files_of_the_cells_that_it_needs(threads: int, tmp_path: Path) -> None:
    work = Networks()
    if threads:
        with ThreadPoolExecutor(threads) as executor:
            assert networks(tmp_path, work, executor=executor) == READ
    else:
        assert networks(tmp_path, work) == READ
    assert work.calls == ["net"] * 2 + ["reader"] * 4
    assert {path.name: path.read_bytes() for path in (tmp_path / "networks").iterdir()} == {
        f"net-{i}.safetensors": b"weights %d" % i for i in range(2)
    }


def test_a_cell_whose_files_are_gone_is_run_again_where_another_needs_it(tmp_path: Path) -> None:
    networks(tmp_path, Networks())
    (tmp_path / "networks" / "net-1.safetensors").unlink()
    work = Networks()
    assert networks(tmp_path, work) == READ
    assert work.calls == []  # nobody needs it
    (tmp_path / "cells" / "reader-2.json").unlink()
    assert networks(tmp_path, work) == READ
    assert work.calls == ["net", "reader"]
    assert (tmp_path / "networks" / "net-1.safetensors").read_bytes() == b"weights 1"


def test_a_cell_can_be_needed_for_its_order_alone(tmp_path: Path) -> None:
    begun = Counted()

    def work(x: int, files: Mapping[str, bytes] | None = None) -> list[dict[str, int]]:
        assert files in (None, {})
        return begun(x)

    last = min(CELLS, key=_shuffled)
    ordered = Study(CELLS, work, {}, no_report, needs={last: [name for name in CELLS if name != last]})
    assert run(ordered, tmp_path, progress=False) == ROWS
    assert f"cell-{begun.calls[-1]}" == last
    (tmp_path / "cells" / f"{last}.json").unlink()
    begun.calls.clear()
    assert run(ordered, tmp_path, progress=False) == ROWS
    assert len(begun.calls) == 1


def test_a_cell_that_needs_one_that_failed_is_not_run(tmp_path: Path) -> None:
    def work(x: int, files: Mapping[str, bytes] | None = None) -> CellResult:
        assert files is None
        return CellResult([{"x": x}], {"networks/net.safetensors": b""} if x else {"networks/../../escaped.json": b""})

    with pytest.raises(
        RuntimeError, match=r"cell net-0 failed: ValueError: a file of cell net-0 must be named .*\. 1 of 6 cells are stored"
    ):
        networks(tmp_path, work)
    assert stored(tmp_path) == {"net-1"}


def test_few_files_are_held_in_a_queue(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sculpting.study.IN_QUEUE", 10)  # bytes: fewer than one reader needs, which still begins
    readers, most = [0], [0]
    quick = Networks()

    def work(x: int, files: Mapping[str, bytes] | None = None) -> CellResult:
        readers[0] += files is not None
        most[0] = max(most[0], readers[0])
        sleep(0.05)
        readers[0] -= files is not None
        return quick(x, files)

    with ThreadPoolExecutor(4) as executor:
        assert networks(tmp_path, work, executor=executor) == READ
    assert most == [1]


# --- Tables and reports -------------------------------------------------------------------------------------------------------


def test_tables_and_the_report_are_written_for_all_rows(tmp_path: Path) -> None:
    seen: list[tuple[list[Row], bytes | None, bytes | None]] = []

    def report(rows: Sequence[Row], read: Read) -> dict[str, bytes]:
        seen.append((list(rows), read("networks/net-0.safetensors"), read("networks/none.safetensors")))
        return {"summary.md": b"# All\n"}

    def table(rows: Sequence[Row]) -> list[Row]:
        return [{"x": row["x"]} for row in reversed(rows)]

    made = run(Study({**READERS, **NETS}, Networks(), {}, report, needs=NEEDS, table=table), tmp_path, progress=False)
    assert made == [{"x": x} for x in (1, 0, 3, 2, 1, 0)]
    assert seen == [(READ, b"weights 0", None)]
    assert json.loads((tmp_path / "rows.json").read_text()) == made
    with (tmp_path / "rows.csv").open() as file:
        assert [row["x"] for row in csv.DictReader(file)] == ["1", "0", "3", "2", "1", "0"]
    assert (tmp_path / "summary.md").read_text() == "# All\n"


def test_nothing_is_reported_of_a_study_with_failures(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError):
        study(tmp_path, Counted(third(ValueError("no"))))
    assert not (tmp_path / "rows.csv").exists()
