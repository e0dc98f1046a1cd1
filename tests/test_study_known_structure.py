"""The study of tasks of known structure: its cells, what a row has, and the report."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from test_study_digits import QUICK, spied

from analysis import compare, consensus, significance
from sculpting import CellResult, run, tasks
from sculpting.cli import main
from sculpting.studies import known_structure
from sculpting.studies.common import sampled
from sculpting.studies.common.sampled import selected_of
from sculpting.studies.common.selection import RULES, accuracies_on_test
from sculpting.studies.known_structure import cells as study_cells
from sculpting.studies.known_structure.cells import KINDS, SAMPLES, TABLES, cells_of, known_cell, task_of, width_of
from sculpting.studies.known_structure.report import known_summary

COLUMNS = [
    "kind", "task", "depth", "sample", "seeds", "seed", "rule", "density", "edges", "units", "verdict", "reason", "score", "modules_right",
    "right", "modules", "true_modules", "inputs_read", "outside", "p_value", "chance", "test_accuracy", "worst_accuracy", "test_rows",
    "dense_test_accuracy", "support", "seconds",
]  # fmt: skip


def small(kind: str, sample: int) -> tasks.Task:
    """The task of a kind with fewer rows."""
    return tasks.sensor_fusion(2, rows=600, validation=200, test=200, seed=sample) if kind == "two-sensors" else task_of(kind, sample)


@pytest.fixture(scope="module", params=["two-sensors", "sums-and-products"])
def cell(request: pytest.FixtureRequest) -> Any:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(study_cells, "task_of", small)
        patch.setattr(study_cells, "NULLS", 19)
        result, made = spied(patch, lambda: known_cell(request.param, "its name", 2, 1, study="test"), **QUICK)
    return request.param, result, made


def test_a_row_says_what_was_found(cell: Any) -> None:
    kind, result, made = cell
    task, rows = small(kind, 1), made.rows
    assert all(list(row) == COLUMNS for row in rows)
    assert [(row["seeds"], row["seed"], row["rule"]) for row in rows] == [
        (size, first, rule) for size, first in ((4, 4), (1, 4), (1, 5), (1, 6), (1, 7)) for rule in RULES
    ]
    assert result.seeds == (4, 5, 6, 7)
    row, found = rows[0], consensus(result.candidates)
    same, chance = compare(found, task.truth(2)), significance(found, nulls=19)
    assert (row["kind"], row["task"], row["depth"], row["sample"]) == (kind, "its name", 2, 1)
    assert (row["verdict"], row["score"], row["modules_right"]) == (same.verdict, same.score, same.exact)
    assert row["right"] is (same.verdict not in ("mixed", "wrong"))
    assert (row["modules"], row["true_modules"], row["outside"]) == (len(found.modules), 3, 0)
    assert (row["p_value"], row["chance"]) == (chance.p_value, chance.verdict)
    x, y = (task.x, task.y) if task.complete else (task.x_test, task.y_test)
    assert row["test_rows"] == len(y)  # type: ignore[arg-type]
    answers = found.graph.evaluate(x.numpy()) > 0  # type: ignore[union-attr]
    assert row["test_accuracy"] == row["worst_accuracy"] == pytest.approx((answers == (y.numpy() > 0)).mean())  # type: ignore[union-attr]
    if not task.complete:
        assert row["dense_test_accuracy"] == pytest.approx(np.mean(accuracies_on_test(result.dense, task)))
    assert list(made.files) == [f"networks/{kind}_depth2_sample1.safetensors"]


def test_where_nothing_was_accepted_nothing_is_right(cell: Any) -> None:
    kind, result, _ = cell
    task = small(kind, 1)
    nothing: Any = SimpleNamespace(candidates=(), dense=result.dense)
    row = study_cells._columns(task, task.truth(2), nothing, selected_of((), range(4, 8), "consensus", {}))
    assert list(row) == COLUMNS[10:25]
    assert (row["verdict"], row["modules_right"], row["right"], row["score"], row["outside"]) == ("none", False, False, None, None)
    assert row["dense_test_accuracy"] > 0.5


def test_inputs_that_no_output_needs_and_the_worst_output_are_counted() -> None:
    task = tasks.sprite_scenes("alone", rows=100, validation=100, test=100)
    first = np.zeros((3, 100), dtype=np.float32)
    first[0, 0], first[1, 5], first[2, 50], first[2, 99] = 1, 1, 1, 1
    from analysis import detect_modules

    found = detect_modules([first, np.eye(3, dtype=np.float32)])
    assert study_cells._of_modules(found, task.truth(1))["outside"] == 1
    network: Any = SimpleNamespace(model=lambda: lambda x: torch.where(torch.arange(3) == 0, task.y_test - 0.5, torch.tensor(-1.0)))
    right = study_cells._right_bits(network, task)
    assert right[0] == 1
    assert right.min() == pytest.approx(0.5)


def test_the_cells_have_samples_that_differ_and_widths_by_the_rule() -> None:
    cells = cells_of(KINDS)
    assert len(cells) == len(KINDS) * len(SAMPLES) == 21
    assert 0 not in SAMPLES  # that one is for settings
    assert cells["comparisons_depth2_sample3"] == {
        "kind": "comparisons", "task": "expression-parity:digits=3,operators=<=", "depth": 2, "sample": 3,
    }  # fmt: skip
    assert not torch.equal(task_of("scenes", 1).x, task_of("scenes", 2).x)
    assert [width_of(task_of(kind, 1)) for kind in ("two-sensors", "scenes", "comparisons")] == [24, 25, 24]
    for kind in KINDS:
        assert (kind in TABLES) is task_of(kind, 1).complete
        truth = task_of(kind, 1).truth(2)
        assert max(len(path) for a in truth for b in truth for path in _paths(truth, a, b)) <= 2


def _paths(truth: Any, a: Any, b: Any) -> list[Any]:
    import networkx as nx

    return [[a]] if a == b else list(nx.all_simple_paths(truth, a, b))


def test_the_committed_rows_are_of_the_settings_and_cells_of_today() -> None:
    folder = Path(__file__).parents[1] / "docs" / "known-structure"
    made = json.loads((folder / "study.json").read_text())["settings"]
    assert made == json.loads(json.dumps(known_structure.study([]).settings))
    with (folder / "rows.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [*rows[0]] == COLUMNS
    assert {(row["kind"], row["task"].lstrip("'"), int(row["sample"])) for row in rows} == {
        (cell["kind"], cell["task"], cell["sample"]) for cell in cells_of(KINDS).values()
    }
    page = folder.with_suffix(".md").read_text()
    summary = known_summary([_typed(row) for row in rows])
    assert all(line in page for line in summary.split("\n") if line.startswith("|"))


def _typed(row: dict[str, str]) -> Any:
    """A row of the file with numbers in place of their texts."""
    words = ("kind", "task", "rule", "units", "verdict", "reason", "chance")
    return {name: text if name in words else None if text == "" else json.loads(text.lower()) for name, text in row.items()}


def test_kinds_that_the_study_lacks_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ValueError, match=r"kinds must be some of two-sensors, .*; got sensors"):
        known_structure.study(["sensors"])
    assert main(["study", "known-structure", "--kinds", "scenes", "words"]) == 2
    assert "got scenes, words" in capsys.readouterr().err


def fake_cell(kind: str, task: str, depth: int, sample: int, **_: Any) -> CellResult:
    """Rows without sculpting: exact, but of scenes one seed is mixed and reads what it need not."""
    rows = []
    for seeds, seed in ((4, 4), (1, 4), (1, 5), (1, 6), (1, 7)):
        for rule in RULES:
            bad = kind == "scenes" and seed == 7
            known = [kind, task, depth, sample, seeds, seed, rule, 0.01, 20, "6-4-6", "mixed" if bad else "exact", "", 0.5 if bad else 1.0]
            known += [not bad, not bad, 3, 3, 6, int(bad), 0.01, "more than chance", 0.95, 0.9, 100, 0.98, 0.5, 10.0 * seeds]
            rows.append(dict(zip(COLUMNS, known, strict=True)))
    return CellResult(rows)


def test_the_study_reports_kinds_and_every_cell(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(known_structure, "known_cell", fake_cell)
    assert main(["study", "known-structure", "--kinds", "comparisons", "scenes", "--out", str(tmp_path)]) == 0
    shown = capsys.readouterr().out
    for part in (
        "6 cells (kind, depth, sample) were run.",
        "| scenes | 3 | 3 exact | 1.00 | 9/12 (0.47-0.91) | 9/12 (0.47-0.91) | 0.88 | 3/12 | 0.950 | 0.980 |",
        "| comparisons | 3 | 3 exact | 1.00 | 12/12 (0.76-1.00) | 12/12 (0.76-1.00) | 1.00 | 0/12 | 0.950 | 0.980 |",
        "| all | 6 | 6 exact | 1.00 | 21/24 (0.69-0.96) |",
        "| scenes | 2 | exact | 1.00 | 3/3 | 0.010 | more than chance | 0.50 | 20 | 6 | 0.950 | 0.900 (0.826-0.945) | 0.980 | ",
        " | 3 exact, 1 mixed | 40 |",
        "| comparisons | 2 | exact | 1.00 | 3/3 | 0.010 | more than chance | 0.50 | 20 | 6 | 0.950 | 0.900 | 0.980 | 4 exact | 40 |",
        "0.07 hours of one core.",
    ):
        assert part in shown


def test_a_picture_is_drawn_of_each_kind(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    sculpt = sampled.sculpt
    monkeypatch.setattr(sampled, "sculpt", lambda *a, **k: sculpt(*a, **k, **QUICK))
    monkeypatch.setattr(study_cells, "task_of", small)
    monkeypatch.setattr(study_cells, "SAMPLES", (1,))
    monkeypatch.setattr(study_cells, "NULLS", 19)
    run(known_structure.study(["two-sensors"]), tmp_path, progress=False)
    assert [path.name for path in tmp_path.glob("*.svg")] == ["two-sensors_depth2.svg"]
