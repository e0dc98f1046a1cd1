"""The user's own data as a task.

S = rows, n = inputs, k = outputs.
"""

from __future__ import annotations

from dataclasses import replace
from numbers import Real
from typing import Any

import torch
from torch import Tensor

from ..randomness import check_seed
from .reading import read_rows
from .targets import check_outputs, loss_of, targets
from .task import TABLE, Setting, Task

__all__ = ["as_task", "from_table"]


def as_task(
    data: Any, *, loss: str | None = None, validation: Any = None, seed: int = 0, outputs: int | None = None, name: str = "data"
) -> Task:
    """Any data as a task; a ``Task`` is returned unchanged.

    Parameters
    ----------
    data : Task, pair (x, y), mapping of x and y, Dataset or DataLoader
        ``x`` and ``y`` are tensors, arrays, sparse matrices, data frames or their columns, or mappings of names to columns. The columns
        give inputs and outputs their names. Rows of a ``DataLoader`` come in the order of its dataset, each once, and no generator moves.
    loss : {"bce", "ce", "mse"}, optional
        When left out, it follows from the targets: columns of 0 and 1, classes as integers or by name, or real values. Names of classes
        are those of the outputs, sorted. Columns of -1 and 1 become 0 and 1.
    validation : pair (x, y) or float, optional
        Rows that decide acceptance, or the fraction of the data held out for that, 0.2 when left out. A complete truth table
        of bits or classes is used whole unless a validation is given.
    seed : int
        Seed of the held-out rows, and of what a dataset draws while it is read.
    outputs : int, optional
        Number of outputs of the model, which the targets must fit.

    Raises
    ------
    TypeError, ValueError
        When data are empty, of different lengths, not finite, no numbers, or do not fit the loss or the outputs.

    Warns
    -----
    UserWarning
        When the loss is left out and targets are -1 and 1, or fractions in [0, 1], which are taken as real values.

    Examples
    --------
    >>> as_task(({"size": [3, 5, 4, 9], "old": [True, False, True, True]}, ["cat", "dog", "cat", "dog"])).output_names
    ('cat', 'dog')
    """
    if isinstance(data, Task):
        if loss not in (None, data.loss) or validation is not None:
            raise ValueError(f"a Task brings its own loss ({data.loss!r}) and validation; pass its (x, y) to choose others")
        check_outputs(data.y, outputs, data.loss)
        return data
    seed = check_seed(seed)
    rows = read_rows(data, seed=seed)
    x, loss = rows.x, loss or loss_of(rows.y, outputs)
    if rows.classes and loss == "mse":
        raise ValueError(f"loss 'mse' needs numbers as targets; got the names of classes, {list(rows.classes)}. Pass numbers, or loss='ce'")
    y = targets(rows.y, loss, outputs)
    complete = loss in ("bce", "ce") and _is_table(x)
    setting: Setting = TABLE if complete else {}
    input_names, output_names = rows.input_names, rows.output_names(y.shape[1])
    if validation is None and complete:
        return Task(x, y, loss, x, y, True, name, input_names, output_names, **setting)
    if validation is None or isinstance(validation, Real):
        x, y, x_validation, y_validation = _split(x, y, 0.2 if validation is None else float(validation), seed)
    else:
        held_out = read_rows(validation, "validation", seed, like=rows)
        x_validation, y_validation = held_out.x, targets(held_out.y, loss, y.shape[1])
    return Task(x, y, loss, x_validation, y_validation, False, name, input_names, output_names, **setting)


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


def _split(x: Tensor, y: Tensor, fraction: float, seed: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    held_out = round(fraction * len(x))
    if not 0 < fraction < 1 or not 0 < held_out < len(x):
        raise ValueError(
            f"validation must be a pair (x, y) or a fraction of the {len(x)} rows that leaves some on either side; got {fraction}"
        )
    order = torch.randperm(len(x), generator=torch.Generator().manual_seed(seed))
    validation, training = order[:held_out], order[held_out:]
    return x[training], y[training], x[validation], y[validation]
