"""Sums and products modulo p for transformers: two sums at once, a shared first step, and a composition.

S = rows, T = positions, p = the modulus.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import product
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from ..checks import shown
from ..settings import ScheduleSettings, TrainingSettings
from ..surroundings import set_aside
from .one_hot import one_hot_groups
from .pixel_truth import Module, module_graph
from .task import Task
from .transformer import Transformer

if TYPE_CHECKING:
    import networkx as nx

__all__ = ["composition", "shared_step", "two_sums"]

MOST_ROWS = 100_000
# docs/module-studies.md has the reasons.
TRAINING = TrainingSettings(steps=200, batch_size=64, learning_rate=0.01, rate_width=None, weight_decay=1e-5, keep_last=True)
SCHEDULE = ScheduleSettings(unit_steps=(), edge_steps=(0.3,), edge_tries=2, dense_rounds=10, restart_rate=None)


@dataclass(frozen=True)
class _Variant:
    """What differs between the tasks: the operands, the results as numbers below p, the modules of the truth and its edges."""

    name: str
    operands: tuple[str, ...]
    results: tuple[str, ...]
    classes: Callable[[Sequence[Tensor]], list[Tensor]]
    modules: Callable[[int], tuple[list[Module], list[tuple[int, int]]]]


@set_aside()
def two_sums(p: int = 5) -> Task:
    """The task of two independent sums in one sequence: from ``a1 a2 b1 b2 =`` the one-hots of a1 + a2 and of b1 + b2, modulo p.

    Parameters
    ----------
    p : int
        The modulus, at least 2.

    Returns
    -------
    Task
        ``x`` are tokens, int64 of shape (S, 5): numbers 0 ... p - 1, and p for ``=``. All p^4 rows occur once, so that nothing is held out.
        ``y`` has a one-hot group of p bits for each sum. ``model()`` is a :class:`~sculpting.tasks.Transformer` that reads its last
        position, ``model(norm="rms")`` one with norms.

    Raises
    ------
    ValueError
        When p is not a whole number of at least 2, or there would be more than 100,000 rows.

    Notes
    -----
    In the truth, ``inputs`` are positions in the sequence. Two modules share nothing: each reads two positions and answers one sum. A norm
    divides by the size of the whole stream, which depends on both sums. A network with norms has no such truth in its weights.

    Examples
    --------
    >>> task = two_sums(p=3)
    >>> task.x.shape, task.x[5].tolist(), task.y[5].tolist()
    (torch.Size([81, 5]), [0, 0, 1, 2, 3], [1.0, 0.0, 0.0, 1.0, 0.0, 0.0])
    >>> [(facts["inputs"], facts["outputs"]) for _, facts in task.truth(hidden_layers=1).nodes(data=True)]
    [((0, 1), (0, 1, 2)), ((2, 3), (3, 4, 5))]
    """
    return _task(_TWO_SUMS, p)


@set_aside()
def shared_step(p: int = 5) -> Task:
    """The task of two products with a shared first step s = a + b: from ``a b c d =`` the one-hots of s c and of s d, modulo p.

    Parameters, rows and errors are those of :func:`two_sums`. The truth has a module of a and b, which two others read.

    Examples
    --------
    >>> task = shared_step(p=3)
    >>> task.output_names[0], sorted(task.truth(hidden_layers=2).edges)
    ('(a + b) c = 0', [(0, 1), (0, 2)])
    """
    return _task(_SHARED_STEP, p)


@set_aside()
def composition(p: int = 5) -> Task:
    """The task of f(g(a, b), c) with g(a, b) = a + b and f(s, c) = s c: from ``a b c =`` the one-hot of (a + b) c, modulo p.

    Parameters, rows and errors are those of :func:`two_sums`. With two sums in place of the product, (a + b) + c, any pair could come
    first. For a prime p, a and b act through their sum alone.

    Examples
    --------
    >>> task = composition(p=3)
    >>> task.x.shape, sorted(task.truth(hidden_layers=2).edges)
    (torch.Size([27, 4]), [(0, 1)])
    """
    return _task(_COMPOSITION, p)


def _task(variant: _Variant, p: int) -> Task:
    operands = len(variant.operands)
    if not isinstance(p, int) or not 2 <= p <= MOST_ROWS or p**operands > MOST_ROWS:
        most = int(MOST_ROWS ** (1 / operands))
        raise ValueError(f"p must be a whole number of 2 ... {most}, which gives at most {MOST_ROWS:,} rows; got {shown(p)}")
    numbers = torch.tensor([*product(range(p), repeat=operands)])
    x = torch.cat([numbers, torch.full((len(numbers), 1), p)], dim=1)
    y = one_hot_groups(torch.stack(variant.classes(numbers.unbind(1)), dim=1) % p, p)
    return Task(
        x, y, "bce", x, y, complete=True, name=f"{variant.name} modulo {p}", input_names=(*variant.operands, "="),
        output_names=tuple(f"{result} = {number}" for result in variant.results for number in range(p)),
        structure=partial(_structure, variant, p), network=partial(Transformer, p + 1, operands + 1, len(variant.results) * p),
        training=TRAINING, schedule=SCHEDULE,
    )  # fmt: skip


def _structure(variant: _Variant, p: int, hidden_layers: int) -> nx.DiGraph:
    return module_graph(*variant.modules(p), hidden_layers)


def _group(position: int, p: int) -> tuple[int, ...]:
    """The outputs of one group."""
    return tuple(range(position * p, (position + 1) * p))


_TWO_SUMS = _Variant(
    "two sums",
    ("a1", "a2", "b1", "b2"),
    ("a1 + a2", "b1 + b2"),
    lambda n: [n[0] + n[1], n[2] + n[3]],
    lambda p: ([((0, 1), _group(0, p), "a1 + a2"), ((2, 3), _group(1, p), "b1 + b2")], []),
)
_SHARED_STEP = _Variant(
    "shared step",
    ("a", "b", "c", "d"),
    ("(a + b) c", "(a + b) d"),
    lambda n: [(n[0] + n[1]) * n[2], (n[0] + n[1]) * n[3]],
    lambda p: ([((0, 1), (), "s = a + b"), ((2,), _group(0, p), "s c"), ((3,), _group(1, p), "s d")], [(0, 1), (0, 2)]),
)
_COMPOSITION = _Variant(
    "composition",
    ("a", "b", "c"),
    ("(a + b) c",),
    lambda n: [(n[0] + n[1]) * n[2]],
    lambda p: ([((0, 1), (), "s = a + b"), ((2,), _group(0, p), "s c")], [(0, 1)]),
)
