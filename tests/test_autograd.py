"""The same multilayer perceptrons through both engines: evaluations, gradients, scores, training, and what sculpting finds."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from module_maps import map_of_mlp
from torch import Tensor, nn

from sculpting import tasks
from sculpting.autograd import MODULE_EDGE_SCORES, MODULE_UNIT_SCORES, Architecture, AutogradEngine, ModulePopulation, ModuleRows, training
from sculpting.autograd.setup import ModuleSetup
from sculpting.data import Data
from sculpting.engine import Evaluation
from sculpting.mlp import EDGE_SCORES, UNIT_SCORES, MLPEngine, Population
from sculpting.mlp import evaluate as evaluate_mlp
from sculpting.mlp import train as train_mlp
from sculpting.mlp.training import gradient as gradient_of_mlp
from sculpting.mlp.training import rate_shares as rate_shares_of_mlp
from sculpting.models.chain import read_model
from sculpting.models.groups import units
from sculpting.randomness import keys
from sculpting.schedule.acceptance import AcceptanceCriterion
from sculpting.schedule.chains import ChainName
from sculpting.schedule.pruning_schedule import PruningSchedule
from sculpting.schedule.rounds import Rounds
from sculpting.settings import RoundSettings, ScheduleSettings

TASK = tasks.boolean([6, 3, 3, 3])
MEMBERS = 5
KEY = keys([*range(MEMBERS)])
HIDDEN = slice(6, 30)  # the hidden units among all units


def as_modules(population: Population, architecture: Architecture) -> ModulePopulation:
    """The same networks as members of the other engine."""

    def rows(flat: Tensor) -> Tensor:
        parts = zip(population.shape.weights(flat), population.shape.biases(flat), strict=True)
        return torch.cat([part.flatten(1) for pair in parts for part in pair], dim=1)

    return ModulePopulation.of(architecture, rows(population.values), {}, rows(population.mask) > 0)


class Both:
    """Members of both engines with the same weights, some of them pruned."""

    def __init__(self, dtype: torch.dtype = torch.float32, loss: str = "bce") -> None:
        y = torch.nn.functional.one_hot(TASK.y.long().sum(dim=1).clamp(max=2), 3).float() if loss == "ce" else TASK.y
        self.task = replace(TASK, loss=loss, y=y, y_validation=y)
        model = TASK.model(width=12, hidden_layers=2)
        population = Population.uniform(read_model(model).shape, KEY)
        removed = torch.zeros(MEMBERS, 24, dtype=torch.bool)
        removed[1, [0, 5, 13]] = True
        self.mlp = population.masked(population.without_units(removed))
        self.mlp = replace(self.mlp, values=self.mlp.values.to(dtype), mask=self.mlp.mask.to(dtype))
        model = model.to(dtype)
        self.architecture = Architecture.of(model, map_of_mlp(model), (TASK.x[:3].to(dtype),))
        self.modules = as_modules(self.mlp, self.architecture)
        data = Data.of(self.task)
        parts = (data.table, data.x_validation, data.y_validation)
        self.data = replace(data, **dict(zip(("table", "x_validation", "y_validation"), (part.to(dtype) for part in parts), strict=True)))
        self.rows = ModuleRows.of(self.task, dtype=dtype)

    def flat(self, population: Population) -> Tensor:
        return as_modules(population, self.architecture).values


def assert_same_evaluation(a: Evaluation, b: Evaluation, tolerance: float = 1e-6) -> None:
    torch.testing.assert_close(a.accuracy, b.accuracy, rtol=0, atol=tolerance)
    torch.testing.assert_close(a.loss, b.loss, rtol=0, atol=tolerance)


@pytest.mark.parametrize("loss", ["bce", "ce", "mse"])
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 1e-6), (torch.float64, 1e-12)])
def test_evaluations_and_gradients_agree(loss: str, dtype: torch.dtype, tolerance: float) -> None:
    both = Both(dtype, loss)
    assert_same_evaluation(evaluate_mlp(both.mlp, both.data), training.evaluate(both.modules, both.rows), tolerance)
    slopes = replace(both.mlp, values=gradient_of_mlp(both.mlp, both.data), mask=torch.ones_like(both.mlp.mask))
    torch.testing.assert_close(training.gradient(both.modules, both.rows), both.flat(slopes), rtol=0, atol=tolerance)


@pytest.mark.parametrize("name", [name for name in UNIT_SCORES if name != "random"])
def test_scores_of_units_agree(name: str) -> None:
    both = Both()
    expected = UNIT_SCORES[name](both.mlp, both.data, KEY).double()
    torch.testing.assert_close(MODULE_UNIT_SCORES[name](both.modules, both.rows, KEY)[:, HIDDEN].double(), expected, rtol=0, atol=1e-5)
    assert float(expected.max()) > 0.005


@pytest.mark.parametrize("name", [name for name in EDGE_SCORES if name != "random"])
def test_scores_of_edges_agree(name: str) -> None:
    both = Both()
    expected = EDGE_SCORES[name](both.mlp, both.data, KEY).double()
    torch.testing.assert_close(MODULE_EDGE_SCORES[name](both.modules, both.rows, KEY).double(), expected, rtol=0, atol=1e-5)
    assert float(expected.max()) > 0.005


def test_random_scores_differ_between_members_and_rounds() -> None:
    both = Both()
    for scores in (MODULE_UNIT_SCORES, MODULE_EDGE_SCORES):
        one, other = (scores["random"](both.modules, both.rows, key) for key in (KEY, keys([*range(9, 9 + MEMBERS)])))
        assert torch.equal(one, scores["random"](both.modules, both.rows, KEY))
        assert not (one == other).any()
        assert len(one[:, 0].unique()) == MEMBERS


@pytest.mark.parametrize("settings", [{}, {"keep_last": True, "weight_decay": 0.01}, {"target": 0.6}, {"check_every": 3, "final_rate": 1.0}])
def test_a_round_of_training_agrees(settings: dict[str, Any]) -> None:
    both = Both()
    made = RoundSettings(steps=20, batch_size=14, input_noise=0.1, learning_rate=0.03, rate_width=11, **settings)
    assert torch.equal(rate_shares_of_mlp(both.mlp, 11), training.rate_shares(both.modules, 11))
    assert len(training.rate_shares(both.modules, 11).unique()) == 2
    rates = torch.tensor([0.03, 0.03, 0.03, 0.01, 0.01], dtype=torch.float64)
    trained, evaluation = train_mlp(both.mlp, both.data, made, KEY, rates)
    others, other = training.train(both.modules, both.rows, made, KEY, rates)
    assert_same_evaluation(evaluation, other, 1e-5)
    torch.testing.assert_close(others.values, both.flat(trained), rtol=0, atol=2e-5)
    assert bool((others.values[~others.mask] == 0).all())
    assert float((others.values - both.modules.values).abs().max()) > 0.01


def test_what_is_counted_and_removed_agrees() -> None:
    both = Both()
    settings = RoundSettings(steps=1)
    mlp = MLPEngine(both.data, settings, {"units": UNIT_SCORES["weight_sum"], "edges": EDGE_SCORES["magnitude"]})
    modules = AutogradEngine(both.rows, settings, {"units": MODULE_UNIT_SCORES["weight_sum"], "edges": MODULE_EDGE_SCORES["magnitude"]})
    edges = torch.zeros(MEMBERS, 252, dtype=torch.bool)
    edges[0, 12:18] = True  # all that unit 2 reads: it loses its bias
    edges[2, [0, 80, 251]] = True
    removed, others = mlp.remove(both.mlp, "edges", edges), modules.remove(both.modules, "edges", edges)
    assert torch.equal(both.flat(removed), others.values)
    assert torch.equal(as_modules(removed, both.architecture).mask, others.mask)
    for items in ("units", "edges"):
        assert [part.tolist() for part in mlp.count(removed, items)] == [part.tolist() for part in modules.count(others, items)]
    assert torch.equal(mlp.score(removed, "units", KEY) < torch.inf, modules.score(others, "units", KEY)[:, HIDDEN] < torch.inf)
    assert not (modules.score(others, "units", KEY)[:, :6] < torch.inf).any()  # inputs are never removed
    assert torch.equal(mlp.row_scores(removed), modules.row_scores(others))
    assert torch.equal(mlp.row_scores(removed, "training"), modules.row_scores(others, "training"))


def test_the_units_that_are_found_are_those_of_the_chain() -> None:
    model = TASK.model(width=12, hidden_layers=2)
    found, by_hand = units(model, TASK.x[:3]), map_of_mlp(model)
    assert len(found) == len(by_hand)
    for name, numbers in by_hand.edges.items():
        assert torch.equal(found.edges[name], numbers)
    assert torch.equal(found.removable, by_hand.removable)


def sparsest(engine: Any, members: Any, names: list[ChainName], steps: tuple[list[float], list[float]]) -> list[int]:
    """The edges of the last accepted network of every chain; those of chains that accepted none are left out."""
    rounds = Rounds(engine, AcceptanceCriterion(1.0), torch.tensor([0.1], dtype=torch.float64))
    pruning = PruningSchedule(rounds, ScheduleSettings(unit_tries=2, edge_tries=2, restart_rate=None, dense_rounds=4), *steps)
    with torch.inference_mode():
        pruning.begin(members, names, trained=False)
        while pruning.advance():
            pass
    assert pruning.state is not None
    left = engine.count(pruning.state.members, "edges")[1]
    return left[pruning.state.accepted].tolist()


def outcomes(seeds: int, width: int) -> tuple[list[int], list[int]]:
    """What both engines find from the same initial weights of this many seeds."""
    model = TASK.model(width=width, hidden_layers=2)
    population = Population.fresh(read_model(model).shape, keys([("initial", seed) for seed in range(seeds)]))
    setup = ModuleSetup(model, ValueError("not asked"))
    setup, task = setup.task(TASK)
    settings = RoundSettings(steps=60, batch_size=32, learning_rate=0.1, input_noise=0.1, rate_width=12)
    scores = {"units": "loss_sensitivity", "edges": "magnitude"}
    mlp = MLPEngine(Data.of(task), settings, {"units": UNIT_SCORES[scores["units"]], "edges": EDGE_SCORES[scores["edges"]]})
    modules = AutogradEngine(
        ModuleRows.of(task), settings, {"units": MODULE_UNIT_SCORES[scores["units"]], "edges": MODULE_EDGE_SCORES[scores["edges"]]}
    )
    names, steps = [ChainName(seed) for seed in range(seeds)], ([0.3], [0.02])
    assert setup.architecture is not None
    return sparsest(mlp, population, names, steps), sparsest(modules, as_modules(population, setup.architecture), names, steps)


def test_sculpting_by_both_engines_ends_alike() -> None:
    mlp, modules = outcomes(seeds=2, width=12)
    assert len(mlp) == len(modules)
    for one, other in zip(mlp, modules, strict=True):
        assert abs(one - other) <= 12  # rounding may tip a decision, after which chains differ


@pytest.mark.slow
def test_sculpting_64_seeds_by_both_engines_ends_alike() -> None:
    mlp, modules = (torch.tensor(each, dtype=torch.float64) for each in outcomes(seeds=64, width=24))
    print(len(mlp), len(modules), mlp.mean(), modules.mean(), mlp.std(), modules.std())  # noqa: T201
    assert abs(len(mlp) - len(modules)) <= 6
    error = float((mlp.var() / len(mlp) + modules.var() / len(modules)).sqrt())
    assert abs(float(mlp.mean() - modules.mean())) <= 3 * error


def test_a_module_of_one_layer_has_no_hidden_units() -> None:
    model = nn.Linear(6, 3)
    setup, _ = ModuleSetup(model, ValueError("no chain")).task(TASK)
    assert setup.architecture is not None
    rows = ModuleRows.of(TASK)
    engine = AutogradEngine(rows, RoundSettings(steps=1), {"units": MODULE_UNIT_SCORES["ablation"], "edges": MODULE_EDGE_SCORES["ablation"]})
    members = setup.dense(range(2), 1, "model", False, torch.device("cpu"))
    assert [part.tolist() for part in engine.count(members, "units")] == [[0, 0], [0, 0]]
    assert [part.tolist() for part in engine.count(members, "edges")] == [[18, 18], [18, 18]]
