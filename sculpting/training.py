"""One training round for a whole population, with the backward pass written out.

N = members, S = rows of data, B = rows of a batch, n = inputs, k = outputs, P = parameters of a member. Rows come last, so
that products run over many of them at once: with 8 units and 32 rows that was measured 2.6 times faster than rows first.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from .activations import ACTIVATIONS
from .losses import LOSSES, Loss
from .memory import is_out_of_memory, members_that_fit
from .packing import packings
from .population import Population
from .randomness import fold, normals, permutations
from .tasks.task import Task

__all__ = ["Data", "Pass", "Round", "Score", "evaluate", "gradient", "train"]

BETA1, BETA2, EPSILON = 0.9, 0.999, 1e-8
MANY_COLUMNS = 64  # from here on whole rows are copied: 1,571 columns were drawn six times faster so
CHUNK_FLOATS = 1_000_000  # inputs that are drawn at once: 4 MB, so that they stay in the cache


@dataclass(frozen=True, eq=False)
class Data:
    """What a population is trained and checked on, on its device.

    ``x (n + 1, S)``, whose last row is 1 for the biases, ``y (k, S)``, and the same for validation.
    """

    x: Tensor
    y: Tensor
    x_check: Tensor
    y_check: Tensor
    loss: Loss

    @classmethod
    def of(cls, task: Task, device: torch.device | str = "cpu") -> Data:
        """The data of a task, on a device."""
        x, x_check = (torch.cat([part.t(), part.new_ones(1, len(part))]).to(device) for part in (task.x, task.x_check))
        y, y_check = (part.t().contiguous().to(device) for part in (task.y, task.y_check))
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


class Pass:
    """Forward and backward through a population; activations are written to buffers that the next pass overwrites."""

    def __init__(self, population: Population) -> None:
        self.matrices = population.shape.matrices(population.values)
        self.upward = [weight.transpose(1, 2) for weight in population.weights]
        self.activations = [ACTIVATIONS[name] for name in population.shape.activations]
        self.plain = population.shape.activations[-1] == "identity"
        self._buffers: dict[int, list[tuple[Tensor, Tensor]]] = {}

    def forward(self, x: Tensor) -> tuple[list[Tensor], list[Tensor], list[Tensor]]:
        """Sums ``z`` of every layer ``(N, n_out, B)``, what each layer reads ``(N, n_in + 1, B)``, and of that the hidden units alone.

        ``x`` may be ``(n + 1, B)``, the same for all members; the first layer is then one large product.
        """
        first, shared = self.matrices[0], x.ndim == 2
        z = (first.reshape(-1, first.shape[2]) @ x).view(len(first), -1, x.shape[1]) if shared else torch.bmm(first, x)
        sums, read, hidden = [z], [x], []
        for matrix, activation, (buffer, units) in zip(self.matrices[1:], self.activations, self._buffers_for(x.shape[-1]), strict=False):
            activation.apply(z, units)
            z = torch.bmm(matrix, buffer)
            sums.append(z)
            read.append(buffer)
            hidden.append(units)
        return sums, read, hidden

    def outputs(self, z: Tensor) -> Tensor:
        """What the last layer gives, ``(N, k, B)``; its sums themselves where it has no activation."""
        return z if self.plain else self.activations[-1].apply(z, torch.empty_like(z))

    def backward(self, sums: list[Tensor], hidden: list[Tensor], y: Tensor, loss: Loss) -> Iterator[tuple[int, Tensor]]:
        """``(layer, dLoss/dz)`` of every layer, last first, ``(N, n_out, B)``, for the sum of the losses of the rows."""
        h = self.outputs(sums[-1])
        slope = self.activations[-1].backward(loss.slope(h, y), sums[-1], h)
        for layer in range(len(sums) - 1, 0, -1):
            yield layer, slope
            slope = self.activations[layer - 1].backward(torch.bmm(self.upward[layer], slope), sums[layer - 1], hidden[layer - 1])
        yield 0, slope

    def gradient(self, x: Tensor, y: Tensor, loss: Loss, into: list[Tensor]) -> None:
        """dLoss/dparameter of every member, each that of the member alone, before the mask; the loss is the mean over rows."""
        sums, read, hidden = self.forward(x)
        for layer, slope in self.backward(sums, hidden, y, loss):
            below = read[layer] if read[layer].ndim == 3 else read[layer].expand(len(slope), -1, -1)
            # Written through a copy: bmm(out=) into a view with gaps between members was measured four times slower.
            torch.mul(torch.bmm(slope, below.transpose(1, 2)), 1 / x.shape[-1], out=into[layer])

    def score(self, x: Tensor, y: Tensor, loss: Loss) -> Score:
        """Accuracy and mean loss."""
        z = self.outputs(self.forward(x)[0][-1])
        return Score(loss.accuracy(z, y), loss.mean(z, y))

    def _buffers_for(self, rows: int) -> list[tuple[Tensor, Tensor]]:
        """What the upper layers read, the constant 1 for the biases included, and the units without it."""
        if rows not in self._buffers:
            whole = [m.new_ones(len(m), m.shape[2], rows) for m in self.matrices[1:]]
            self._buffers[rows] = [(buffer, buffer[:, :-1]) for buffer in whole]
        return self._buffers[rows]


def gradient(population: Population, data: Data) -> Tensor:
    """dLoss/dparameter of every member over the validation rows, before the mask: ``(N, P)``."""
    slopes = torch.zeros_like(population.values)
    Pass(population).gradient(data.x_check, data.y_check, data.loss, population.shape.matrices(slopes))
    return slopes


def evaluate(population: Population, data: Data) -> Score:
    """Accuracy and loss of every member on the validation rows."""
    return Pass(population).score(data.x_check, data.y_check, data.loss)


def train(
    population: Population,
    data: Data,
    settings: Round,
    key: Tensor,
    learning_rate: Tensor | None = None,
    max_members: int | None = None,
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
    max_members : int, optional
        How many are trained at once at the most; otherwise as many as fit into half of the free memory. Where memory runs out
        all the same, the number halves.

    Returns
    -------
    population : Population
        Each member at its own best epoch: highest accuracy, then lowest loss.
    score : Score

    Notes
    -----
    Adam (Kingma and Ba, 2015, algorithm 1) starts afresh; the mask is applied to the gradient before the moments see it, so
    pruned parameters stay exactly zero. Pruned units are left out of the work: see ``packings``.
    """
    values = population.values
    rates = torch.full((len(values),), settings.learning_rate) if learning_rate is None else learning_rate.cpu()
    best = torch.zeros_like(values)
    accuracy, loss = values.new_empty(len(values), dtype=torch.float64), values.new_empty(len(values))
    waiting = list(packings(population, rates))
    while waiting:
        packing = waiting.pop()
        members, limit = packing.members, max_members or members_that_fit(packing.shape, data, settings)
        if len(members) > limit:
            waiting += packing.split(limit)
            continue
        try:
            trained, score = _train(packing.pack(population), data, settings, float(rates[int(members[0])]), key[members], packing.inputs)
        except RuntimeError as error:
            if len(members) == 1 or not is_out_of_memory(error):
                raise
            waiting += packing.split(len(members) // 2)
            continue
        packing.unpack(trained, best)
        accuracy[members], loss[members] = score.accuracy, score.loss
    return Population(population.shape, best, population.mask), Score(accuracy, loss)


def _train(population: Population, data: Data, settings: Round, rate: float, key: Tensor, inputs: Tensor | None) -> tuple[Tensor, Score]:
    """The values at the best epoch of members that are trained together, in place of ``population.values``, and their score."""
    values = population.values
    slopes, first, second, best = (torch.zeros_like(values) for _ in range(4))
    count = torch.zeros((), device=values.device)
    passes, matrices = Pass(population), population.shape.matrices(slopes)
    x_check = data.x_check if inputs is None else data.x_check[_and_last(inputs, len(data.x_check))]
    per_epoch = -(-data.x.shape[1] // settings.batch_size)
    top = Score(values.new_full((len(values),), -torch.inf, dtype=torch.float64), values.new_full((len(values),), torch.inf))
    for step, (x, y) in enumerate(_batches(data, settings, key, inputs), start=1):
        passes.gradient(x, y, data.loss, matrices)
        slopes.mul_(population.mask)
        count.add_(1)
        torch._fused_adam_(
            [values], [slopes], [first], [second], [], [count],
            lr=rate, beta1=BETA1, beta2=BETA2, weight_decay=settings.weight_decay, eps=EPSILON, amsgrad=False, maximize=False,
        )  # fmt: skip
        if step % per_epoch == 0:
            score = passes.score(x_check, data.y_check, data.loss)
            better = score.better_than(top)
            torch.where(better.unsqueeze(1), values, best, out=best)
            top = Score(torch.where(better, score.accuracy, top.accuracy), torch.where(better, score.loss, top.loss))
    return best, top


def _batches(data: Data, settings: Round, key: Tensor, kept: Tensor | None) -> Iterator[tuple[Tensor, Tensor]]:
    """Shuffled batches ``(N, n + 1, B)`` and ``(N, k, B)`` with fresh noise, epoch after epoch.

    Several epochs are drawn at once where they fit, and batch by batch where not even one does.
    """
    members, rows, fed = len(key), data.x.shape[1], len(data.x)
    table = torch.cat([data.x if kept is None else data.x[_and_last(kept, fed)], data.y])
    width, read = len(table), len(table) - len(data.y)
    if columns := width >= MANY_COLUMNS:
        table = table.t().contiguous()
    order_key, noise_key = fold(key, 0), fold(key, 1)
    epochs, fits = settings.epochs(rows), CHUNK_FLOATS // (members * rows * width)
    for start in range(0, epochs, max(1, fits)):
        count = min(max(1, fits), epochs - start)
        order = permutations(order_key, rows, count, start)
        noise = None
        if settings.input_noise:
            noise = normals(noise_key, (fed - 1) * rows, count, start).view(members, count, fed - 1, rows).mul_(settings.input_noise)
            noise = noise if kept is None else noise[:, :, kept]
        for part, places in enumerate([order] if fits else order.split(settings.batch_size, dim=2)):
            drawn = _draw(table, columns, places)
            if noise is not None:
                first = part * settings.batch_size
                drawn[:, :, : read - 1].add_(noise[..., first : first + places.shape[2]])
            for epoch in drawn.unbind(1):
                yield from zip(epoch[:, :read].split(settings.batch_size, 2), epoch[:, read:].split(settings.batch_size, 2), strict=True)


def _draw(table: Tensor, columns: bool, places: Tensor) -> Tensor:
    """Rows of data at ``places (N, E, R)``, as ``(N, E, c, R)``, from a table ``(c, S)`` or, in columns, ``(S, c)``."""
    members, epochs, rows = places.shape
    if columns:
        return table.index_select(0, places.flatten()).view(members, epochs, rows, -1).transpose(2, 3)
    shape = members, epochs, len(table), rows
    return table.expand(*shape[:3], table.shape[1]).gather(3, places.unsqueeze(2).expand(shape))


def _and_last(kept: Tensor, fed: int) -> Tensor:
    """The positions of kept inputs and of the constant 1 that is fed beside them."""
    return torch.cat([kept, kept.new_tensor([fed - 1])])
