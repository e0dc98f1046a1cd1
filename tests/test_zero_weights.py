"""Weights of a model that are exactly zero: pruned before, they stay so."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from quick import QUICK
from torch import nn
from torch.nn.utils import prune

from sculpting import sculpt, tasks
from sculpting.narrow import ablation_scores, narrow
from sculpting.narrow.groups import read_finite

TASK = tasks.from_gates({"y0": "a & b", "y1": "c | d"})
ONCE: dict[str, Any] = {**QUICK, "seeds": 1, "unit_steps": [], "edge_steps": [0.1]}


def drawn(width: int) -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, width), nn.ReLU(), nn.Linear(width, 2))


def trained(masked: bool = False) -> nn.Sequential:
    """A model whose first three hidden units do not read two of the inputs, by zeros or by a mask of torch.nn.utils.prune."""
    model = drawn(10)
    mask = torch.ones_like(model[0].weight)
    mask[:3, :2] = 0
    prune.custom_from_mask(model[0], "weight", mask)
    adam = torch.optim.Adam(model.parameters(), lr=0.05)
    for _ in range(200):
        adam.zero_grad()
        nn.functional.binary_cross_entropy_with_logits(model(TASK.x), TASK.y).backward()
        adam.step()
    if not masked:
        prune.remove(model[0], "weight")
    return model


@pytest.mark.parametrize("masked", [False, True])
def test_zeros_of_a_model_stay_pruned_and_count_in_its_density(masked: bool) -> None:
    result = sculpt(trained(masked), TASK, initial="model", **ONCE)
    assert result.history[0].density == pytest.approx(1 - 6 / 60)
    assert result.dense[0].edge_count == 54
    np.testing.assert_array_equal(result.dense[0].model()(TASK.x).detach(), trained(masked)(TASK.x).detach())
    assert all(not network.weights[0][:3, :2].any() for network in result.candidates)
    assert len(result.candidates) == 1


def test_zeros_may_grow_when_asked_to() -> None:
    model = drawn(10)
    nn.init.zeros_(model[0].weight[:, 0])  # an input that the task needs
    blind, grown = (sculpt(model, TASK, initial="model", regrow=regrow, **ONCE) for regrow in (False, True))
    assert (blind.history[0].density, grown.history[0].density) == (pytest.approx(1 - 10 / 60), 1.0)
    assert (blind.network, grown.accuracy) == (None, 1.0)
    assert grown.network is not None
    assert grown.network.weights[0][:, 0].any()


def test_fresh_weights_do_not_see_the_zeros() -> None:
    dense = [sculpt(model, TASK, **ONCE).dense[0] for model in (trained(), drawn(10))]
    for weights in zip(*(network.weights for network in dense), strict=True):
        np.testing.assert_array_equal(*weights)


def test_zeros_of_a_model_stay_pruned_in_narrow() -> None:
    population = read_finite(trained())
    assert not population.mask.view(-1)[: 3 * 5].view(3, 5)[:, :2].any()
    (found,) = narrow(trained(), TASK, method="ablation", units=10, recovery_steps=20, batch_size=8).narrowed
    assert found.network.edge_count <= 54
    assert len(ablation_scores(trained(), TASK)[0]) == 10


def test_a_bias_of_zero_is_no_pruned_bias() -> None:
    model = drawn(4)
    nn.init.zeros_(model[0].bias)
    assert bool(read_finite(model).mask.all())


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"initial": "model"}, r"weights that are not zero, since zeros stay pruned; got none in weight layer 1. Pass regrow=True"),
        ({"regrow": True}, "regrow needs initial='model', since fresh weights are never zero; got initial='fresh'. Leave regrow out"),
    ],
)
def test_what_zeros_cannot_be_is_refused(options: dict[str, Any], text: str) -> None:
    model = drawn(4)
    nn.init.zeros_(model[2].weight)
    with pytest.raises(ValueError, match=text):
        sculpt(model, TASK, **ONCE, **options)
