"""The studies of the command line: their cells, what a row says, and that a study that was run is only read again."""

from __future__ import annotations

import csv
import json
from collections import Counter
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import networkx as nx
import numpy as np
import pytest

from analysis import Hierarchy, LayeredGraph, compare, consensus, detect_modules
from analysis.drawing import encoding
from analysis.figures import success_bars
from sculpting import SculptResult, cli, sculpt, tasks
from sculpting.cli import main
from sculpting.store import Row
from sculpting.studies.boolean import cells as boolean_cells
from sculpting.studies.boolean import report as boolean_report
from sculpting.studies.boolean.cells import boolean_cell, boolean_study, shapes, study_hours
from sculpting.studies.common import answers
from sculpting.studies.common.answers import Question, answer_cell, settings_of
from sculpting.studies.sensitivity import cells as sensitivity_cells

COLUMNS = [
    "task", "use", "overlap", "width", "depth", "seeds", "seed", "rule", "density", "edges", "units", "accuracy", "support",
    "inputs_right", "outputs_right", "hidden_right", "modules_right", "exact", "valid", "seconds",
]  # fmt: skip
VERDICTS = COLUMNS[-7:-1]
KEYS = [list(key) for key in tasks.boolean_tasks()]


@pytest.fixture(scope="module")
def cell() -> tuple[SculptResult, list[Row]]:
    """The candidates of one small cell of two groups, and its rows."""
    results: list[SculptResult] = []

    def spy(*arguments: Any, **options: Any) -> SculptResult:
        results.append(sculpt(*arguments, **options, unit_steps=[50, 20], edge_steps=[5, 2]))
        return results[0]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(answers, "sculpt", spy)
        rows = boolean_cell([6, 3, 3, 3], width=12, depth=1, groups=2)
    (result,) = results
    return result, rows


def fake_cell(task: list[int], width: int, depth: int, groups: int, questions: list[Question], sculpting: dict[str, Any]) -> list[Row]:
    """Rows without sculpting: right where nothing was changed, valid where noise was."""
    rows: list[Row] = []
    for question in questions:
        values = [str(list(task)), 2, None, width, depth, len(question.seeds), question.seeds[0], question.rule]
        right = not sculpting and question.options.get("merge_threshold", 1) > 0.5
        verdicts = dict.fromkeys(VERDICTS, right) | {"valid": right or "input_noise" in sculpting}
        nothing = dict.fromkeys(COLUMNS[8:13])
        rows.append({**question.labels, **dict(zip(COLUMNS, values, strict=False)), **nothing, **verdicts, "seconds": 36.0})
    return rows


@pytest.fixture
def no_report(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    monkeypatch.setattr(boolean_report, "write_boolean_report", lambda rows, folder: [])
    return monkeypatch


def refuse(*_: Any, **__: Any) -> list[Row]:
    raise AssertionError("sculpted again")


# --- One cell -----------------------------------------------------------------------------------------------------------------


def test_a_cell_has_ten_rows_a_group_in_the_agreed_columns(cell: tuple[SculptResult, list[Row]]) -> None:
    _, rows = cell
    assert all(list(row) == COLUMNS for row in rows)
    groups = [(4, 0), (4, 4), *((1, seed) for seed in range(8))]
    assert [(row["seeds"], row["seed"], row["rule"]) for row in rows] == [(*g, rule) for g in groups for rule in ("consensus", "sparsest")]
    assert {(row["task"], row["use"], row["overlap"], row["width"], row["depth"]) for row in rows} == {("[6, 3, 3, 3]", 2, None, 12, 1)}


def test_a_row_says_what_its_rule_chooses_among_its_seeds(cell: tuple[SculptResult, list[Row]]) -> None:
    result, rows = cell
    truth = tasks.boolean("both").truth(hidden_layers=1)
    assert result.seeds == tuple(range(8))
    for row in rows:
        own = [c for c in result.candidates if row["seed"] <= c.origin["seed"] < row["seed"] + row["seeds"]]
        assert len(own) == 4 * row["seeds"]
        found = consensus(own) if row["rule"] == "consensus" else detect_modules(own[0])
        told = compare(found, truth)
        expected = [told.inputs.exact, told.outputs.exact, False, told.exact, told.connected, told.valid]
        assert [row[name] for name in VERDICTS] == expected
        assert (row["edges"], row["density"]) == (found.network.edge_count, found.network.density)
        assert row["units"] == "-".join(map(str, found.network.unit_counts))
        assert row["accuracy"] == 1.0
        assert row["support"] == (found.support if row["rule"] == "consensus" else None)
    assert len({row["edges"] for row in rows}) > 1 or len({row["support"] for row in rows}) > 3
    assert any(row["modules_right"] for row in rows)


def test_seconds_of_all_rows_of_a_kind_are_those_of_the_cell(cell: tuple[SculptResult, list[Row]]) -> None:
    _, rows = cell
    kinds = Counter[tuple[str, int]]()
    for row in rows:
        kinds[row["rule"], row["seeds"]] += row["seconds"]
        assert row["seconds"] > 0
    assert list(kinds.values()) == pytest.approx([study_hours(rows) * 3600] * 4, abs=0.01)


def test_where_nothing_was_accepted_a_row_has_the_best_accuracy_and_no_success() -> None:
    (row,) = answer_cell([4, 2, 4], 1, 1, 1, [Question(range(4), "consensus")], {"unit_steps": [50], "edge_steps": [5]})
    assert 0.5 <= row["accuracy"] < 1
    assert [row[name] for name in COLUMNS[8:13] if name != "accuracy"] == [None] * 4
    assert not any(row[name] for name in VERDICTS)


def test_the_best_accuracy_is_that_of_the_seeds() -> None:
    reached = {0: (0.5, 0.6), 1: (0.9, 0.8), 2: (0.7,), 3: (1.0,)}
    attempts = [SimpleNamespace(chain=SimpleNamespace(seed=seed), accuracy=a) for seed, some in reached.items() for a in some]
    nothing: Any = SimpleNamespace(candidates=(), history=tuple(attempts))
    told = [answers._answer(nothing, nx.DiGraph(), Question(seeds, "sparsest"))["accuracy"] for seeds in (range(1), range(3), range(2, 3))]
    assert told == [0.6, 0.9, 0.7]


def test_each_verdict_is_its_own_part_of_the_comparison(monkeypatch: pytest.MonkeyPatch) -> None:
    parts = {"inputs_right": "inputs", "outputs_right": "outputs", "modules_right": "exact", "exact": "connected", "valid": "valid"}
    monkeypatch.setattr(answers, "_hidden_right", lambda found: False)
    for name, part in parts.items():
        ends = {side: SimpleNamespace(exact=part == side) for side in ("inputs", "outputs")}
        told = SimpleNamespace(exact=part == "exact", connected=part == "connected", valid=part == "valid" or None, **ends)
        monkeypatch.setattr("analysis.compare", lambda found, truth, told=told: told)
        assert answers._verdicts(None, nx.DiGraph()) == {verdict: verdict == name for verdict in VERDICTS}


def test_what_is_changed_is_sculpted_with(monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[dict[str, Any]] = []
    monkeypatch.setattr(answers, "sculpt", lambda model, task, **options: given.append(options))
    answer_cell([4, 2, 4], 8, 1, 2, [], {"steps": 30})
    assert given == [{"seeds": 8, "progress": False, "steps": 30}]


def test_seeds_without_a_candidate_stand_for_themselves(cell: tuple[SculptResult, list[Row]]) -> None:
    result, _ = cell
    part = replace(result, candidates=tuple(c for c in result.candidates if c.origin["seed"] != 2))
    truth = tasks.boolean("both").truth(hidden_layers=1)
    alone, with_others = (answers._answer(part, truth, Question(seeds, "sparsest")) for seeds in (range(2, 3), range(0, 4)))
    assert alone["edges"] is None
    assert alone["accuracy"] == max(a.accuracy for a in result.history if a.chain.seed == 2)
    assert with_others["edges"] is not None


@pytest.mark.parametrize(
    ("labels", "right"),
    [
        ([[0, 0, 1, 1], [0, 1, -1], [0, 1], [0, 1]], True),
        ([[2, 2, 2, 2], [0, 1, -1], [0, 1], [0, 1]], True),
        ([[0, 0, 1, 1], [0, 1, 2], [0, 1], [0, 1]], False),
        ([[0, 0, 1, 1], [0, 1, -1], [2, 3], [0, 1]], False),
        ([[0, 0, 1, 1], [0, 1, -1], [0, 0], [0, 1]], False),
        ([[0, 0, 0, 0], [0, 0, -1], [0, 0], [0, 0]], False),
        ([[0, 0, 1, 1], [0, 1, 2], [0, 1], [0, 1, 2]], False),
    ],
)
def test_hidden_units_are_right_when_every_layer_has_the_two_output_modules(labels: list[list[int]], right: bool) -> None:
    arrays = tuple(np.array(part) for part in labels)
    widths = [len(part) for part in labels]
    graph = LayeredGraph.from_weights([np.ones((b, a)) for a, b in pairwise(widths)])
    assert answers._hidden_right(Hierarchy(graph, arrays, arrays)) is right


# --- The Boolean study --------------------------------------------------------------------------------------------------------


def test_the_whole_study_is_as_published(no_report: pytest.MonkeyPatch, tmp_path: Path) -> None:
    no_report.setattr(boolean_cells, "answer_cell", fake_cell)
    told: list[tuple[int, int]] = []
    rows = boolean_study(tmp_path, progress=lambda *counts: told.append(counts))
    assert told[-1] == (342, 342)
    assert len(rows) == 342 * 40
    assert {row["seed"] for row in rows if row["seeds"] == 4} == {0, 4, 8, 12}
    assert list(dict.fromkeys(row["task"] for row in rows)) == list(map(str, KEYS))
    shape = {(row["task"], row["width"], row["depth"]) for row in rows}
    assert {s for s in shape if s[0] == "[4, 1, 2, 8]"} == {("[4, 1, 2, 8]", w, d) for w in (24, 36, 48) for d in (1, 2, 3)}
    assert {s for s in shape if s[0] == "[8, 2, 1, 2, 8]"} == {("[8, 2, 1, 2, 8]", w, d) for w in (36, 48, 60) for d in (2, 3, 4)}
    assert study_hours(rows) == pytest.approx(342 * 4 * 36 / 3600)


def test_use_and_overlap_of_every_task(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answers, "sculpt", lambda *_, **__: None)
    monkeypatch.setattr(answers, "_answer", lambda *_: {"seeds": 4})
    facts = {}
    for key in KEYS:
        (row,) = answer_cell(key, 8, 3, 1, [Question(range(4), "sparsest")], {})
        facts[tuple(key)] = row["use"], row["overlap"]
    assert [facts[key] for key in ((4, 2, 4), (6, 3, 3, 3), (4, 1, 4))] == [(2, None), (2, None), (4, None)]
    assert [facts[4, 1, 2, k] for k in (2, 4, 8, 12, 16)] == [(use, None) for use in (1, 2, 4, 6, 8)]
    assert [facts[8, 2, 1, 2, k] for k in (2, 16)] == [(1, None), (8, None)]
    families = [(8, 2), (7, 3, 2), (6, 3, 2), (5, 3, 2), (4, 1, 2, 2)]
    assert [facts[*family, 4] for family in families] == [(2, overlap) for overlap in range(5)]


def test_the_truth_is_that_of_the_depth(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answers, "sculpt", lambda *_, **__: None)
    monkeypatch.setattr(answers, "_answer", lambda result, truth, question: {"seeds": 4, "modules": len(truth)})
    rows = [answer_cell([4, 1, 2, 4], 8, depth, 1, [Question(range(4), "sparsest")], {})[0] for depth in (1, 2, 3)]
    assert [row["modules"] for row in rows] == [1, 3, 3]


def test_the_command_runs_reports_and_goes_on(no_report: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    no_report.setattr(boolean_cells, "shapes", lambda key: ((8,), (1,)))
    command = ["study", "boolean", "--tasks", "input-separable", "--groups", "1", "--out", str(tmp_path)]
    assert main(command) == 0
    told = capsys.readouterr()
    assert "1/1" in told.err
    for part in ("# The Boolean study", "`[4,2,4]`", "hours of one core", f"rows, summary and figures are in {tmp_path}"):
        assert part in told.out
    rows, table = json.loads((tmp_path / "rows.json").read_text()), (tmp_path / "rows.csv").read_text()
    assert len(rows) == 10
    assert [row["edges"] for row in csv.DictReader(table.splitlines())] == [str(row["edges"]) for row in rows]
    no_report.setattr(boolean_cells, "answer_cell", refuse)
    assert main([*command, "--quiet"]) == 0
    assert capsys.readouterr() == ("", "")
    assert json.loads((tmp_path / "rows.json").read_text()) == rows
    assert (tmp_path / "rows.csv").read_text() == table
    assert main([*command, "--groups", "2"]) == 2
    assert "other settings: groups is 1 there and 2 now. Give another folder" in capsys.readouterr().err


def test_the_command_passes_its_options_on(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    given: list[Any] = []
    for name in ("boolean_study", "sensitivity_study"):
        monkeypatch.setattr(cli, name, lambda folder, **options: given.append((str(folder), options)) or [])
    options = ["--groups", "2", "--jobs", "3", "--out", "here", "--quiet"]
    for arguments in (["boolean"], ["sensitivity"], ["boolean", "--tasks", "both", "4,1,4", *options], ["sensitivity", *options]):
        assert main(["study", *arguments]) == 0
    assert given == [
        ("runs/study-boolean", {"tasks": None, "groups": 4, "jobs": 1, "progress": True}),
        ("runs/study-sensitivity", {"groups": 1, "jobs": 1, "progress": True}),
        ("here", {"tasks": ["both", "4,1,4"], "groups": 2, "jobs": 3, "progress": False}),
        ("here", {"groups": 2, "jobs": 3, "progress": False}),
    ]
    assert capsys.readouterr().out.count("are in") == 2


@pytest.mark.slow
def test_the_whole_report_is_written(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(boolean_cells, "answer_cell", fake_cell)
    boolean_study(tmp_path, progress=False)
    names = [f"{name}.{kind}" for name in ("exemplars", "hierarchy", "overlap", "reuse") for kind in ("png", "svg")]
    files = sorted(p.name for p in tmp_path.iterdir())
    assert files == sorted([*names, "cells", "rows.csv", "rows.json", "study.json", "summary.md"])


@pytest.mark.parametrize(("function", "name"), [(sculpt, "learning_rate"), (consensus, "halving"), (detect_modules, "merge_threshold")])
def test_a_changed_default_is_not_mixed_with_old_cells(function: Any, name: str, no_report: pytest.MonkeyPatch, tmp_path: Path) -> None:
    no_report.setattr(boolean_cells, "answer_cell", fake_cell)
    boolean_study(tmp_path, tasks=["both"], progress=False)
    boolean_study(tmp_path, tasks=["none", [6, 3, 3, 3]], progress=False)
    no_report.setitem(function.__kwdefaults__, name, 0.123)
    with pytest.raises(ValueError, match=rf"settings: {function.__name__}\.{name} is [\d.]+ there and 0\.123 now\. "):
        boolean_study(tmp_path, tasks=["both"], progress=False)


def test_settings_are_what_decides_a_result() -> None:
    settings = settings_of(4)
    assert settings["groups"] == 4
    assert {"sculpt.steps", "sculpt.learning_rate", "sculpt.unit_steps", "detect_modules.merge_threshold"} <= set(settings)
    assert {f"consensus.{name}" for name in consensus.__kwdefaults__} <= set(settings)
    assert not {f"sculpt.{name}" for name in ("seeds", "device", "max_members", "progress", "model", "data")} & set(settings)
    for groups in (0, 2.0, "four"):
        with pytest.raises(ValueError, match="groups must be a whole number of groups of four seeds, at least 1; got"):
            settings_of(groups)  # type: ignore[arg-type]


@pytest.mark.slow
def test_several_jobs_give_the_rows_of_one(tmp_path: Path) -> None:
    """Over whole cells of the study, but for the seconds."""
    both = [boolean_study(tmp_path / str(jobs), tasks=["none"], groups=1, jobs=jobs, progress=False) for jobs in (1, 2)]
    first, second = ([{**row, "seconds": 0} for row in rows] for rows in both)
    assert first == second


# --- Sensitivity --------------------------------------------------------------------------------------------------------------


def test_one_setting_is_changed_at_a_time(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    changes: list[dict[str, Any]] = []

    def spy(*arguments: Any) -> list[Row]:
        changes.append(arguments[-1])
        return fake_cell(*arguments)

    monkeypatch.setattr(sensitivity_cells, "answer_cell", spy)
    monkeypatch.setattr(encoding, "DOTS_PER_INCH", 30)
    assert main(["study", "sensitivity", "--out", str(tmp_path)]) == 0
    told = capsys.readouterr().out
    assert all(len(change) <= 1 for change in changes)
    assert changes.count({}) == 6
    defaults = sculpt.__kwdefaults__
    rate = defaults["learning_rate"]
    single = [
        {name: [value]} for name, values in (("unit_steps", (10, 30, 50, 70)), ("edge_steps", (0.5, 1, 1.5, 2, 2.5))) for value in values
    ]
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
                 "| edge_step | 2.5 | 0/6 | 0/6 |", "| merge_threshold | 0.5 | 0/6 | 0/6 |",
                 "| merge_threshold | 0.9 (default) | 6/6 | 6/6 |", "| halving | 0.2 (default) | 6/6 | 6/6 |",
                 "| unit_cost | 2 (default) | 6/6 | 6/6 |",
                 f"are in {tmp_path}"):  # fmt: skip
        assert part in told
    assert (tmp_path / "summary.md").read_text() in told
    assert (tmp_path / "sensitivity.svg").read_text().startswith("<?xml")
    assert (tmp_path / "sensitivity.png").read_bytes().startswith(b"\x89PNG")


def test_rows_of_sensitivity_are_in_the_order_of_parameters_and_values(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(sensitivity_cells, "answer_cell", fake_cell)
    monkeypatch.setattr(sensitivity_cells, "_figure", lambda rows: success_bars({"a": {"b": None}}).figure)
    rows = sensitivity_cells.sensitivity_study(tmp_path, groups=2, progress=False)
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
    monkeypatch.setattr(sensitivity_cells, "answer_cell", refuse)
    assert sensitivity_cells.sensitivity_study(tmp_path, groups=2, progress=False) == rows


def test_a_merge_threshold_reads_the_same_candidates_anew() -> None:
    points = [{"parameter": "merge_threshold", "value": value, "is_default": value == 0.9} for value in (0.0, 0.9)]
    points.append({"parameter": "steps", "value": 60, "is_default": True})
    rows = sensitivity_cells.sensitivity_cell([4, 2, 4], 8, 1, 1, points, {"unit_steps": [50], "edge_steps": [5]})
    assert [row["value"] for row in rows] == [0.0, 0.9, 60]
    assert {row["rule"] for row in rows} == {"consensus"}
    assert [rows[1][name] for name in COLUMNS] == [rows[2][name] for name in COLUMNS]


def test_the_detector_gets_the_merge_threshold_and_the_consensus_the_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[dict[str, Any]] = []
    monkeypatch.setattr(sensitivity_cells, "answer_cell", lambda *arguments: given.extend(q.options for q in arguments[-2]))
    some = {"merge_threshold": 0.5, "halving": 0.1, "unit_cost": 0, "steps": 60}
    points = [{"parameter": name, "value": value} for name, value in some.items()]
    sensitivity_cells.sensitivity_cell([4, 2, 4], 8, 1, 1, points, {})
    assert given == [{"merge_threshold": 0.5}, {"halving": 0.1}, {"unit_cost": 0}, {}]


def test_shapes_are_those_of_every_family() -> None:
    assert {shapes(key) for key in KEYS} == {((24, 36, 48), (1, 2, 3)), ((36, 48, 60), (2, 3, 4))}


@pytest.mark.parametrize(("name", "groups"), [("study", 4), ("sensitivity", 1)])
def test_the_studies_in_the_documentation_were_made_with_the_defaults_of_today(name: str, groups: int) -> None:
    # Whoever changes a default has to make the study anew, or to say in the documentation that it stands for another one.
    made = json.loads((Path(__file__).parents[1] / "docs" / name / "study.json").read_text())
    assert made["settings"] == json.loads(json.dumps(settings_of(groups)))
