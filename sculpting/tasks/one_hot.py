"""Targets of several classes in a row: one one-hot group of bits for each.

S = rows, G = groups, p = classes of a group.
"""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional

from ..metrics import group_accuracy

__all__ = ["by_group", "one_hot_groups"]


def one_hot_groups(classes: Tensor, count: int) -> Tensor:
    """The one-hot groups ``(S, G p)``, float32, of whole numbers ``(S, G)`` below ``count``, which is p.

    Examples
    --------
    >>> import torch
    >>> one_hot_groups(torch.tensor([[0, 2]]), 3).tolist()
    [[1.0, 0.0, 0.0, 0.0, 0.0, 1.0]]
    """
    return functional.one_hot(classes, count).flatten(1).float()


def by_group(z: Tensor, y: Tensor, groups: int) -> Tensor:
    """The accuracy of each group, whose answer is its largest output: float64 of shape ``(..., G)``.

    The accuracy by output counts bits: with ten classes, 0.9 of them are right when all are 0. For ``sculpt`` to judge networks by their
    groups, give a task the metric :func:`~sculpting.group_accuracy`.

    Parameters
    ----------
    z : Tensor of shape (..., S, G p)
        Outputs of one network or of several.
    y : Tensor of shape (S, G p)
        One-hot groups.
    groups : int
        G, groups of the same number of classes.

    Raises
    ------
    ValueError
        When ``groups`` does not divide the outputs.

    Examples
    --------
    >>> import torch
    >>> by_group(torch.tensor([[0.1, 0.3, -2.0, -1.0]]), torch.tensor([[0.0, 1.0, 1.0, 0.0]]), groups=2).tolist()
    [1.0, 0.0]
    """
    return group_accuracy(groups).rows(z.mT, y.mT).mean(dim=-1)
