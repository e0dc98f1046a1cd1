"""The schedule against attempts worked out by hand, and what a mask may and may not do."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

import sculpting.schedule.pruning as pruning
from sculpting.mlp.population import Population, Shape
from sculpting.mlp.scores import EDGE_SCORES, UNIT_SCORES, edge_sensitivity, unit_sensitivity
from sculpting.mlp.training import Data, Round, Score, gradient
from sculpting.randomness import keys
from sculpting.schedule.pruning import Attempt, ChainName, Gate, Pruning, Standing, edges_of, units_of
from sculpting.tasks import Task


def population_of(widths: tuple[int, ...], members: int = 1) -> Population:
    return Population.fresh(Shape(widths, ("relu",) * (len(widths) - 2) + ("identity",)), keys([("p", i) for i in range(members)]))


def data_of(population: Population, loss: str = "bce", rows: int = 12) -> Data:
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(rows, population.shape.widths[0], generator=generator)
    y = (torch.rand(rows, population.shape.widths[-1], generator=generator) > 0.5).float()
    return Data.of(Task(x, y, loss, x, y))


def judged(monkeypatch: pytest.MonkeyPatch, accurate: Callable[[Population], Tensor]) -> None:
    """Replace training by a rule on how much is left."""

    def train(population: Population, *rest: Any, **options: Any) -> tuple[Population, Score]:
        accuracy = accurate(population).double()
        return population, Score(accuracy, torch.zeros(len(population)))

    monkeypatch.setattr(pruning, "train", train)


def standing_of(population: Population, accepted: bool = True) -> Standing:
    flags = torch.full((len(population),), accepted)
    return Standing(population, flags.double(), flags, [ChainName(i) for i in range(len(population))])


def carve(chains: Pruning, gate: Gate) -> Standing:
    while (trial := chains.propose()) is not None:
        chains.settle(gate.attempt([trial])[0])
    assert chains.standing is not None
    return chains.standing


def attempts_of(gate: Gate) -> list[Attempt]:
    return [attempt for part in gate.rounds for attempt in part.attempts(gate.min_accuracy)]


def run(population: Population, step: float, units: bool, data: Data) -> tuple[Standing, list[Attempt]]:
    gate = Gate(data, Round(), min_accuracy=1.0)
    chains = Pruning(units_of(UNIT_SCORES["weight_sum"]) if units else edges_of(EDGE_SCORES["magnitude"]), gate)
    chains.add(standing_of(population), [step] * len(population))
    return carve(chains, gate), attempts_of(gate)


def test_unit_attempts_by_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    """Twenty units, six needed, steps of 50 %: 10 gone; all 20 refused untrained; then 5, 2.5, 1.25 and 1 more units at a time."""
    judged(monkeypatch, lambda p: torch.cat(p.alive(), dim=1).sum(dim=1) >= 6)
    population = population_of((3, 12, 8, 2))
    standing, history = run(population, 50, True, data_of(population))
    attempts = [(round((1 - a.asked) * 20, 6), a.accepted) for a in history]
    assert attempts == [
        (10, True),
        (15, False),
        (12.5, True),
        (15, False),
        (13.75, True),
        (15, False),
        (14.75, True),
        (15.75, False),
    ]
    assert int(torch.cat(standing.population.alive(), dim=1).sum()) == 6


def test_edge_attempts_by_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ten edges, four needed, steps of 40 %: 4 gone, 8 refused, 6 gone, 7 refused by halves of one edge at the least."""
    judged(monkeypatch, lambda p: p.edges() >= 4)
    population = population_of((3, 2, 2))
    standing, history = run(population, 40, False, data_of(population))
    assert [(round((1 - a.asked) * 10, 6), a.accepted) for a in history] == [(4, True), (8, False), (6, True), (8, False), (7, False)]
    magnitude = population.values[0, population.shape.weight_positions()].abs()
    left = standing.population.mask[0, population.shape.weight_positions()] > 0
    assert int(left.sum()) == 4
    assert float(magnitude[left].min()) > float(magnitude[~left].max())


def test_doubled_steps_by_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    """21 edges, five needed, one at a time, doubled after two acceptances; 22 are refused untrained, and refusals start the count anew."""
    judged(monkeypatch, lambda p: p.edges() >= 5)
    population = population_of((4, 3, 3))
    gate = Gate(data_of(population), Round(), min_accuracy=1.0)
    chains = Pruning(edges_of(EDGE_SCORES["magnitude"]), gate, double_after=2)
    chains.add(standing_of(population), [1.0])
    carve(chains, gate)
    asked = [(round((1 - a.asked) * 21), a.accepted) for a in attempts_of(gate)]
    accepted = [(gone, True) for gone in (1, 2, 4, 6, 10, 14)]
    assert asked == [*accepted, (18, False), (16, True), (18, False), (17, False)]


def test_at_the_finest_step_items_are_tried_in_turn_by_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ten edges of which the lowest, the third and the two highest are needed: with one try a chain ends at the first, with three it finds
    all others, goes on from the place of the last acceptance, and ends when the three lowest are refused one after the other."""
    population = population_of((3, 2, 2))
    places = population.shape.weight_positions()
    order = places[population.values[0, places].abs().argsort()]
    needed = order[[0, 2, 8, 9]]
    judged(monkeypatch, lambda p: p.mask[:, needed].amin(dim=1) > 0)

    def carved(tries: int) -> tuple[Tensor, list[tuple[int, bool]]]:
        gate = Gate(data_of(population), Round(), min_accuracy=1.0)
        chains = Pruning(edges_of(EDGE_SCORES["magnitude"]), gate, tries=tries)
        chains.add(standing_of(population), [10.0])
        mask = carve(chains, gate).population.mask[0]
        return mask, [(round((1 - a.asked) * 10), a.accepted) for a in attempts_of(gate)]

    assert carved(1)[1] == [(1, False)]
    mask, attempts = carved(3)
    assert torch.equal(torch.nonzero(mask[places]).flatten(), torch.isin(places, needed).nonzero().flatten())
    # The lowest; the second goes, and the third stands second now; the fourth to the eighth from the third place on; the highest, the
    # lowest, the third.
    assert attempts == [(1, False), (1, True), (2, False), *((n, True) for n in range(2, 7)), (7, False), (7, False), (7, False)]


def test_a_chain_ends_only_where_one_more_item_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    for needed in range(1, 20):
        judged(monkeypatch, lambda p, needed=needed: p.edges() >= needed)
        population = population_of((4, 3, 3))
        for step in (0.5, 2.5, 33.0, 90.0):
            standing, _ = run(population, step, False, data_of(population))
            assert int(standing.population.edges()) == needed


def test_chains_advance_each_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    judged(monkeypatch, lambda p: p.edges() >= (p.values[:, 0] > 0) * 5 + 3)
    population = population_of((4, 3, 3), members=6)
    data = data_of(population)
    together, _ = run(population, 10, False, data)
    for i in range(6):
        alone, _ = run(population.select([i]), 10, False, data)
        assert torch.equal(alone.population.mask[0], together.population.mask[i])


def test_chains_that_begin_later_make_the_same_attempts(monkeypatch: pytest.MonkeyPatch) -> None:
    judged(monkeypatch, lambda p: p.edges() >= 4)
    population = population_of((4, 3, 3), members=4)
    data = data_of(population)
    together, history = run(population, 10, False, data)
    gate = Gate(data, Round(), min_accuracy=1.0)
    chains = Pruning(edges_of(EDGE_SCORES["magnitude"]), gate)
    standing = standing_of(population)
    chains.add(standing.select(torch.tensor([0, 1])), [10.0, 10.0])
    for _ in range(2):
        chains.settle(gate.attempt([chains.propose()])[0])
    chains.add(standing.select(torch.tensor([2, 3])), [10.0, 10.0])
    assert torch.equal(carve(chains, gate).population.mask, together.population.mask)
    assert sorted(a[:-1] for a in attempts_of(gate)) == sorted(a[:-1] for a in history)


def test_nothing_accepted_leaves_the_chain_where_it_started(monkeypatch: pytest.MonkeyPatch) -> None:
    judged(monkeypatch, lambda p: torch.zeros(len(p)))
    population = population_of((3, 4, 2))
    data = data_of(population)
    gate = Gate(data, Round(), min_accuracy=1.0)
    chains = Pruning(edges_of(EDGE_SCORES["magnitude"]), gate)
    chains.add(standing_of(population, accepted=False), [20.0])
    standing = carve(chains, gate)
    assert torch.equal(standing.population.values, population.values)
    assert not standing.accepted.any()
    assert not any(a.accepted for a in attempts_of(gate))


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 1000), st.floats(0.3, 60), st.booleans())
def test_masks_only_shrink_and_never_by_more_than_asked(seed: int, step: float, units: bool) -> None:
    population = Population.fresh(Shape((3, 5, 4, 2), ("relu", "relu", "identity")), keys([("s", seed, i) for i in range(3)]))
    data = data_of(population)
    items = units_of(UNIT_SCORES["random"]) if units else edges_of(EDGE_SCORES["random"])
    total = int(items.total(population)[0])
    removed = 0.0
    for _ in range(4):
        removed += max(step * total / 100, 1)
        if removed >= total:
            break
        mask = Gate(data, Round()).pruned(
            population, items, torch.full((3,), math.floor(removed + 1e-9)), torch.zeros(3), keys([("k", seed, i) for i in range(3)])
        )
        assert bool((mask <= population.mask).all())
        population = population.masked(mask)
        gone = total - items.alive(population).sum(dim=1)
        assert gone.tolist() == [math.floor(removed + 1e-9)] * 3


def test_equal_scores_go_in_the_order_of_the_items() -> None:
    population = Population.of(Shape((2, 6, 1), ("relu", "identity")), torch.ones(1, 25))
    items = units_of(UNIT_SCORES["weight_sum"])
    mask = Gate(data_of(population), Round()).pruned(population, items, torch.tensor([2]), torch.tensor([0]), keys([0]))
    assert population.masked(mask).alive()[0][0].tolist() == [False, False, True, True, True, True]


def test_a_pruned_unit_loses_its_weights_on_both_sides_and_its_bias() -> None:
    population = Population.of(Shape((2, 3, 2), ("relu", "identity")), torch.ones(1, 17))
    pruned = population.masked(population.without_units(torch.tensor([[False, True, False]])))
    assert pruned.weights[0][0].tolist() == [[1, 1], [0, 0], [1, 1]]
    assert pruned.biases[0][0].tolist() == [1, 0, 1]
    assert pruned.weights[1][0].tolist() == [[1, 0, 1], [1, 0, 1]]
    assert pruned.biases[1][0].tolist() == [1, 1]


def test_a_unit_that_loses_its_last_incoming_edge_loses_its_bias_and_an_output_keeps_it() -> None:
    population = Population.of(Shape((2, 2, 1), ("relu", "identity")), torch.ones(1, 9))
    gone = torch.tensor([[True, True, False, False, True, True]])
    pruned = population.masked(pruning._without_edges(population, gone))
    assert pruned.biases[0][0].tolist() == [0, 1]
    assert pruned.biases[1][0].tolist() == [1]


def test_unit_sensitivity_by_autograd_row_by_row() -> None:
    population = population_of((3, 5, 4, 2), members=2)
    data = data_of(population)
    found = unit_sensitivity(population, data, keys([0, 1]))
    for member in range(2):
        total = torch.zeros(9)
        weights, biases = [w[member] for w in population.weights], [b[member] for b in population.biases]
        for x, y in zip(data.x[:-1].t(), data.y.t(), strict=True):
            hidden = []
            h = x
            for layer, (w, b) in enumerate(zip(weights, biases, strict=True)):
                h = w @ h + b
                if layer < 2:
                    h = torch.relu(h).detach().requires_grad_(True) if not hidden else torch.relu(h)
                    hidden.append(h)
            loss = torch.nn.functional.binary_cross_entropy_with_logits(h, y)
            slopes = torch.autograd.grad(loss, hidden)
            total += torch.cat([(h * s).abs().detach() for h, s in zip(hidden, slopes, strict=True)])
        torch.testing.assert_close(found[member], total / data.x.shape[1], rtol=1e-4, atol=1e-6)


def test_edge_sensitivity_and_magnitude_are_what_they_say() -> None:
    population = population_of((3, 4, 2), members=2)
    data = data_of(population)
    slopes = gradient(population, data)
    position = population.shape.weight_positions()
    torch.testing.assert_close(edge_sensitivity(population, data, keys([0, 1])), (slopes * population.values).abs()[:, position])
    torch.testing.assert_close(EDGE_SCORES["magnitude"](population, data, keys([0, 1])), population.values.abs()[:, position])


@pytest.mark.parametrize(("scores", "width"), [(UNIT_SCORES, 9), (EDGE_SCORES, 3 * 5 + 5 * 4 + 4 * 2)])
def test_every_score_has_the_shape_it_should_and_is_finite(scores: dict, width: int) -> None:
    population = population_of((3, 5, 4, 2), members=3)
    for name, score in scores.items():
        found = score(population, data_of(population), keys([0, 1, 2]))
        assert found.shape == (3, width), name
        assert bool(torch.isfinite(found).all()), name
        assert bool((found >= 0).all()), name
