"""Models of one's own: random small modules of layers, activations, reshapes, branches and traps."""

from __future__ import annotations

import random
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from fuzz.harness import Another, Reader
from sculpting import read_model
from sculpting.surroundings import load

ROWS, INPUTS, CLOSE = 5, 3, 1e-3


class _OwnError(Exception):
    def __str__(self) -> str:
        raise RuntimeError("it has no text")


class _Own(nn.Module):
    """A module of the user's own: it passes its parts, and what a trap does to them."""

    def __init__(self, parts: list[nn.Module], trap: Callable[[_Own, Tensor], Tensor]) -> None:
        super().__init__()
        self.parts, self.trap, self.calls = nn.ModuleList(parts), trap, 0

    def forward(self, x: Tensor) -> Tensor:
        self.calls += 1
        x = self.trap(self, x)
        for part in self.parts:
            x = part(x)
        return x


class _Reading(_Own):
    """One whose attributes raise."""

    def __getattr__(self, name: str) -> Any:
        if name in ("parts", "training") or name in self.__dict__.get("_modules", {}):
            return super().__getattr__(name)
        raise KeyError(name)


class _Uncopied(_Own):
    """One that refuses to be copied."""

    def __deepcopy__(self, memo: Any) -> Any:
        raise MemoryError


def _raising(error: BaseException) -> Callable[[_Own, Tensor], Tensor]:
    def trap(module: _Own, x: Tensor) -> Tensor:
        raise error

    return trap


def _branch(module: _Own, x: Tensor) -> Tensor:
    return x * 2 if x.sum() > 0 else x


def _again(module: _Own, x: Tensor) -> Tensor:
    return module(x)


TRAPS: tuple[Callable[[_Own, Tensor], Tensor], ...] = (
    lambda module, x: x, lambda module, x: x * 2 + 1, lambda module, x: x * module.calls, lambda module, x: x + torch.randn(3),
    lambda module, x: x.t(), lambda module, x: x.flip(1), lambda module, x: x[:, :2], lambda module, x: x[torch.arange(len(x))],
    lambda module, x: x - x.mean(dim=1, keepdim=True), lambda module, x: x.double(), lambda module, x: x.long(), lambda module, x: x + 1j,
    lambda module, x: torch.cat([x, x], dim=1), lambda module, x: x * x, lambda module, x: x.numpy(), lambda module, x: None,  # type: ignore
    lambda module, x: x.mul_(3), lambda module, x: x.view(-1), lambda module, x: x.unsqueeze(1).squeeze(1), lambda module, x: x.clamp(0, 1),
    lambda module, x: x.masked_fill(x > 0, 0), lambda module, x: x.sort(dim=1).values, lambda module, x: x / 0,
    lambda module, x: x @ torch.eye(3),
    _branch, _again, _raising(_OwnError()), _raising(StopIteration()), _raising(RecursionError()), _raising(MemoryError()),
    _raising(GeneratorExit()), lambda module, x: sys.exit(3),
)  # fmt: skip
ACTIVATIONS: tuple[Callable[[], nn.Module], ...] = (
    nn.ReLU, nn.Tanh, nn.GELU, nn.Sigmoid, nn.ELU, nn.Softplus, nn.LeakyReLU, nn.ReLU6, nn.Hardtanh, nn.SELU, nn.Identity, nn.Dropout,
    nn.PReLU, nn.RReLU, lambda: nn.Softmax(dim=1), lambda: nn.Softmax(dim=0), lambda: nn.LeakyReLU(0.3), lambda: nn.Hardtanh(-2, 0.5),
    lambda: nn.Threshold(0.1, 0.2), nn.Flatten, lambda: nn.Flatten(0), lambda: nn.Unflatten(1, (1, -1)), lambda: nn.Softplus(beta=2),
)  # fmt: skip


def _layers(random: random.Random) -> list[nn.Module]:
    """Layers that mostly fit each other."""
    width, found = INPUTS, list[nn.Module]()
    for _ in range(random.randint(1, 2)):
        wide = random.choice((1, 2, 4, 5)) if random.random() < 0.97 else 0
        found.append(nn.Linear(width if random.random() < 0.95 else width + 1, wide, bias=random.random() < 0.8))
        if random.random() < 0.2:
            found.append(random.choice((nn.BatchNorm1d, nn.LayerNorm))(wide))
        if random.random() < 0.9:
            found.append(random.choice(ACTIVATIONS[: 11 if random.random() < 0.7 else None])())
        width = wide
    return [*found, nn.Linear(width, 2)]


def _changed(random: random.Random, model: nn.Module) -> nn.Module:
    """A model with something that is not usual."""
    linears = [part for part in model.modules() if isinstance(part, nn.Linear)]
    what = random.randrange(14)
    if what == 0:
        model.register_forward_hook(lambda module, given, output: output * 2)
    elif what == 1:
        vars(model)["_modules"]["again"] = model
    elif what == 2:
        if (linear := random.choice(linears)).weight.numel():  # torch refuses others itself
            nn.utils.parametrizations.weight_norm(linear)
    elif what == 3:
        model = model.to(random.choice((torch.float16, torch.bfloat16, torch.float64, torch.complex64)))
    elif what == 4:
        model = model.to("meta")
    elif what == 5:
        for _ in range(random.choice((2, 30, 63, 64, 400))):
            model = nn.Sequential(model)
    elif what == 6:
        random.choice(linears).weight.data[:1] = random.choice((float("nan"), float("inf"), 1e38))
    elif what == 7:
        model.requires_grad_(False)
    elif what == 8:
        random.choice(linears).weight = random.choice(linears).weight
    elif what == 9:
        model = nn.Sequential(nn.LazyLinear(4), nn.ReLU(), nn.Linear(4, 2))
    elif what == 10:
        model = nn.Sequential(model, model)
    return model


def make(random: random.Random, folder: Path) -> nn.Module:
    """One model, in eval mode."""
    torch.manual_seed(random.getrandbits(32))
    parts = _layers(random)
    kind = random.choices((nn.Sequential, _Own, _Reading, _Uncopied), (4, 6, 1, 1))[0]
    model = nn.Sequential(*parts) if kind is nn.Sequential else kind(parts, random.choice(TRAPS))  # type: ignore[call-arg,operator]
    return _changed(random, model) if random.random() < 0.4 else model


def read(given: nn.Module) -> None:
    """Read a model as a chain, whose answers must be those of the model."""
    chain = read_model(given)
    x = torch.randn(ROWS, chain.shape.widths[0], generator=torch.Generator().manual_seed(0))
    dtype = next(given.parameters()).dtype
    try:
        wanted = given.eval()(x.clone().to(dtype)).float()
    except (Exception, SystemExit) as error:
        if "same dtype" in str(error):  # models are read in one precision
            return
        raise Another(f"the model raises {type(error).__name__}, and was read as {chain.shape}") from error
    weights = chain.shape.weights(chain.values.unsqueeze(0))
    found = x
    for layer, (weight, whole) in enumerate(zip(weights, chain.shape.matrices(chain.values.unsqueeze(0)), strict=True)):
        found = _activated(chain.shape.activations[layer], found @ weight[0].t() + whole[0, :, -1])
    found = _head(chain.head, found)
    close = CLOSE if dtype in (torch.float32, torch.float64) else 0.05
    wanted = wanted.reshape(found.shape) if wanted.numel() == found.numel() else wanted  # axes of size 1 are left out
    if found.shape != wanted.shape or not torch.allclose(found, wanted, rtol=close, atol=close, equal_nan=True):
        raise Another(f"the model and the chain {chain.shape} with head {chain.head} give different answers")


def _activated(name: str, z: Tensor) -> Tensor:
    from sculpting.activations import ACTIVATIONS as KNOWN

    found: Tensor = KNOWN[name].module()(z)
    return found


def _head(name: str | None, z: Tensor) -> Tensor:
    return z.sigmoid() if name == "sigmoid" else z if name is None else getattr(torch, name)(z, dim=1)


def warm() -> None:
    """The tracer of torch."""
    load("torch._dynamo")
    read_model(nn.Sequential(nn.Linear(INPUTS, 2), nn.BatchNorm1d(2), nn.ReLU(), nn.Linear(2, 2)))


READERS = [Reader(name="models of one's own", make=make, read=read, refused=(ValueError, TypeError), warm=warm)]
