"""One training round for a whole population.

N = members, S = rows of data, n = inputs, k = outputs, P = parameters of a member.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cache
from itertools import repeat
from typing import Any

import torch
from torch import Tensor

from ..losses import LOSSES, Loss
from ..tasks.task import Task
from .batched_mlp import Pass, Score
from .batches import batches, fresh_batches, hidden_noise, table_of, with_rest
from .best_epoch import Snapshots
from .memory import is_out_of_memory, keep_freed, members_that_fit
from .memory_layout import pay_last, put_last
from .packing import Packing, packings
from .population import Population

__all__ = ["Data", "Round", "evaluate", "gradient", "train"]

BETA1, BETA2 = 0.9, 0.999
WORTH_A_THREAD = 20_000  # parameters of a packed member, from which on two members on two threads were measured faster than together on one
Watch = Callable[[Tensor, Population, Score, int], bool]


@dataclass(frozen=True, eq=False)
class Data:
    """What a population is trained and checked on, on its device.

    ``x (n + 1, S)``, whose last row is 1 for the biases, and ``y (k, S)``, both in one ``table``, and the same for validation. Where there
    is a ``sample``, as that of ``Task``, the rows of batches are drawn by it, and those of ``x`` only say how many make an epoch.
    """

    table: Tensor
    x_check: Tensor
    y_check: Tensor
    loss: Loss
    sample: Callable[[Tensor, int, int], tuple[Tensor, Tensor]] | None = None

    @classmethod
    def of(cls, task: Task, device: torch.device | str = "cpu", copies: int = 1) -> Data:
        """The data of a task, on a device; each row for training stands there so many times."""
        table = table_of(task.x.repeat(copies, 1), task.y.repeat(copies, 1)).to(device)
        x_check = torch.cat([task.x_check.t(), task.x_check.new_ones(1, len(task.x_check))]).to(device)
        y_check = task.y_check.t().contiguous().to(device)
        return cls(table, x_check, y_check, LOSSES[task.loss], None if task.complete else task.sample)

    @property
    def x(self) -> Tensor:
        """What is fed in training, ``(n + 1, S)``: a view."""
        return self.table[: -len(self.y_check)]

    @property
    def y(self) -> Tensor:
        """Targets of training, ``(k, S)``: a view."""
        return self.table[-len(self.y_check) :]

    def checked_on(self, inputs: Tensor | None) -> Data:
        """The same, with those inputs alone in the validation rows; all where None."""
        fed = len(self.x_check)
        return self if inputs is None else replace(self, x_check=self.x_check[with_rest(inputs, fed - 1, fed)])


@dataclass(frozen=True)
class Round:
    """Settings of one training round.

    Attributes
    ----------
    steps : int
        Gradient steps, rounded up to whole epochs.
    batch_size : int
    learning_rate : float
    final_rate : float
        The learning rate falls along half a cosine towards this fraction of it (Loshchilov and Hutter, ICLR 2017, equation 5,
        without restarts); at 1 it stays, as published.
    weight_decay : float
        Coupled L2, as in Adam: added to the gradient.
    input_noise : float
        Standard deviation of the Gaussian noise on the inputs, drawn anew each epoch.
    hidden_noise : float
        The same of the noise on the sums of hidden units, before their activation.
    rate_width : int, optional
        Members with more live units in a layer learn more slowly: half as fast from above this, and half as fast again with every
        doubling. A step of Adam moves each weight by the learning rate, so the sum of a unit by that times what it reads.
    epsilon : float
        Of Adam, beside the root of the second moment.
    check_every : int, optional
        Steps between two evaluations; an epoch when left out.
    keep_last : bool
        Hand over the members as they are at the end and not at their best evaluation.
    target : float, optional
        Hand over each member as it is at the first evaluation that is so accurate; the round ends when all members have been.
    before_step : function of (population, gradient), optional
        Called before every step with members that are trained together and their gradient, to change that in place, as a penalty does.
        What is masked must stay zero in it.
    after_step : function of (population, learning rate), optional
        Called after every step with members that are trained together, to change their values in place, as a proximal step does.
    """

    steps: int = 60
    batch_size: int = 32
    learning_rate: float = 0.1
    final_rate: float = 0.05
    weight_decay: float = 1e-4
    input_noise: float = 0.0
    hidden_noise: float = 0.0
    rate_width: int | None = None
    epsilon: float = 1e-8
    check_every: int | None = None
    keep_last: bool = False
    target: float | None = None
    before_step: Callable[[Population, Tensor], None] | None = None
    after_step: Callable[[Population, float], None] | None = None

    def epochs(self, rows: int) -> int:
        """Passes over the data that hold at least ``steps`` batches."""
        return -(-self.steps // -(-rows // self.batch_size))

    def rate_at(self, done: float) -> float:
        """The fraction of the learning rate that holds when a fraction ``done`` of the round is over."""
        return self.final_rate + (1 - self.final_rate) * (1 + math.cos(math.pi * done)) / 2

    def share_of_rate(self, population: Population) -> Tensor:
        """The fraction of the learning rate that each member gets: float64 ``(N,)``, on the CPU."""
        if self.rate_width is None:
            return torch.ones(len(population), dtype=torch.float64)
        widest = torch.stack([alive.sum(dim=1) for alive in population.alive()]).amax(dim=0).cpu().double()
        return 0.5 ** torch.log2(widest / self.rate_width).ceil().clamp(min=0)


def gradient(population: Population, data: Data) -> Tensor:
    """dLoss/dparameter of every member over the validation rows, before the mask: ``(N, P)``."""
    slopes = torch.zeros_like(population.values)
    shares = torch.full_like(slopes, 1 / (data.x_check.shape[1] * data.loss.divisor(len(data.y))))
    matrices = population.shape.matrices
    Pass(population.shape, population.values).gradient(data.x_check, data.y_check, data.loss, matrices(shares), matrices(slopes))
    return slopes


def evaluate(population: Population, data: Data) -> Score:
    """Accuracy and loss of every member on the validation rows."""
    return Pass(population.shape, population.values).score(data.x_check, data.y_check, data.loss)


def train(
    population: Population,
    data: Data,
    settings: Round,
    key: Tensor,
    learning_rate: Tensor | None = None,
    max_members: int | None = None,
    threads: int = 1,
    watch: Watch | None = None,
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
        One for each member, instead of ``settings.learning_rate``; wide members get a share of it, see ``Round.rate_width``.
    max_members : int, optional
        How many are trained at once at the most; otherwise as many as ``members_that_fit`` says. Where memory runs out
        all the same, the number halves.
    threads : int
        Members with more than 20,000 parameters left are trained in so many groups side by side, each on a thread of its own and on one
        of torch's; smaller ones leave Python no time for others. Nothing may watch then.
    watch : function of (members, population, score, steps), optional
        Called after every evaluation: which rows of ``population (N, ...)`` are trained together, how they are now, their score and the
        steps made; when it returns true their round ends. Members that memory runs out for are trained, and watched, anew.

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
    keep_freed()
    values = population.values
    rates = settings.share_of_rate(population) * (settings.learning_rate if learning_rate is None else learning_rate.cpu())
    best = torch.zeros_like(values)
    accuracy, loss = values.new_empty(len(values), dtype=torch.float64), values.new_empty(len(values))

    def outcome(packing: Packing) -> tuple[Tensor, Score] | None:
        """The values and score of packed members; None where memory runs out for so many."""
        members = packing.members
        try:
            return _train(packing.pack(population), data, settings, float(rates[int(members[0])]), key[members], packing, watch)
        except RuntimeError as error:
            if len(members) == 1 or not is_out_of_memory(error):
                raise
            return None

    groups, spread = [], 1
    for packing in packings(population, rates):
        parts = min(threads, max_members or threads) if packing.shape.size > WORTH_A_THREAD else 1
        if max_members:
            groups += packing.split(max_members // parts)  # together never more
        else:
            groups += packing.split(-(-members_that_fit(len(packing.members), packing.shape, data, settings) // parts))
        spread = max(spread, parts)
    with _side_by_side(spread if len(groups) > 1 else 1) as each:
        while groups:
            halves = []
            for packing, found in zip(groups, each(outcome, groups), strict=True):
                if found is None:
                    halves += packing.split(len(packing.members) // 2)
                    continue
                trained, score = found
                packing.unpack(trained, best)
                accuracy[packing.members], loss[packing.members] = score.accuracy, score.loss
            groups = halves
    return replace(population, values=best), Score(accuracy, loss)


@contextlib.contextmanager
def _side_by_side(threads: int) -> Iterator[Callable[..., Iterator[Any]]]:
    """``map``, or one that works on so many threads at once, with one thread of torch for each."""
    if threads == 1:
        yield map
        return
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with ThreadPoolExecutor(threads) as pool:
            yield pool.map
    finally:
        torch.set_num_threads(before)


@torch.inference_mode()  # one network trains a fifth faster: each call of torch is shorter
def _train(
    population: Population, data: Data, settings: Round, rate: float, key: Tensor, packing: Packing, watch: Watch | None
) -> tuple[Tensor, Score]:
    """The values at the best epoch of packed members that are trained together, and their score."""
    last = pay_last(population.shape, settings.batch_size, len(population), key.device)
    values, mask = (put_last(flat) if last else flat for flat in (population.values, population.mask))
    population = replace(population, values=values, mask=mask)
    slopes, first, second = (torch.zeros_like(values) for _ in range(3))
    adam = [flat.t() if last else flat for flat in (values, slopes, first, second)]
    epochs, per_epoch = settings.epochs(data.x.shape[1]), -(-data.x.shape[1] // settings.batch_size)
    check_every = settings.check_every or per_epoch
    counts = torch.arange(1.0, epochs * per_epoch + 1, dtype=values.dtype, device=values.device).unbind()
    passes, matrices = Pass(population.shape, values), population.shape.matrices(slopes)
    snapshots = Snapshots(population, data.checked_on(packing.inputs), settings, -(-len(counts) // check_every), watch is not None)
    # The mask and the mean over a batch's rows in one factor; the last batch of an epoch may be shorter.
    divisor = data.loss.divisor(len(data.y))
    factors = cache(lambda rows: population.shape.matrices(mask / (rows * divisor)))
    size = settings.batch_size
    if data.sample is None:
        drawn = batches(data.table, len(data.y), size, epochs, settings.input_noise, key, packing.inputs, last)
    else:
        drawn = fresh_batches(data.sample, size, len(counts), settings.input_noise, key, packing.inputs, last)
    noises: Iterator[Sequence[Tensor]] = repeat(())
    if settings.hidden_noise:
        rows = data.x.shape[1] if data.sample is None else per_epoch * size
        noises = hidden_noise(packing.units, rows, size, epochs, settings.hidden_noise, key, last)
    for step, ((x, y), noise) in enumerate(zip(drawn, noises, strict=False)):
        passes.gradient(x, y, data.loss, factors(x.shape[-1]), matrices, noise)
        if settings.before_step is not None:
            settings.before_step(population, slopes)
        torch._fused_adam_(
            [adam[0]], [adam[1]], [adam[2]], [adam[3]], [], [counts[step]],
            lr=rate * settings.rate_at(step / len(counts)), beta1=BETA1, beta2=BETA2, weight_decay=settings.weight_decay,
            eps=settings.epsilon,
            amsgrad=False, maximize=False,
        )  # fmt: skip
        if settings.after_step is not None:
            settings.after_step(population, rate * settings.rate_at(step / len(counts)))
        if (step + 1) % check_every == 0 or step + 1 == len(counts):
            snapshots.take()
            ended = settings.target is not None and bool((snapshots.top.accuracy >= settings.target).all())
            if watch is not None:
                with torch.inference_mode(False):  # what it keeps may be used in any way
                    ended |= watch(packing.members, population, snapshots.score, step + 1)
            if ended:
                break
    return snapshots.finish()
