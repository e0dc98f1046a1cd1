"""``narrow`` with a model for each seed, noise on the inputs, scored rows, the two attributions, and sizes captured under a group lasso."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from test_narrow import BROAD, FORGET, KEEP, QUICK, broad_model, phases
from test_training import data_for, make
from torch import nn

from sculpting import SparseNetwork
from sculpting.data import Data
from sculpting.mlp.population import Population
from sculpting.narrow import Lasso, attribution_scores, learn, narrow, prune_units
from sculpting.narrow.chains import train
from sculpting.narrow.groups import read_finite
from sculpting.narrow.narrowing import run_of
from sculpting.narrow.settings import NarrowSettings
from sculpting.randomness import keys

AS_THEY_ARE = {**QUICK, "recovery_steps": 0, "revival_steps": 0}
LASSO = Lasso(1.5)


def negated(network: SparseNetwork) -> SparseNetwork:
    """The network whose outputs have the opposite sign."""
    weights, biases = ((*parts[:-1], -parts[-1]) for parts in (network.weights, network.biases))
    return replace(network, weights=weights, biases=biases)


def teachers() -> list[SparseNetwork]:
    """One that does both parities, and one that is wrong on every row."""
    return [broad_model(), negated(broad_model())]


def same(found: SparseNetwork, expected: SparseNetwork, atol: float = 0.0) -> None:
    for a, b in zip((*found.weights, *found.biases), (*expected.weights, *expected.biases), strict=True):
        np.testing.assert_allclose(a, b, rtol=0, atol=atol)


# --- A model for each seed ----------------------------------------------------------------------------------------------------


def test_each_seed_starts_from_its_own_model() -> None:
    models = teachers()
    result = narrow(models, KEEP, FORGET, method="ablation", sparsity=[0.0, 0.5], seed=3, **AS_THEY_ARE)
    assert [(one.seed, one.asked) for one in result.narrowed] == [(3, 32), (4, 32), (3, 16), (4, 16)]
    assert [one.accuracy_keep for one in result.narrowed[:2]] == [1.0, 0.0]
    for one, model in zip(result.narrowed, [*models, *models], strict=True):
        if one.asked == 32:
            same(one.network, model)
        else:
            alone = narrow(model, KEEP, method="ablation", units=16, seed=one.seed, **AS_THEY_ARE)
            same(one.network, alone.network)
    assert [stage.accuracy_keep for stage in phases(result, "model")] == [1.0, 0.0]


@pytest.mark.parametrize("method", ["group-lasso", "random", "distill"])
def test_a_seed_with_its_model_means_the_same_alone(method: str) -> None:
    given = {**QUICK, "method": method, "steps": 20, "recovery_steps": 10, "batch_size": 16, "units": [12, 20]}
    together, alone = narrow(teachers(), KEEP, FORGET, seed=1, **given), narrow(teachers()[1], KEEP, FORGET, seed=2, **given)
    for found, expected in zip(together.narrowed[1::2], alone.narrowed, strict=True):
        assert (found.seed, found.asked, found.examples) == (expected.seed, expected.asked, expected.examples)
        same(found.network, expected.network, atol=1e-4)


def test_each_student_learns_from_the_model_of_its_seed() -> None:
    """With a mixing of 1 the targets have no part: a student agrees with its own teacher, of which one is wrong throughout."""
    given = {**QUICK, "units": [24, 32], "mixing": 1.0, "temperature": 2.0, "steps": 1500, "learning_rate": 0.01, "revival_steps": 0}
    result = narrow(teachers(), KEEP, method="distill", **given)
    assert [(one.seed, one.asked, one.accuracy_keep) for one in result.narrowed] == [(0, 24, 1.0), (1, 24, 0.0), (0, 32, 1.0), (1, 32, 0.0)]
    assert [stage.examples for stage in phases(result, "learnt")] == [1500 * 64] * 4


def test_students_have_biases_where_the_model_of_their_seed_has_some() -> None:
    models = [nn.Sequential(nn.Linear(8, 6, bias=bias), nn.ReLU(), nn.Linear(6, 1)) for bias in (True, False)]
    first, second = (one.network for one in narrow(models, KEEP, method="scratch", units=3, **{**QUICK, "steps": 4}).narrowed)
    assert all(first.biases[0])
    assert not any(second.biases[0])


def test_models_that_do_not_fit_each_other_or_the_seeds_are_refused() -> None:
    model, other = BROAD.model(16, 2, activation="relu"), BROAD.model(16, 1, activation="relu")
    for models, seeds, text in (
        ([model, model], 3, "a sequence of models must have one for each of 3 seeds; got 2. Leave seeds out to take each model once"),
        ([model], 2, "a sequence of models must have one for each of 2 seeds; got 1"),
        ([], None, "a sequence of models must have at least one; got 0"),
        (model, 0, "seeds must be a whole number of at least 1; got 0"),
        (
            [model, other],
            None,
            r"models must have one shape, the same widths and activations; got \(8, 16, 1\) \['relu', 'identity'\] beside "
            r"\(8, 16, 16, 1\) \['relu', 'relu', 'identity'\]. Narrow models of different shapes in calls of their own",
        ),
        ([other, nn.Sequential(*other, nn.Sigmoid())], None, r"got \(8, 16, 1\) \['relu', 'sigmoid'\] beside \(8, 16, 1\) \['relu', 'id"),
        ([other, BROAD.model(16, 1, activation="tanh")], None, r"got \(8, 16, 1\) \['tanh', 'identity'\] beside"),
    ):
        with pytest.raises(ValueError, match=text):
            narrow(models, KEEP, method="random", units=4, seeds=seeds)
    with pytest.raises(TypeError, match=r"the model must be a torch.nn.Module; got int"):
        narrow([model, 3], KEEP)
    with pytest.raises(TypeError, match=r"settings must be fields of NarrowSettings, \['batch_size', .*; got 'step'"):
        narrow(model, KEEP, step=3)


# --- Noise, scores ------------------------------------------------------------------------------------------------------------


def test_noise_on_the_inputs_is_in_every_training(monkeypatch: pytest.MonkeyPatch) -> None:
    noises: list[float] = []

    def spy(population: Population, data: Data, settings: Any, *rest: Any, **options: Any) -> Any:
        noises.append(settings.input_noise)
        return train(population, data, settings, *rest, **options)

    monkeypatch.setattr("sculpting.narrow.chains.train", spy)
    given = {**QUICK, "method": "group-lasso", "units": 12, "steps": 20}
    plain, noisy = (narrow(broad_model(), KEEP, FORGET, input_noise=noise, **given).network for noise in (0.0, 0.25))
    assert noises == [0.0] * 3 + [0.25] * 3
    assert noisy.widths != plain.widths or np.abs(noisy.weights[0] - plain.weights[0]).max() > 1e-3
    with pytest.raises(ValueError, match="input_noise must be at least 0, and finite; got -1"):
        narrow(broad_model(), KEEP, method="random", units=4, input_noise=-1.0)


def test_training_with_noise_is_that_of_learn() -> None:
    settings = NarrowSettings(method="scratch", steps=30, batch_size=16, input_noise=0.3)
    run = run_of(broad_model(), KEEP, None, settings, units=12, seeds=2)
    options = {"steps": 30, "batch_size": 16, "learning_rate": 1e-3}
    expected = learn(run.fresh(), Data.of(KEEP), run.keys["training"], input_noise=0.3, **options)
    for row, one in enumerate(run.result().narrowed):
        assert one.accuracy_validation == expected.score.accuracy[row].item()
        assert torch.equal(read_finite(one.network).values, expected.population.values[row])


@pytest.mark.parametrize("method", ["first-order", "activation-gradient"])
@pytest.mark.parametrize("rows", [None, 20])
def test_each_attribution_prunes_by_its_own_scores_and_scored_rows_are_examples(method: str, rows: int | None) -> None:
    model = broad_model()
    result = narrow(model, KEEP, method=method, units=12, scored_rows=rows, **AS_THEY_ARE)
    data = KEEP if rows is None else (KEEP.x[:rows], KEEP.y[:rows])
    scores = {kind: attribution_scores(model, data, kind, loss="bce") for kind in ("first_order", "activation_gradient")}
    expected = {kind: prune_units(model, part, 20 / 32) for kind, part in scores.items()}
    same(result.network, expected[method.replace("-", "_")])
    assert not all(np.array_equal(a, b) for a, b in zip(*(network.weights for network in expected.values()), strict=True))
    assert [stage.examples for stage in result.history] == [0, rows or 0, rows or 0]


def test_scored_rows_count_once_at_most_all_of_them_and_none_for_chance() -> None:
    for method, examples in (("ablation", 64), ("random", 0), ("group-lasso", 10 * 64 + 64)):
        result = narrow(broad_model(), KEEP, method=method, units=12, scored_rows=1000, **{**AS_THEY_ARE, "steps": 10})
        assert result.examples == examples
    with pytest.raises(ValueError, match="scored_rows must be a whole number of at least 1; got 0"):
        narrow(broad_model(), KEEP, method="ablation", units=12, scored_rows=0)


def test_attribution_alone_names_no_method() -> None:
    with pytest.raises(ValueError, match=r"method must be one of \['ablation', 'activation-gradient', .*\]; got 'attribution'"):
        narrow(broad_model(), KEEP, method="attribution", units=4)


# --- Sizes captured under a group lasso ---------------------------------------------------------------------------------------


def test_a_network_is_captured_as_it_first_is_so_small() -> None:
    given = {**QUICK, "steps": 2000, "check_every": 20, "recovery_steps": 0, "revival_steps": 0, "lasso": LASSO}
    result = narrow(teachers(), KEEP, units=[14, 24], capture_sizes=True, **given)
    assert [(one.seed, one.asked, one.reached) for one in result.narrowed] == [(s, size, True) for size in (14, 24) for s in (0, 1)]
    for one, pruned in zip(result.narrowed, phases(result, "pruned"), strict=True):
        path = [point for point in result.path if point.seed == one.seed]
        assert [point.examples for point in path] == [20 * 64 * (i + 1) for i in range(len(path))]
        first = next(point for point in path if point.units <= one.asked)
        assert (pruned.examples, pruned.units, pruned.accuracy_keep) == (one.examples, first.units, first.accuracy)
        assert one.examples == first.examples
    # The lasso ends once both seeds are small enough.
    assert max(point.examples for point in result.path) == max(one.examples for one in result.narrowed) < 2000 * 64
    # A run of just as many steps gives the same network.
    one = result.narrowed[0]
    exact = narrow(teachers(), KEEP, **{**given, "steps": one.examples // 64})
    same(exact.narrowed[0].network, one.network, atol=1e-5)
    before = [point for point in result.path if point.seed == 0 and point.examples <= one.examples]
    assert [point for point in exact.path if point.seed == 0] == before


def test_after_the_capture_networks_are_trained_until_the_target() -> None:
    given = {**QUICK, "steps": 2000, "check_every": 20, "lasso": LASSO, "recovery_steps": 500, "revival_steps": 0, "target": 1.0}
    result = narrow(broad_model(), KEEP, units=[16, 20], capture_sizes=True, **given)
    for one, pruned in zip(result.narrowed, phases(result, "pruned"), strict=True):
        assert one.units <= pruned.units <= one.asked
        assert (one.reached, one.accuracy_validation) == (True, 1.0)
        assert one.examples >= pruned.examples > 0


def test_a_size_that_is_never_met_is_taken_at_the_end_and_not_reached() -> None:
    given = {**QUICK, "steps": 30, "lasso": Lasso(1e-6), "revival_steps": 0, "target": 0.9}
    result = narrow(broad_model(), KEEP, units=[8, 31], capture_sizes=True, **given)
    for one in result.narrowed:
        assert (one.reached, one.units, one.examples) == (False, 32, 30 * 64)
        assert one.accuracy_validation == 1.0


def test_the_threshold_decides_what_is_dead_and_what_is_captured() -> None:
    """A subgradient takes no norm to exactly 0."""
    given = {**QUICK, "steps": 400, "check_every": 20, "recovery_steps": 0, "revival_steps": 0, "units": 24, "capture_sizes": True}
    exact, near = (
        narrow(broad_model(), KEEP, lasso=Lasso(0.1, "subgradient", threshold=threshold), **given).best for threshold in (0.0, 0.1)
    )
    assert (exact.units, exact.reached) == (32, False)
    assert near.reached
    assert near.units <= 24


def test_a_model_that_was_pruned_before_is_captured_with_its_units_in_their_places() -> None:
    """Packing leaves its dead units out of training."""
    whole = broad_model()
    weights = [part.copy() for part in whole.weights]
    biases = [part.copy() for part in whole.biases]
    for unit in (0, 3, 9):
        weights[0][unit], biases[0][unit], weights[1][:, unit] = 0.0, 0.0, 0.0
    model = replace(whole, weights=tuple(weights), biases=tuple(biases))
    given = {**QUICK, "recovery_steps": 0, "revival_steps": 0, "lasso": LASSO, "check_every": 2, "steps": 100}
    captured = narrow(model, KEEP, units=29, capture_sizes=True, **given)
    assert captured.path[0].units == 29
    expected = narrow(model, KEEP, **{**given, "steps": 2})
    same(captured.network, expected.network)


@pytest.mark.parametrize("together", [1, 3])
def test_who_watches_sees_networks_with_everything_that_packing_left_out(together: int) -> None:
    """70 inputs, of which some are dead in all members, and units that are dead in one."""
    population, data = make((70, 9, 7, 3), 3, kept=1.0), data_for("bce", (70, 3))
    mask = population.mask.clone()
    population.shape.weights(mask)[0][:, :, :20] = 0
    gone = torch.zeros(3, 16, dtype=torch.bool)
    gone[0, [0, 4, 5, 10]], gone[2, [1, 15]] = True, True
    population = population.masked(mask)
    population = population.masked(population.without_units(gone))
    seen: dict[int, torch.Tensor] = {}

    def watch(members: torch.Tensor, networks: Population, examples: int) -> bool:
        assert networks.shape == population.shape
        seen.update({member: networks.values[row].clone() for row, member in enumerate(members.tolist())})
        return False

    options = {"steps": 6, "batch_size": 8, "learning_rate": 0.01, "check_every": 2, "max_members": together}
    learnt = learn(population, data, keys(range(3)), watch=watch, **options)
    for member in range(3):
        assert torch.equal(seen[member], learnt.population.values[member])


def test_capturing_needs_sizes() -> None:
    with pytest.raises(ValueError, match=r"method 'group-lasso' needs a size: give units, 1...32, or sparsity"):
        narrow(broad_model(), KEEP, capture_sizes=True)
