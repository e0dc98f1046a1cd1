"""Losses of language models, the group lasso, and fresh models."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from language_tiny import elements, groups_of, tiny
from test_language_scores import WINDOWS, same, state

from sculpting.narrow.language import LassoPenalty, mean_loss
from sculpting.narrow.language.groups.slices import scale_groups
from sculpting.narrow.language.groups.students import fresh_student
from sculpting.narrow.language.scores.scoring import group_norms
from sculpting.narrow.language.training.lasso import dead_groups, shrink
from sculpting.narrow.language.training.loss import distilled_loss, next_token_loss

# Losses


def test_a_model_has_no_divergence_from_itself_and_mixing_blends_two_losses() -> None:
    model, teacher = tiny(dtype=torch.float64), tiny("llama", torch.float64)
    scale_groups(teacher, groups_of().of("neurons")[0], torch.full((20,), 1.5))
    cross = float(next_token_loss(model, WINDOWS).detach())
    assert float(distilled_loss(model, model, WINDOWS, 1.0, 2.0).detach()) == pytest.approx(0, abs=1e-12)
    assert float(distilled_loss(model, teacher, WINDOWS, 0.0, 2.0).detach()) == pytest.approx(cross, rel=1e-12)
    whole, half = (float(distilled_loss(model, teacher, WINDOWS, mixing, 2.0).detach()) for mixing in (1.0, 0.5))
    with torch.no_grad():
        logs = [torch.log_softmax(m(input_ids=WINDOWS).logits[:, :-1] / 2, -1) for m in (teacher, model)]
    assert whole == pytest.approx(4 * float((logs[0].exp() * (logs[0] - logs[1])).sum(-1).mean()), rel=1e-9)
    assert half == pytest.approx((whole + cross) / 2, rel=1e-9)


def test_the_loss_is_the_mean_of_the_library_s_own() -> None:
    model = tiny(dtype=torch.float64)
    wanted = float(model(input_ids=WINDOWS, labels=WINDOWS).loss.detach())
    assert mean_loss(model, WINDOWS, batch_size=4) == pytest.approx(wanted, rel=1e-6)  # that one is in float32


# Group lasso


@pytest.mark.parametrize("by_size", [False, True])
def test_a_proximal_step_solves_its_problem(by_size: bool) -> None:
    model, layers = tiny(dtype=torch.float64), groups_of().of("neurons")
    before = copy.deepcopy(model)
    count = elements(model, layers[0], 0).numel()
    assert count == 3 * 24
    norms = group_norms(model, layers[0])
    rate, weight = 0.01, count**0.5 if by_size else 1.0
    strength = float(norms.median()) / (rate * weight)  # half of the groups are below the threshold
    shrink(model, layers, LassoPenalty(strength, by_size=by_size), rate)
    for group in range(20):
        old, new = elements(before, layers[0], group), elements(model, layers[0], group)
        threshold = rate * strength * weight
        if float(old.norm()) <= threshold:
            assert not bool(new.any())
        else:  # a stationary point of |x - old|^2 / 2 + threshold |x|
            torch.testing.assert_close(new - old + threshold * new / new.norm(), torch.zeros_like(new), rtol=0, atol=1e-12)
    assert 5 < int(dead_groups(model, layers)[0].sum()) < 15


def test_groups_that_are_zero_stay_zero_through_the_optimiser() -> None:
    model, layers = tiny(), groups_of().of("neurons")
    optimiser = torch.optim.AdamW(model.parameters(), lr=0.01, weight_decay=0.1)
    dead = [torch.zeros(20, dtype=torch.bool)] * 2
    for _ in range(30):
        optimiser.zero_grad()
        next_token_loss(model, WINDOWS).backward()
        optimiser.step()
        moments = {name: optimiser.state[tensor]["exp_avg"] for name, tensor in model.named_parameters()}
        shrink(model, layers, LassoPenalty(20.0 if int(torch.cat(dead).sum()) < 10 else 1e-6), 0.01, moments)
        now = dead_groups(model, layers)
        assert all(bool((before <= after).all()) for before, after in zip(dead, now, strict=True))
        dead = now
    assert 10 <= int(torch.cat(dead).sum()) < 40
    for layer, mask in zip(layers, dead, strict=True):
        assert not any(bool(elements(model, layer, int(group)).any()) for group in torch.nonzero(mask))


@pytest.mark.parametrize("strength", [0, -1.0, float("inf"), float("nan"), True, "2"])
def test_a_penalty_must_be_positive(strength: Any) -> None:
    with pytest.raises(ValueError, match="strength must be a positive number"):
        LassoPenalty(strength)


# Fresh models


def test_a_fresh_model_has_the_widths_that_are_asked_for() -> None:
    state_before = torch.random.get_rng_state()
    model = tiny()
    one, same_one, other = (fresh_student(model, groups_of(), neurons=0.5, residual=0.4, seed=seed) for seed in (0, 0, 1))
    assert torch.equal(state_before, torch.random.get_rng_state())
    assert (one.config.intermediate_size, one.config.hidden_size) == (10, 16)  # 14.4, up to a multiple of 4 heads
    assert same(state(one)["bits"], state(same_one)["bits"])
    assert not same(state(one)["bits"], state(other)["bits"])
    assert one.model.embed_tokens.weight.shape == (48, 16)
    least = fresh_student(model, groups_of(), neurons=0.99, residual=0.99)
    assert (least.config.intermediate_size, least.config.hidden_size) == (1, 4)
