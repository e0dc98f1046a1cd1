"""Results on disk that were changed there, and JSON that must not be read."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from test_store import ROWS, SETTINGS, cell_file, deep

from sculpting.store import Store


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store.open(tmp_path / "study", SETTINGS)


def changed(path: Path, change: Any) -> None:
    facts = json.loads(path.read_text())
    change(facts)
    path.write_text(json.dumps(facts, indent=1))


@pytest.mark.parametrize(
    "change",
    [
        lambda facts: facts["rows"][0].update(density=0.5),
        lambda facts: facts["rows"].pop(),
        lambda facts: facts["rows"].append(facts["rows"][0]),
        lambda facts: facts["rows"].__setitem__(0, dict(reversed(facts["rows"][0].items()))),
        lambda facts: facts["files"].clear(),
        lambda facts: facts.update(digest="0" * 64),
        lambda facts: facts.pop("digest"),
    ],
)
def test_a_cell_that_was_changed_is_refused_or_marked(store: Store, change: Any) -> None:
    store.save("one", {"width": 4}, ROWS, {"networks/one.json": b"{}"})
    changed(cell_file(store), change)
    with pytest.raises(ValueError, match=r"one\.json (was changed after it was written: .*; got|is not a whole cell: files must)"):
        store.load("one", {"width": 4})
    taken = Store.open(store.folder, SETTINGS, altered=True)
    if "digest" in json.loads(cell_file(store).read_text()):
        assert taken.load("one", {"width": 4}) == json.loads(cell_file(store).read_text())["rows"]
        assert list(taken.marks) == ["cells/one.json"]


def test_spaces_change_nothing_and_a_copy_under_another_name_is_no_cell(store: Store) -> None:
    store.save("one", {}, ROWS)
    changed(cell_file(store), lambda facts: None)
    assert store.load("one", {}) == ROWS
    cell_file(store, "two").write_bytes(cell_file(store).read_bytes())
    with pytest.raises(ValueError, match=r"two\.json was changed after it was written"):
        store.load("two", {})


def test_settings_that_were_changed_are_refused_or_marked(store: Store) -> None:
    changed(store.folder / "study.json", lambda facts: facts["settings"].update(steps=120))
    with pytest.raises(ValueError, match=r"study\.json was changed after it was written: .*\. Give another folder, or pass"):
        Store.open(store.folder, {**SETTINGS, "steps": 120})
    assert Store.open(store.folder, {**SETTINGS, "steps": 120}, altered=True).marks.keys() == {"study.json"}


def test_a_file_of_a_cell_that_was_changed_is_refused_or_marked(store: Store) -> None:
    store.save("one", {}, ROWS, {"networks/one.json": b"{}"})
    (store.folder / "networks" / "one.json").write_bytes(b"[]")
    for read in (lambda: store.made("one"), lambda: store.read("networks/one.json")):
        with pytest.raises(ValueError, match=r"networks/one\.json was changed after it was written: .*, as cell one made it"):
            read()
    with pytest.raises(ValueError, match="was changed after it was written"):
        Store.open(store.folder, SETTINGS).read("networks/one.json")  # which looks up the cell
    taken = Store.open(store.folder, SETTINGS, altered=True)
    assert (taken.read("networks/one.json"), list(taken.marks)) == (b"[]", ["networks/one.json"])
    assert store.save("one", {}, ROWS, {"networks/one.json": b"[1]"}) == ROWS
    assert store.read("networks/one.json") == b"[1]"


DEEP = "[" * 5000 + "]" * 5000


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (f'{{"arguments": {{}}, "rows": [{{"a": {DEEP}}}]}}', "at most 32 deep in one another; got more"),
        ('{"arguments": {}, "rows": [{"a": 1, "a": 2}]}', "every key must occur once; got 'a' twice"),
        ('{"arguments": {}, "rows": [{"a": NaN}]}', "numbers must be finite; got NaN"),
        ('{"arguments": {}, "rows": [{"a": 1e999}]}', "numbers must be finite; got 1e999"),
        ('{"arguments": {}, "rows": [], "more": 1}', "expected arguments, rows, files, digest; got"),
        ('{"arguments": [], "rows": []}', r"arguments must be a dict; got \[\]"),
    ],
)
def test_what_json_lets_through_is_refused(store: Store, content: str, text: str) -> None:
    cell_file(store).parent.mkdir()
    cell_file(store).write_text(content)
    with pytest.raises(ValueError, match=rf"one\.json is not a whole cell: .*{text}"):
        store.load("one", {})


def test_what_is_no_file_is_refused(store: Store) -> None:
    cell_file(store).mkdir(parents=True)
    os.mkfifo(cell_file(store, "two"))
    for name in ("one", "two"):
        with pytest.raises(ValueError, match="expected a regular file; got a folder, a pipe or a device"):
            store.load(name, {})


@pytest.mark.parametrize(
    ("rows", "error", "text"),
    [
        ([{"a": deep(5000)}], ValueError, "at most 32 deep in one another"),
        ([{"a": deep(40)}], ValueError, "at most 32 deep in one another"),
        ([{"a": 10**5000}], ValueError, "finite numbers"),
        ([{1: "a", "1": "b"}], ValueError, "every key must occur once; got '1' twice"),
    ],
)
def test_rows_that_would_come_back_as_others_are_refused(store: Store, rows: Any, error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=text):
        store.save("one", {}, rows)
    assert store.names() == set()


def test_other_kinds_of_arguments_are_refused(store: Store) -> None:
    for refused, text in (
        (lambda: Store.open(store.folder, 5), "settings must be a mapping"),
        (lambda: store.load(5), "the name of a cell must be text; got int"),
        (lambda: store.load("one", [1]), "arguments of cell one must be a mapping"),
        (lambda: store.save("one", {}, ROWS, {"networks/one.json": "text"}), "file networks/one.json of cell one must be bytes; got str"),
        (lambda: store.write("summary.md", "text"), "file summary.md of a study must be bytes; got str"),
    ):
        with pytest.raises(TypeError, match=text):
            refused()
    for name in ("../a.md", "/a.md", "a/../../b.md", "", "a//b"):
        with pytest.raises(ValueError, match="a file of a study must be named by letters"):
            store.write(name, b"")
    for name in ("study.json", "cells/one.json"):
        with pytest.raises(ValueError, match="must not have the name of the study's own"):
            store.write(name, b"")
