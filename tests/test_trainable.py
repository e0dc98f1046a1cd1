"""Frozen parameters of a population: neither trained, nor pruned, nor lost on the way."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch

from sculpting import TrainingSettings, tasks
from sculpting.data import Data
from sculpting.mlp.engine import MLPEngine
from sculpting.mlp.packing import packings
from sculpting.mlp.population import Population
from sculpting.mlp.scores import EDGE_SCORES, UNIT_SCORES
from sculpting.models.shape import Shape
from sculpting.randomness import keys

SHAPE = Shape((4, 6, 5, 2), ("clipped_relu", "clipped_relu", "identity"))


def population(members: int) -> Population:
    """Members of which every third parameter is trainable, and every fifth is pruned."""
    made = Population.fresh(SHAPE, keys(range(members)))
    place = torch.arange(members * SHAPE.size).view(members, -1)
    made = made.masked((place % 5 != 0).float())
    return replace(made, trainable=(place % 3 == 0).float())


def engine(weight_decay: float = 0.0) -> MLPEngine:
    task = tasks.from_gates({"p": "a & b", "y": "p ^ c", "z": "p | d"}, outputs=["y", "z"])
    settings = TrainingSettings(weight_decay=weight_decay, input_noise=0.1, hidden_noise=0.3).of_round(16)
    return MLPEngine(Data.of(task, copies=4), settings, {"units": UNIT_SCORES["ablation"], "edges": EDGE_SCORES["magnitude"]})


@pytest.mark.parametrize("members", [1, 3, 40])  # 40 lie last in memory
def test_frozen_parameters_stay_bit_for_bit_and_the_others_learn(members: int) -> None:
    before = population(members)
    after, _ = engine().train(before, keys(range(members)), torch.full((members,), 0.1, dtype=torch.float64))
    assert before.trainable is not None
    frozen = (before.trainable == 0) | (before.mask == 0)
    assert torch.equal(after.values[frozen].view(torch.int32), before.values[frozen].view(torch.int32))
    assert (after.values != before.values)[~frozen].float().mean() > 0.9
    assert after.trainable is before.trainable


def test_weight_decay_is_refused_where_parameters_are_frozen() -> None:
    with pytest.raises(ValueError, match=r"weight_decay must be 0 where parameters are frozen, since it would move them; got 0\.1"):
        engine(weight_decay=0.1).train(population(1), keys([0]), torch.tensor([0.1]))


def test_all_trainable_gives_the_bits_of_none_frozen() -> None:
    free = replace(population(3), trainable=None)
    rate = torch.full((3,), 0.1, dtype=torch.float64)
    one, two = (engine().train(p, keys(range(3)), rate)[0] for p in (free, replace(free, trainable=torch.ones_like(free.mask))))
    assert torch.equal(one.values, two.values)


def test_only_trainable_edges_are_counted_scored_and_removed() -> None:
    members, judge = population(3), engine()
    assert members.trainable is not None
    weights = SHAPE.weight_positions()
    total, left = judge.count(members, "edges")
    free = members.trainable[:, weights] > 0
    assert total.tolist() == free.sum(dim=1).tolist()
    assert left.tolist() == (free & members.live_edges()).sum(dim=1).tolist()
    scores = judge.score(members, "edges", keys(range(3)))
    assert torch.equal(scores < torch.inf, free & members.live_edges())
    gone = judge.remove(members, "edges", torch.ones_like(free))
    assert torch.equal(gone.mask[:, weights] > 0, members.live_edges() & ~free)
    bias = torch.ones(SHAPE.size, dtype=torch.bool).index_fill(0, weights, False)  # frozen biases stay where all edges go
    assert torch.equal(gone.mask[:, bias][members.trainable[:, bias] == 0], members.mask[:, bias][members.trainable[:, bias] == 0])


@pytest.mark.parametrize(
    "change",
    [
        lambda p: p.select([2, 0]),
        lambda p: p.select([0]).joined(p.select([1])),
        lambda p: p.replaced(torch.tensor([1]), p.select([2])),
        lambda p: p.masked(p.mask),
        lambda p: p.restored(p.tensors()),
    ],
)
def test_what_is_frozen_goes_with_the_members(change: Callable[[Population], Population]) -> None:
    members = population(3)
    after = change(members)
    rows = [next(i for i in range(3) if torch.equal(values, members.values[i])) for values in after.values]
    assert members.trainable is not None
    assert after.trainable is not None
    assert torch.equal(after.trainable, members.trainable[rows])


def test_packed_members_keep_what_is_frozen() -> None:
    members = population(12)
    dead = torch.zeros(12, 11, dtype=torch.bool)
    dead[:, [0, 3, 7]] = True
    members = members.masked(members.without_units(dead))
    for packing in packings(members):
        assert packing.places is not None
        packed = packing.pack(members)
        assert packed.trainable is not None
        assert members.trainable is not None
        assert torch.equal(packed.trainable, members.trainable[packing.members].gather(1, packing.places))


def test_members_with_and_without_frozen_parameters_are_not_joined() -> None:
    members = population(2)
    with pytest.raises(ValueError, match="must be joined with others that have frozen parameters, too, or none"):
        members.joined(replace(members, trainable=None))
