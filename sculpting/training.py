"""One training round for a whole population, with the backward pass written out.

N = members, S = rows of data, B = rows of a batch, n = inputs, k = outputs, P = parameters of a member.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from .activations import ACTIVATIONS
from .losses import LOSSES, Loss
from .population import Population, Shape
from .randomness import fold, normals, permutations
from .tasks.task import Task

__all__ = ["Data", "Round", "Score", "evaluate", "forward", "gradient", "train"]

BETA1, BETA2, EPSILON = 0.9, 0.999, 1e-8
CHUNK_FLOATS = 4_000_000  # inputs that are drawn at once: 16 MB


@dataclass(frozen=True, eq=False)
class Data:
    """What a population is trained and checked on, on its device: ``x (S, n)``, ``y (S, k)``, and the same for validation."""

    x: Tensor
    y: Tensor
    x_check: Tensor
    y_check: Tensor
    loss: Loss

    @classmethod
    def of(cls, task: Task, device: torch.device | str = "cpu") -> Data:
        """The data of a task, on a device."""
        x, y, x_check, y_check = (part.to(device) for part in (task.x, task.y, task.x_check, task.y_check))
        return cls(x, y, x_check, y_check, LOSSES[task.loss])


@dataclass(frozen=True)
class Round:
    """Settings of one training round.

    Attributes
    ----------
    steps : int
        Gradient steps, rounded up to whole epochs.
    batch_size : int
    learning_rate : float
    weight_decay : float
        Coupled L2, as in Adam: added to the gradient.
    input_noise : float
        Standard deviation of the Gaussian noise on the inputs, drawn anew each epoch.
    """

    steps: int = 60
    batch_size: int = 32
    learning_rate: float = 0.1
    weight_decay: float = 1e-4
    input_noise: float = 0.0

    def epochs(self, rows: int) -> int:
        """Passes over the data that hold at least ``steps`` batches."""
        return -(-self.steps // -(-rows // self.batch_size))


@dataclass(frozen=True, eq=False)
class Score:
    """Accuracy (float64, ``(N,)``) and mean loss (``(N,)``) on the validation rows."""

    accuracy: Tensor
    loss: Tensor

    def better_than(self, other: Score) -> Tensor:
        """Bool ``(N,)``: more accurate, or as accurate with less loss."""
        return (self.accuracy > other.accuracy) | ((self.accuracy == other.accuracy) & (self.loss < other.loss))


def forward(shape: Shape, weights: list[Tensor], biases: list[Tensor], x: Tensor) -> tuple[list[Tensor], list[Tensor]]:
    """Pre-activations ``z`` and activations ``h`` of every layer for inputs of shape ``(N, B, n)``; ``h[0]`` is the input itself."""
    sums, values = [], [x]
    for weight, bias, name in zip(weights, biases, shape.activations, strict=True):
        sums.append(torch.baddbmm(bias.unsqueeze(1), values[-1], weight.transpose(1, 2)))
        values.append(ACTIVATIONS[name].apply(sums[-1]))
    return sums, values


def backward(shape: Shape, weights: list[Tensor], sums: list[Tensor], values: list[Tensor], slope: Tensor) -> Iterator[tuple[int, Tensor]]:
    """``(layer, dLoss/dz)`` of every weight layer, last first, from ``slope = dLoss/dh`` at the outputs."""
    for layer in range(len(weights) - 1, -1, -1):
        slope = ACTIVATIONS[shape.activations[layer]].backward(slope, sums[layer], values[layer + 1])
        yield layer, slope
        if layer:
            slope = torch.bmm(slope, weights[layer])


def gradient(population: Population, x: Tensor, y: Tensor, loss: Loss) -> Tensor:
    """dLoss/dparameter of every member, each exactly that of the member alone, before the mask: ``(N, P)``.

    The loss is the mean over the rows of ``x (N, B, n)`` and ``y (N, B, k)``.
    """
    slopes = torch.zeros_like(population.values)
    _Views.of(population, slopes).gradient(x, y, loss)
    return slopes


@dataclass(frozen=True, eq=False)
class _Views:
    """Views that stay valid through a round, so that a step makes none."""

    shape: Shape
    weights: list[Tensor]
    biases: list[Tensor]
    weight_slopes: list[Tensor]
    bias_slopes: list[Tensor]

    @classmethod
    def of(cls, population: Population, slopes: Tensor) -> _Views:
        shape = population.shape
        return cls(shape, population.weights, population.biases, shape.weights(slopes), shape.biases(slopes))

    def gradient(self, x: Tensor, y: Tensor, loss: Loss) -> None:
        sums, values = forward(self.shape, self.weights, self.biases, x)
        slope = loss.slope(values[-1], y).div_(x.shape[1])
        for layer, d in backward(self.shape, self.weights, sums, values, slope):
            # Written through a copy: bmm(out=) into a view with gaps between members was measured four times slower.
            self.weight_slopes[layer].copy_(torch.bmm(d.transpose(1, 2), values[layer]))
            torch.sum(d, dim=1, out=self.bias_slopes[layer])


def evaluate(population: Population, data: Data) -> Score:
    """Accuracy and loss of every member on the validation rows."""
    return _evaluate(_Views(population.shape, population.weights, population.biases, [], []), data)


def _evaluate(views: _Views, data: Data) -> Score:
    members = len(views.biases[0])
    z = forward(views.shape, views.weights, views.biases, data.x_check.expand(members, *data.x_check.shape))[1][-1]
    return Score(data.loss.accuracy(z, data.y_check), data.loss.rows(z, data.y_check).mean(dim=1))


def train(
    population: Population, data: Data, settings: Round, key: Tensor, learning_rate: Tensor | None = None
) -> tuple[Population, Score]:
    """The population at the best epoch of a round of Adam, and its score there.

    Parameters
    ----------
    population : Population
        Where training starts; left as it is.
    data : Data
    settings : Round
    key : Tensor of shape (N, 2)
        Keys of the members' noise and data order.
    learning_rate : Tensor of shape (N,), optional
        One for each member, instead of ``settings.learning_rate``.

    Returns
    -------
    population : Population
        Each member at its own best epoch: highest accuracy, then lowest loss.
    score : Score

    Notes
    -----
    Adam (Kingma and Ba, 2015, algorithm 1) starts afresh; the mask is applied to the gradient before the moments see it, so
    pruned parameters stay exactly zero.
    """
    values, mask = population.values.clone(), population.mask
    trained = Population(population.shape, values, mask, population.units, population.original)
    slopes, first, second, best = (torch.zeros_like(values) for _ in range(4))
    rates = torch.full((len(values),), settings.learning_rate) if learning_rate is None else learning_rate
    rates = rates.to(values).unsqueeze(1).neg()
    views = _Views.of(trained, slopes)
    per_epoch = -(-len(data.x) // settings.batch_size)
    top = Score(torch.full((len(values),), -torch.inf, dtype=torch.float64, device=values.device), torch.full_like(values[:, 0], torch.inf))
    for step, (x, y) in enumerate(_batches(data, settings, key), start=1):
        views.gradient(x, y, data.loss)
        slopes.add_(values, alpha=settings.weight_decay).mul_(mask)
        first.lerp_(slopes, 1 - BETA1)
        second.mul_(BETA2).addcmul_(slopes, slopes, value=1 - BETA2)
        unbias = (1 - BETA2**step) ** 0.5
        update = second.sqrt().add_(EPSILON * unbias)
        torch.div(first, update, out=update)
        values.addcmul_(update, rates, value=unbias / (1 - BETA1**step))
        if step % per_epoch == 0:
            score = _evaluate(views, data)
            better = score.better_than(top)
            torch.where(better.unsqueeze(1), values, best, out=best)
            top = Score(torch.where(better, score.accuracy, top.accuracy), torch.where(better, score.loss, top.loss))
    return Population(population.shape, best, mask, population.units, population.original), top


def _batches(data: Data, settings: Round, key: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
    """Shuffled batches ``(N, B, n)`` and ``(N, B, k)`` with fresh noise, epoch after epoch, drawn several epochs at once where they fit."""
    members, (rows, inputs) = len(key), data.x.shape
    order_key, noise_key = fold(key, 0), fold(key, 1)
    epochs = settings.epochs(rows)
    at_once = max(1, CHUNK_FLOATS // (members * rows * inputs))
    for start in range(0, epochs, at_once):
        count = min(at_once, epochs - start)
        order = permutations(order_key, rows, count, start)
        x, y = data.x[order], data.y[order]
        if settings.input_noise:
            x += normals(noise_key, rows * inputs, count, start).view(x.shape).mul_(settings.input_noise)
        for epoch in range(count):
            for first in range(0, rows, settings.batch_size):
                last = first + settings.batch_size
                yield x[:, epoch, first:last], y[:, epoch, first:last]
