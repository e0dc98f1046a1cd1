"""``sculpt``: dense networks once, chains of unit pruning from each, chains of edge pruning from each of those."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from torch import nn
from tqdm import tqdm

from .mlp.population import Population
from .mlp.scores import EDGE_SCORES, UNIT_SCORES
from .mlp.training import Data
from .models.chain import Chain, read_model
from .models.network import SparseNetwork, by_edges, networks_of
from .options import (
    DENSE_ROUNDS,
    DENSE_ROUNDS_UNMARKED,
    check_arguments,
    check_chains,
    check_counts,
    device_of,
    rates_of,
    round_of,
    steps_of,
)
from .randomness import check_seed, keys
from .schedule.checkpoint import Checkpoint, digest
from .schedule.pruning import Attempt, ChainName, Gate, Pruning, RoundRecord, Standing, edges_of, units_of
from .schedule.pruning_schedule import Carving
from .tasks.own_data import as_task
from .tasks.task import Task

__all__ = ["SculptResult", "StopReason", "sculpt"]

CLOSE = 1e-9  # accuracies are ratios of counts
SMALL = 2_000_000  # parameters in flight below which one thread is faster than several

Progress = bool | Callable[[int, int], None]


class StopReason(Enum):
    """Why sculpting ended; the value says it in a sentence."""

    FINEST_STEP = "Every chain ended where removing one more edge lost the accuracy, or would have left none."
    UNITS_ONLY = "Every chain ended where removing one more unit lost the accuracy, or would have left none; no edge steps were asked for."
    NOTHING_ACCEPTED = (
        "No network reached the accuracy that was asked for, dense or pruned: give more steps a round, a wider model or more seeds, "
        "or lower min_accuracy."
    )
    NOTHING_LEARNT = (
        "No dense network answered better than a constant does, so nothing was pruned: put all inputs on one scale, change learning_rate, "
        "steps or the model (with initial='model', train it first), or say by min_accuracy what is enough."
    )


@dataclass(frozen=True, eq=False)
class SculptResult:
    """What sculpting found.

    Attributes
    ----------
    candidates : tuple of SparseNetwork
        The last accepted network of every chain that has one, from the sparsest on.
    dense : tuple of SparseNetwork
        The trained networks that pruning started from, one for each model, learning rate and seed, whether accurate enough or not.
    rounds : tuple of RoundRecord
        Every training round in columns; ``history`` has them row by row.
    min_accuracy : float
        What a network had to reach to be accepted.
    stop_reason : StopReason
    seeds : tuple of int
    """

    candidates: tuple[SparseNetwork, ...]
    dense: tuple[SparseNetwork, ...] = field(repr=False)
    rounds: tuple[RoundRecord, ...] = field(repr=False)
    min_accuracy: float
    stop_reason: StopReason
    seeds: tuple[int, ...]

    @cached_property
    def history(self) -> tuple[Attempt, ...]:
        """Every attempt: chain, phase, density asked, density, accuracy, accepted, seconds."""
        return tuple(attempt for part in self.rounds for attempt in part.attempts(self.min_accuracy))

    @property
    def network(self) -> SparseNetwork | None:
        """The sparsest accepted candidate: the published rule. None when nothing was accepted; ``stop_reason`` says so."""
        return self.candidates[0] if self.candidates else None

    @property
    def accuracy(self) -> float:
        """Of the sparsest candidate; without one, the best that was reached."""
        return self.candidates[0].accuracy if self.candidates else max(max(part.accuracy) for part in self.rounds)

    @property
    def density(self) -> float:
        """Edges left in the sparsest candidate as a fraction of all, in [0, 1]; 1 without one."""
        return self.candidates[0].density if self.candidates else 1.0

    def __str__(self) -> str:
        rounds, accepted = len(self.history), sum(a.accepted for a in self.history)
        lines = [f"{len(self.candidates)} candidates from {len(self.seeds)} seeds, {rounds} rounds of which {accepted} were accepted"]
        if self.candidates:
            first = self.candidates[0]
            units = "-".join(map(str, first.unit_counts))
            lines += [
                f"sparsest   {first.edge_count} edges, density {first.density:.4f}, units {units} of {'-'.join(map(str, first.widths))}",
                f"accuracy   {first.accuracy:.4f} (accepted from {self.min_accuracy:.4f})",
            ]
        else:
            lines.append(f"accuracy   {self.accuracy:.4f} at best (accepted from {self.min_accuracy:.4f})")
        return "\n".join([*lines, self.stop_reason.value])


def sculpt(
    model: nn.Module | list[nn.Module] | tuple[nn.Module, ...],
    data: Any,
    *,
    seeds: int = 4,
    seed: int = 0,
    min_accuracy: float | None = None,
    tolerance: float = 0.005,
    unit_steps: Sequence[float] | None = None,
    edge_steps: Sequence[float] | None = None,
    unit_score: str = "loss_sensitivity",
    edge_score: str | None = None,
    double_after: int | None = 4,
    unit_tries: int = 10,
    edge_tries: int = 4,
    dense_rounds: int | None = None,
    initial: str = "fresh",
    loss: str | None = None,
    validation: Any = None,
    steps: int | None = None,
    batch_size: int | None = None,
    learning_rate: float | Sequence[float] = 0.1,
    final_rate: float = 0.05,
    rate_width: int | None = 12,
    least_rows: int = 64,
    weight_decay: float = 1e-4,
    input_noise: float | None = None,
    hidden_noise: float | None = None,
    device: str | torch.device | None = None,
    max_members: int | None = None,
    checkpoint: str | Path | None = None,
    progress: Progress = True,
) -> SculptResult:
    """Sparse networks that do what the data asks: units pruned first, then edges, for as long as the accuracy holds.

    Parameters
    ----------
    model : nn.Module, or list of nn.Module
        Linear layers with elementwise activations; see ``read_model``. It is never changed; ``Dropout`` is passed over. Several
        models, of equal depth and activations but of any widths, are sculpted side by side in one population, each from every seed.
    data : Task, pair (x, y) of tensors or arrays, TensorDataset or DataLoader
        ``x`` of shape (rows, inputs). The loss follows the targets: columns of 0 and 1 (binary cross-entropy, accuracy = the
        fraction of right bits), integer classes (cross-entropy, the fraction of right classes), real values (mean squared
        error, accuracy = the coefficient of determination).
    seeds, seed : int
        How many initialisations, and the first of them.
    min_accuracy : float in (0, 1], optional
        What a network must reach to be accepted. Otherwise 1 for a complete truth table of bits or classes, and for other data the best
        that a dense network of the population reaches, whatever its model and learning rate, less the ``tolerance``, and in any case
        more than a constant answer does; where no dense network reaches that, nothing is pruned.
    tolerance : float in [0, 1)
        Accuracy that may be lost, 0.005 = half a percentage point, where no accuracy is asked for and the data are no complete table:
        half of it while units are pruned, so that edges can go too.
    unit_steps, edge_steps : sequence of float in (0, 100), optional
        First steps of the chains, in percent of all hidden units and of all weights: a chain of unit pruning for each seed and
        unit step, and from each of these a chain of edge pruning for each edge step. Either may be empty. When left out, 70, 65, ... 5
        and 2.5, 2, ... 0.5, so 70 candidates a seed; for models of more than 20,000 weights 50, 20 and 2, 1.
    unit_score : {"loss_sensitivity", "ablation", "weight_sum", "random"}
    edge_score : {"magnitude", "ablation", "loss_sensitivity", "random"}, optional
        What is pruned first: the least magnitude of a weight, as published, or the least loss without it, see
        ``sculpting.mlp.ablation.edge_ablation``. What the task says when left out: ablation for a complete truth table, magnitude for other
        data and for parities.
    double_after : int, optional
        Double a chain's step after so many acceptances in a row. As published, steps only halve, so that a chain whose first steps fail
        may lose thousands of edges one by one, alone, long after the others have ended; 4 ended two such runs 8 and 15 times sooner.
    unit_tries, edge_tries : int
        How many units or edges are tried in turn, from the lowest score on, before a chain ends that can spare none of them: 1 as
        published; with more, fewer chains end beside a sparser network.
    dense_rounds : int, optional
        Rounds of dense training at the most: until a network is accurate enough, 10 when left out, or, where that is not known before,
        until three rounds in a row have gained nothing, 50 when left out.
    initial : {"fresh", "model"}
        Draw Kaiming-normal weights for each seed, or start all seeds from the model's own weights as they are; seeds then
        differ in noise and data order.
    loss : {"bce", "ce", "mse"}, optional
    validation : pair (x, y) or float, optional
        Rows that decide acceptance, or the fraction of the data held out for it: 0.2, drawn with ``seed``. A complete truth
        table of bits or classes is used whole.
    steps, batch_size, learning_rate, final_rate, rate_width, least_rows, weight_decay, input_noise, hidden_noise
        Of a training round (Adam): gradient steps, 30 epochs but from 60 to 120 steps when left out; rows in a batch, half of the rows
        but at most 64 when left out; one learning rate or several, each for every seed; the fraction of it that is left at the end, along
        half a cosine, 1 for a constant rate as published; the most live units of a layer at which all of the rate holds, which halves
        above and with every doubling, None for never; rows that an epoch holds at least, as often as the data fit into it; coupled L2;
        standard deviations of the Gaussian noise on the inputs and on the sums of hidden units, 0.1 and 0.3 for a complete truth table
        and otherwise 0 when left out. Noise inside works against short cuts: units that carry several bits.
    device : str or torch.device, optional
        Where to compute; otherwise where the model is. On a CPU small networks take one thread; those of which more than 20,000 parameters
        are left are trained side by side on as many as ``torch.get_num_threads()`` says, which may change the result by rounding.
    max_members : int, optional
        How many networks are trained at once at the most; otherwise as many as fit into half of the memory that is free and, on a CPU,
        into the caches: 16 MiB for what a step touches. Products round differently then, which may tip a decision.
    checkpoint : str or Path, optional
        A file that is written between rounds, at most every ten seconds. Where it is there already, the same call goes on from it, to
        the same result as without the interruption, on the same machine.
    progress : bool or callable
        A bar, nothing, or ``progress(chains finished, chains in all)``.

    Returns
    -------
    SculptResult

    Raises
    ------
    TypeError, ValueError
        Before any training, when an argument does not fit: the text says what was expected, what came and what to do.

    Examples
    --------
    >>> from sculpting import tasks
    >>> task = tasks.from_gates({"y": "(a & b) | c"})
    >>> result = sculpt(task.model(width=6, hidden_layers=1), task, seeds=1, unit_steps=[50], edge_steps=[5], progress=False)
    >>> result.accuracy, result.stop_reason.name
    (1.0, 'FINEST_STEP')

    References
    ----------
    Patil, Michael and Dovrolis, "Neural Sculpting", NeurIPS 2023. Where this differs: the retraining before edge pruning has to
    pass the same gate, ties between scores never prune more than asked, and no network is handed over that was not accepted.
    """
    models = list(model) if isinstance(model, (list, tuple)) else [model]
    chains, seed = [read_model(m) for m in models], check_seed(seed)
    check_chains(chains)
    task = as_task(data, loss=loss, validation=validation, seed=seed, outputs=chains[0].shape.widths[-1])
    chains = [chain.for_loss(task.loss) for chain in chains]
    rates = rates_of(learning_rate)
    unit_steps, edge_steps = steps_of(chains, unit_steps, edge_steps)
    edge_score = task.edge_score if edge_score is None else edge_score
    check_arguments(chains[0], task, min_accuracy, tolerance, (unit_score, edge_score), initial)
    optional = (("max_members", max_members), ("double_after", double_after), ("dense_rounds", dense_rounds))
    given = {name: value for name, value in optional if value is not None}
    check_counts(seeds=seeds, unit_tries=unit_tries, edge_tries=edge_tries, **given)
    settings, copies = round_of(
        task, rates, batch_size, steps=steps, final_rate=final_rate, rate_width=rate_width, least_rows=least_rows,
        weight_decay=weight_decay,
        noises=(
            task.input_noise if input_noise is None else input_noise,
            task.hidden_noise if hidden_noise is None else hidden_noise,
        ),
    )  # fmt: skip
    place = device_of(chains[0].device if device is None else device)
    threads = torch.get_num_threads() if place.type == "cpu" else 1
    gate = Gate(Data.of(task, place, copies), settings, torch.tensor(rates, dtype=torch.float64), max_members, threads=threads)
    if min_accuracy is not None or task.complete:
        gate.min_accuracy = 1.0 if min_accuracy is None else min_accuracy
    elif edge_steps:
        gate.reserve = tolerance / 2
    if dense_rounds is None:
        dense_rounds = DENSE_ROUNDS if gate.min_accuracy > -math.inf else DENSE_ROUNDS_UNMARKED
    numbers = range(seed, seed + seeds)
    names = [ChainName(s, model=m, rate=r) for m in range(len(chains)) for r in range(len(rates)) for s in numbers]
    phases = units_of(UNIT_SCORES[unit_score]), edges_of(EDGE_SCORES[edge_score])
    units, edges = (Pruning(items, gate, double_after, tries) for items, tries in zip(phases, (unit_tries, edge_tries), strict=True))
    carving = Carving(gate, units, edges, unit_steps, edge_steps)
    population = Population.padded([_dense(chain, [*numbers] * len(rates), initial, place) for chain in chains])
    kept = None
    if checkpoint is not None:
        schedule = (unit_steps, edge_steps, unit_score, edge_score, double_after, unit_tries, edge_tries, dense_rounds, initial)
        facts = (names, rates, task.loss, settings, copies, gate.min_accuracy, tolerance, schedule, population.shape)
        data_parts = (population.values.cpu(), population.mask.cpu(), task.x, task.y, task.x_check, task.y_check)
        kept = Checkpoint(checkpoint, digest(facts, data_parts))
    with (
        torch.inference_mode(),
        _threads(len(names) * max(1, len(unit_steps)) * population.shape.size),
        _bar(progress, len(names) * (len(unit_steps) + max(1, len(unit_steps)) * len(edge_steps))) as finished,
    ):
        if kept is None or not kept.read(carving, population.shape, place):
            asked = gate.min_accuracy > -math.inf
            standing = gate.dense(population, names, initial == "model", dense_rounds)
            if asked:
                carving.begin(standing)
            elif _set_mark(gate, standing, tolerance, task.constant_accuracy()):
                carving.begin(replace(standing, accepted=standing.accuracy >= gate.min_accuracy))
            else:
                carving.dense = standing
        while carving.advance():
            finished(carving.ended)
            if kept is not None:
                kept.write(carving)
    dense, found = (_networks(standing, chains, rates, task) for standing in (carving.dense, carving.standing))
    candidates = by_edges([network for network, accepted in found if accepted])
    nothing = StopReason.NOTHING_ACCEPTED if min_accuracy is not None or task.complete else StopReason.NOTHING_LEARNT
    reason = nothing if not candidates else StopReason.FINEST_STEP if edge_steps else StopReason.UNITS_ONLY
    return SculptResult(candidates, tuple(network for network, _ in dense), tuple(gate.rounds), gate.min_accuracy, reason, tuple(numbers))


def _dense(chain: Chain, numbers: Sequence[int], initial: str, device: torch.device) -> Population:
    if initial == "fresh":
        population = Population.fresh(chain.shape, keys([("initial", s) for s in numbers], device))
        return population.masked(population.mask * chain.mask.to(device))
    return Population.of(chain.shape, *(flat.to(device).repeat(len(numbers), 1) for flat in (chain.values, chain.mask)))


def _set_mark(gate: Gate, standing: Standing, tolerance: float, constant: float) -> bool:
    """Ask for the accuracy of the best dense network, less the tolerance, and for more than a constant answer's; whether it has that."""
    best = float(standing.accuracy.nan_to_num(nan=-math.inf).max())
    gate.min_accuracy = max(best - tolerance, constant + 2 * CLOSE)
    return best > constant + CLOSE


def _networks(standing: Standing | None, chains: Sequence[Chain], rates: Sequence[float], task: Task) -> list[tuple[SparseNetwork, bool]]:
    """The network of every chain, and whether it was accepted."""
    if standing is None:
        return []
    facts = [
        {
            "head": chains[name.model].head,
            "accuracy": accuracy,
            "loss": task.loss,
            "input_names": task.input_names,
            "output_names": task.output_names,
            "origin": {
                "seed": name.seed, "unit_step": name.unit_step, "edge_step": name.edge_step, "model": name.model,
                "learning_rate": rates[name.rate], "widths": list(chains[name.model].shape.widths), **task.origin,
            },
        }
        for name, accuracy in zip(standing.names, standing.accuracy.tolist(), strict=True)
    ]  # fmt: skip
    return list(zip(networks_of(standing.population, facts), standing.accepted.tolist(), strict=True))


@contextlib.contextmanager
def _threads(parameters: int) -> Iterator[None]:
    """One thread for small work: two on tiny batches were measured up to 40 times slower when anything else ran."""
    before = torch.get_num_threads()
    torch.set_num_threads(1 if parameters < SMALL else before)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@contextlib.contextmanager
def _bar(progress: Progress, total: int) -> Iterator[Callable[[int], None]]:
    """A function to tell how many chains have finished."""
    done = 0
    with tqdm(total=total, desc="sculpting", unit="chain", disable=progress is not True, leave=False) as bar:

        def finished(ended: int) -> None:
            nonlocal done
            bar.update(ended - done)
            done = ended
            if callable(progress):
                progress(done, total)

        yield finished
