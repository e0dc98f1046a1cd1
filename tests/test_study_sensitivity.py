"""The sensitivity study: one setting changed at a time, and what the settings explain of the variance of success."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.stats import f_oneway
from test_study_boolean import refuse

from analysis import Rate
from analysis.figures import series_panels
from sculpting import TrainingSettings, run
from sculpting.cli import main
from sculpting.store import Row
from sculpting.studies import sensitivity
from sculpting.studies.common.candidates import Sculpted
from sculpting.studies.common.selection import Selected
from sculpting.studies.sensitivity import cells as sensitivity_cells
from sculpting.studies.sensitivity import report as sensitivity_report
from sculpting.studies.sensitivity.cells import CATEGORIES, DEFAULT, TASKS, sensitivity_cell, task_of, values_and_defaults
from sculpting.studies.sensitivity.report import explained, right_at, sensitivity_summary
from sculpting.studies.sensitivity.variance import bootstrapped, interval, permuted, shares_of

DOCS = Path(__file__).parents[1] / "docs"
COLUMNS = [
    "parameter", "value", "task", "width", "depth", "seeds", "seed", "rule", "density", "edges", "units", "accuracy", "support", "verdict",
    "score", "exact", "valid", "seconds",
]  # fmt: skip
REREAD = {"method", "merge_threshold", "halving", "unit_cost", "level_cost"}


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """The changes that cells sculpt with, without sculpting: right by the default in 9 of 12 seeds, by chains of one step in none."""
    made: list[dict[str, Any]] = []

    def spy(
        task: Any, width: int, depth: int, cell: str, seeds: int, folder: Any = None, **changed: Any
    ) -> tuple[Sculpted, dict[str, bytes]]:
        made.append(changed)
        return Sculpted((), dict.fromkeys(range(16, 16 + seeds), 0.5), 0.5 if "unit_steps" in changed else 24.0), {}

    def verdict(result: Sculpted, selected: Selected, truth: Any) -> Row:
        right = result.seconds > 1 and selected.seeds[0] % 4 > 0
        return {"accuracy": 1.0, "support": 1.0, "verdict": "", "score": 1.0, "exact": right, "valid": result.seconds > 1}

    monkeypatch.setattr(sensitivity_cells, "sculpted", spy)
    monkeypatch.setattr(sensitivity_cells, "verdict_columns", verdict)
    monkeypatch.setattr(sensitivity_report, "DRAWS", 50)
    monkeypatch.setattr(sensitivity_report, "SHUFFLES", 99)
    return made


# --- Cells --------------------------------------------------------------------------------------------------------------------


def test_one_setting_is_changed_at_a_time(
    calls: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("analysis.drawing.encoding.DOTS_PER_INCH", 30)
    assert main(["study", "sensitivity", "--out", str(tmp_path)]) == 0
    shown = capsys.readouterr().out
    assert {change.pop("seed") for change in calls} == {16}
    assert all(len(change) <= 1 for change in calls)
    assert calls.count({}) == len(TASKS) == 8
    values, defaults = values_and_defaults()
    changes = [(name, value) for name, some in values.items() if name not in REREAD for value in some if value != defaults[name]]
    expected = [{f"{name}s": [value]} if name.endswith("_step") else {name: value} for name, value in changes]
    assert [calls.count(change) for change in expected] == [8] * len(expected)
    assert len(calls) == 8 * (len(expected) + 1)
    for part in ("| unit_step | **grid: 72/96, 0/24**; 0.1: 0/96, 0/24;", "| learning_rate | 0.025: 72/96, 0/24;", "unit_step 0.6"):
        assert part in shown
    assert (tmp_path / "summary.md").read_text() in shown
    assert (tmp_path / "sensitivity.svg").read_text().startswith("<?xml")
    assert (tmp_path / "sensitivity.png").read_bytes().startswith(b"\x89PNG")


def test_rows_are_in_the_order_of_parameters_and_values_and_are_only_read_again(
    calls: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("analysis.drawing.encoding.DOTS_PER_INCH", 30)
    rows = run(sensitivity.study(groups=2), tmp_path, progress=False)
    assert all(list(row) == COLUMNS for row in rows)
    values, defaults = values_and_defaults()
    assert defaults["learning_rate"] == TrainingSettings().learning_rate
    points = [(name, value) for name, some in values.items() for value in some if value != defaults[name]]
    assert list(dict.fromkeys((row["parameter"], row["value"]) for row in rows)) == [(DEFAULT, None), *points]
    assert len(rows) == (len(points) + 1) * 8 * 2 * 5
    assert {(row["task"], row["width"], row["depth"]) for row in rows} == {(task, *shape) for task, shape in TASKS.items()}
    assert sorted({(row["seeds"], row["seed"]) for row in rows}) == [*((1, seed) for seed in range(16, 24)), (4, 16), (4, 20)]
    monkeypatch.setattr(sensitivity_cells, "sculpted", refuse)
    assert run(sensitivity.study(groups=2), tmp_path, progress=False) == rows


def test_every_default_is_a_value_and_values_with_an_order_are_in_it() -> None:
    values, defaults = values_and_defaults()
    for name, some in values.items():
        assert defaults[name] in some
        known = [value for value in some if value is not None]
        assert name in CATEGORIES or known == sorted(known)


def test_a_cell_reads_its_own_candidates_again_for_detection() -> None:
    points = [{"parameter": "merge_threshold", "value": value} for value in (0.0, 0.9)]
    points += [{"parameter": "level_cost", "value": 8.0}, {"parameter": "steps", "value": 60}]
    result = sensitivity_cell("4,2,4", 8, 1, 1, points, {"unit_steps": [0.5], "edge_steps": [0.05]})
    assert [row["value"] for row in result.rows[::5]] == [0.0, 0.9, 8.0, 60]
    assert {row["rule"] for row in result.rows} == {"consensus"}
    assert [row["seed"] for row in result.rows[:5]] == [16, 16, 17, 18, 19]
    usual, again = ([{**row, "parameter": "", "value": ""} for row in result.rows[k : k + 5]] for k in (5, 15))
    assert usual == again
    assert list(result.files) == ["candidates/4-2-4_merge_threshold_0.safetensors.xz"]


def test_detection_and_consensus_get_their_settings(calls: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[dict[str, Any]] = []

    def spy(candidates: Any, seeds: range, rule: str, options: dict[str, Any]) -> Selected:
        given.append(options)
        return Selected(seeds, rule, None)

    monkeypatch.setattr(sensitivity_cells, "selected_of", spy)
    some = {"merge_threshold": 0.5, "halving": 0.1, "unit_cost": 0, "method": "published", "steps": 60, "level_cost": 8.0}
    sensitivity_cell("4,2,4", 8, 1, 1, [{"parameter": name, "value": value} for name, value in some.items()], {})
    assert given[:-5:5] == [{"merge_threshold": 0.5}, {"halving": 0.1}, {"unit_cost": 0}, {"method": "published"}, {}]
    np.testing.assert_array_equal(given[-1].pop("x"), task_of("4,2,4").x)
    assert given[-1] == {"level_cost": 8.0}


@pytest.mark.parametrize("name", TASKS)
def test_the_default_gets_tasks_right_in_half_to_nine_tenths_of_the_committed_rows(name: str) -> None:
    boolean = name[0].isdigit()
    path, task, right = ("study", "task", "modules_right") if boolean else ("functions", "function", "exact")
    facts = {task: f"[{name.replace(',', ', ')}]" if boolean else name, "depth": str(TASKS[name][1]), "rule": "consensus"}
    facts |= {"width": str(TASKS[name][0])} if boolean else {}
    with (DOCS / path / "rows.csv").open() as file:
        rows = [row for row in csv.DictReader(file) if all(row[column] == fact for column, fact in facts.items())]
    for seeds in ("1", "4"):
        some = [row[right] == "True" for row in rows if row["seeds"] == seeds]
        assert len(some) == (16 if boolean else 4) // int(seeds)
        assert 0.5 <= np.mean(some) <= 0.9 or len(some) == 1  # a single answer is too coarse


# --- Shares of the variance ---------------------------------------------------------------------------------------------------


def test_shares_of_one_task_are_those_of_a_one_way_analysis() -> None:
    results = np.random.default_rng(0).normal(np.array([-0.5, 0, 0, 0.5])[:, None], size=(1, 4, 12))
    f, p = f_oneway(*results[0])
    shares = shares_of(results)
    assert shares.plain == pytest.approx(f * 3 / (f * 3 + 44))
    assert shares.value == pytest.approx((f - 1) * 3 / (f * 3 + 44))  # Kelley's form by F
    assert shares.by_task == pytest.approx(0)
    assert permuted(results, 9_999) == pytest.approx(p, abs=0.01)


def test_what_differs_from_task_to_task_is_apart_from_what_is_the_same() -> None:
    crossed = np.array([[[0.0] * 3, [1.0] * 3], [[1.0] * 3, [0.0] * 3]])
    assert (shares_of(crossed).value, shares_of(crossed).by_task) == (0, 1)
    tasks = np.array([[[0.0, 0.0], [0.0, 0.0]], [[1.0, 1.0], [1.0, 1.0]]])  # blocks alone explain nothing
    assert (shares_of(tasks).value, shares_of(tasks).plain, shares_of(tasks).by_task) == (0, 0, 0)


def test_of_single_results_what_differs_by_task_is_chance() -> None:
    shares = shares_of(np.array([[[0.0], [1.0]], [[0.0], [1.0]], [[1.0], [1.0]]]))
    assert (shares.value, shares.plain, shares.by_task) == pytest.approx((1 / 2, 2 / 3, 0))


def test_chance_explains_nothing_on_average() -> None:
    rng = np.random.default_rng(1)
    draws = [shares_of((rng.random((8, 4, 12)) < 0.5).astype(float)) for _ in range(400)]
    assert abs(np.mean([shares.value for shares in draws])) < 0.001
    assert abs(np.mean([shares.by_task for shares in draws])) < 0.003
    assert np.mean([shares.plain for shares in draws]) == pytest.approx(3 / (8 * 47), abs=0.001)
    small = [permuted((rng.random((4, 3, 6)) < 0.5).astype(float), 99) for _ in range(300)]
    assert np.mean(np.array(small) <= 0.05) == pytest.approx(0.05, abs=0.035)


def test_intervals_of_the_bootstrap_hold_what_is_so() -> None:
    """True share of two values 0.3 and 0.7: variance of values 0.04 of 0.25 in all."""
    rng, held = np.random.default_rng(2), 0
    for _ in range(60):
        results = (rng.random((8, 2, 12)) < np.array([0.3, 0.7])[:, None]).astype(float)
        low, high = interval(bootstrapped({"a": results}, 200)["a"])
        held += low <= 0.16 <= high
    assert held >= 51


def test_settings_share_the_draws_of_their_seeds() -> None:
    results = (np.random.default_rng(3).random((8, 3, 12)) < 0.5).astype(float)
    draws = bootstrapped({"a": results, "b": results[:, ::-1]}, 20)
    np.testing.assert_allclose(draws["a"], draws["b"])
    assert draws["a"].mean() == pytest.approx(shares_of(results).value)
    assert draws["a"].std() > 0


# --- Report -------------------------------------------------------------------------------------------------------------------


def rows_of(rates: dict[tuple[str, Any], Sequence[float]]) -> list[Row]:
    """Rows of two tasks and 20 seeds, of which the first are right, and of five answers that are right as those are."""
    return [
        {
            "parameter": name, "value": value, "task": task, "seeds": size, "seed": seed, "exact": seed < rate * 20, "valid": True,
            "seconds": 1.0,
        }
        for (name, value), tasks in rates.items()
        for task, rate in zip(("4,1,2,2,12", "random-11"), tasks, strict=True)
        for size in (1, 4)
        for seed in range(0, 20, size)
    ]  # fmt: skip


def test_settings_come_by_their_share_and_unfinished_values_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sensitivity_report, "DRAWS", 50)
    monkeypatch.setattr(sensitivity_report, "SHUFFLES", 99)
    rates: dict[tuple[str, Any], Sequence[float]] = {(DEFAULT, None): (0.5, 0.5), ("input_noise", 0.0): (0.4, 0.4)}
    rates |= {("hidden_noise", 0.0): (0.0, 0.0), ("hidden_noise", 0.15): (0.6, 0.6), ("unit_tries", 4): (0.5, 0.5)}
    rows = [*rows_of(rates), *rows_of({("unit_tries", 1): (1.0, 1.0)})[:-1]]
    assert list(right_at(rows, 1)["unit_tries"]) == [1, 4, 10]
    assert list(right_at(rows, 4)["unit_tries"]) == [4, 10]
    whole = [row for row in rows if (row["parameter"], row["value"]) != ("unit_tries", 1)]
    facts = explained(whole)
    assert list(facts) == ["hidden_noise", "input_noise", "unit_tries"]
    assert facts["hidden_noise"].first == 1
    assert facts["hidden_noise"].p == 0.01 < facts["unit_tries"].p
    assert facts["hidden_noise"].nearest < 0.1 < facts["hidden_noise"].shares.value
    assert facts["hidden_noise"].valid == 0
    text = sensitivity_summary(whole)
    assert "| hidden_noise | 0: 0/40, 0/10; 0.15: 24/40, 6/10; **0.3: 20/40, 6/10** |" in text
    assert "`[4, 1, 2, 2, 12]` (24 units, 1 hidden): 10/20, 3/5;" in text
    assert "The settings with the largest shares: hidden_noise 0." in text
    assert "0.06 hours of one core." in text


def test_panels_show_both_series_with_intervals_and_the_default() -> None:
    grids = {
        "seeds": {"noise": {"0": Rate(3, 12), "0.3": Rate(7, 12)}, "tries": {"1": Rate(2, 12), "4": None}},
        "answers": {"noise": {"0": Rate(1, 3), "0.3": Rate(2, 3)}, "tries": {"1": Rate(0, 3), "4": None}},
    }
    figure = series_panels(grids, defaults={"noise": "0.3"}, notes={"noise": "0.25"})
    noise, tries = figure.axes
    assert [(ax.get_title(loc="left"), ax.get_title(loc="right")) for ax in figure.axes] == [("noise", "0.25"), ("tries", "")]
    assert noise.lines[0].get_ydata().tolist() == pytest.approx([3 / 12, 7 / 12])
    assert noise.lines[1].get_ydata().tolist() == pytest.approx([1 / 3, 2 / 3])
    assert [line.get_ydata()[0] for line in noise.lines[2:]] == pytest.approx([7 / 12, 2 / 3])
    assert [label.get_fontweight() for label in noise.get_xticklabels()] == ["normal", "bold"]
    spans = [c.get_segments() for c in noise.collections if c.get_gid() == "interval"]
    assert [tuple(segment[:, 1]) for segments in spans for segment in segments] == [
        pytest.approx(rate.interval) for grid in grids.values() for rate in grid["noise"].values()
    ]
    assert (len(noise.patches), len(tries.patches), len(tries.lines)) == (1, 0, 2)
    with pytest.raises(TypeError, match="must be a Rate"):
        series_panels({"seeds": {"noise": {"0": 0.5}}}, defaults={})  # type: ignore[dict-item]
