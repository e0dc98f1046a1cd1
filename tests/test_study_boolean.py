"""The Boolean study: its cells, what a row has, and that a study that was run is only read again."""

from __future__ import annotations

import csv
import json
from collections import Counter
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import networkx as nx
import numpy as np
import pytest

from analysis import Hierarchy, LayeredGraph, compare, consensus, detect_modules
from sculpting import SculptResult, run, sculpt, tasks
from sculpting.cli import main
from sculpting.executors import workers
from sculpting.store import Row
from sculpting.studies import boolean
from sculpting.studies.boolean import cells as boolean_cells
from sculpting.studies.boolean import report as boolean_report
from sculpting.studies.boolean.cells import Selection, boolean_cell, rows_by_selection, shapes
from sculpting.studies.boolean.report import boolean_summary
from sculpting.studies.common import candidates as common_candidates
from sculpting.studies.common.candidates import Sculpted, candidates_file, sculpted
from sculpting.studies.common.settings import PUBLISHED, settings_of
from sculpting.study import CellResult, Study

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
        results.append(sculpt(*arguments, **options, unit_steps=[0.5, 0.2], edge_steps=[0.05, 0.02]))
        return results[0]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(common_candidates, "sculpt", spy)
        rows = list(boolean_cell([6, 3, 3, 3], width=12, depth=1, groups=2).rows)
    (result,) = results
    return result, rows


def fake_cell(
    task: list[int], width: int, depth: int, groups: int, selections: list[Selection], changed: dict[str, Any], _: str | None = None
) -> CellResult:
    """Rows without sculpting: right where nothing was changed, valid where noise was."""
    rows: list[Row] = []
    for selection in selections:
        values = [str(list(task)), 2, None, width, depth, len(selection.seeds), selection.seeds[0], selection.rule]
        right = not changed and selection.options.get("merge_threshold", 1) > 0.5
        verdicts = dict.fromkeys(VERDICTS, right) | {"valid": right or "input_noise" in changed}
        nothing = dict.fromkeys(COLUMNS[8:13])
        rows.append({**selection.labels, **dict(zip(COLUMNS, values, strict=False)), **nothing, **verdicts, "seconds": 36.0})
    return CellResult(rows)


def study(**options: Any) -> Study:
    """The study without its figures."""
    return replace(boolean.study(**options), report=lambda rows, read: {"summary.md": boolean_summary(rows).encode()})


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
        found = consensus(own, **PUBLISHED) if row["rule"] == "consensus" else detect_modules(own[0], **PUBLISHED)
        same = compare(found, truth)
        expected = [same.inputs.exact, same.outputs.exact, False, same.exact, same.connected, same.valid]
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
    assert list(kinds.values()) == pytest.approx([kinds["consensus", 4]] * 4, abs=0.01)


def test_where_nothing_was_accepted_a_row_has_the_best_accuracy_and_no_success() -> None:
    (row,) = rows_by_selection([4, 2, 4], 1, 1, 1, [Selection(range(4), "consensus")], {"unit_steps": [0.5], "edge_steps": [0.05]}).rows
    assert 0.5 <= row["accuracy"] < 1
    assert [row[name] for name in COLUMNS[8:13] if name != "accuracy"] == [None] * 4
    assert not any(row[name] for name in VERDICTS)


def test_the_best_accuracy_is_that_of_the_seeds() -> None:
    reached = {0: (0.5, 0.6), 1: (0.9, 0.8), 2: (0.7,), 3: (1.0,)}
    attempts = [SimpleNamespace(chain=SimpleNamespace(seed=seed), accuracy=a) for seed, some in reached.items() for a in some]
    nothing = Sculpted.of(cast(Any, SimpleNamespace(candidates=(), history=tuple(attempts))))
    assert [nothing.best_accuracy(seeds) for seeds in (range(1), range(3), range(2, 3))] == [0.6, 0.9, 0.7]


def test_each_verdict_is_its_own_part_of_the_comparison(monkeypatch: pytest.MonkeyPatch) -> None:
    parts = {"inputs_right": "inputs", "outputs_right": "outputs", "modules_right": "exact", "exact": "connected", "valid": "valid"}
    monkeypatch.setattr(boolean_cells, "_hidden_right", lambda found: False)
    for name, part in parts.items():
        ends = {side: SimpleNamespace(exact=part == side) for side in ("inputs", "outputs")}
        same = SimpleNamespace(exact=part == "exact", connected=part == "connected", valid=part == "valid" or None, **ends)
        monkeypatch.setattr("analysis.compare", lambda found, truth, same=same: same)
        assert boolean_cells._verdicts(None, nx.DiGraph()) == {verdict: verdict == name for verdict in VERDICTS}


def test_what_is_changed_is_sculpted_with(monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[dict[str, Any]] = []
    nothing = SimpleNamespace(candidates=(), history=())
    monkeypatch.setattr(common_candidates, "sculpt", lambda model, task, **options: given.append(options) or nothing)
    rows_by_selection([4, 2, 4], 8, 1, 2, [], {"steps": 30})
    assert given == [{"seeds": 8, "progress": False, "steps": 30}]


def test_seeds_without_a_candidate_stand_for_themselves(cell: tuple[SculptResult, list[Row]]) -> None:
    result, _ = cell
    part = Sculpted.of(replace(result, candidates=tuple(c for c in result.candidates if c.origin["seed"] != 2)))
    truth = tasks.boolean("both").truth(hidden_layers=1)
    alone, with_others = (boolean_cells._columns(part, truth, Selection(seeds, "sparsest")) for seeds in (range(2, 3), range(0, 4)))
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
    assert boolean_cells._hidden_right(Hierarchy(graph, arrays, arrays)) is right


# --- Candidates that are kept -------------------------------------------------------------------------------------------------


def test_kept_candidates_give_the_same_rows_without_training(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    few: dict[str, Any] = {"unit_steps": [0.5], "edge_steps": [0.05, 0.02]}
    selections = [Selection(seeds, rule) for seeds in (range(4), range(1, 2)) for rule in ("consensus", "sparsest")]
    first = rows_by_selection([4, 2, 4], 8, 1, 1, selections, few)
    ((name, content),) = first.files.items()
    assert name == candidates_file("4-2-4_width8_depth1")
    (tmp_path / "candidates").mkdir()
    (tmp_path / name).write_bytes(content)
    monkeypatch.setattr(common_candidates, "sculpt", refuse)
    again = rows_by_selection([4, 2, 4], 8, 1, 1, selections, few, str(tmp_path))
    assert [{**row, "seconds": 0} for row in again.rows] == [{**row, "seconds": 0} for row in first.rows]
    assert again.files == first.files
    with pytest.raises(ValueError, match=r"must hold candidates of the same task and settings; got unit_steps \[0\.5\] in place of"):
        rows_by_selection([4, 2, 4], 8, 1, 1, selections, {**few, "unit_steps": [0.4]}, str(tmp_path))
    with pytest.raises(AssertionError, match="sculpted again"):  # a cell that is not there is trained
        rows_by_selection([4, 2, 4], 9, 1, 1, selections, few, str(tmp_path))
    (tmp_path / name).write_bytes(content[:100])
    with pytest.raises(ValueError, match=r"holds no candidates: .*\. Give another folder"):
        rows_by_selection([4, 2, 4], 8, 1, 1, selections, few, str(tmp_path))


def test_kept_candidates_are_the_same_networks(cell: tuple[SculptResult, list[Row]]) -> None:
    result, _ = cell
    for some in (Sculpted.of(result, 2.5), Sculpted((), {0: 0.5})):
        read = Sculpted.from_bytes(some.to_bytes({"width": 12}), {"width": 12}, Path("here"))
        assert (read.best, read.seconds) == (some.best, some.seconds)
        assert len(read.candidates) == len(some.candidates)
        for a, b in zip(read.candidates, some.candidates, strict=True):
            assert all(np.array_equal(x, y) for x, y in zip((*a.weights, *a.biases), (*b.weights, *b.biases), strict=True))
            facts = ("activations", "head", "accuracy", "input_names", "output_names", "origin", "loss")
            assert [getattr(a, name) for name in facts] == [getattr(b, name) for name in facts]


def test_a_cell_keeps_its_candidates(monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[dict[str, Any]] = []
    monkeypatch.setattr(boolean_cells, "rows_by_selection", lambda *arguments: given.append(arguments[-1]) or CellResult([]))
    boolean_cell([4, 2, 4], 8, 1, 1, candidates="kept")
    assert given == ["kept"]
    task = tasks.boolean([4, 2, 4])
    found, files = sculpted(task, 8, 1, "small", 1, steps=2, unit_steps=[0.5], edge_steps=[0.5], activation="relu")
    assert list(files) == ["candidates/small.safetensors.xz"]
    assert {network.activations[0] for network in found.candidates} <= {"relu"}


# --- The study         --------------------------------------------------------------------------------------------------------


def test_the_whole_study_is_as_published(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(boolean_cells, "rows_by_selection", fake_cell)
    counts: list[tuple[int, int]] = []
    rows = run(study(), tmp_path, progress=lambda *some: counts.append(some))
    assert counts[-1] == (342, 342)
    assert len(rows) == 342 * 40
    assert {row["seed"] for row in rows if row["seeds"] == 4} == {0, 4, 8, 12}
    assert list(dict.fromkeys(row["task"] for row in rows)) == list(map(str, KEYS))
    shape = {(row["task"], row["width"], row["depth"]) for row in rows}
    assert {s for s in shape if s[0] == "[4, 1, 2, 8]"} == {("[4, 1, 2, 8]", w, d) for w in (24, 36, 48) for d in (1, 2, 3)}
    assert {s for s in shape if s[0] == "[8, 2, 1, 2, 8]"} == {("[8, 2, 1, 2, 8]", w, d) for w in (36, 48, 60) for d in (2, 3, 4)}
    assert "13.68 hours of one core for 342 cells" in (tmp_path / "summary.md").read_text()


def test_use_and_overlap_of_every_task(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(boolean_cells, "sculpted", lambda *_, **__: (Sculpted((), {}), {}))
    monkeypatch.setattr(boolean_cells, "_columns", lambda *_: {"seeds": 4})
    facts = {}
    for key in KEYS:
        (row,) = rows_by_selection(key, 8, 3, 1, [Selection(range(4), "sparsest")], {}).rows
        facts[tuple(key)] = row["use"], row["overlap"]
    assert [facts[key] for key in ((4, 2, 4), (6, 3, 3, 3), (4, 1, 4))] == [(2, None), (2, None), (4, None)]
    assert [facts[4, 1, 2, k] for k in (2, 4, 8, 12, 16)] == [(use, None) for use in (1, 2, 4, 6, 8)]
    assert [facts[8, 2, 1, 2, k] for k in (2, 16)] == [(1, None), (8, None)]
    families = [(8, 2), (7, 3, 2), (6, 3, 2), (5, 3, 2), (4, 1, 2, 2)]
    assert [facts[*family, 4] for family in families] == [(2, overlap) for overlap in range(5)]


def test_the_truth_is_that_of_the_depth(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(boolean_cells, "sculpted", lambda *_, **__: (Sculpted((), {}), {}))
    monkeypatch.setattr(boolean_cells, "_columns", lambda result, truth, selection: {"seeds": 4, "modules": len(truth)})
    rows = [rows_by_selection([4, 1, 2, 4], 8, depth, 1, [Selection(range(4), "sparsest")], {}).rows[0] for depth in (1, 2, 3)]
    assert [row["modules"] for row in rows] == [1, 3, 3]


def test_the_command_runs_reports_and_goes_on(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(boolean_cells, "shapes", lambda key: ((8,), (1,)))
    monkeypatch.setattr(boolean_report, "FIGURES", {})
    command = ["study", "boolean", "--tasks", "input-separable", "--groups", "1", "--out", str(tmp_path)]
    assert main(command) == 0
    shown = capsys.readouterr()
    assert "1/1" in shown.err
    for part in ("# The Boolean study", "`[4,2,4]`", "hours of one core", f"rows, summary and figures are in {tmp_path}"):
        assert part in shown.out
    assert (tmp_path / "summary.md").read_text() in shown.out
    rows, table = json.loads((tmp_path / "rows.json").read_text()), (tmp_path / "rows.csv").read_text()
    assert len(rows) == 10
    assert [row["edges"] for row in csv.DictReader(table.splitlines())] == [str(row["edges"]) for row in rows]
    monkeypatch.setattr(boolean_cells, "rows_by_selection", refuse)
    assert main([*command, "--quiet"]) == 0
    assert capsys.readouterr() == ("", "")
    assert json.loads((tmp_path / "rows.json").read_text()) == rows
    assert (tmp_path / "rows.csv").read_text() == table
    assert main([*command, "--groups", "2"]) == 2
    assert "other settings: groups is 1 there and 2 now. Give another folder" in capsys.readouterr().err


@pytest.mark.slow
def test_the_whole_report_is_written(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(boolean_cells, "rows_by_selection", fake_cell)
    run(boolean.study(), tmp_path, progress=False)
    names = [f"{name}.{kind}" for name in ("exemplars", "hierarchy", "overlap", "reuse") for kind in ("png", "svg")]
    files = sorted(p.name for p in tmp_path.iterdir())
    assert files == sorted([*names, "cells", "rows.csv", "rows.json", "study.json", "summary.md"])


@pytest.mark.parametrize(("function", "name"), [(consensus, "halving"), (detect_modules, "merge_threshold")])
def test_a_changed_default_is_not_mixed_with_old_cells(function: Any, name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(boolean_cells, "rows_by_selection", fake_cell)
    run(study(tasks=["both"]), tmp_path, progress=False)
    run(study(tasks=["none", [6, 3, 3, 3]]), tmp_path, progress=False)
    monkeypatch.setitem(function.__kwdefaults__, name, 0.123)
    with pytest.raises(ValueError, match=rf"settings: {function.__name__}\.{name} is [\d.]+ there and 0\.123 now\. "):
        run(study(tasks=["both"]), tmp_path, progress=False)


def test_settings_are_what_decides_a_result() -> None:
    settings = settings_of(4)
    assert settings["groups"] == 4
    assert {
        "training.steps",
        "training.learning_rate",
        "schedule.unit_steps",
        "schedule.edge_score",
        "detect_modules.merge_threshold",
    } <= set(settings)
    assert {f"consensus.{name}" for name in consensus.__kwdefaults__} <= set(settings)
    assert not {f"sculpt.{name}" for name in ("seeds", "device", "max_members", "progress", "model", "data")} & set(settings)
    for groups in (0, 2.0, "four"):
        with pytest.raises(ValueError, match="groups must be a whole number of groups of four seeds, at least 1; got"):
            settings_of(groups)  # type: ignore[arg-type]


@pytest.mark.slow
def test_several_jobs_give_the_rows_of_one(tmp_path: Path) -> None:
    """Over whole cells of the study, but for the seconds."""
    both = []
    for jobs in (1, 2):
        with workers(jobs) as executor:
            both.append(run(study(tasks=["none"], groups=1), tmp_path / str(jobs), executor=executor, progress=False))
    first, second = ([{**row, "seconds": 0} for row in rows] for rows in both)
    assert first == second


def test_shapes_are_those_of_every_family() -> None:
    assert {shapes(key) for key in KEYS} == {((24, 36, 48), (1, 2, 3)), ((36, 48, 60), (2, 3, 4))}


@pytest.mark.parametrize(
    ("name", "groups", "method"), [("study", 4, "published"), ("functions", 1, "refined"), ("sensitivity", 3, "refined")]
)
def test_the_studies_in_the_documentation_were_made_with_the_defaults_of_today(name: str, groups: int, method: str) -> None:
    # Whoever changes a default has to run the study again, or to say in the documentation that it stands for another one.
    made = json.loads((Path(__file__).parents[1] / "docs" / name / "study.json").read_text())
    today = json.loads(json.dumps(settings_of(groups, method=method)))
    own = {"width", "first_seed", "tasks"}  # what one of them alone depends on
    assert {key: value for key, value in made["settings"].items() if key not in own} == today
