"""BatchNorms that are folded into the layers in front of them: where they go, where they stay, and that the answer is the same."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from architectures import ARCHITECTURES
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812
from torch.nn.modules.batchnorm import _BatchNorm

from sculpting.models.groups import units
from sculpting.models.norm_folding import without_norms
from sculpting.models.sparse_module import SparseModule


def trained(model: nn.Module) -> nn.Module:
    """The model with norms as training may leave them."""
    for name, part in [*model.named_parameters(), *model.named_buffers()]:
        if part.ndim == 1 and part.is_floating_point():
            nn.init.uniform_(part, 0.5, 2.0) if "var" in name else nn.init.normal_(part)
    return model.eval()


def norms(model: nn.Module) -> int:
    return sum(isinstance(part, _BatchNorm) for part in model.modules())


def check_same(found: nn.Module, model: nn.Module, x: Tensor) -> None:
    with torch.no_grad():
        wanted = model(x)
        assert float((found(x) - wanted).abs().max()) <= 1e-5 * float(wanted.abs().max())


def cnn() -> nn.Module:
    """With a convolution that has no bias, one that has, and a Linear layer."""
    return nn.Sequential(
        nn.Conv2d(2, 6, 3, bias=False), nn.BatchNorm2d(6), nn.ReLU(), nn.Conv2d(6, 4, 3), nn.BatchNorm2d(4, affine=False),
        nn.ReLU(), nn.Flatten(), nn.Linear(16, 5), nn.BatchNorm1d(5, eps=0.1), nn.Tanh(), nn.Linear(5, 3),
    )  # fmt: skip


MODELS = {"CNN": (cnn, (7, 2, 6, 6), 3), "ResNet-18": (ARCHITECTURES["ResNet-18"][0], (7, 3, 12, 12), 20)}


@pytest.mark.parametrize("name", [*MODELS])
def test_a_compact_module_has_no_norm_behind_a_layer_and_answers_the_same(name: str) -> None:
    torch.manual_seed(0)
    make, shape, count = MODELS[name]
    model, x = trained(make()), torch.randn(shape)
    found = units(model, x)
    layer = next(layer for layer in found.layers if layer.kind == "channel")
    alive = torch.ones(len(found), dtype=torch.bool)
    alive[layer.first + 1] = False
    masks = {**{key: torch.ones_like(part, dtype=torch.bool) for key, part in model.named_parameters()}}
    masks |= {key: mask for key, mask in found.masks(alive).items() if key in masks}
    values = {key: part.detach() * masks[key] for key, part in model.named_parameters()}
    network = SparseModule.of(model, found, values, masks)
    assert norms(network.model()) == count
    removal = network.compact(x)
    assert norms(removal.module) == 0
    assert bool(removal.removed[layer.first + 1])
    check_same(removal.module, network.model(), torch.randn(shape))
    assert norms(network.model()) == count


class Own(nn.Module):
    """A convolution and a norm that can be folded, and then some that are put together by ``run``."""

    def __init__(self, run: Callable[[Own, Tensor], Tensor]) -> None:
        super().__init__()
        self.first = nn.Sequential(nn.Conv2d(2, 2, 3), nn.BatchNorm2d(2))
        self.conv, self.norm, self.again, self.run = nn.Conv2d(2, 2, 3, padding=1), nn.BatchNorm2d(2), nn.BatchNorm2d(2), run

    def forward(self, x: Tensor) -> Tensor:
        return self.run(self, self.first(x).relu())


def functional_norm(m: Own, x: Tensor) -> Tensor:
    return F.batch_norm(m.conv(x), m.norm.running_mean, m.norm.running_var, m.norm.weight, m.norm.bias)


STAYING: dict[str, Callable[[Own, Tensor], Tensor]] = {
    "an activation between": lambda m, x: m.norm(m.conv(x).tanh()),
    "output read twice": lambda m, x: m.norm(y := m.conv(x)) + y,
    "two norms of one output": lambda m, x: m.norm(y := m.conv(x)) + m.again(y),
    "layer that runs twice": lambda m, x: m.conv(m.norm(m.conv(x))),
    "norm that runs twice": lambda m, x: m.norm(m.conv(m.norm(x))),
    "norm before the layer": lambda m, x: m.conv(m.norm(x)),
    "parameters read elsewhere": lambda m, x: m.norm(m.conv(x)) * m.norm.bias.sum(),
    "norm of no module": functional_norm,
}


@pytest.mark.parametrize("name", [*STAYING])
def test_a_norm_stays_where_it_cannot_be_folded(name: str) -> None:
    torch.manual_seed(0)
    model, x = trained(Own(STAYING[name])), torch.randn(4, 2, 5, 5)
    found = without_norms(model, x)
    assert (norms(model), norms(found), type(found.first[1])) == (3, 2, nn.Identity)
    check_same(found, model, x)


def test_a_norm_over_positions_stays() -> None:
    torch.manual_seed(0)
    layers = (nn.Conv1d(4, 4, 1), nn.BatchNorm1d(4), nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Linear(4, 2))
    model, x = trained(nn.Sequential(*layers)), torch.randn(5, 4, 3)
    found = without_norms(model, x)
    assert [isinstance(found[i], _BatchNorm) for i in (1, 3)] == [False, True]
    check_same(found, model, x)


class WithActivation(nn.BatchNorm2d):
    """A norm that does more than its class says."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x).relu()


class Written(nn.Module):
    """A norm by its own hand, from parameters of its own names."""

    def __init__(self) -> None:
        super().__init__()
        self.gain = nn.Parameter(torch.rand(4) + 0.5)
        self.register_buffer("centre", torch.randn(4))
        self.register_buffer("spread", torch.rand(4) + 0.5)

    def forward(self, x: Tensor) -> Tensor:
        return F.batch_norm(x, self.centre, self.spread, self.gain, eps=0.01)


def test_what_a_module_does_counts_and_not_its_class() -> None:
    torch.manual_seed(0)
    x = torch.randn(4, 2, 5, 5)
    model = nn.Sequential(nn.Conv2d(2, 4, 3), Written(), trained(nn.Sequential(nn.Conv2d(4, 4, 3), WithActivation(4)))).eval()
    found = without_norms(model, x)
    assert isinstance(found[1], nn.Identity)
    assert isinstance(found[2][1], WithActivation)
    check_same(found, model, x)
