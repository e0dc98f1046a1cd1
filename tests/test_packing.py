"""Packing: members without their pruned units and dead inputs compute and train the same."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from members import data_for, make
from rounding import assert_same_to_rounding

from sculpting.mlp.batched_mlp import BatchedMLP
from sculpting.mlp.engine import MLPEngine
from sculpting.mlp.packing import packings
from sculpting.mlp.population import Population
from sculpting.mlp.scores import EDGE_SCORES
from sculpting.mlp.training import evaluate, train
from sculpting.randomness import keys, uniforms
from sculpting.settings import RoundSettings


def with_dead_units(population: Population, seed: int, kept: float) -> Population:
    widths = population.shape.widths[1:-1]
    dead = (uniforms(keys([("dead", seed, i) for i in range(len(population))]), sum(widths)) > kept).float()
    mask = population.mask.clone()
    for layer, gone in enumerate(dead.split(widths, dim=1)):
        population.shape.weights(mask)[layer].mul_(1 - gone.unsqueeze(2))
        population.shape.biases(mask)[layer].mul_(1 - gone)
        population.shape.weights(mask)[layer + 1].mul_(1 - gone.unsqueeze(1))
    return population.masked(mask)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000), st.floats(0.0, 1.0), st.sampled_from([(4, 17, 12, 3), (70, 9, 3), (5, 6, 2)]))
def test_packing_keeps_every_network_and_comes_back(seed: int, kept: float, widths: tuple[int, ...]) -> None:
    population, data = with_dead_units(make(widths, 12, seed=seed, kept=0.3), seed, kept), data_for("mse", (widths[0], widths[-1]))
    expected, back, seen = evaluate(population, data).loss, torch.zeros_like(population.values), []
    for packing in packings(population):
        packed = packing.pack(population)
        rows = data.x_validation if packing.inputs is None else torch.cat([data.x_validation[packing.inputs], data.x_validation[-1:]])
        loss = BatchedMLP(packed.shape, packed.values).evaluate(rows, data.y_validation, data.loss).loss
        torch.testing.assert_close(loss, expected[packing.members], rtol=1e-4, atol=1e-5)
        packing.unpack(packed.values, back)
        seen += packing.members.tolist()
        alive = max(int(a[packing.members].sum(dim=1).max()) for a in population.alive())
        assert max(packing.shape.widths[1:-1]) <= max(4, -(-alive // 4) * 4)
    assert sorted(seen) == list(range(12))
    assert torch.equal(back, population.values)


def test_a_few_parameters_are_trained_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    population, data = with_dead_units(make((4, 12, 3), 2), 0, 0.5), data_for("bce", (4, 3))
    (whole,) = packings(population)
    assert whole.shape == population.shape
    assert [part.members.tolist() for part in whole.split(1)] == [[0], [1]]
    apart, _ = train(population, data, RoundSettings(steps=10, hidden_noise=0.2), keys(range(2)))
    monkeypatch.setattr("sculpting.mlp.packing.FEW_PARAMETERS", 0)
    (smaller,) = packings(population)
    assert smaller.shape.size < population.shape.size
    packed, _ = train(population, data, RoundSettings(steps=10, hidden_noise=0.2), keys(range(2)))  # noise belongs to units, not to places
    assert_same_to_rounding(apart.values, packed.values)


def test_where_every_unit_is_left_nothing_is_moved() -> None:
    dense = make((4, 12, 6, 3), 100, kept=0.5)
    assert all(bool(alive.all()) for alive in dense.alive())
    (whole,) = packings(dense)
    assert whole.places is None
    assert [units[0].tolist() for units in whole.units] == [list(range(12)), list(range(6))]
    (moved,) = packings(dense.masked(dense.without_units(torch.arange(18).expand(100, -1) == 0)))
    assert moved.places is not None
    assert moved.units[0][0].tolist() == [*range(1, 12), 0]


def test_members_of_similar_size_are_packed_together_where_it_is_faster() -> None:
    big, small = make((4, 40, 3), 100, kept=1.0), with_dead_units(make((4, 40, 3), 100, kept=1.0), 0, 0.08)
    mixed = Population.of(big.shape, torch.cat([big.values, small.values]), torch.cat([big.mask, small.mask]))
    found = [(sorted(p.members.tolist()), p.shape.widths[1]) for p in packings(mixed)]
    assert found[-1] == (list(range(100)), 40)
    assert sum(len(members) for members, _ in found) == 200
    for few in ([0, 160, 161], [*range(60), 160, 161]):
        assert [len(p.members) for p in packings(mixed.select(few))] == [len(few)]


def test_dead_inputs_are_left_out_of_large_networks_only() -> None:
    large, small = make((100, 8, 3), 2), make((10, 8, 3), 2)
    for population in (large, small):
        population.shape.weights(population.mask)[0][:, :, 5:] = 0
    (packed,), (whole,) = packings(large), packings(small)
    assert packed.shape.widths[0] == len(packed.inputs) == 5
    assert whole.inputs is None
    data = data_for("bce", (100, 3))
    trained, _ = train(large.masked(large.mask), data, RoundSettings(steps=4, input_noise=0.1), keys(range(2)))
    assert float(trained.values[large.mask == 0].abs().max()) == 0.0
    # Where no input is read any more, one is kept beside the biases.
    large.shape.weights(large.mask)[0][:] = 0
    (blind,) = packings(large)
    assert blind.shape.widths[0] == 1
    constant, score = train(large.masked(large.mask), data, RoundSettings(steps=4), keys(range(2)))
    assert float(constant.weights[0].abs().max()) == 0.0
    assert bool(score.loss.isfinite().all())
    engine = MLPEngine(data, RoundSettings(), {"edges": EDGE_SCORES["magnitude"]})
    scores = engine.score(large, "edges", keys(range(2)))
    assert torch.equal(scores < torch.inf, large.live_edges())
