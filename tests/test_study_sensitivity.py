"""The sensitivity study: one setting changed at a time."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from test_study_boolean import COLUMNS, fake_cell, refuse

from analysis.figures import success_bars
from sculpting import TrainingSettings, run
from sculpting.cli import main
from sculpting.studies import sensitivity
from sculpting.studies.sensitivity import cells as sensitivity_cells
from sculpting.studies.sensitivity import report as sensitivity_report
from sculpting.study import CellResult


def test_one_setting_is_changed_at_a_time(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    changes: list[dict[str, Any]] = []

    def spy(*arguments: Any) -> CellResult:
        changes.append(arguments[-1])
        return fake_cell(*arguments)

    monkeypatch.setattr(sensitivity_cells, "rows_by_selection", spy)
    monkeypatch.setattr("analysis.drawing.encoding.DOTS_PER_INCH", 30)
    assert main(["study", "sensitivity", "--out", str(tmp_path)]) == 0
    shown = capsys.readouterr().out
    assert all(len(change) <= 1 for change in changes)
    assert changes.count({}) == 6
    rate = TrainingSettings().learning_rate
    grids = (("unit_steps", (0.1, 0.3, 0.5, 0.7)), ("edge_steps", (0.005, 0.01, 0.015, 0.02, 0.025)))
    single = [{name: [value]} for name, values in grids for value in values]
    expected = [{"learning_rate": x * rate} for x in (0.25, 0.5, 2)] + [{"steps": n} for n in (30, 60, 120, 240)]
    expected += [{"input_noise": x} for x in (0, 0.05, 0.2, 0.3)] + [{"hidden_noise": x} for x in (0, 0.15, 0.6, 1)] + single
    expected += [{"final_rate": 0.3}, {"final_rate": 1}, {"weight_decay": 0}, {"weight_decay": 1e-3}, {"dense_rounds": 1}]
    expected += [{"activation": name} for name in ("relu", "tanh", "sigmoid")] + [{"rate_width": width} for width in (None, 6, 24)]
    expected += [{"unit_tries": 1}, {"unit_tries": 4}, {"edge_tries": 1}, {"edge_score": "magnitude"}]
    assert [changes.count(change) for change in expected] == [6] * len(expected)
    assert len(changes) == 6 * (len(expected) + 1)
    for part in (f"| learning_rate | {rate / 4:g} | 0/6 | 0/6 |", "| steps | 30 epochs (default) | 6/6 | 6/6 |",
                 "| rate_width | every | 0/6 | 0/6 |",
                 "| input_noise | 0 | 0/6 | 6/6 |", "| unit_step | grid (default) | 6/6 | 6/6 |",
                 "| edge_step | 0.025 | 0/6 | 0/6 |", "| merge_threshold | 0.5 | 0/6 | 0/6 |",
                 "| merge_threshold | 0.9 (default) | 6/6 | 6/6 |", "| halving | 0.2 (default) | 6/6 | 6/6 |",
                 "| unit_cost | 2 (default) | 6/6 | 6/6 |",
                 f"are in {tmp_path}"):  # fmt: skip
        assert part in shown
    assert (tmp_path / "summary.md").read_text() in shown
    assert (tmp_path / "sensitivity.svg").read_text().startswith("<?xml")
    assert (tmp_path / "sensitivity.png").read_bytes().startswith(b"\x89PNG")


def test_rows_of_sensitivity_are_in_the_order_of_parameters_and_values(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(sensitivity_cells, "rows_by_selection", fake_cell)
    monkeypatch.setattr(sensitivity_report, "_figure", lambda rows: success_bars({"a": {"b": None}}).figure)
    rows = run(sensitivity.study(groups=2), tmp_path, progress=False)
    assert all(list(row) == ["parameter", "value", "is_default", *COLUMNS] for row in rows)
    parameters = ["activation", "learning_rate", "final_rate", "rate_width", "steps", "input_noise", "hidden_noise", "weight_decay"]
    parameters += [
        "dense_rounds",
        "edge_score",
        "unit_tries",
        "edge_tries",
        "unit_step",
        "edge_step",
        "merge_threshold",
        "halving",
        "unit_cost",
    ]
    assert list(dict.fromkeys(row["parameter"] for row in rows)) == parameters
    for name in parameters:
        some = [row for row in rows if row["parameter"] == name]
        values = [row["value"] for row in some if row["value"] is not None]
        assert values == sorted(values)
        assert {row["value"] is None for row in some if row["is_default"]} == {name.endswith("_step") or name == "steps"}
        assert len(some) == len({row["value"] for row in some}) * 6 * 2
        assert sum(row["is_default"] for row in some) == 6 * 2
    assert {(row["task"], row["width"], row["depth"]) for row in rows} == {
        ("[4, 2, 4]", 36, 2), ("[6, 3, 3, 3]", 36, 2), ("[4, 1, 4]", 36, 2), ("[4, 1, 2, 16]", 36, 2), ("[8, 2, 1, 2, 4]", 48, 3),
        ("[6, 3, 2, 4]", 36, 2),
    }  # fmt: skip
    assert {row["seed"] for row in rows} == {0, 4}
    monkeypatch.setattr(sensitivity_cells, "rows_by_selection", refuse)
    assert run(sensitivity.study(groups=2), tmp_path, progress=False) == rows


def test_a_merge_threshold_reads_the_same_candidates_again() -> None:
    points = [{"parameter": "merge_threshold", "value": value, "is_default": value == 0.9} for value in (0.0, 0.9)]
    points.append({"parameter": "steps", "value": 60, "is_default": True})
    rows = sensitivity_cells.sensitivity_cell([4, 2, 4], 8, 1, 1, points, {"unit_steps": [0.5], "edge_steps": [0.05]})
    assert [row["value"] for row in rows] == [0.0, 0.9, 60]
    assert {row["rule"] for row in rows} == {"consensus"}
    assert [rows[1][name] for name in COLUMNS] == [rows[2][name] for name in COLUMNS]


def test_the_detector_gets_the_merge_threshold_and_the_consensus_the_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[dict[str, Any]] = []
    monkeypatch.setattr(
        sensitivity_cells, "rows_by_selection", lambda *arguments: given.extend(s.options for s in arguments[-2]) or CellResult([])
    )
    some = {"merge_threshold": 0.5, "halving": 0.1, "unit_cost": 0, "steps": 60}
    points = [{"parameter": name, "value": value} for name, value in some.items()]
    sensitivity_cells.sensitivity_cell([4, 2, 4], 8, 1, 1, points, {})
    assert given == [{"merge_threshold": 0.5}, {"halving": 0.1}, {"unit_cost": 0}, {}]
