"""The user's own data as a task.

S = rows, n = inputs, k = outputs.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from numbers import Real
from typing import Any, Protocol

import torch
from numpy.typing import NDArray
from torch import Tensor

from ..checks import check_choice, check_counts
from ..losses import LOSSES
from ..metrics import Metric
from ..randomness import check_seed
from ..surroundings import set_aside
from .reading import Rows, read_rows
from .splits import split_rows
from .targets import check_outputs, loss_of, targets
from .task import SAMPLED, TABLE, Setting, Task

__all__ = ["InputForm", "as_task", "from_table"]


class InputForm(Protocol):
    """What a model takes and returns, where its rows are no columns of numbers."""

    def inputs(self, x: Any) -> Any:
        """The inputs, in the types that the model takes."""
        ...

    def outputs(self, x: Any) -> int:
        """The number of outputs of the model for these inputs."""
        ...


HELD_OUT = 0.2  # of the rows, for validation and for the test


@set_aside()
def as_task(
    data: Any,
    *,
    loss: str | None = None,
    validation: Any = None,
    test: Any = None,
    groups: Any = None,
    metric: str | Metric | Callable[[Any, Any], float] | None = None,
    seed: int = 0,
    outputs: int | None = None,
    form: InputForm | None = None,
    name: str = "data",
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
    test : pair (x, y) or float, optional
        Rows that decide nothing, or the fraction of the data held out for that; 0 for none. When left out, 0.2, but none where
        ``validation`` brings rows of its own or a complete truth table is used whole.
    groups : array of shape (S,), optional
        Rows of one group, such as those of one patient, are all training, all validation or all test rows.
    metric : str, Metric or function, optional
        See ``sculpting.metrics.metric_of``.
    seed : int
        Seed of the held-out rows, which are stratified for classes and for one column of bits, and of what a dataset draws while it is
        read.
    outputs : int, optional
        Number of outputs of the model, which the targets must fit.
    form : InputForm, optional
        What a model takes that is no chain of Linear layers. Rows then keep their shape; without it they become columns of float32.

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
    if loss is not None:
        check_choice("loss", loss, [*LOSSES])
    if outputs is not None:
        check_counts(outputs=outputs)
    validation, test = (_fraction(part) for part in (validation, test))
    if isinstance(data, Task):
        if loss not in (None, data.loss) or any(part is not None for part in (validation, test, groups)):
            raise ValueError(f"a Task brings its own loss ({data.loss!r}), validation and test rows; pass its (x, y) to choose others")
        check_outputs(data.y, outputs if form is None else form.outputs(data.x), data.loss)
        return data if metric is None else replace(data, metric=metric)
    seed = check_seed(seed)
    rows = _read(data, form, "data", seed)
    outputs = outputs if form is None else form.outputs(rows.x)
    x, loss = rows.x, loss or loss_of(rows.y, outputs)
    if rows.classes and loss == "mse":
        raise ValueError(f"loss 'mse' needs numbers as targets; got the names of classes, {list(rows.classes)}. Pass numbers, or loss='ce'")
    y = targets(rows.y, loss, outputs)
    complete = loss in ("bce", "ce") and _is_table(x)
    input_names, output_names = rows.input_names, rows.output_names(y.shape[1])
    if validation is None and test is None and groups is None and complete:
        return Task(x, y, loss, x, y, True, name, input_names, output_names, metric=metric, **TABLE)
    validation, test = _held_out(validation, test)
    drawn_validation, drawn_test = (part if isinstance(part, float) else 0.0 for part in (validation, test))
    training, *held = split_rows(len(y), drawn_validation, drawn_test, seed, _classes(y, loss), groups)
    parts: list[tuple[Any, Tensor]] = []
    for given, taken, what in zip((validation, test), held, ("validation", "test"), strict=True):
        if isinstance(given, Real):
            parts.append((_taken(x, taken), y[taken]))
        else:
            there = _read(given, form, what, seed, rows)
            parts.append((there.x, targets(there.y, loss, y.shape[1])))
    x_test, y_test = parts[1] if len(parts[1][1]) else (None, None)
    setting: Setting = TABLE if complete else SAMPLED
    return Task(
        _taken(x, training), y[training], loss, *parts[0], False, name, input_names, output_names,
        metric=metric, standardised=not complete, x_test=x_test, y_test=y_test, **setting,
    )  # fmt: skip


def _read(data: Any, form: InputForm | None, what: str, seed: int, like: Rows | None = None) -> Rows:
    """The rows of data in the form that the model takes."""
    rows = read_rows(data, what, seed, like=like, flat=form is None)
    return rows if form is None else replace(rows, x=form.inputs(rows.x))


def _held_out(validation: Any, test: Any) -> tuple[Any, Any]:
    """Rows or fractions for validation and test, with the usual ones where they are left out."""
    if isinstance(validation, Real) and not validation:
        raise ValueError("validation must be a pair (x, y) or a fraction above 0, such as 0.2: without rows nothing can be accepted; got 0")
    if test is None:
        test = HELD_OUT if validation is None or isinstance(validation, Real) else 0.0
    return HELD_OUT if validation is None else validation, test


def _fraction(part: Any) -> Any:
    """A fraction of the rows as Python's number, out of range where it is larger; rows as they are."""
    if not isinstance(part, Real):
        return part
    try:
        return float(part)
    except OverflowError:
        return math.inf


def _classes(y: Tensor, loss: str) -> NDArray[Any] | None:
    """The class of each row, where rows have one."""
    if loss == "ce":
        return y.argmax(dim=1).numpy()
    return y[:, 0].numpy() if loss == "bce" and y.shape[1] == 1 else None


@set_aside()
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


def _taken(x: Any, rows: Any) -> Any:
    """Some rows of one input or several."""
    return tuple(each[rows] for each in x) if isinstance(x, tuple) else x[rows]


def _is_table(x: Any) -> bool:
    """Whether every column has two values and every combination of them occurs once."""
    if isinstance(x, tuple) or x.ndim != 2:
        return False
    rows, n = x.shape
    if n > 20 or rows != 2**n:
        return False
    low, high = x.amin(dim=0), x.amax(dim=0)
    if not bool(((x == low) | (x == high)).all()):
        return False
    codes = ((x == high).long() * 2 ** torch.arange(n)).sum(dim=1)
    return len(codes.unique()) == rows
