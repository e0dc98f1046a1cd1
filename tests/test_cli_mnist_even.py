"""The study of even digits: its methods, its cells, what a row says, what is reported, and that it goes on."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from test_figures import check_texts

from analysis.drawing import encoding
from sculpting import SparseNetwork, cli
from sculpting.cli import main
from sculpting.mlp import memory
from sculpting.mlp.population import Population
from sculpting.mlp.scores import unit_sensitivity
from sculpting.mlp.training import Data, evaluate
from sculpting.narrow import Lasso, ablation_scores, attribution_scores, learn, score_correlation
from sculpting.store import Row
from sculpting.studies.even_digits import cells as even_cells
from sculpting.studies.even_digits import methods as even_methods
from sculpting.studies.even_digits import report as even_report
from sculpting.studies.even_digits.cells import METHODS, PROTOCOLS, TARGET, Protocol, even_cell, even_study, teacher_cell
from sculpting.studies.even_digits.frontier import Frontier, frontier, frontier_figure, published_near, thousands, verdict
from sculpting.studies.even_digits.methods import FLOOR, SCORED, Start, anew, key_of, pruned, shrunk, taught, teacher_of, teachers_of
from sculpting.studies.even_digits.report import even_summary, write_even_report
from sculpting.tasks.mnist_even import EVEN, mnist_digits

COLUMNS = [
    "method", "asked", "seed", "learning_rate", "strength", "units", "images", "reached", "validation_accuracy", "test_accuracy", "curve",
    "first_order_pearson", "first_order_pearson_log", "first_order_spearman", "first_order_zeros",
    "activation_gradient_pearson", "activation_gradient_pearson_log", "activation_gradient_spearman", "activation_gradient_zeros",
    "scores", "attributions", "seconds",
]  # fmt: skip
COMPARED = COLUMNS[COLUMNS.index("curve") + 1 : -1]  # what only teachers have
SMALL = Protocol(24, 12, (12, 24), 2, dict.fromkeys(METHODS, (5e-3,)), (0.1,), check_every=4, images=6000, shrinking=6000)
LASSO = Lasso(0.1, "subgradient", bias=False)


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the teachers of the small study."""
    folder, every = tmp_path_factory.mktemp("teachers"), mnist_digits(source="digits")
    for seed in range(SMALL.seeds):
        teacher_of(folder / "networks" / f"teacher_seed{seed}.safetensors", every, SMALL.width, SMALL.epochs, seed)
    return folder


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    monkeypatch.setitem(PROTOCOLS, "reduced", SMALL)
    return monkeypatch


@pytest.fixture(scope="module")
def even() -> Data:
    return Data.of(mnist_digits(EVEN, source="digits"))


@pytest.fixture(scope="module")
def teachers(kept: Path) -> Population:
    return teachers_of([SparseNetwork.load(path) for path in sorted((kept / "networks").iterdir())])


def given(folder: Path) -> dict[str, Any]:
    return {"protocol": "reduced", "folder": folder, "source": "digits", "data_dir": None}


def units_of(population: Population) -> list[list[int]]:
    """Live units of each hidden layer, member by member."""
    return torch.stack([alive.sum(dim=1) for alive in population.alive()], dim=1).tolist()


def refuse(*_: Any, **__: Any) -> Any:
    raise AssertionError("done again")


# --- What is asked for --------------------------------------------------------------------------------------------------------


def test_the_protocols_have_what_was_asked_for() -> None:
    reduced, full = PROTOCOLS["reduced"], PROTOCOLS["full"]
    assert (len(reduced.sizes), reduced.seeds, full.seeds, full.width) == (6, 5, 10, 1200)
    assert (full.rates["attribution"], full.rates["group-lasso"][::6]) == ((4e-4, 1e-3, 3e-3, 6e-3), (4e-4, 8e-3))
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


# --- Methods ------------------------------------------------------------------------------------------------------------------


def test_a_teacher_is_trained_once_and_names_all_digits(kept: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    every = mnist_digits(source="digits")
    network = teacher_of(tmp_path / "again", every, SMALL.width, SMALL.epochs, 0)
    monkeypatch.setattr(even_methods, "train", refuse)
    first, second = (teacher_of(kept / "networks" / f"teacher_seed{seed}.safetensors", every, 24, 12, seed) for seed in (0, 1))
    assert all((a == b).all() for a, b in zip(network.weights, first.weights, strict=True))
    assert not (first.weights[0] == second.weights[0]).all()
    assert (first.widths, first.activations, first.head) == ((64, 24, 24, 10), ("relu", "relu", "identity"), None)
    score = evaluate(teachers_of([first, second]), Data.of(every))
    assert score.accuracy.tolist() == pytest.approx([first.accuracy, second.accuracy])
    assert min(score.accuracy) > 0.85


def test_untrained_networks_share_their_start(even: Data) -> None:
    three, two = anew(64, 10, 12, key_of([0, 1, 2])), anew(64, 10, 12, key_of([0, 1]))
    assert three.population.shape.widths == (64, 6, 6, 10)
    assert torch.equal(three.population.values[:2], two.population.values)
    assert not torch.equal(two.population.values[0], two.population.values[1])
    assert (two.consumed.tolist(), two.small.tolist(), two.curves) == ([0, 0], [True, True], [None, None])


def test_pruning_by_attribution_takes_the_lowest_of_each_layer_and_is_charged(teachers: Population, even: Data) -> None:
    start = pruned("attribution", teachers, even, 12, key_of([0, 1]))
    assert units_of(start.population) == [[6, 6], [6, 6]]
    assert start.consumed.tolist() == [SCORED] * 2 == [480] * 2
    on_training = replace(even, x_check=even.x[:, :480], y_check=even.y[:, :480])
    for layer, scores in enumerate(unit_sensitivity(teachers, on_training, key_of([0, 1])).split(24, dim=1)):
        left = start.population.alive()[layer]
        for member in (0, 1):
            assert scores[member][left[member]].min() > scores[member][~left[member]].max()
    few = replace(even, table=even.table[:, :100])
    assert pruned("attribution", teachers, few, 12, key_of([0, 1])).consumed.tolist() == [100] * 2


def test_pruning_at_random_is_free_and_differs_by_seed(teachers: Population, even: Data) -> None:
    twins = teachers.select([0, 0])
    start = pruned("random", twins, even, 24, key_of([0, 1]))
    assert (units_of(start.population), start.consumed.tolist()) == ([[12, 12], [12, 12]], [0, 0])
    assert not torch.equal(start.population.mask[0], start.population.mask[1])
    alike = pruned("attribution", twins, even, 24, key_of([0, 1])).population
    assert torch.equal(alike.mask[0], alike.mask[1])


def test_a_group_lasso_hands_over_each_size_as_it_is_first_there(teachers: Population, even: Data) -> None:
    key, options = key_of([0, 1]), {"rate": 5e-3, "check_every": 4}
    starts = shrunk(teachers, even, key, LASSO, (12, 24), images=20_000, **options)
    assert list(starts) == [12, 24]
    assert all(start.small.all() for start in starts.values())
    assert starts[24].curves == [None, None]
    for member in (0, 1):
        curve = starts[12].curves[member]
        assert curve is not None
        images, units, accuracies = zip(*curve, strict=True)
        assert images[:3] == (64, 128, 192)
        assert all(0 <= accuracy <= 1 for accuracy in accuracies)
        for size, start in starts.items():
            place = next(place for place, count in enumerate(units) if count <= size)
            assert start.consumed[member] == images[place]
            assert sum(units_of(start.population)[member]) == units[place] > 0
            assert (LASSO.norms(start.population)[member] > FLOOR).sum() == units[place]
    # Until then, the same as without a size to stop at.
    seed, consumed = starts[24].population, int(starts[24].consumed[0])
    whole = learn(
        teachers, even, even_methods.fold(key, even_methods.SHRINKING), steps=2_000, batch_size=16, learning_rate=5e-3,
        check_every=4, lasso=LASSO, input_noise=0.3, watch=lambda members, part, examples: examples >= consumed,
    )  # fmt: skip
    assert torch.equal(seed.values[0], (LASSO.without_dead(whole.population, FLOOR)).values[0])


def test_a_group_lasso_of_one_after_the_other_ends_for_each_at_the_smallest_size(
    teachers: Population, even: Data, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory, "CACHE", 0)
    starts = shrunk(teachers, even, key_of([0, 1]), LASSO, (12, 24), images=20_000, rate=5e-3, check_every=4)
    for curve in starts[12].curves:
        assert curve is not None
        assert [units <= 12 for _, units, _ in curve] == [False] * (len(curve) - 1) + [True]


def test_what_never_shrinks_is_said_to_be_large(teachers: Population, even: Data) -> None:
    weak = Lasso(1e-6, "subgradient", bias=False)
    starts = shrunk(teachers, even, key_of([0, 1]), weak, (12, 24), images=1_000, rate=1e-4, check_every=4)
    for start in starts.values():
        assert start.small.tolist() == [False, False]
        assert start.consumed.tolist() == [1_246] * 2  # two passes over 623 images hold the thousand
        assert units_of(start.population) == [[24, 24], [24, 24]]


def test_each_student_learns_from_the_teacher_of_its_seed(teachers: Population, even: Data, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[Any, ...]] = []
    distilled = even_methods.distilled

    def spy(data: Data, teacher: Population, *options: Any) -> Data:
        asked.append((teacher.values, *options))
        return distilled(data, teacher, *options)

    monkeypatch.setattr(even_methods, "distilled", spy)
    key, options = key_of([0, 1]), {"images": 640, "rate": 5e-3, "check_every": 4, "target": TARGET}
    start = anew(64, 10, 24, key)
    parts = taught(start, even, key, teachers, **options)
    assert [part[1:] for part in asked] == [("ce", 0.9, 20.0)] * 2
    assert torch.equal(torch.cat([part[0] for part in asked]), teachers.values)
    (alone,) = taught(
        Start(start.population.select([1]), start.consumed[1:], start.small[1:], [None]), even, key[1:], teachers.select([1]), **options
    )
    assert torch.equal(parts[1].population.values, alone.population.values)
    (plain,) = taught(start, even, key, None, **options)
    assert len(plain.population) == 2
    assert not torch.equal(plain.population.values[:1], parts[0].population.values)


# --- One cell -----------------------------------------------------------------------------------------------------------------


def test_a_cell_says_what_training_took(kept: Path, even: Data, small: pytest.MonkeyPatch) -> None:
    rows = even_cell("attribution", [24], 5e-3, None, **given(kept))
    assert [list(row) for row in rows] == [COLUMNS] * 2
    assert {row[name] for row in rows for name in COMPARED} == {None}
    assert [(row["method"], row["asked"], row["seed"], row["units"], row["strength"]) for row in rows] == [
        ("attribution", 24, seed, 24, None) for seed in (0, 1)
    ]
    teachers = teachers_of([SparseNetwork.load(kept / "networks" / f"teacher_seed{seed}.safetensors") for seed in (0, 1)])
    key = key_of([0, 1])
    start = pruned("attribution", teachers, even, 24, key)
    learnt = learn(
        start.population, even, even_methods.fold(key, even_methods.ORDER), steps=375, batch_size=16, learning_rate=5e-3,
        target=0.97, check_every=4, input_noise=0.3,
    )  # fmt: skip
    assert [row["images"] for row in rows] == [480 + int(images) for images in learnt.examples]
    assert all(row["reached"] and row["validation_accuracy"] >= TARGET - 1e-9 for row in rows)
    task = mnist_digits(EVEN, source="digits")
    tested = evaluate(learnt.population, Data.of(replace(task, x_check=task.x_test, y_check=task.y_test))).accuracy.tolist()
    assert [row["test_accuracy"] for row in rows] == tested
    json.dumps(rows, allow_nan=False)


def test_what_does_not_get_there_is_censored(kept: Path, small: pytest.MonkeyPatch) -> None:
    small.setitem(PROTOCOLS, "reduced", replace(SMALL, images=1_000))
    rows = even_cell("scratch", [12], 1e-5, None, **given(kept))
    assert [(row["reached"], row["images"]) for row in rows] == [(False, 1_246)] * 2
    assert max(row["validation_accuracy"] for row in rows) < TARGET
    # Dense networks soon get there, but they are not as small as they were to be.
    small.setitem(PROTOCOLS, "reduced", replace(SMALL, shrinking=600))
    rows = even_cell("group-lasso", [12, 24], 5e-3, 1e-6, **given(kept))
    assert [(row["asked"], row["reached"]) for row in rows] == [(size, False) for size in (12, 24) for _ in range(2)]
    assert min(row["units"] for row in rows) > 40
    assert min(row["validation_accuracy"] for row in rows) >= TARGET - 1e-9


def test_nothing_is_decided_on_the_test_images(kept: Path, small: pytest.MonkeyPatch) -> None:
    honest = even_cell("random", [24], 5e-3, None, **given(kept))

    def other(*arguments: Any, **options: Any) -> Any:
        task = mnist_digits(*arguments, **options)
        assert task.y_test is not None
        return replace(task, y_test=task.y_test.roll(2, dims=1))

    small.setattr(even_cells, "mnist_digits", other)
    changed = even_cell("random", [24], 5e-3, None, **given(kept))
    for column in ("images", "units", "reached", "validation_accuracy"):
        assert [row[column] for row in changed] == [row[column] for row in honest]
    assert max(row["test_accuracy"] for row in changed) < 0.2 < min(row["test_accuracy"] for row in honest)


def test_a_teacher_is_judged_on_even_digits(kept: Path, even: Data, small: pytest.MonkeyPatch, teachers: Population) -> None:
    (row,) = teacher_cell(1, **given(kept))
    assert list(row) == COLUMNS
    assert (row["method"], row["asked"], row["units"], row["images"]) == ("teacher", 48, 48, 12 * 1253)
    assert row["validation_accuracy"] == evaluate(teachers, even).accuracy[1].item()
    assert row["reached"] == (row["validation_accuracy"] >= TARGET)
    assert 0.8 < row["test_accuracy"] < 1


def test_attribution_is_set_beside_ablation_on_the_images_that_pruning_scores_on(kept: Path, small: pytest.MonkeyPatch) -> None:
    (row,) = teacher_cell(1, **given(kept))
    network, task = SparseNetwork.load(kept / "networks" / "teacher_seed1.safetensors"), mnist_digits(EVEN, source="digits")
    pair, options = (task.x[:SCORED], task.y.argmax(dim=1)[:SCORED]), {"loss": "ce"}
    ablation = [value for layer in ablation_scores(network, pair, **options) for value in layer]
    assert row["scores"] == pytest.approx(ablation, abs=1e-6)
    assert max(row["scores"]) > 1e-3
    for kind in ("first_order", "activation_gradient"):
        scores = [value for layer in attribution_scores(network, pair, kind, **options) for value in layer]
        assert row["attributions"][kind] == pytest.approx(scores, rel=1e-4, abs=1e-8)
        told = score_correlation([scores], [ablation])
        found = [row[f"{kind}_{name}"] for name in ("pearson", "pearson_log", "spearman", "zeros")]
        assert found == pytest.approx([told.pearson, told.pearson_log, told.spearman, told.zeros], abs=1e-3)
    json.dumps(row, allow_nan=False)


def test_pruning_takes_the_units_of_the_lowest_kept_scores(kept: Path, even: Data, teachers: Population, small: pytest.MonkeyPatch) -> None:
    (row,) = teacher_cell(1, **given(kept))
    left = torch.cat(pruned("attribution", teachers, even, 12, key_of([0, 1])).population.alive(), dim=1)[1]
    for some, scores in zip(left.split(24), torch.tensor(row["attributions"]["activation_gradient"]).split(24), strict=True):
        assert scores[some].min() > scores[~some].max()


# --- The study ----------------------------------------------------------------------------------------------------------------


def test_the_study_goes_on_and_writes_its_files(small: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = even_study(tmp_path, source="digits", progress=False)
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
    # A cell that was lost is done again, and gives the same, also where its teachers were lost with it.
    (tmp_path / "cells" / "random_units24_rate0.005.json").unlink()
    (tmp_path / "networks" / "teacher_seed1.safetensors").unlink()
    small.setattr(even_cells, "teacher_cell", refuse)
    small.setattr(encoding, "picture_bytes", lambda ax, kind: b"")
    again = even_study(tmp_path, source="digits", progress=False)
    assert [{**row, "seconds": 0} for row in again] == [{**row, "seconds": 0} for row in rows]
    small.setattr(even_cells, "even_cell", refuse)
    assert even_study(tmp_path, source="digits", progress=False) == again
    assert main(["study", "mnist-even", "--full", "--source", "digits", "--out", str(tmp_path)]) == 2
    assert "width is 24 there and 1200 now" in capsys.readouterr().err
    # A folder from when teachers were not scored has no such setting, and teachers without scores.
    settings = json.loads((tmp_path / "study.json").read_text())
    del settings["settings"]["scores"]
    (tmp_path / "study.json").write_text(json.dumps(settings))
    with pytest.raises(ValueError, match=r'scores is not set there and \["ablation", "first_order", "activation_gradient"\] now'):
        even_study(tmp_path, source="digits", progress=False)


def test_the_command_passes_its_options_on(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    asked: list[Any] = []
    monkeypatch.setattr(cli, "even_study", lambda folder, **options: asked.append((str(folder), options)) or [])
    assert main(["study", "mnist-even"]) == 0
    assert main(["study", "mnist-even", "--full", "--source", "digits", "--data-dir", "d", "--jobs", "3", "--out", "here", "--quiet"]) == 0
    plain = {"protocol": "reduced", "source": "mnist", "data_dir": None, "jobs": 1, "progress": True}
    other = {"protocol": "full", "source": "digits", "data_dir": Path("d"), "jobs": 3, "progress": False}
    assert asked == [("runs/study-mnist-even", plain), ("here", other)]
    assert capsys.readouterr().out.count("figures are in") == 1


def test_bad_input_is_refused_before_any_cell(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"protocol must be one of \['reduced', 'full'\]; got 'small'"):
        even_study(tmp_path, protocol="small")
    with pytest.raises(ValueError, match="source must be 'mnist' or 'digits'; got 'letters'"):
        even_study(tmp_path, source="letters")
    with pytest.raises(ValueError, match="jobs must be a whole number of processes"):
        even_study(tmp_path, source="digits", jobs=0)
    assert not list(tmp_path.iterdir())


# --- The report ---------------------------------------------------------------------------------------------------------------

# Images of each method at 30 units and at every other size; scratch at 30 never got there, nor did half of the random ones.
IMAGES = {"scratch": (80_000, 20_000), "distillation": (60_000, 4_000), "attribution": (70_000, 5_000), "random": (90_000, 0)}


def fake_rows() -> list[Row]:
    rows = [_fake("teacher", 800, seed, 3e-3, None, 166_740, True) for seed in range(5)]
    for cell in PROTOCOLS["reduced"].cells.values():
        for size in cell["units"]:
            for seed in range(5):
                images = IMAGES.get(cell["method"], (50_000, 25_000))[size > 30]
                there = size > 30 or not (cell["method"] == "scratch" or (cell["method"] == "random" and seed > 2))
                # The higher rate is the better one, by a thousand images where there are so many.
                images += 1_000 * (cell["rate"] == 1e-3) + 10 * seed * (images > 0)
                rows.append(_fake(cell["method"], size, seed, cell["rate"], cell["strength"], images, there))
    return rows


def _fake(method: str, size: int, seed: int, rate: float, strength: float | None, images: int, there: bool) -> Row:
    units, curve = size - seed * (strength is not None), [[320, 700, 0.96]] if strength is not None and size == 30 else None
    compared: list[Any] = [None] * len(COMPARED)
    if method == "teacher":
        attributions = {"first_order": [0.01 * (seed + 1)] * 799 + [0.0], "activation_gradient": [0.02] * 800}
        compared = [0.6 + 0.01 * seed, 0.8, None, 3 * seed, 0.7, -0.25, 0.95, 0, [0.1] * 800, attributions]
    values = [method, size, seed, rate, strength, units, images, there, 0.97 if there else 0.96, 0.97 + seed / 1000, curve, *compared, 2.0]
    return dict(zip(COLUMNS, values, strict=True))


def test_below_is_said_only_where_it_is_known() -> None:
    small, large = (lambda exact, images=images: Frontier([], images, exact) for images in (1.0, 2.0))
    assert [small(a).below(large(b)) for a, b in ((True, True), (True, False), (False, True), (False, False))] == [True, True, None, None]
    assert [large(a).below(small(b)) for a, b in ((True, True), (True, False), (False, True), (False, False))] == [False, None, False, None]
    assert small(True).below(small(True)) is False


def test_the_best_learning_rate_is_that_with_which_most_seeds_get_there() -> None:
    rows = [_fake("scratch", 30, seed, rate, None, images, there) for seed in (0, 1) for rate, images, there in (
        (1e-3, 100, seed == 0), (3e-3, 900, True), (6e-3, 800 + 50 * seed, True), (8e-3, 825, True),
    )]  # fmt: skip
    best = frontier(rows, "scratch", 30)
    assert best is not None
    assert ({row["learning_rate"] for row in best.rows}, best.images, best.exact, str(best)) == ({6e-3}, 825, True, "0.8k")
    assert frontier(rows, "scratch", 50) is frontier(rows, "random", 30) is None
    censored = frontier(rows[:1] + rows[4:5], "scratch", 30)
    assert censored is not None
    assert (censored.exact, str(censored)) == (False, "above 0.1k")
    assert verdict(rows, "scratch", "random", 30) is None


def test_published_points_are_told_where_they_are_near() -> None:
    assert [published_near("scratch", size) for size in (30, 200, 220)] == ["53.5k", "21.4k at 160", ""]
    assert published_near("group-lasso", 50) == "21.0k at 46"
    assert published_near("random", 50) == ""
    assert [thousands(images) for images in (0, 480, 12_345)] == ["0.0k", "0.5k", "12.3k"]


def test_the_summary_has_every_line() -> None:
    told = even_summary(fake_rows(), "reduced")
    for part in (
        "360 of 360 networks were trained, of 5 seeds, 5 methods, 6 sizes and their learning rates; 346 got to 97 %.",
        "| pruned by attribution: fewer images than scratch, of all sizes | 6/6 | 6/6 (0.61-1.00) | yes |",
        "| pruned at random: fewer images than scratch, of all sizes | 6/6 | 5/6 (0.44-0.97) | open |",
        "| group lasso: fewer images than scratch, of all sizes | 6/6 | 1/6 (0.03-0.56) | no |",
        "| minutes of two cores at most | 10 | 6.1 | yes |",
        "| 30 | above 80.0k | 60.0k | 70.0k | above 90.0k | 50.0k | yes, open, yes | group lasso |",
        "| 50 | 20.0k | 4.0k | 5.0k | 0.0k | 25.0k | yes, yes, no | pruned at random |",
        "Distillation needs fewer images than scratch at 30, 50, 100, 200, 400, 600; than pruned by attribution at 30, 50, 100, 200, 400, "
        "600; than pruned at random at 30; than group lasso at 50, 100, 200, 400, 600.",
        "| 30 | scratch | 0/5 | 30 | above 80.0k | 80.0k | 53.5k | 0.972 (0.970-0.974) | 0.003 |  |",
        "| 100 | group lasso | 5/5 | 96-100 | 25.0k | 25.0k | 14.0k at 87 | 0.972 (0.970-0.974) | 0.003 | 0.005 |",
        "| 4 | 800 | 166.7k | 0.970 | 0.974 |",
        "On the 480 training images that units are scored on",
        "| attribution | Pearson | Pearson of logarithms | Spearman | with a 0, of hidden units |",
        "| first order | 0.62 (0.60-0.64) | 0.80 (0.80) | not defined | 0-12 of 800 |",
        "| activation x gradient | 0.70 (0.70) | -0.25 (-0.25) | 0.95 (0.95) | 0 of 800 |",
        "0.20 hours of one core.",
    ):
        assert part in told, part


def test_the_summary_of_a_part_says_what_was_not_run() -> None:
    rows = [row for row in fake_rows() if row["asked"] == 50 and row["method"] != "random"]
    told = even_summary(rows, "reduced")
    assert "| pruned by attribution: fewer images than scratch, of all sizes | 6/6 | 1/1 (0.21-1.00) | open |" in told
    assert "| pruned at random: fewer images than scratch, of all sizes | 6/6 | not run | not run |" in told
    assert "| 50 | 20.0k | 4.0k | 5.0k | not run | 25.0k | yes, not run, no | open |" in told
    assert "minutes of two cores" not in even_summary([], "full")
    assert "| first order | not run |  |  |  |\n| activation x gradient | not run |  |  |  |\n\n## Time" in even_summary([], "full")


def test_the_figure_has_a_line_for_each_method() -> None:
    ax = frontier_figure(fake_rows(), "reduced")
    lines = {line.get_gid(): line for line in ax.lines if line.get_gid() in METHODS}
    assert list(lines) == list(METHODS)
    assert lines["attribution"].get_xdata().tolist() == [30, 50, 100, 200, 400, 600]
    assert lines["attribution"].get_ydata().tolist() == [70_020, *[5_020] * 5]
    assert lines["group-lasso"].get_xdata().tolist() == [28, 48, 98, 198, 398, 598]
    marks = [line for line in ax.lines if line.get_gid() == "point"]
    assert len(marks) == 30
    assert [mark.get_markerfacecolor() == "white" for mark in marks[::6]] == [True, False, False, True, False]
    assert len(ax.collections) == 5
    band = ax.collections[0].get_paths()[0].vertices[:, 1]
    assert (band.min(), band.max()) == (20_000, 80_040)
    published = [line for line in ax.lines if line.get_gid() == "published"]
    assert published[0].get_xdata().tolist() == [30, 50, 100, 160, 280, 400, 600]
    (legend,) = ax.figure.legends
    assert [text.get_text() for text in legend.get_texts()][-2:] == ["published", "at least: some seeds did not get there"]
    check_texts(ax.figure)


def test_the_figure_of_attribution_is_of_the_first_teacher(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[Any] = []
    agreement_scatter = even_report.agreement_scatter
    monkeypatch.setattr(even_report, "agreement_scatter", lambda *a, **b: drawn.append(agreement_scatter(*a, **b)) or drawn[0])
    written = write_even_report(fake_rows(), tmp_path, "reduced")
    names = {"curves.csv", "summary.md", *(f"{name}.{kind}" for name in ("frontier", "attribution") for kind in ("svg", "png"))}
    assert {path.name for path in written} == names == {path.name for path in tmp_path.iterdir()}
    (ax,) = drawn
    points = {part.get_gid(): part.get_offsets().tolist() for part in ax.collections}
    assert points == {"first order": [[0.01, 0.1]] * 799, "activation x gradient": [[0.02, 0.1]] * 800}
    assert ax.get_title(loc="left") == "Even digits: the first teacher"
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("attribution, nats", "ablation, nats")
    check_texts(ax.figure)
    assert (tmp_path / "attribution.svg").read_text() != (tmp_path / "frontier.svg").read_text()
