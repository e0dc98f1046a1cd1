"""How many members fit into free memory, and how freed memory is kept for the next step.

P = parameters of a member, S = rows of data, B = rows of a batch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

import torch

from ..data import Data
from ..models.shape import Shape
from ..settings import RoundSettings

__all__ = ["NO_MEMORY", "bytes_of_member", "free_bytes", "in_groups_that_fit", "is_out_of_memory", "keep_freed", "members_that_fit"]

SHARE = 0.5  # of the free memory that one round may take
AMPLE = 1 << 27  # bytes below which free memory is not queried: a query takes as long as two steps of training
PARAMETER_COPIES = 14  # values, mask, gradient, moments, best, and their packed and sorted forms, some of them twice as wide
CACHE = 8 << 20  # bytes that a step of all members touches; with 16 MiB steps took up to 1.4 times as long, with 4 up to 1.2 times
STEPPED_COPIES, ACTIVATION_COPIES = 5, 3  # values, gradient, its factors and two moments; sums, units and slopes
ALIGNED = 64  # members; in blocks of a multiple of it, all vector instructions handle the same numbers as without blocks
NO_MEMORY = "a single network must fit into free memory while it is trained; it does not. Use a smaller model or batch_size, or fewer rows"
NO_MEMORY_TO_EVALUATE = "a single network must fit into free memory while it is evaluated; it does not. Use a smaller model, or fewer rows"
KEPT = 28 << 20  # bytes; glibc raises its thresholds for blocks of up to 32 MiB
FLOAT = 4

R = TypeVar("R")


def bytes_of_member(shape: Shape, data: Data, settings: RoundSettings) -> int:
    """Peak bytes for training one more member: its parameters, its rows of an epoch, its activations in training and validation.

    An upper estimate, compared with measured peaks in ``benchmarks/engine.py``.
    """
    rows = data.x.shape[1] if settings.input_noise else min(data.x.shape[1], 2 * settings.batch_size)
    drawn = 3 * (len(data.x) + len(data.y)) * rows
    drawn += 3 * sum(shape.widths[1:-1]) * data.x.shape[1] * bool(settings.hidden_noise)
    active = ACTIVATION_COPIES * sum(shape.widths[1:]) * max(settings.batch_size, data.x_validation.shape[1])
    return FLOAT * (PARAMETER_COPIES * shape.size + drawn + active)


def members_that_fit(wanted: int, shape: Shape, data: Data, settings: RoundSettings, threads: int = 1) -> int:
    """How many of the ``wanted`` members to train at once on each of the threads, at least one.

    They fit into half of the free memory and, on a CPU, what a step of them touches fits into the cache of a core.
    """
    each = bytes_of_member(shape, data, settings) * threads
    if data.x.device.type == "cpu":
        stepped = FLOAT * (STEPPED_COPIES * shape.size + ACTIVATION_COPIES * sum(shape.widths[1:]) * settings.batch_size)
        fit = max(1, CACHE // stepped)
        wanted = min(wanted, fit - fit % ALIGNED if fit > ALIGNED else fit)
    return wanted if wanted * each <= AMPLE else min(wanted, max(1, int(SHARE * free_bytes(data.x.device)) // each))


def is_out_of_memory(error: RuntimeError) -> bool:
    """Whether an error of torch means that an allocation failed, on a GPU or on the CPU."""
    return isinstance(error, torch.OutOfMemoryError) or "can't allocate memory" in str(error) or "not enough memory" in str(error)


def in_groups_that_fit(
    call: Callable[[Any], R], groups: Iterable[Any], count: Callable[[Any], int] = len, said: str = NO_MEMORY_TO_EVALUATE
) -> Iterator[tuple[Any, R]]:
    """Each group of members with what ``call`` gives for it, in their order; in halves where memory runs out.

    Parameters
    ----------
    call : function of a group
    groups : iterable of Tensor or Packing
        Their method ``split(size)`` divides them.
    count : function of a group
        The number of its members.
    said : str
        What the error says where a single member does not fit.

    Raises
    ------
    MemoryError
        When a single member does not fit.

    Examples
    --------
    >>> def squares(rows: torch.Tensor) -> list[int]:
    ...     if len(rows) > 2:
    ...         raise RuntimeError("DefaultCPUAllocator: can't allocate memory")
    ...     return (rows**2).tolist()
    >>> [found for _, found in in_groups_that_fit(squares, [torch.arange(5)])]
    [[0, 1], [4], [9, 16]]
    """
    waiting = [*groups][::-1]
    while waiting:
        group = waiting.pop()
        try:
            found = call(group)
        except RuntimeError as error:
            if not is_out_of_memory(error):
                raise
            if count(group) == 1:
                raise MemoryError(said) from error
            waiting += group.split(-(-count(group) // 2))[::-1]
            continue
        yield group, found


@cache
def keep_freed() -> None:
    """Let the process keep up to 56 MiB of freed memory for its next allocations, where the C library is glibc.

    Above a threshold of 128 KiB glibc returns freed memory to the system. A step with larger activations would then fault every page in
    again, which was measured to take an eighth of its time. Freeing one large block raises the threshold to twice the size of the
    block: see M_MMAP_THRESHOLD in mallopt(3). The block itself is never touched.
    """
    torch.empty(KEPT, dtype=torch.uint8)


def free_bytes(device: torch.device) -> int:
    """The bytes of memory that are free on a device."""
    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0])
    lines = Path("/proc/meminfo").read_text().splitlines() if Path("/proc/meminfo").exists() else []
    available = next((int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:")), None)
    return available if available is not None else 4 << 30  # not known: assume a small machine
