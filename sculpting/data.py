"""Rows on a device, as the engine of chains reads them.

S = rows, n = inputs, k = outputs, c = n + 1 + k.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from .losses import LOSSES, Loss
from .tasks.task import Task

__all__ = ["MANY_COLUMNS", "Data", "table_of", "with_rest"]

MANY_COLUMNS = 64  # from here on whole rows are copied: 1,571 columns were drawn six times faster so


@dataclass(frozen=True, eq=False)
class Data:
    """What a population is trained and checked on, on its device.

    ``x (n + 1, S)``, whose last row is 1 for the biases, and ``y (k, S)``, both in one ``table``, and the same for validation. Where there
    is a ``sample``, as that of ``Task``, the rows of batches are drawn by it, and those of ``x`` only say how many make an epoch.
    """

    table: Tensor
    x_validation: Tensor
    y_validation: Tensor
    loss: Loss
    sample: Callable[[Tensor, int, int], tuple[Tensor, Tensor]] | None = None

    @classmethod
    def of(cls, task: Task, device: torch.device | str = "cpu", copies: int = 1) -> Data:
        """The data of a task, on a device; each row for training stands there so many times."""
        table = table_of(task.x.repeat(copies, 1), task.y.repeat(copies, 1)).to(device)
        x_validation = torch.cat([task.x_validation.t(), task.x_validation.new_ones(1, len(task.x_validation))]).to(device)
        y_validation = task.y_validation.t().contiguous().to(device)
        return cls(table, x_validation, y_validation, LOSSES[task.loss], None if task.complete else task.sample)

    @property
    def x(self) -> Tensor:
        """What is fed in training, ``(n + 1, S)``: a view."""
        return self.table[: -len(self.y_validation)]

    @property
    def y(self) -> Tensor:
        """Targets of training, ``(k, S)``: a view."""
        return self.table[-len(self.y_validation) :]

    def restricted_to(self, inputs: Tensor | None) -> Data:
        """The same, with those inputs alone in the validation rows; all where None."""
        fed = len(self.x_validation)
        return self if inputs is None else replace(self, x_validation=self.x_validation[with_rest(inputs, fed - 1, fed)])


def table_of(x: Tensor, y: Tensor) -> Tensor:
    """What batches are drawn from, ``(c, S)``, of rows ``x (S, n)`` and ``y (S, k)``: inputs, the constant 1 for the biases, targets.

    Where there are many columns, the numbers of a row lie side by side in memory.
    """
    table = torch.cat([x, x.new_ones(len(x), 1), y], dim=1).t()
    return table if len(table) >= MANY_COLUMNS else table.contiguous()


def with_rest(kept: Tensor, inputs: int, width: int) -> Tensor:
    """The positions of kept inputs and of all ``width - inputs`` rows that follow the inputs: the constant 1, and targets if there are."""
    return torch.cat([kept, torch.arange(inputs, width, device=kept.device)])
