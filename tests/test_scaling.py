"""Standardised rows, and networks in the user's units."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from sculpting import sculpt
from sculpting.mlp.export import networks_of
from sculpting.mlp.population import Population
from sculpting.models import read_model
from sculpting.scaling import Scaling
from sculpting.tasks import as_task

X = np.random.default_rng(0).normal(size=(120, 3)) * [1, 1e-9, 1e6] + [0, 0, 5e6]
Y = np.stack([X[:, 0], X[:, 1] * 1e12], axis=1)
QUICK: dict[str, Any] = {"seeds": 1, "unit_steps": [0.3], "edge_steps": [0.05], "progress": False}


def model(bias: bool = True) -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(3, 8, bias=bias), nn.Tanh(), nn.Linear(8, 2, bias=bias))


@pytest.mark.parametrize("bias", [True, False])
def test_a_model_computes_the_same_in_standard_units_and_back(bias: bool) -> None:
    task, chain = as_task((X, Y)), read_model(model(bias))
    scaling = Scaling.of(task, [chain])
    scaled = scaling.task(task)
    if bias:
        torch.testing.assert_close(scaled.x.mean(dim=0), torch.zeros(3), atol=1e-5, rtol=0)
        torch.testing.assert_close(scaled.y.std(dim=0, correction=0), torch.ones(2))
    else:
        assert not scaling.x_mean.any()  # nothing could take it up
        assert not scaling.y_mean.any()
    population = Population.of(chain.shape, scaling.chain(chain).values[None], chain.mask[None])
    network = networks_of(population, [{}])[0]
    with torch.no_grad():
        there = network.model()(scaled.x).double() * scaling.y_scale + scaling.y_mean
        back = scaling.network(network).model().double()(task.x.double())
    torch.testing.assert_close(there, back, rtol=1e-3, atol=1e-3 * float(back.std()))
    chained = nn.Sequential(*model(bias)).double()
    torch.testing.assert_close(back, chained(task.x.double()).detach(), rtol=1e-3, atol=1e-3 * float(back.std()))


def test_the_scale_of_outputs_and_inputs_changes_nothing() -> None:
    plain = sculpt(model(), (X / [1, 1e-9, 1e6], Y / [1, 1e3]), **QUICK)
    scaled = sculpt(model(), (X, Y * [1e-9, 1e9]), **QUICK)
    assert [int((w != 0).any(axis=1).sum()) for w in scaled.network.weights][-1] == 2  # both outputs read something
    assert scaled.network.edge_count == pytest.approx(plain.network.edge_count, abs=2)
    assert min(figure.value for figure in scaled.by_output().values()) > 0.9
    assert scaled.test_accuracy.value == pytest.approx(plain.test_accuracy.value, abs=0.05)


def test_columns_that_hardly_vary_are_not_blown_up() -> None:
    x = np.zeros((120, 2))
    x[:3, 0] = 1
    scaling = Scaling.of(as_task((x, X[:, 0])), [read_model(nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 1)))])
    assert scaling.x_scale.tolist() == pytest.approx([0.1, 1.0], abs=0.06)


def test_outputs_behind_an_activation_keep_their_units() -> None:
    bounded = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 1), nn.Sigmoid())
    task = as_task((X, 0.5 + 0.1 * np.tanh(X[:, 0])), loss="mse")
    scaling = Scaling.of(task, [read_model(bounded).for_loss("mse")])
    assert (scaling.y_mean.tolist(), scaling.y_scale.tolist()) == ([0.0], [1.0])
