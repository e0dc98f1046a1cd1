"""The study of tasks that change: its changes, its truth, its rows and its targets."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from test_resculpt import network, task_of

from sculpting import ResculptResult, ResculptStatus, run
from sculpting.store import Row
from sculpting.studies import drift
from sculpting.studies.drift import cells as drift_cells
from sculpting.studies.drift.cells import base_of, cells_of, drift_cell
from sculpting.studies.drift.edits import KINDS, Edit, edits_of
from sculpting.studies.drift.report import drift_summary
from sculpting.studies.drift.targets import target_table
from sculpting.tasks.gates import GateGraph

GRAPH = GateGraph.parse({"p": "x0 & x1", "q": "x2 & x3", "r": "x4 & x5", "y0": "p | q", "y1": "p | r", "y2": "q | r"})


def test_every_task_has_changes_that_matter_and_one_row_without() -> None:
    cells = cells_of()
    assert len(cells) == 8
    kinds = [edit.kind for name in cells for edit in edits_of(base_of(name).gates)]  # type: ignore[arg-type]
    assert kinds.count("none") == 8
    assert set(kinds) == set(KINDS)
    for name in cells:
        base = base_of(name)
        assert base.gates is not None
        for edit in edits_of(base.gates)[:-1]:
            after = edit.task(base.gates)
            assert after.input_names == base.input_names
            assert after.output_names[: len(base.output_names)] == base.output_names
            same = (after.y[:, : base.y.shape[1]] == base.y).all()
            assert bool(same) == (edit.kind == "output added")
            assert edit.gate in [*base.gates.gates, "added"]


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
    monkeypatch.setattr(drift_cells, "_sculpted", lambda task, depth: result)


def test_the_rows_of_a_task(monkeypatch: pytest.MonkeyPatch) -> None:
    fake(monkeypatch)
    rows = drift_cell("6-3-3-3", {})
    assert [row["kind"] for row in rows] == [edit.kind for edit in edits_of(GRAPH)]
    assert {row["base_verdict"] for row in rows} == {"exact"}
    for row in rows[:-1]:
        assert (row["status"], row["accuracy"], row["kept_rest"]) == ("ONE_PART", 1.0, 1.0)
        assert row["part_right"]
        assert row["named_right"]
        assert row["anew_steps"] == 600
    none = rows[-1]
    assert (none["status"], none["steps"], none["part"], none["anew_steps"]) == ("UNCHANGED", 0, "", None)
    assert none["named_right"]
    assert none["false_alarms"] <= 5
    assert [row["alarm"] for row in rows][-2:] == [None, None]  # an added output, and nothing
    assert rows[0]["part"] == "h1.1"
    text = drift_summary(rows)
    assert "5 changes of 1 functions." in text
    assert text.count("6-3-3-3") == 6


def truth(part: tuple[Any, ...], edit: Edit, changed: tuple[int, int, int] | None = None, status: str = "ONE_PART") -> Any:
    """The truth for a result in which one weight, (layer, unit, source), differs."""
    before = network()
    weights = [weight.copy() for weight in before.weights]
    if changed is not None:
        layer, unit, source = changed
        weights[layer - 1][unit, source] += 1
    found = ResculptResult(replace(before, weights=tuple(weights)), before, ResculptStatus[status], part=part)
    after = edit.task(GRAPH).gates
    assert after is not None
    return drift_cells._Truth(GRAPH, after, edit, found)


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
    assert not truth(((1, 1),), edit).one_reader


def test_the_rest_is_what_is_neither_into_nor_from_the_units_of_the_gate() -> None:
    edit = Edit("inner gate", "p", "x0 | x1")
    assert truth((), edit).kept_rest() == 1
    assert truth((), edit, changed=(1, 1, 0)).kept_rest() == 1
    assert truth((), edit, changed=(2, 0, 1)).kept_rest() == 1
    assert truth((), edit, changed=(1, 3, 2)).kept_rest() == pytest.approx(10 / 11)


def test_a_gate_with_one_reader_is_said_to_have_one() -> None:
    graph = GateGraph.parse({"p": "a & b", "y": "p | c", "z": "d & c"})
    assert drift_cells._one_reader(graph, "p")
    assert not drift_cells._one_reader(GRAPH, "p")


def row(**facts: Any) -> Row:
    return {
        "task": "a", "base_verdict": "exact", "kind": "inner gate", "gate": "p", "formula": "a", "new_formula": "b", "one_reader": False,
        "status": "ONE_PART", "part": "h1.1", "part_right": True, "named": "M0", "named_right": True, "modules_right": True, "kept": 0.9,
        "kept_rest": 1.0, "accuracy": 1.0, "edges": 15, "steps": 100, "anew_steps": 1000, "anew_edges": 15, "alarm": True,
        "false_alarms": None, "batches": None, **facts,
    }  # fmt: skip


def words(rows: list[Row]) -> list[str]:
    return [line.split("|")[-2].strip() for line in target_table(rows).splitlines()[2:]]


def test_targets_are_reached_or_not() -> None:
    none = row(kind="none", gate="", false_alarms=1, batches=100, status="UNCHANGED", anew_steps=None)
    good = [row() for _ in range(9)] + [row(named_right=False, part_right=False, modules_right=False), none]
    assert set(words(good)) == {"yes"}
    assert words([*good, row(named_right=False)])[0] == "no"
    assert words([*good, row(part_right=False, one_reader=True)])[1:5] == ["no", "yes", "yes", "yes"]
    assert words([row(kept_rest=0.5), none])[-3] == "no"
    assert words([row(steps=600), none])[-2] == "no"
    assert words([row(), {**none, "false_alarms": 5}])[-1] == "no"
    assert words([row(), {**none, "false_alarms": 3}])[-1] == "yes"
    assert words([]) == ["not run"] * 9


def test_the_study_runs_from_its_store_and_writes_its_summary(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    fake(monkeypatch)
    study = drift.study()
    study = replace(study, cells={"6-3-3-3": study.cells["6-3-3-3"]})
    rows = run(study, tmp_path, progress=False)
    assert len(rows) == 6
    assert "## Targets" in (tmp_path / "summary.md").read_text()
    assert np.isfinite([found["drift"] for found in rows]).all()
    assert task_of().y.shape == (64, 3)
