"""The study of other methods: its cells, how settings are chosen, and the report. Known answers of each method: see beside."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from sculpting import CellResult, run, sculpt, tasks
from sculpting.cli import main
from sculpting.studies import other_methods
from sculpting.studies.boolean.published import TUNING_TASKS
from sculpting.studies.other_methods import cells as study_cells
from sculpting.studies.other_methods import pruning
from sculpting.studies.other_methods.cells import KINDS, cells_of, given_rows, needs_of, other_cell
from sculpting.studies.other_methods.methods import METHODS, OURS, best_settings, setting_text
from sculpting.studies.other_methods.report import chosen_settings, other_summary

DOCS = Path(__file__).parents[1] / "docs"
COLUMNS = [
    "kind", "task", "width", "depth", "method", "setting", "seeds", "seed", "edges", "verdict", "modules_right", "valid", "score",
    "inputs_right", "outputs_right", "modules", "accuracy", "seconds",
]  # fmt: skip
QUICK = {"unit_steps": (0.5,), "edge_steps": (0.1,)}


def test_the_cells_are_all_tasks_at_one_width_and_depth() -> None:
    cells = cells_of(KINDS, {})
    counts = {kind: sum(cell["kind"] == kind for cell in cells.values()) for kind in KINDS}
    assert counts == {"tuning": 6, "held-out": 32, "functions": 32, "digits": 2}
    assert {str(cell["task"]) for cell in cells.values() if cell["kind"] == "tuning"} == set(TUNING_TASKS)
    assert cells["boolean_8-2-1-2-4"] == {"kind": "tuning", "task": [8, 2, 1, 2, 4], "width": 36, "depth": 3, "ours": None}
    assert cells["function_c17"]["depth"] == 2
    assert (cells["mnist-xor"]["width"], cells["mnist-xor"]["depth"]) == (98, 4)
    needs = needs_of(cells)
    assert len(needs) == 66
    assert set(needs["mnist-pair"]) == {name for name, cell in cells.items() if cell["kind"] == "tuning"}
    assert len(cells_of(["digits"], {})) == 8
    with pytest.raises(ValueError, match=r"kinds must be some of tuning, .*; got words"):
        other_methods.study(["words"])


def test_every_method_has_six_settings_but_the_control() -> None:
    assert {name: len(method.settings) for name, method in METHODS.items()} == dict.fromkeys(METHODS, 6) | {"one module": 1}


def test_results_of_other_studies_are_taken_as_ours() -> None:
    given = {"functions": given_rows(DOCS / "functions" / "rows.csv"), "digits": given_rows(DOCS / "digits" / "rows.csv")}
    cells = cells_of(KINDS, given)
    ours = cells["function_c17"]["ours"]
    assert [(row["seeds"], row["seed"]) for row in ours] == [(4, 0), (1, 0), (1, 1), (1, 2), (1, 3)]
    assert set(ours[0]) == set(COLUMNS[6:])
    known = [row for row in given["functions"] if (row["function"], row["depth"], row["seeds"]) == ("c17", "2", "1")]
    assert [(row["edges"], row["verdict"], row["modules_right"], row["score"]) for row in ours[1:]] == [
        (int(row["edges"]), row["verdict"], row["exact"] == "True", float(row["score"])) for row in known
    ]
    pair = cells["mnist-pair"]["ours"]
    assert all(row["modules_right"] and row["inputs_right"] and row["score"] is None for row in pair)
    assert 0.97 < pair[0]["accuracy"] < 1
    assert cells["boolean_4-1-4"]["ours"] is None


def test_the_setting_with_the_best_mean_score_is_chosen() -> None:
    def scores(best: int) -> bytes:
        named = {name: [[0.5, 0.5] for _ in method.settings] for name, method in METHODS.items()}
        named["L1, threshold"][best] = [0.9, 0.8]
        return json.dumps(named).encode()

    chosen = best_settings({"a": scores(2), "b": scores(2), "c": scores(4)})
    assert chosen["L1, threshold"] == METHODS["L1, threshold"].settings[2]
    assert chosen["linear probes"] == METHODS["linear probes"].settings[0]  # all are alike
    assert chosen["one module"] == {}


@pytest.fixture(scope="module")
def cells() -> dict[str, CellResult]:
    """A small task as a cell of tuning, and as one of functions with our results given."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(study_cells, "sculpt", lambda *a, **k: sculpt(*a, **k, **QUICK))
        patch.setattr(study_cells, "_task_of", lambda *_: (tasks.from_gates({"y0": "a & b", "y1": "c | d"}), {}))
        patch.setattr(pruning, "STEPS", 100)
        few = {name: replace(method, settings=method.settings[:2]) for name, method in METHODS.items()}
        for name, method in few.items():
            patch.setitem(METHODS, name, method)
        tuning = other_cell("tuning", [4, 9], 6, 1, None, source="none")
        ours = [{name: row[name] for name in COLUMNS[6:]} for row in tuning.rows if row["method"] == OURS]
        return {"tuning": tuning, "functions": other_cell("functions", "f", 6, 1, ours, source="none", files=tuning.files)}


def test_a_cell_has_a_row_for_every_method_setting_and_seed(cells: dict[str, CellResult]) -> None:
    rows = cells["tuning"].rows
    assert all([*row] == COLUMNS for row in rows)
    assert [(row["seeds"], row["seed"]) for row in rows if row["method"] == OURS] == [(4, 0), (1, 0), (1, 1), (1, 2), (1, 3)]
    for name, method in METHODS.items():
        for setting in method.settings[:2]:
            mine = [row for row in rows if (row["method"], row["setting"]) == (name, setting_text(setting))]
            seeds = [(1, 0), (1, 1), (1, 2), (1, 3)]
            assert [(row["seeds"], row["seed"]) for row in mine] == seeds + [(4, 0)] * method.vote
    ours = [row for row in rows if row["method"] == OURS]
    assert all(row["accuracy"] == 1 and row["edges"] < 40 for row in ours)
    whole = [row for row in rows if row["method"] == "Leiden, weights"]
    assert all(row["edges"] == 36 and row["accuracy"] == 1 for row in whole)
    once = [row["edges"] for row in rows if row["setting"] == "times=1, by_layer=False" and row["seeds"] == 1]
    assert once == [row["edges"] for row in ours[1:]]


def test_scores_of_tuning_choose_the_settings_of_the_other_cells(cells: dict[str, CellResult]) -> None:
    ((name, content),) = cells["tuning"].files.items()
    assert name == "tuning/4-9.json"
    scores = json.loads(content)
    with pytest.MonkeyPatch.context() as patch:
        for method in METHODS:
            patch.setitem(METHODS, method, replace(METHODS[method], settings=METHODS[method].settings[:2]))
        chosen = chosen_settings(cells["tuning"].rows)
        assert {name: setting_text(setting) for name, setting in best_settings({"": content}).items()} == {
            name: text for name, text in chosen.items() if name != OURS
        }
    for method, settings in scores.items():
        assert all(len(each) == 4 for each in settings)
        of_cell = {row["setting"] for row in cells["functions"].rows if row["method"] == method}
        assert of_cell == {chosen[method]}
    same = [row for row in cells["functions"].rows if row["method"] == "Leiden, weights"]
    before = [row for row in cells["tuning"].rows if (row["method"], row["setting"]) == ("Leiden, weights", chosen["Leiden, weights"])]
    assert [(row["verdict"], row["score"], row["modules"]) for row in same] == [(r["verdict"], r["score"], r["modules"]) for r in before]


def test_where_nothing_was_accepted_nothing_is_right(monkeypatch: pytest.MonkeyPatch) -> None:
    task = tasks.from_gates({"y": "a & b"})
    monkeypatch.setattr(study_cells, "sculpt", lambda *_, **__: SimpleNamespace(candidates=()))
    rows = study_cells._sculpted(task, 4, 1, lambda _: {}, {})
    assert len(rows) == 5
    assert all(row["verdict"] == "none" and not row["modules_right"] and row["score"] == 0 for row in rows)


# --- Report ------------------------------------------------------------------------------------------------------------------


def fake_cell(kind: str, task: Any, width: int, depth: int, ours: Any, *, files: Any = None, **_: Any) -> CellResult:
    """Ours is right; another method is in every second seed, by its second setting alone."""
    rows = []
    for method, settings in ((OURS, ["default"]), *((name, [*map(setting_text, m.settings)]) for name, m in METHODS.items())):
        for i, setting in enumerate(settings if kind == "tuning" else settings[-1:] if len(settings) < 6 else settings[1:2]):
            for seed in range(4):
                right = method == OURS or (i == (kind == "tuning") and seed % 2 == 0)
                score = 1.0 if right else 0.25
                known = [kind, str(task), width, depth, method, setting, 1, seed, 20, "exact" if right else "wrong", right, right, score]
                rows.append(dict(zip(COLUMNS, [*known, right, True, 3, 1.0, 2.0], strict=True)))
    return CellResult(rows, {"tuning/x.json": b"{}"} if kind == "tuning" and task == [4, 1, 4] else {})


def test_the_study_reports_every_method(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(other_methods, "other_cell", fake_cell)
    assert main(["study", "other-methods", "--kinds", "functions", "--out", str(tmp_path)]) == 0
    shown = capsys.readouterr().out
    for part in (
        "38 tasks.",
        "|  | Boolean, tuning | functions |",
        "| ours | 24/24 (0.86-1.00), 24/24, 1.00, 2.0 s | 128/128 (0.97-1.00), 128/128, 1.00, 2.0 s |",
        "| L1, threshold | 12/24 (0.31-0.69), 12/24, 0.62, 2.0 s | 64/128 (0.41-0.59), 64/128, 0.62, 2.0 s |",
        "| ours | 128 | 128 | 0 | 0 | 0 | 0 | 0 | 0 | 128/128 | 128/128 | 3 | 128/128 | 1.000 | 20 |",
        "| L1, threshold | not run | not run | 32 better, 0 worse, p = 4.7e-10 | 32 better, 0 worse, p = 4.7e-10 |",
        "| linear probes | measure=unit, least=0.1 | 0.625 | yes |",
        "| linear probes | measure=unit, least=0.4 | 0.250 |  |",
    ):
        assert part in shown
    assert {path.name for path in tmp_path.iterdir()} >= {"summary.md", "methods.svg", "methods.png", "rows.csv"}


def test_a_run_needs_the_tuning_tasks_first(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    begun: list[str] = []

    def noted(kind: str, task: Any, *arguments: Any, **options: Any) -> CellResult:
        begun.append(kind)
        assert (kind == "tuning") is (options.get("files") is None)
        return fake_cell(kind, task, *arguments, **options)

    monkeypatch.setattr(other_methods, "other_cell", noted)
    run(other_methods.study(["digits"]), tmp_path, progress=False)
    assert begun == ["tuning"] * 6 + ["digits"] * 2


def test_the_committed_rows_are_of_the_settings_and_cells_of_today() -> None:
    folder = DOCS / "other-methods"
    made = json.loads((folder / "study.json").read_text())["settings"]
    assert made == json.loads(json.dumps(other_methods.study().settings))
    with (folder / "rows.csv").open() as file:
        rows = [{name: _typed(name, text) for name, text in row.items()} for row in csv.DictReader(file)]
    assert [*rows[0]] == COLUMNS
    assert {(row["kind"], str(row["task"])) for row in rows} == {(c["kind"], str(c["task"])) for c in cells_of(KINDS, {}).values()}
    page = folder.with_suffix(".md").read_text()
    assert all(line in page for line in other_summary(rows).split("\n") if line.startswith("|"))


def _typed(name: str, text: str) -> Any:
    """A value of the table in place of its text."""
    if name in ("kind", "task", "method", "setting", "verdict"):
        return text
    return None if text == "" else json.loads(text.lower())
