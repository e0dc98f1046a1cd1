"""Elementwise activations: one entry a function, with its derivative and its PyTorch module."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

__all__ = ["ACTIVATIONS", "Activation"]


@dataclass(frozen=True)
class Activation:
    """An elementwise function: ``apply(z, out)`` writes ``h``, and ``backward(d, z, h) = d * dh/dz``.

    ``overwrite(d, h)`` writes the same over ``d``, where one call of torch can: half of the time of ``backward``.
    """

    apply: Callable[[Tensor, Tensor], Tensor]
    backward: Callable[[Tensor, Tensor, Tensor], Tensor]
    module: Callable[[], nn.Module]
    overwrite: Callable[[Tensor, Tensor], Tensor] | None = None


def _gelu_slope(z: Tensor) -> Tensor:
    return 0.5 * (1 + torch.erf(z / math.sqrt(2))) + z * torch.exp(-0.5 * z * z) / math.sqrt(2 * math.pi)


def _silu_slope(z: Tensor) -> Tensor:
    s = torch.sigmoid(z)
    return s * (1 + z * (1 - s))


def _mish_slope(z: Tensor) -> Tensor:
    t = torch.tanh(F.softplus(z))
    return t + z * torch.sigmoid(z) * (1 - t * t)


def _hardtanh(least: float, most: float, module: Callable[[], nn.Module]) -> Activation:
    return Activation(
        lambda z, out: torch.clamp(z, least, most, out=out),
        lambda d, z, h: torch.ops.aten.hardtanh_backward.default(d, z, least, most),
        module,
        lambda d, h: torch.ops.aten.hardtanh_backward.grad_input(d, h, least, most, grad_input=d),
    )


SELU_SCALE, SELU_ALPHA = 1.0507009873554805, 1.6732632423543772  # Klambauer et al., NeurIPS 2017

ACTIVATIONS: dict[str, Activation] = {
    "identity": Activation(lambda z, out: out.copy_(z), lambda d, z, h: d, nn.Identity),
    "relu": Activation(
        lambda z, out: torch.clamp(z, min=0, out=out),
        lambda d, z, h: torch.ops.aten.threshold_backward.default(d, z, 0),
        nn.ReLU,
        lambda d, h: torch.ops.aten.threshold_backward.grad_input(d, h, 0, grad_input=d),
    ),
    "leaky_relu": Activation(lambda z, out: out.copy_(F.leaky_relu(z)), lambda d, z, h: torch.where(z > 0, d, 0.01 * d), nn.LeakyReLU),
    "clipped_relu": _hardtanh(0.0, 1.0, partial(nn.Hardtanh, 0.0, 1.0)),
    "hardtanh": _hardtanh(-1.0, 1.0, nn.Hardtanh),
    "relu6": _hardtanh(0.0, 6.0, nn.ReLU6),
    "tanh": Activation(lambda z, out: torch.tanh(z, out=out), lambda d, z, h: d * (1 - h * h), nn.Tanh),
    "sigmoid": Activation(lambda z, out: torch.sigmoid(z, out=out), lambda d, z, h: d * (h * (1 - h)), nn.Sigmoid),
    "elu": Activation(lambda z, out: out.copy_(F.elu(z)), lambda d, z, h: torch.where(z > 0, d, d * (h + 1)), nn.ELU),
    "gelu": Activation(lambda z, out: out.copy_(F.gelu(z)), lambda d, z, h: d * _gelu_slope(z), nn.GELU),
    "gelu_tanh": Activation(
        lambda z, out: out.copy_(F.gelu(z, approximate="tanh")),
        lambda d, z, h: torch.ops.aten.gelu_backward.default(d, z, approximate="tanh"),
        partial(nn.GELU, "tanh"),
    ),
    "selu": Activation(
        lambda z, out: out.copy_(F.selu(z)),
        lambda d, z, h: torch.where(z > 0, d * SELU_SCALE, d * (h + SELU_SCALE * SELU_ALPHA)),
        nn.SELU,
    ),
    "mish": Activation(lambda z, out: out.copy_(F.mish(z)), lambda d, z, h: d * _mish_slope(z), nn.Mish),
    "hardswish": Activation(
        lambda z, out: out.copy_(F.hardswish(z)), lambda d, z, h: torch.ops.aten.hardswish_backward.default(d, z), nn.Hardswish
    ),
    "hardsigmoid": Activation(
        lambda z, out: out.copy_(F.hardsigmoid(z)), lambda d, z, h: torch.ops.aten.hardsigmoid_backward.default(d, z), nn.Hardsigmoid
    ),
    "softsign": Activation(lambda z, out: out.copy_(F.softsign(z)), lambda d, z, h: d * (1 - h.abs()).square(), nn.Softsign),
    "log_sigmoid": Activation(lambda z, out: out.copy_(F.logsigmoid(z)), lambda d, z, h: d * torch.sigmoid(-z), nn.LogSigmoid),
    "silu": Activation(lambda z, out: out.copy_(F.silu(z)), lambda d, z, h: d * _silu_slope(z), nn.SiLU),
    "softplus": Activation(lambda z, out: out.copy_(F.softplus(z)), lambda d, z, h: d * torch.sigmoid(z), nn.Softplus),
}
