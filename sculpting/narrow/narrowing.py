"""``narrow``: small networks that do one task of a broad one, by any of seven methods.

R = seeds, n_l = width of layer l.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from numbers import Integral
from typing import Any

import torch
from torch import nn

from ..mlp.population import Population
from ..models.chain import Chain
from ..models.network import SparseNetwork
from ..models.shape import Shape
from ..options import check_counts, check_inputs, check_spread, device_of
from ..randomness import check_seed
from ..tasks.own_data import as_task
from ..tasks.task import Task
from .groups import read_finite
from .prune import TOLERANCE, check_sparsity
from .results import NarrowResult
from .runs import Run, keys_of
from .settings import NarrowSettings

__all__ = ["narrow", "run_of"]

Model = nn.Module | SparseNetwork


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
    **settings: Any,
) -> NarrowResult:
    """Small networks that do what ``keep`` asks, made from a model that does more, and how much of the rest they forgot.

    Parameters
    ----------
    model : nn.Module, SparseNetwork, or sequence of them
        See ``read_model``. It is not changed. Weights that are zero stay pruned, of a ``SparseNetwork`` biases too. A sequence has a
        model for each seed, all of one shape: the networks of a seed are pruned from its model, or taught by it.
    keep : Task, pair (x, y) of tensors or arrays, TensorDataset or DataLoader
        What the narrow networks are trained and scored on.
    forget : the same, optional
        What they are also evaluated on: as they are, and after an adversary's training on it.
    units : int or sequence of int, optional
        Hidden units that are to be left, in all layers together. Networks that are trained from initial weights share them out in
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
    **settings
        Fields of :class:`NarrowSettings`, such as ``method``, ``steps`` or ``target``.

    Returns
    -------
    NarrowResult

    Raises
    ------
    TypeError, ValueError
        Before any training, when an argument does not fit.

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
        raise TypeError(f"settings must be fields of NarrowSettings, {sorted(names)}; got {unknown[0]!r}")
    known = NarrowSettings(**settings)
    return run_of(model, keep, forget, known, units=units, sparsity=sparsity, seeds=seeds, seed=seed, loss=loss, device=device).result()


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
    chains = _chains(model, seeds)
    seeds, seed = seeds or len(chains), check_seed(seed)
    tasks = _tasks(chains[0], keep, forget, loss, seed)
    chains = [chain.for_loss(tasks[0].loss) for chain in chains]
    shape, place = chains[0].shape, device_of(chains[0].device if device is None else device)
    sizes = _sizes(shape, settings, units, sparsity)
    shared = not isinstance(model, Sequence)
    values, mask = (torch.stack([getattr(chain, name) for chain in chains]).to(place) for name in ("values", "mask"))
    models = Population.of(shape, values, mask).select([0] * seeds if shared else range(seeds))
    numbers = [*range(seed, seed + seeds)]
    return Run(models, shared, chains[0].head, tasks, numbers, sizes, settings, keys_of(numbers, place))


def _chains(model: Model | Sequence[Model], seeds: int | None) -> list[Chain]:
    """The models, read: one that all seeds share, or one for each."""
    if seeds is not None:
        check_counts(seeds=seeds)
    if not isinstance(model, Sequence):
        return [read_finite(model)]
    if len(model) != (seeds or len(model)) or not model:
        wanted = "at least one" if seeds is None else f"one for each of {seeds} seeds"
        raise ValueError(f"a sequence of models must have {wanted}; got {len(model)}. Leave seeds out to take each model once")
    chains = [read_finite(each) for each in model]
    for chain in chains[1:]:
        if (chain.shape, chain.head) != (chains[0].shape, chains[0].head):
            raise ValueError(
                "models must have one shape, the same widths and activations; got "
                f"{_described(chain)} beside {_described(chains[0])}. Narrow models of different shapes in calls of their own"
            )
    return chains


def _described(chain: Chain) -> str:
    return f"{chain.shape.widths} {[*chain.shape.activations[:-1], chain.head or chain.shape.activations[-1]]}"


def _tasks(chain: Chain, keep: Any, forget: Any, loss: str | None, seed: int) -> list[Task]:
    """What to keep and to forget as tasks that fit the model and each other."""
    outputs = chain.shape.widths[-1]
    tasks = [
        data if isinstance(data, Task) else as_task(data, loss=loss, test=0.0, seed=seed, outputs=outputs)
        for data in (keep, forget)
        if data is not None
    ]
    first, last = tasks[0], tasks[-1]
    if first.x.shape[1] != last.x.shape[1] or first.loss != last.loss:
        raise ValueError(
            "keep and forget must be for one network, with the same inputs and loss; got "
            f"{first.x.shape[1]} inputs and {first.loss!r}, and {last.x.shape[1]} and {last.loss!r}"
        )
    check_inputs(chain, first)
    for task in tasks:
        check_spread(task.loss, task.y_validation, "for validation")
        if task.y_test is not None:
            check_spread(task.loss, task.y_test, "for testing")
    if bool((first.y == first.y[0]).all()):
        raise ValueError(f"keep must have different targets, or there is nothing to learn; got {len(first.y)} rows with the same")
    return tasks


def _sizes(
    shape: Shape, settings: NarrowSettings, units: int | Sequence[int] | None, sparsity: float | Sequence[float] | None
) -> list[int]:
    """How many hidden units are to be left."""
    hidden, layers = sum(shape.widths[1:-1]), len(shape.widths) - 2
    if units is not None and sparsity is not None:
        raise ValueError(f"give units or sparsity, not both; got {units} and {sparsity}")
    if units is None and sparsity is None and (settings.method != "group-lasso" or settings.capture_sizes):
        raise ValueError(f"method {settings.method!r} needs a size: give units, 1...{hidden}, or sparsity, in [0, 1)")
    sizes: list[Any]
    if units is None:
        gone = torch.floor(check_sparsity(0.0 if sparsity is None else sparsity).flatten() * hidden + TOLERANCE)
        sizes = [hidden - int(count) for count in gone]
    else:
        sizes = list(units) if hasattr(units, "__len__") else [units]  # type: ignore[arg-type]
    least = layers if not settings.prunes or settings.scope == "layer" else 1
    wrong = [size for size in sizes if not isinstance(size, Integral) or not least <= int(size) <= hidden]
    if not sizes or wrong:
        raise ValueError(
            f"units must be whole numbers in {least}...{hidden}: a narrow network has at most the hidden units of its model"
            f"{', and one in each layer' * (least > 1)}; got {wrong[0] if wrong else 'none'}"
        )
    return [int(size) for size in sizes]
