"""The study of two digits: its cells, what a row has, the bits of a network, reports and pictures."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from test_figures import check_texts

from analysis import Hierarchy, LayeredGraph, compare, consensus, detect_modules
from sculpting import CellResult, SculptResult, run, sculpt, tasks
from sculpting.cli import main
from sculpting.models.network import SparseNetwork
from sculpting.store import Row
from sculpting.studies import digits
from sculpting.studies.common import sampled
from sculpting.studies.common.networks import network_bytes, network_file, network_from
from sculpting.studies.common.reporting import draw_found
from sculpting.studies.common.selection import RULES, Selected, accuracies_on_test, select
from sculpting.studies.common.settings import PUBLISHED, settings_of_sampled
from sculpting.studies.digits import cells as digit_cells
from sculpting.studies.digits import published as digit_targets
from sculpting.studies.digits import report as digit_report
from sculpting.studies.digits.cells import SETTINGS

MNIST_COLUMNS = [
    "task", "size", "width", "depth", "seeds", "seed", "rule", "density", "edges", "units", "pixels_read", "modules", "input_modules",
    "output_modules", "middle_modules", "sides_apart", "inputs_right", "outputs_right", "modules_right", "exact", "bit_share",
    "bits_separate", "one_output", "validation_accuracy", "test_accuracy", "dense_test_accuracy", "support", "seconds",
]  # fmt: skip
GROUPS = [(4, 0), *((1, seed) for seed in range(4))]  # how many seeds, and the first of them
QUICK = {"steps": 60, "unit_steps": (0.5,), "edge_steps": (0.05,)}
ROWS = {"pairs": 2000, "validation": 640, "test": 640}


def spied(patch: pytest.MonkeyPatch, work: Callable[[], CellResult], **quick: Any) -> tuple[SculptResult, CellResult]:
    """What ``sculpt``, with settings that take less time, returned in a cell, and what the cell gives."""
    results: list[SculptResult] = []

    def spy(*arguments: Any, **options: Any) -> SculptResult:
        results.append(sculpt(*arguments, **options, **quick))
        return results[0]

    patch.setattr(sampled, "sculpt", spy)
    made = work()
    return results[0], made


@pytest.fixture(scope="module")
def cell() -> tuple[SculptResult, CellResult]:
    """One small cell of two digits."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(digit_cells, "MAKERS", {name: partial(maker, **ROWS) for name, maker in digit_cells.MAKERS.items()})
        work = partial(digit_cells.digits_cell, "mnist-pair", 4, 16, 2, source="digits", study="test")
        return spied(patch, work, **QUICK, min_accuracy=0.92)


def fake_digits(task: str, size: int, width: int, depth: int, **_: Any) -> CellResult:
    """Rows without sculpting: all right but the outputs of seed 3 in the narrowest XOR."""
    rows: list[Row] = []
    for seeds, seed in GROUPS:
        for rule in RULES:
            right = (task, width, seed) != ("mnist-xor", 98, 3)
            known = [task, size, width, depth, seeds, seed, rule, 0.01, 90 + seed, "9-4-4-20", 9, 2, 2, 2, 0 if right else 3]
            bits = ["0.20-0.95", depth == 5, "0-4"] if task == "mnist-xor" else [None] * 3
            verdicts = [True, True, right, right, False]
            numbers = [0.98, 0.97, 0.975 if width == 98 else 0.9851, 1.0, 150.0 * seeds]
            rows.append(dict(zip(MNIST_COLUMNS, [*known, *verdicts, *bits, *numbers], strict=True)))
    return CellResult(rows)


def refuse(*_: Any, **__: Any) -> Any:
    raise AssertionError("done again")


# --- One cell -----------------------------------------------------------------------------------------------------------------


def check_cell(result: SculptResult, made: CellResult, columns: list[str], **detection: Any) -> None:
    """A cell has rows for all seeds and for each, by both rules, and the network of the first."""
    rows = made.rows
    assert all(list(row) == columns for row in rows)
    assert [(row["seeds"], row["seed"], row["rule"]) for row in rows] == [(*a, rule) for a in GROUPS for rule in RULES]
    assert result.seeds == (0, 1, 2, 3)
    for row in rows:
        own = [c for c in result.candidates if row["seed"] <= c.origin["seed"] < row["seed"] + row["seeds"]]
        found = consensus(own, **PUBLISHED, **detection) if row["rule"] == "consensus" else detect_modules(own[0], **PUBLISHED, **detection)
        assert (row["edges"], row["density"], row["support"]) == (found.network.edge_count, found.network.density, found.support)
        assert row["units"] == "-".join(map(str, found.network.unit_counts))
    assert sum(row["seconds"] for row in rows[2::2]) == pytest.approx(rows[0]["seconds"], abs=0.01)
    assert rows[0]["seconds"] >= round(sum(attempt.seconds for attempt in result.history), 3) > 0
    (kept,) = made.files.values()
    assert network_from(kept).edge_count == rows[0]["edges"]
    json.dumps(rows, allow_nan=False)


def test_a_cell_has_rows_for_all_seeds_and_for_each_by_both_rules(cell: tuple[SculptResult, CellResult]) -> None:
    check_cell(*cell, MNIST_COLUMNS, merge_threshold=0.6)
    assert list(cell[1].files) == ["networks/mnist-pair_size4_width16_depth2.safetensors"]


def test_a_row_of_two_digits_says_what_was_found(cell: tuple[SculptResult, CellResult]) -> None:
    result, rows = cell[0], cell[1].rows
    task = tasks.mnist_pair(size=4, source="digits", **ROWS)
    truth = task.truth(hidden_layers=2)
    dense = accuracies_on_test(result.dense, task)
    assert {row["task"] for row in rows} == {"mnist-pair"}
    for row in rows:
        own = [c for c in result.candidates if row["seed"] <= c.origin["seed"] < row["seed"] + row["seeds"]]
        found = select(own, row["rule"], **PUBLISHED, merge_threshold=0.6)
        same = compare(found, truth)
        assert [row[name] for name in ("inputs_right", "modules_right", "exact")] == [same.inputs.exact, same.exact, same.connected]
        assert row["modules"] == len(found.modules)
        assert row["pixels_read"] == int(row["units"].split("-")[0]) == int((found.labels[0] >= 0).sum())
        assert row["validation_accuracy"] == found.network.accuracy
        outputs = found.graph.evaluate(task.x_test.numpy())  # type: ignore[union-attr]
        assert row["test_accuracy"] == pytest.approx(((outputs > 0) == (task.y_test.numpy() > 0)).mean())  # type: ignore[union-attr]
        assert row["dense_test_accuracy"] == pytest.approx(np.mean(dense[row["seed"] : row["seed"] + row["seeds"]]))
    assert len(set(dense)) > 1
    assert any(row["sides_apart"] for row in rows)


def test_where_nothing_was_accepted_nothing_is_right(cell: tuple[SculptResult, CellResult]) -> None:
    nothing: Any = SimpleNamespace(candidates=(), dense=cell[0].dense)
    selected = sampled.selected_of((), range(1, 3), "consensus", {})
    assert selected == Selected(range(1, 3), "consensus", None)
    assert selected.columns == {"seeds": 2, "seed": 1, "rule": "consensus", "density": None, "edges": None, "units": None}
    task = tasks.mnist_pair(size=4, source="digits", **ROWS)
    row = digit_cells._columns(task, task.truth(2), nothing, selected)
    assert list(row) == MNIST_COLUMNS[10:26]
    assert [row[name] for name in MNIST_COLUMNS[15:20]] == [False] * 5
    assert {row[name] for name in MNIST_COLUMNS[10:15] + MNIST_COLUMNS[20:25]} == {None}
    assert row["dense_test_accuracy"] == pytest.approx(np.mean(accuracies_on_test(nothing.dense[1:3], task)))


def hierarchy(labels: list[list[int]], weights: list[Any]) -> Any:
    arrays = tuple(np.array(part) for part in labels)
    network = SimpleNamespace(unit_counts=(int((arrays[0] >= 0).sum()),))
    return Hierarchy(LayeredGraph.from_weights(weights), arrays, arrays, network=network)


@pytest.mark.parametrize(
    ("pixels", "apart"),
    [([0, 0, 1, 1], True), ([0, 2, 1, 1], True), ([0, 0, 0, 1], False), ([-1, 0, 1, -1], True), ([0, 0, -1, -1], False), ([-1] * 4, False)],
)
def test_sides_are_apart_when_both_are_read_and_no_module_has_pixels_of_both(pixels: list[int], apart: bool) -> None:
    # One row of an image 4 pixels wide: two on the left, two on the right.
    task: Any = SimpleNamespace(image=(1, 4))
    truth = tasks.mnist_pair(size=4, source="digits", **ROWS).truth(2)
    for node, inputs in ((0, (0, 1)), (1, (2, 3))):
        truth.nodes[node].update(inputs=inputs, outputs=(node,))
    found = hierarchy([pixels, [0, 1], [0, 1]], [np.ones((2, 4)), np.eye(2)])
    assert digit_cells._verdicts(found, truth, task)["sides_apart"] is apart


def test_outputs_that_nothing_leads_to_are_not_right() -> None:
    task: Any = SimpleNamespace(image=(1, 2))
    truth = tasks.mnist_xor(size=4, source="digits", **ROWS).truth(4)
    for node, inputs in ((0, (0,)), (1, (1,))):
        truth.nodes[node]["inputs"] = inputs
    weights = [np.eye(2), np.array([[1.0, 1], [1, 1], [1, 1]])]
    found = hierarchy([[0, 1], [2, 2], [3, 4, 5]], weights)
    assert digit_cells._verdicts(found, truth, task) == dict(zip(digit_cells.VERDICTS, (True,) * 5, strict=True))
    assert digit_cells._counts(found) == dict(zip(digit_cells.COUNTS, (2, 6, 2, 3, 1), strict=True))
    weights[1][2] = 0
    assert digit_cells._verdicts(hierarchy([[0, 1], [2, 2], [3, 4, 5]], weights), truth, task)["outputs_right"] is False
    unread = hierarchy([[0, 1], [-1, -1], [3, 4, 5]], [np.eye(2), np.ones((3, 2))])
    assert digit_cells._verdicts(unread, truth, task)["outputs_right"] is False


@pytest.mark.parametrize(("depth", "bits"), [(4, True), (2, False)])
def test_bits_are_asked_for_in_the_xor_alone(depth: int, bits: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[Any] = []
    monkeypatch.setattr(digit_cells, "bit_columns", lambda *arguments: given.append(arguments) or {"bit_share": "1.00"})
    task = (tasks.mnist_xor if bits else tasks.mnist_pair)(size=4, source="digits", **ROWS)
    columns = digit_cells._bits(SimpleNamespace(graph="graph"), task)
    assert columns == ({"bit_share": "1.00"} if bits else dict.fromkeys(("bit_share", "bits_separate", "one_output")))
    for graph, x, pairs in given:
        assert (graph, x.shape) == ("graph", (640, 32))
        xor = (pairs[:, :1] ^ pairs[:, 1:]) & [4, 2, 1] > 0
        assert (xor == task.y_test.numpy()).all()  # type: ignore[union-attr]
    assert len(given) == bits


def test_labels_of_test_rows_are_the_left_and_the_right_digit() -> None:
    task = tasks.mnist_pair(size=4, source="digits", **ROWS)
    assert task.labels_test is not None
    assert task.y_test is not None
    assert (task.y_test.reshape(-1, 2, 10).argmax(dim=2) == task.labels_test).all()
    assert len(task.labels_test.unique(dim=0)) == 100


# --- The study ----------------------------------------------------------------------------------------------------------------


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    monkeypatch.setattr(digits, "digits_cell", fake_digits)
    monkeypatch.setattr(digits, "mnist_pair", lambda **_: None)
    return monkeypatch


def test_the_study_of_digits_has_the_cells_that_were_asked_for(fake: pytest.MonkeyPatch, tmp_path: Path) -> None:
    fake.setattr(digits, "digits_report", lambda rows, read: {})
    rows = run(digits.study(sizes=[14, 28]), tmp_path, progress=False)
    shapes = list(dict.fromkeys((row["task"], row["size"], row["width"], row["depth"]) for row in rows))
    pair, xor = (("mnist-pair", (2, 3)), ("mnist-xor", (4, 5)))
    widths = {14: (98, 196), 28: (392,)}
    assert shapes == [(task, size, width, d) for size in (14, 28) for task, depths in (pair, xor) for d in depths for width in widths[size]]
    assert len(rows) == 12 * 10
    single = [row for row in rows if (row["task"], row["size"], row["seeds"], row["rule"]) == ("mnist-pair", 14, 1, "consensus")]
    assert len(single) == 16
    assert (tmp_path / "cells" / "mnist-xor_size28_width392_depth5.json").exists()
    fake.setattr(digits, "digits_cell", refuse)
    again = run(digits.study(sizes=[28]), tmp_path, progress=False)
    assert again[:40] == rows[80:]
    assert sorted(map(str, again[40:])) == sorted(map(str, rows[:80]))  # what the folder has beside


def test_the_study_of_digits_reports_every_line(fake: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["study", "digits", "--out", str(tmp_path)]) == 0
    shown = capsys.readouterr().out
    for part in (
        "8 cells (task, size, width, depth) were run.",
        "| two digits | 14 | 2, 3 | left and right apart | 24/24 (0.86-1.00) | 16/16 | 16/16 (0.81-1.00) | yes |",
        "| two digits | 14 | 2, 3 | exactly two modules, left and right | 24/24 (0.86-1.00) | 15/16 | 16/16 (0.81-1.00) | yes |",
        "| two digits | 28 | 2 | exactly two modules, left and right | 12/12 (0.76-1.00) | 2/2 | not run | not run |",
        "| two digits | 14 | 2, 3 | test accuracy within 1 point of dense |  | 16/16 | 8/16 (0.28-0.72) | no |",
        "| XOR of two digits | 14 | 4 | three modules of outputs | 10/12 (0.55-0.95) | 7/8 | 7/8 (0.53-0.98) | yes |",
        "| XOR of two digits | 14 | 4 | three modules in the middle | 0/12 (0.00-0.24) |  | 1/8 (0.02-0.47) |  |",
        "| XOR of two digits | 14 | 4 | the bits apart in the middle |  |  | 0/8 (0.00-0.32) |  |",
        "| XOR of two digits | 14 | 5 | the bits apart in the middle |  |  | 8/8 (0.68-1.00) |  |",
        "| both | 14 | all | minutes of a cell, four seeds on one core, at most |  | 10 | 10.0 | yes |",
        "| XOR of two digits | 14 | 98 | 4 | 4/4 (0.51-1.00) | 3/4 (0.30-0.95) | 3/4 (0.30-0.95) | 2 | yes | 1.00 | 90-93 | 9 | "
        "0.9700 | 0.9750 | 10.0 |",
        "| 14 | 98 | all four | 9-4-4-20 | 0.20-0.95 | 0-4 | 0 | no |",
        "| 14 | 196 | 3 | 9-4-4-20 | 0.20-0.95 | 0-4 | 0 | yes |",
        "1.33 hours of one core.",
        f"are in {tmp_path}",
    ):
        assert part in shown
    assert (tmp_path / "summary.md").read_text() in shown
    table = list(csv.DictReader((tmp_path / "rows.csv").read_text().splitlines()))
    assert list(table[0]) == MNIST_COLUMNS
    assert len(table) == len(json.loads((tmp_path / "rows.json").read_text())) == 80
    assert sorted(p.name for p in tmp_path.glob("success.*")) == ["success.png", "success.svg"]
    fake.setattr(digits, "digits_cell", refuse)
    assert main(["study", "digits", "--out", str(tmp_path), "--quiet"]) == 0
    assert capsys.readouterr() == ("", "")
    assert main(["study", "digits", "--source", "digits", "--out", str(tmp_path)]) == 2
    assert 'other settings: source is "mnist" there and "digits" now' in capsys.readouterr().err


def test_the_targets_of_cells_that_were_not_run_are_named() -> None:
    assert digit_targets.target_table([]).count("| not run | not run |") == 10
    assert digit_targets.target_table([]).count("\n") == 17


def test_settings_are_what_decides_a_result() -> None:
    settings = settings_of_sampled(digit_cells.MAKERS, SETTINGS, merge_threshold=0.6)
    assert settings["detect_modules.merge_threshold"] == 0.6
    assert (settings["mnist-pair.tolerance"], settings["mnist-xor.tolerance"]) == (0.005, 0.01)
    assert (settings["mnist-pair.steps"], settings["mnist-xor.learning_rate"]) == (900, 0.03)
    assert settings["task.activation"] == tasks.Task.activation
    assert settings["schedule.large_unit_steps"] == (0.5, 0.2)
    assert {f"mnist-xor.{name}" for name in ("pairs", "validation", "test", "seed")} <= set(settings)
    assert "mnist-pair.source" not in settings


def test_bad_input_is_refused_before_any_cell(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for arguments, text in (
        (["--source", "digits", "--size", "14"], "size must be 8 or 4 for images of 8 x 8 pixels; got 14"),
        (["--source", "digits", "--size", "4", "--data-dir", "."], "data_dir must be left out for source='digits'"),
        (["--data-dir", str(tmp_path)], "must hold one file"),
        (["--source", "digits", "--size", "4", "--jobs", "0"], "jobs must be a whole number of processes"),
    ):
        assert main(["study", "digits", *arguments]) == 2
        assert text in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


# --- Pictures -----------------------------------------------------------------------------------------------------------------


def test_the_figure_has_every_group_with_its_rates() -> None:
    rows = [
        row
        for task, depths in digit_cells.DEPTHS.items()
        for depth in depths
        for width in (98, 196)
        for row in fake_digits(task, 14, width, depth).rows
    ]
    ax = digit_report._figure(rows)
    check_texts(ax.figure)
    assert [tick.get_text() for tick in ax.get_xticklabels()] == [
        "two digits\n14x14\n2 hidden layers", "two digits\n14x14\n3 hidden layers", "XOR of two digits\n14x14\n4 hidden layers",
        "XOR of two digits\n14x14\n5 hidden layers",
    ]  # fmt: skip
    counts = [text.get_text() for text in ax.texts]
    assert counts.count("7/8") == 4
    assert counts.count("10/12") == 2


def test_the_network_of_a_cell_is_drawn(cell: tuple[SculptResult, CellResult]) -> None:
    rows, read = cell[1].rows, cell[1].files.get
    by_consensus = [row for row in rows if row["seeds"] == 4 and row["rule"] == "consensus"]
    missing = {**by_consensus[0], "width": 999, "modules_right": True}
    picture = draw_found([missing, *by_consensus], digit_report._cell, read, image=(4, 8), merge_threshold=0.6)
    assert picture is not None
    assert f"{rows[0]['edges']} edges" in picture.decode()
    assert "pixels-" in picture.decode()
    assert draw_found([{**by_consensus[0], "edges": None}, missing], digit_report._cell, read) is None


def test_a_right_one_is_drawn_where_there_is_one(cell: tuple[SculptResult, CellResult], monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[str] = []

    def draw(path: Path, image: Any, title: str) -> None:
        drawn.append(title)
        path.write_text("<svg/>")

    monkeypatch.setattr("analysis.detect_modules", lambda network, **options: SimpleNamespace(draw=draw))
    rows = [
        row
        for width in (98, 196)
        for row in fake_digits("mnist-xor", 14, width, 4).rows
        if row["seeds"] == 4 and row["rule"] == "consensus"
    ]
    rows[0]["modules_right"], rows[1]["edges"] = False, 77
    (content,) = cell[1].files.values()
    kept = {network_file(digit_report._cell(row)): content for row in rows}
    files = digit_report.digits_report(rows, kept.get)
    assert drawn == ["mnist-xor, units 9-4-4-20, 77 edges"]
    assert sorted(files) == ["mnist-xor_size14_depth4.svg", "success.png", "success.svg", "summary.md"]


def test_networks_come_back_from_their_bytes(cell: tuple[SculptResult, CellResult], tmp_path: Path) -> None:
    network = cell[0].candidates[0]
    again = network_from(network_bytes(network))
    assert all((a == b).all() for a, b in zip(network.weights, again.weights, strict=True))
    (tmp_path / "kept.safetensors").write_bytes(network_bytes(network))
    assert SparseNetwork.load(tmp_path / "kept.safetensors").origin == network.origin
