"""Compositional multitask sparse parity (CMSP; Michaud, Parker-Sartori and Tegmark, NeurIPS 2025).

N = members, S = rows, m = atomic tasks, k = bits of a block, n = task bits, C = codes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from functools import partial
from itertools import islice
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import softplus

from ..checks import listed, shown
from ..randomness import check_seed, keys
from ..settings import ScheduleSettings, TrainingSettings
from ..surroundings import set_aside
from .gates import MAX_INPUTS
from .parity_rows import Code, Layout, all_rows, draw_rows
from .parity_truth import cmsp_truth
from .task import Task

__all__ = ["by_code", "cmsp", "codes_of"]

MOST_BITS = 100_000
MOST_MEMBERS = 2_000_000  # atomic tasks of codes
MOST_BYTES = 2 * 10**9
ROWS_OF_A_CODE = 2_000  # in each step, as published
# The default settings, chosen on truth tables of Boolean gates, do not learn these tasks; docs/parities.md has the reasons.
TRAINING = TrainingSettings(steps=300, batch_size=256, learning_rate=0.03, input_noise=0.1, hidden_noise=0.3)
SCHEDULE = ScheduleSettings(unit_steps=(0.7, 0.5, 0.3, 0.2, 0.1), edge_steps=(0.02, 0.01, 0.005), dense_rounds=30)


@set_aside()
def cmsp(
    m: int,
    k: int,
    n: int | None = None,
    codes: Iterable[Iterable[int]] | None = None,
    *,
    outputs: str = "one",
    rows: int | None = None,
    seed: int = 0,
) -> Task:
    """Compositional multitask sparse parity: ``m`` parities of ``k`` bits, each alone and several combined.

    A code is a set of atomic tasks. Its target is the parity, the sum modulo 2, of all bits of their blocks.

    Parameters
    ----------
    m : int
        Number of atomic tasks. Task ``i`` is the parity of its block, the task bits ``i k ... (i + 1) k - 1``.
    k : int
        Number of bits of a block.
    n : int, optional
        Number of task bits, ``m k`` when left out. Those beyond the blocks are distractors.
    codes : sequence of sets of int, optional
        The codes, each a set of atomic tasks. When left out, each atomic task alone and, if there are several, all together.
    outputs : {"one", "each"}
        One output, whose code is given by ``m`` control bits; or one output for each code, and no control bits.
    rows : int, optional
        Rows of each of ``x``, ``x_validation`` and ``x_test``. When left out, the complete table with at most 20 inputs, and 2,000 rows a
        code with more. A complete table of 20 inputs has a million rows a code: draw fewer.
    seed : int
        Seed of the drawn rows.

    Returns
    -------
    Task
        Inputs are 0 or 1: with one output the control bits ``c0``, ...; then blocks ``b0_0``, ... and distractors ``d0``, ... One output
        is named ``parity``; outputs for codes are named ``0``, ``0+1``, ... Every code occurs equally often, give or take one row.
        ``sample`` draws fresh rows.

    Raises
    ------
    ValueError
        When an argument is out of range, codes are empty, repeated or not sets of ``0 ... m - 1``, or the task would have more than
        100,000 task bits or codes, or rows of more than 2 GB.

    Notes
    -----
    Published with two outputs and their softmax; one output and its sigmoid is the same class of functions. Rows are drawn
    independently: with few inputs, some occur in more than one of ``x``, ``x_validation`` and ``x_test``.

    A complete table is trained with the noise of a truth table, but its edges are pruned by magnitude. Every row must be correct, and
    nothing is held out. With one output the table lacks the combinations of control bits that are no code.

    See :func:`~sculpting.tasks.parity_truth.cmsp_truth` for the ground truth at each depth.

    Examples
    --------
    >>> task = cmsp(m=2, k=2)
    >>> task.x.shape, task.input_names
    (torch.Size([48, 6]), ('c0', 'c1', 'b0_0', 'b0_1', 'b1_0', 'b1_1'))
    >>> cmsp(4, 4, n=64).x.shape, cmsp(2, 2, outputs="each").output_names
    (torch.Size([10000, 68]), ('0', '1', '0+1'))
    """
    layout, seed = _layout(m, k, n, codes, outputs), check_seed(seed)
    least = 1 if layout.each else len(layout.codes)
    if rows is not None and (not isinstance(rows, int) or isinstance(rows, bool) or rows < least):
        raise ValueError(f"rows must be a whole number of at least {least}, so that every code has a row; got {shown(rows)}")
    exact = rows is None and layout.n + len(layout.controls) <= MAX_INPUTS
    _check_size(layout, 2**layout.n * least if exact else 3 * (rows or ROWS_OF_A_CODE * least))
    drawn = [_fixed(layout, rows or ROWS_OF_A_CODE * least, seed, part) for part in ("training", "validation", "test") if not exact]
    (x, y), (x_validation, y_validation), *test = drawn or [all_rows(layout)] * 2
    task = Task(
        x, y, "bce", x_validation, y_validation, exact, _name(layout, codes is None), layout.input_names, layout.output_names,
        structure=partial(cmsp_truth, layout), sample=partial(draw_rows, layout), activation="clipped_relu", training=TRAINING,
        schedule=SCHEDULE,
    )  # fmt: skip
    return task if exact else replace(task, x_test=test[0][0], y_test=test[0][1])


def by_code(z: Tensor, y: Tensor, code: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """The loss in bits and the accuracy of every code, float64 of shape ``(..., C)``.

    Parameters
    ----------
    z : Tensor of shape (..., outputs, S)
        Logits, of one network or of a population.
    y : Tensor of shape (..., outputs, S)
        Bits; broadcast to z.
    code : Tensor of shape (S,), integer, optional
        With one output, the position of the code of each row, as :func:`codes_of` returns it. When left out, every output is a code.

    Raises
    ------
    ValueError
        When ``code`` is given with several outputs, or does not have one entry for each row.

    Notes
    -----
    The loss is the mean of ``-log2`` of the probability of the correct bit; chance is 1 bit. Codes without rows get NaN.

    Examples
    --------
    >>> task = cmsp(2, 2)
    >>> codes, code = codes_of(task.x, m=2)
    >>> bits, accuracy = by_code(torch.zeros(1, 48), task.y.t(), code)
    >>> codes, bits.tolist()
    (((0,), (1,), (0, 1)), [1.0, 1.0, 1.0])
    """
    loss = softplus((1 - 2 * y.double()) * z.double()) / torch.log(torch.tensor(2.0, dtype=torch.float64))
    right = ((z > 0) == (y > 0.5)).double()
    if code is None:
        return loss.mean(dim=-1), right.mean(dim=-1)
    if loss.shape[-2] != 1 or code.shape != loss.shape[-1:]:
        raise ValueError(
            f"code must hold a code for each of the {loss.shape[-1]} rows of one output; got shape {tuple(code.shape)} and "
            f"{loss.shape[-2]} outputs. Leave it out where every output is a code"
        )
    share = torch.nn.functional.one_hot(code.long()).double()
    share /= share.sum(dim=0)
    return loss[..., 0, :] @ share, right[..., 0, :] @ share


def codes_of(x: Tensor, m: int) -> tuple[tuple[Code, ...], Tensor]:
    """The codes in the control bits of rows, smaller ones first, and the position of each row's code among them, ``(S,)``.

    Parameters
    ----------
    x : Tensor of shape (S, inputs)
        Inputs of a task with one output.
    m : int
        Number of control bits.

    Examples
    --------
    >>> codes_of(torch.tensor([[1.0, 1.0, 0.0], [0.0, 1.0, 1.0], [1.0, 1.0, 1.0]]), m=2)
    (((1,), (0, 1)), tensor([1, 0, 1]))
    """
    found, which = torch.unique(x[:, :m].bool(), dim=0, return_inverse=True)
    codes = [tuple(torch.nonzero(row).flatten().tolist()) for row in found]
    order = sorted(range(len(codes)), key=lambda i: (len(codes[i]), codes[i]))
    return tuple(codes[i] for i in order), torch.tensor(order, device=x.device).argsort()[which]


def _layout(m: int, k: int, n: int | None, codes: Iterable[Iterable[int]] | None, outputs: str) -> Layout:
    for name, count in (("m", m), ("k", k), ("n", 1 if n is None else n)):
        if not isinstance(count, int) or isinstance(count, bool) or count < 1:
            raise ValueError(f"{name} must be a whole number of at least 1; got {shown(count)}")
    if max(m * k, n or 1) > MOST_BITS:
        raise ValueError(f"a task must have at most {MOST_BITS:,} task bits; got m * k = {shown(m * k)} and n = {shown(n)}")
    if n is not None and n < m * k:
        raise ValueError(f"n must be at least m * k = {m * k}, {k} bits for each of {m} atomic tasks; got {n}")
    if not isinstance(outputs, str) or outputs not in ("one", "each"):
        raise ValueError(f"outputs must be 'one', or 'each' for one output per code; got {shown(outputs)}")
    atomic = [(i,) for i in range(m)]
    asked: Any = [*atomic, tuple(range(m))][: m + (m > 1)] if codes is None else codes
    known = "different sets of atomic tasks, at least one, such as [[0], [1], [0, 1]]"
    checked = tuple(_code(code, m) for code in listed("codes", asked, MOST_BITS, known, ValueError))
    repeated = sorted(code for code, count in Counter(checked).items() if count > 1)
    if not checked or repeated:
        got = f"{list(repeated[0])} more than once" if repeated else shown(codes)
        raise ValueError(f"codes must be {known}; got {got}")
    return Layout(m, k, m * k if n is None else n, checked, outputs == "each")


def _check_size(layout: Layout, rows: int) -> None:
    """Refuse rows that would take more memory than stated: inputs and targets as float32, and three times that while they are made."""
    if layout.m * len(layout.codes) > MOST_MEMBERS:
        raise ValueError(
            f"m times the number of codes must be at most {MOST_MEMBERS:,}; got {layout.m:,} times {len(layout.codes):,}. Give fewer"
        )
    size = 4 * rows * (layout.n + len(layout.controls) + (len(layout.codes) if layout.each else 1))
    if size > MOST_BYTES:
        raise ValueError(
            f"the rows of a task must take at most {MOST_BYTES // 10**9} GB; {rows:,} rows of {layout.n} bits and {len(layout.codes):,} "
            f"codes take about {size / 10**9:,.1f} GB. Give fewer rows, codes or task bits"
        )


def _code(code: Iterable[int], m: int) -> Code:
    tasks = list(islice(code, m + 1)) if isinstance(code, Iterable) else []
    if not tasks or not all(isinstance(i, int) and 0 <= i < m for i in tasks) or len(set(tasks)) != len(tasks):
        raise ValueError(f"a code must be a set of at least one of the atomic tasks 0...{m - 1}, such as [0] or [0, 1]; got {shown(code)}")
    return tuple(sorted(tasks))


def _name(layout: Layout, usual: bool) -> str:
    """The name of the task, as the command line reads it; the default codes are left out."""
    parts = [f"m={layout.m}", f"k={layout.k}"]
    parts += [f"n={layout.n}"] * (layout.n > layout.m * layout.k)
    parts += ["codes=" + "|".join("+".join(map(str, code)) for code in layout.codes)] * (not usual)
    return f"cmsp:{','.join([*parts, *['outputs=each'] * layout.each])}"


def _fixed(layout: Layout, rows: int, seed: int, part: str) -> tuple[Tensor, Tensor]:
    x, y = draw_rows(layout, keys([("cmsp", seed, part)]), 0, rows)
    return x[0].t().contiguous(), y[0].t().contiguous()
