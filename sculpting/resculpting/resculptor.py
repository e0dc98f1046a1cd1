"""``resculpt``: after a change of the task, learn again the smallest part of a sparse network that suffices."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch

from ..checks import check_counts
from ..data import Data
from ..engines import setup_of
from ..metrics import metric_of
from ..mlp.population import Population
from ..mlp.setup import ChainSetup
from ..mlp.training import gradient
from ..models.live import live_units
from ..models.network import SparseNetwork
from ..options import check_accuracy, check_training, device_of, settings_of
from ..progress import Progress, check_progress, progress_bar
from ..randomness import check_seed
from ..results import SculptResult
from ..schedule.rounds import Rounds
from ..settings import ScheduleSettings, TrainingSettings
from ..surroundings import one_thread, set_aside
from ..tasks.task import Task
from .arguments import network_of, spares_of, task_of
from .criteria import criterion_of, wrong_outputs
from .growth import Base
from .parts import Wiring
from .results import ResculptResult, ResculptStatus
from .search import Found, Search
from .stages import stages_of
from .widening import widened

__all__ = ["resculpt"]

ZERO = np.float32(0)  # added to weights, it turns -0 into 0


@set_aside()
def resculpt(
    result: Any,
    data: Any,
    *,
    seeds: int = 8,
    seed: int = 0,
    min_accuracy: float | None = None,
    spare_units: Sequence[int] = (0, 1, 2, 4),
    training: TrainingSettings | None = None,
    schedule: ScheduleSettings | None = None,
    validation: Any = None,
    test: Any = None,
    groups: Any = None,
    metric: Any = None,
    device: str | torch.device | None = None,
    max_members: int | None = None,
    progress: Progress = True,
    **settings: Any,
) -> ResculptResult:
    """Go on from a sparse network when its task has changed: learn again the smallest part that suffices, and keep all else.

    Outputs that are still right cannot change: every unit that leads to one of them is frozen, bit for bit. The candidates for the change
    are parts: units of one layer that lead to all the wrong outputs and to no other, together and divided by the inputs that they depend
    on. Each part may grow edges from all live units of the layer below and take spare units. All candidates are trained side by side.
    Those that are accurate enough are pruned by edges, and the one with the fewest changed edges is taken. If no part suffices, two
    parts may change, or all units of a layer that lead only to wrong outputs; then all such units of all layers, and then the whole
    network, with growing numbers of edges. Of these, training ends with the round in which some candidate is accurate enough.

    Parameters
    ----------
    result : SculptResult, ResculptResult, SparseNetwork, or any object whose ``network`` is one
        A multilayer perceptron, such as the sparsest network of a result or that of ``consensus(result.candidates)``. It is not changed.
    data : Task, pair (x, y), Dataset or DataLoader
        The new data, as of :func:`sculpting.sculpt`, for the same loss. Inputs and outputs go by name where both have names, and by
        position otherwise. There may be new ones, but none may be missing.
    seeds, seed : int
        Starts of each candidate, and the number of the first. The first and the third go on from the present weights, the others from
        fresh ones. Every second pair is trained at the learning rate of second starts, see ``restart_rate``.
    min_accuracy : float in (0, 1], optional
        The accuracy that every output must reach. When left out, 1 for a complete truth table; otherwise what the output reached on
        the validation rows before, less the ``tolerance`` of the schedule. An output that is below it is wrong; as its function is
        another one, it must then reach what the worst output reached. Of a network without its result only the ``accuracy``, over all
        outputs, is known.
    spare_units : sequence of int
        How many unused units of its layer a part may take: every number is a candidate of its own. In every other start a part may take
        as many of every lower layer, too.
    training : TrainingSettings, optional
        Settings of the training rounds; those of the data when left out. Weights do not decay, since frozen ones would.
    schedule : ScheduleSettings, optional
        Of its fields ``edge_score``, ``edge_tries``, ``double_after``, ``restart_rate``, ``tolerance`` and ``confidence`` are used.
    validation, test, groups, metric, device, max_members
        As of :func:`sculpting.sculpt`. Rows are on the CPU unless a ``device`` is given.
    progress : bool or callable
        True for a progress bar, False for none, or a function that is called as ``progress(stages ended, all stages)``.
    **settings
        Single fields of ``TrainingSettings`` and ``ScheduleSettings`` by their names. Of several learning rates the first is taken.

    Returns
    -------
    ResculptResult

    Raises
    ------
    TypeError, ValueError
        When there is no such network, the data do not fit it, or an argument is out of range.

    Examples
    --------
    >>> from sculpting import sculpt, tasks
    >>> before = tasks.from_gates({"p": "a & b", "y": "p | c", "z": "p & d"}, outputs=["y", "z"])
    >>> after = tasks.from_gates({"p": "a & b", "y": "p | c", "z": "p | d"}, outputs=["y", "z"])
    >>> model = before.model(width=6, hidden_layers=2)
    >>> result = sculpt(model, before, seeds=1, unit_steps=[0.5], edge_steps=[0.05], progress=False)
    >>> found = resculpt(result, after, seeds=2, progress=False)
    >>> found.status.name, [found.name_of((3, output)) for output in found.wrong]
    ('ONE_PART', ['z'])

    Notes
    -----
    Edges are grown where the gradient is largest, as in Evci et al., "Rigging the lottery", ICML 2020, but once and not at intervals, and
    of at most 256 masked edges into a part all are. Sparse parts that are learnt beside a frozen rest: Golkar, Kagan and Cho, "Continual
    learning via neural pruning", 2019.
    """
    seed = check_seed(seed)
    check_counts(seeds=seeds, **({} if max_members is None else {"max_members": max_members}))
    check_accuracy(min_accuracy)
    check_progress(progress, "stages")
    spares = spares_of(spare_units)
    network = network_of(result)
    task = task_of(network, data, seed, validation=validation, test=test, groups=groups, metric=metric)
    training, schedule = settings_of(task, training, schedule, settings, ("seeds", "spare_units", "min_accuracy", "metric"))
    check_training(training)
    before = widened(network, task)
    place = device_of("cpu" if device is None else device)
    call = _Call(task, before, replace(training, weight_decay=0.0, learning_rate=training.learning_rates[0]), schedule, place, max_members)
    criterion = criterion_of(task, network, result if isinstance(result, SculptResult) else None, schedule, min_accuracy)
    with torch.inference_mode(), one_thread():
        return _resculpted(call, criterion, spares, range(seed, seed + int(seeds)), progress)


@dataclass(frozen=True, eq=False)
class _Call:
    """The new data, the network in their columns, and the settings."""

    task: Task
    before: SparseNetwork
    training: TrainingSettings
    schedule: ScheduleSettings
    device: torch.device
    max_members: int | None


def _resculpted(call: _Call, criterion: Any, spares: Sequence[int], seeds: range, progress: Progress) -> ResculptResult:
    setup, task = _setup(call)
    chain = setup.chains[0]
    engine = setup.engine(task, call.training, call.schedule, call.device, call.max_members)
    criterion.test.constant = criterion.test.constant.to(call.device)
    base, member = _base(chain, engine.data, call.device)
    scores = engine.row_scores(member).mean(dim=2)[0]
    wrong = wrong_outputs(scores, criterion.bars, call.before.widths[-1])
    criterion.lower(scores, engine.row_scores(member, "training").mean(dim=2)[0])
    bar = criterion.min_accuracy
    now = replace(call.before, accuracy=float(scores.mean()))
    if not wrong.any():
        return ResculptResult(now, call.before, ResculptStatus.UNCHANGED, min_accuracy=bar, task=call.task)
    rounds: Rounds[Population] = Rounds(engine, criterion, _rates(call))
    search = Search(rounds, base, chain.shape, call.schedule.edge_tries, call.schedule.double_after)
    stages = stages_of(base, wrong, call.before.edge_count, spares, seeds)
    with progress_bar(progress, len(stages), "resculpting", "stage") as report:
        for done, (status, growths) in enumerate(stages):
            report(done)
            found = search.best(growths, until_first=status is not ResculptStatus.ONE_PART)
            if found is not None:
                report(len(stages))
                return _result(call, setup, engine, found, status, wrong, search.steps, bar)
    outputs = tuple(int(output) for output in np.flatnonzero(wrong))
    return ResculptResult(now, call.before, ResculptStatus.NOT_LEARNT, outputs, steps=search.steps, min_accuracy=bar, task=call.task)


def _rates(call: _Call) -> torch.Tensor:
    """The learning rate, and that of the second half of the starts: the one of second starts in ``sculpt``."""
    first = call.training.learning_rates[0]
    return torch.tensor([first, first * (call.schedule.restart_rate or 1.0)], dtype=torch.float64)


def _result(
    call: _Call, setup: ChainSetup, engine: Any, found: Found, status: ResculptStatus, wrong: Any, steps: int, bar: float
) -> ResculptResult:
    """The result, whose frozen parameters have the bits that they had in the units of the data."""
    before = call.before
    units = {"status": status.name, "part": [list(unit) for unit in found.growth.part.units]}
    facts = {
        "head": before.head, "accuracy": found.accuracy, "loss": call.task.loss,
        "metric": metric_of(call.task.metric, call.task.loss).name,
        "input_names": before.input_names, "output_names": before.output_names,
        "origin": {**before.origin, **call.task.origin, "resculpted": units},
    }  # fmt: skip
    after = setup.returned(engine.export(found.members, [facts])[0])
    assert found.members.trainable is not None
    shape, free = found.members.shape, found.members.trainable.cpu() > 0
    weights = [
        np.where(f[0].numpy(), new + ZERO, old) for f, new, old in zip(shape.weights(free), after.weights, before.weights, strict=True)
    ]
    biases = [np.where(f[0].numpy(), new + ZERO, old) for f, new, old in zip(shape.biases(free), after.biases, before.biases, strict=True)]
    after = replace(after, weights=tuple(weights), biases=tuple(biases))
    outputs = tuple(int(output) for output in np.flatnonzero(wrong))
    added = tuple(sorted(live_units(after) - live_units(before)))
    return ResculptResult(after, before, status, outputs, found.growth.part.units, added, steps, bar, call.task)


def _setup(call: _Call) -> tuple[ChainSetup, Task]:
    """The network as a chain, and the task, both in standardised units where the task asks for them."""
    setup = setup_of(call.before.model())
    assert isinstance(setup, ChainSetup)
    setup = ChainSetup([chain.for_loss(call.task.loss) for chain in setup.chains])
    setup.check(call.task, "model")
    return setup.fitted(call.task, (), half=False)


def _base(chain: Any, data: Data, device: torch.device) -> tuple[Base, Population]:
    """The network before: as arrays, and as a population of one member."""
    shape, values = chain.shape, chain.values.unsqueeze(0)
    mask = (values != 0).float()
    for weight, out, bias in zip(shape.weights(mask), [*shape.weights(mask)[1:], None], shape.biases(mask), strict=True):
        used = weight.amax(dim=2) if out is None else torch.maximum(weight.amax(dim=2), out.amax(dim=1))
        bias[:] = 1.0 if out is None else torch.maximum(bias, used)
    member = Population.of(shape, values.to(device), mask.to(device))
    slopes = gradient(member, data.scored_on(data.x.shape[1])).abs().cpu()
    own, kept, slopes_of = (tuple(matrix[0].numpy() for matrix in shape.matrices(flat)) for flat in (values, mask, slopes))
    return Base(own, kept, slopes_of, Wiring.of([weight[0].numpy() > 0 for weight in shape.weights(mask)])), member
