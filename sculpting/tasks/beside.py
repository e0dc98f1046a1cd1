"""Data sets side by side: a task of real data whose structure is known.

S = rows, n = inputs, k = outputs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..checks import check_counts, listed, shown
from ..randomness import check_seed
from ..surroundings import set_aside
from .known_sets import known_set
from .own_data import as_task
from .pixel_truth import Module, some_inputs_truth
from .task import SAMPLED, Task

if TYPE_CHECKING:
    import networkx as nx

__all__ = ["JOINT", "side_by_side"]

JOINT = {"and": torch.logical_and, "xor": torch.logical_xor}
MOST_BYTES = 4 * 10**9
LEAST_ROWS = 1000  # training rows: docs/side-by-side.md has the reason
PARTS = ("", "_validation", "_test")
Rows = tuple[Tensor, Tensor]


@dataclass(frozen=True, eq=False)
class _Side:
    """One set: its training, validation and test rows, with bits in place of classes, and the names of its columns."""

    name: str
    loss: str
    complete: bool
    parts: tuple[Rows, ...]
    input_names: tuple[str, ...]
    output_names: tuple[str, ...]


@set_aside()
def side_by_side(*sets: Any, names: Sequence[str] | None = None, rows: int | None = None, joint: str | None = None, seed: int = 0) -> Task:
    """The task of answering several data sets at once, whose inputs and outputs stand beside one another.

    No output of one set depends on inputs of another, so that the truth is a module for each set.

    Parameters
    ----------
    *sets : str, Task or data
        At least two: names of :func:`~sculpting.tasks.known_sets.known_set`, such as ``"wine"`` and ``"iris"``, or anything that
        ``as_task`` reads. All have bits or classes, or all have real values. A class becomes a bit, but two classes are one bit.
    names : sequence of str, optional
        Of the sets; when left out, those by which they were given, or ``"set 1"``, ``"set 2"``, ...
    rows : int, optional
        S, the training rows; as many as those of the largest set, but at least 1,000, when left out: in few pairs the inputs of one set
        tell the outputs of another by chance. Validation rows are as many as those of the smallest set, so that none counts twice in the
        test that decides acceptance; test rows are as many as those of the largest.
    joint : {"and", "xor"}, optional
        Adds a last output, of the first output of the first set and that of the second. It is a module of its own, which reads the two.
    seed : int
        Seed of the rows that are held out, and of the pairs.

    Returns
    -------
    Task
        Each set is split first, so that none of its rows is in two parts; the complete truth table of a set is in all three. Then each
        row of a part gets a row of every set at random. Each row of a set occurs equally often, give or take one.

    Raises
    ------
    TypeError, ValueError, FileNotFoundError
        When a set cannot be read or has no test rows, losses differ, or an argument is out of range.

    Notes
    -----
    A test row of a small set that occurs again tells nothing new: the accuracy of its outputs is as uncertain as the set is small. In the
    truth every column is in the module of its set, even one that no network needs. A network may show several modules of one set, since
    which of its inputs serve which of its classes is not known: ``compare`` then says ``finer``.

    Examples
    --------
    >>> task = side_by_side("wine", "iris", joint="and")
    >>> task.x.shape, task.input_names[0], task.output_names[3], task.output_names[-1]
    (torch.Size([1000, 17]), 'wine: alcohol', 'iris: setosa', 'wine: class_0 and iris: setosa')
    >>> sorted(task.truth(hidden_layers=2).edges)
    [(0, 2), (1, 2)]
    """
    seed = check_seed(seed)
    if len(sets) < 2:
        raise ValueError(f"side_by_side needs at least two data sets; got {len(sets)}. Pass a single one to sculpt itself")
    if joint is not None and (not isinstance(joint, str) or joint not in JOINT):
        raise ValueError(f"joint must be one of {', '.join(JOINT)}, or None for no joint output; got {shown(joint)}")
    if rows is not None:
        check_counts(rows=rows)
    sides = [_side(each, name, seed) for each, name in zip(sets, _names(sets, names), strict=True)]
    loss = _common_loss(sides, joint)
    counts = _counts(sides, rows)
    columns = sum(len(side.input_names) + len(side.output_names) for side in sides)
    if sum(counts) * columns * 4 > MOST_BYTES:
        raise ValueError(f"rows must take at most {MOST_BYTES // 10**9} GB; got {sum(counts):,} rows of {columns:,} columns. Give fewer")
    (x, y), validation, (x_test, y_test) = (_joined(sides, part, count, joint, seed) for part, count in enumerate(counts))
    output_names = [f"{side.name}: {name}" for side in sides for name in side.output_names]
    if joint is not None:
        output_names.append(f"{output_names[0]} {joint} {output_names[len(sides[0].output_names)]}")
    return Task(
        x, y, loss, *validation, name=" beside ".join(side.name for side in sides) + (f", {joint}" if joint else ""),
        input_names=tuple(f"{side.name}: {name}" for side in sides for name in side.input_names), output_names=tuple(output_names),
        standardised=True, x_test=x_test, y_test=y_test, structure=_structure(sides, joint), **SAMPLED,
    )  # fmt: skip


def _names(sets: Sequence[Any], names: Sequence[str] | None) -> list[str]:
    """A name for each set, no two alike."""
    if names is None:
        usual = [each if isinstance(each, str) else each.name if isinstance(each, Task) else f"set {i}" for i, each in enumerate(sets, 1)]
        return [name if usual.count(name) == 1 else f"{name} {usual[: i + 1].count(name)}" for i, name in enumerate(usual)]
    given = listed("names", names, len(sets), f"{len(sets)} different ones, one for each set", ValueError)
    if len(given) != len(sets) or not all(isinstance(name, str) for name in given) or len(set(given)) < len(given):
        raise ValueError(f"names must be {len(sets)} different ones, one for each set; got {shown(names)}")
    return given


def _side(data: Any, name: str, seed: int) -> _Side:
    """A set, split; errors say which."""
    try:
        task = as_task(known_set(data) if isinstance(data, str) else data, seed=seed)
        return _Side(name, task.loss, task.complete, _parts(task), *_column_names(task))
    except (TypeError, ValueError) as error:
        raise (TypeError if isinstance(error, TypeError) else ValueError)(f"{name}: {error}") from error


def _parts(task: Task) -> tuple[Rows, ...]:
    whole = ("", "", "") if task.complete else PARTS
    if not task.complete and task.x_test is None:
        raise ValueError("a Task side by side with others must have test rows; got none. Pass its (x, y), which is split then")
    return tuple((getattr(task, f"x{part}"), _bits(getattr(task, f"y{part}"), task.loss)) for part in whole)


def _bits(y: Tensor, loss: str) -> Tensor:
    """Targets of which two classes are one bit."""
    return y[:, 1:] if loss == "ce" and y.shape[1] == 2 else y


def _column_names(task: Task) -> tuple[tuple[str, ...], tuple[str, ...]]:
    n, k = task.x.shape[1], task.y.shape[1]
    inputs = task.input_names or tuple(f"x{i}" for i in range(n))
    outputs = task.output_names or tuple(f"y{i}" for i in range(k))
    return inputs, outputs[1:] if task.loss == "ce" and k == 2 else outputs


def _counts(sides: Sequence[_Side], rows: int | None) -> tuple[int, int, int]:
    """How many rows the training, the validation and the test part have."""
    lengths = [[len(x) for x, _ in side.parts] for side in sides]
    training, _, test = (max(part) for part in zip(*lengths, strict=True))
    held_out = [length[1] for side, length in zip(sides, lengths, strict=True) if not side.complete]
    validation = min(held_out, default=max(length[1] for length in lengths))
    return max(training, LEAST_ROWS) if rows is None else rows, validation, test


def _common_loss(sides: Sequence[_Side], joint: str | None) -> str:
    losses = {"mse" if side.loss == "mse" else "bce" for side in sides}
    if len(losses) > 1:
        found = ", ".join(f"{side.name}: {side.loss}" for side in sides)
        raise ValueError(f"all sets must have bits or classes, or all real values; got losses {found}. Make bits of the real values")
    (loss,) = losses
    if joint is not None and loss == "mse":
        raise ValueError(f"joint {joint!r} needs bits or classes; got real values. Leave it out")
    return loss


def _joined(sides: Sequence[_Side], part: int, count: int, joint: str | None, seed: int) -> Rows:
    """Rows of one part of all sets, paired at random."""
    drawn = []
    for i, side in enumerate(sides):
        x, y = side.parts[part]
        places = torch.from_numpy(_order(len(x), count, np.random.default_rng([seed, part, i])))
        drawn.append((x[places], y[places]))
    inputs, targets = (torch.cat(columns, dim=1) for columns in zip(*drawn, strict=True))
    if joint is not None:
        last = JOINT[joint](drawn[0][1][:, 0], drawn[1][1][:, 0]).float()
        targets = torch.cat([targets, last.unsqueeze(1)], dim=1)
    return inputs, targets


def _order(rows: int, count: int, generator: np.random.Generator) -> NDArray[np.int64]:
    """Each of the rows equally often, give or take one, in random order."""
    return np.concatenate([generator.permutation(rows) for _ in range(-(-count // rows))])[:count]


def _structure(sides: Sequence[_Side], joint: str | None) -> Callable[[int], nx.DiGraph]:
    """The truth as a function of the depth: a module for each set, and one for the joint output."""
    modules: list[Module] = []
    n = k = 0
    for side in sides:
        inputs, outputs = len(side.input_names), len(side.output_names)
        modules.append((tuple(range(n, n + inputs)), tuple(range(k, k + outputs)), side.name))
        n, k = n + inputs, k + outputs
    edges: list[tuple[int, int]] = []
    if joint is not None:
        edges = [(0, len(modules)), (1, len(modules))]
        modules.append(((), (k,), f"{sides[0].name} {joint} {sides[1].name}"))
    return partial(some_inputs_truth, modules, edges)
