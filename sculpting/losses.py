"""Losses, each with its accuracy: one entry a loss.

N = members, k = outputs, S = rows. ``z (N, k, S)`` are the outputs of the last layer; targets ``y`` broadcast to it
(classes one-hot). The loss of a row is the mean over its outputs (for classes the cross-entropy of the row).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

__all__ = ["LOSSES", "Loss"]


@dataclass(frozen=True)
class Loss:
    """A loss and its accuracy; all but the divisor are functions of ``(z, y)``.

    Attributes
    ----------
    slope
        Derivative of the loss of each row with respect to its z, times the divisor: ``(N, k, S)``.
    divisor
        A function of the number of outputs. Gradients are divided by it once, at the parameters, which saves a pass over all rows.
    mean
        Mean loss ``(N,)``.
    accuracy
        Float64 ``(N,)``.
    """

    slope: Callable[[Tensor, Tensor], Tensor]
    divisor: Callable[[int], float]
    mean: Callable[[Tensor, Tensor], Tensor]
    accuracy: Callable[[Tensor, Tensor], Tensor]


def _log_loss(z: Tensor, y: Tensor) -> Tensor:
    """-log of the probability of the correct bit, in three fast calls instead of one slow softplus."""
    return (z * (2 * y - 1)).sigmoid_().clamp_(min=1e-38).log_().mean(dim=(1, 2)).neg_()


def _right_bits(z: Tensor, y: Tensor) -> Tensor:
    """1 - the fraction of wrong bits; counted in float32, exact to 2^24: bools were four times slower, sums in float64 two to four."""
    wrong = torch.gt(z, 0, out=torch.empty_like(z)).sub_(y).abs_()
    return wrong.sum(dim=(1, 2)).double().div_(-z.shape[1] * z.shape[2]).add_(1)


def _right_classes(z: Tensor, y: Tensor) -> Tensor:
    return (z.argmax(dim=1) == y.argmax(dim=-2)).sum(dim=1, dtype=torch.float64).div_(z.shape[2])


def _explained(z: Tensor, y: Tensor) -> Tensor:
    """R squared over all outputs together: 1 - sum (z - y)^2 / sum (y - mean y)^2; constant targets count as variance 1."""
    around = (y - y.mean(dim=-1, keepdim=True)).square().sum(dim=(-2, -1), dtype=torch.float64)
    return 1 - (z - y).square().sum(dim=(1, 2), dtype=torch.float64) / torch.where(around > 0, around, 1.0)


LOSSES: dict[str, Loss] = {
    "bce": Loss(lambda z, y: torch.sigmoid(z).sub_(y), float, _log_loss, _right_bits),
    "ce": Loss(
        lambda z, y: torch.softmax(z, dim=1).sub_(y),
        lambda k: 1.0,
        lambda z, y: (torch.logsumexp(z, dim=1) - (z * y).sum(dim=1)).mean(dim=1),
        _right_classes,
    ),
    "mse": Loss(lambda z, y: z - y, lambda k: k / 2, lambda z, y: (z - y).square().mean(dim=(1, 2)), _explained),
}
