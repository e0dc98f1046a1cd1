"""The studies of two digits and of parities: their cells, what a row says, what is reported, and that a killed cell goes on."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from sculpting.studies.common.answers import accuracies_on_test
from sculpting.studies.common.sampled_report import draw_found
from test_figures import check_texts

from analysis import Hierarchy, LayeredGraph, compare, consensus, detect_modules
from sculpting import SculptResult, SparseNetwork, cli, sculpt, tasks
from sculpting.cli import main
from sculpting.store import Row
from sculpting.studies.common import sampled
from sculpting.studies.common.sampled import network_path, settings_of_sampled
from sculpting.studies.digits import cells as digit_cells
from sculpting.studies.digits import published as digit_targets
from sculpting.studies.digits import report as digit_report
from sculpting.studies.digits.bits import bit_columns
from sculpting.studies.parities import cells as parity_cells
from sculpting.studies.parities import report as parity_report
from sculpting.tasks import SETTINGS

MNIST_COLUMNS = [
    "task", "size", "width", "depth", "seeds", "seed", "rule", "density", "edges", "units", "pixels_read", "modules", "input_modules",
    "output_modules", "middle_modules", "sides_apart", "inputs_right", "outputs_right", "modules_right", "exact", "bit_share",
    "bits_separate", "one_output", "validation_accuracy", "test_accuracy", "dense_test_accuracy", "support", "seconds",
]  # fmt: skip
CMSP_COLUMNS = [
    "task", "m", "k", "outputs", "width", "depth", "seeds", "seed", "rule", "density", "edges", "units", "accuracy", "inputs_right",
    "distractors_out", "modules_right", "exact", "valid", "matched", "missing", "extra", "smallest", "smallest_right", "support", "seconds",
]  # fmt: skip
ANSWERS = [(4, 0), *((1, seed) for seed in range(4))]
QUICK = {"steps": 60, "unit_steps": (50,), "edge_steps": (5,)}
ROWS = {"pairs": 2000, "validation": 640, "test": 640}


def small(maker: Callable[..., tasks.Task]) -> Callable[..., tasks.Task]:
    return partial(maker, **ROWS)


@pytest.fixture(scope="module")
def cells(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Path, SculptResult, list[Row]]]:
    """For each kind of task the folder, the candidates and the rows of one small cell."""
    made = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(digit_cells, "MAKERS", {name: small(maker) for name, maker in digit_cells.MAKERS.items()})
        patch.setitem(SETTINGS, "mnist-pair", {**QUICK, "min_accuracy": 0.92})
        patch.setitem(SETTINGS, "cmsp", {**SETTINGS["cmsp"], **QUICK, "batch_size": 64, "dense_rounds": 10})
        works = {
            "mnist-pair": partial(digit_cells.mnist_cell, "mnist-pair", 4, 16, 2, source="digits"),
            "cmsp": partial(parity_cells.cmsp_cell, 2, 2, "each", 16, 2),
        }
        for kind, work in works.items():
            results: list[SculptResult] = []

            def spy(*arguments: Any, results: list[SculptResult] = results, **options: Any) -> SculptResult:
                results.append(sculpt(*arguments, **options))
                return results[0]

            patch.setattr(sampled, "sculpt", spy)
            folder = tmp_path_factory.mktemp(kind)
            rows = work(folder=folder)
            made[kind] = folder, results[0], rows
    return made


def fake_mnist(task: str, size: int, width: int, depth: int, **_: Any) -> list[Row]:
    """Rows without sculpting: all right but the outputs of seed 3 in the narrowest XOR."""
    rows: list[Row] = []
    for seeds, seed in ANSWERS:
        for rule in sampled.RULES:
            right = (task, width, seed) != ("mnist-xor", 98, 3)
            known = [task, size, width, depth, seeds, seed, rule, 0.01, 90 + seed, "9-4-4-20", 9, 2, 2, 2, 0 if right else 3]
            bits = ["0.20-0.95", depth == 5, "0-4"] if task == "mnist-xor" else [None] * 3
            verdicts = [True, True, right, right, False]
            numbers = [0.98, 0.97, 0.975 if width == 98 else 0.9851, 1.0, 150.0 * seeds]
            rows.append(dict(zip(MNIST_COLUMNS, [*known, *verdicts, *bits, *numbers], strict=True)))
    return rows


def fake_cmsp(m: int, k: int, outputs: str, width: int, depth: int, **_: Any) -> list[Row]:
    """Rows without sculpting: one output is right with three hidden layers only, and nothing is accepted in the largest with two."""
    rows: list[Row] = []
    for seeds, seed in ANSWERS:
        for rule in sampled.RULES:
            right = outputs == "each" or depth == 3
            found = (m, k, outputs, depth) != (3, 3, "one", 2)
            network = [0.01, 30, "6-4-4-1", 1.0] if found else [None, None, None, 0.9]
            verdicts = [found, found, right and seed != 2, right and seed != 2, True if outputs == "each" else None]
            sizes = [48.0 if found else None, 50.0 if found and right else None]
            facts = [f"cmsp:m={m},k={k}", m, k, outputs, width, depth, seeds, seed, rule]
            counts = [5, 0, 0] if right else [3, 2, 1] if found else [None, None, None]
            values = [*facts, *network, *verdicts, *counts, *sizes, found or None, 6.0 * seeds]
            rows.append(dict(zip(CMSP_COLUMNS, values, strict=True)))
    return rows


def refuse(*_: Any, **__: Any) -> Any:
    raise AssertionError("done again")


# --- Bits of two digits -------------------------------------------------------------------------------------------------------

PAIRS = np.stack(np.divmod(np.arange(64), 8), axis=1)
DIGITS = np.tile(PAIRS, (40, 1))


def bits_of(digits: Any) -> Any:
    """The bits 4, 2 and 1 of both digits, six columns."""
    return np.concatenate([(digits[:, [side]] & np.array([4, 2, 1]) > 0) for side in (0, 1)], axis=1).astype(float)


def differences() -> Any:
    """Of six bits (or units that are the bits) relu(a_j - b_j) and relu(b_j - a_j), shape (6, 6): output, input."""
    return np.concatenate([np.hstack([np.eye(3), -np.eye(3)]), np.hstack([-np.eye(3), np.eye(3)])])


SUMS = np.hstack([np.eye(3), np.eye(3)])


def test_a_network_that_keeps_the_bits_apart_is_said_to() -> None:
    dead = np.vstack([differences(), np.ones((1, 6))])
    graph = LayeredGraph.from_weights([dead, np.hstack([SUMS, np.zeros((3, 1))]), np.eye(3)])
    told = bit_columns(graph, bits_of(DIGITS), DIGITS)
    assert told == {"bit_share": "1.00-1.00", "bits_separate": True, "one_output": "6-3"}


def test_a_network_that_reads_digits_whole_before_it_takes_bits_is_said_not_to() -> None:
    # Sixteen units that each know one digit of one side; then the differences of bits, which are sums of these.
    codes = bits_of(PAIRS[:8][:, ::-1])[:, :3]
    known = np.kron(np.eye(2), 2 * codes - 1)
    biases = np.tile(1 - codes.sum(axis=1), 2)
    readers = differences() @ np.kron(np.eye(2), codes.T)
    graph = LayeredGraph.from_weights([known, readers, SUMS], biases=(biases, np.zeros(6), np.zeros(3)))
    told = bit_columns(graph, bits_of(DIGITS), DIGITS)
    assert told == {"bit_share": "0.14-1.00", "bits_separate": False, "one_output": "6-6"}  # digits of one bit reach one output
    assert (graph.evaluate(bits_of(DIGITS)) == ((DIGITS[:, :1] ^ DIGITS[:, 1:]) & [4, 2, 1] > 0)).all()


def test_bits_are_apart_only_where_each_of_them_is_told_of_and_no_unit_tells_of_two() -> None:
    part = differences()[[0, 1, 3, 4]]
    missing = LayeredGraph.from_weights([part, np.array([[1.0, 0, 1, 0], [0, 1, 0, 1], [0, 1, 0, 1]]), np.eye(3)])
    assert bit_columns(missing, bits_of(DIGITS), DIGITS)["bits_separate"] is False
    mixed = LayeredGraph.from_weights([np.vstack([differences(), [1, 1, 0, 0, 0, 0]]), np.hstack([SUMS, np.ones((3, 1))]), np.eye(3)])
    told = bit_columns(mixed, bits_of(DIGITS), DIGITS)
    assert told == {"bit_share": "0.93-0.56", "bits_separate": False, "one_output": "6-3"}


# --- One cell -----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("kind", "columns"), [("mnist-pair", MNIST_COLUMNS), ("cmsp", CMSP_COLUMNS)])
def test_a_cell_answers_for_all_seeds_and_for_each_by_both_rules(kind: str, columns: list[str], cells: Any) -> None:
    folder, result, rows = cells[kind]
    assert all(list(row) == columns for row in rows)
    assert [(row["seeds"], row["seed"], row["rule"]) for row in rows] == [(*a, rule) for a in ANSWERS for rule in ("consensus", "sparsest")]
    assert result.seeds == (0, 1, 2, 3)
    threshold = {"merge_threshold": 0.6} if kind == "mnist-pair" else {}
    for row in rows:
        own = [c for c in result.candidates if row["seed"] <= c.origin["seed"] < row["seed"] + row["seeds"]]
        found = consensus(own, **threshold) if row["rule"] == "consensus" else detect_modules(own[0], **threshold)
        assert (row["edges"], row["density"], row["support"]) == (found.network.edge_count, found.network.density, found.support)
        assert row["units"] == "-".join(map(str, found.network.unit_counts))
    assert sum(row["seconds"] for row in rows[2::2]) == pytest.approx(rows[0]["seconds"], abs=0.01)
    assert rows[0]["seconds"] >= round(sum(attempt.seconds for attempt in result.history), 3) > 0
    (kept,) = (folder / "networks").iterdir()
    assert SparseNetwork.load(kept).edge_count == rows[0]["edges"]
    json.dumps(rows, allow_nan=False)


def test_a_row_of_two_digits_says_what_was_found(cells: Any) -> None:
    _, result, rows = cells["mnist-pair"]
    task = tasks.mnist_pair(size=4, source="digits", **ROWS)
    truth = task.truth(hidden_layers=2)
    dense = accuracies_on_test(result.dense, task)
    assert {row["task"] for row in rows} == {"mnist-pair"}
    for row in rows:
        own = [c for c in result.candidates if row["seed"] <= c.origin["seed"] < row["seed"] + row["seeds"]]
        found = (consensus if row["rule"] == "consensus" else lambda some, **o: detect_modules(some[0], **o))(own, merge_threshold=0.6)
        told = compare(found, truth)
        assert [row[name] for name in ("inputs_right", "modules_right", "exact")] == [told.inputs.exact, told.exact, told.connected]
        assert row["modules"] == len(found.modules)
        assert row["pixels_read"] == int(row["units"].split("-")[0]) == int((found.labels[0] >= 0).sum())
        assert row["validation_accuracy"] == found.network.accuracy
        outputs = found.graph.evaluate(task.x_test.numpy())  # type: ignore[union-attr]
        assert row["test_accuracy"] == pytest.approx(((outputs > 0) == (task.y_test.numpy() > 0)).mean())  # type: ignore[union-attr]
        assert row["dense_test_accuracy"] == pytest.approx(np.mean(dense[row["seed"] : row["seed"] + row["seeds"]]))
    assert len(set(dense)) > 1
    assert any(row["sides_apart"] for row in rows)


def size_of(network: SparseNetwork) -> int:
    live = network.compact()
    return sum(int(mask.sum()) for mask in live.masks) + 2 * sum(live.widths[1:-1])


def test_the_smallest_candidate_is_told_beside_the_smallest_that_is_like_the_truth(cells: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    own = sorted(cells["cmsp"][1].candidates, key=size_of)
    like, truth = own[-2:], tasks.cmsp(2, 2, 6, outputs="each").truth(hidden_layers=2)
    assert size_of(own[0]) < size_of(like[0])
    monkeypatch.setattr("analysis.compare", lambda found, _: SimpleNamespace(exact=found.network in like))
    answer, size = sampled.Answer(range(4), "consensus", detect_modules(own[0])), partial(parity_cells._size, truth)
    answer = replace(answer, found=replace(answer.found, network=own[0]))
    monkeypatch.setattr(parity_cells, "_verdicts", lambda *_: {})
    for some, right in ((own, size_of(like[0])), (own[:-2], None)):
        told = parity_cells._columns(truth, size, replace(cells["cmsp"][1], candidates=tuple(some)), answer)
        assert told == {"accuracy": own[0].accuracy, "smallest": size_of(own[0]), "smallest_right": right}
    alone = replace(answer, seeds=range(own[-1].origin["seed"], own[-1].origin["seed"] + 1))
    told = parity_cells._columns(truth, size, cells["cmsp"][1], alone)
    assert told["smallest"] == min(size_of(c) for c in own if c.origin["seed"] == own[-1].origin["seed"])


def test_a_row_of_parities_says_what_was_found(cells: Any) -> None:
    _, result, rows = cells["cmsp"]
    truth = tasks.cmsp(2, 2, 6, outputs="each").truth(hidden_layers=2)
    assert {row["task"] for row in rows} == {"cmsp:m=2,k=2,n=6,outputs=each"}
    for row in rows[::2]:
        own = [c for c in result.candidates if row["seed"] <= c.origin["seed"] < row["seed"] + row["seeds"]]
        told = compare(consensus(own), truth)
        assert [row[name] for name in ("inputs_right", "modules_right", "exact", "valid", "accuracy")] == [
            told.inputs.exact, told.exact, told.connected, told.valid, 1.0,
        ]  # fmt: skip
        assert (row["matched"], row["missing"], row["extra"]) == (len(told.matched), len(told.missing), len(told.extra))
        assert row["smallest"] == min(map(size_of, own))


@pytest.mark.parametrize(
    ("outputs", "name"),
    [
        ("one", "cmsp:m=3,k=2,n=8"),
        ("all", "cmsp:m=3,k=2,n=8,codes=0|1|2|0+1|0+2|1+2|0+1+2"),
        ("each", "cmsp:m=3,k=2,n=8,outputs=each"),
    ],
)
def test_a_cell_of_parities_asks_for_its_codes(outputs: str, name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    asked: list[Any] = []
    monkeypatch.setattr(parity_cells, "answer_sampled", lambda task, *_: asked.append(task.name) or [{}])
    (row,) = parity_cells.cmsp_cell(3, 2, outputs, 16, 2, folder=tmp_path)
    assert asked == [name] == [row["task"]]
    assert row["outputs"] == outputs


def test_a_killed_cell_goes_on_from_its_checkpoint(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, cells: Any) -> None:
    monkeypatch.setitem(SETTINGS, "cmsp", {**SETTINGS["cmsp"], **QUICK, "batch_size": 64, "dense_rounds": 10})
    work = partial(parity_cells.cmsp_cell, 2, 2, "each", 16, 2, folder=tmp_path)

    def killed(*_: Any, **__: Any) -> Any:
        raise KeyboardInterrupt

    monkeypatch.setattr(sampled, "choose", killed)
    monkeypatch.setattr("sculpting.schedule.checkpoint.SECONDS", 0.0)
    with pytest.raises(KeyboardInterrupt):
        work()
    (kept,) = (tmp_path / "networks").iterdir()
    assert kept.suffix == ".checkpoint"
    monkeypatch.undo()
    monkeypatch.setitem(SETTINGS, "cmsp", {**SETTINGS["cmsp"], **QUICK, "batch_size": 64, "dense_rounds": 10})
    monkeypatch.setattr("sculpting.schedule.pruning.train", refuse)
    results: list[SculptResult] = []
    monkeypatch.setattr(sampled, "sculpt", lambda *arguments, **options: results.append(sculpt(*arguments, **options)) or results[0])
    rows = work()
    _, _, expected = cells["cmsp"]
    assert [{**row, "seconds": 0} for row in rows] == [{**row, "seconds": 0} for row in expected]
    # The rounds before the kill count.
    assert rows[0]["seconds"] >= round(sum(attempt.seconds for attempt in results[0].history), 3)
    assert [path.suffix for path in (tmp_path / "networks").iterdir()] == [".safetensors"]


def test_where_nothing_was_accepted_nothing_is_right(cells: Any) -> None:
    seeds = range(1, 3)
    attempts = [SimpleNamespace(chain=SimpleNamespace(seed=s), accuracy=0.6 + s / 10) for s in range(4)]
    nothing: Any = SimpleNamespace(candidates=(), history=tuple(attempts), dense=cells["mnist-pair"][1].dense)
    answer = sampled._answer(nothing, seeds, "consensus", {})
    assert answer.columns == {"seeds": 2, "seed": 1, "rule": "consensus", "density": None, "edges": None, "units": None}
    told = parity_cells._columns(tasks.cmsp(1, 2).truth(2), refuse, nothing, answer)
    assert told == {"accuracy": 0.8, **dict.fromkeys(CMSP_COLUMNS[13:18], False), **dict.fromkeys(CMSP_COLUMNS[18:23])}
    task = tasks.mnist_pair(size=4, source="digits", **ROWS)
    row = digit_cells._columns(task, task.truth(2), nothing, answer)
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
    told = digit_cells._bits(SimpleNamespace(graph="graph"), task)
    assert told == ({"bit_share": "1.00"} if bits else dict.fromkeys(("bit_share", "bits_separate", "one_output")))
    for graph, x, digits in given:
        assert (graph, x.shape) == ("graph", (640, 32))
        xor = (digits[:, :1] ^ digits[:, 1:]) & [4, 2, 1] > 0
        assert (xor == task.y_test.numpy()).all()  # type: ignore[union-attr]
    assert len(given) == bits


def test_labels_of_test_rows_are_the_left_and_the_right_digit() -> None:
    task = tasks.mnist_pair(size=4, source="digits", **ROWS)
    assert task.labels_test is not None
    assert task.y_test is not None
    assert (task.y_test.reshape(-1, 2, 10).argmax(dim=2) == task.labels_test).all()
    assert len(task.labels_test.unique(dim=0)) == 100


@pytest.mark.parametrize(("distractor", "out"), [(0.0, True), (1.0, False)])
def test_a_distractor_that_leads_anywhere_is_not_out(distractor: float, out: bool) -> None:
    task = tasks.cmsp(2, 2, 6, outputs="each")
    labels = [[0, 0, 1, 1, -1, 0 if distractor else -1], [0, 1], [0, 1, 2]]
    blocks = np.array([[1.0, 1, 0, 0, 0, distractor], [0, 0, 1, 1, 0, 0]])
    graph = LayeredGraph.from_weights([blocks, np.array([[1.0, 0], [0, 1], [1, 1]])], input_names=task.input_names)
    arrays = tuple(np.array(part) for part in labels)
    told = parity_cells._verdicts(Hierarchy(graph, arrays, arrays), task.truth(hidden_layers=2))
    assert (told["distractors_out"], told["inputs_right"]) == (out, out)


def test_parities_with_one_output_have_no_verdict_on_validity() -> None:
    task = tasks.cmsp(1, 2, 3)
    arrays = (np.array([-1, 0, 0, -1]), np.array([0]), np.array([0]))
    graph = LayeredGraph.from_weights([[[0.0, 1, 1, 0]], [[1.0]]], input_names=task.input_names)
    assert parity_cells._verdicts(Hierarchy(graph, arrays, arrays), task.truth(hidden_layers=1)) == {
        "inputs_right": True, "distractors_out": True, "modules_right": True, "exact": True, "valid": None,
        "matched": 1, "missing": 0, "extra": 0,
    }  # fmt: skip


# --- The studies --------------------------------------------------------------------------------------------------------------


@pytest.fixture
def fakes(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    monkeypatch.setattr(digit_cells, "mnist_cell", fake_mnist)
    monkeypatch.setattr(parity_cells, "cmsp_cell", fake_cmsp)
    monkeypatch.setattr(digit_cells, "mnist_pair", lambda **_: None)
    return monkeypatch


def test_the_study_of_digits_has_the_cells_that_were_asked_for(fakes: pytest.MonkeyPatch, tmp_path: Path) -> None:
    fakes.setattr(digit_report, "write_mnist_report", lambda rows, folder: [])
    rows = digit_cells.mnist_study(tmp_path, sizes=[14, 28], progress=False)
    shapes = list(dict.fromkeys((row["task"], row["size"], row["width"], row["depth"]) for row in rows))
    pair, xor = (("mnist-pair", (2, 3)), ("mnist-xor", (4, 5)))
    widths = {14: (98, 196), 28: (392,)}
    assert shapes == [(task, size, width, d) for size in (14, 28) for task, depths in (pair, xor) for d in depths for width in widths[size]]
    assert len(rows) == 12 * 10
    single = [row for row in rows if (row["task"], row["size"], row["seeds"], row["rule"]) == ("mnist-pair", 14, 1, "consensus")]
    assert len(single) == 16
    assert (tmp_path / "cells" / "mnist-xor_size28_width392_depth5.json").exists()
    fakes.setattr(digit_cells, "mnist_cell", refuse)
    again = digit_cells.mnist_study(tmp_path, sizes=[28], progress=False)
    assert again[:40] == rows[80:]
    assert sorted(map(str, again[40:])) == sorted(map(str, rows[:80]))  # what the folder has beside


def test_the_study_of_digits_reports_every_line(fakes: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["study", "mnist", "--out", str(tmp_path)]) == 0
    told = capsys.readouterr().out
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
        assert part in told
    assert (tmp_path / "summary.md").read_text() in told
    table = list(csv.DictReader((tmp_path / "rows.csv").read_text().splitlines()))
    assert list(table[0]) == MNIST_COLUMNS
    assert len(table) == len(json.loads((tmp_path / "rows.json").read_text())) == 80
    assert sorted(p.name for p in tmp_path.glob("success.*")) == ["success.png", "success.svg"]
    fakes.setattr(digit_cells, "mnist_cell", refuse)
    assert main(["study", "mnist", "--out", str(tmp_path), "--quiet"]) == 0
    assert capsys.readouterr() == ("", "")
    assert main(["study", "mnist", "--source", "digits", "--out", str(tmp_path)]) == 2
    assert 'other settings: source is "mnist" there and "digits" now' in capsys.readouterr().err


def test_the_study_of_parities_reports_every_line(fakes: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["study", "cmsp", "--out", str(tmp_path)]) == 0
    told = capsys.readouterr().out
    for part in (
        "20 of 20 cells (task, outputs, depth) were run; 14 of them reached what they had to.",
        "| one | 2 | yes | yes | no | 3/5 + 1 | no |  | no | 1.00 | 30 | 6-4-4-1 | 48/none | 4/4 (0.51-1.00) | 0/4",
        "| each | 3 | yes | yes | yes | 5/5 + 0 | yes | yes | yes | 1.00 | 30 | 6-4-4-1 | 48/50 | 4/4 (0.51-1.00) | 3/4",
        "| 3 | 3 | one | 2 | no | no | no |  | no |  | no |  | none accepted |  |  | 0/4 (0.00-0.49) | 0/4 (0.00-0.49) | 0.4 |",
        "0.13 hours of one core.",
        f"are in {tmp_path}",
    ):
        assert part in told
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
    assert settings["cmsp.steps"] == SETTINGS["cmsp"]["steps"]
    fakes.setitem(SETTINGS, "cmsp", {**SETTINGS["cmsp"], "steps": 7})
    assert main(["study", "cmsp", "--out", str(tmp_path)]) == 2
    assert "cmsp.steps is 300 there and 7 now" in capsys.readouterr().err


def test_the_parts_of_a_study_that_were_not_run_are_named() -> None:
    rows = fake_cmsp(2, 2, "each", 64, 2)
    assert "1 of 20 cells (task, outputs, depth) were run; 1 of them" in parity_report.cmsp_summary(rows)
    assert parity_report.cmsp_summary(rows).count("| not run |") == 19
    assert digit_targets.goal_table([]).count("| not run | not run |") == 10
    assert digit_targets.goal_table([]).count("\n") == 17


def test_settings_are_what_decides_a_result() -> None:
    settings = settings_of_sampled(digit_cells.MAKERS, merge_threshold=0.6)
    assert settings["detect_modules.merge_threshold"] == 0.6
    assert settings["sculpt.tolerance"] == 0.005
    assert settings["task.activation"] == tasks.Task.activation
    assert settings["sculpt.large_unit_steps"] == (50, 20)
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
        assert main(["study", "mnist", *arguments]) == 2
        assert text in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_the_command_passes_its_options_on(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    given: list[Any] = []
    for name in ("mnist_study", "cmsp_study"):
        monkeypatch.setattr(cli, name, lambda folder, **options: given.append((str(folder), options)) or [])
    shared = ["--jobs", "3", "--out", "here", "--quiet"]
    some = ["mnist", "--tasks", "mnist-xor", "--size", "28", "14", "--source", "digits", "--data-dir", "data"]
    for arguments in (["mnist"], ["cmsp"], [*some, *shared], ["cmsp", *shared]):
        assert main(["study", *arguments]) == 0
    assert given == [
        ("runs/study-mnist", {"tasks": None, "sizes": [14], "source": "mnist", "data_dir": None, "jobs": 1, "progress": True}),
        ("runs/study-cmsp", {"jobs": 1, "progress": True}),
        ("here", {"tasks": ["mnist-xor"], "sizes": [28, 14], "source": "digits", "data_dir": Path("data"), "jobs": 3, "progress": False}),
        ("here", {"jobs": 3, "progress": False}),
    ]
    assert capsys.readouterr().out.count("are in") == 2


# --- Pictures -----------------------------------------------------------------------------------------------------------------


def test_figures_have_every_group_with_its_rates() -> None:
    rows = [
        row for task, depths in digit_cells.DEPTHS.items() for d in depths for width in (98, 196) for row in fake_mnist(task, 14, width, d)
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
    cells = [(*kind, d) for kind in parity_cells.KINDS for d in parity_cells.DEPTHS]
    ax = parity_report._figure([row for m, k, outputs, d in cells for row in fake_cmsp(m, k, outputs, 64, d)])
    check_texts(ax.figure)
    assert [tick.get_text() for tick in ax.get_xticklabels()][:2] == ["m=2, k=2\none", "m=3, k=2\none"]
    counts = [text.get_text() for text in ax.texts]
    assert (counts.count("0/4"), counts.count("3/4"), counts.count("4/4")) == (12, 20, 8)


def test_the_network_of_a_cell_is_drawn(cells: Any, tmp_path: Path) -> None:
    folder, _, rows = cells["mnist-pair"]
    answers = [row for row in rows if row["seeds"] == 4 and row["rule"] == "consensus"]
    missing = {**answers[0], "width": 999, "modules_right": True}
    path = draw_found([missing, *answers], digit_report._cell, folder / "found.svg", image=(4, 8), merge_threshold=0.6)
    assert path == [folder / "found.svg"]
    svg = path[0].read_text()
    assert f"{rows[0]['edges']} edges" in svg
    assert "pixels-" in svg
    nothing = {**answers[0], "edges": None}
    assert draw_found([nothing, missing], digit_report._cell, folder / "none.svg") == []
    assert not (folder / "none.svg").exists()


def test_a_right_one_is_drawn_where_there_is_one(cells: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[tuple[str, str]] = []
    found = SimpleNamespace(draw=lambda path, image, title: drawn.append((path.name, title)))
    monkeypatch.setattr("analysis.detect_modules", lambda network, **options: found)
    rows = [row for width in (98, 196) for row in fake_mnist("mnist-xor", 14, width, 4) if row["seeds"] == 4 and row["rule"] == "consensus"]
    rows[0]["modules_right"], rows[1]["edges"] = False, 77
    saved = SparseNetwork.load(next((cells["cmsp"][0] / "networks").iterdir()))
    for row in rows:
        saved.save(network_path(tmp_path, digit_report._cell(row)))
    digit_report.write_mnist_report(rows, tmp_path)
    assert drawn == [("mnist-xor_size14_depth4.svg", "mnist-xor, units 9-4-4-20, 77 edges")]


def test_chance_is_told_with_the_threshold_that_found_the_modules() -> None:
    """The detector of another threshold finds other modules in this network, and would be refused."""
    task = tasks.boolean("both")
    rng = np.random.default_rng(0)
    weights = [rng.normal(size=shape).astype(np.float32) * (rng.random(shape) < 0.5) for shape in ((6, 6), (3, 6))]
    network = SparseNetwork(tuple(weights), tuple(np.zeros(len(w), dtype=np.float32) for w in weights), ("relu", "identity"))
    loose, strict = (detect_modules(network, merge_threshold=threshold) for threshold in (0.6, 0.9))
    assert len(loose.modules) != len(strict.modules)
    for found, threshold in ((loose, 0.6), (strict, 0.9)):
        assert set(cli._evidence(found, task, task.truth(1), 0, threshold)) == {"Chance", "Lesions", "Gates"}
