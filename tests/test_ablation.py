"""The loss without an edge, against networks from which it is removed by hand."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from test_narrow_scores import data_for, network
from torch import Tensor

from sculpting import sculpt, tasks
from sculpting.data import Data
from sculpting.mlp import ablation
from sculpting.mlp.ablation import edge_ablation
from sculpting.mlp.engine import MLPEngine
from sculpting.mlp.population import Population
from sculpting.mlp.scores import EDGE_SCORES
from sculpting.mlp.training import evaluate
from sculpting.randomness import keys
from sculpting.schedule.pruning import least_important
from sculpting.settings import RoundSettings, ScheduleSettings


def losses_by_hand(population: Population, data: Data) -> Tensor:
    """The mean loss without each weight in turn, pruned ones included."""
    found = []
    for place in population.shape.weight_positions().tolist():
        values = population.values.clone()
        values[:, place] = 0
        found.append(evaluate(Population(population.shape, values, population.mask, population.own), data).loss)
    return torch.stack(found, dim=1)


def sizes(population: Population) -> Tensor:
    return torch.cat([weight.flatten(1) for weight in population.weights], dim=1).abs()


@pytest.mark.parametrize("loss", ["bce", "ce", "mse"])
@pytest.mark.parametrize("activation", ["clipped_relu", "tanh"])
@pytest.mark.parametrize("widths", [(4, 3), (4, 6, 3), (4, 6, 5, 3), (4, 5, 1, 6, 3)])
def test_an_edge_scores_the_loss_without_it(widths: tuple[int, ...], activation: str, loss: str) -> None:
    population, data = network(widths, activation, members=5, kept=0.6), data_for(loss, 4, 3)
    found, alive = edge_ablation(population, data), sizes(population) > 0
    assert 0.3 < float(alive.double().mean()) < 0.9
    torch.testing.assert_close(found[alive], losses_by_hand(population, data)[alive], rtol=1e-4, atol=1e-6)
    assert float(found[~alive].abs().sum()) == 0.0


def test_only_the_smallest_edges_are_removed_and_all_others_rank_by_magnitude(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ablation, "WEAKEST", 7)
    population, data = network((4, 6, 5, 3), members=3, kept=0.7), data_for("bce", 4, 3)
    found, expected = edge_ablation(population, data), losses_by_hand(population, data)
    for scores, losses, size in zip(found, expected, sizes(population), strict=True):
        places = torch.nonzero(size).flatten()
        weak, others = places[size[places].argsort()].tensor_split([7])
        torch.testing.assert_close(scores[weak], losses[weak], rtol=1e-4, atol=1e-6)
        assert float(scores[others].min()) > float(scores[weak].max())
        assert torch.equal(others[scores[others].argsort()], others)


@pytest.mark.parametrize(("block", "side"), [(1, 1), (3_000, 1), (30_000, 1), (60_000, 3)])
def test_the_size_of_blocks_changes_nothing(block: int, side: int, monkeypatch: pytest.MonkeyPatch) -> None:
    population, data = network((4, 7, 5, 6, 3), "tanh", members=3, kept=0.8), data_for("ce", 4, 3)
    whole, seen = edge_ablation(population, data), []
    original = ablation._edge_ablation
    monkeypatch.setattr(ablation, "_edge_ablation", lambda p, d, size: seen.append((len(p), size)) or original(p, d, size))
    monkeypatch.setattr(ablation, "BLOCK", block)
    torch.testing.assert_close(edge_ablation(population, data), whole, rtol=1e-4, atol=1e-6)
    # 20 rows, twice the 5 + 6 + 3 units above the lowest hidden layer, and 8 times 3 outputs; 64 edges of each member.
    assert seen == [(side, max(1, block // (20 * (28 + 24) * side)))] * (3 // side)


def test_each_member_is_scored_as_if_it_were_alone() -> None:
    small, large = network((4, 3, 5, 2), members=2), network((4, 6, 4, 2), seed=1, members=2, kept=0.4)
    data = data_for("bce", 4, 2)
    together = Population.padded([small, large])
    found = edge_ablation(together, data)
    for row, (part, member) in enumerate([(small, 0), (small, 1), (large, 0), (large, 1)]):
        alone = edge_ablation(part.select([member]), data)[0]
        kept = sizes(together)[row] > 0
        torch.testing.assert_close(found[row][kept], alone[sizes(part)[member] > 0], rtol=1e-4, atol=1e-6)
        assert float(found[row][~kept].abs().sum()) == 0.0


def test_the_edge_with_the_lowest_loss_without_it_goes_first_however_large() -> None:
    """A large weight to a unit that is weakly read, and a small one that carries the task."""
    task = tasks.from_gates({"y": "a & b"})
    population, data = network((2, 2, 1), members=1), Data.of(task)
    shape = population.shape
    values = torch.zeros_like(population.values)
    for weight, entries in zip(shape.weights(values), ([[0.2, 0.2], [9.0, 9.0]], [[30.0, 0.1]]), strict=True):
        weight[0] = torch.tensor(entries)
    shape.biases(values)[-1][0, 0] = -10.0
    population = Population.of(shape, values)
    gone = {}
    for name in ("magnitude", "ablation"):
        scores = MLPEngine(data, RoundSettings(), {"edges": EDGE_SCORES[name]}).score(population, "edges", keys([0]))
        gone[name] = torch.nonzero(least_important(scores, torch.tensor([0]), torch.tensor([1]))[0]).flatten().tolist()
    assert gone["magnitude"] == [5]
    assert gone["ablation"] == [int(losses_by_hand(population, data).argmin())]
    assert gone["ablation"][0] in (2, 3)


def test_chains_that_prune_by_ablation_end_at_smaller_networks() -> None:
    task = tasks.boolean([4, 1, 2, 16])
    counts = {
        score: sorted(network.edge_count for network in sculpt(
            task.model(24, 2), task, seeds=2, unit_steps=[0.5, 0.3], edge_steps=[0.02, 0.01], edge_score=score, edge_tries=1, progress=False
        ).candidates)
        for score in ("magnitude", "ablation")
    }  # fmt: skip
    assert len(counts["ablation"]) == len(counts["magnitude"]) == 8
    assert sum(counts["ablation"]) < 0.9 * sum(counts["magnitude"])
    assert counts["ablation"][0] <= counts["magnitude"][0]


@pytest.mark.parametrize(
    ("task", "score"),
    [
        (tasks.boolean([4, 1, 2, 16]), "ablation"),
        (tasks.cmsp(2, 2), "magnitude"),
        (replace(tasks.boolean([4, 1, 2, 16]), schedule=ScheduleSettings(edge_score="magnitude")), "magnitude"),
    ],
    ids=["table", "parities", "as the task says"],
)
def test_edges_are_scored_as_the_task_says_unless_the_call_does(task: tasks.Task, score: str) -> None:
    def accuracies(edge_score: str | None) -> list[float]:
        options = {
            "unit_steps": [],
            "edge_steps": [0.05],
            "min_accuracy": 0.6,
            **({} if edge_score is None else {"edge_score": edge_score}),
        }
        result = sculpt(task.model(8, 1), task, **options, seeds=2, edge_tries=1, steps=4, progress=False)
        return [attempt.accuracy for attempt in result.history if attempt.phase == "edges"]

    other = {"ablation": "magnitude", "magnitude": "ablation"}[score]
    assert accuracies(None) == accuracies(score) != accuracies(other)
