"""Parities as two classes, and how networks are trained on them, as published: what curricula and nonlocality share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial

import torch
from torch import Tensor

from ...tasks.task import Task

__all__ = ["EPSILON", "LEARNING_RATE", "two_classes"]

LEARNING_RATE, EPSILON = 1e-3, 1e-5


def two_classes(task: Task) -> Task:
    """A task of one bit as one of two classes, ``loss="ce"``: that the bit is 0, and that it is 1.

    Examples
    --------
    >>> from sculpting.tasks import cmsp
    >>> two_classes(cmsp(1, 2)).y.tolist()
    [[1.0, 0.0], [0.0, 1.0], [0.0, 1.0], [1.0, 0.0]]
    """
    sample = None if task.sample is None else partial(_sample_classes, task.sample)
    y_test = None if task.y_test is None else _classes(task.y_test)
    return replace(task, y=_classes(task.y), y_validation=_classes(task.y_validation), y_test=y_test, loss="ce", sample=sample)


def _classes(y: Tensor) -> Tensor:
    return torch.cat([1 - y, y], dim=1)


def _sample_classes(
    sample: Callable[[Tensor, int, int], tuple[Tensor, Tensor]], key: Tensor, step: int, rows: int
) -> tuple[Tensor, Tensor]:
    x, y = sample(key, step, rows)
    return x, _classes(y)
