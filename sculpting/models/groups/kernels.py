"""Images of channels: the kernels that write them.

S = units of a stage, h and w = height and width of a kernel.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from .unit_map import UnitMap

__all__ = ["kernels_of"]

LARGEST = 16  # pixels on a side


def kernels_of(units: UnitMap, tensors: Mapping[str, Tensor]) -> dict[int, NDArray[np.float64]]:
    """The mean kernel of every unit, by the position of its stage: float arrays ``(S, h, w)``.

    It is the mean over the kernels that are not zero. A kernel over one axis has the height 1. Stages have none where convolutions over
    three axes write them, where kernels are single weights or larger than 16 x 16, and where kernels of several sizes meet.

    Parameters
    ----------
    units : UnitMap
    tensors : mapping of name to Tensor
        Parameters by the names of ``units``.
    """
    found: dict[int, NDArray[np.float64]] = {}
    counts: dict[int, NDArray[np.int64]] = {}
    several = set()
    for block in units.blocks:
        if block.kind != "conv" or block.use is None:
            continue
        values = tensors[units.uses[block.use].parameter].detach().cpu().double().numpy()
        height, width = ((1, *values.shape[2:])[-2:]) if values.ndim <= 4 else (0, 0)
        size = len(units.stages[block.target].units)
        known = found.setdefault(block.target, np.zeros((size, height, width)))
        if known.shape[1:] != (height, width):
            several.add(block.target)
            continue
        kernels = values.reshape(*values.shape[:2], height, width)
        columns = np.broadcast_to(block.columns.flatten(2)[:, :, 0].numpy(), values.shape[:2])
        there = (columns >= 0) & kernels.any(axis=(2, 3))
        np.add.at(known, columns[there], kernels[there])
        counts[block.target] = counts.get(block.target, np.zeros(size, dtype=np.int64)) + np.bincount(columns[there], minlength=size)
    return {
        stage: sums / np.maximum(counts[stage], 1)[:, None, None]
        for stage, sums in found.items()
        if stage not in several and sums[0].size > 1 and max(sums.shape[1:]) <= LARGEST
    }
