"""Standardised inputs and targets, and the same network in the user's units.

S = rows, n = inputs, k = outputs.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

if TYPE_CHECKING:
    from .models.chain import Chain
    from .models.network import SparseNetwork
    from .tasks.task import Task

__all__ = ["Scaling"]

RANGES = 10  # a tenth of the range at least is one unit: a column that is nearly always the same is not blown up


@dataclass(frozen=True)
class Scaling:
    """What is subtracted from every column, and by what it is divided then.

    Attributes
    ----------
    x_mean, x_scale : float64 Tensor of shape (n,)
    y_mean, y_scale : float64 Tensor of shape (k,)
        0 and 1 for bits and classes.
    """

    x_mean: Tensor
    x_scale: Tensor
    y_mean: Tensor
    y_scale: Tensor

    @classmethod
    def of(cls, task: Task, chains: Sequence[Chain]) -> Scaling:
        """Mean 0 and standard deviation 1 on the training rows; means stay where a model has no biases to take them up.

        The unit of an input is at least a tenth of its range. Targets stay as they are where a model ends in an activation.
        """
        free = [chain.shape.matrices(chain.mask.unsqueeze(0)) for chain in chains]
        first, last = (all(bool(matrices[layer][..., -1].all()) for matrices in free) for layer in (0, -1))
        x, y = task.x.double(), task.y.double()
        spread = torch.maximum(x.std(dim=0, correction=0), (x.amax(dim=0) - x.amin(dim=0)) / RANGES)
        linear = task.loss == "mse" and all(chain.shape.activations[-1] == "identity" for chain in chains)
        deviation = y.std(dim=0, correction=0)
        return cls(
            x.mean(dim=0) * first,
            torch.where(spread > 0, spread, 1.0),
            y.mean(dim=0) * (linear and last),
            torch.where(deviation > 0, deviation, 1.0) if linear else torch.ones(y.shape[1], dtype=torch.float64),
        )

    def task(self, task: Task) -> Task:
        """The task with standardised training and validation rows; test rows stay in the user's units."""
        x, x_validation = (((part.double() - self.x_mean) / self.x_scale).float() for part in (task.x, task.x_validation))
        y, y_validation = (((part.double() - self.y_mean) / self.y_scale).float() for part in (task.y, task.y_validation))
        metric = task.metric
        if callable(metric) and task.loss == "mse":
            metric = functools.wraps(metric)(functools.partial(self._in_units, metric))
        return replace(task, x=x, y=y, x_validation=x_validation, y_validation=y_validation, metric=metric)

    def _in_units(self, metric: Callable[[Any, Any], float], targets: Any, answers: Any) -> float:
        """A metric of standardised targets and answers, of shape (rows, k), in the user's units."""
        mean, scale = self.y_mean.numpy(), self.y_scale.numpy()
        return metric(targets * scale + mean, answers * scale + mean)

    def chain(self, chain: Chain) -> Chain:
        """A model of the user's units as one of standardised rows, which computes the same."""
        matrices = [matrix[0].double() for matrix in chain.shape.matrices(chain.values.unsqueeze(0))]
        weight, bias = matrices[0][:, :-1], matrices[0][:, -1]
        matrices[0] = torch.cat([weight * self.x_scale, (bias + weight @ self.x_mean).unsqueeze(1)], dim=1)
        last = matrices[-1].clone()
        last[:, -1] -= self.y_mean
        matrices[-1] = last / self.y_scale.unsqueeze(1)
        return replace(chain, values=torch.cat([matrix.flatten() for matrix in matrices]).float())

    def network(self, network: SparseNetwork) -> SparseNetwork:
        """A network of standardised rows as one of the user's units, which computes the same."""
        weights, biases = [w.astype(np.float64) for w in network.weights], [b.astype(np.float64) for b in network.biases]
        weights[0] = weights[0] / self.x_scale.numpy()
        biases[0] = biases[0] - weights[0] @ self.x_mean.numpy()
        weights[-1] = weights[-1] * self.y_scale.numpy()[:, None]
        biases[-1] = biases[-1] * self.y_scale.numpy() + self.y_mean.numpy()
        return replace(network, weights=tuple(w.astype(np.float32) for w in weights), biases=tuple(b.astype(np.float32) for b in biases))
