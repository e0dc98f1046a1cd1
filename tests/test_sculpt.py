"""Sculpting from end to end."""

from __future__ import annotations

import copy
import json
import threading
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
import torch
from quick import QUICK, xor_classes
from rounding import assert_same_to_rounding
from torch import nn

from sculpting import ScheduleSettings, SculptResult, SparseNetwork, StopReason, sculpt, tasks
from sculpting.data import Data
from sculpting.engine import Evaluation
from sculpting.mlp import training
from sculpting.mlp.engine import MLPEngine
from sculpting.mlp.population import Population
from sculpting.mlp.scores import EDGE_SCORES, UNIT_SCORES
from sculpting.mlp.setup import ChainSetup
from sculpting.models.chain import read_model
from sculpting.models.shape import Shape
from sculpting.options import EDGE_STEPS, LARGE_EDGE_STEPS, LARGE_UNIT_STEPS, UNIT_STEPS, steps_of
from sculpting.randomness import keys
from sculpting.schedule import chains, pruning
from sculpting.schedule.chains import ChainName

ONE_OUTPUT = 1.5 / (64 * 3)  # an output of the task [6, 3, 3, 3] that stands at the threshold falls to either side by rounding


@pytest.fixture(scope="module")
def both() -> SculptResult:
    task = tasks.boolean("both")
    return sculpt(task.model(width=24, hidden_layers=1), task, **QUICK)


def test_every_candidate_computes_the_task_and_is_as_sparse_as_it_says(both: SculptResult) -> None:
    task = tasks.boolean("both")
    assert len(both.candidates) == 2 * 2 * 2
    for network in both.candidates:
        assert bool(((network.model()(task.x) > 0) == (task.y > 0.5)).all())
        assert network.accuracy == 1.0
        assert network.input_names == task.input_names
    assert [n.edge_count for n in both.candidates] == sorted(n.edge_count for n in both.candidates)
    assert both.network is both.candidates[0]
    assert (both.accuracy, both.density) == (1.0, both.network.density)
    assert both.network.edge_count <= 20
    assert both.stop_reason is StopReason.FINEST_STEP


def test_the_history_holds_every_attempt(both: SculptResult) -> None:
    phases = [a.phase for a in both.history]
    assert phases.count("dense") == 2
    assert phases.count("retrain") == 4
    for attempt in both.history:
        assert attempt.accepted == (attempt.accuracy >= 1.0)
        assert attempt.seconds > 0
        assert (attempt.asked is None) == (attempt.phase in ("dense", "retrain"))
        if attempt.phase == "edges":
            assert attempt.density >= attempt.asked - 1e-9  # never more than asked
            assert attempt.density < attempt.asked + 1 / 216
    for network in both.candidates:
        chain = tuple(network.origin[name] for name in ("seed", "unit_step", "edge_step"))
        accepted = [a for a in both.history if a.chain[:3] == chain and a.accepted and a.phase == "edges"]
        assert network.density == pytest.approx(min(a.density for a in accepted))


def test_the_default_grid_is_the_published_one() -> None:
    assert list(UNIT_STEPS) == [0.7, 0.65, 0.6, 0.55, 0.5, 0.45, 0.4, 0.35, 0.3, 0.25, 0.2, 0.15, 0.1, 0.05]
    assert sorted(EDGE_STEPS) == [0.005, 0.01, 0.015, 0.02, 0.025]


def test_the_same_call_gives_the_same_result_and_the_global_generator_stays(both: SculptResult) -> None:
    task = tasks.boolean("both")
    torch.manual_seed(123)
    before = torch.random.get_rng_state()
    again = sculpt(task.model(width=24, hidden_layers=1), task, **QUICK)
    assert torch.equal(torch.random.get_rng_state(), before)
    for a, b in zip(both.candidates, again.candidates, strict=True):
        assert all(np.array_equal(x, y) for x, y in zip(a.weights, b.weights, strict=True))
    assert [a[:-1] for a in both.history] == [a[:-1] for a in again.history]


def assert_same_network(found: SparseNetwork, expected: SparseNetwork) -> None:
    for weight, same in zip((*found.weights, *found.biases), (*expected.weights, *expected.biases), strict=True):
        assert_same_to_rounding(torch.tensor(weight), torch.tensor(same))


def test_a_seed_gives_the_same_chains_alone_or_beside_others(both: SculptResult) -> None:
    task = tasks.boolean("both")
    alone = sculpt(task.model(width=24, hidden_layers=1), task, **{**QUICK, "seeds": 1, "seed": 1})
    assert {a.chain for a in alone.history} == {a.chain for a in both.history if a.chain.seed == 1}
    assert_same_network(alone.dense[0], both.dense[1])


def test_the_model_is_never_changed() -> None:
    task = tasks.boolean("both")
    model = nn.Sequential(nn.Flatten(), nn.Linear(6, 12), nn.Dropout(0.5), nn.ReLU(), nn.Linear(12, 3))
    before = copy.deepcopy(model.state_dict())
    sculpt(model, task, **QUICK)
    assert all(torch.equal(before[k], v) for k, v in model.state_dict().items())
    assert model.training


def test_sampled_data_with_classes_and_a_held_out_split() -> None:
    x, y = xor_classes()
    model = nn.Sequential(nn.Linear(4, 16), nn.ReLU(), nn.Linear(16, 2), nn.Softmax(dim=1))
    result = sculpt(model, (x, y), min_accuracy=0.9, steps=200, learning_rate=0.05, **QUICK)
    assert result.network.accuracy >= 0.9
    assert result.network.density < 0.5
    found = result.network.model()(x)
    torch.testing.assert_close(found.sum(dim=1), torch.ones(len(x)))
    assert float((found.argmax(dim=1) == y).float().mean()) > 0.85


def test_real_targets_are_judged_by_explained_variance() -> None:
    x, _ = xor_classes()
    y = 2 * x[:, 0] - x[:, 2].abs()
    model = nn.Sequential(nn.Linear(4, 16), nn.Tanh(), nn.Linear(16, 1))
    result = sculpt(model, (x, y), min_accuracy=0.8, steps=300, learning_rate=0.02, **QUICK)
    z = result.network.model()(x).squeeze(1).detach()
    assert float(1 - (z - y).square().sum() / (y - y.mean()).square().sum()) > 0.75
    assert result.network.density < 0.5


def test_without_min_accuracy_the_best_dense_network_sets_it() -> None:
    x, y = xor_classes()
    model = nn.Sequential(nn.Linear(4, 16), nn.ReLU(), nn.Linear(16, 2))
    result = sculpt(model, (x, y), **QUICK, tolerance=0.005, confidence=None)
    dense = [a for a in result.history if a.phase == "dense"]
    assert result.min_accuracy == pytest.approx(max(a.accuracy for a in dense) - 0.005)
    assert any(a.accepted for a in dense)


def test_a_trained_model_is_sculpted_from_its_own_weights() -> None:
    task = tasks.from_gates({"y": "a & b | c"})
    model = nn.Sequential(nn.Linear(3, 8), nn.ReLU(), nn.Linear(8, 1), nn.Sigmoid())
    optimizer = torch.optim.Adam(model.parameters(), lr=0.05)
    for _ in range(300):
        optimizer.zero_grad()
        nn.functional.binary_cross_entropy(model(task.x), task.y).backward()
        optimizer.step()
    result = sculpt(model, task, initial="model", **QUICK)
    dense = [a for a in result.history if a.phase == "dense"]
    assert [a.accuracy for a in dense] == [1.0, 1.0]
    kept = result.network.masks[0]
    own = model[0].weight.detach().numpy()
    assert np.sign(result.network.weights[0][kept]).tolist() == np.sign(own[kept]).tolist()


def test_a_layer_without_biases_keeps_none() -> None:
    task = tasks.boolean("both")
    model = nn.Sequential(nn.Linear(6, 16, bias=False), nn.ReLU(), nn.Linear(16, 3))
    result = sculpt(model, task, min_accuracy=0.8, **QUICK)
    assert not result.network.biases[0].any()
    assert result.network.biases[1].any()


def test_only_units_or_only_edges_may_be_pruned() -> None:
    task = tasks.boolean("both")
    model = task.model(width=24, hidden_layers=1)
    edges = sculpt(model, task, **{**QUICK, "unit_steps": []})
    assert {a.phase for a in edges.history} == {"dense", "edges"}
    units = sculpt(model, task, **{**QUICK, "edge_steps": []})
    assert {a.phase for a in units.history} == {"dense", "units", "retrain"}
    assert units.stop_reason is StopReason.UNITS_ONLY
    assert units.network.edge_count == 9 * units.network.unit_counts[1]


@pytest.mark.parametrize("scores", [("weight_sum", "loss_sensitivity"), ("ablation", "ablation"), ("random", "random")])
def test_other_scores_give_networks_that_compute_the_task(scores: tuple[str, str]) -> None:
    task = tasks.boolean("both")
    result = sculpt(task.model(width=24, hidden_layers=1), task, unit_score=scores[0], edge_score=scores[1], **QUICK)
    assert result.accuracy == 1.0
    assert result.density < 0.5


def test_nothing_accepted_is_a_result_with_a_reason() -> None:
    task = tasks.boolean("both")
    result = sculpt(task.model(width=1, hidden_layers=1), task, **QUICK)
    assert result.candidates == ()
    assert result.stop_reason is StopReason.NOTHING_ACCEPTED
    assert 0 < result.accuracy < 1
    assert result.density == 1.0
    assert "lower min_accuracy" in str(result)
    assert result.network is None


def test_progress_is_reported_to_a_callable() -> None:
    task, calls = tasks.boolean("both"), []
    sculpt(task.model(width=8, hidden_layers=1), task, **{**QUICK, "progress": lambda done, total: calls.append((done, total))})
    assert calls[-1] == (12, 12)
    assert calls == sorted(calls)


def test_a_printed_result_says_what_matters(both: SculptResult) -> None:
    text = str(both)
    for part in ("8 candidates from 2 seeds", f"{both.network.edge_count} edges", "accuracy   1.0000", "Every chain ended"):
        assert part in text


def first_accuracies(result: SculptResult, phases: Sequence[str], name: tuple[int, int] = (0, 0)) -> dict[ChainName, float]:
    """What the first attempt of every chain of a model and learning rate reached."""
    return {a.chain: a.accuracy for a in reversed(result.history) if a.phase in phases and a.chain[3:] == name}


def test_widths_and_learning_rates_side_by_side_give_the_results_of_separate_calls() -> None:
    task = tasks.boolean("both")
    grid = {**QUICK, "min_accuracy": 0.8, "unit_steps": [0.5]}  # reached by all in the first round
    models, rates = [task.model(width=9, hidden_layers=1), task.model(width=24, hidden_layers=1)], [0.05, 0.1]
    together = sculpt(models, task, **{**grid, "learning_rate": rates})
    assert {(c.origin["model"], c.origin["learning_rate"]) for c in together.candidates} == {(m, r) for m in (0, 1) for r in rates}
    for index, model in enumerate(models):
        for rate in rates:
            mine = [c for c in together.candidates if (c.origin["model"], c.origin["learning_rate"]) == (index, rate)]
            single = sculpt(model, task, **{**grid, "learning_rate": rate})
            assert {c.widths for c in mine} == {(6, (9, 24)[index], 3)}
            assert len(mine) == len(single.candidates) == 4
            # Rounding may tip a late attempt; what chains start from is the same, and so is their first attempt.
            dense = [n for n in together.dense if (n.origin["model"], n.origin["learning_rate"]) == (index, rate)]
            for network, same in zip(dense, single.dense, strict=True):
                assert_same_network(network, same)
            names = {together: (index, rates.index(rate)), single: (0, 0)}
            first, same = (first_accuracies(r, ("units",), name) for r, name in names.items())
            assert list(first.values()) == pytest.approx(list(same.values()), abs=ONE_OUTPUT)
    dense = [a for a in together.history if a.phase == "dense"]
    assert [(a.chain.model, a.chain.rate, a.chain.seed) for a in dense[:8]] == [(m, r, s) for m in (0, 1) for r in (0, 1) for s in (0, 1)]
    assert {a.density for a in dense} == {1.0}


def test_numpy_numbers_are_accepted_as_arguments() -> None:
    task = tasks.boolean([4, 2, 4])
    plain = sculpt(task.model(6, 1), task, seed=3, seeds=1, unit_steps=[0.5, 0.25], edge_steps=[0.05], learning_rate=0.125, progress=False)
    numbers: dict[str, Any] = {
        "seed": np.int64(3),
        "seeds": np.int32(1),
        "unit_steps": np.array([0.5, 0.25]),
        "edge_steps": torch.tensor([0.05], dtype=torch.float64),
    }
    same = sculpt(task.model(np.int64(6), 1), task, **numbers, learning_rate=np.float32(0.125), progress=False)
    assert [n.origin for n in same.candidates] == [n.origin for n in plain.candidates]
    for one, other in zip(same.candidates, plain.candidates, strict=True):
        assert all((a == b).all() for a, b in zip(one.weights, other.weights, strict=True))
    assert json.dumps(same.candidates[0].origin)
    assert same.candidates[0].loss == "bce"
    assert same.candidates[0].origin["widths"] == [4, 6, 4]


def test_networks_of_many_weights_take_the_smaller_grid() -> None:
    chains = (read_model(nn.Sequential(nn.Linear(n, 100), nn.ReLU(), nn.Linear(100, 1))) for n in (199, 200))
    few, many = (ChainSetup([chain]).edges for chain in chains)
    assert steps_of(few, ScheduleSettings()) == (list(UNIT_STEPS), list(EDGE_STEPS))
    assert steps_of(many, ScheduleSettings()) == (list(LARGE_UNIT_STEPS), list(LARGE_EDGE_STEPS))
    assert steps_of(many, ScheduleSettings(unit_steps=[0.3])) == ([0.3], list(LARGE_EDGE_STEPS))
    assert steps_of(many, ScheduleSettings(edge_steps=())) == (list(LARGE_UNIT_STEPS), [])


def test_random_edge_scores_differ_from_layer_to_layer() -> None:
    population = Population.fresh(Shape((4, 4, 4), ("relu", "identity")), keys([0]))
    lower, upper = EDGE_SCORES["random"](population, Data.of(tasks.boolean("none")), keys([1])).split(16, dim=1)
    assert not torch.equal(lower, upper)


def test_doubled_steps_need_fewer_rounds_from_fine_steps() -> None:
    """Every attempt is accepted: 11 of 12 units and their 99 edges go, then 8 of 9 edges, one by one or doubled after two."""
    task = tasks.boolean("both")
    grid = {**QUICK, "seeds": 1, "unit_steps": [0.05], "edge_steps": [0.01], "steps": 1, "min_accuracy": 0.01}
    plain, doubled = (sculpt(task.model(width=12, hidden_layers=1), task, double_after=after, **grid) for after in (None, 2))
    gone = {
        (phase, after): [int((1 - a.asked) * items + 1e-6) for a in result.history if a.phase == phase]
        for phase, items in (("units", 12), ("edges", 108))
        for after, result in (("plain", plain), ("doubled", doubled))
    }
    assert gone == {
        ("units", "plain"): list(range(1, 12)),
        ("units", "doubled"): [1, 2, 4, 6, 10, 11],
        ("edges", "plain"): list(range(100, 108)),
        ("edges", "doubled"): [100, 101, 103, 105, 107],
    }
    assert len(doubled.rounds) == len(plain.rounds) - 8


@pytest.mark.parametrize("score", ["random", "loss_sensitivity", "magnitude"])
def test_padding_changes_no_score(score: str) -> None:
    task = tasks.boolean("both")
    data, key = Data.of(task), keys(["a", "b"])
    narrow, wide = (Population.fresh(Shape((6, w, 5, 3), ("relu", "relu", "identity")), keys([w, w + 1])) for w in (4, 9))
    both = Population.padded([narrow, wide])
    places = narrow.shape.places_in(both.shape)
    assert torch.equal(both.values[:2, places], narrow.values)
    assert both.hidden_counts.tolist() == [9, 9, 14, 14]
    assert both.edge_counts.tolist() == [59, 59, 114, 114]
    if score in EDGE_SCORES:
        kept = both.mask[:2][:, both.shape.weight_positions()] > 0
        found = EDGE_SCORES[score](both.select([0, 1]), data, key)[kept].view(2, -1)
        torch.testing.assert_close(found, EDGE_SCORES[score](narrow, data, key))
    if score in UNIT_SCORES:
        found = UNIT_SCORES[score](both.select([0, 1]), data, key)[:, [0, 1, 2, 3, 9, 10, 11, 12, 13]]
        torch.testing.assert_close(found, UNIT_SCORES[score](narrow, data, key))


def test_a_retraining_below_min_accuracy_is_rejected(monkeypatch: pytest.MonkeyPatch) -> None:
    """The retraining is made to fail, so the networks that unit pruning accepted are returned."""
    honest = MLPEngine.train

    def train(engine: MLPEngine, members: Population, *rest: Any) -> tuple[Population, Evaluation]:
        trained, found = honest(engine, members, *rest)
        if phases[-1] == "retrain":
            return Population.of(trained.shape, trained.values * 0), Evaluation(found.accuracy * 0, found.loss)
        return trained, found

    phases: list[str] = []
    keyed = chains.round_keys
    monkeypatch.setattr(MLPEngine, "train", train)
    for module in (chains, pruning):
        monkeypatch.setattr(module, "round_keys", lambda key, phase, number: (phases.append(phase), keyed(key, phase, number))[1])
    task = tasks.boolean("both")
    result = sculpt(task.model(width=24, hidden_layers=1), task, **{**QUICK, "seeds": 1, "unit_steps": [0.5], "edge_steps": []})
    assert [a.accepted for a in result.history if a.phase == "retrain"] == [False]
    assert bool(((result.network.model()(task.x) > 0) == (task.y > 0.5)).all())


def test_fewer_members_at_once_start_with_the_same_rounds(both: SculptResult, monkeypatch: pytest.MonkeyPatch) -> None:
    task = tasks.boolean("both")
    sizes: list[int] = []
    honest = training._train
    monkeypatch.setattr(training, "_train", lambda population, *rest: (sizes.append(len(population)), honest(population, *rest))[1])
    scored = UNIT_SCORES["loss_sensitivity"]

    def spy(population: Population, *rest: Any) -> torch.Tensor:
        sizes.append(len(population))
        return scored(population, *rest)

    monkeypatch.setitem(UNIT_SCORES, "loss_sensitivity", spy)
    few = sculpt(task.model(width=24, hidden_layers=1), task, max_members=1, **{**QUICK, "edge_steps": []})
    assert max(sizes) == 1
    for network, expected in zip(few.dense, both.dense, strict=True):
        assert_same_network(network, expected)
    # Later rounds may part by the rounding of batched products; the first of every chain is the same to rounding.
    assert first_accuracies(few, ("dense", "units")) == pytest.approx(first_accuracies(both, ("dense", "units")), abs=ONE_OUTPUT)
    assert {c.origin["seed"] for c in few.candidates} == {0, 1}


def test_running_out_of_memory_halves_the_number_of_members(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes: list[int] = []
    honest = training._train

    def scarce(population: Population, *rest: Any) -> Any:
        sizes.append(len(population))
        if len(population) > 2:
            raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 1 bytes")
        return honest(population, *rest)

    monkeypatch.setattr(training, "_train", scarce)
    task = tasks.boolean("both")
    result = sculpt(task.model(width=24, hidden_layers=1), task, **{**QUICK, "seeds": 8, "unit_steps": [0.5], "edge_steps": []})
    assert result.accuracy == 1.0
    assert sizes[:7] == [8, 4, 4, 2, 2, 2, 2]


def test_large_networks_are_trained_on_all_threads_and_small_ones_on_one(monkeypatch: pytest.MonkeyPatch) -> None:
    honest, alone = training._train, []

    def spy(*rest: Any) -> Any:
        alone.append(threading.current_thread() is threading.main_thread())
        return honest(*rest)

    monkeypatch.setattr(training, "_train", spy)
    task, before = tasks.boolean("both"), torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        for large, expected in ((training.WORTH_A_THREAD, {True}), (0, {True, False})):
            monkeypatch.setattr(training, "WORTH_A_THREAD", large)
            alone.clear()
            result = sculpt(task.model(width=24, hidden_layers=1), task, **QUICK)
            assert set(alone) == expected  # a single member stays on the main thread
            assert result.accuracy == 1.0
    finally:
        torch.set_num_threads(before)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU is at hand")
@pytest.mark.parametrize("edge_score", ["magnitude", "ablation"])
def test_a_gpu_finds_the_same_kind_of_network(edge_score: str) -> None:
    task = tasks.boolean("both")
    result = sculpt(task.model(width=24, hidden_layers=1), task, device="cuda", edge_score=edge_score, **QUICK)
    assert result.accuracy == 1.0
    assert result.network.edge_count <= 20
