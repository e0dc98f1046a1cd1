"""``narrow``: small networks that do one task of a broad one, by any of six methods.

N = members (seeds x sizes), H = hidden units of the model, n_l = width of layer l.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial
from numbers import Integral, Real
from typing import Any

import torch
from torch import nn

from ..models.chain import Chain
from ..models.network import SparseNetwork
from ..models.shape import Shape
from ..options import check_counts, check_inputs, check_spread, device_of
from ..randomness import check_seed
from ..tasks.own_data import as_task
from ..tasks.task import Task
from .distillation import distilled
from .groups import read_finite
from .lasso import Lasso
from .learning import check_target, learn
from .prune import TOLERANCE, check_scope, check_sparsity
from .results import NarrowResult
from .runs import SCORES, Run

__all__ = ["narrow"]

METHODS = (*SCORES, "distill", "scratch")
LASSO = Lasso(1.5)


def narrow(
    model: nn.Module | SparseNetwork,
    keep: Any,
    forget: Any = None,
    *,
    method: str = "group-lasso",
    units: int | Sequence[int] | None = None,
    sparsity: float | Sequence[float] | None = None,
    scope: str = "global",
    seeds: int = 1,
    seed: int = 0,
    target: float | None = None,
    steps: int = 3000,
    recovery_steps: int = 300,
    revival_steps: int = 300,
    batch_size: int = 500,
    learning_rate: float = 1e-3,
    check_every: int = 50,
    lasso: Lasso = LASSO,
    temperature: float = 5.0,
    mixing: float = 0.9,
    loss: str | None = None,
    device: str | torch.device | None = None,
    max_members: int | None = None,
) -> NarrowResult:
    """Small networks that do what ``keep`` asks, made from a model that does more, and how well they forgot the rest.

    Parameters
    ----------
    model : nn.Module or SparseNetwork
        See ``read_model``. It is not changed. What was pruned of a ``SparseNetwork``, weights and biases that are zero, stays pruned.
    keep : Task, pair (x, y) of tensors or arrays, TensorDataset or DataLoader
        What the narrow networks are trained and scored on.
    forget : the same, optional
        What they are tried on beside: as they are, and after an adversary's training on it.
    method : {"group-lasso", "attribution", "ablation", "random", "distill", "scratch"}
        Prune the model's units in one shot and recover: by ablation scores after training under a group lasso, whose dead units go; by
        first-order attribution; by ablation scores; at random. Or train networks of fewer units from PyTorch's usual initial weights: on
        the targets and the model's outputs, or on the targets alone.
    units : int or sequence of int, optional
        Hidden units that are to be left, in all layers together; networks that are trained anew share them out as the model does, and
        so do pruned ones where the scope is the layer.
    sparsity : float or sequence of float in [0, 1), optional
        Instead of ``units``, the fraction of them that is to go. Only a group lasso can do without either: what is dead goes.
    scope : {"global", "layer"}
        Where the lowest scores are sought; see :func:`~sculpting.narrow.prune.lowest`.
    seeds, seed : int
        How many runs, and the first: initial weights, random scores and data order. All seeds and sizes are one population.
    target : float in (0, 1], optional
        Accuracy on the validation rows of ``keep`` at which recovery, or training anew, ends: see ``learn``. Otherwise it runs through.
    steps : int
        Of the group lasso, or of training anew.
    recovery_steps, revival_steps : int
        Of recovery, and of the adversary, at the most; 0 for none.
    batch_size, learning_rate, check_every
        Of every training: see ``learn``.
    lasso : Lasso
    temperature, mixing : float
        Of distillation: see ``distillation_loss``. Published 20 and 0.9 for digits, 2 and 0.5 for language models.
    loss : {"bce", "ce", "mse"}, optional
        Otherwise it follows the targets, as in ``sculpt``; 0.2 of data that is no ``Task`` and no whole table is held out for validation.
    device, max_members
        As for ``sculpt``.

    Returns
    -------
    NarrowResult

    Raises
    ------
    TypeError, ValueError
        Before any training, when an argument does not fit: the text says what was expected, what came and what to do.

    Notes
    -----
    All methods have one training loop, one way of counting data and one stopping rule. Not charged: what the model itself was trained on,
    and the validation rows that units are scored on. The protocol follows the published one for parities, scaled down; published digits
    left the biases of pruned units alive and stopped on the test rows, and random units were drawn with replacement.

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
    if method not in METHODS:
        raise ValueError(f"method must be one of {sorted(METHODS)}; got {method!r}")
    counts = {"recovery_steps": recovery_steps, "revival_steps": revival_steps}
    limit = {} if max_members is None else {"max_members": max_members}
    check_counts(seeds=seeds, steps=steps, **limit, **{name: count for name, count in counts.items() if count != 0})
    seed = check_seed(seed)
    if not isinstance(lasso, Lasso):
        raise TypeError(f"lasso must be a Lasso, such as Lasso(1.0); got {type(lasso).__name__}")
    if isinstance(learning_rate, bool) or not isinstance(learning_rate, Real) or not 0 < learning_rate < math.inf:
        raise ValueError(f"learning_rate must be one positive number; got {learning_rate!r}")
    check_scope(scope)
    check_target(target)
    chain = read_finite(model)
    tasks = _tasks(chain, keep, forget, loss, seed)
    chain = chain.for_loss(tasks[0].loss)
    sizes = _sizes(chain.shape, method, scope, units, sparsity)
    place = device_of(chain.device if device is None else device)
    train = partial(learn, batch_size=batch_size, learning_rate=learning_rate, check_every=check_every, max_members=max_members)
    run = Run(chain, tasks, [*range(seed, seed + seeds)], sizes, place, max_members)
    data = run.data[0]
    if method == "distill":
        data = distilled(data, run.models().select([0]), tasks[0].loss, mixing, temperature)
    models, spent = run.models(), torch.zeros(seeds, dtype=torch.int64)
    run.note("model", models, [(number, None) for number in run.numbers], spent)
    if method == "group-lasso":
        learnt = train(models, data, run.key(0), steps=steps, lasso=lasso)
        models, spent = lasso.without_dead(learnt.population), learnt.consumed
        run.note("group-lasso", models, [(number, None) for number in run.numbers], spent)
    spent = spent[run.rows]
    if method in SCORES:
        small, steps = run.pruned(models, method, scope), recovery_steps
        run.note("pruned", small, run.members, spent)
    else:
        small = run.fresh()
    learnt = train(small, data, run.key(2)[run.rows], steps=steps, target=target)
    run.note("learnt", learnt.population, run.members, spent + learnt.consumed)
    if forget is not None and revival_steps:
        revived = train(learnt.population, run.data[1], run.key(3)[run.rows], steps=revival_steps)
        run.note("revived", revived.population, run.members, revived.consumed)
    reached = (~torch.isnan(learnt.examples) | (target is None)).tolist()
    return NarrowResult(method, run.networks(learnt.population, reached, method), tuple(run.history))


def _tasks(chain: Chain, keep: Any, forget: Any, loss: str | None, seed: int) -> list[Task]:
    """What to keep and to forget as tasks that fit the model and each other."""
    tasks = [as_task(data, loss=loss, seed=seed, outputs=chain.shape.widths[-1]) for data in (keep, forget) if data is not None]
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


def _sizes(shape: Shape, method: str, scope: str, units: int | Sequence[int] | None, sparsity: float | Sequence[float] | None) -> list[int]:
    """How many hidden units are to be left."""
    hidden, layers = sum(shape.widths[1:-1]), len(shape.widths) - 2
    if units is not None and sparsity is not None:
        raise ValueError(f"give units or sparsity, not both; got {units} and {sparsity}")
    if units is None and sparsity is None and method != "group-lasso":
        raise ValueError(f"method {method!r} must be told how small: give units, 1...{hidden}, or sparsity, in [0, 1)")
    sizes: list[Any]
    if units is None:
        gone = torch.floor(check_sparsity(0.0 if sparsity is None else sparsity).flatten() * hidden + TOLERANCE)
        sizes = [hidden - int(count) for count in gone]
    else:
        sizes = list(units) if hasattr(units, "__len__") else [units]  # type: ignore[arg-type]
    anew = method not in SCORES
    least = layers if anew or scope == "layer" else 1
    wrong = [size for size in sizes if not isinstance(size, Integral) or not least <= int(size) <= hidden]
    if not sizes or wrong:
        raise ValueError(
            f"units must be whole numbers in {least}...{hidden}: a narrow network has at most the hidden units of its model"
            f"{', and one in each layer' * (least > 1)}{' to be trained anew' * anew}; got {wrong[0] if wrong else 'none'}"
        )
    return [int(size) for size in sizes]
