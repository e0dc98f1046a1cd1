"""Sorting rows of many members at once."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

__all__ = ["sorted_positions"]


def sorted_positions(ranks: Tensor) -> Tensor:
    """The positions of int32 ``ranks (..., L)`` from the lowest on, equal ranks in their order: int64 of the same shape.

    Ranks above, positions below in one integer: sorting these is a stable argsort, and NumPy's vectorised sort of them was measured
    six to eight times faster than torch's argsort.

    Examples
    --------
    >>> sorted_positions(torch.tensor([[5, -1, 5]], dtype=torch.int32)).tolist()
    [[1, 0, 2]]
    """
    marked = (ranks.long() << 32) + torch.arange(ranks.shape[-1], device=ranks.device)
    ordered = torch.from_numpy(np.sort(marked.numpy(), axis=-1)) if ranks.device.type == "cpu" else marked.sort(dim=-1).values
    return ordered & 0xFFFFFFFF
