"""The user's own data as a task.

S = rows, n = inputs, k = outputs.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from numbers import Real
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..losses import LOSSES
from ..randomness import check_seed
from .splits import split_rows
from .task import SAMPLED, TABLE, Setting, Task

__all__ = ["as_task", "from_table"]

HELD_OUT = 0.2  # of the rows, for validation and for the test


def as_task(
    data: Any,
    *,
    loss: str | None = None,
    validation: Any = None,
    test: Any = None,
    groups: Any = None,
    metric: str | Callable[[Any, Any], float] | None = None,
    seed: int = 0,
    outputs: int | None = None,
    name: str = "data",
) -> Task:
    """Any data as a task; a ``Task`` is returned unchanged.

    Parameters
    ----------
    data : Task, pair (x, y) of tensors or arrays, TensorDataset, or DataLoader
        Columns of data frames give inputs and outputs their names.
    loss : {"bce", "ce", "mse"}, optional
        When left out, it follows from the targets: columns of 0 and 1, integer classes, or real values.
    validation : pair (x, y) or float, optional
        Rows that decide acceptance, or the fraction of the data held out for that, 0.2 when left out. A complete truth table
        of bits or classes is used whole unless a validation is given.
    test : pair (x, y) or float, optional
        Rows that decide nothing, or the fraction of the data held out for that; 0 for none. When left out, 0.2, but none where
        ``validation`` brings rows of its own or a complete truth table is used whole.
    groups : array of shape (S,), optional
        Rows of one group, such as those of one patient, are all training, all validation or all test rows.
    metric : str or function, optional
        See ``sculpting.metrics.metric_of``.
    seed : int
        Seed of the held-out rows, which are stratified for classes and for one column of bits, and of the order of a ``DataLoader``
        that shuffles.
    outputs : int, optional
        Number of outputs of the model, which the targets must fit.

    Raises
    ------
    TypeError, ValueError
        When data are empty, of different lengths, not finite, or do not fit the loss or the outputs.
    """
    if isinstance(data, Task):
        if loss not in (None, data.loss) or any(part is not None for part in (validation, test, groups)):
            raise ValueError(f"a Task brings its own loss ({data.loss!r}), validation and test rows; pass its (x, y) to choose others")
        _check_outputs(data.y, outputs, data.loss)
        return data if metric is None else replace(data, metric=metric)
    seed = check_seed(seed)
    x, raw = _pair(data, seed=seed)
    loss = loss or _loss_of(raw, outputs)
    y = _targets(raw, loss, outputs)
    complete = loss in ("bce", "ce") and _is_table(x)
    input_names, output_names = (_columns(data, place, count) for place, count in enumerate((x.shape[1], y.shape[1])))
    if validation is None and test is None and complete:
        return Task(x, y, loss, x, y, True, name, input_names, output_names, metric=metric, **TABLE)
    if test is None:
        test = HELD_OUT if validation is None or isinstance(validation, Real) else 0.0
    validation = HELD_OUT if validation is None else validation
    fractions = [float(part) if isinstance(part, Real) else None for part in (validation, test)]
    if fractions[0] == 0:
        raise ValueError("validation must be a pair (x, y) or a fraction above 0, such as 0.2: without rows nothing can be accepted; got 0")
    classes = y.argmax(dim=1).numpy() if loss == "ce" else y[:, 0].numpy() if loss == "bce" and y.shape[1] == 1 else None
    training, *held = split_rows(len(x), fractions[0] or 0.0, fractions[1] or 0.0, seed, classes, groups)
    parts = [
        (x[rows], y[rows]) if fraction is not None else _held_out(given, what, x, y, loss, (input_names, output_names), seed)
        for fraction, rows, given, what in zip(fractions, held, (validation, test), ("validation", "test"), strict=True)
    ]
    (x_validation, y_validation), tested = parts
    x_test, y_test = tested if len(tested[0]) else (None, None)
    setting: Setting = TABLE if complete else SAMPLED
    return Task(
        x[training], y[training], loss, x_validation, y_validation, False, name, input_names, output_names,
        metric=metric, standardised=not complete, x_test=x_test, y_test=y_test, **setting,
    )  # fmt: skip


def _held_out(
    data: Any, what: str, x: Tensor, y: Tensor, loss: str, names: tuple[tuple[str, ...], tuple[str, ...]], seed: int
) -> tuple[Tensor, Tensor]:
    """Rows that the user holds out, checked against the data."""
    x_there, raw = _pair(data, what, seed)
    y_there = _targets(raw, loss, y.shape[1])
    if x_there.shape[1] != x.shape[1]:
        raise ValueError(f"{what} must have {x.shape[1]} inputs, as the data has; got {x_there.shape[1]}")
    for place, (known, count) in enumerate(zip(names, (x.shape[1], y.shape[1]), strict=True)):
        there = _columns(data, place, count)
        if known and there and there != known:
            raise ValueError(f"{what} must have the columns of the data, in their order, {list(known)}; got {list(there)}")
    return x_there, y_there


def from_table(x: Any, y: Any, *, name: str = "table") -> Task:
    """The task of computing a truth table given as arrays.

    Parameters
    ----------
    x : array of shape (S, n)
    y : array of shape (S,) or (S, k), of 0 and 1
    name : str

    Raises
    ------
    ValueError
        When the table does not have one row for each combination of the two values of every input.

    Examples
    --------
    >>> from_table([[0, 0], [0, 1], [1, 0], [1, 1]], [0, 1, 1, 0]).complete
    True
    """
    task = as_task((x, y), loss="bce", validation=(x, y), name=name)
    if not _is_table(task.x):
        raise ValueError(
            f"a truth table must hold each of the 2**{task.x.shape[1]} input rows once; got {len(task.x)} rows of {task.x.shape[1]} inputs"
        )
    return replace(task, complete=True)


def _pair(data: Any, what: str = "data", seed: int = 0) -> tuple[Tensor, Tensor]:
    if isinstance(data, torch.utils.data.DataLoader):
        with torch.random.fork_rng(devices=[]):  # the same seed gives the same shuffled order, and the global generator does not move
            torch.default_generator.manual_seed(seed)
            batches = list(data)
        wrong = [batch for batch in batches if not _is_pair(batch)]
        if wrong or not batches:
            raise ValueError(f"{what} must yield batches (x, y), two tensors each; got {_made_of(wrong[0]) if wrong else 'no batch'}")
        x, y = (torch.cat(part) for part in zip(*batches, strict=True))
    elif isinstance(data, torch.utils.data.TensorDataset) and len(data.tensors) == 2:
        x, y = data.tensors
    elif isinstance(data, (tuple, list)) and len(data) == 2:
        x, y = (_tensor(part, f"{what} {letter}") for part, letter in zip(data, "xy", strict=True))
    else:
        raise TypeError(
            f"{what} must be a pair (x, y) of tensors or arrays, a TensorDataset of two, a DataLoader"
            f"{' or a Task' if what == 'data' else ', or a fraction of the data'}; got {type(data).__name__}"
        )
    if x.is_complex() or y.is_complex():
        raise TypeError(f"{what} must be real numbers; got x of {x.dtype} and y of {y.dtype}")
    x = x.detach().flatten(1).float().cpu() if x.ndim > 1 else x.detach().unsqueeze(-1).float().cpu()
    y = y.detach().cpu()
    y = y if y.is_floating_point() or y.dtype == torch.bool else y.long()  # unsigned integers know little arithmetic
    if len(x) != len(y):
        raise ValueError(f"{what}: x and y must have as many rows; got {len(x)} and {len(y)}")
    if x.numel() == 0 or y.numel() == 0:
        raise ValueError(f"{what} must have at least one row and one column; got x of shape {tuple(x.shape)}, y of shape {tuple(y.shape)}")
    for letter, part in (("x", x), ("y", y)):
        bad = int((~torch.isfinite(part.float())).sum())
        if bad:
            raise ValueError(f"{what}: {letter} must be finite, as float32; got {bad} NaN or infinite values")
    return x, y


def _is_pair(batch: Any) -> bool:
    return isinstance(batch, (tuple, list)) and len(batch) == 2 and all(isinstance(part, Tensor) for part in batch)


def _made_of(batch: Any) -> str:
    """The type of a batch for an error text: ``a dict``, or ``(Tensor, Tensor, int)``."""
    return f"({', '.join(type(part).__name__ for part in batch)})" if isinstance(batch, (tuple, list)) else f"a {type(batch).__name__}"


def _columns(data: Any, place: int, count: int) -> tuple[str, ...]:
    """The column names of the data frame at position ``place`` of ``(x, y)``, if there are ``count`` different ones."""
    names = tuple(map(str, getattr(data[place], "columns", ()))) if isinstance(data, (tuple, list)) else ()
    return names if len(names) == len(set(names)) == count else ()


def _tensor(values: Any, what: str) -> Tensor:
    if isinstance(values, np.ma.MaskedArray) and np.ma.is_masked(values):
        masked = int(np.ma.count_masked(values))
        raise TypeError(f"{what} must not have masked values; got {masked} in a masked array. Fill them or leave out their rows")
    try:
        return values if isinstance(values, Tensor) else torch.from_numpy(np.array(values))
    except (TypeError, ValueError) as error:
        raise TypeError(f"{what} must be a numeric array; got {type(values).__name__} ({error})") from error


def _loss_of(y: Tensor, outputs: int | None) -> str:
    whole = not y.is_floating_point()
    if whole and y.ndim == 1 and y.dtype != torch.bool and (outputs or 2) > 1:
        return "ce"
    if bool(((y == 0) | (y == 1)).all()):
        return "bce"
    if whole and y.ndim == 1:
        return "ce"
    return "mse"


def _targets(y: Tensor, loss: str, outputs: int | None) -> Tensor:
    if loss not in LOSSES:
        raise ValueError(f"loss must be one of {sorted(LOSSES)}; got {loss!r}")
    if loss == "ce":
        if y.ndim != 1 or (y.is_floating_point() and bool((y != y.round()).any())):
            raise ValueError(f"loss 'ce' needs one integer class a row, y of shape (S,); got shape {tuple(y.shape)} of {y.dtype}")
        classes = outputs or int(y.max()) + 1
        if classes == 1:
            raise ValueError(
                "classes must have at least two outputs, one for each class; got integer targets for one output. For counts and other "
                "numbers pass loss='mse'"
            )
        if int(y.min()) < 0 or int(y.max()) >= classes:
            raise ValueError(
                f"classes must lie in 0...{classes - 1}, one for each output of the model; got {int(y.min())}...{int(y.max())}"
            )
        return torch.nn.functional.one_hot(y.long(), classes).float()
    y = y.float().reshape(len(y), -1)
    if loss == "bce" and not bool(((y == 0) | (y == 1)).all()):
        raise ValueError(
            f"loss 'bce' needs targets of 0 and 1; got values from {y.min():g} to {y.max():g}. For real targets pass loss='mse'"
        )
    _check_outputs(y, outputs, loss)
    return y


def _check_outputs(y: Tensor, outputs: int | None, loss: str) -> None:
    if outputs is not None and y.shape[1] != outputs:
        hint = ". Classes are given as integers, y of shape (S,)" if y.shape[1] == 1 and bool((y == y.round()).all()) else ""
        raise ValueError(
            f"targets must have {outputs} columns, one for each output of the model, for loss {loss!r}; got {y.shape[1]}{hint}"
        )


def _is_table(x: Tensor) -> bool:
    """Whether every column has two values and every combination of them occurs once."""
    rows, n = x.shape
    if n > 20 or rows != 2**n:
        return False
    low, high = x.amin(dim=0), x.amax(dim=0)
    if not bool(((x == low) | (x == high)).all()):
        return False
    codes = ((x == high).long() * 2 ** torch.arange(n)).sum(dim=1)
    return len(codes.unique()) == rows
