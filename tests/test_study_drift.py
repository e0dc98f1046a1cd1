"""The study of tasks that change: its changes, its truth, its rows and its targets."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from test_resculpt import network, task_of

from sculpting import ResculptResult, ResculptStatus, SparseNetwork, run
from sculpting.store import Row
from sculpting.studies import drift
from sculpting.studies.drift.bases import Base, base_of, graph_of
from sculpting.studies.drift.cells import cells_of, drift_cell
from sculpting.studies.drift.changing import DIGIT_KINDS, change_of_gate, changes_of
from sculpting.studies.drift.edits import KINDS, Edit, edits_of
from sculpting.studies.drift.report import drift_summary
from sculpting.studies.drift.targets import NAMED_BY, target_table
from sculpting.studies.drift.truth import Truth
from sculpting.tasks.gates import GateGraph

GRAPH = GateGraph.parse({"p": "x0 & x1", "q": "x2 & x3", "r": "x4 & x5", "y0": "p | q", "y1": "p | r", "y2": "q | r"})


def test_every_task_has_changes_that_matter_and_one_row_without() -> None:
    cells = cells_of()
    groups = [cell["group"] for cell in cells.values()]
    assert [groups.count(group) for group in ("first", "fresh", "digits")] == [8, 5, 2]
    bases = [base for name in cells if not (base := base_of(name)).sampled]
    found = {base.name: changes_of(base) for base in bases}
    kinds = [change.kind for changes in found.values() for change in changes]
    assert (kinds.count("none"), len(kinds)) == (13, 13 + 65)
    assert set(kinds) == set(KINDS)
    for base in bases:
        assert [change.is_none for change in found[base.name]] == [False] * (len(found[base.name]) - 1) + [True]
        for change in found[base.name][:-1]:
            before, after = base.task, change.task
            assert after.input_names == before.input_names
            assert after.output_names[: len(before.output_names)] == before.output_names
            same = (after.y[:, : before.y.shape[1]] == before.y).all()
            assert bool(same) == (change.kind == "output added") == change.adds
            assert change.outputs
            assert change.gate in [*graph_of(after).gates]


def test_digits_of_one_side_get_one_anothers_names() -> None:
    base = base_of("digits-1")
    changes = changes_of(base)
    assert [change.kind for change in changes] == [*DIGIT_KINDS, "none"]
    assert [change.gate for change in changes] == ["right", "left", "right", "left", ""]
    assert [change.gate for change in changes_of(base_of("digits-0"))][:2] == ["left", "right"]
    two, three = changes[:2]
    assert two.outputs == {13, 14}
    assert two.inputs == {i for i, name in enumerate(base.task.input_names) if name.startswith("R")}
    for part in ("y", "y_validation", "y_test"):
        old, new, third = (getattr(task, part) for task in (base.task, two.task, three.task))
        assert (new[:, 13] == old[:, 14]).all()
        assert (new[:, 14] == old[:, 13]).all()
        assert (new[:, [*range(13), *range(15, 20)]] == old[:, [*range(13), *range(15, 20)]]).all()
        assert (third[:, 3:6] == old[:, [4, 5, 3]]).all()
        assert not (third == old).all()
    assert (two.formula, two.new_formula) == ("3 4", "4 3")
    assert changes[3].outputs == set(range(10))
    assert changes[-1].task is base.task


def test_the_kinds_of_change_of_one_function() -> None:
    found = {edit.kind: (edit.gate, edit.formula) for edit in edits_of(GRAPH)}
    assert found == {
        "inner gate": ("p", "x0 | x1"),
        "output gate": ("y0", "p & q"),
        "input swapped": ("p", "x2 & x1"),
        "level added": ("y0", "(p | q) ^ r"),
        "output added": ("added", "p ^ q"),
        "none": ("", ""),
    }  # without reuse one output would be a copy of another


def fake(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sculpting that gives the network of the tests, and took 10 rounds of single networks."""
    found = replace(network(24), origin={"seed": 0})
    result = SimpleNamespace(candidates=[found], network=found, rounds=[SimpleNamespace(names=[0] * 10)], accuracy=1.0)
    monkeypatch.setattr(Base, "sculpted", lambda base, task: result)


def test_the_rows_of_a_task(monkeypatch: pytest.MonkeyPatch) -> None:
    fake(monkeypatch)
    rows = drift_cell("first", "6-3-3-3", {})
    assert [row["kind"] for row in rows] == [edit.kind for edit in edits_of(GRAPH)]
    assert {row["base_verdict"] for row in rows} == {"exact"}
    for row in rows[:-1]:
        assert (row["status"], row["accuracy"], row["kept_rest"]) == ("ONE_PART", 1.0, 1.0)
        assert all(row[column] for column in NAMED_BY if column != "detected_right")
        assert row["anew_steps"] == 600
    none = rows[-1]
    assert (none["status"], none["steps"], none["part"], none["named"], none["anew_steps"]) == ("UNCHANGED", 0, "", "", None)
    assert all(none[column] for column in NAMED_BY)
    assert none["false_alarms"] <= 5
    assert none["false_alarms_modules"] <= 5
    assert none["inputs"] == 6
    assert none["inputs_right"] == none["inputs_seen"] >= 3
    assert [row["alarm"] for row in rows][-2:] == [None, None]  # an added output, and nothing
    assert rows[0]["part"] == "h1.1"
    text = drift_summary(rows)
    assert "5 changes of 1 networks." in text
    assert text.count("6-3-3-3") == 6


def test_the_rows_of_two_digits(monkeypatch: pytest.MonkeyPatch) -> None:
    """A network that names no digit: what is renamed is never wrong, so that nothing is learnt again, and no side is named."""
    base = base_of("digits-0")
    values = [np.zeros(shape, dtype=np.float32) for shape in ((2, 128), (2, 2), (20, 2))]
    for value in values:
        value[0, 0] = 1
    empty = SparseNetwork(tuple(values), (np.zeros(2), np.zeros(2), np.full(20, -9.0)), ("relu", "relu", "identity"), loss="bce",
                          accuracy=0.9, input_names=base.task.input_names, output_names=base.task.output_names)  # fmt: skip
    result = SimpleNamespace(network=empty, rounds=[], accuracy=0.9)
    monkeypatch.setattr(Base, "sculpted", lambda base, task: result)
    rows = drift_cell("digits", "digits-0", {})
    assert {row["status"] for row in rows} == {"UNCHANGED"}
    assert [row["modules_right"] for row in rows] == [False] * 4 + [True]
    assert [row["alarm"] for row in rows] == [False] * 4 + [None]
    assert (rows[-1]["false_alarms"], rows[-1]["batches"], rows[-1]["inputs"]) == (0, 100, None)


def truth(part: tuple[Any, ...], edit: Edit, changed: tuple[int, int, int] | None = None, status: str = "ONE_PART") -> Truth:
    """The truth for a result in which one weight, (layer, unit, source), differs."""
    before = network()
    weights = [weight.copy() for weight in before.weights]
    if changed is not None:
        layer, unit, source = changed
        weights[layer - 1][unit, source] += 1
    found = ResculptResult(replace(before, weights=tuple(weights)), before, ResculptStatus[status], part=part)
    return Truth(found, change_of_gate(GRAPH, edit))


def test_units_are_those_of_a_gate_by_the_outputs_they_lead_to_and_the_inputs_they_depend_on() -> None:
    edit = Edit("inner gate", "p", "x0 | x1")
    assert truth(((1, 1),), edit).part_right()
    assert not truth(((1, 3),), edit).part_right()
    assert not truth(((1, 1), (2, 0)), edit).part_right()
    assert not truth((), edit).part_right()
    assert not truth(((1, 1),), edit, status="NOT_LEARNT").part_right()
    assert truth((), edit).units_right(["h1.1"])
    assert not truth((), edit).units_right(["h1.1", "h1.3"])
    assert not truth((), edit).units_right([])
    assert truth((), Edit("none")).units_right([])
    assert not truth((), Edit("none")).units_right(["h1.1"])
    output = Edit("output gate", "y0", "p & q")
    assert truth(((2, 0), (3, 0)), output).part_right()
    assert not truth(((2, 2),), output).part_right()
    assert not change_of_gate(GRAPH, edit).one_reader


def test_of_renamed_classes_units_may_lead_to_some_of_them() -> None:
    found = ResculptResult(network(), network(), ResculptStatus.SEVERAL_PARTS, part=((3, 0), (2, 2)))
    gate = change_of_gate(GRAPH, Edit("inner gate", "p", "x0 | x1"))
    assert gate.outputs == {0, 1}
    both = replace(gate, inputs=frozenset(range(6)), apart=True)
    assert Truth(found, both).part_right()
    assert not Truth(found, replace(both, apart=False)).part_right()
    assert not Truth(found, replace(both, inputs=frozenset({0, 1}))).part_right()
    assert not Truth(replace(found, part=((3, 2),)), both).part_right()


def test_the_rest_is_what_is_neither_into_nor_from_the_units_of_the_gate() -> None:
    edit = Edit("inner gate", "p", "x0 | x1")
    assert truth((), edit).kept_rest() == 1
    assert truth((), edit, changed=(1, 1, 0)).kept_rest() == 1
    assert truth((), edit, changed=(2, 0, 1)).kept_rest() == 1
    assert truth((), edit, changed=(1, 3, 2)).kept_rest() == pytest.approx(10 / 11)


def test_a_gate_with_one_reader_is_said_to_have_one() -> None:
    graph = GateGraph.parse({"p": "a & b", "y": "p | c", "z": "d & c"})
    assert change_of_gate(graph, Edit("inner gate", "p", "a | b")).one_reader


def row(**facts: Any) -> Row:
    return {
        "group": "first", "task": "a", "base_verdict": "exact", "kind": "inner gate", "gate": "p", "formula": "a", "new_formula": "b",
        "one_reader": False, "status": "ONE_PART", "part": "h1.1", "named": "M0", "modules_right": True, "detected_right": True,
        "units_right": True, "part_right": True, "kept": 0.9, "kept_rest": 1.0, "accuracy": 1.0, "edges": 15, "steps": 100,
        "anew_steps": 1000, "anew_edges": 15, "alarm": True, "batches": None, "false_alarms": None, "false_alarms_modules": None,
        "inputs": None, "inputs_seen": None, "inputs_right": None, **facts,
    }  # fmt: skip


def cells(rows: list[Row], column: int = 4) -> list[str]:
    return [line.split("|")[column].strip() for line in target_table(rows).splitlines()[2:]]


def test_targets_are_reached_or_not() -> None:
    none = row(kind="none", gate="", false_alarms=1, false_alarms_modules=0, batches=100, status="UNCHANGED", anew_steps=None)
    good = [row() for _ in range(9)] + [row(**dict.fromkeys(NAMED_BY, False)), none]
    assert cells(good) == ["yes"] * 9
    for i, column in enumerate(NAMED_BY):
        assert cells([*good, row(**{column: False})])[i] == "no"
    assert cells([row(kept_rest=0.5), none])[4] == "no"
    assert cells([row(steps=600), none])[5] == "no"
    assert cells([row(), {**none, "false_alarms": 5}])[6] == "no"
    assert cells([row(), {**none, "false_alarms": 3}])[6] == "yes"
    assert cells([row(), {**none, "false_alarms_modules": 5}])[7] == "no"
    assert cells([row(), {**none, "status": "ONE_PART"}])[8] == "no"
    assert cells([]) == ["not run"] * 9


def test_the_groups_of_rows_are_told_apart() -> None:
    rows = [row(), row(group="fresh", modules_right=False), row(group="digits"), row(one_reader=True, modules_right=False)]
    assert [cells(rows, column)[0].split()[0] for column in (3, 5, 6, 7, 8)] == ["2/4", "1/2", "0/1", "1/1", "1/2"]


def test_the_study_runs_from_its_store_and_writes_its_summary_and_figure(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    fake(monkeypatch)
    study = drift.study()
    study = replace(study, cells={"6-3-3-3": study.cells["6-3-3-3"]})
    rows = run(study, tmp_path, progress=False)
    assert len(rows) == 6
    text = (tmp_path / "summary.md").read_text()
    assert "## Targets" in text
    assert "Of 6 inputs, each in one batch," in text
    assert np.isfinite([found["drift"] for found in rows]).all()
    assert task_of().y.shape == (64, 3)
    svg = (tmp_path / "drift.svg").read_text()
    assert svg.count('id="median"') == 5
    assert "inner" in svg
    assert (tmp_path / "drift.png").read_bytes()[:4] == b"\x89PNG"
