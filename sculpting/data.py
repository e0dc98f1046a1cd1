"""Training and validation rows on a device, in the form that the engine for chains of Linear layers needs.

S = rows, n = inputs, k = outputs, c = n + 1 + k.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from .losses import LOSSES, Loss
from .metrics import Metric, metric_of
from .tasks.task import Task

__all__ = ["MANY_COLUMNS", "Data", "table_of", "with_rest"]

MANY_COLUMNS = 64  # columns from which on whole rows are copied: with 1,571 columns this was six times faster


@dataclass(frozen=True, eq=False)
class Data:
    """The rows on which a population is trained and evaluated, on its device.

    ``x (n + 1, S)``, whose last row is 1 for the biases, and ``y (k, S)`` are views of one ``table (c, S)``. ``x_validation`` and
    ``y_validation`` have the same form. With a ``sample``, as that of ``Task``, batches are drawn by it, and ``x`` only says how many rows
    make an epoch.
    """

    table: Tensor
    x_validation: Tensor
    y_validation: Tensor
    loss: Loss
    metric: Metric
    sample: Callable[[Tensor, int, int], tuple[Tensor, Tensor]] | None = None

    @classmethod
    def of(cls, task: Task, device: torch.device | str = "cpu", copies: int = 1) -> Data:
        """The data of a task, on a device. Each training row occurs ``copies`` times."""
        table = table_of(task.x.repeat(copies, 1), task.y.repeat(copies, 1)).to(device)
        x_validation = torch.cat([task.x_validation.t(), task.x_validation.new_ones(1, len(task.x_validation))]).to(device)
        y_validation = task.y_validation.t().contiguous().to(device)
        loss, sample = LOSSES[task.loss], None if task.complete else task.sample
        return cls(table, x_validation, y_validation, loss, metric_of(task.metric, task.loss), sample)

    @property
    def x(self) -> Tensor:
        """Inputs of the training rows and the constant 1, ``(n + 1, S)``: a view."""
        return self.table[: -len(self.y_validation)]

    @property
    def y(self) -> Tensor:
        """Targets of the training rows, ``(k, S)``: a view."""
        return self.table[-len(self.y_validation) :]

    def __len__(self) -> int:
        return self.table.shape[1]

    def scored_on(self, count: int) -> Data:
        """The same data whose validation rows are the first training rows, so many of them."""
        return replace(self, x_validation=self.x[:, :count], y_validation=self.y[:, :count])

    def restricted_to(self, inputs: Tensor | None) -> Data:
        """The same data with only these inputs in the validation rows; all inputs for None."""
        fed = len(self.x_validation)
        return self if inputs is None else replace(self, x_validation=self.x_validation[with_rest(inputs, fed - 1, fed)])


def table_of(x: Tensor, y: Tensor) -> Tensor:
    """The table ``(c, S)`` from which batches are drawn, of ``x (S, n)`` and ``y (S, k)``: inputs, the constant 1 for the biases, targets.

    With many inputs and targets, the numbers of one row of data lie side by side in memory.
    """
    table = torch.cat([x, x.new_ones(len(x), 1), y], dim=1).t()
    return table if len(table) >= MANY_COLUMNS else table.contiguous()


def with_rest(kept: Tensor, inputs: int, width: int) -> Tensor:
    """The positions of the kept inputs, and of all that follows the inputs up to ``width``: the constant 1 and any targets."""
    return torch.cat([kept, torch.arange(inputs, width, device=kept.device)])
