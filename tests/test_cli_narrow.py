"""The studies of curricula and of nonlocality: their cells, what a row says, what is reported, and that they go on."""

from __future__ import annotations

import csv
import json
import math
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from matplotlib.figure import Figure
from test_figures import check_texts

from analysis.drawing import encoding
from sculpting import SparseNetwork, cli, tasks
from sculpting.cli import main
from sculpting.mlp.batched_mlp import Pass
from sculpting.mlp.population import Population, Shape
from sculpting.mlp.training import Data, Round, evaluate, train
from sculpting.narrow import Lasso, ablation_scores, attribution_scores, learn, prune_units, score_correlation
from sculpting.narrow.attribution import ATTRIBUTIONS
from sculpting.randomness import fold, keys
from sculpting.store import Row
from sculpting.studies.common.agreement import AGREEMENT_COLUMNS, KINDS, agreement_of, rounded
from sculpting.studies.curriculum import cells as curriculum_cells
from sculpting.studies.curriculum import report as curriculum_report
from sculpting.studies.curriculum.cells import PROTOCOLS, Arm, Protocol, curriculum_cell, curriculum_study, two_classes
from sculpting.studies.curriculum.report import curriculum_summary
from sculpting.studies.nonlocality import cells as nonlocality_cells
from sculpting.studies.nonlocality import drawing as nonlocality_drawing
from sculpting.studies.nonlocality.cells import SIZES, Size, kept_network, nonlocality_cell, nonlocality_study
from sculpting.studies.nonlocality.drawing import draw_network
from sculpting.studies.nonlocality.report import nonlocality_summary
from sculpting.tasks.cmsp import codes_of

COLUMNS = ["arm", "hidden_layers", "width", "seed", "code", "samples_fresh", "samples_under", "bits", "samples", "curve", "seconds"]
# Parities of one bit, and their XOR: learnt in no time.
SMALL = Protocol(
    2, 1, 3, 3,
    {"broad": Arm(True, 2, 24, 300, 150_000), "narrow": Arm(False, 2, 24, 300, 30_000), "shallow": Arm(True, 1, 8, 300, 30_000)},
)  # fmt: skip


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    monkeypatch.setitem(PROTOCOLS, "reduced", SMALL)
    monkeypatch.setattr(curriculum_cells, "TOGETHER", 2)
    monkeypatch.setattr(curriculum_cells, "CHECK_ROWS", 200)
    monkeypatch.setattr(curriculum_cells, "LEARNING_RATE", 5e-3)
    monkeypatch.setattr(curriculum_report, "BROAD_BY", 100_000)
    return monkeypatch


def refuse(*_: Any, **__: Any) -> Any:
    raise AssertionError("done again")


def fake_cell(arm: str, first: int, last: int, protocol: str) -> list[Row]:
    """Rows without training. The sum: broad after 4e6 samples and 1e5 more a seed, but never for seed 19; alone never; shallow for five."""
    known, rows = PROTOCOLS[protocol].arms[arm], []
    for seed in range(first, last + 1):
        marks = {"broad": None if seed == 19 else 4_000_000 + 100_000 * seed, "narrow": None, "shallow": 15_000_000 if seed < 5 else None}
        for code in ("0+1+2",) if arm == "narrow" else ("0", "1", "2", "0+1+2"):
            under = marks[arm] if "+" in code else 16_000_000 if (arm, seed, code) == ("shallow", 3, "1") else 1_000_000
            bits = 0.01 if under else 1.0 if arm == "narrow" else 0.3
            curve = [[100_000, 1.0], [known.samples, bits]]
            later = under and under + 150_000  # on fixed rows
            values = [arm, known.hidden_layers, known.width, seed, code, under, later, bits, known.samples, curve, 3.0]
            rows.append(dict(zip(COLUMNS, values, strict=True)))
    return rows


def every_fake_row(protocol: str = "reduced") -> list[Row]:
    return [row for cell in PROTOCOLS[protocol].cells.values() for row in fake_cell(*cell, protocol)]


# --- What is asked for --------------------------------------------------------------------------------------------------------


def test_the_reduced_protocol_is_as_tested_and_the_full_one_as_published() -> None:
    reduced, full = PROTOCOLS["reduced"], PROTOCOLS["full"]
    assert (reduced.m, reduced.k, reduced.n, reduced.seeds, list(reduced.arms)) == (3, 3, 40, 20, ["broad", "narrow", "shallow"])
    assert (full.m, full.k, full.n, full.seeds) == (4, 4, 64, 40)
    assert {arm.batch_size for arm in reduced.arms.values()} == {2000}
    assert [arm.steps for arm in full.arms.values()] == [200_000, 1_000_000, 200_000, 200_000]
    sizes = {name: _parameters(full, name) for name in full.arms}
    # Parameters as published, of networks of 68 inputs and two outputs.
    assert sizes == {"broad": 25_602, "narrow": 25_602, "shallow": 9_090, "shallow-wide": 25_633}


def _parameters(protocol: Protocol, name: str) -> int:
    arm = protocol.arms[name]
    return sum(part.numel() for part in protocol.task(name).model(arm.width, arm.hidden_layers).parameters())


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_every_seed_of_every_arm_is_in_one_cell(protocol: str) -> None:
    known = PROTOCOLS[protocol]
    members = [(arm, seed) for arm, first, last in known.cells.values() for seed in range(first, last + 1)]
    assert members == [(arm, seed) for arm in known.arms for seed in range(known.seeds)]
    assert max(last - first for _, first, last in known.cells.values()) == 4


@pytest.mark.parametrize(("arm", "codes"), [("broad", [(0,), (1,), (2,), (0, 1, 2)]), ("narrow", [(0, 1, 2)])])
def test_batches_and_validation_have_every_code_equally_often_and_fresh_rows(arm: str, codes: list[tuple[int, ...]]) -> None:
    protocol = PROTOCOLS["reduced"]
    task = protocol.task(arm)
    assert task.sample is not None
    (x, y), (later, _) = (task.sample(keys(["a", "b"]), step, 2000) for step in (0, 1))
    for rows in (x[0].t(), x[1].t(), task.x_check):
        found, which = codes_of(rows, 3)
        assert list(found) == codes
        assert set(which.bincount().tolist()) == {len(rows) // len(codes)}
    assert not torch.equal(x[0], x[1])
    assert not torch.equal(x, later)
    bits = (x[:, 3:12].unflatten(1, (3, 3)).sum(dim=2) * x[:, :3]).sum(dim=1) % 2
    assert torch.equal(y, torch.stack([1 - bits, bits], dim=1))
    assert (task.x_check.shape, task.y_check.shape, task.loss) == ((1000 * len(codes), 43), (1000 * len(codes), 2), "ce")


def test_a_bit_as_two_classes() -> None:
    task = two_classes(tasks.cmsp(2, 1, 2))
    one = tasks.cmsp(2, 1, 2)
    assert (task.y.argmax(dim=1) == one.y[:, 0]).all()
    assert (task.y_check.sum(dim=1) == 1).all()
    assert (task.loss, task.x is one.x or torch.equal(task.x, one.x)) == ("ce", True)


# --- One cell -----------------------------------------------------------------------------------------------------------------


def test_a_cell_says_when_each_code_was_learnt_and_ends_when_all_have_the_sum(small: pytest.MonkeyPatch) -> None:
    rows = curriculum_cell("broad", 0, 1, "reduced")
    assert [list(row) for row in rows] == [COLUMNS] * 6
    assert [(row["seed"], row["code"]) for row in rows] == [(seed, code) for seed in (0, 1) for code in ("0", "1", "0+1")]
    assert {(row["hidden_layers"], row["width"]) for row in rows} == {(2, 24)}
    assert len({row["seconds"] for row in rows}) == 1
    (samples,) = {row["samples"] for row in rows}
    sums = [row for row in rows if row["code"] == "0+1"]
    for row in rows:
        assert [at for at, _ in row["curve"]] == list(range(15_000, samples + 1, 15_000))  # 50 steps of 300 rows; so few are all kept
        assert row["curve"][-1] == [samples, round(row["bits"], 5)]
        assert row["samples_under"] == next((at for at, bits in row["curve"] if bits < 0.1), None)
    assert max(row["bits"] for row in sums) < 0.1
    assert max(row["samples_under"] for row in sums) == samples < 150_000
    assert [row["samples_under"] for row in sums] != [samples, samples]
    json.dumps(rows, allow_nan=False)


def test_training_is_as_published_and_seconds_are_shared(small: pytest.MonkeyPatch) -> None:
    given: list[Round] = []

    def spy(population: Population, data: Data, settings: Round, *arguments: Any, **options: Any) -> Any:
        given.append(settings)
        return train(population, data, settings, *arguments, **options)

    small.setattr(curriculum_cells, "train", spy)
    clock = iter([10.0, 16.0])
    small.setattr(curriculum_cells, "time", SimpleNamespace(perf_counter=lambda: next(clock)))
    rows = curriculum_cell("shallow", 0, 1, "reduced")
    assert [row["seconds"] for row in rows] == [1.0] * 6
    assert given == [Round(100, 300, 5e-3, final_rate=1.0, weight_decay=0.0, epsilon=1e-5, check_every=50, keep_last=True)]
    small.undo()
    assert curriculum_cells.LEARNING_RATE == 1e-3


def test_what_is_not_learnt_is_not_said_to_be_and_ends_at_the_last_sample(small: pytest.MonkeyPatch) -> None:
    small.setattr(curriculum_cells, "LEARNING_RATE", 1e-6)
    rows = curriculum_cell("narrow", 2, 2, "reduced")
    assert [(row["code"], row["samples_under"], row["samples"]) for row in rows] == [("0+1", None, 30_000)]
    assert rows[0]["bits"] == pytest.approx(1, abs=0.1)
    assert [at for at, _ in rows[0]["curve"]] == [15_000, 30_000]


def test_losses_are_those_of_the_networks_in_bits(small: pytest.MonkeyPatch) -> None:
    made: list[Population] = []

    def spy(*arguments: Any, **options: Any) -> Any:
        made.append(train(*arguments, **options)[0])
        made.append(arguments[0])
        return made[0], None

    small.setattr(curriculum_cells, "train", spy)
    rows = curriculum_cell("shallow", 0, 1, "reduced")
    task, arm = SMALL.task("shallow"), SMALL.arms["shallow"]
    assert made[0].shape.widths == (5, 8, 2)
    _, code = codes_of(task.x_check, 2)
    for seed in (0, 1):
        model = task.model(arm.width, arm.hidden_layers, activation="relu")
        for layer, weight, bias in zip(model[::2], made[0].weights, made[0].biases, strict=True):
            layer.weight.data, layer.bias.data = weight[seed], bias[seed]
        with torch.no_grad():
            losses = torch.nn.functional.cross_entropy(model(task.x_check), task.y_check, reduction="none") / torch.log(torch.tensor(2.0))
        expected = [losses[code == place].mean().item() for place in range(3)]
        assert [row["bits"] for row in rows if row["seed"] == seed] == pytest.approx(expected, rel=1e-4)


def test_the_first_fresh_rows_under_the_mark_are_those_of_the_next_batch_to_learn_from(small: pytest.MonkeyPatch) -> None:
    row = next(row for row in curriculum_cell("broad", 0, 0, "reduced") if row["code"] == "0+1")
    reached, size = row["samples_fresh"], SMALL.arms["broad"].batch_size
    assert 0 < reached < row["samples_under"]
    task, key = SMALL.task("broad"), keys([("curriculum", 0)])
    assert task.sample is not None
    losses = {}

    def watch(members: torch.Tensor, part: Population, score: Any, steps: int) -> bool:
        x, y = task.sample(fold(fold(key, 1), 0), steps, size)
        z = Pass(part.shape, part.values).forward(torch.cat([x, torch.ones(1, 1, size)], dim=1))[0][-1]
        _, code = codes_of(x[0].t(), 2)
        losses[steps * size] = float((torch.nn.functional.cross_entropy(z, y, reduction="none")[0] / math.log(2))[code == 2].mean())
        return steps * size == reached

    settings = Round(500, size, 5e-3, final_rate=1.0, weight_decay=0.0, epsilon=1e-5, check_every=1, keep_last=True)
    start = Population.uniform(Shape((5, 24, 24, 2), ("relu", "relu", "identity")), fold(key, 0))
    train(start, Data.of(task), settings, fold(key, 1), watch=watch)
    assert losses.pop(reached) < 0.1 <= min(losses.values())


def test_seeds_are_their_own_whoever_is_trained_beside_them_and_arms_share_their_start(small: pytest.MonkeyPatch) -> None:
    starts: list[Population] = []

    def spy(population: Population, *arguments: Any, **options: Any) -> Any:
        starts.append(population)
        return train(population, *arguments, **options)

    small.setattr(curriculum_cells, "train", spy)
    both, alone = (curriculum_cell("narrow", first, 1, "reduced") for first in (0, 1))
    # Beside a seed that needs longer one is trained on; until then the losses are the same.
    until = len(alone[0]["curve"])
    assert dict(both[1]["curve"][:until]) == pytest.approx(dict(alone[0]["curve"]), rel=1e-3)
    assert both[0]["bits"] != both[1]["bits"]
    small.setitem(PROTOCOLS, "reduced", Protocol(2, 1, 3, 3, {"broad": Arm(True, 2, 24, 300, 300)}))
    curriculum_cell("broad", 0, 1, "reduced")
    assert torch.equal(starts[0].values, starts[2].values)
    assert torch.equal(starts[0].values[1:], starts[1].values)
    # As torch.nn.Linear draws weights, of the first layer within 1 / sqrt(5).
    assert 0.43 < float(starts[0].weights[0].abs().max()) < 5**-0.5


def test_a_curve_is_thinned_but_for_its_ends() -> None:
    curve = {100 * step: 1 / step for step in range(1, 2001)}
    kept = curriculum_cells._thinned(curve)
    assert (kept[0], kept[-1]) == ([100, 1.0], [200_000, 0.0005])
    assert len(kept) < 150
    gaps = [b / a for (a, _), (b, _) in pairwise(kept[:-1])]
    assert min(gaps) >= 1.05
    assert all(bits == round(100 / at, 5) for at, bits in kept)


# --- The study ----------------------------------------------------------------------------------------------------------------


def test_the_study_goes_on_and_writes_its_files(small: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = curriculum_study(tmp_path, progress=False)
    assert [list(row) for row in rows] == [[name for name in COLUMNS if name != "curve"]] * (3 * 3 + 3 + 3 * 3)
    assert {path.name for path in (tmp_path / "cells").iterdir()} == {
        f"{arm}_seeds{part}.json" for arm in SMALL.arms for part in ("0-1", "2-2")
    }
    assert json.loads((tmp_path / "rows.json").read_text()) == rows
    with (tmp_path / "curves.csv").open() as file:
        points = list(csv.DictReader(file))
    assert list(points[0]) == ["arm", "seed", "code", "samples", "bits"]
    ends = {(point["arm"], int(point["seed"]), point["code"]): float(point["bits"]) for point in points}
    assert ends == {(row["arm"], row["seed"], row["code"]): pytest.approx(row["bits"], abs=1e-5) for row in rows}
    assert (tmp_path / "summary.md").read_text() == curriculum_summary(rows, "reduced")
    assert (tmp_path / "curves.svg").read_text().startswith("<?xml")
    small.setattr(curriculum_cells, "curriculum_cell", refuse)
    assert curriculum_study(tmp_path, progress=False) == rows
    assert main(["study", "curriculum", "--full", "--out", str(tmp_path)]) == 2
    assert "k is 1 there and 4 now" in capsys.readouterr().err


def test_the_command_passes_its_options_on(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    given: list[Any] = []
    monkeypatch.setattr(cli, "curriculum_study", lambda folder, **options: given.append((str(folder), options)) or [])
    assert main(["study", "curriculum"]) == 0
    assert main(["study", "curriculum", "--full", "--jobs", "3", "--out", "here", "--quiet"]) == 0
    assert given == [
        ("runs/study-curriculum", {"protocol": "reduced", "jobs": 1, "progress": True}),
        ("here", {"protocol": "full", "jobs": 3, "progress": False}),
    ]
    assert capsys.readouterr().out.count("figure are in") == 1


def test_bad_input_is_refused_before_any_cell(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"protocol must be one of \['reduced', 'full'\]; got 'small'"):
        curriculum_study(tmp_path, protocol="small")
    with pytest.raises(ValueError, match="jobs must be a whole number of processes"):
        curriculum_study(tmp_path, jobs=0)
    assert not list(tmp_path.iterdir())


# --- The report ---------------------------------------------------------------------------------------------------------------


def test_the_summary_has_every_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(curriculum_cells, "curriculum_cell", fake_cell)
    assert main(["study", "curriculum", "--out", str(tmp_path)]) == 0
    told = capsys.readouterr().out
    for part in (
        "60 of 60 networks were trained: m = 3 parities of k = 3 bits among n = 40.",
        "| broad, 2 hidden layers: under 0.1 bit by 6e6 samples, as published | 19/20 | 19/20 (0.76-0.99) | yes |",
        "| composite alone, 2 hidden layers: above 0.9 bit at 1.4e7 samples | 20/20 | 20/20 (0.84-1.00) | yes |",
        "| broad, 1 hidden layer: samples to 0.1 bit, of those with 2 | 2 | above 3.2 | yes |",
        "| minutes of two cores at most | 10 | 4.5 | yes |",
        "| broad, 2 hidden layers | 128 | 8e6 | 19/20 (0.76-0.99) | 27/40 (0.52-0.80) | 4.95e6 | 4e6-5.8e6 | 0.010-0.300 | 19/19 (0.83-1",
        "| composite alone, 2 hidden layers | 128 | 1.4e7 | 0/20 (0.00-0.16) | 0/40 (0.00-0.09) | above 1.4e7 |  | 1.000 |  |",
        "| broad, 1 hidden layer | 128 | 1.6e7 | 5/20 (0.11-0.47) | 19/40 (0.33-0.63) | above 1.6e7 | 1.5e7 | 0.010-0.300 | 4/5 (0.3",
        "0.15 hours of one core.",
        f"are in {tmp_path}",
    ):
        assert part in told
    assert "wide" not in told


def test_goals_that_are_missed_are_said_to_be() -> None:
    rows = every_fake_row()
    for column, how in (("samples_fresh", "as published"), ("samples_under", "on fixed rows")):
        late = [{**row, column: 6_000_050} if (row["arm"], row["seed"], row["code"]) == ("broad", 0, "0+1+2") else row for row in rows]
        assert f"by 6e6 samples, {how} | 19/20 | 18/20 (0.70-0.97) | no |" in curriculum_summary(late, "reduced")
        assert curriculum_summary(late, "reduced").count("18/20") == 1
    for change in ({"bits": 0.9}, {"samples": 13_900_000}):
        some = [{**row, **change} if (row["arm"], row["seed"]) == ("narrow", 7) else row for row in rows]
        assert "at 1.4e7 samples | 20/20 | 19/20 (0.76-0.99) | no |" in curriculum_summary(some, "reduced")
    for samples, verdict in ((9_900_000, "2.0 | yes"), (9_800_000, "2.0 | no")):
        fast = [{**row, "samples_fresh": samples} if row["arm"] == "shallow" else row for row in rows]
        assert f"of those with 2 | 2 | {verdict} |" in curriculum_summary(fast, "reduced")
    short = [{**row, "samples_fresh": None, "samples": 9_000_000} if row["arm"] == "shallow" else row for row in rows]
    assert "of those with 2 | 2 | above 1.8 | open |" in curriculum_summary(short, "reduced")
    never = [{**row, "samples_fresh": None} if row["arm"] == "broad" else row for row in rows]
    assert "of those with 2 | 2 | 2 hidden layers did not get there | no |" in curriculum_summary(never, "reduced")
    assert "| minutes of two cores at most | 10 | 13.5 | no |" in curriculum_summary([{**row, "seconds": 9.0} for row in rows], "reduced")


def test_what_was_not_run_is_named() -> None:
    told = curriculum_summary([], "reduced")
    assert told.count("| not run | not run |") == 5
    assert told.count("| not run |") == 8
    told = curriculum_summary(every_fake_row()[:20], "reduced")
    assert "5 of 60 networks" in told
    assert told.count("| 19/20 | 5/5 (0.57-1.00) | open |") == 2


def test_the_full_size_is_beside_the_published_counts_alone() -> None:
    told = curriculum_summary([], "full")
    assert "0 of 160 networks were trained: m = 4 parities of k = 4 bits among n = 64." in told
    assert "reached" not in told
    assert "| broad, 1 wide hidden layer | 361 | 2e9 | not run | 16/40 (0.26-0.55) |" in told


def test_the_figure_has_a_line_for_every_seed_and_a_name_for_every_arm() -> None:
    ax = curriculum_report._figure(every_fake_row(), "reduced")
    check_texts(ax.figure)
    (legend,) = ax.figure.legends
    assert [text.get_text() for text in legend.get_texts()] == list(curriculum_report.NAMES.values())[:3]
    ids = [line.get_gid() for line in ax.lines]
    assert {arm: ids.count(arm) for arm in ("broad", "narrow", "shallow")} == {"broad": 20, "narrow": 20, "shallow": 20}
    line = next(line for line in ax.lines if line.get_gid() == "narrow")
    assert line.get_xydata().tolist() == [[100_000, 1.0], [14_000_000, 1.0]]


# --- Nonlocality --------------------------------------------------------------------------------------------------------------

NARROWED = [
    "width", "seed", "loss", "network", "sparsity", "units", "a_pruned", "b_pruned", "a_recovered", "b_revived",
    "first_order_pearson", "first_order_pearson_log", "first_order_spearman", "first_order_zeros",
    "activation_gradient_pearson", "activation_gradient_pearson_log", "activation_gradient_spearman", "activation_gradient_zeros",
    "scores", "attributions", "seconds",
]  # fmt: skip
LISTS = ("scores", "attributions")
EVERY = tuple(nonlocality_cells.NETWORKS)
TINY = Size(4, 1, (16,), 50, 1_000, 5e-3, (200, 100), (40, 100), (0.25, 0.75))
A, B = (0, 1), (2, 3)


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    monkeypatch.setitem(SIZES, "reduced", TINY)
    monkeypatch.setattr(nonlocality_cells, "LEARNING_RATE", 5e-3)
    monkeypatch.setattr(nonlocality_cells, "SCORED", 100)
    monkeypatch.setattr(nonlocality_cells, "JUDGED", 400)
    return monkeypatch


def fake_nonlocality(width: int, seed: int, network: str, size: str) -> list[Row]:
    """Rows without training; what is asked for is so, but B comes back in seed 3 after the proximal step."""
    rows: list[Row] = []
    for place, sparsity in enumerate(SIZES[size].sparsities):
        if network == "plain":
            values = [0.6, 0.5, 0.99 if sparsity < 0.485 + 0.02 * seed else 0.9, 0.95 if sparsity < 0.3 else 0.6]
        else:
            values = [1.0 if sparsity <= 0.7 else 0.8, 0.5, 0.99, 0.57 if (network, seed, sparsity) == ("proximal", 3, 0.9) else 0.52]
        units = [width, seed, 0.002, network, sparsity, round(2 * width * (1 - sparsity))]
        undefined = (network, seed) == ("proximal", 4)
        correlations = [0.6 + 0.01 * seed, None if undefined else 0.8, 0.9, 3 * seed, 0.7, -0.25, 0.95, 0]
        scores = [[0.1 * (code + 1)] * (2 * width) for code in range(len(SIZES[size].codes))]
        attributions = {"first_order": [0.01] * (2 * width - 1) + [0.0], "activation_gradient": [0.02] * (2 * width)}
        lists = [None, None] if place or seed else [scores, attributions]
        rows.append(dict(zip(NARROWED, [*units, *values, *correlations, *lists, 8.0], strict=True)))
    return rows


def every_narrowed(size: str = "reduced", widths: tuple[int, ...] = (), networks: tuple[str, ...] = EVERY) -> list[Row]:
    widths = widths or SIZES[size].widths
    return [row for network in networks for width in widths for seed in range(5) for row in fake_nonlocality(width, seed, network, size)]


def every_cell(width: int, seed: int, folder: Path) -> list[Row]:
    return [row for network in nonlocality_cells.NETWORKS for row in nonlocality_cell(width, seed, network, "reduced", folder=folder)]


def test_sizes_are_as_tested_and_as_published() -> None:
    reduced, full = SIZES["reduced"], SIZES["full"]
    assert reduced.codes == ((0,), (1,), (2,), (3,), A, B)
    assert full.codes == (*((i,) for i in range(6)), (0, 1, 2), (3, 4, 5))
    assert (full.sparsities[0], full.sparsities[-1], len(full.sparsities)) == (0.01, 0.98, 98)
    assert (full.rows, full.steps, full.until, full.lasso, full.recovery) == (2000, 20_000, 0.0, (10_000, 2000), (1000, 5000))
    assert nonlocality_cells.NETWORKS["subgradient"] == Lasso(1e-3, step="subgradient")
    data = reduced.data(*reduced.codes)
    assert (data.x.shape, data.y.shape) == ((17, 12_000), (2, 12_000))
    assert not torch.equal(data.x_check, reduced.data(*reduced.codes, seed=1).x_check)


def test_a_cell_prunes_what_ablation_says_and_judges_on_other_rows(tiny: pytest.MonkeyPatch, tmp_path: Path) -> None:
    made: list[Population] = []

    def spy(*arguments: Any) -> Any:
        made.append(original(*arguments))
        return made[-1]

    original = nonlocality_cells._trained
    tiny.setattr(nonlocality_cells, "_trained", spy)
    clock = iter([3.0, 9.0, 10.0, 12.0, 13.0, 15.0, 20.0, 21.0])
    tiny.setattr(nonlocality_cells, "time", SimpleNamespace(perf_counter=lambda: next(clock)))
    rows = every_cell(16, 0, tmp_path)
    assert [list(row) for row in rows] == [NARROWED] * 6
    assert [(row["network"], row["sparsity"]) for row in rows] == [
        (n, s) for n in ("plain", "subgradient", "proximal") for s in (0.25, 0.75)
    ]
    assert {(row["width"], row["seed"]) for row in rows} == {(16, 0)}
    assert [row["seconds"] for row in rows] == [3.0, 3.0, 1.0, 1.0, 1.0, 1.0]
    assert [row["units"] for row in rows[:2]] == [24, 8]
    (population,) = made  # the others start from what was kept
    data = TINY.data(*TINY.codes)
    sums = torch.nn.functional.cross_entropy(_outputs(population, data), data.y_check.t())
    assert [row["loss"] for row in rows] == [pytest.approx(float(sums), rel=1e-4)] * 6
    assert all(row[name] is None for row in nonlocality_cell(16, 1, "plain", "reduced", folder=tmp_path) for name in LISTS)
    assert population.shape == Shape((8, 16, 16, 2), ("relu", "relu", "identity"))
    weights, biases = (tuple(part[0].numpy() for part in parts) for parts in (population.weights, population.biases))
    network = SparseNetwork(weights, biases, population.shape.activations)
    pairs = [_pair(TINY.data(code)) for code in TINY.codes]
    scored = [ablation_scores(network, (x, y.argmax(dim=1)), loss="ce") for x, y in pairs]
    flat = [[value for layer in scores for value in layer] for scores in scored]
    assert rows[0]["scores"] == [pytest.approx(scores, abs=1e-5) for scores in flat]
    assert [[row[name] is None for name in LISTS] for row in rows] == [[False] * 2, [True] * 2] * 3
    check_attributions(rows, network, pairs[TINY.codes.index(A)], flat[TINY.codes.index(A)])
    for row in rows[:2]:
        small = prune_units(network, scored[TINY.codes.index(A)], row["sparsity"])
        for letter, code in (("a", A), ("b", B)):
            assert row[f"{letter}_pruned"] == pytest.approx(_accuracy(small, TINY.data(code, rows=400, seed=1)))
    json.dumps(rows, allow_nan=False)


def check_attributions(rows: list[Row], network: SparseNetwork, pair: Any, ablation: list[float]) -> None:
    """As the public functions have them, of A alone and on the rows of ablation; every row of the network says how they agree."""
    for kind in ("first_order", "activation_gradient"):
        scores = attribution_scores(network, (pair[0], pair[1].argmax(dim=1)), kind, loss="ce")
        pooled = [value for layer in scores for value in layer]
        assert rows[0]["attributions"][kind] == pytest.approx(pooled, rel=1e-4, abs=1e-8)
        told = score_correlation([pooled], [ablation])
        for row in rows[:2]:
            found = [row[f"{kind}_{name}"] for name in ("pearson", "pearson_log", "spearman", "zeros")]
            assert found == pytest.approx([told.pearson, told.pearson_log, told.spearman, told.zeros], abs=1e-3)
    assert rows[0]["first_order_pearson"] != rows[2]["first_order_pearson"]
    smallest = min(score for row in rows[0]["scores"] for score in row if score > 0)
    assert smallest != round(smallest, 6)  # small ones are not cut off


def test_correlations_that_are_not_defined_are_none() -> None:
    told = agreement_of(torch.tensor([1.0, 2.0, 0.0]), {"first_order": torch.tensor([0.0, 0.0, 0.0])})
    assert told == {
        "first_order_pearson": None, "first_order_pearson_log": None, "first_order_spearman": None, "first_order_zeros": 3
    }  # fmt: skip
    assert rounded(torch.tensor([1.23456789e-9, 12.5])) == [1.234568e-09, 12.5]


def test_every_kind_of_attribution_has_a_name_and_its_columns() -> None:
    assert list(KINDS) == list(ATTRIBUTIONS)
    scores = torch.tensor([1.0, 2.0, 4.0])
    told = agreement_of(scores, dict.fromkeys(KINDS, scores**2))
    assert tuple(told) == AGREEMENT_COLUMNS
    assert list(told.values()) == [pytest.approx(value) for value in [24 / 588**0.5, 1.0, 1.0, 0] * 2]


def _pair(data: Data) -> tuple[Any, Any]:
    return data.x_check[:-1].t(), data.y_check.t()


def _accuracy(network: SparseNetwork, data: Data) -> float:
    x, y = _pair(data)
    with torch.no_grad():
        return float((network.model()(x).argmax(dim=1) == y.argmax(dim=1)).double().mean())


def test_the_lasso_and_the_recovery_see_a_alone_and_the_revival_b_alone(tiny: pytest.MonkeyPatch, tmp_path: Path) -> None:
    seen: list[Any] = []
    learnt: list[Any] = []

    def spy(population: Population, data: Data, key: Any, **options: Any) -> Any:
        (code,), _ = codes_of(data.x_check[:-1].t(), 4)
        assert data.sample is not None
        fresh, _ = codes_of(data.sample(key[:1], 0, 50)[0][0].t(), 4)
        assert fresh == (code,)
        seen.append((code, len(population), options["steps"], options["batch_size"], options["learning_rate"], options.get("lasso")))
        learnt.append(learn(population, data, key, **options))
        return learnt[-1]

    tiny.setattr(nonlocality_cells, "learn", spy)
    rows = every_cell(16, 0, tmp_path)
    pruned = [(code, 2, 40, 100, 5e-3, None) for code in (A, B)]
    lassos = [(A, 1, 200, 100, 5e-3, lasso) for lasso in nonlocality_cells.NETWORKS.values() if lasso]
    assert seen == [*pruned, lassos[0], *pruned, lassos[1], *pruned]
    for column, code, places in (("a_recovered", A, (0, 3, 6)), ("b_revived", B, (1, 4, 7))):
        judged = TINY.data(code, rows=400, seed=1)
        told = [accuracy for place in places for accuracy in evaluate(learnt[place].population, judged).accuracy.tolist()]
        assert [row[column] for row in rows] == told
    # Kept as they are before pruning.
    for name, place in (("subgradient", 2), ("proximal", 5)):
        kept = SparseNetwork.load(tmp_path / "networks" / f"width16_seed0_{name}.safetensors")
        assert all((weight == part[0].numpy()).all() for weight, part in zip(kept.weights, learnt[place].population.weights, strict=True))


def test_training_ends_once_the_loss_is_low_or_the_steps_are_over(tiny: pytest.MonkeyPatch) -> None:
    data = TINY.data(*TINY.codes)
    assert 0 < float(evaluate(nonlocality_cells._trained(TINY, 16, keys(["a"])), data).loss) < 5e-3
    tiny.setattr(nonlocality_cells, "LEARNING_RATE", 1e-6)
    assert float(evaluate(nonlocality_cells._trained(TINY, 16, keys(["a"])), data).loss) > 0.5


def _outputs(population: Population, data: Data) -> torch.Tensor:
    h, x = data.x_check[:-1].t(), list(zip(population.weights, population.biases, strict=True))
    for layer, (weight, bias) in enumerate(x):
        h = torch.nn.functional.linear(h, weight[0], bias[0])
        h = h.relu() if layer + 1 < len(x) else h
    return h


def test_units_that_are_zero_or_unread_are_not_counted() -> None:
    population = Population.of(Shape((2, 3, 1), ("relu", "identity")), torch.ones(1, 13))
    population.weights[0][0, 0] = 0
    population.weights[1][0, 0, 1] = 0
    assert nonlocality_cells._live(population) == [1]


def test_the_study_of_nonlocality_goes_on_and_writes_its_files(
    tiny: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with tiny.context() as without_pictures:
        without_pictures.setattr(encoding, "picture_bytes", lambda ax, kind: b"")
        first = nonlocality_study(tmp_path, seeds=2, lasso=False, progress=False)
    assert {row["network"] for row in first} == {"plain"}
    assert (tmp_path / "summary.md").read_text() == nonlocality_summary(first, "reduced")
    rows = nonlocality_study(tmp_path, seeds=2, progress=False)
    assert [list(row) for row in rows] == [[name for name in NARROWED if name not in LISTS]] * 12
    assert rows[:4] == first
    assert {path.stem for path in (tmp_path / "cells").iterdir()} == {
        f"width16_seed{seed}_{network}" for seed in (0, 1) for network in nonlocality_cells.NETWORKS
    }
    assert json.loads((tmp_path / "rows.json").read_text()) == rows
    assert (tmp_path / "summary.md").read_text() == nonlocality_summary(rows, "reduced")
    for name in ("accuracy.svg", "attribution.svg", "scores.svg", "networks.svg"):
        assert (tmp_path / name).read_text().startswith("<?xml")
    tiny.setattr(nonlocality_cells, "nonlocality_cell", refuse)
    tiny.setattr(encoding, "picture_bytes", lambda ax, kind: b"")
    assert nonlocality_study(tmp_path, seeds=2, progress=False) == rows
    assert main(["study", "nonlocality", "--full", "--out", str(tmp_path)]) == 2
    assert "m is 4 there and 6 now" in capsys.readouterr().err
    with pytest.raises(ValueError, match=r"size must be one of \['reduced', 'full'\]; got 'small'"):
        nonlocality_study(tmp_path, size="small")
    for widths, got in (([64, 32], "64, 32"), ([], "none")):
        with pytest.raises(ValueError, match=f"widths must be some of 64, 128, 256; got {got}"):
            nonlocality_study(tmp_path / "new", size="full", widths=widths)
    with pytest.raises(ValueError, match="seeds must be a whole number of at least 1; got 0"):
        nonlocality_study(tmp_path / "new", seeds=0)
    assert not (tmp_path / "new").exists()


def test_some_widths_alone_are_run(tiny: pytest.MonkeyPatch, tmp_path: Path) -> None:
    tiny.setitem(SIZES, "reduced", replace(TINY, widths=(8, 16), steps=50))
    nonlocality_study(tmp_path, widths=[8], seeds=1, lasso=False, progress=False)
    assert [path.stem for path in (tmp_path / "cells").iterdir()] == ["width8_seed0_plain"]


def test_the_command_of_nonlocality_passes_its_options_on(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    given: list[Any] = []
    monkeypatch.setattr(cli, "nonlocality_study", lambda folder, **options: given.append((str(folder), options)) or [])
    assert main(["study", "nonlocality"]) == 0
    line = "study nonlocality --full --widths 64 128 --seeds 15 --no-lasso --jobs 3 --out here --quiet"
    assert main(line.split()) == 0
    assert given == [
        ("runs/study-nonlocality", {"size": "reduced", "widths": None, "seeds": 5, "lasso": True, "jobs": 1, "progress": True}),
        ("here", {"size": "full", "widths": [64, 128], "seeds": 15, "lasso": False, "jobs": 3, "progress": False}),
    ]
    assert capsys.readouterr().out.count("figures are in") == 1


def test_the_summary_of_nonlocality_has_every_line() -> None:
    told = nonlocality_summary(every_narrowed(), "reduced")
    for part in (
        "5 networks were trained: m = 4 parities of k = 3 bits, A and B the sums of two.",
        "| 64 | as trained | B comes back to at least 0.9 at sparsity 0.1 | 5/5 | 5/5 (0.57-1.00) | yes |",
        "| 64 | group lasso, subgradient | A is at least 0.97 without recovery up to sparsity 0.7 | 5/5 | 5/5 (0.57-1.00) | yes |",
        "| 64 | group lasso, subgradient | B stays within 0.06 of 0.5, revived, at every sparsity | 5/5 | 5/5 (0.57-1.00) | yes |",
        "| 64 | group lasso, proximal | B stays within 0.06 of 0.5, revived, at every sparsity | 5/5 | 4/5 (0.38-0.96) | no |",
        "| all | all | minutes of two cores at most | 10 | 7.0 | yes |",
        "| 64 | as trained | 0.5 | 64 | 0.60 (0.60) | 0.97 (0.90-0.99) | 0.50 (0.50) | 0.60 (0.60) |",
        "0.23 hours of one core.",
        "| 64 | as trained | first order | 0.62 (0.60-0.64) | 0.80 (0.80) | 0.90 (0.90) | 0-12 of 128 |",
        "| 64 | as trained | activation x gradient | 0.70 (0.70) | -0.25 (-0.25) | 0.95 (0.95) | 0 of 128 |",
        "| 64 | group lasso, proximal | first order | 0.62 (0.60-0.64) | 0.80 (0.80) | 0.90 (0.90) | 0-12 of 128 |",
    ):
        assert part in told
    assert "| as trained | A is" not in told
    rows = every_narrowed()
    for change, where, line in (
        ({"b_revived": 0.89}, ("plain", 0.1), "sparsity 0.1 | 5/5 | 0/5"),
        ({"a_pruned": 0.96}, ("subgradient", 0.7), "sparsity 0.7 | 5/5 | 0/5"),
        ({"b_revived": 0.43}, ("subgradient", 0.95), "every sparsity | 5/5 | 0/5"),
    ):
        some = [{**row, **change} if (row["network"], row["sparsity"]) == where else row for row in rows]
        assert line in nonlocality_summary(some, "reduced")
    never = [{**row, "first_order_pearson": None} for row in rows if row["network"] == "subgradient"]
    assert "| subgradient | first order | not defined | 0.80" in nonlocality_summary(never, "reduced").replace("group lasso, ", "")
    assert "sparsity 0.1 | 3/3 | 3/3" in nonlocality_summary([row for row in rows if row["seed"] < 3], "reduced")
    nothing = nonlocality_summary([], "reduced")
    assert nothing.count("| 5/5 | not run | not run |") == 5
    assert nothing.count("| not run | not run |") == 6
    assert nothing.count("| not run |") == 6 + 3 + 3 * 2


def test_the_full_size_is_beside_the_published_sparsities() -> None:
    told = nonlocality_summary(every_narrowed("full"), "full")
    assert "15 networks were trained: m = 6 parities of k = 3 bits, A and B the sums of three." in told
    assert "| 64 | 0.48 | 0.45-0.51 | 0.52 | 0.48-0.56 | yes |" in told
    assert "| 128 | 0.75 | 0.60-0.80 | 0.52 | 0.48-0.56 | no |" in told
    for shift, verdict in ((0.01, "0.53 | 0.49-0.57 | yes"), (0.02, "0.54 | 0.50-0.58 | no")):
        moved = [{**row, "sparsity": row["sparsity"] + shift} for row in every_narrowed("full")]
        assert f"| 64 | 0.48 | 0.45-0.51 | {verdict} |" in nonlocality_summary(moved, "full")
    assert told.count("| 256 | as trained |") == 10 + 2
    part = nonlocality_summary(every_narrowed("full", (64, 128), ("plain",)), "full")
    assert "10 networks were trained" in part
    assert "| 256 | 0.89 | 0.81-0.91 | not run |  | not run |" in part
    assert "| 64 | group lasso, proximal | not run |  |  |  |  |  |" in part


def test_figures_of_nonlocality_have_a_panel_for_every_network_and_width() -> None:
    for size, widths, networks in (("reduced", (64,), EVERY), ("full", (64, 128, 256), EVERY), ("full", (64, 128), EVERY[:1])):
        rows = every_narrowed(size, widths, networks)
        figure = nonlocality_drawing.accuracy_figure(rows)
        check_texts(figure)
        titles = [f"{nonlocality_drawing.NAMES[name]}, {width} wide" for width in widths for name in networks]
        assert [ax.get_title(loc="left") for ax in figure.axes] == titles
        place = figure.axes[0].get_subplotspec()
        assert place is not None
        # Widths of one network stand beside each other; the first in a row has the label.
        down, across = (len(widths), 3) if len(networks) > 1 else (1, len(widths))
        assert place.get_gridspec().get_geometry() == (down, across)
        assert [ax.get_ylabel() for ax in figure.axes] == (["accuracy"] + [""] * (across - 1)) * down
        recovered = next(line for line in figure.axes[0].lines if line.get_gid() == "a_recovered")
        assert recovered.get_xdata()[0] == SIZES[size].sparsities[0]
        assert recovered.get_ydata()[0] == 0.99
        figure = nonlocality_drawing.score_figure(rows, size)
        check_texts(figure)
        assert [ax.get_title(loc="left") for ax in figure.axes[:-1]] == titles
        (mesh,) = figure.axes[0].collections
        codes = len(SIZES[size].codes)
        assert mesh.get_array().shape == (codes, 128)
        assert mesh.get_array()[0, 0] == pytest.approx(-1)
        figure = nonlocality_drawing.attribution_figure(rows)
        check_texts(figure)
        assert [ax.get_title(loc="left") for ax in figure.axes] == titles
        # Of A, the code before the last.
        points = {part.get_gid(): part.get_offsets().tolist() for part in figure.axes[-1].collections}
        of_a, units = pytest.approx(0.1 * (codes - 1)), 2 * widths[-1]
        assert points == {"first order": [[0.01, of_a]] * (units - 1), "activation x gradient": [[0.02, of_a]] * units}


def test_drawings_of_networks_show_their_strong_edges(tmp_path: Path) -> None:
    weights = ([[0.5, -2.0, 0.2], [0.3, 0.0, -0.31]], [[0.4, 0.1]], [[1.0], [-1.0]])
    network = SparseNetwork(weights, ([0.0, 0.0], [0.0], [0.0, 0.0]), ("relu", "relu", "identity"))  # type: ignore[arg-type]
    network.save(tmp_path / "network.safetensors")
    ax = Figure().add_subplot()
    draw_network(tmp_path / "network.safetensors", [True, False, True], ax)
    edges = {part.get_gid(): part for part in ax.collections}
    assert [len(edges[f"edges{layer}"].get_segments()) for layer in range(3)] == [3, 1, 2]
    first = edges["edges0"]
    assert [segment.round(2).tolist() for segment in first.get_segments()] == [
        [[0.17, 0.0], [0.25, 1.0]], [[0.5, 0.0], [0.25, 1.0]], [[0.83, 0.0], [0.75, 1.0]],
    ]  # fmt: skip
    blue, red, other = first.get_colors()
    assert blue[2] > blue[0]
    assert red[0] > red[2]
    assert other[0] > other[2]
    assert (blue[3], red[3]) == (pytest.approx(0.4), pytest.approx(0.8))
    assert [float(colour[:3].mean()) < 0.5 for colour in edges["units0"].get_facecolors()] == [True, False, True]


def test_the_figure_of_networks_has_dark_inputs_for_a(tmp_path: Path) -> None:
    rows = [row for row in every_narrowed() if row["seed"] == 0]
    for name in nonlocality_drawing.NAMES:
        weights = (torch.ones(64, 16).numpy(), torch.ones(64, 64).numpy(), torch.ones(2, 64).numpy())
        biases = tuple(weight[:, 0] for weight in weights)
        SparseNetwork(weights, biases, ("relu", "relu", "identity")).save(kept_network(tmp_path, 64, 0, name))
    figure = nonlocality_drawing.network_figure(rows, tmp_path, "reduced")
    (inputs,) = [part for part in figure.axes[0].collections if part.get_gid() == "units0"]
    dark = [float(colour[:3].mean()) < 0.5 for colour in inputs.get_facecolors()]
    assert dark == [True, True, False, False, *[True] * 6, *[False] * 6]
    assert [ax.get_title(loc="left") for ax in figure.axes] == [f"{name}, 64 wide" for name in nonlocality_drawing.NAMES.values()]
