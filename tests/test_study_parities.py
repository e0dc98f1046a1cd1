"""The study of parities: its cells, what a row has, that a killed cell goes on, and reports."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from test_figures import check_texts
from test_study_digits import GROUPS, QUICK, check_cell, refuse, spied

from analysis import Hierarchy, LayeredGraph, compare, consensus, detect_modules
from sculpting import CellResult, SculptResult, SparseNetwork, sculpt, tasks
from sculpting.cli import main
from sculpting.store import Row
from sculpting.studies import parities
from sculpting.studies.common import sampled
from sculpting.studies.common.sampled import checkpoint_of, key_of_study
from sculpting.studies.common.selection import RULES, Selected
from sculpting.studies.parities import cells as parity_cells
from sculpting.studies.parities import report as parity_report
from sculpting.tasks.parities import TRAINING

COLUMNS = [
    "task", "m", "k", "outputs", "width", "depth", "seeds", "seed", "rule", "density", "edges", "units", "accuracy", "inputs_right",
    "distractors_out", "modules_right", "exact", "valid", "matched", "missing", "extra", "smallest", "smallest_right", "support", "seconds",
]  # fmt: skip


QUICKER = {**QUICK, "batch_size": 64, "dense_rounds": 10}


@pytest.fixture(scope="module")
def cell() -> tuple[SculptResult, CellResult]:
    """One small cell."""
    with pytest.MonkeyPatch.context() as patch:
        return spied(patch, partial(parity_cells.parities_cell, 2, 2, "each", 16, 2, study="test"), **QUICKER)


def fake_parities(m: int, k: int, outputs: str, width: int, depth: int, **_: Any) -> CellResult:
    """Rows without sculpting: one output is right with three hidden layers only, and nothing is accepted in the largest with two."""
    rows: list[Row] = []
    for seeds, seed in GROUPS:
        for rule in RULES:
            right = outputs == "each" or depth == 3
            found = (m, k, outputs, depth) != (3, 3, "one", 2)
            network = [0.01, 30, "6-4-4-1", 1.0] if found else [None, None, None, 0.9]
            verdicts = [found, found, right and seed != 2, right and seed != 2, True if outputs == "each" else None]
            sizes = [48.0 if found else None, 50.0 if found and right else None]
            facts = [f"cmsp:m={m},k={k}", m, k, outputs, width, depth, seeds, seed, rule]
            counts = [5, 0, 0] if right else [3, 2, 1] if found else [None, None, None]
            values = [*facts, *network, *verdicts, *counts, *sizes, found or None, 6.0 * seeds]
            rows.append(dict(zip(COLUMNS, values, strict=True)))
    return CellResult(rows)


# --- One cell -----------------------------------------------------------------------------------------------------------------


def test_a_cell_has_rows_for_all_seeds_and_for_each_by_both_rules(cell: tuple[SculptResult, CellResult]) -> None:
    check_cell(*cell, COLUMNS)
    assert list(cell[1].files) == ["networks/m2_k2_each_width16_depth2.safetensors"]


def size_of(network: SparseNetwork) -> int:
    live = network.compact()
    return sum(int(mask.sum()) for mask in live.masks) + 2 * sum(live.widths[1:-1])


def test_the_smallest_candidate_stands_beside_the_smallest_that_is_like_the_truth(
    cell: tuple[SculptResult, CellResult], monkeypatch: pytest.MonkeyPatch
) -> None:
    result, _ = cell
    own = sorted(result.candidates, key=size_of)
    like, truth = own[-2:], tasks.cmsp(2, 2, 6, outputs="each").truth(hidden_layers=2)
    assert size_of(own[0]) < size_of(like[0])
    monkeypatch.setattr("analysis.compare", lambda found, _: SimpleNamespace(exact=found.network in like))
    selected, size = Selected(range(4), "consensus", detect_modules(own[0], method="published")), partial(parity_cells._size, truth)
    selected = replace(selected, found=replace(selected.found, network=own[0]))
    monkeypatch.setattr(parity_cells, "_verdicts", lambda *_: {})
    for some, right in ((own, size_of(like[0])), (own[:-2], None)):
        columns = parity_cells._columns(truth, size, replace(result, candidates=tuple(some)), selected)
        assert columns == {"accuracy": own[0].accuracy, "smallest": size_of(own[0]), "smallest_right": right}
    alone = replace(selected, seeds=range(own[-1].origin["seed"], own[-1].origin["seed"] + 1))
    columns = parity_cells._columns(truth, size, result, alone)
    assert columns["smallest"] == min(size_of(c) for c in own if c.origin["seed"] == own[-1].origin["seed"])


def test_a_row_of_parities_says_what_was_found(cell: tuple[SculptResult, CellResult]) -> None:
    result, rows = cell[0], cell[1].rows
    truth = tasks.cmsp(2, 2, 6, outputs="each").truth(hidden_layers=2)
    assert {row["task"] for row in rows} == {"cmsp:m=2,k=2,n=6,outputs=each"}
    for row in rows[::2]:
        own = [c for c in result.candidates if row["seed"] <= c.origin["seed"] < row["seed"] + row["seeds"]]
        same = compare(consensus(own, method="published"), truth)
        assert [row[name] for name in ("inputs_right", "modules_right", "exact", "valid", "accuracy")] == [
            same.inputs.exact, same.exact, same.connected, same.valid, 1.0,
        ]  # fmt: skip
        assert (row["matched"], row["missing"], row["extra"]) == (len(same.matched), len(same.missing), len(same.extra))
        assert row["smallest"] == min(map(size_of, own))


@pytest.mark.parametrize(
    ("outputs", "name"),
    [
        ("one", "cmsp:m=3,k=2,n=8"),
        ("all", "cmsp:m=3,k=2,n=8,codes=0|1|2|0+1|0+2|1+2|0+1+2"),
        ("each", "cmsp:m=3,k=2,n=8,outputs=each"),
    ],
)
def test_a_cell_of_parities_asks_for_its_codes(outputs: str, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []
    monkeypatch.setattr(parity_cells, "sampled_cell", lambda task, *_, **__: asked.append(task.name) or CellResult([{}]))
    (row,) = parity_cells.parities_cell(3, 2, outputs, 16, 2, study="test").rows
    assert asked == [name] == [row["task"]]
    assert row["outputs"] == outputs


def test_a_killed_cell_goes_on_from_its_checkpoint(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, cell: tuple[SculptResult, CellResult]
) -> None:
    monkeypatch.setattr(sampled, "sculpt", partial(sculpt, **QUICKER))
    monkeypatch.setattr(sampled, "gettempdir", lambda: str(tmp_path))
    work = partial(parity_cells.parities_cell, 2, 2, "each", 16, 2, study="test")

    def killed(*_: Any, **__: Any) -> Any:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(sampled, "selected_of", killed)
        patch.setattr("sculpting.checkpoint_file.SECONDS", 0.0)
        with pytest.raises(KeyboardInterrupt):
            work()
    checkpoint = checkpoint_of("test", "m2_k2_each_width16_depth2")
    assert checkpoint.exists()
    assert checkpoint.is_relative_to(tmp_path)
    assert checkpoint.parent.stat().st_mode & 0o777 == 0o700
    monkeypatch.setattr("sculpting.mlp.engine.train", refuse)
    results: list[SculptResult] = []
    monkeypatch.setattr(sampled, "sculpt", lambda *a, **options: results.append(sculpt(*a, **options, **QUICKER)) or results[0])
    made = work()
    assert [{**row, "seconds": 0} for row in made.rows] == [{**row, "seconds": 0} for row in cell[1].rows]
    # The rounds before the kill count.
    assert made.rows[0]["seconds"] >= round(sum(attempt.seconds for attempt in results[0].history), 3)
    assert list(checkpoint.parent.iterdir()) == []


def test_studies_of_other_settings_have_checkpoints_of_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    keys = {key_of_study(settings) for settings in ({"steps": 60}, {"steps": 61}, {"steps": 60, "rows": 2})}
    monkeypatch.setattr(sampled, "__version__", "0.0.0")
    keys.add(key_of_study({"steps": 60}))
    assert len(keys) == 4
    assert checkpoint_of("a", "one") != checkpoint_of("a", "two") != checkpoint_of("b", "two")


def test_where_nothing_was_accepted_nothing_is_right() -> None:
    attempts = [SimpleNamespace(chain=SimpleNamespace(seed=s), accuracy=0.6 + s / 10) for s in range(4)]
    nothing: Any = SimpleNamespace(candidates=(), history=tuple(attempts))
    columns = parity_cells._columns(tasks.cmsp(1, 2).truth(2), refuse, nothing, Selected(range(1, 3), "consensus", None))
    assert columns == {"accuracy": 0.8, **dict.fromkeys(COLUMNS[13:18], False), **dict.fromkeys(COLUMNS[18:23])}


@pytest.mark.parametrize(("distractor", "out"), [(0.0, True), (1.0, False)])
def test_a_distractor_that_leads_anywhere_is_not_out(distractor: float, out: bool) -> None:
    task = tasks.cmsp(2, 2, 6, outputs="each")
    labels = [[0, 0, 1, 1, -1, 0 if distractor else -1], [0, 1], [0, 1, 2]]
    blocks = np.array([[1.0, 1, 0, 0, 0, distractor], [0, 0, 1, 1, 0, 0]])
    graph = LayeredGraph.from_weights([blocks, np.array([[1.0, 0], [0, 1], [1, 1]])], input_names=task.input_names)
    arrays = tuple(np.array(part) for part in labels)
    columns = parity_cells._verdicts(Hierarchy(graph, arrays, arrays), task.truth(hidden_layers=2))
    assert (columns["distractors_out"], columns["inputs_right"]) == (out, out)


def test_parities_with_one_output_have_no_verdict_on_validity() -> None:
    task = tasks.cmsp(1, 2, 3)
    arrays = (np.array([-1, 0, 0, -1]), np.array([0]), np.array([0]))
    graph = LayeredGraph.from_weights([[[0.0, 1, 1, 0]], [[1.0]]], input_names=task.input_names)
    assert parity_cells._verdicts(Hierarchy(graph, arrays, arrays), task.truth(hidden_layers=1)) == {
        "inputs_right": True, "distractors_out": True, "modules_right": True, "exact": True, "valid": None,
        "matched": 1, "missing": 0, "extra": 0,
    }  # fmt: skip


# --- The study ----------------------------------------------------------------------------------------------------------------


def test_the_study_of_parities_reports_every_line(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(parities, "parities_cell", fake_parities)
    assert main(["study", "parities", "--out", str(tmp_path)]) == 0
    shown = capsys.readouterr().out
    for part in (
        "20 of 20 cells (task, outputs, depth) were run; 14 of them reached their target.",
        "| one | 2 | yes | yes | no | 3/5 + 1 | no |  | no | 1.00 | 30 | 6-4-4-1 | 48/none | 4/4 (0.51-1.00) | 0/4",
        "| each | 3 | yes | yes | yes | 5/5 + 0 | yes | yes | yes | 1.00 | 30 | 6-4-4-1 | 48/50 | 4/4 (0.51-1.00) | 3/4",
        "| 3 | 3 | one | 2 | no | no | no |  | no |  | no |  | none accepted |  |  | 0/4 (0.00-0.49) | 0/4 (0.00-0.49) | 0.4 |",
        "0.13 hours of one core.",
        f"are in {tmp_path}",
    ):
        assert part in shown
    rows = json.loads((tmp_path / "rows.json").read_text())
    assert {(row["m"], row["k"], row["outputs"], row["depth"], row["width"]) for row in rows} == {
        (m, k, outputs, depth, 64)
        for m, k in ((2, 2), (3, 2), (2, 3), (3, 3))
        for outputs in ("one", "each", *["all"] * (m == 3))
        for depth in (2, 3)
    }
    assert (tmp_path / "success.svg").read_text().startswith("<?xml")
    settings = json.loads((tmp_path / "study.json").read_text())["settings"]
    assert settings["distractors"] == 2
    assert settings["cmsp.steps"] == TRAINING.steps
    monkeypatch.setattr(parities, "TRAINING", replace(TRAINING, steps=7))
    assert main(["study", "parities", "--out", str(tmp_path)]) == 2
    assert "cmsp.steps is 300 there and 7 now" in capsys.readouterr().err


def test_the_cells_that_were_not_run_are_named() -> None:
    summary = parity_report.parities_summary(fake_parities(2, 2, "each", 64, 2).rows)
    assert "1 of 20 cells (task, outputs, depth) were run; 1 of them" in summary
    assert summary.count("| not run |") == 19


def test_the_figure_has_every_group_with_its_rates() -> None:
    cells = [(*kind, depth) for kind in parity_cells.KINDS for depth in parity_cells.DEPTHS]
    rows: list[Row] = [row for m, k, outputs, depth in cells for row in fake_parities(m, k, outputs, 64, depth).rows]
    ax = parity_report._figure(rows)
    check_texts(ax.figure)
    assert [tick.get_text() for tick in ax.get_xticklabels()][:2] == ["m=2, k=2\none", "m=3, k=2\none"]
    counts = [text.get_text() for text in ax.texts]
    assert (counts.count("0/4"), counts.count("3/4"), counts.count("4/4")) == (12, 20, 8)
