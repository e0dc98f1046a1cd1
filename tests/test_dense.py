"""Dense networks: how long they are trained, and the accuracy that they set."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from quick import QUICK, xor_classes
from torch import nn

from sculpting import StopReason, sculpt, tasks
from sculpting.mlp.population import Population
from sculpting.models.shape import Shape
from sculpting.randomness import keys
from sculpting.schedule.acceptance import AcceptanceCriterion
from sculpting.schedule.chains import ChainName, ChainState
from sculpting.schedule.dense import dense_networks


def test_dense_networks_are_trained_until_they_are_accepted_and_no_longer() -> None:
    task = tasks.boolean("both")
    few = {**QUICK, "steps": 12, "seeds": 6, "unit_steps": [0.5], "edge_steps": [], "restart_rate": None}
    model = task.model(8, 1, activation="relu")
    dense = [
        [[a for a in sculpt(model, task, **few, dense_rounds=rounds).history if a.phase == "dense" and a.chain.seed == s] for s in range(6)]
        for rounds in (1, 4)
    ]
    assert {len(attempts) for attempts in dense[0]} == {1}
    assert {len(attempts) for attempts in dense[1]} > {4}
    for once, often in zip(*dense, strict=True):
        assert often[0].accuracy == once[0].accuracy
        assert not any(a.accepted for a in often[:-1])
        assert len({a.accuracy for a in often}) > 1 or len(often) == 1  # a further round starts from the end of the one before
        assert often[-1].accepted or len(often) == 4


def test_deep_networks_that_do_not_learn_under_noise_start_again_and_are_pruned_under_all_of_it() -> None:
    task = tasks.from_gates({"y": "a ^ b ^ c ^ d ^ e"})
    call: dict[str, Any] = {"seeds": 2, "unit_steps": [0.5], "edge_steps": [0.02], "progress": False}
    model = task.model(24, 4)
    once, again = (sculpt(model, task, **call, restart_rate=rate) for rate in (None, 0.3))
    assert once.network is None
    assert not any(network.accuracy == 1 for network in once.dense)
    first = [attempt for attempt in once.history if attempt.phase == "dense"]
    dense = [attempt for attempt in again.history if attempt.phase == "dense"]
    # The first start is the same, and the second one begins with the same weights.
    assert [a._replace(seconds=0) for a in dense[: len(first)]] == [a._replace(seconds=0) for a in first]
    assert [network.accuracy for network in again.dense] == [1.0, 1.0]
    assert [network.origin["learning_rate"] for network in again.dense] == pytest.approx([0.03, 0.03])
    assert {a.chain.rate for a in again.history if a.phase != "dense"} == {1}
    assert again.network is not None
    assert again.network.edge_count < 100 < 24 * 24
    # Three stages each, which end when a network is accepted again.
    for seed in range(2):
        accepted = [a.accepted for a in dense if a.chain.rate and a.chain.seed == seed]
        assert sum(accepted) == 3
        assert accepted[-1]


def test_a_member_that_fails_a_stage_of_the_second_start_is_as_after_the_stage_before() -> None:
    population = Population.fresh(Shape((2, 3, 1), ("relu", "identity")), keys([("p", i) for i in range(3)]))
    seen: list[tuple[float, list[float], int]] = []

    def attempt(proposals: Any, noise: float = 1.0) -> Any:
        (proposal,) = proposals
        members, fate = proposal.members, torch.tensor([name.seed for name in proposal.names])
        seen.append((noise, [name.rate for name in proposal.names], len(members)))
        # Seed 0 learns without noise only, seed 1 at every stage, seed 2 never.
        second = torch.tensor([name.rate == 1 for name in proposal.names])
        good = second & ((fate == 1) | ((fate == 0) & (noise == 0)))
        return [ChainState(replace(members, values=members.values + 1), good.double(), good, proposal.names)]

    rounds = SimpleNamespace(criterion=AcceptanceCriterion(1.0), rates=torch.tensor([0.1, 0.03]), attempt=attempt, noisy=True)
    names = [ChainName(seed) for seed in range(3)]
    state = dense_networks(rounds, population, names, 2, trained=False, restart=True)  # type: ignore[arg-type]
    assert state.accepted.tolist() == [True, True, False]
    assert [name.rate for name in state.names] == [1, 1, 0]
    grown = (state.members.values - population.values)[:, 0]
    assert grown.round().tolist() == [1, 3, 2]
    assert seen == [
        (1.0, [0, 0, 0], 3), (1.0, [0, 0, 0], 3), (0.0, [1, 1, 1], 3), *[(0.0, [1], 1)] * 3, (0.5, [1, 1], 2), *[(0.5, [1], 1)] * 3,
        (1.0, [1], 1),
    ]  # fmt: skip
    # Without noise there is one stage.
    seen.clear()
    rounds.noisy = False
    dense_networks(rounds, population, names, 2, trained=False, restart=True)  # type: ignore[arg-type]
    assert [noise for noise, rates, _ in seen if rates[0] == 1] == [1.0] * 4


def test_without_min_accuracy_dense_networks_are_trained_until_three_rounds_gain_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    x = torch.rand(60, 3, generator=torch.Generator().manual_seed(0))
    call: dict[str, Any] = {**QUICK, "steps": 12, "seeds": 6, "unit_steps": [0.5], "edge_steps": [], "confidence": None}
    model = nn.Sequential(nn.Linear(3, 6), nn.ReLU(), nn.Linear(6, 1))
    for tolerance, most in ((0.005, 12), (0.02, 40)):
        result = sculpt(model, (x, x.sum(dim=1)), **call, tolerance=tolerance, dense_rounds=most)
        best = []
        for seed in range(6):
            reached = [a.accuracy for a in result.history if a.phase == "dense" and a.chain.seed == seed]
            gains = [number for number in range(len(reached)) if reached[number] > max(reached[:number], default=-np.inf)]
            assert len(reached) == min(most, gains[-1] + 4)
            assert all(later - earlier <= 3 for earlier, later in pairwise(gains))
            best.append(max(reached))
        assert result.min_accuracy == pytest.approx(max(best) - tolerance)
        # Networks are returned at their best round.
        assert [n.accuracy for n in result.dense] == pytest.approx(best)
        assert [n.origin["seed"] for n in result.dense] == list(range(6))
        assert all(n.density == 1.0 for n in result.dense)
        assert all(n.accuracy >= result.min_accuracy - 1e-9 for n in result.candidates)


def test_half_of_the_tolerance_is_kept_for_the_edges() -> None:
    x, y = xor_classes()
    model = nn.Sequential(nn.Linear(4, 16), nn.ReLU(), nn.Linear(16, 2))
    for tolerance in (0.004, 0.04):
        result = sculpt(model, (x, y), **QUICK, tolerance=tolerance, confidence=None)
        for phase, needed in (("units", result.min_accuracy + tolerance / 2), ("edges", result.min_accuracy)):
            attempts = [a for a in result.history if a.phase == phase]
            assert {a.accepted for a in attempts} == {True, False}
            assert all(a.accepted == (a.accuracy >= needed - 1e-9) for a in attempts)
    # Without edge steps, or with a given min_accuracy, there is no reserve.
    for call in ({**QUICK, "edge_steps": []}, {**QUICK, "min_accuracy": 0.9}):
        result = sculpt(model, (x, y), **call, tolerance=0.04, confidence=None)
        assert all(a.accepted == (a.accuracy >= result.min_accuracy - 1e-9) for a in result.history if a.phase == "units")


def test_dense_training_goes_on_at_constant_accuracy_while_the_loss_falls() -> None:
    """Outputs that are all zero have nine of ten bits right, and the first rounds reach no more."""
    task = tasks.named("mnist-pair:source=digits,size=4,pairs=1000,validation=500,test=100")
    result = sculpt(task.model(16, 1), task, seeds=1, unit_steps=[0.5], edge_steps=[], steps=4, progress=False)
    reached = [a.accuracy for a in result.history if a.phase == "dense"]
    assert reached[:3] == pytest.approx([0.9] * 3, abs=2e-3)
    assert result.dense[0].accuracy > 0.92


def test_where_nothing_was_learnt_nothing_is_pruned() -> None:
    x = torch.randn(100, 2, generator=torch.Generator().manual_seed(0))
    model = nn.Sequential(nn.Linear(2, 4), nn.ReLU(), nn.Linear(4, 1))
    call: dict[str, Any] = {"seeds": 2, "unit_steps": [0.5], "edge_steps": [0.1], "dense_rounds": 1, "steps": 1, "progress": False}
    for y, constant in ((x.sum(dim=1), 0.0), ((x.sum(dim=1) > 1.5).float(), 0.9)):
        result = sculpt(model, (x, y), **call, learning_rate=1e-9)
        assert result.stop_reason == StopReason.NOTHING_LEARNT
        assert result.network is None
        assert len(result.dense) == 2
        assert result.accuracy <= result.min_accuracy
        assert result.min_accuracy == pytest.approx(constant, abs=0.1)
        assert {attempt.phase for attempt in result.history} == {"dense"}
        assert not any(attempt.accepted for attempt in result.history)
        assert "No dense network beat the best constant prediction" in str(result)
    asked = sculpt(model, (x, x.sum(dim=1)), **call, learning_rate=1e-9, min_accuracy=0.5)
    assert asked.stop_reason == StopReason.NOTHING_ACCEPTED
    diverged = sculpt(model, (x, 1e25 * x.sum(dim=1)), **call)
    assert diverged.stop_reason == StopReason.NOTHING_LEARNT


def test_a_model_that_overflows_does_not_count() -> None:
    accuracies = torch.tensor([torch.nan, 0.9], dtype=torch.float64)
    criterion = AcceptanceCriterion(tolerance=0.1, constant=0.5)
    assert not criterion.known
    assert criterion.follow(accuracies)
    assert criterion.min_accuracy == pytest.approx(0.8)
    assert criterion.accepts(accuracies, "edges").tolist() == [False, True]
    close = AcceptanceCriterion(tolerance=0.1, constant=0.85)
    assert close.follow(accuracies)
    assert 0.85 < close.min_accuracy < 0.85 + 1e-6  # the best constant prediction lies within the tolerance
    assert not AcceptanceCriterion(tolerance=0.1, constant=0.9).follow(accuracies)
