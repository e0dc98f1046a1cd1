"""The study of curricula: its cells, what a row has, reports, and that it goes on."""

from __future__ import annotations

import csv
import json
import math
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from test_figures import check_texts

from sculpting import run, tasks
from sculpting.cli import main
from sculpting.data import Data
from sculpting.mlp.batched_mlp import BatchedMLP
from sculpting.mlp.population import Population
from sculpting.mlp.training import Hooks, train
from sculpting.models.shape import Shape
from sculpting.randomness import fold, keys
from sculpting.settings import RoundSettings
from sculpting.store import Row
from sculpting.studies import curriculum
from sculpting.studies.common.parity_classes import two_classes
from sculpting.studies.curriculum import cells as curriculum_cells
from sculpting.studies.curriculum import report as curriculum_report
from sculpting.studies.curriculum.cells import PROTOCOLS, Arm, Protocol, curriculum_cell
from sculpting.studies.curriculum.report import curriculum_summary
from sculpting.tasks.parities import codes_of

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
    for rows in (x[0].t(), x[1].t(), task.x_validation):
        found, which = codes_of(rows, 3)
        assert list(found) == codes
        assert set(which.bincount().tolist()) == {len(rows) // len(codes)}
    assert not torch.equal(x[0], x[1])
    assert not torch.equal(x, later)
    bits = (x[:, 3:12].unflatten(1, (3, 3)).sum(dim=2) * x[:, :3]).sum(dim=1) % 2
    assert torch.equal(y, torch.stack([1 - bits, bits], dim=1))
    assert (task.x_validation.shape, task.y_validation.shape, task.loss) == ((1000 * len(codes), 43), (1000 * len(codes), 2), "ce")


def test_a_bit_as_two_classes() -> None:
    task = two_classes(tasks.cmsp(2, 1, 2))
    one = tasks.cmsp(2, 1, 2)
    assert (task.y.argmax(dim=1) == one.y[:, 0]).all()
    assert (task.y_validation.sum(dim=1) == 1).all()
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
    given: list[RoundSettings] = []

    def spy(population: Population, data: Data, settings: RoundSettings, *arguments: Any, **options: Any) -> Any:
        given.append(settings)
        return train(population, data, settings, *arguments, **options)

    small.setattr(curriculum_cells, "train", spy)
    clock = iter([10.0, 16.0])
    small.setattr(curriculum_cells, "time", SimpleNamespace(perf_counter=lambda: next(clock)))
    rows = curriculum_cell("shallow", 0, 1, "reduced")
    assert [row["seconds"] for row in rows] == [1.0] * 6
    assert given == [RoundSettings(100, 300, 5e-3, final_rate=1.0, weight_decay=0.0, epsilon=1e-5, check_every=50, keep_last=True)]
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
    _, code = codes_of(task.x_validation, 2)
    for seed in (0, 1):
        model = task.model(arm.width, arm.hidden_layers, activation="relu")
        for layer, weight, bias in zip(model[::2], made[0].weights, made[0].biases, strict=True):
            layer.weight.data, layer.bias.data = weight[seed], bias[seed]
        with torch.no_grad():
            losses = torch.nn.functional.cross_entropy(model(task.x_validation), task.y_validation, reduction="none") / torch.log(
                torch.tensor(2.0)
            )
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
        z = BatchedMLP(part.shape, part.values).forward(torch.cat([x, torch.ones(1, 1, size)], dim=1))[0][-1]
        _, code = codes_of(x[0].t(), 2)
        losses[steps * size] = float((torch.nn.functional.cross_entropy(z, y, reduction="none")[0] / math.log(2))[code == 2].mean())
        return steps * size == reached

    settings = RoundSettings(500, size, 5e-3, final_rate=1.0, weight_decay=0.0, epsilon=1e-5, check_every=1, keep_last=True)
    start = Population.uniform(Shape((5, 24, 24, 2), ("relu", "relu", "identity")), fold(key, 0))
    train(start, Data.of(task), settings, fold(key, 1), hooks=Hooks(watch=watch))
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
    rows = run(curriculum.study(), tmp_path, progress=False)
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
    small.setattr(curriculum, "curriculum_cell", refuse)
    assert run(curriculum.study(), tmp_path, progress=False) == rows
    assert main(["study", "curriculum", "--full", "--out", str(tmp_path)]) == 2
    assert "k is 1 there and 4 now" in capsys.readouterr().err


def test_an_unknown_protocol_is_refused() -> None:
    with pytest.raises(ValueError, match=r"protocol must be one of \['reduced', 'full'\]; got 'small'"):
        curriculum.study(protocol="small")


# --- The report ---------------------------------------------------------------------------------------------------------------


def test_the_summary_has_every_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(curriculum, "curriculum_cell", fake_cell)
    assert main(["study", "curriculum", "--out", str(tmp_path)]) == 0
    shown = capsys.readouterr().out
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
        assert part in shown
    assert "wide" not in shown


def test_targets_that_are_missed_are_said_to_be() -> None:
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
    shown = curriculum_summary([], "reduced")
    assert shown.count("| not run | not run |") == 5
    assert shown.count("| not run |") == 8
    shown = curriculum_summary(every_fake_row()[:20], "reduced")
    assert "5 of 60 networks" in shown
    assert shown.count("| 19/20 | 5/5 (0.57-1.00) | open |") == 2


def test_the_full_size_is_beside_the_published_counts_alone() -> None:
    shown = curriculum_summary([], "full")
    assert "0 of 160 networks were trained: m = 4 parities of k = 4 bits among n = 64." in shown
    assert "reached" not in shown
    assert "| broad, 1 wide hidden layer | 361 | 2e9 | not run | 16/40 (0.26-0.55) |" in shown


def test_the_figure_has_a_line_for_every_seed_and_a_name_for_every_arm() -> None:
    ax = curriculum_report._figure(every_fake_row(), "reduced")
    check_texts(ax.figure)
    (legend,) = ax.figure.legends
    assert [text.get_text() for text in legend.get_texts()] == list(curriculum_report.NAMES.values())[:3]
    ids = [line.get_gid() for line in ax.lines]
    assert {arm: ids.count(arm) for arm in ("broad", "narrow", "shallow")} == {"broad": 20, "narrow": 20, "shallow": 20}
    line = next(line for line in ax.lines if line.get_gid() == "narrow")
    assert line.get_xydata().tolist() == [[100_000, 1.0], [14_000_000, 1.0]]
