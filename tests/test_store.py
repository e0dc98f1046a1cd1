"""Results on disk: what comes back, what is refused and with which words, and that nothing is half-written."""

from __future__ import annotations

import csv
import io
import json
import os
import shutil
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from pathlib import Path
from threading import Barrier
from typing import Any

import numpy as np
import pytest

from sculpting.files import write_file
from sculpting.store import Store, table_bytes, write_rows
from sculpting.store import folder as folder_module
from sculpting.store.sharing import create_file, locked

SETTINGS = {"steps": 60, "grid": (2.5, 1.0), "noise": None}
ROWS = [
    {"task": "[4, 2, 4]", "density": 0.1 + 0.2, "support": None, "exact": True},
    {"task": "b", "density": 1e-9, "support": 1, "exact": False},
]


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store.open(tmp_path / "study", SETTINGS)


def cell_file(store: Store, name: str = "one") -> Path:
    return store.folder / "cells" / f"{name}.json"


def deep(levels: int) -> Any:
    value: Any = 1
    for _ in range(levels):
        value = [value]
    return value


def test_rows_come_back_as_they_were(store: Store) -> None:
    assert store.load("one", {"width": 4}) is None
    assert store.save("one", {"width": 4}, ROWS) == ROWS
    assert Store.open(store.folder, SETTINGS).load("one", {"width": 4}) == ROWS
    assert store.save("two", {}, []) == [] == store.load("two", {})


def test_a_first_run_and_a_later_one_see_the_same_types(store: Store) -> None:
    assert store.save("one", {"key": (4, 2)}, [{"pair": (1, 2)}]) == [{"pair": [1, 2]}] == store.load("one", {"key": [4, 2]})


def test_the_folder_says_what_it_holds(store: Store) -> None:
    store.save("one", {"width": 4}, ROWS, {"networks/one.json": b"{}"})
    assert sorted(str(p.relative_to(store.folder)) for p in store.folder.rglob("*.json")) == [
        *("cells/one.json", "networks/one.json", "study.json")
    ]
    facts = json.loads((store.folder / "study.json").read_text())
    digest = facts.pop("digest")
    assert facts == {"format": "neural-sculpting study", "version": 1, "settings": {"steps": 60, "grid": [2.5, 1.0], "noise": None}}
    assert digest == sha256(json.dumps(facts, separators=(",", ":")).encode()).hexdigest()
    facts = json.loads(cell_file(store).read_text())
    digest = facts.pop("digest")
    assert facts == {"arguments": {"width": 4}, "rows": ROWS, "files": {"networks/one.json": sha256(b"{}").hexdigest()}}
    assert digest == sha256(json.dumps({"cell": "one", **facts}, separators=(",", ":")).encode()).hexdigest()


def test_files_of_a_cell_are_kept_beside_it(store: Store) -> None:
    files = {"networks/one.safetensors": b"weights", "facts/one.json": b"{}"}
    assert store.made("one") is None
    store.save("one", {}, ROWS, files)
    assert store.made("one") == sorted(files)
    assert {name: store.read(name) for name in files} == files
    (store.folder / "networks" / "one.safetensors").unlink()
    assert store.made("one") is None
    assert store.read("networks/one.safetensors") is None
    store.save("two", {}, ROWS)
    assert store.made("two") == []


@pytest.mark.parametrize(("files", "made"), [({}, None), ({"files": ["networks/one.safetensors"]}, ["networks/one.safetensors"])])
def test_a_folder_of_an_earlier_version_is_read_without_digests(tmp_path: Path, files: Any, made: Any) -> None:
    for name, facts in (
        ("study.json", {"format": "neural-sculpting study", "version": 1, "settings": {"steps": 60}}),
        ("cells/one.json", {"arguments": {"width": 4}, "rows": ROWS, **files}),
        ("networks/one.safetensors", {}),
    ):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(json.dumps(facts))
    store = Store.open(tmp_path, {"steps": 60})
    assert store.load("one", {"width": 4}) == ROWS
    assert store.made("one") == made
    assert store.read("networks/one.safetensors") == b"{}"
    assert store.silent == {"one"}
    store.save("two", {}, ROWS)
    assert store.load("two", {}) == ROWS
    assert store.silent == {"one"}


@pytest.mark.parametrize("path", sorted((Path(__file__).parents[1] / "docs").rglob("study.json")), ids=lambda path: path.parent.name)
def test_committed_studies_are_accepted(path: Path, tmp_path: Path) -> None:
    (tmp_path / "study.json").write_bytes(path.read_bytes())
    assert Store.open(tmp_path, json.loads(path.read_text())["settings"]).names() == set()


OTHER = (
    "one.safetensors",
    "cells/two.json",
    "networks/one.pt",
    "../networks/one.json",
    "networks/../one.json",
    "/etc/one.json",
    "a/b/c.json",
)


@pytest.mark.parametrize("name", OTHER)
def test_files_of_other_names_are_refused_before_anything_is_written(store: Store, name: str) -> None:
    with pytest.raises(
        ValueError, match=r"a file of cell one must be named as folder/name\.safetensors, \.safetensors\.xz or \.json, not in cells/; got"
    ):
        store.save("one", {}, ROWS, {"networks/one.safetensors": b"", name: b""})
    assert not (store.folder / "networks").exists()
    assert store.load("one", {}) is None


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({**SETTINGS, "steps": 120}, r"other settings: steps is 60 there and 120 now\. Give another folder"),
        ({**SETTINGS, **dict.fromkeys("abcde", 1)}, "a is not set there and 1 now; b is .*; c is not set there and 1 now; 2 more differ"),
        ({**SETTINGS, "grid": [2.5]}, r"settings: grid is \[2\.5, 1\.0\] there and \[2\.5\] now\. "),
        ({"steps": 60, "grid": [2.5, 1.0]}, r"settings: noise is null there and not set now\. "),
        ({**SETTINGS, "groups": 4, "steps": 30}, r"settings: steps is 60 there and 30 now; groups is not set there and 4 now\. "),
    ],
)
def test_other_settings_are_named(store: Store, settings: dict[str, Any], text: str) -> None:
    with pytest.raises(ValueError, match=text):
        Store.open(store.folder, settings)


def test_a_folder_of_something_else_is_refused_and_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("chapter 1")
    with pytest.raises(ValueError, match=r"holds no study: expected study.json or an empty folder; got thesis.tex. Give another folder"):
        Store.open(tmp_path, SETTINGS)
    assert [p.name for p in tmp_path.iterdir()] == ["thesis.tex"]
    with pytest.raises(ValueError, match="must be a folder; got a file"):
        Store.open(tmp_path / "thesis.tex", SETTINGS)


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ('{"format": "neural-sculpting stu', r"study\.json is not of a study: .* Give another folder"),
        ("[]", r"study\.json is not of a study"),
        ('{"settings": {}}', r"study\.json is not of a study: .*; got no format"),
        ('{"format": "neural-sculpting study", "version": 2, "settings": {}}', r"version 1; got 'neural-sculpting study', version 2"),
        ('{"format": "recipe", "version": 1, "settings": {}}', r"got 'recipe', version 1"),
    ],
)
def test_a_study_file_that_is_none_is_refused(tmp_path: Path, content: str, text: str) -> None:
    (tmp_path / "study.json").write_text(content)
    with pytest.raises(ValueError, match=text):
        Store.open(tmp_path, {})


@pytest.mark.parametrize(
    "content",
    [
        lambda text: text[:-30],
        lambda text: "",
        lambda text: '{"rows": []}',
        lambda text: "[1]",
        lambda text: "\xff",
        lambda text: '{"arguments": {}, "rows": {"y": 1}}',
        lambda text: '{"arguments": {}, "rows": 7}',
        lambda text: '{"arguments": {}, "rows": [1]}',
        lambda text: '{"arguments": {}, "rows": [], "files": 5}',
        lambda text: '{"arguments": {}, "rows": [], "files": ["../a.json"]}',
    ],
)
def test_a_broken_cell_is_named_with_what_to_do(store: Store, content: Any) -> None:
    store.save("one", {}, ROWS)
    file = cell_file(store)
    file.write_bytes(content(file.read_text()).encode("latin-1"))
    with pytest.raises(ValueError, match=r"cells/one\.json is not a whole cell: .*Delete this file"):
        store.load("one", {})
    file.unlink()
    assert store.load("one", {}) is None


def test_the_rows_of_other_arguments_are_refused(store: Store) -> None:
    store.save("one", {"width": 4}, ROWS)
    with pytest.raises(ValueError, match=r"one\.json must hold the rows of \{'width': 8\}; got those of \{'width': 4\}"):
        store.load("one", {"width": 8})


def test_what_a_killed_run_left_half_written_is_not_read(store: Store) -> None:
    store.save("one", {}, ROWS)
    for leftover in (store.folder / ".study.json.7.part", store.folder / "cells" / ".two.json.7.part"):
        leftover.write_text('{"arg')
    assert Store.open(store.folder, SETTINGS).load("two", {}) is None
    assert store.load("one", {}) == ROWS


def test_a_folder_with_only_a_half_written_study_file_is_as_good_as_empty(tmp_path: Path) -> None:
    (tmp_path / ".study.json.7.part").write_text("{")
    assert Store.open(tmp_path, SETTINGS).load("one", {}) is None


def test_a_write_that_fails_leaves_the_old_cell_and_nothing_else(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    store.save("one", {}, ROWS)

    def fail(*_: object) -> None:
        raise OSError("the disk is full")

    monkeypatch.setattr(Path, "replace", fail)
    with pytest.raises(OSError, match="the disk is full"):
        store.save("one", {}, [])
    assert store.load("one", {}) == ROWS
    assert [p.name for p in (store.folder / "cells").iterdir()] == ["one.json"]


@pytest.mark.parametrize(
    ("rows", "error", "text"),
    [
        ([{"edges": np.int64(3)}], TypeError, r"rows of cell one must be texts, finite numbers, .* int64 is not JSON"),
        ([{"accuracy": float("nan")}], ValueError, "finite numbers"),
        ([3], TypeError, r"rows of cell one must be a list of dicts; got \[3\]"),
        (None, TypeError, "must be a list of dicts; got None"),
    ],
)
def test_rows_that_would_not_come_back_are_refused_before_writing(store: Store, rows: Any, error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=text):
        store.save("one", {}, rows)
    assert not cell_file(store).exists()


@pytest.mark.parametrize("name", ["", "a/b", "..", ".hidden", "a b", "x" * 101, "\u00e9", "a\n"])
def test_names_that_could_not_name_a_file_are_refused(store: Store, name: str) -> None:
    with pytest.raises(ValueError, match="the name of a cell must be letters, digits"):
        store.load(name, {})


def test_settings_that_would_not_come_back_are_refused(tmp_path: Path) -> None:
    with pytest.raises(TypeError, match="settings must be texts, finite numbers"):
        Store.open(tmp_path, {"rule": len})
    assert not list(tmp_path.iterdir())


def test_rows_as_csv_and_as_json(tmp_path: Path) -> None:
    text = write_rows(ROWS, tmp_path / "new" / "rows.csv").read_text()
    assert text.splitlines()[:2] == ["task,density,support,exact", '"[4, 2, 4]",0.30000000000000004,,True']
    assert [row["task"] for row in csv.DictReader(text.splitlines())] == ["[4, 2, 4]", "b"]
    assert "\r" not in text
    text = write_rows(ROWS, tmp_path / "rows.json").read_text()
    assert json.loads(text) == ROWS
    assert len(text.splitlines()) == len(ROWS) + 2


@pytest.mark.parametrize(
    ("rows", "name", "text"),
    [
        (ROWS, "rows.txt", r"path must end in \.csv or \.json; got '.*rows\.txt'"),
        ([], "rows.csv", "rows must be at least one; got none"),
        ([{"a": 1}, {"b": 1}], "rows.csv", r"rows\[1\] must have the columns of the first, \['a'\]; got \['b'\]"),
        ([{"a": 1, "b": 2}, {"b": 2, "a": 1}], "rows.json", r"rows\[1\] must have the columns"),
        ([{"a": 1}, {"a": float("nan")}], "rows.json", r"rows\[1\] must be texts, finite numbers"),
    ],
)
def test_tables_that_are_none_are_refused(tmp_path: Path, rows: list[dict[str, Any]], name: str, text: str) -> None:
    with pytest.raises(ValueError, match=text):
        write_rows(rows, tmp_path / name)
    assert not list(tmp_path.iterdir())


# --- Several processes, and folders that go away ------------------------------------------------------------------------------


def test_of_two_settings_that_start_at_once_one_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The other process writes between the look at the empty folder and the study of this one."""
    other = {**SETTINGS, "steps": 61}
    create = folder_module.create_file

    def late(path: Path, content: bytes) -> None:
        monkeypatch.setattr(folder_module, "create_file", create)
        Store.open(tmp_path, other)
        create(path, content)

    monkeypatch.setattr(folder_module, "create_file", late)
    with pytest.raises(ValueError, match="steps is 61 there and 60 now"):
        Store.open(tmp_path, SETTINGS)
    assert Store.open(tmp_path, other).names() == set()
    assert [path.name for path in tmp_path.iterdir()] == ["study.json"]


def test_threads_that_start_at_once_agree_on_one_study(tmp_path: Path) -> None:
    def begin(folder: Path, steps: int, start: Barrier) -> bool:
        start.wait(10)
        try:
            return Store.open(folder, {"steps": steps}) is not None
        except ValueError as error:
            return "other settings" not in str(error)

    with ThreadPoolExecutor(4) as threads:
        for i in range(20):
            start = Barrier(4)
            assert sum(threads.map(lambda steps, i=i, start=start: begin(tmp_path / str(i), steps, start), range(4))) == 1


@pytest.mark.parametrize("links", [True, False])
def test_a_study_that_is_there_is_not_overwritten(links: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise PermissionError("no links here")

    if not links:
        monkeypatch.setattr(os, "link", fail)
    for content in (b"first", b"second"):
        create_file(tmp_path / "study.json", content)
        assert [path.name for path in tmp_path.iterdir()] == ["study.json"]
        assert (tmp_path / "study.json").read_bytes() == b"first"


@pytest.mark.parametrize("what", ["deleted", "replaced"])
def test_nothing_is_written_to_a_folder_that_is_no_longer_the_study(store: Store, what: str) -> None:
    shutil.rmtree(store.folder)
    if what == "replaced":
        Store.open(store.folder, {"steps": 7})
    before = sorted(store.folder.parent.rglob("*"))
    for write in (lambda: store.save("one", {}, ROWS, {"networks/one.json": b"{}"}), lambda: store.write("rows.csv", b"a")):
        with pytest.raises(FileNotFoundError, match=r"must keep its study\.json while the study runs; got a folder without it"):
            write()
    assert sorted(store.folder.parent.rglob("*")) == before


def test_a_folder_that_is_deleted_during_a_write_does_not_come_back(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    def deleted_first(path: Path, content: bytes) -> Path:
        shutil.rmtree(store.folder)
        return write_file(path, content)

    monkeypatch.setattr(folder_module, "write_file", deleted_first)
    with pytest.raises(FileNotFoundError, match=r"must keep its study\.json"):
        store.save("one", {}, ROWS)
    assert not store.folder.exists()


def test_another_process_that_writes_is_waited_for(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sculpting.store.sharing.PATIENCE", 0.05)
    with locked(store.folder), pytest.raises(TimeoutError, match=r"must be free to be written to; got one that another process has held"):
        store.save("one", {}, ROWS)
    store.save("one", {}, ROWS)


# --- Tables that are safe to open ---------------------------------------------------------------------------------------------


def test_a_carriage_return_makes_no_second_row_and_formulas_are_texts() -> None:
    texts = ["a\rb", "a\r\nb", "=1+1", "+1", "-1", "-x", "@SUM(A1)", "\tx", "a=b", "", "-", "\ud800"]
    rows = [{"=key": text, "number": -1, "small": -1e-9} for text in texts]
    read = list(csv.reader(io.StringIO(table_bytes(rows).decode(), newline="")))
    shown = ["a\rb", "a\r\nb", "'=1+1", "+1", "-1", "'-x", "'@SUM(A1)", "'\tx", "a=b", "", "'-", "\\ud800"]
    assert read == [["'=key", "number", "small"], *([text, "-1", "-1e-09"] for text in shown)]


@pytest.mark.parametrize("path", sorted((Path(__file__).parents[1] / "docs").rglob("rows.csv")), ids=lambda path: path.parent.name)
def test_committed_tables_are_written_with_the_same_bytes(path: Path) -> None:
    content = path.read_bytes()
    assert table_bytes(list(csv.DictReader(io.StringIO(content.decode(), newline="")))) == content


class Unshown:
    def __str__(self) -> str:
        raise RuntimeError("no text")


@pytest.mark.parametrize("rows", [[{"a": Unshown()}], [{"a": deep(5000)}], [1], 5])
def test_values_without_a_text_are_refused(rows: Any) -> None:
    with pytest.raises(TypeError, match=r"values of a table must be|rows must be a list of dicts"):
        table_bytes(rows)
