"""The study of even digits: its cells, what a row has, and that it goes on."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from test_study_even_digits_methods import SMALL

from analysis import drawing
from sculpting import SparseNetwork, run
from sculpting.cli import main
from sculpting.narrow import ablation_scores, attribution_scores, score_correlation
from sculpting.store import Row
from sculpting.studies import even_digits
from sculpting.studies.common.networks import network_from
from sculpting.studies.even_digits import cells as even_cells
from sculpting.studies.even_digits.cells import METHODS, PROTOCOLS, TARGET, ConvolutionalProtocol, cells_of, even_cell, needs_of
from sculpting.studies.even_digits.methods import SCORED, small_networks
from sculpting.studies.even_digits.report import even_summary
from sculpting.tasks.mnist_even import EVEN, mnist_digits

COLUMNS = [
    "method", "asked", "seed", "learning_rate", "strength", "units", "images", "reached", "validation_accuracy", "test_accuracy", "curve",
    "first_order_pearson", "first_order_pearson_log", "first_order_spearman", "first_order_zeros",
    "activation_gradient_pearson", "activation_gradient_pearson_log", "activation_gradient_spearman", "activation_gradient_zeros",
    "scores", "attributions", "seconds",
]  # fmt: skip
COMPARED = COLUMNS[COLUMNS.index("curve") + 1 : -1]  # what only teachers have
GIVEN: dict[str, Any] = {"protocol": "reduced", "source": "digits", "data_dir": None}


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    monkeypatch.setitem(PROTOCOLS, "reduced", SMALL)
    return monkeypatch


@pytest.fixture(scope="module")
def kept() -> tuple[list[Row], dict[str, bytes]]:
    """The rows and the files of the teachers of the small study."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(PROTOCOLS, "reduced", SMALL)
        made = [even_cell(seed=seed, **GIVEN) for seed in range(SMALL.seeds)]
    return [row for one in made for row in one.rows], {name: content for one in made for name, content in one.files.items()}


@pytest.fixture(scope="module")
def networks(kept: tuple[list[Row], dict[str, bytes]]) -> list[SparseNetwork]:
    return [network_from(kept[1][f"networks/teacher_seed{seed}.safetensors"]) for seed in range(SMALL.seeds)]


def cell(kept: tuple[list[Row], dict[str, bytes]], method: str, units: list[int], rate: float, strength: float | None) -> list[Row]:
    return list(even_cell(method=method, units=units, rate=rate, strength=strength, files=kept[1], **GIVEN).rows)


def refuse(*_: Any, **__: Any) -> Any:
    raise AssertionError("done again")


# --- What is asked for --------------------------------------------------------------------------------------------------------


def test_the_protocols_have_what_was_asked_for() -> None:
    reduced, full = PROTOCOLS["reduced"], PROTOCOLS["full"]
    assert (len(reduced.sizes), reduced.seeds, full.seeds, full.width) == (6, 5, 10, 1200)
    assert (full.rates["activation-gradient"], full.rates["group-lasso"][::6]) == ((4e-4, 1e-3, 3e-3, 6e-3), (4e-4, 8e-3))
    assert full.strengths == (1e-3, 3e-3, 4e-3, 5e-3, 6.5e-3, 8e-3)
    assert 5e-3 in full.rates["scratch"]
    assert len({len(rates) for rates in reduced.rates.values()}) == 1
    for known in (reduced, full):
        assert all(size % 2 == 0 and size < 2 * known.width for size in known.sizes)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_every_size_of_every_method_is_in_one_cell_of_each_rate(protocol: str) -> None:
    known = PROTOCOLS[protocol]
    found = [(cell["method"], size, cell["rate"], cell["strength"]) for cell in known.cells.values() for size in cell["units"]]
    wanted = {
        (method, size, rate, strength)
        for method in METHODS
        for size in known.sizes
        for rate in known.rates[method]
        for strength in (known.strengths if method == "group-lasso" else [None])
    }
    assert len(found) == len(wanted)
    assert set(found) == wanted


# --- One cell -----------------------------------------------------------------------------------------------------------------


def correct(network: SparseNetwork, x: torch.Tensor, y: torch.Tensor) -> float:
    """The share of digits that a network names right."""
    with torch.no_grad():
        return (network.model()(x).argmax(dim=1) == y.argmax(dim=1)).double().mean().item()


def test_a_cell_has_what_training_took(
    kept: tuple[list[Row], dict[str, bytes]], networks: list[SparseNetwork], small: pytest.MonkeyPatch
) -> None:
    rows, task = cell(kept, "activation-gradient", [24], 5e-3, None), mnist_digits(EVEN, source="digits")
    assert [list(row) for row in rows] == [COLUMNS] * 2
    assert {row[name] for row in rows for name in COMPARED} == {None}
    assert [(row["method"], row["asked"], row["seed"], row["units"], row["strength"]) for row in rows] == [
        ("activation-gradient", 24, seed, 24, None) for seed in (0, 1)
    ]
    options = {"images": SMALL.images, "shrinking": SMALL.shrinking, "rate": 5e-3, "strength": None, "check_every": 4, "target": TARGET}
    result = small_networks("activation-gradient", networks, task, [24], **options)
    assert [row["images"] for row in rows] == [one.examples for one in result.narrowed]
    assert min(row["images"] for row in rows) > SCORED
    assert all(row["reached"] and row["validation_accuracy"] >= TARGET - 1e-9 for row in rows)
    for row, one in zip(rows, result.narrowed, strict=True):
        assert row["validation_accuracy"] == pytest.approx(correct(one.network, task.x_validation, task.y_validation))
        assert row["test_accuracy"] == pytest.approx(correct(one.network, task.x_test, task.y_test))
    json.dumps(rows, allow_nan=False)


def test_networks_of_convolutions_have_the_same_rows(small: pytest.MonkeyPatch) -> None:
    rates = dict.fromkeys(METHODS, (5e-3,))
    known = ConvolutionalProtocol(8, 3, (8,), 1, rates, (0.1,), check_every=4, images=1000, shrinking=600, channels=(4, 4))
    small.setitem(PROTOCOLS, "convolutional", known)
    given = {**GIVEN, "protocol": "convolutional"}
    teacher = even_cell(seed=0, **given)
    rows = list(teacher.rows)
    for cell in known.cells.values():
        rows += even_cell(**cell, files=teacher.files, **given).rows
    assert {tuple(row) for row in rows} == {tuple(COLUMNS)}
    assert [(row["method"], row["asked"]) for row in rows] == [("teacher", 16), *((method, 8) for method in METHODS)]
    assert len(rows[0]["scores"]) == 16
    assert [row["units"] for row in rows[1:-1]] == [8] * 4
    assert [row["curve"] is None for row in rows] == [True] * 5 + [False]
    summary = even_summary(rows, "convolutional")
    assert "5 of 5 networks were trained" in summary
    assert "Published: Michaud" not in summary
    assert "of 16" in summary


def test_a_group_lasso_has_a_curve_at_its_smallest_size(kept: tuple[list[Row], dict[str, bytes]], small: pytest.MonkeyPatch) -> None:
    small.setitem(PROTOCOLS, "reduced", replace(SMALL, images=1_000, shrinking=20_000))
    rows = cell(kept, "group-lasso", [12, 24], 5e-3, 0.1)
    assert [(row["asked"], row["seed"], row["curve"] is None) for row in rows] == [
        (12, 0, False), (12, 1, False), (24, 0, True), (24, 1, True)
    ]  # fmt: skip
    for row in rows[:2]:
        images, units, accuracies = zip(*row["curve"], strict=True)
        assert images[:3] == (64, 128, 192)
        assert units[-1] <= 12 < units[0] <= 48
        assert all(0 <= accuracy <= 1 for accuracy in accuracies)
        assert row["units"] in units


def test_what_does_not_get_there_is_censored(kept: tuple[list[Row], dict[str, bytes]], small: pytest.MonkeyPatch) -> None:
    small.setitem(PROTOCOLS, "reduced", replace(SMALL, images=1_000))
    rows = cell(kept, "scratch", [12], 1e-5, None)
    assert [(row["reached"], row["images"]) for row in rows] == [(False, 1_246)] * 2
    assert max(row["validation_accuracy"] for row in rows) < TARGET
    # Dense networks soon get there, but they are not as small as they were to be.
    small.setitem(PROTOCOLS, "reduced", replace(SMALL, shrinking=600))
    rows = cell(kept, "group-lasso", [12, 24], 5e-3, 1e-6)
    assert [(row["asked"], row["reached"]) for row in rows] == [(size, False) for size in (12, 24) for _ in range(2)]
    assert min(row["units"] for row in rows) > 40
    assert min(row["validation_accuracy"] for row in rows) >= TARGET - 1e-9


def test_nothing_is_decided_on_the_test_images(kept: tuple[list[Row], dict[str, bytes]], small: pytest.MonkeyPatch) -> None:
    honest = cell(kept, "random", [24], 5e-3, None)

    def other(*arguments: Any, **options: Any) -> Any:
        task = mnist_digits(*arguments, **options)
        assert task.y_test is not None
        return replace(task, y_test=task.y_test.roll(2, dims=1))

    small.setattr(even_cells, "mnist_digits", other)
    changed = cell(kept, "random", [24], 5e-3, None)
    for column in ("images", "units", "reached", "validation_accuracy"):
        assert [row[column] for row in changed] == [row[column] for row in honest]
    assert max(row["test_accuracy"] for row in changed) < 0.2 < min(row["test_accuracy"] for row in honest)


def test_a_teacher_is_evaluated_on_even_digits(kept: tuple[list[Row], dict[str, bytes]], networks: list[SparseNetwork]) -> None:
    row, task = kept[0][1], mnist_digits(EVEN, source="digits")
    assert list(row) == COLUMNS
    assert (row["method"], row["asked"], row["units"], row["images"]) == ("teacher", 48, 48, 12 * 1253)
    assert row["validation_accuracy"] == pytest.approx(correct(networks[1], task.x_validation, task.y_validation))
    assert row["test_accuracy"] == pytest.approx(correct(networks[1], task.x_test, task.y_test))
    assert row["reached"] == (row["validation_accuracy"] >= TARGET)
    assert 0.8 < row["test_accuracy"] < 1


def test_attribution_is_set_beside_ablation_on_the_images_that_pruning_scores_on(
    kept: tuple[list[Row], dict[str, bytes]], networks: list[SparseNetwork]
) -> None:
    row = kept[0][1]
    network, task = networks[1], mnist_digits(EVEN, source="digits")
    pair, options = (task.x[:SCORED], task.y.argmax(dim=1)[:SCORED]), {"loss": "ce"}
    ablation = [value for layer in ablation_scores(network, pair, **options) for value in layer]
    assert row["scores"] == pytest.approx(ablation, abs=1e-6)
    assert max(row["scores"]) > 1e-3
    for kind in ("first_order", "activation_gradient"):
        scores = [value for layer in attribution_scores(network, pair, kind, **options) for value in layer]
        assert row["attributions"][kind] == pytest.approx(scores, rel=1e-4, abs=1e-8)
        agreement = score_correlation([scores], [ablation])
        found = [row[f"{kind}_{name}"] for name in ("pearson", "pearson_log", "spearman", "zeros")]
        assert found == pytest.approx([agreement.pearson, agreement.pearson_log, agreement.spearman, agreement.zeros], abs=1e-3)
    json.dumps(row, allow_nan=False)


def test_pruning_takes_the_units_of_the_lowest_kept_scores(kept: tuple[list[Row], dict[str, bytes]], networks: list[SparseNetwork]) -> None:
    """With a target that is reached before any training, what is left of a teacher has its biases."""
    options = {"images": 16, "shrinking": 16, "rate": 5e-3, "strength": None, "check_every": 4, "target": 1e-6}
    result = small_networks("activation-gradient", networks, mnist_digits(EVEN, source="digits"), [12], **options)
    left, scores = result.narrowed[1].network, torch.tensor(kept[0][1]["attributions"]["activation_gradient"])
    some = torch.isin(torch.as_tensor(networks[1].biases[0]), torch.as_tensor(left.biases[0]))
    assert int(some.sum()) == 6
    assert scores[:24][some].min() > scores[:24][~some].max()


# --- The study ----------------------------------------------------------------------------------------------------------------


def test_the_study_goes_on_and_writes_its_files(small: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = run(even_digits.study(source="digits"), tmp_path, progress=False)
    columns = [name for name in COLUMNS if name not in ("curve", "scores", "attributions")]
    assert [list(row) for row in rows] == [columns] * (2 + 5 * 2 * 2)
    assert {path.name for path in (tmp_path / "cells").iterdir()} == {
        f"{name}.json" for name in ("teacher_seed0", "teacher_seed1", *SMALL.cells)
    }
    assert json.loads((tmp_path / "rows.json").read_text()) == rows
    with (tmp_path / "curves.csv").open() as file:
        points = list(csv.DictReader(file))
    assert list(points[0]) == ["learning_rate", "strength", "seed", "images", "units", "validation_accuracy"]
    assert {point["seed"] for point in points} == {"0", "1"}
    assert (tmp_path / "summary.md").read_text() == even_summary(rows, "reduced")
    for name in ("frontier", "attribution"):
        assert (tmp_path / f"{name}.svg").read_text().startswith("<?xml")
        assert (tmp_path / f"{name}.png").exists()
    # A cell that was lost is run again, and gives the same, also where a teacher was lost with it.
    (tmp_path / "cells" / "random_units24_rate0.005.json").unlink()
    (tmp_path / "networks" / "teacher_seed1.safetensors").unlink()
    begun: list[dict[str, Any]] = []

    def spy(files: Any = None, **arguments: Any) -> Any:
        begun.append(arguments)
        return even_cell(files=files, **arguments)

    small.setattr(even_digits, "even_cell", spy)
    small.setattr(drawing, "picture_bytes", lambda ax, kind: b"")  # drawn once, above
    again = run(even_digits.study(source="digits"), tmp_path, progress=False)
    assert [{**row, "seconds": 0} for row in again] == [{**row, "seconds": 0} for row in rows]
    assert [arguments.get("seed", arguments.get("method")) for arguments in begun] == [1, "random"]
    small.setattr(even_digits, "even_cell", refuse)
    assert run(even_digits.study(source="digits"), tmp_path, progress=False) == again
    assert main(["study", "even-digits", "--full", "--source", "digits", "--out", str(tmp_path)]) == 2
    assert "width is 24 there and 1200 now" in capsys.readouterr().err
    # A folder from when teachers were not scored has no such setting, and teachers without scores.
    settings = json.loads((tmp_path / "study.json").read_text())
    del settings["settings"]["scores"], settings["digest"]
    (tmp_path / "study.json").write_text(json.dumps(settings))
    with pytest.raises(ValueError, match=r'scores is not set there and \["ablation", "first_order", "activation_gradient"\] now'):
        run(even_digits.study(source="digits"), tmp_path, progress=False)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_small_networks_need_all_teachers_and_teachers_nothing(protocol: str) -> None:
    teachers = [f"teacher_seed{seed}" for seed in range(PROTOCOLS[protocol].seeds)]
    assert list(cells_of(protocol))[: len(teachers)] == teachers
    assert needs_of(protocol) == {name: teachers for name in cells_of(protocol) if name not in teachers}


def test_bad_input_is_refused() -> None:
    with pytest.raises(ValueError, match=r"protocol must be one of \['reduced', 'full', 'convolutional'\]; got 'small'"):
        even_digits.study(protocol="small")
    with pytest.raises(ValueError, match="source must be 'mnist' or 'digits'; got 'letters'"):
        even_digits.study(source="letters")
