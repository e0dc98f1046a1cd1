"""Losses and the accuracy that belongs to each: one entry a loss.

N = members, S = rows, k = outputs. ``z`` is what the last layer gives, ``(N, S, k)``; targets ``y`` broadcast to it
(classes one-hot). The loss of a row is the mean over its outputs (for classes the cross-entropy of the row).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

__all__ = ["LOSSES", "Loss"]


@dataclass(frozen=True)
class Loss:
    """Loss of each row ``(N, S)``, its derivative to z ``(N, S, k)``, and the accuracy, float64 ``(N,)``, each from ``(z, y)``."""

    rows: Callable[[Tensor, Tensor], Tensor]
    slope: Callable[[Tensor, Tensor], Tensor]
    accuracy: Callable[[Tensor, Tensor], Tensor]


def _right_bits(z: Tensor, y: Tensor) -> Tensor:
    return ((z > 0) == (y > 0.5)).sum(dim=(1, 2)).double() / (z.shape[1] * z.shape[2])


def _right_classes(z: Tensor, y: Tensor) -> Tensor:
    return (z.argmax(dim=-1) == y.argmax(dim=-1)).sum(dim=1).double() / z.shape[1]


def _explained(z: Tensor, y: Tensor) -> Tensor:
    """R squared over all outputs together: 1 - sum (z - y)^2 / sum (y - mean y)^2; a constant target counts as variance 1e-12."""
    around = (y - y.mean(dim=-2, keepdim=True)).square().sum(dim=(-2, -1), dtype=torch.float64)
    return 1 - (z - y).square().sum(dim=(1, 2), dtype=torch.float64) / around.clamp(min=1e-12)


LOSSES: dict[str, Loss] = {
    "bce": Loss(
        lambda z, y: F.binary_cross_entropy_with_logits(z, y.expand_as(z), reduction="none").mean(dim=2),
        lambda z, y: torch.sigmoid(z).sub_(y).div_(z.shape[2]),
        _right_bits,
    ),
    "ce": Loss(
        lambda z, y: torch.logsumexp(z, dim=2) - (z * y).sum(dim=2),
        lambda z, y: torch.softmax(z, dim=2).sub_(y),
        _right_classes,
    ),
    "mse": Loss(
        lambda z, y: (z - y).square().mean(dim=2),
        lambda z, y: (z - y).mul_(2 / z.shape[2]),
        _explained,
    ),
}
