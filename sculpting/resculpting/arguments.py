"""What ``resculpt`` is given, checked."""

from __future__ import annotations

from typing import Any

from ..checks import listed, shown
from ..models.network import SparseNetwork
from ..results import SculptResult
from ..tasks.own_data import as_task
from ..tasks.task import Task

__all__ = ["network_of", "spares_of", "task_of"]

MOST_SPARE = 1000  # numbers of spare units that are tried


def network_of(result: Any) -> SparseNetwork:
    """The network of a result, or the network itself."""
    network = result if isinstance(result, SparseNetwork) else getattr(result, "network", None)
    if not isinstance(network, SparseNetwork):
        got = type(result).__name__ if network is None else type(network).__name__
        empty = isinstance(result, SculptResult) and network is None
        why = result.stop_reason.value if empty else "Other modules cannot be sculpted further"
        raise TypeError(f"resculpt needs a SparseNetwork, a chain of Linear layers, or a result that has one; got {got}. {why}")
    return network


def task_of(network: SparseNetwork, data: Any, seed: int, **options: Any) -> Task:
    """The new data as a task for the loss of the network."""
    if isinstance(data, Task) and network.loss not in (None, data.loss):
        raise ValueError(f"the new data must have the loss of the network, {network.loss!r}; got {data.loss!r}. Sculpt anew")
    loss = None if isinstance(data, Task) else network.loss
    task = as_task(data, loss=loss, seed=seed, **options)
    if task.loss == "ce" and task.y.shape[1] < network.widths[-1] and not isinstance(data, Task):
        task = as_task(data, loss=loss, seed=seed, outputs=network.widths[-1], **options)  # rows of some classes only
    return task


def spares_of(values: Any) -> list[int]:
    """The numbers of spare units, each once."""
    found = listed("spare_units", values, MOST_SPARE, "a sequence of whole numbers from 0", ValueError)
    if not found or not all(isinstance(each, int) and not isinstance(each, bool) and each >= 0 for each in found):
        raise ValueError(f"spare_units must be a sequence of whole numbers from 0, such as (0, 1, 2, 4); got {shown(values)}")
    return sorted(set(found))
