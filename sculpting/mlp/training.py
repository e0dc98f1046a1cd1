"""One training round for a whole population.

N = members, S = rows of data, n = inputs, k = outputs, P = parameters of a member.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import cache
from itertools import islice, repeat
from typing import Any

import torch
from torch import Tensor

from ..data import Data
from ..engine import NO_HOOKS, Evaluation, Hooks
from ..settings import RoundSettings
from ..surroundings import keep_to_one, one_thread
from .batched_mlp import BatchedMLP
from .batches import batches, fresh_batches, hidden_noise
from .best_epoch import BestEpoch
from .memory import ALIGNED, NO_MEMORY, is_out_of_memory, keep_freed, members_that_fit
from .memory_layout import pay_last, put_last
from .packing import Packing, packings
from .population import Population

__all__ = ["Hooks", "evaluate", "gradient", "rate_shares", "train"]

BETA1, BETA2 = 0.9, 0.999
LEAST_BLOCK = 128  # small members in a block, below which Python's lock leaves a second thread no gain
WORTH_A_THREAD = 20_000  # parameters of a packed member, from which on two members on two threads were measured faster than together on one


def rate_shares(population: Population, rate_width: int | None) -> Tensor:
    """The fraction of the learning rate that each member gets: float64 ``(N,)``, on the CPU; see ``RoundSettings.rate_width``."""
    if rate_width is None:
        return torch.ones(len(population), dtype=torch.float64)
    widest = torch.stack([alive.sum(dim=1) for alive in population.alive()]).amax(dim=0).cpu().double()
    return 0.5 ** torch.log2(widest / rate_width).ceil().clamp(min=0)


def gradient(population: Population, data: Data) -> Tensor:
    """dLoss/dparameter of every member over the validation rows, before the mask: ``(N, P)``."""
    slopes = torch.zeros_like(population.values)
    shares = torch.full_like(slopes, 1 / (data.x_validation.shape[1] * data.loss.divisor(len(data.y))))
    matrices = population.shape.matrices
    BatchedMLP(population.shape, population.values).gradient(
        data.x_validation, data.y_validation, data.loss, matrices(shares), matrices(slopes)
    )
    return slopes


def evaluate(population: Population, data: Data) -> Evaluation:
    """Accuracy and loss of every member on the validation rows."""
    return BatchedMLP(population.shape, population.values).evaluate(data.x_validation, data.y_validation, data.loss)


def train(
    population: Population,
    data: Data,
    settings: RoundSettings,
    key: Tensor,
    learning_rate: Tensor | None = None,
    max_members: int | None = None,
    threads: int = 1,
    hooks: Hooks = NO_HOOKS,
) -> tuple[Population, Evaluation]:
    """Train one round with Adam. Returns the population at its best epoch, and its evaluation there.

    Parameters
    ----------
    population : Population
        Where training starts; it is not changed.
    data : Data
    settings : RoundSettings
    key : Tensor of shape (N, 2)
        Keys of the members' noise and data order.
    learning_rate : Tensor of shape (N,), optional
        One for each member, instead of ``settings.learning_rate``. Wide members get a fraction of it, see ``RoundSettings.rate_width``.
    max_members : int, optional
        Members that are trained at once, at most; as many as ``members_that_fit`` says when left out. The number is halved when memory
        runs out.
    threads : int
        So many blocks of members are trained side by side, each on its own thread of Python with one thread of torch. Members with at most
        20,000 live parameters are in blocks of at least 128, since Python's lock leaves smaller ones no gain. Blocks that do not fit into
        memory are trained again in halves, one after the other. ``hooks.watch`` must be None with more than one thread.
    hooks : Hooks

    Returns
    -------
    population : Population
        Each member at its own best epoch: highest accuracy, then lowest loss. One whose weights are no longer finite there is as it was,
        with an accuracy of minus infinity.
    evaluation : Evaluation

    Notes
    -----
    Adam (Kingma and Ba, 2015, algorithm 1) starts every round with zero moments. The mask is applied to the gradient before the moments
    are updated, so pruned parameters stay exactly zero, and frozen ones exactly as they are. Pruned units are left out of the
    computation: see ``packings``.
    """
    if population.trainable is not None and settings.weight_decay:
        raise ValueError(f"weight_decay must be 0 where parameters are frozen, since it would move them; got {settings.weight_decay}")
    keep_freed()
    values = population.values
    rates = rate_shares(population, settings.rate_width) * (settings.learning_rate if learning_rate is None else learning_rate.cpu())
    best = torch.zeros_like(values)
    accuracy, loss = values.new_empty(len(values), dtype=torch.float64), values.new_empty(len(values))
    overflown = torch.zeros(len(values), dtype=torch.bool, device=values.device)

    def result_of(packing: Packing) -> tuple[Tensor, Evaluation] | None:
        """The values and the evaluation of packed members; None when they do not fit into memory together."""
        members = packing.members
        try:
            return _train(packing.pack(population), data, settings, float(rates[int(members[0])]), key[members], packing, hooks)
        except RuntimeError as error:
            if not is_out_of_memory(error):
                raise
            if len(members) == 1 and beside == 1:
                raise MemoryError(NO_MEMORY) from error
            return None

    groups = [block for packing in packings(population, rates) for block in _blocks(packing, data, settings, max_members, threads)]
    largest = max((len(block.members) for block in groups), default=1)
    worth = sum(block.shape.size > WORTH_A_THREAD or len(block.members) >= ALIGNED for block in groups)
    beside = max(1, min(threads, worth, max_members // largest if max_members else threads))
    while groups:
        halves = []
        with _side_by_side(beside) as each:
            for packing, found in zip(groups, each(result_of, groups), strict=True):
                if found is None:
                    halves += packing.split(max(1, len(packing.members) // 2))
                    continue
                values_there, evaluation = found
                packing.unpack(values_there, best)
                accuracy[packing.members], loss[packing.members] = evaluation.accuracy, evaluation.loss
                overflown[packing.members] = ~values_there.isfinite().all(dim=1)
        groups, beside = halves, 1  # one after the other, since memory is short
    accuracy[overflown] = -torch.inf  # infinite weights may decide some rows rightly
    torch.where(overflown[:, None], values, best, out=best)
    return replace(population, values=best), Evaluation(accuracy, loss)


def _blocks(packing: Packing, data: Data, settings: RoundSettings, max_members: int | None, threads: int) -> list[Packing]:
    """The members in blocks, each of which is trained together; as many at the same time as there are threads."""
    members, large = len(packing.members), packing.shape.size > WORTH_A_THREAD
    fit = members_that_fit(members, packing.shape, data, settings, threads)
    share = -(-members // threads)
    if large:
        return packing.split(min(share, max(1, max_members // threads) if max_members else fit))
    return packing.split(min(max_members or fit, max(LEAST_BLOCK, -(-share // ALIGNED) * ALIGNED)))


@contextlib.contextmanager
def _side_by_side(threads: int) -> Iterator[Callable[..., Iterator[Any]]]:
    """``map``, or a ``map`` that runs on several threads, with one thread of torch for each."""
    if threads == 1:
        yield map
        return
    with one_thread(), ThreadPoolExecutor(threads, initializer=keep_to_one) as pool:
        yield pool.map


@torch.inference_mode()  # each call of torch is shorter: one network trains a fifth faster
def _train(
    population: Population, data: Data, settings: RoundSettings, rate: float, key: Tensor, packing: Packing, hooks: Hooks
) -> tuple[Tensor, Evaluation]:
    """The values of packed members at their best epoch, and their evaluation there."""
    last = pay_last(population.shape, settings.batch_size, len(population), key.device)
    values, mask = (put_last(flat) if last else flat for flat in (population.values, population.mask))
    learnt = mask if population.trainable is None else mask * (put_last(population.trainable) if last else population.trainable)
    population = replace(population, values=values, mask=mask)
    slopes, first, second = (torch.zeros_like(values) for _ in range(3))
    adam = [flat.t() if last else flat for flat in (values, slopes, first, second)]
    epochs, per_epoch = settings.epochs(data.x.shape[1]), -(-data.x.shape[1] // settings.batch_size)
    last_only = settings.keep_last and hooks.watch is None and settings.target is None
    check_every = settings.check_every or (epochs * per_epoch if last_only else per_epoch)
    counts = torch.arange(1.0, epochs * per_epoch + 1, dtype=values.dtype, device=values.device).unbind()
    networks, matrices = BatchedMLP(population.shape, values), population.shape.matrices(slopes)
    best = BestEpoch(population, data.restricted_to(packing.inputs), settings, -(-len(counts) // check_every), hooks.watch is not None)
    # What is masked or frozen, and the mean over a batch's rows in one factor; the last batch of an epoch may be shorter.
    divisor = data.loss.divisor(len(data.y))
    factors = cache(lambda rows: population.shape.matrices(learnt / (rows * divisor)))
    size = settings.batch_size
    if data.sample is None:
        drawn = batches(data.table, len(data.y), size, epochs, settings.input_noise, key, packing.inputs, last)
    else:
        drawn = fresh_batches(data.sample, size, len(counts), settings.input_noise, key, packing.inputs, last)
    noises: Iterator[Sequence[Tensor]] = repeat(())
    if settings.hidden_noise:
        rows = data.x.shape[1] if data.sample is None else per_epoch * size
        noises = hidden_noise(packing.units, rows, size, epochs, settings.hidden_noise, key, last)

    def state() -> dict[str, Tensor]:
        return {"values": values, "first": first, "second": second, **best.tensors()}

    begun = 0 if hooks.resume is None else hooks.resume(packing.members, state())
    for step, ((x, y), noise) in enumerate(islice(zip(drawn, noises, strict=False), begun, None), start=begun):
        networks.gradient(x, y, data.loss, factors(x.shape[-1]), matrices, noise)
        if hooks.before_step is not None:
            hooks.before_step(population, slopes)
        torch._fused_adam_(
            [adam[0]], [adam[1]], [adam[2]], [adam[3]], [], [counts[step]],
            lr=rate * settings.rate_at(step / len(counts)), beta1=BETA1, beta2=BETA2, weight_decay=settings.weight_decay,
            eps=settings.epsilon,
            amsgrad=False, maximize=False,
        )  # fmt: skip
        if hooks.after_step is not None:
            hooks.after_step(population, rate * settings.rate_at(step / len(counts)))
        if (step + 1) % check_every == 0 or step + 1 == len(counts):
            best.take()
            ended = settings.target is not None and bool((best.top.accuracy >= settings.target).all())
            if hooks.watch is not None:
                with torch.inference_mode(False):  # tensors that it keeps must be ordinary ones
                    ended |= hooks.watch(packing.members, population, best.evaluation, step + 1)
            if hooks.save is not None:
                hooks.save(packing.members, state(), len(counts) if ended else step + 1)
            if ended:
                break
    return best.finish()
