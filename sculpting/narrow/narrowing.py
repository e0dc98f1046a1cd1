"""``narrow``: small networks that do one task of a broad one, by any of seven methods.

R = seeds.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import fields, replace
from numbers import Integral
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ..calling import model_first
from ..checks import check_counts, listed, shown
from ..options import check_members, check_path, check_spread, device_of
from ..randomness import check_seed, keys
from ..surroundings import set_aside
from ..tasks.task import Task
from .engines import engine_of
from .given import ChainModels, ModuleModels
from .prune import TOLERANCE, check_sparsity
from .reading import Model, read_narrow
from .results import NarrowResult
from .resuming import NarrowCheckpoint
from .runs import Run, keys_of
from .settings import NarrowSettings

__all__ = ["narrow", "run_of"]

MOST_SIZES = 10_000
IDENTIFYING = 64  # rows of a task that draws them, by which it is known again


@model_first
@set_aside()
def narrow(
    model: Model | Sequence[Model],
    keep: Any,
    forget: Any = None,
    *,
    units: int | Sequence[int] | None = None,
    sparsity: float | Sequence[float] | None = None,
    seeds: int | None = None,
    seed: int = 0,
    loss: str | None = None,
    device: str | torch.device | None = None,
    checkpoint: str | Path | None = None,
    **settings: Any,
) -> NarrowResult:
    """Small networks that do what ``keep`` asks, made from a model that does more, and how much of the rest they forgot.

    Parameters
    ----------
    model : nn.Module, SparseNetwork, SparseModule, or sequence of them
        It is not changed. Linear layers with elementwise activations are read as a chain, see ``read_model``, whose units are its hidden
        units. Any other module returns logits or real values of shape (rows, outputs), and is trained as ``sculpt`` does; its units are
        those of ``sculpting.models.groups.units`` that can be removed, such as channels or dimensions of a residual stream. Weights that
        are zero stay pruned, of a ``SparseNetwork`` biases too. A sequence has a model for each seed, all of one shape: the networks of a
        seed are pruned from its model, or taught by it.
    keep : Task, pair (x, y) of tensors or arrays, TensorDataset or DataLoader
        What the narrow networks are trained and scored on.
    forget : the same, optional
        What they are also evaluated on: as they are, and after an adversary's training on it.
    units : int or sequence of int, optional
        Units that are to be left, in all layers together. Networks that are trained from initial weights share them out in
        proportion to the model's widths, and so do pruned ones with ``scope="layer"``.
    sparsity : float or sequence of float in [0, 1), optional
        Instead of ``units``, the fraction of units to remove. A group lasso needs neither: it removes dead units.
    seeds, seed : int
        How many runs, and the first seed: it decides initial weights, random scores and the order of the data. Without ``seeds`` there is
        one run for each model. All seeds and sizes are one population.
    loss : {"bce", "ce", "mse"}, optional
        Otherwise it follows the targets, as in ``sculpt``. Of data that are neither a ``Task`` nor a complete table, a fifth is held out
        for validation.
    device
        As for ``sculpt``.
    checkpoint : str or Path, optional
        A file that is written during training, at an evaluation, see ``check_every``, at most every ten seconds, and on Ctrl-C once
        there was one. If it exists, the same call continues from it, on the same machine to the same result as without the interruption.
        One that was changed since it was written is refused, and so is that of another call.
    **settings
        Fields of :class:`NarrowSettings`, such as ``method``, ``steps`` or ``target``.

    Returns
    -------
    NarrowResult

    Raises
    ------
    TypeError, ValueError
        Before any training, when an argument does not fit, or the checkpoint is none of this call.
    OSError
        When the checkpoint cannot be written. That of before is then as it was.
    MemoryError
        When a single network does not fit into free memory. More are trained in smaller groups.

    Notes
    -----
    All methods have one training loop, one way of counting data and one stopping rule. Not counted: the rows that the model itself was
    trained on, and validation rows. The protocol follows the published one for parities, scaled down. The published code for digits left
    the biases of pruned units alive and stopped on the test rows; random units were drawn with replacement.

    References
    ----------
    Michaud, Parker-Sartori and Tegmark, "On the creation of narrow AI", NeurIPS 2025.

    Examples
    --------
    >>> from ..tasks import cmsp
    >>> broad, keep, forget = cmsp(2, 2, codes=[[0], [1]]), cmsp(2, 2, codes=[[0]]), cmsp(2, 2, codes=[[1]])
    >>> model = narrow(broad.model(16, 1, activation="relu"), broad, method="scratch", sparsity=0, learning_rate=0.01, steps=800).network
    >>> result = narrow(model, keep, forget, method="ablation", units=8)
    >>> result.units, result.accuracy_keep
    (8, 1.0)
    """
    names = {field.name for field in fields(NarrowSettings)}
    if unknown := sorted(settings.keys() - names):
        raise TypeError(f"settings must be fields of NarrowSettings, {sorted(names)}; got {shown(unknown[0])}")
    known = NarrowSettings(**settings)
    check_path(checkpoint)
    run = run_of(model, keep, forget, known, units=units, sparsity=sparsity, seeds=seeds, seed=seed, loss=loss, device=device)
    if checkpoint is None:
        return run.result()
    kept = NarrowCheckpoint(checkpoint, *_call(run))
    with kept.written_on(KeyboardInterrupt):
        return replace(run, checkpoint=kept).result()


def run_of(
    model: Model | Sequence[Model],
    keep: Any,
    forget: Any,
    settings: NarrowSettings,
    *,
    units: int | Sequence[int] | None = None,
    sparsity: float | Sequence[float] | None = None,
    seeds: int | None = None,
    seed: int = 0,
    loss: str | None = None,
    device: str | torch.device | None = None,
) -> Run:
    """What :func:`narrow` does, checked and not begun; its ``result()`` is that of ``narrow``."""
    several = isinstance(model, Sequence) and not isinstance(model, nn.Module)
    read = _read(model, several, seeds)
    seeds, seed = int(seeds or read.count), check_seed(seed)
    tasks = _tasks(read, keep, forget, loss, seed)
    read = read.fitted(tasks[0])
    place = device_of(read.device if device is None else device)
    models = read.population(place)
    sizes = _sizes(engine_of(models).widths(models), settings, units, sparsity)
    check_members(seeds * max(1, len(sizes)), ((), ()), models.values.shape[1])
    models = models.select(range(seeds) if several else [0] * seeds)
    numbers = [*range(seed, seed + seeds)]
    return Run(models, not several, read.facts, tasks, numbers, sizes, settings, keys_of(numbers, place))


def _call(run: Run) -> tuple[object, list[Tensor]]:
    """The facts and tensors that identify a call, for its checkpoint."""
    facts = run.settings, run.shared, run.numbers, run.sizes, run.engine.identity(run.models), [task.loss for task in run.tasks]
    tensors = [part.cpu() for part in run.models.tensors().values()]
    for task in run.tasks:
        parts = [task.x, task.y, task.x_validation, task.y_validation]
        if task.sample is not None:
            parts += task.sample(keys([0]), 0, IDENTIFYING)
        tensors += [part for given in parts for part in (given if isinstance(given, tuple) else (given,))]
    return facts, tensors


def _read(model: Any, several: bool, seeds: int | None) -> ChainModels | ModuleModels:
    """The models, read: one that all seeds share, or one for each."""
    if seeds is not None:
        check_counts(seeds=seeds)
    if not several:
        return read_narrow([model])
    if len(model) != (seeds or len(model)) or not model:
        wanted = "at least one" if seeds is None else f"one for each of {seeds} seeds"
        raise ValueError(f"a sequence of models must have {wanted}; got {len(model)}. Leave seeds out to take each model once")
    return read_narrow(model)


def _tasks(read: ChainModels | ModuleModels, keep: Any, forget: Any, loss: str | None, seed: int) -> list[Task]:
    """What to keep and to forget as tasks that fit the models and each other."""
    if keep is None:
        raise TypeError("keep must be a Task or data, see as_task; got None")
    tasks = [
        data if isinstance(data, Task) else read.task(data, loss=loss, test=0.0, seed=seed) for data in (keep, forget) if data is not None
    ]
    first, last = tasks[0], tasks[-1]
    shapes = [[tuple(part.shape[1:]) for part in (task.x if isinstance(task.x, tuple) else (task.x,))] for task in (first, last)]
    if shapes[0] != shapes[1] or first.loss != last.loss:
        got = [", ".join("x".join(map(str, shape)) for shape in each) for each in shapes]
        raise ValueError(
            "keep and forget must be for one network, with the same inputs and loss; got "
            f"{got[0]} inputs and {first.loss!r}, and {got[1]} and {last.loss!r}"
        )
    read.check(first)
    for task in tasks:
        check_spread(task.loss, task.y_validation, "for validation")
        if task.y_test is not None:
            check_spread(task.loss, task.y_test, "for testing")
    if bool((first.y == first.y[0]).all()):
        raise ValueError(f"keep must have different targets, or there is nothing to learn; got {len(first.y)} rows with the same")
    return tasks


def _sizes(
    widths: Sequence[int], settings: NarrowSettings, units: int | Sequence[int] | None, sparsity: float | Sequence[float] | None
) -> list[int]:
    """How many units are to be left, of layers that have ``widths`` units."""
    hidden, layers = sum(widths), len(widths)
    if units is not None and sparsity is not None:
        raise ValueError(f"give units or sparsity, not both; got {shown(units)} and {shown(sparsity)}")
    if units is None and sparsity is None and (settings.method != "group-lasso" or settings.capture_sizes):
        raise ValueError(f"method {settings.method!r} needs a size: give units, 1...{hidden}, or sparsity, in [0, 1)")
    sizes: list[Any]
    if units is None:
        gone = torch.floor(check_sparsity(0.0 if sparsity is None else sparsity).flatten() * hidden + TOLERANCE)
        sizes = [hidden - int(count) for count in gone]
    else:
        one = isinstance(units, Integral) or not isinstance(units, Iterable)
        sizes = [units] if one else listed("units", units, MOST_SIZES, f"whole numbers in 1...{hidden}")
    least = layers if not settings.prunes or settings.scope == "layer" else 1
    wrong = [size for size in sizes if not isinstance(size, Integral) or not least <= int(size) <= hidden]
    if not sizes or wrong:
        raise ValueError(
            f"units must be whole numbers in {least}...{hidden}: a narrow network has at most the hidden units of its model"
            f"{', and one in each layer' * (least > 1)}; got {shown(wrong[0]) if wrong else 'none'}"
        )
    return [int(size) for size in sizes]
