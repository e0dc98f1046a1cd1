"""Scores and groups of any module: against a chain of the same weights, against numbers by hand, and under the group lasso."""

from __future__ import annotations

from copy import deepcopy

import numpy as np
import pytest
import torch
from architectures import ARCHITECTURES
from test_narrow_any import Residual, Unreadable, mlp, rows_for, seeded, unreadable
from torch import Tensor, nn

from sculpting.autograd import Architecture, ModulePopulation
from sculpting.autograd.groups import group_layers
from sculpting.models.groups import units
from sculpting.narrow import Lasso, UnitScores, ablation_scores, attribution_scores, narrow, prune_units
from sculpting.narrow.reading import read_pair


@pytest.mark.parametrize("loss", ["bce", "ce", "mse"])
def test_scores_of_a_chain_read_as_a_module_are_those_of_the_chain(loss: str) -> None:
    model, data = unreadable(5, 7, 6, 3), rows_for(loss)
    before = deepcopy(model.state_dict())
    for score in (
        lambda m: ablation_scores(m, data, loss=loss),
        lambda m: attribution_scores(m, data, loss=loss),
        lambda m: attribution_scores(m, data, "activation_gradient", loss=loss),
    ):
        found, expected = score(model), score(model.chain)
        assert isinstance(found, UnitScores)
        assert [part.dtype for part in found] == [np.float64] * 2
        assert [layer.name for layer in found.layers] == ["chain.0", "chain.2"]
        assert [*found.by_name] == ["chain.0", "chain.2"]
        for ours, theirs in zip(found, expected, strict=True):
            np.testing.assert_allclose(ours, theirs, atol=1e-6)
    assert all(torch.equal(part, before[name]) for name, part in model.state_dict().items())


def by_hand() -> tuple[Unreadable, tuple[Tensor, Tensor]]:
    """Two units that copy their input, of which the first is read by 1 and the second by 0; errors are 1 - 2 and 0."""
    model = Unreadable(mlp(2, 2, 1))
    with torch.no_grad():
        model.chain[0].weight.copy_(torch.eye(2))
        model.chain[0].bias.zero_()
        model.chain[2].weight.copy_(torch.tensor([[1.0, 0.0]]))
        model.chain[2].bias.zero_()
    return model, (torch.eye(2), torch.tensor([[2.0], [0.0]]))


def test_scores_worked_out_by_hand() -> None:
    """The loss is (1 - 2)^2 / 2 = 0.5, without the first unit 2^2 / 2 = 2; a dL/da is -2 in one of two rows; w dL/dw -1 on each side."""
    model, data = by_hand()
    np.testing.assert_allclose(ablation_scores(model, data, loss="mse")[0], [1.5, 0.0], atol=1e-7)
    np.testing.assert_allclose(attribution_scores(model, data, loss="mse")[0], [2.0, 0.0], atol=1e-7)
    np.testing.assert_allclose(attribution_scores(model, data, "activation_gradient", loss="mse")[0], [1.0, 0.0], atol=1e-7)


def residual() -> tuple[Residual, ModulePopulation]:
    model: Residual = seeded(Residual)
    x = torch.randn(6, 2, generator=torch.Generator().manual_seed(0))
    architecture = Architecture.of(model, units(model, x), (x,))
    return model, ModulePopulation.of(architecture, *architecture.own())


def test_groups_of_a_stream_count_each_element_once_for_each_unit() -> None:
    model, members = residual()
    (layer,) = members.architecture.groups
    assert (layer.layer.kind, len(layer.units)) == ("residual", 3)
    into, block, out = (part.weight.detach().square() for part in (model.into, model.block, model.out))
    biases = (model.into.bias + 0).detach().square() + model.block.bias.detach().square()
    expected = into.sum(dim=1) + block.sum(dim=0) + block.sum(dim=1) - block.diagonal() + out[0] + biases
    torch.testing.assert_close(Lasso(1.0).norms(members)[0], expected.sqrt())
    torch.testing.assert_close(Lasso(1.0, bias=False).norms(members)[0], (expected - biases).sqrt())
    x = torch.randn(8, 2, generator=torch.Generator().manual_seed(2))
    y = x.sum(dim=1, keepdim=True)
    model.zero_grad()
    nn.functional.mse_loss(model(x), y).backward()
    products = {name: (part.grad * part).detach() for name, part in model.named_parameters()}
    block = products["block.weight"]
    sums = products["into.weight"].sum(dim=1) + block.sum(dim=0) + block.sum(dim=1) - block.diagonal() + products["out.weight"][0]
    sums = (sums + products["into.bias"] + products["block.bias"]).abs()
    np.testing.assert_allclose(attribution_scores(model, (x, y), loss="mse")[0], sums.numpy(), atol=1e-6)


@pytest.mark.parametrize("name", ["ResNet-18", "decoder by hand", "vision transformer", "LSTM cell by hand"])
def test_a_group_is_what_goes_when_its_unit_alone_is_removed(name: str) -> None:
    make, example = ARCHITECTURES[name]
    model, generator = seeded(make), torch.Generator().manual_seed(0)
    found = units(model, seeded(example))
    elements = {part: torch.rand(1, *shape.shape, generator=generator) for part, shape in model.named_parameters()}
    for layer in group_layers(found):
        sums = layer.sums(elements)[0]
        for place in {0, len(layer.units) // 2, len(layer.units) - 1}:
            alive = torch.ones(len(found), dtype=torch.bool)
            alive[layer.units[place]] = False
            gone = {part: ~mask for part, mask in found.masks(alive).items() if part in elements}
            expected = sum(float((elements[part][0] * mask).sum()) for part, mask in gone.items())
            assert float(sums[place]) == pytest.approx(expected, rel=1e-4)
            halved, factors = {part: each.clone() for part, each in elements.items()}, torch.ones(1, len(layer.units))
            factors[0, place] = 0.5
            layer.multiply(halved, factors)
            for part, each in halved.items():
                torch.testing.assert_close(each[0], elements[part][0] * (1 - 0.5 * gone.get(part, torch.zeros(()))))


def test_a_transformer_is_narrowed_and_its_tokens_stay_tokens() -> None:
    make, example = ARCHITECTURES["decoder by hand"]
    model, x = seeded(lambda: Answer(make())), seeded(example)[:1].repeat(24, 1)
    x = torch.randint(0, int(x.max()) + 1, x.shape, generator=torch.Generator().manual_seed(0))
    y = x[:, 0] % 2
    result = narrow(model, (x, y), (x, x[:, 1] % 2), method="first-order", sparsity=0.4, batch_size=10, recovery_steps=10, revival_steps=4)
    assert result.network.tokens == (True,)
    assert result.network.predict(x).shape == (24,)
    scores = attribution_scores(model, (x, y))
    assert isinstance(scores, UnitScores)
    assert {layer.kind for layer in scores.layers} >= {"residual", "query-key", "value"}
    assert prune_units(model, scores, 0.5).predict(x).shape == (24, 2)


class Answer(nn.Module):
    """Two logits, at the last position of a model of tokens."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, x: Tensor) -> Tensor:
        return self.inner(x)[:, -1, :2]


def test_the_proximal_step_of_a_module_is_that_of_the_chain() -> None:
    model = unreadable(5, 7, 6, 3)
    pairs = [read_pair(each, rows_for("ce"), None)[0] for each in (model, model.chain)]
    for lasso in (Lasso(3.0), Lasso(3.0, bias=False), Lasso(1.0, normalised=True)):
        members, chain = (each.select([0]) for each in pairs)
        torch.testing.assert_close(lasso.norms(members), lasso.norms(chain))
        torch.testing.assert_close(lasso.penalty(members), lasso.penalty(chain))
        slopes = [torch.zeros_like(each.values) for each in (members, chain)]
        lasso.add_slope(members, slopes[0])
        lasso.add_slope(chain, slopes[1])
        lasso.shrink(members, 0.05)
        lasso.shrink(chain, 0.05)
        torch.testing.assert_close(lasso.norms(members), lasso.norms(chain))
        shape = chain.shape
        for flat, ours in ((slopes[1], members.architecture.views(slopes[0])), (chain.values, members.parameters)):
            for i, (weight, bias) in enumerate(zip(shape.weights(flat), shape.biases(flat), strict=True)):
                torch.testing.assert_close(ours[f"chain.{2 * i}.weight"], weight)
                torch.testing.assert_close(ours[f"chain.{2 * i}.bias"], bias)


def test_a_slope_of_the_penalty_is_that_of_autograd() -> None:
    _, members = residual()
    values = members.values.clone().requires_grad_()
    moved = ModulePopulation(members.architecture, values, members.mask, members.buffers)
    (expected,) = torch.autograd.grad(Lasso(1.0).penalty(moved).sum() * 0.7, values)
    slope = torch.zeros_like(members.values)
    Lasso(0.7, "subgradient").add_slope(members, slope)
    torch.testing.assert_close(slope, expected)


def test_parameters_that_do_not_train_are_not_shrunk() -> None:
    model, x = seeded(Residual), torch.randn(6, 2)
    model.into.weight.requires_grad_(False)
    architecture = Architecture.of(model, units(model, x), (x,))
    members = ModulePopulation.of(architecture, *architecture.own())
    Lasso(100.0).shrink(members, 1.0)
    assert torch.equal(members.parameters["into.weight"][0], model.into.weight)
    assert not members.parameters["block.weight"].any()
    assert not Lasso(1.0).dead(members).any()
