"""The rows on which modules are trained, and their batches: shuffled, with noise, drawn separately for every member.

N = members, S = rows, B = rows of a batch, k = outputs, F = numbers of one row of an input.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from ..losses import LOSSES, Loss
from ..metrics import Metric, metric_of
from ..randomness import fold, normals, permutations
from ..settings import RoundSettings
from ..tasks.task import Task

__all__ = ["ModuleRows", "batches", "inputs_of", "whole_batches"]

EPOCH_FLOATS = 1 << 22  # numbers of one member whose noise is drawn for a whole epoch, as the engine of chains draws it


def inputs_of(x: Tensor | tuple[Tensor, ...], device: torch.device | str = "cpu", dtype: torch.dtype = torch.float32) -> tuple[Tensor, ...]:
    """One input or several as a tuple, on a device; real numbers in this type, integers as they are."""
    parts = x if isinstance(x, tuple) else (x,)
    return tuple(part.to(device, dtype) if part.is_floating_point() else part.to(device) for part in parts)


@dataclass(frozen=True, eq=False)
class ModuleRows:
    """Training and validation rows on a device.

    Attributes
    ----------
    x, x_validation : tuple of Tensor of shape (S, ...)
        The inputs of the module, in the order of its forward. Integers are tokens, and get no noise.
    y, y_validation : Tensor of shape (k, S)
    loss : Loss
    metric : Metric
    spread : tuple of float
        What the noise on each input is multiplied by: its standard deviation where the data are the user's own, otherwise 1.
    sample : function of (key, step, rows), optional
        As that of ``Task``.
    """

    x: tuple[Tensor, ...]
    y: Tensor
    x_validation: tuple[Tensor, ...]
    y_validation: Tensor
    loss: Loss
    metric: Metric
    spread: tuple[float, ...]
    sample: Callable[[Tensor, int, int], tuple[Tensor, Tensor]] | None = None

    @classmethod
    def of(cls, task: Task, device: torch.device | str = "cpu", copies: int = 1, dtype: torch.dtype = torch.float32) -> ModuleRows:
        """The rows of a task. Each training row occurs ``copies`` times."""
        x, x_validation = (inputs_of(part, device, dtype) for part in (task.x, task.x_validation))
        spread = tuple(float(part.std()) if task.standardised and part.is_floating_point() else 1.0 for part in x)
        x = tuple(part.repeat(copies, *(1 for _ in part.shape[1:])) for part in x)
        y, y_validation = (part.to(device, dtype).t().contiguous() for part in (task.y.repeat(copies, 1), task.y_validation))
        sample = None if task.complete else task.sample
        return cls(x, y, x_validation, y_validation, LOSSES[task.loss], metric_of(task.metric, task.loss), spread, sample)

    def __len__(self) -> int:
        return self.y.shape[1]

    def scored_on(self, count: int) -> ModuleRows:
        """The same rows whose validation rows are the first training rows, so many of them."""
        return replace(self, x_validation=tuple(part[:count] for part in self.x), y_validation=self.y[:, :count])


def whole_batches(settings: RoundSettings, rows: int) -> RoundSettings:
    """The settings with batches so large that the last one of an epoch has more than one row, of which batch norms know no variance."""
    sizes = range(settings.batch_size, rows + 1)
    return replace(settings, batch_size=next((size for size in sizes if size > 1 and rows % size != 1), settings.batch_size))


def batches(rows: ModuleRows, size: int, epochs: int, noise: float, key: Tensor) -> Iterator[tuple[tuple[Tensor, ...], Tensor]]:
    """Inputs ``(N, B, ...)`` and targets ``(N, k, B)`` of every step, epoch after epoch.

    Keys, orders and noise are those of the engine of chains: the same key gives the same rows, and for inputs of up to four million
    numbers the same noise.
    """
    row_key, step, per_epoch = fold(key, 0), 0, -(-len(rows) // size)
    for epoch in range(epochs):
        order = permutations(row_key, len(rows), 1, epoch)[:, 0].long()
        whole = [_of_epoch(part, noise * rows.spread[i], _noise_key(key, i), epoch) for i, part in enumerate(rows.x)]
        for part, places in enumerate(order.split(size, dim=1)):
            if rows.sample is None:
                x, y = tuple(each[places] for each in rows.x), rows.y[:, places].transpose(0, 1)
            else:
                fresh, y = rows.sample(row_key, step, size)
                x = (fresh.transpose(1, 2),)
            noised = []
            for i, (each, spread) in enumerate(zip(x, rows.spread, strict=True)):
                known = whole[i]
                if known is not None and rows.sample is None:
                    first = part * size
                    each = each + known[:, :, first : first + places.shape[1]].transpose(1, 2).view(each.shape).to(each.dtype)
                elif noise and each.is_floating_point():
                    drawn = normals(_noise_key(key, i), each[0].numel(), 1, epoch * per_epoch + part)
                    each = each + (noise * spread) * drawn.view(each.shape).to(each.dtype)
                noised.append(each)
            yield tuple(noised), y
            step += 1


def _noise_key(key: Tensor, place: int) -> Tensor:
    """Keys of the noise on one of several inputs."""
    return fold(key, 1) if place == 0 else fold(fold(key, 1), place)


def _of_epoch(part: Tensor, noise: float, key: Tensor, epoch: int) -> Tensor | None:
    """The noise of a whole epoch, ``(N, F, S)``; None where there is none, or too much for one draw."""
    if not noise or not part.is_floating_point() or part.numel() > EPOCH_FLOATS:
        return None
    return normals(key, part.numel(), 1, epoch).view(len(key), part[0].numel(), len(part)).mul_(noise)
