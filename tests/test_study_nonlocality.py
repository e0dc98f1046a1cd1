"""The study of nonlocality: its cells, what a row has, and that it goes on."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from analysis import drawing
from sculpting import SparseNetwork, run
from sculpting.cli import main
from sculpting.data import Data
from sculpting.mlp.population import Population
from sculpting.mlp.training import evaluate
from sculpting.models.shape import Shape
from sculpting.narrow import Lasso, ablation_scores, attribution_scores, learn, prune_units, score_correlation
from sculpting.narrow.attribution import ATTRIBUTIONS
from sculpting.randomness import keys
from sculpting.store import Row
from sculpting.studies import nonlocality
from sculpting.studies.common.agreement import AGREEMENT_COLUMNS, KINDS, agreement_of, rounded
from sculpting.studies.common.networks import network_from
from sculpting.studies.nonlocality import cells as nonlocality_cells
from sculpting.studies.nonlocality.cells import SIZES, Size, nonlocality_cell
from sculpting.studies.nonlocality.report import nonlocality_summary
from sculpting.tasks.parities import codes_of

NARROWED = [
    "width", "seed", "loss", "network", "sparsity", "units", "a_pruned", "b_pruned", "a_recovered", "b_revived",
    "first_order_pearson", "first_order_pearson_log", "first_order_spearman", "first_order_zeros",
    "activation_gradient_pearson", "activation_gradient_pearson_log", "activation_gradient_spearman", "activation_gradient_zeros",
    "scores", "attributions", "seconds",
]  # fmt: skip
LISTS = ("scores", "attributions")
TINY = Size(4, 1, (16,), 50, 1_000, 5e-3, (200, 100), (40, 100), (0.25, 0.75))
A, B = (0, 1), (2, 3)


def refuse(*_: Any, **__: Any) -> Any:
    raise AssertionError("done again")


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    monkeypatch.setitem(SIZES, "reduced", TINY)
    monkeypatch.setattr(nonlocality_cells, "LEARNING_RATE", 5e-3)
    monkeypatch.setattr(nonlocality_cells, "SCORED", 100)
    monkeypatch.setattr(nonlocality_cells, "JUDGED", 400)
    return monkeypatch


def every_cell(width: int, seed: int) -> tuple[list[Row], dict[str, bytes]]:
    """The rows of a width and seed, and the files of its networks."""
    rows: list[Row] = []
    files: dict[str, bytes] = {}
    for network in nonlocality_cells.NETWORKS:
        made = nonlocality_cell(width, seed, network, "reduced", files=files)
        rows += made.rows
        files |= made.files
    return rows, files


def test_sizes_are_as_tested_and_as_published() -> None:
    reduced, full = SIZES["reduced"], SIZES["full"]
    assert reduced.codes == ((0,), (1,), (2,), (3,), A, B)
    assert full.codes == (*((i,) for i in range(6)), (0, 1, 2), (3, 4, 5))
    assert (full.sparsities[0], full.sparsities[-1], len(full.sparsities)) == (0.01, 0.98, 98)
    assert (full.rows, full.steps, full.until, full.lasso, full.recovery) == (2000, 20_000, 0.0, (10_000, 2000), (1000, 5000))
    assert nonlocality_cells.NETWORKS["subgradient"] == Lasso(1e-3, step="subgradient")
    data = reduced.data(*reduced.codes)
    assert (data.x.shape, data.y.shape) == ((17, 12_000), (2, 12_000))
    assert not torch.equal(data.x_validation, reduced.data(*reduced.codes, seed=1).x_validation)


def test_a_cell_prunes_what_ablation_says_and_judges_on_other_rows(tiny: pytest.MonkeyPatch) -> None:
    made: list[Population] = []

    def spy(*arguments: Any) -> Any:
        made.append(original(*arguments))
        return made[-1]

    original = nonlocality_cells._trained
    tiny.setattr(nonlocality_cells, "_trained", spy)
    clock = iter([3.0, 9.0, 10.0, 12.0, 13.0, 15.0, 20.0, 21.0])
    tiny.setattr(nonlocality_cells, "time", SimpleNamespace(perf_counter=lambda: next(clock)))
    rows, _ = every_cell(16, 0)
    assert [list(row) for row in rows] == [NARROWED] * 6
    assert [(row["network"], row["sparsity"]) for row in rows] == [
        (n, s) for n in ("plain", "subgradient", "proximal") for s in (0.25, 0.75)
    ]
    assert {(row["width"], row["seed"]) for row in rows} == {(16, 0)}
    assert [row["seconds"] for row in rows] == [3.0, 3.0, 1.0, 1.0, 1.0, 1.0]
    assert [row["units"] for row in rows[:2]] == [24, 8]
    (population,) = made  # the others start from what was kept
    data = TINY.data(*TINY.codes)
    sums = torch.nn.functional.cross_entropy(_outputs(population, data), data.y_validation.t())
    assert [row["loss"] for row in rows] == [pytest.approx(float(sums), rel=1e-4)] * 6
    assert all(row[name] is None for row in nonlocality_cell(16, 1, "plain", "reduced").rows for name in LISTS)
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
        agreement = score_correlation([pooled], [ablation])
        for row in rows[:2]:
            found = [row[f"{kind}_{name}"] for name in ("pearson", "pearson_log", "spearman", "zeros")]
            assert found == pytest.approx([agreement.pearson, agreement.pearson_log, agreement.spearman, agreement.zeros], abs=1e-3)
    assert rows[0]["first_order_pearson"] != rows[2]["first_order_pearson"]
    smallest = min(score for row in rows[0]["scores"] for score in row if score > 0)
    assert smallest != round(smallest, 6)  # small ones are not cut off


def test_correlations_that_are_not_defined_are_none() -> None:
    columns = agreement_of(torch.tensor([1.0, 2.0, 0.0]), {"first_order": torch.tensor([0.0, 0.0, 0.0])})
    assert columns == {
        "first_order_pearson": None, "first_order_pearson_log": None, "first_order_spearman": None, "first_order_zeros": 3
    }  # fmt: skip
    assert rounded(torch.tensor([1.23456789e-9, 12.5])) == [1.234568e-09, 12.5]


def test_every_kind_of_attribution_has_a_name_and_its_columns() -> None:
    assert list(KINDS) == list(ATTRIBUTIONS)
    scores = torch.tensor([1.0, 2.0, 4.0])
    columns = agreement_of(scores, dict.fromkeys(KINDS, scores**2))
    assert tuple(columns) == AGREEMENT_COLUMNS
    assert list(columns.values()) == [pytest.approx(value) for value in [24 / 588**0.5, 1.0, 1.0, 0] * 2]


def _pair(data: Data) -> tuple[Any, Any]:
    return data.x_validation[:-1].t(), data.y_validation.t()


def _accuracy(network: SparseNetwork, data: Data) -> float:
    x, y = _pair(data)
    with torch.no_grad():
        return float((network.model()(x).argmax(dim=1) == y.argmax(dim=1)).double().mean())


def test_the_lasso_and_the_recovery_see_a_alone_and_the_revival_b_alone(tiny: pytest.MonkeyPatch) -> None:
    seen: list[Any] = []
    learnt: list[Any] = []

    def spy(population: Population, data: Data, key: Any, **options: Any) -> Any:
        (code,), _ = codes_of(data.x_validation[:-1].t(), 4)
        assert data.sample is not None
        fresh, _ = codes_of(data.sample(key[:1], 0, 50)[0][0].t(), 4)
        assert fresh == (code,)
        seen.append((code, len(population), options["steps"], options["batch_size"], options["learning_rate"], options.get("lasso")))
        learnt.append(learn(population, data, key, **options))
        return learnt[-1]

    tiny.setattr(nonlocality_cells, "learn", spy)
    rows, files = every_cell(16, 0)
    pruned = [(code, 2, 40, 100, 5e-3, None) for code in (A, B)]
    lassos = [(A, 1, 200, 100, 5e-3, lasso) for lasso in nonlocality_cells.NETWORKS.values() if lasso]
    assert seen == [*pruned, lassos[0], *pruned, lassos[1], *pruned]
    for column, code, places in (("a_recovered", A, (0, 3, 6)), ("b_revived", B, (1, 4, 7))):
        judged = TINY.data(code, rows=400, seed=1)
        columns = [accuracy for place in places for accuracy in evaluate(learnt[place].population, judged).accuracy.tolist()]
        assert [row[column] for row in rows] == columns
    # Kept as they are before pruning.
    for name, place in (("subgradient", 2), ("proximal", 5)):
        kept = network_from(files[f"networks/width16_seed0_{name}.safetensors"])
        assert all((weight == part[0].numpy()).all() for weight, part in zip(kept.weights, learnt[place].population.weights, strict=True))


def test_training_ends_once_the_loss_is_low_or_the_steps_are_over(tiny: pytest.MonkeyPatch) -> None:
    data = TINY.data(*TINY.codes)
    assert 0 < float(evaluate(nonlocality_cells._trained(TINY, 16, keys(["a"])), data).loss) < 5e-3
    tiny.setattr(nonlocality_cells, "LEARNING_RATE", 1e-6)
    assert float(evaluate(nonlocality_cells._trained(TINY, 16, keys(["a"])), data).loss) > 0.5


def _outputs(population: Population, data: Data) -> torch.Tensor:
    h, x = data.x_validation[:-1].t(), list(zip(population.weights, population.biases, strict=True))
    for layer, (weight, bias) in enumerate(x):
        h = torch.nn.functional.linear(h, weight[0], bias[0])
        h = h.relu() if layer + 1 < len(x) else h
    return h


def test_units_that_are_zero_or_unread_are_not_counted() -> None:
    population = Population.of(Shape((2, 3, 1), ("relu", "identity")), torch.ones(1, 13))
    population.weights[0][0, 0] = 0
    population.weights[1][0, 0, 1] = 0
    assert nonlocality_cells._live(population) == [1]


def no_picture(ax: Any, kind: str) -> bytes:
    """In place of pictures that take longer to draw than the cells of these tests take to run."""
    return b""


def test_the_study_goes_on_and_writes_its_files(tiny: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with tiny.context() as quick:
        quick.setattr(drawing, "picture_bytes", no_picture)
        first = run(nonlocality.study(seeds=2, lasso=False), tmp_path, progress=False)
    assert {row["network"] for row in first} == {"plain"}
    assert (tmp_path / "summary.md").read_text() == nonlocality_summary(first, "reduced")
    rows = run(nonlocality.study(seeds=2), tmp_path, progress=False)
    assert [list(row) for row in rows] == [[name for name in NARROWED if name not in LISTS]] * 12
    assert rows[:4] == first
    assert {path.stem for path in (tmp_path / "cells").iterdir()} == {
        f"width16_seed{seed}_{network}" for seed in (0, 1) for network in nonlocality_cells.NETWORKS
    }
    assert json.loads((tmp_path / "rows.json").read_text()) == rows
    assert (tmp_path / "summary.md").read_text() == nonlocality_summary(rows, "reduced")
    for name in ("accuracy.svg", "attribution.svg", "scores.svg", "networks.svg"):
        assert (tmp_path / name).read_text().startswith("<?xml")
    tiny.setattr(nonlocality, "nonlocality_cell", refuse)
    tiny.setattr(drawing, "picture_bytes", no_picture)
    assert run(nonlocality.study(seeds=2), tmp_path, progress=False) == rows
    assert main(["study", "nonlocality", "--full", "--out", str(tmp_path)]) == 2
    assert "m is 4 there and 6 now" in capsys.readouterr().err


def test_a_group_lasso_whose_plain_network_is_gone_has_it_trained_again(tiny: pytest.MonkeyPatch, tmp_path: Path) -> None:
    tiny.setattr(drawing, "picture_bytes", no_picture)
    rows = run(nonlocality.study(seeds=1), tmp_path, progress=False)
    (tmp_path / "networks" / "width16_seed0_plain.safetensors").unlink()
    (tmp_path / "cells" / "width16_seed0_proximal.json").unlink()
    begun: list[str] = []

    def spy(network: str, files: Mapping[str, bytes] | None = None, **arguments: Any) -> Any:
        begun.append(network)
        return nonlocality_cell(network=network, files=files, **arguments)

    tiny.setattr(nonlocality, "nonlocality_cell", spy)
    again = run(nonlocality.study(seeds=1), tmp_path, progress=False)
    assert begun == ["plain", "proximal"]
    assert [{**row, "seconds": 0} for row in again] == [{**row, "seconds": 0} for row in rows]


def test_sizes_widths_and_seeds_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match=r"size must be one of \['reduced', 'full'\]; got 'small'"):
        nonlocality.study(size="small")
    for widths, got in (([64, 32], "64, 32"), ([], "none")):
        with pytest.raises(ValueError, match=f"widths must be some of 64, 128, 256; got {got}"):
            nonlocality.study(size="full", widths=widths)
    with pytest.raises(ValueError, match="seeds must be a whole number of at least 1; got 0"):
        nonlocality.study(seeds=0)


def test_some_widths_alone_are_run(tiny: pytest.MonkeyPatch, tmp_path: Path) -> None:
    tiny.setitem(SIZES, "reduced", replace(TINY, widths=(8, 16), steps=50))
    run(nonlocality.study(widths=[8], seeds=1, lasso=False), tmp_path, progress=False)
    assert [path.stem for path in (tmp_path / "cells").iterdir()] == ["width8_seed0_plain"]
