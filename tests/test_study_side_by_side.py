"""The study of data sets side by side: its cells, what a row has, MNIST that is missing, and the report."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from tagged import fill, leave_alone
from test_study_digits import GROUPS, QUICK, spied

from analysis import compare, consensus
from sculpting import CellResult, run, tasks
from sculpting.cli import main
from sculpting.studies import side_by_side
from sculpting.studies.common.sampled import selected_of
from sculpting.studies.common.selection import RULES, accuracies_on_test
from sculpting.studies.side_by_side import cells as study_cells
from sculpting.studies.side_by_side.cells import KINDS, cell_name, side_by_side_cell

COLUMNS = [
    "task", "sets", "joint", "depth", "split", "seeds", "seed", "rule", "density", "edges", "units", "apart", "modules_right", "verdict",
    "modules", "inputs_read", "test_accuracy", "dense_test_accuracy", "support", "seconds",
]  # fmt: skip


@pytest.fixture
def offline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    leave_alone(tmp_path, monkeypatch)


def fake_cell(sets: list[str], joint: str | None, depth: int, split: int, **_: Any) -> CellResult:
    """Rows without sculpting: all apart but one seed of wine and iris."""
    rows = []
    for seeds, seed in GROUPS:
        for rule in RULES:
            apart = (sets, seed) != (["wine", "iris"], 3)
            known = [" beside ".join(sets), "+".join(sets), joint, depth, split, seeds, seed, rule, 0.01, 20, "6-4-6", apart, depth == 2]
            rows.append(dict(zip(COLUMNS, [*known, "exact", 2, 6, 0.95, 0.98, 0.5, 10.0 * seeds], strict=True)))
    return CellResult(rows)


def network(first: list[list[float]], last: list[list[float]]) -> Any:
    return [np.array(first), np.array(last)]


TRUTH = tasks.side_by_side(*[(np.arange(30.0), np.arange(30) % 2)] * 2, joint="and").truth(hidden_layers=1)


@pytest.mark.parametrize(
    ("weights", "apart"),
    [
        (network([[1, 0], [0, 1]], [[1, 0], [0, 1], [1, 1]]), True),
        (network([[1, 0], [0, 1]], [[1, 0.01], [0, 1], [1, 1]]), False),
        (network([[1, 0], [0.01, 1]], [[1, 0], [0, 1], [1, 1]]), False),
        (network([[1, 0], [0, 1]], [[1, 0], [0, 0], [1, 1]]), False),
        (network([[1, 0], [0, 1]], [[1, 0], [0, 1], [0, 0]]), True),
    ],
)
def test_sets_are_apart_when_each_is_answered_by_its_own_inputs_alone(weights: Any, apart: bool) -> None:
    assert study_cells._apart(weights, TRUTH) is apart


def test_a_row_says_what_was_found(monkeypatch: pytest.MonkeyPatch) -> None:
    result, made = spied(monkeypatch, lambda: side_by_side_cell(["wine", "iris"], "and", 1, 5, study="test"), **QUICK)
    task = tasks.side_by_side("wine", "iris", joint="and", seed=5)
    assert [(row["seeds"], row["seed"], row["rule"]) for row in made.rows] == [(*group, rule) for group in GROUPS for rule in RULES]
    assert all(list(row) == COLUMNS for row in made.rows)
    row, found = made.rows[0], consensus(result.candidates)
    same = compare(found, task.truth(1))
    assert (row["sets"], row["joint"], row["split"], row["task"]) == ("wine+iris", "and", 5, "wine beside iris, and")
    assert (row["edges"], row["verdict"], row["modules_right"]) == (found.network.edge_count, same.verdict, same.exact)
    assert row["test_accuracy"] == accuracies_on_test([found.network], task)[0]
    assert row["dense_test_accuracy"] == pytest.approx(np.mean(accuracies_on_test(result.dense, task)))
    assert list(made.files) == ["networks/wine-iris_and_depth1_split5.safetensors"]
    nothing: Any = SimpleNamespace(candidates=(), dense=result.dense)
    none = study_cells._columns(task, task.truth(1), nothing, selected_of((), range(4), "consensus", {}))
    assert list(none) == COLUMNS[11:18]
    assert list(none.values())[:6] == [False, False, "none", None, None, None]


def test_without_the_files_of_mnist_the_other_sets_are_run_and_a_note_says_so(offline: None, tmp_path: Path) -> None:
    with pytest.warns(UserWarning, match="sets with MNIST are left out: no folder holds the MNIST files. Name it with data_dir="):
        cells = side_by_side.study().cells
    assert len(cells) == 4 * len(KINDS)
    assert not any("mnist" in name for name in cells)
    with pytest.warns(UserWarning, match="sets with MNIST are left out: .* must hold one file"):
        side_by_side.study(data_dir=tmp_path)
    with pytest.raises(FileNotFoundError, match="no folder holds the MNIST files"):
        side_by_side.study(["wine+mnist"])
    there = side_by_side.study(data_dir=fill(tmp_path / "data")).cells
    assert "wine-mnist_depth1_split2" in there
    assert list(side_by_side.study(["wine+iris"]).cells) == [
        cell_name(("wine", "iris"), joint, depth, split) for joint in (None, "and") for depth in (1, 2) for split in (2, 3)
    ]


def test_sets_that_the_study_lacks_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ValueError, match=r"sets must be some of wine\+iris, .*digits\+mnist; got wine\+oil"):
        side_by_side.study(["wine+oil"])
    assert main(["study", "side-by-side", "--sets", "iris+wine"]) == 2
    assert "got iris+wine" in capsys.readouterr().err


def test_the_study_reports_its_targets_and_every_cell(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(side_by_side, "side_by_side_cell", fake_cell)
    assert main(["study", "side-by-side", "--sets", "wine+iris", "iris+digits", "--out", str(tmp_path)]) == 0
    shown = capsys.readouterr().out
    for part in (
        "12 cells (sets, depth, sample) were run. Not run: wine + breast cancer, wine + digits, iris + breast cancer, ",
        "| sets apart | 95% | 12/12 (0.76-1.00) | 40/48 (0.70-0.91) | yes |",
        "| points of test accuracy below dense, mean | 1.0 | 3.0 | 3.0 | no |",
        "| modules those of the truth |  | 6/12 (0.25-0.75) | 24/48 (0.36-0.64) |  |",
        "| wine + iris, joint and | 1 | 2 | yes | exact | 2 | 0.50 | 20 | 6 | 0.950 | 0.980 | 3/4 (0.30-0.95) | 40 |",
        "0.13 hours of one core.",
    ):
        assert part in shown
    assert "Not run: wine + iris" not in shown


def test_a_picture_is_drawn_of_each_choice_of_sets_and_depth(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    spied_cell = side_by_side_cell
    monkeypatch.setattr(study_cells, "SPLITS", (5,))
    monkeypatch.setattr(study_cells, "DEPTHS", (1,))
    monkeypatch.setattr(side_by_side, "side_by_side_cell", spied_cell)
    from sculpting.studies.common import sampled

    sculpt = sampled.sculpt
    monkeypatch.setattr(sampled, "sculpt", lambda *a, **k: sculpt(*a, **k, **QUICK))
    run(side_by_side.study(["wine+iris"]), tmp_path, progress=False)
    assert sorted(path.name for path in tmp_path.glob("*.svg")) == ["wine-iris_and_depth1.svg", "wine-iris_depth1.svg"]
