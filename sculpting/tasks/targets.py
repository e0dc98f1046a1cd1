"""Targets as columns of numbers, and the loss that follows from them.

S = rows, k = outputs.
"""

from __future__ import annotations

import warnings

import torch
from torch import Tensor

from ..checks import check_choice
from ..losses import LOSSES

__all__ = ["check_outputs", "loss_of", "targets"]

FEW_CLASSES = 1_000  # more than rows are counts, not classes
MOST_VALUES = 10**9  # of one-hot classes: 4 GB


def loss_of(y: Tensor, outputs: int | None) -> str:
    """The loss that follows from targets: columns of bits, one integer class a row, or real values.

    Warns
    -----
    UserWarning
        When bits are -1 and 1, or real values could be meant as probabilities.
    """
    whole, bits = not y.is_floating_point(), _are_bits(y)
    if bits and bool((y == -1).any()):
        _note("targets of -1 and 1 are taken as 0 and 1. Pass 0 and 1, or loss='mse' to fit them as numbers")
    if whole and y.ndim == 1 and y.dtype != torch.bool and (outputs or 2) > 1:
        return "ce"
    if bits:
        return "bce"
    if whole and y.ndim == 1:
        return "ce"
    if bool(((y >= 0) & (y <= 1)).all()):
        _note(
            "targets between 0 and 1 are taken as real values. Pass loss='mse' if they are; pass bits (y > 0.5) or classes (y.argmax(1)) "
            "if they are probabilities"
        )
    return "mse"


def targets(y: Tensor, loss: str, outputs: int | None) -> Tensor:
    """Targets as float32 of shape (S, k): bits, one-hot classes or real values.

    Raises
    ------
    ValueError
        When they do not fit the loss or the number of outputs.
    """
    check_choice("loss", loss, [*LOSSES])
    if loss == "ce":
        return _one_hot(y, outputs)
    y = y.float().reshape(len(y), -1)
    if loss == "bce":
        if not _are_bits(y):
            raise ValueError(
                f"loss 'bce' needs targets of 0 and 1; got values from {y.min():g} to {y.max():g}. For real targets pass loss='mse'"
            )
        y = y.clamp(min=0)
    check_outputs(y, outputs, loss)
    return y


def _one_hot(y: Tensor, outputs: int | None) -> Tensor:
    if y.ndim != 1 or (y.is_floating_point() and bool((y != y.round()).any())):
        raise ValueError(f"loss 'ce' needs one integer class a row, y of shape (S,); got shape {tuple(y.shape)} of {y.dtype}")
    classes = outputs or int(y.max()) + 1
    if classes == 1:
        raise ValueError(
            "classes must have at least two outputs, one for each class; got integer targets for one output. For counts and other "
            "numbers pass loss='mse'"
        )
    y = y.long()
    if classes == 2 and _are_bits(y):
        y = y.clamp(min=0)
    if int(y.min()) < 0 or int(y.max()) >= classes:
        raise ValueError(f"classes must lie in 0...{classes - 1}, one for each output of the model; got {int(y.min())}...{int(y.max())}")
    if len(y) * classes > MOST_VALUES or (outputs is None and classes > FEW_CLASSES + len(y)):
        raise ValueError(
            f"classes must be fewer than the rows, and their one-hot targets at most 4 GB; got {classes:,} classes and {len(y):,} rows. "
            "For counts and other numbers pass loss='mse'"
        )
    return torch.zeros(len(y), classes, dtype=torch.float32).scatter_(1, y.unsqueeze(1), 1.0)


def _are_bits(y: Tensor) -> bool:
    """Whether each column has two values at most, either 0 and 1 or -1 and 1."""
    columns = y.reshape(len(y), -1)
    bits = ((columns == 0) | (columns == 1)).all(dim=0)
    return bool((bits | ((columns == -1) | (columns == 1)).all(dim=0)).all())


def _note(text: str) -> None:
    warnings.warn(text, UserWarning, stacklevel=4)  # where as_task is called


def check_outputs(y: Tensor, outputs: int | None, loss: str) -> None:
    """Refuse targets of shape (S, k) for a model with another number of outputs."""
    if outputs is not None and y.shape[1] != outputs:
        hint = ". Classes are given as integers, y of shape (S,)" if y.shape[1] == 1 and bool((y == y.round()).all()) else ""
        raise ValueError(
            f"targets must have {outputs} columns, one for each output of the model, for loss {loss!r}; got {y.shape[1]}{hint}"
        )
