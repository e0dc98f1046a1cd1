"""``sculpt``: train dense networks, start chains of unit pruning from each, and chains of edge pruning from each of those."""

from __future__ import annotations

import contextlib
import functools
import inspect
import itertools
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from .calling import model_first
from .checks import check_flags, listed, shown
from .engine import M
from .engines import setup_of
from .metrics import Metric
from .options import check_call, check_counts, check_members, check_path, device_of, settings_of, steps_of
from .progress import Progress, check_progress, progress_bar
from .randomness import check_seed
from .results import SculptResult, result_of
from .schedule.acceptance import AcceptanceCriterion, PairedTest
from .schedule.chains import ChainName, as_percent
from .schedule.checkpoint import Checkpoint
from .schedule.dense import DenseTraining
from .schedule.history import RoundEvent
from .schedule.pruning_schedule import PruningSchedule
from .schedule.rounds import Rounds
from .settings import ScheduleSettings, TrainingSettings
from .surroundings import one_thread, set_aside
from .tasks.task import Task

__all__ = ["sculpt"]

MOST_KEPT = 10_000  # names of units
SMALL = 2_000_000  # parameters of all members together, below which one thread is faster than several

Callback = Callable[[RoundEvent], object]


@model_first
@set_aside()
def sculpt(
    model: nn.Module | list[nn.Module] | tuple[nn.Module, ...],
    data: Any,
    *,
    seeds: int = 4,
    seed: int = 0,
    min_accuracy: float | None = None,
    training: TrainingSettings | None = None,
    schedule: ScheduleSettings | None = None,
    initial: str = "fresh",
    regrow: bool = False,
    keep: Sequence[str] = (),
    loss: str | None = None,
    validation: Any = None,
    test: Any = None,
    groups: Any = None,
    metric: str | Metric | Callable[[Any, Any], float] | None = None,
    device: str | torch.device | None = None,
    mixed_precision: bool = False,
    max_members: int | None = None,
    checkpoint: str | Path | None = None,
    progress: Progress = True,
    callback: Callback | None = None,
    **settings: Any,
) -> SculptResult:
    """Train networks on data and prune them, units first and then edges, for as long as the accuracy holds.

    Parameters
    ----------
    model : nn.Module, or list of nn.Module
        It is never changed. Linear layers with elementwise activations, see ``read_model``, take the engine for these, which skips
        ``Dropout``. Several such models of equal depth and activations, but any widths, are sculpted side by side in one population, each
        from every seed. Every other module must return logits or real values of shape (rows, outputs). Its units are found by
        ``sculpting.models.groups.units``; it is trained in train mode, with its ``Dropout`` and ``BatchNorm``, and judged in eval mode.
    data : Task, pair (x, y), Dataset or DataLoader
        ``x`` of shape (rows, inputs), arrays, tensors or data frames. For a module that is no chain ``x`` may have any shape (rows, ...),
        hold integers, which stay integers where the module takes them, or be a tuple of several inputs. Loss and metric follow from the
        targets. Columns of 0 and 1: binary cross-entropy, accuracy by output. Classes, as integers or by name: cross-entropy, accuracy.
        Real values: mean squared error, R squared by output. Rows that are no complete truth table are divided into training, validation
        and test rows, and networks are trained on standardised columns; they are returned in the units of the data. Modules that are no
        chain are trained on the data as they are, with noise in units of the standard deviation of ``x``, but none on integers and none on
        hidden units.
    seeds, seed : int
        Number of seeds, and the first of them. Each seed has its own initial weights, noise and data order.
    min_accuracy : float in (0, 1], optional
        The accuracy that a network must reach to be accepted. When left out, it is 1 for a complete truth table of bits or classes. On
        other data a network must not be inferior to the mean of the dense networks, by a paired test on the validation rows whose margin
        is the ``tolerance``; see ``confidence`` in ``ScheduleSettings``. If no dense network beats the best constant prediction
        significantly, nothing is pruned.
    training : TrainingSettings, optional
        Settings of the training rounds; those of the task when left out.
    schedule : ScheduleSettings, optional
        Settings of the pruning schedule; those of the task when left out.
    initial : {"fresh", "model"}
        Draw Kaiming-normal weights for each seed (a module that is no chain draws its own, by ``reset_parameters``), or start all seeds
        from the model's own weights. Seeds then differ only in noise and data order.
    regrow : bool
        With ``initial="model"``, train weights that are exactly zero. Otherwise they were pruned, and stay so.
    keep : sequence of str
        Kinds of units, such as ``"residual"``, or names of their layers, whose units are never removed. For modules that are no chain.
        ``unit_steps=()`` keeps all units.
    loss : {"bce", "ce", "mse"}, optional
        Binary cross-entropy, cross-entropy or mean squared error; follows from the targets when left out.
    validation : pair (x, y) or float, optional
        The rows that decide acceptance, or the fraction of the data to hold out for them: 0.2 when left out, drawn with ``seed``. A
        complete truth table of bits or classes is used whole.
    test : pair (x, y) or float, optional
        The rows that decide nothing, for the figures of the result, or their fraction; 0 for none. 0.2 when left out, but none where
        ``validation`` brings rows of its own or a truth table is used whole.
    groups : array of shape (rows,), optional
        Rows of one group, such as those of one patient, stay together in one part.
    metric : {"accuracy", "balanced accuracy", "R2"}, Metric, or function of (targets, answers), optional
        The figure by which networks are judged. With several outputs the worst counts. Where the outputs are several one-hot groups, as
        of two digits, ``group_accuracy(2)`` judges the largest output of each.
    device : str or torch.device, optional
        Where to compute; the device of the model when left out. On a CPU networks with more than 20,000 live parameters, and blocks of at
        least 128 smaller ones, are trained side by side on ``torch.get_num_threads()`` threads, which may change the result by rounding.
    mixed_precision : bool
        Train modules that are no chain in bfloat16 where torch's autocast does, on a GPU. Evaluation stays in float32.
    max_members : int, optional
        Networks that are trained at once, at most. When left out, as many as fit into half of the free memory and, on a CPU, into the
        cache of a core: 8 MiB for what a step touches. Products of other shapes round differently, and long training amplifies that: the
        weights of a round of 60 steps differed by 7e-7, those of 300 steps by as much as weights are large (by 3e-13 in float64). So with
        another number, candidates may be other networks, with other edges.
    checkpoint : str or Path, optional
        A file that is written between rounds, at most every ten seconds, and on Ctrl-C after the first round. If it exists,
        the same call continues from it, on the same machine to the same result as without the interruption. One that was changed since it
        was written is refused.
    progress : bool or callable
        True for a progress bar, False for none, or a function that is called as ``progress(chains ended, all chains)``.
    callback : function, optional
        Called with a :class:`RoundEvent` after every training round. What it raises ends the run, and the checkpoint has this round
        too. A run that goes on from a checkpoint does not send the rounds of before again.
    **settings
        Single fields of ``TrainingSettings`` and ``ScheduleSettings`` by their names, such as ``steps=300``, ``learning_rate=0.03`` and
        ``unit_steps=(0.5, 0.2)``.

    Returns
    -------
    SculptResult

    Raises
    ------
    TypeError, ValueError
        Before any training, when an argument does not fit, or asks for more than a million chains of pruning or 32 GB of networks. The text
        says what was expected, what was given and what to do.
    OSError
        When the checkpoint cannot be written. That of before is then as it was.
    MemoryError
        When a single network does not fit into free memory. More are trained in smaller groups.

    Examples
    --------
    >>> from sculpting import tasks
    >>> task = tasks.from_gates({"y": "(a & b) | c"})
    >>> result = sculpt(task.model(width=6, hidden_layers=1), task, seeds=1, unit_steps=[0.5], edge_steps=[0.05], progress=False)
    >>> result.accuracy, result.stop_reason.name
    (1.0, 'FINEST_STEP')

    References
    ----------
    Patil, Michael and Dovrolis, "Neural Sculpting", NeurIPS 2023. Differences from the published method: the retraining before
    edge pruning must be accepted too, ties between scores never prune more than asked, only accepted networks are returned, and dense
    networks that are not accurate enough have a second start.
    """
    keep = _checked(seeds, max_members, checkpoint, progress, callback, keep, initial, regrow=regrow, mixed_precision=mixed_precision)
    seed, setup = check_seed(seed), setup_of(model)
    setup, given = setup.task(data, loss=loss, validation=validation, test=test, groups=groups, metric=metric, seed=seed)
    training, schedule = settings_of(given, training, schedule, settings, inspect.signature(sculpt).parameters)
    check_call(given, training, schedule, initial, min_accuracy, lambda: setup.check(given, initial))
    setup, task = setup.fitted(given, keep, mixed_precision)
    place = device_of(setup.device if device is None else device)
    numbers, rates = range(seed, seed + int(seeds)), len(training.learning_rates)
    first_steps = steps_of(setup.edges, schedule)
    check_members(int(seeds) * rates * setup.models, first_steps, setup.edges)
    names = [ChainName(s, model=m, rate=r) for m in range(setup.models) for r in range(rates) for s in numbers]
    population: Any = setup.dense(numbers, rates, initial, regrow, place)
    criterion = _criterion(task, schedule, min_accuracy, bool(first_steps[1]), place)
    pruning = _pruning_of(setup.engine(task, training, schedule, place, max_members), criterion, training, schedule, first_steps)
    tell = _teller(callback, pruning, pruning.chains(len(names)))
    of_model = setup.identity(population)
    kept = None if checkpoint is None else Checkpoint(checkpoint, *_call(pruning, names, of_model, task, training, initial))
    with (
        torch.inference_mode(),
        _threads(len(names) * max(1, len(pruning.unit_steps)) * setup.size(population)),
        progress_bar(progress, pruning.chains(len(names)), "sculpting", "chain") as report,
        contextlib.nullcontext() if kept is None else kept.written_on(KeyboardInterrupt),
    ):
        _run(pruning, population, names, initial == "model", kept, tell, report)
    return result_of(pruning, setup, given, set_by_dense=min_accuracy is None and not task.complete)


def _checked(
    seeds: object,
    max_members: object,
    checkpoint: object,
    progress: object,
    callback: object,
    keep: object,
    initial: object,
    **flags: object,
) -> list[str]:
    """Refuse arguments that do not fit, whatever the model and the data are; what to keep as a list."""
    check_counts(seeds=seeds, **({} if max_members is None else {"max_members": max_members}))
    check_flags(**flags)
    if flags["regrow"] and initial == "fresh":
        raise ValueError("regrow needs initial='model', since fresh weights are never zero; got initial='fresh'. Leave regrow out")
    check_path(checkpoint)
    check_progress(progress, "chains")
    if callback is not None and not callable(callback):
        raise TypeError(f"callback must be a function of a RoundEvent, or None; got {shown(callback)}")
    kept = [keep] if isinstance(keep, str) else listed("keep", keep, MOST_KEPT, "a sequence of names")
    if not all(isinstance(name, str) for name in kept):
        raise TypeError(f"keep must be a sequence of names, as text; got {shown(keep)}")
    return kept


def _criterion(
    task: Task, schedule: ScheduleSettings, min_accuracy: float | None, reserve: bool, device: torch.device
) -> AcceptanceCriterion:
    """The acceptance criterion. Where the dense networks set the accuracy, unit pruning leaves half of the tolerance for the edges."""
    test = None
    if schedule.confidence is not None and not task.complete:
        test = PairedTest(schedule.confidence, task.constant_scores().to(device), task.row_share())
    if min_accuracy is not None or task.complete:
        return AcceptanceCriterion(1.0 if min_accuracy is None else min_accuracy, test=test)
    constant = task.constant_accuracy() if test is None else float(test.constant.mean())
    return AcceptanceCriterion(tolerance=schedule.tolerance, constant=constant, reserve=schedule.tolerance / 2 * reserve, test=test)


def _pruning_of(
    engine: Any,
    criterion: AcceptanceCriterion,
    training: TrainingSettings,
    schedule: ScheduleSettings,
    first_steps: tuple[list[float], list[float]],
) -> PruningSchedule[Any]:
    """The pruning schedule of an engine, before its first round."""
    rounds = Rounds(engine, criterion, _rates(training, schedule), noisy=bool(training.input_noise or training.hidden_noise))
    return PruningSchedule(rounds, schedule, *first_steps)


def _rates(training: TrainingSettings, schedule: ScheduleSettings) -> Tensor:
    """The learning rates, and those of second starts."""
    rates = torch.tensor(training.learning_rates, dtype=torch.float64)
    return rates if schedule.restart_rate is None else torch.cat([rates, rates * schedule.restart_rate])


def _call(
    pruning: PruningSchedule[M],
    names: list[ChainName],
    of_model: tuple[object, list[Tensor]],
    task: Task,
    training: TrainingSettings,
    initial: str,
) -> tuple[object, list[Tensor]]:
    """The facts and tensors that identify a call, for its checkpoint; ``of_model`` holds those of the model."""
    settings, rows = pruning.settings, len(task.y)
    steps = ([as_percent(step) for step in part] for part in (pruning.unit_steps, pruning.edge_steps))
    schedule = (
        *steps, settings.unit_score, settings.edge_score, settings.double_after, settings.unit_tries, settings.edge_tries,
        pruning.dense_rounds, initial, ("restart", settings.restart_rate),
        ("test", settings.confidence, _identity(task.metric)),
    )  # fmt: skip
    facts = (
        names, [*training.learning_rates], task.loss, training.of_round(rows), training.copies(rows),
        pruning.rounds.criterion.min_accuracy, settings.tolerance, schedule, of_model[0],
    )  # fmt: skip
    rows_of = ((task.x, task.y), (task.x_validation, task.y_validation))
    return facts, [*of_model[1], *(part for x, y in rows_of for part in (*(x if isinstance(x, tuple) else (x,)), y))]


def _identity(metric: Any) -> object:
    """What tells one metric from another in the next process, too."""
    metric = metric.rows if isinstance(metric, Metric) else getattr(metric, "__wrapped__", metric)
    if isinstance(metric, functools.partial):
        return _identity(metric.func), repr(metric.args), repr(sorted(metric.keywords.items()))
    return (metric.__module__, metric.__qualname__) if hasattr(metric, "__qualname__") else metric


def _threads(parameters: int) -> contextlib.AbstractContextManager[None]:
    """One thread in each call of torch for small networks: on tiny batches two were up to 40 times slower when anything else ran."""
    return one_thread() if parameters < SMALL else contextlib.nullcontext()


def _run(
    pruning: PruningSchedule[M],
    population: M,
    names: list[ChainName],
    trained: bool,
    kept: Checkpoint | None,
    tell: Callable[[], None],
    report: Callable[[int], object],
) -> None:
    """Train and prune until all chains have ended, from the checkpoint on if there is one; it has each round before that is told."""

    def after_round(state: PruningSchedule[M] | DenseTraining[M]) -> None:
        if kept is None:
            tell()
        else:
            kept.keep(state, tell)

    if kept is None or not kept.read(pruning, population, names):
        pruning.begin(population, names, trained, after_round)
        if kept is not None:
            kept.hold(pruning)
    while pruning.advance():
        report(pruning.ended)
        after_round(pruning)


def _teller(callback: Callback | None, pruning: PruningSchedule[M], chains: int) -> Callable[[], None]:
    """A function that calls the callback with the last round."""

    def tell() -> None:
        if callback is None:
            return
        rounds = pruning.rounds
        last = [*itertools.takewhile(lambda record: record.number == rounds.number, reversed(rounds.history))]
        attempts = tuple(attempt for record in reversed(last) for attempt in record.attempts(rounds.criterion.min_accuracy))
        callback(RoundEvent(rounds.number, attempts, pruning.ended, chains))

    return tell
