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

from sculpting.data import Data
from sculpting.engine import Evaluation, Items
from sculpting.mlp.engine import MLPEngine
from sculpting.mlp.packing import packings
from sculpting.mlp.population import Population
from sculpting.mlp.scores import EDGE_SCORES, UNIT_SCORES, edge_sensitivity, unit_sensitivity
from sculpting.mlp.training import gradient
from sculpting.models.shape import Shape
from sculpting.randomness import keys
from sculpting.schedule.acceptance import AcceptanceCriterion
from sculpting.schedule.chains import ChainName, ChainState
from sculpting.schedule.history import Attempt
from sculpting.schedule.pruning import Pruning, least_important
from sculpting.schedule.rounds import Rounds
from sculpting.settings import RoundSettings
from sculpting.tasks import Task


def population_of(widths: tuple[int, ...], members: int = 1) -> Population:
    return Population.fresh(Shape(widths, ("relu",) * (len(widths) - 2) + ("identity",)), keys([("p", i) for i in range(members)]))


def data_of(population: Population, loss: str = "bce", rows: int = 12) -> Data:
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(rows, population.shape.widths[0], generator=generator)
    y = (torch.rand(rows, population.shape.widths[-1], generator=generator) > 0.5).float()
    return Data.of(Task(x, y, loss, x, y))


def state_of(population: Population, accepted: bool = True) -> ChainState[Population]:
    flags = torch.full((len(population),), accepted)
    return ChainState(population, flags.double(), flags, [ChainName(i) for i in range(len(population))])


class ByRule(MLPEngine):
    """Members are not trained. Their accuracy follows from a rule on their masks."""

    rule: Callable[[Population], Tensor]

    def train(self, members: Population, key: Tensor, learning_rate: Tensor, noise: float = 1.0) -> tuple[Population, Evaluation]:
        return members, Evaluation(self.rule(members).double(), torch.zeros(len(members)))


def rounds_of(population: Population, rule: Callable[[Population], Tensor]) -> Rounds[Population]:
    engine = ByRule(data_of(population), RoundSettings(), {"units": UNIT_SCORES["weight_sum"], "edges": EDGE_SCORES["magnitude"]})
    object.__setattr__(engine, "rule", rule)
    return Rounds(engine, AcceptanceCriterion(1.0), torch.tensor([0.1], dtype=torch.float64))


def pruned(chains: Pruning[Population], rounds: Rounds[Population]) -> ChainState[Population]:
    while (proposal := chains.propose()) is not None:
        chains.settle(rounds.attempt([proposal])[0])
    assert chains.state is not None
    return chains.state


def attempts_of(rounds: Rounds[Population]) -> list[Attempt]:
    return [attempt for part in rounds.history for attempt in part.attempts(rounds.criterion.min_accuracy)]


def run(
    population: Population, step: float, items: Items, rule: Callable[[Population], Tensor], **options: Any
) -> tuple[ChainState[Population], list[Attempt]]:
    rounds = rounds_of(population, rule)
    chains = Pruning(items, rounds.engine, **options)
    chains.add(state_of(population), [step] * len(population))
    return pruned(chains, rounds), attempts_of(rounds)


def test_unit_attempts_by_hand() -> None:
    """Twenty units, six needed, first step 0.5: 10 removed; all 20 rejected untrained; then 5, 2.5, 1.25 and 1 more units at a time."""
    population = population_of((3, 12, 8, 2))
    state, history = run(population, 0.5, "units", lambda p: torch.cat(p.alive(), dim=1).sum(dim=1) >= 6)
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
    assert int(torch.cat(state.members.alive(), dim=1).sum()) == 6


def test_edge_attempts_by_hand() -> None:
    """Ten edges, four needed, first step 0.4: 4 removed, 8 rejected, 6 removed, 8 and 7 rejected; the step halves down to one edge."""
    population = population_of((3, 2, 2))
    state, history = run(population, 0.4, "edges", lambda p: p.edges() >= 4)
    assert [(round((1 - a.asked) * 10, 6), a.accepted) for a in history] == [(4, True), (8, False), (6, True), (8, False), (7, False)]
    magnitude = population.values[0, population.shape.weight_positions()].abs()
    left = state.members.mask[0, population.shape.weight_positions()] > 0
    assert int(left.sum()) == 4
    assert float(magnitude[left].min()) > float(magnitude[~left].max())


def test_doubled_steps_by_hand() -> None:
    """21 edges, five needed, steps of one edge, doubled after two acceptances. 22 are rejected untrained; a rejection restarts it."""
    _, history = run(population_of((4, 3, 3)), 0.01, "edges", lambda p: p.edges() >= 5, double_after=2)
    asked = [(round((1 - a.asked) * 21), a.accepted) for a in history]
    accepted = [(gone, True) for gone in (1, 2, 4, 6, 10, 14)]
    assert asked == [*accepted, (18, False), (16, True), (18, False), (17, False)]


def test_at_the_finest_step_items_are_tried_in_turn_by_hand() -> None:
    """Ten edges; the lowest, the third and the two highest are needed. With one try a chain ends at the first edge. With three it removes
    all others, continues from the place of the last acceptance, and ends when three are rejected in a row."""
    population = population_of((3, 2, 2))
    places = population.shape.weight_positions()
    order = places[population.values[0, places].abs().argsort()]
    needed = order[[0, 2, 8, 9]]

    def with_tries(tries: int) -> tuple[Tensor, list[tuple[int, bool]]]:
        state, history = run(population, 0.1, "edges", lambda p: p.mask[:, needed].amin(dim=1) > 0, tries=tries)
        return state.members.mask[0], [(round((1 - a.asked) * 10), a.accepted) for a in history]

    assert with_tries(1)[1] == [(1, False)]
    mask, attempts = with_tries(3)
    assert torch.equal(torch.nonzero(mask[places]).flatten(), torch.isin(places, needed).nonzero().flatten())
    # The lowest is rejected. The second is removed, so that the third now has its place; it is rejected. The fourth to the eighth are
    # removed from the third place on. Then the highest, the lowest and the third are rejected.
    assert attempts == [(1, False), (1, True), (2, False), *((n, True) for n in range(2, 7)), (7, False), (7, False), (7, False)]


def test_a_chain_ends_only_where_one_more_item_is_rejected() -> None:
    for needed in range(1, 20):
        for step in (0.005, 0.025, 0.33, 0.9):
            state, _ = run(population_of((4, 3, 3)), step, "edges", lambda p, needed=needed: p.edges() >= needed)
            assert int(state.members.edges()) == needed


def test_chains_advance_each_by_itself() -> None:
    def rule(p: Population) -> Tensor:
        return p.edges() >= (p.values[:, 0] > 0) * 5 + 3

    population = population_of((4, 3, 3), members=6)
    together, _ = run(population, 0.1, "edges", rule)
    for i in range(6):
        alone, _ = run(population.select([i]), 0.1, "edges", rule)
        assert torch.equal(alone.members.mask[0], together.members.mask[i])


def test_chains_that_begin_later_make_the_same_attempts() -> None:
    population = population_of((4, 3, 3), members=4)
    together, history = run(population, 0.1, "edges", lambda p: p.edges() >= 4)
    rounds = rounds_of(population, lambda p: p.edges() >= 4)
    chains, state = Pruning("edges", rounds.engine), state_of(population)
    chains.add(state.select(torch.tensor([0, 1])), [0.1, 0.1])
    for _ in range(2):
        chains.settle(rounds.attempt([chains.propose()])[0])
    chains.add(state.select(torch.tensor([2, 3])), [0.1, 0.1])
    assert torch.equal(pruned(chains, rounds).members.mask, together.members.mask)
    assert sorted(a[:-1] for a in attempts_of(rounds)) == sorted(a[:-1] for a in history)


def test_nothing_accepted_leaves_the_chain_where_it_started() -> None:
    population = population_of((3, 4, 2))
    rounds = rounds_of(population, lambda p: torch.zeros(len(p)))
    chains = Pruning("edges", rounds.engine)
    chains.add(state_of(population, accepted=False), [0.2])
    state = pruned(chains, rounds)
    assert torch.equal(state.members.values, population.values)
    assert not state.accepted.any()
    assert not any(a.accepted for a in attempts_of(rounds))


@pytest.mark.parametrize(("step", "whole"), [(0.07, 7.0), (0.55, 55.0), (0.29, 29.0), (0.025, 2.5)])
def test_steps_of_whole_items_stay_whole(step: float, whole: float) -> None:
    population = population_of((10, 5, 10))  # 100 edges
    chains = Pruning("edges", rounds_of(population, lambda p: p.edges() >= 1).engine)
    chains.add(state_of(population), [step])
    assert chains.step.tolist() == [whole]


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 1000), st.floats(0.003, 0.6), st.sampled_from(["units", "edges"]))
def test_masks_only_shrink_and_never_by_more_than_asked(seed: int, step: float, items: Items) -> None:
    population = Population.fresh(Shape((3, 5, 4, 2), ("relu", "relu", "identity")), keys([("s", seed, i) for i in range(3)]))
    engine = MLPEngine(data_of(population), RoundSettings(), {"units": UNIT_SCORES["random"], "edges": EDGE_SCORES["random"]})
    total = int(engine.count(population, items)[0][0])
    removed = 0.0
    for _ in range(4):
        removed += max(step * total, 1)
        if removed >= total:
            break
        scores = engine.score(population, items, keys([("k", seed, i) for i in range(3)]))
        assert scores.shape == (3, total)
        assert torch.equal(torch.isinf(scores).sum(dim=1), total - engine.count(population, items)[1])
        alive = engine.count(population, items)[1]
        fewer = engine.remove(population, items, least_important(scores, torch.zeros(3).long(), alive - total + math.floor(removed + 1e-9)))
        assert bool((fewer.mask <= population.mask).all())
        population = fewer
        assert (total - engine.count(population, items)[1]).tolist() == [math.floor(removed + 1e-9)] * 3


def test_equal_scores_are_pruned_in_the_order_of_the_items() -> None:
    population = Population.of(Shape((2, 6, 1), ("relu", "identity")), torch.ones(1, 25))
    engine = rounds_of(population, torch.ones_like).engine
    removed = least_important(engine.score(population, "units", keys([0])), torch.tensor([0]), torch.tensor([2]))
    assert engine.remove(population, "units", removed).alive()[0][0].tolist() == [False, False, True, True, True, True]


@pytest.mark.parametrize("items", ["units", "edges"])
def test_packed_members_score_as_they_do_whole(items: Items, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("FEW_PARAMETERS", "STEP_COST"):
        monkeypatch.setattr(f"sculpting.mlp.packing.{name}", 0)
    population = population_of((3, 9, 8, 2), members=4)
    gone = torch.zeros(4, 17, dtype=torch.bool)
    for member, units in enumerate(([], [0, 3, 9], [1, 2, 4, 5, 6, 10, 11, 12, 13, 14], [16])):
        gone[member, units] = True
    population = population.masked(population.without_units(gone))
    engine = rounds_of(population, torch.ones_like).engine
    assert len([*packings(population)]) > 1
    scores = UNIT_SCORES["weight_sum"] if items == "units" else EDGE_SCORES["magnitude"]
    alive = torch.cat(population.alive(), dim=1) if items == "units" else population.live_edges()
    expected = scores(population, engine.data, keys(range(4))).masked_fill(~alive, torch.inf)
    torch.testing.assert_close(engine.score(population, items, keys(range(4))), expected)


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
    pruned = population.masked(population.without_edges(gone))
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


def test_edge_sensitivity_and_magnitude_follow_their_formulas() -> None:
    population = population_of((3, 4, 2), members=2)
    data = data_of(population)
    slopes = gradient(population, data)
    position = population.shape.weight_positions()
    torch.testing.assert_close(edge_sensitivity(population, data, keys([0, 1])), (slopes * population.values).abs()[:, position])
    torch.testing.assert_close(EDGE_SCORES["magnitude"](population, data, keys([0, 1])), population.values.abs()[:, position])


@pytest.mark.parametrize(("scores", "width"), [(UNIT_SCORES, 9), (EDGE_SCORES, 3 * 5 + 5 * 4 + 4 * 2)])
def test_every_score_has_the_right_shape_and_is_finite(scores: dict, width: int) -> None:
    population = population_of((3, 5, 4, 2), members=3)
    for name, score in scores.items():
        found = score(population, data_of(population), keys([0, 1, 2]))
        assert found.shape == (3, width), name
        assert bool(torch.isfinite(found).all()), name
        assert bool((found >= 0).all()), name
