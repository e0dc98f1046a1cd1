"""Training and evaluation modes of a model, put back afterwards."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from torch import nn

__all__ = ["evaluating", "modes_kept"]


@contextmanager
def modes_kept(model: nn.Module) -> Iterator[None]:
    """Each module in the mode of before afterwards, training or evaluation."""
    before = [(module, module.training) for module in model.modules()]
    try:
        yield
    finally:
        for module, training in before:
            module.training = training


@contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """Evaluation mode inside, and the modes of before afterwards."""
    with modes_kept(model):
        model.eval()
        yield
