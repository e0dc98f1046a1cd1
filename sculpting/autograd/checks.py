"""Checks that a module takes rows and returns one row of outputs for each, before any training.

S = rows, k = outputs.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves

from ..models.copying import FAILURES, said
from ..randomness import keys
from ..settings import RoundSettings
from ..tasks.task import Task
from .architecture import Architecture
from .dropout import Dropout
from .population import ModulePopulation
from .rows import ModuleRows
from .training import train

__all__ = ["check_head", "check_rows", "check_training", "first_rows", "outputs_of", "reads_fractions", "runs_on", "some_rows"]

CLOSE = 1e-4  # relative: rows that are computed beside others differ by rounding
PROBABILITIES = {"sigmoid", "softmax", "safe_softmax", "hardsigmoid"}
ENOUGH = 8  # rows on which outputs that are probabilities can be told from others


def first_rows(x: Any, count: int) -> tuple[Tensor, ...]:
    """The first rows of one input or several, as a tuple."""
    return tuple(part[:count] for part in (x if isinstance(x, tuple) else (x,)))


def some_rows(x: Any, count: int) -> tuple[Tensor, ...]:
    """Rows of one input or several, spread over all of them: at most ``count``."""
    parts = x if isinstance(x, tuple) else (x,)
    rows = torch.arange(len(parts[0])) if len(parts[0]) <= count else torch.linspace(0, len(parts[0]) - 1, count).long()
    return tuple(part[rows] for part in parts)


def runs_on(module: nn.Module, x: tuple[Tensor, ...]) -> bool:
    """Whether the forward of a module runs on these rows."""
    try:
        _forward(module, x)
    except FAILURES:  # the user's code may raise anything
        return False
    return True


def reads_fractions(module: nn.Module, x: tuple[Tensor, ...]) -> bool:
    """Whether a module runs on these real rows, and tells them from rows a quarter higher: one that makes integers of them does not."""
    higher = tuple(part + 0.25 for part in x)
    if not runs_on(module, x) or not runs_on(module, higher):
        return False
    answers, others = (tree_leaves(_forward(module, part)) for part in (x, higher))
    return any(not torch.equal(*pair) for pair in zip(answers, others, strict=True) if isinstance(pair[0], Tensor))


def outputs_of(module: nn.Module, x: Any, rows: int) -> int:
    """k, the number of outputs of a module in eval mode.

    Raises
    ------
    TypeError, ValueError
        When its forward fails on ``rows`` rows or on fewer, returns anything but finite real numbers ``(S, k)``, or lets rows depend on
        one another, and when the outputs are probabilities.
    """
    whole = first_rows(x, max(rows, ENOUGH))
    shapes = ", ".join(f"{tuple(part.shape)} of {part.dtype}" for part in whole)
    try:
        z = _forward(module, whole)
    except FAILURES as error:  # the user's code may raise anything
        raise TypeError(f"the model must take x of shape {shapes}; its forward raised {type(error).__name__}: {said(error)}") from error
    got = f"a {type(z).__name__}" if not isinstance(z, Tensor) else f"shape {tuple(z.shape)} of {z.dtype}"
    if not isinstance(z, Tensor) or not z.is_floating_point() or z.ndim not in (1, 2) or len(z) != len(whole[0]):
        raise ValueError(
            f"the model must return one tensor of shape (rows, outputs), here ({len(whole[0])}, k), of logits or real values; got {got}. "
            "Pass a module that returns these alone"
        )
    z = z.view(len(z), -1)
    if not bool(z.isfinite().all()):
        raise ValueError(
            f"the model must return finite numbers; got {int((~z.isfinite()).sum())} NaN or infinite of {z.numel()} in eval mode, with "
            "its own weights. Draw these again, or scale the data"
        )
    if len(z) > 1:
        _check_fewer(module, whole, z)
    if len(z) >= ENOUGH and z.shape[1] > 1 and bool((z >= 0).all()) and bool((z.sum(dim=1) - 1).abs().max() < CLOSE):
        raise ValueError(
            "the model must return logits; got outputs that are probabilities, at least 0 with a sum of 1. Leave out the softmax"
        )
    return z.shape[1]


def _check_fewer(module: nn.Module, x: tuple[Tensor, ...], z: Tensor) -> None:
    """Refuse a forward that needs a certain number of rows, or whose rows depend on the others."""
    count = len(z) - 1
    try:
        fewer = _forward(module, tuple(part[:count] for part in x)).view(count, -1)
    except FAILURES as error:  # the user's code may raise anything
        raise ValueError(
            f"the model must take any number of rows, since batches differ; it takes {len(z)}, and with {count} its forward raised "
            f"{type(error).__name__}: {said(error)}. Use x.shape[0], or -1 in view and reshape"
        ) from error
    if fewer.shape != z[:count].shape or not bool(((fewer - z[:count]).abs() <= CLOSE * z.abs().max().clamp(min=1)).all()):
        raise ValueError(
            "the rows of the model's output must not depend on the other rows in eval mode; got others when the last row was left out. "
            "Compute over the dimensions of one row only"
        )


def check_rows(architecture: Architecture, task: Task) -> None:
    """Refuse validation and test rows of another shape than the training rows."""
    shapes = [tuple(part.shape[1:]) for part in first_rows(task.x, 1)]
    for name in ("x_validation", "x_test"):
        rows = getattr(task, name)
        there = shapes if rows is None else [tuple(part.shape[1:]) for part in first_rows(rows, 1)]
        if there != shapes:
            raise ValueError(f"{name} must have rows of shape {shapes}, as x has; got {there}")


def check_head(last: str, loss: str) -> None:
    """Refuse probabilities where the loss takes logits; ``last`` is the operator that makes the answer."""
    if loss in ("bce", "ce") and last.strip("_") in PROBABILITIES:
        raise ValueError(f"the model must return logits for loss {loss!r}; got the result of {last!r}. Leave it out")


def check_training(architecture: Architecture, task: Task) -> None:
    """Refuse a module that two members cannot be trained in together, tried by one step on a few rows.

    Raises
    ------
    ValueError
        The text has what torch raised.
    """
    x, y = _part(first_rows(task.x, ENOUGH)), task.y[:ENOUGH]
    few = replace(task, x=x, y=y, x_validation=x, y_validation=y, x_test=None, y_test=None, labels_test=None)
    members = ModulePopulation.of(architecture, *architecture.own()).select([0, 0])
    settings = RoundSettings(1, len(y), keep_last=True)
    try:
        train(members, ModuleRows.of(few, dtype=architecture.dtype), settings, keys([0, 1]), torch.full((2,), 1e-3, dtype=torch.float64))
    except FAILURES as error:  # the user's code may raise anything in train mode
        raise ValueError(
            f"the model cannot be trained as one of several: a step in train mode raised {type(error).__name__}: {said(error)}. Its "
            "forward must return the same form in train mode, and must not write to its input; in place of nn.LSTM, nn.GRU and nn.RNN run "
            "a cell such as nn.LSTMCell step by step"
        ) from error


def _part(x: tuple[Tensor, ...]) -> Any:
    return x if len(x) > 1 else x[0]


def _forward(module: nn.Module, x: tuple[Tensor, ...]) -> Any:
    dtype = next((part.dtype for part in module.parameters() if part.is_floating_point()), torch.float32)
    with torch.no_grad(), Dropout(()):
        return module.eval()(*(part.to(dtype) if part.is_floating_point() else part for part in x))
