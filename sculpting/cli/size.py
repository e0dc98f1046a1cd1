"""What a call of ``sculpt`` would need, estimated before anything is built."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch

from ..mlp.memory import free_bytes
from ..options import EDGE_STEPS, LARGE, LARGE_EDGE_STEPS, LARGE_UNIT_STEPS, UNIT_STEPS
from ..tasks import Task

__all__ = ["MOST_LAYERS", "bytes_of_sculpting", "check_size"]

MOST_LAYERS = 1000
COPIES = 2  # of the parameters of a candidate: its values, and the masks and results beside them
CANDIDATE = 4096  # bytes of a candidate beside its parameters


def bytes_of_sculpting(widths: Sequence[int], seeds: int) -> int:
    """An estimate of the bytes that the candidates of all seeds take: parameters x candidates x 4 bytes x 2.

    Examples
    --------
    >>> bytes_of_sculpting((6, 24, 24, 3), seeds=4)
    3058720
    """
    weights = sum(a * b for a, b in pairwise(widths))
    large = weights > LARGE
    steps = len(LARGE_UNIT_STEPS) * len(LARGE_EDGE_STEPS) if large else len(UNIT_STEPS) * len(EDGE_STEPS)
    return seeds * steps * (4 * COPIES * (weights + sum(widths[1:])) + CANDIDATE)


def check_size(hidden: Sequence[int], task: Task, seeds: int) -> None:
    """Refuse networks that do not fit into the memory that is free.

    Raises
    ------
    ValueError
        When there are too many layers, or too many networks of this size.
    """
    if len(hidden) > MOST_LAYERS:
        raise ValueError(f"a network must have at most {MOST_LAYERS} hidden layers; got {len(hidden)}")
    inputs, outputs = (part.shape[-1] if hasattr(part, "shape") else 1 for part in (task.x, task.y))
    needed, free = bytes_of_sculpting((inputs, *hidden, outputs), seeds), free_bytes(torch.device("cpu"))
    if needed > free:
        raise ValueError(
            f"the networks of {seeds} seeds must fit into the {free / 2**30:.3g} GiB of memory that are free; got hidden layers of "
            f"{max(hidden)} units and less, which need about {needed / 2**30:.3g}. Give fewer units, layers or seeds"
        )
