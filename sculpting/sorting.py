"""Sorting rows of many members at once."""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["sorted_positions"]


def sorted_positions(ranks: Tensor, coarse: bool = False) -> Tensor:
    """The positions of int32 ``ranks (..., L)`` in ascending order, ties in their order: int64 of the same shape.

    Each rank and its position are put into one integer, the rank in the upper bits. Sorting these is a stable argsort; NumPy's vectorised
    sort of them was measured six to eight times faster than torch's argsort. With ``coarse`` positions replace the lowest bits of the
    ranks, so that int32 suffices: twice as fast again, and the result is int32.

    Examples
    --------
    >>> sorted_positions(torch.tensor([[5, -1, 5]], dtype=torch.int32)).tolist()
    [[1, 0, 2]]
    >>> sorted_positions(torch.tensor([[512, -64, 513]], dtype=torch.int32), coarse=True).tolist()
    [[1, 0, 2]]
    """
    length = ranks.shape[-1]
    positions = torch.arange(length, dtype=torch.int32, device=ranks.device)
    below = (1 << (length - 1).bit_length()) - 1 if coarse else 0xFFFFFFFF
    upper = ranks & ~below if coarse else ranks.long().bitwise_left_shift_(32)
    combined = upper.bitwise_or_(positions)
    if ranks.device.type == "cpu":
        combined.numpy().sort(axis=-1)
    else:
        combined = combined.sort(dim=-1).values
    return combined.bitwise_and_(below)
