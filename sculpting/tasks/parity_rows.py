"""Rows of compositional multitask sparse parity: the complete table, or fresh rows.

N = members, S = rows, m = atomic tasks, k = bits of a block, n = task bits, C = codes.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import torch
from torch import Tensor

from ..randomness import bits, fold

__all__ = ["Code", "Layout", "all_rows", "draw_rows"]

Code = tuple[int, ...]  # atomic tasks, in ascending order


@dataclass(frozen=True)
class Layout:
    """Inputs and outputs of a task: m control bits, n task bits and one output; or n task bits and an output for each code."""

    m: int
    k: int
    n: int
    codes: tuple[Code, ...]
    each: bool

    @property
    def controls(self) -> tuple[str, ...]:
        """Names of the control bits."""
        return () if self.each else tuple(f"c{i}" for i in range(self.m))

    def block(self, i: int) -> tuple[str, ...]:
        """Names of the task bits of an atomic task."""
        return tuple(f"b{i}_{j}" for j in range(self.k))

    @property
    def input_names(self) -> tuple[str, ...]:
        """Control bits, blocks, distractors."""
        blocks = [name for i in range(self.m) for name in self.block(i)]
        return (*self.controls, *blocks, *(f"d{i}" for i in range(self.n - len(blocks))))

    @property
    def output_names(self) -> tuple[str, ...]:
        """``parity``, or the name of each code."""
        return tuple("+".join(map(str, code)) for code in self.codes) if self.each else ("parity",)


def all_rows(layout: Layout) -> tuple[Tensor, Tensor]:
    """The complete table: ``x (S, inputs)`` and ``y (S, outputs)``, code by code; the first task bit changes slowest."""
    places = torch.arange(layout.n - 1, -1, -1).unsqueeze(1)
    table = ((torch.arange(2**layout.n) >> places) & 1).float()
    code = torch.arange(1 if layout.each else len(layout.codes)).repeat_interleave(2**layout.n)
    x, y = _rows(layout, table.tile(len(code) >> layout.n).unsqueeze(0), code)
    return x[0].t().contiguous(), y[0].t().contiguous()


def draw_rows(layout: Layout, key: Tensor, step: int, rows: int) -> tuple[Tensor, Tensor]:
    """Fresh rows of every member: ``x (N, inputs, S)`` and ``y (N, outputs, S)``, from its key, the number of the step and S.

    Task bits are independent and fair. Codes take turns: row ``r`` of step ``s`` has code ``(s S + r) mod C``. So every code occurs
    equally often, give or take one row, within a step and over steps.
    """
    drawn = bits(fold(key, step), layout.n * rows).view(len(key), layout.n, rows)
    return _rows(layout, drawn, (torch.arange(rows, device=key.device) + step * rows) % len(layout.codes))


def _rows(layout: Layout, task_bits: Tensor, code: Tensor) -> tuple[Tensor, Tensor]:
    """Inputs and targets of task bits ``(N, n, S)``; ``code (S,)`` is the code of each row, for the control bits."""
    members = _members(layout, task_bits.device)
    parities = task_bits[:, : layout.m * layout.k].unflatten(1, (layout.m, layout.k)).sum(dim=2).remainder_(2)
    if layout.each:
        return task_bits, (members @ parities).remainder_(2)
    controls = members[code].t()
    x = torch.cat([controls.expand(len(task_bits), -1, -1), task_bits], dim=1)
    return x, (controls * parities).sum(dim=1, keepdim=True).remainder_(2)


@cache  # so that no step waits for a copy to the device
def _members(layout: Layout, device: torch.device) -> Tensor:
    """Which atomic tasks each code holds, 0 or 1: ``(C, m)``."""
    return torch.tensor([[float(i in code) for i in range(layout.m)] for code in layout.codes], dtype=torch.float32, device=device)
