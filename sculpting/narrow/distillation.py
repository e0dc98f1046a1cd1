"""Distillation: learning from a teacher's outputs and from the targets at once.

N = members, S = rows, n = inputs, k = outputs. Targets of a distillation are ``(2 k, S)``: those of the data, and below them the
teacher's logits.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from ..checks import is_real, shown
from ..data import Data, table_of
from ..losses import LOSSES, Loss
from ..mlp.batched_mlp import BatchedMLP
from ..mlp.population import Population
from ..surroundings import set_aside

__all__ = ["check_mixing", "distillation_loss", "distilled"]


def distillation_loss(loss: str, mixing: float, temperature: float) -> Loss:
    """The loss ``(1 - m) L(y) + m T^2 KL(teacher at T || student at T)``, for targets with the teacher's logits below.

    Parameters
    ----------
    loss : {"ce", "bce"}
        L. For classes, KL compares ``softmax(logits / T)``; for bits, the Bernoulli distributions ``sigmoid(logit / T)``, as the mean
        over outputs that L is too.
    mixing : float in [0, 1]
        m.
    temperature : float
        T, positive: the higher, the more the order of the unlikely outputs counts.

    Returns
    -------
    Loss
        Its accuracy is that on ``y`` alone.

    Raises
    ------
    ValueError
        When the loss has no probabilities to compare, or a number is out of range.

    References
    ----------
    Hinton, Vinyals and Dean, "Distilling the knowledge in a neural network", 2015. Michaud, Parker-Sartori and Tegmark, "On the creation of
    narrow AI", NeurIPS 2025: m = 0.9 and T = 20 for digits, 0.5 and 2 for language models.

    Examples
    --------
    >>> at_teacher = distillation_loss("bce", mixing=1.0, temperature=2.0).slope(torch.tensor([[[3.0]]]), torch.tensor([[1.0], [3.0]]))
    >>> at_teacher.item()
    0.0
    """
    if not isinstance(loss, str) or loss not in _SOFT:
        raise ValueError(f"distillation compares probabilities, so the loss must be one of {sorted(_SOFT)}; got {shown(loss)}")
    check_mixing(mixing, temperature)
    hard, (likely, divergence) = LOSSES[loss], _SOFT[loss]

    def slope(z: Tensor, y: Tensor) -> Tensor:
        targets, logits = y.chunk(2, dim=-2)
        towards = likely(z / temperature) - likely(logits / temperature)
        return hard.slope(z, targets).mul_(1 - mixing).add_(towards, alpha=mixing * temperature)

    def mean(z: Tensor, y: Tensor) -> Tensor:
        targets, logits = y.chunk(2, dim=-2)
        return (1 - mixing) * hard.mean(z, targets) + mixing * temperature**2 * divergence(z / temperature, logits / temperature)

    return Loss(slope, lambda rows: hard.divisor(rows // 2), mean, lambda z, y: hard.accuracy(z, y.chunk(2, dim=-2)[0]))


def check_mixing(mixing: float, temperature: float) -> None:
    """Refuse a share or a temperature that is out of range."""
    if not is_real(mixing) or not 0 <= mixing <= 1:
        raise ValueError(f"mixing must be the share of the teacher's outputs in the loss, in [0, 1]; got {shown(mixing)}")
    if not is_real(temperature) or not 0 < temperature < float("inf"):
        raise ValueError(f"temperature must be a positive number; got {shown(temperature)}")


@set_aside()
def distilled(data: Data, teacher: Population, loss: str, mixing: float, temperature: float) -> Data:
    """Data whose targets carry a teacher's logits, with the loss that reads them.

    Parameters
    ----------
    data : Data
        Of the loss ``loss``. Where rows are drawn at every step, the teacher is evaluated at every step; otherwise once.
    teacher : Population
        One member, on the device of the data, as many outputs as these, without an activation at the end.
    loss, mixing, temperature
        As for :func:`distillation_loss`. Of the validation rows, the loss is the mixed one too, and the accuracy that on the targets.

    Raises
    ------
    ValueError
        When the teacher is not one network that gives logits for these data, or as :func:`distillation_loss` does.
    """
    mixed = distillation_loss(loss, mixing, temperature)
    widths, ends = teacher.shape.widths, (len(data.x) - 1, len(data.y))
    if len(teacher) != 1 or (widths[0], widths[-1]) != ends or teacher.shape.activations[-1] != "identity":
        raise ValueError(
            f"the teacher must be one network of {ends[0]} inputs and {ends[1]} outputs that ends in a Linear layer; got {len(teacher)} of "
            f"{widths[0]} and {widths[-1]} that ends in {teacher.shape.activations[-1]}"
        )
    networks = BatchedMLP(teacher.shape, teacher.values)

    def below(x: Tensor, y: Tensor) -> Tensor:
        return torch.cat([y, networks.forward(x)[0][-1][0]])

    return replace(
        data,
        table=table_of(data.x[:-1].t(), below(data.x, data.y).t()),
        y_validation=below(data.x_validation, data.y_validation),
        loss=mixed,
        sample=None if data.sample is None else _asking(data.sample, networks),
    )


def _asking(
    sample: Callable[[Tensor, int, int], tuple[Tensor, Tensor]], networks: BatchedMLP
) -> Callable[[Tensor, int, int], tuple[Tensor, Tensor]]:
    """Fresh rows as ``sample`` draws them, with the teacher's logits below the targets."""

    def drawn(key: Tensor, step: int, rows: int) -> tuple[Tensor, Tensor]:
        x, y = sample(key, step, rows)
        together = x.transpose(0, 1).flatten(1)  # the rows of all members side by side
        logits = networks.forward(torch.cat([together, together.new_ones(1, together.shape[1])]))[0][-1][0]
        return x, torch.cat([y, logits.view(len(logits), len(x), rows).transpose(0, 1)], dim=1)

    return drawn


def _between_classes(z: Tensor, logits: Tensor) -> Tensor:
    """Mean over rows of the divergence of softmax distributions, ``(N,)``."""
    target = F.log_softmax(logits, dim=-2)
    return (target.exp() * (target - F.log_softmax(z, dim=-2))).sum(dim=-2).mean(dim=-1)


def _between_bits(z: Tensor, logits: Tensor) -> Tensor:
    """Mean over rows and outputs of the divergence of Bernoulli distributions, ``(N,)``."""
    sides = (torch.sigmoid(side * logits) * (F.logsigmoid(side * logits) - F.logsigmoid(side * z)) for side in (1, -1))
    return sum(sides, torch.zeros_like(z)).mean(dim=(-2, -1))


_SOFT: dict[str, tuple[Callable[[Tensor], Tensor], Callable[[Tensor, Tensor], Tensor]]] = {
    "ce": (lambda z: torch.softmax(z, dim=-2), _between_classes),
    "bce": (torch.sigmoid, _between_bits),
}
