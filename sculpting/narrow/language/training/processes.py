"""The device and the processes that ``accelerate`` chose."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

__all__ = ["Processes", "placed", "processes_of"]


@dataclass(frozen=True)
class Processes:
    """One of several processes that do the same on different parts of the data.

    Every method that talks to the others must be called by all processes, in the same order.
    """

    device: torch.device
    index: int = 0
    count: int = 1

    def share(self, rows: Tensor) -> Tensor:
        """Those rows that this process takes, which may be none."""
        return rows[self.index :: self.count]

    def sums(self, *values: float) -> list[float]:
        """Each value, added up over all processes."""
        if self.count == 1:
            return list(values)
        added = torch.tensor(values, dtype=torch.float64, device=self.device)
        torch.distributed.all_reduce(added)
        return added.tolist()

    def add_gradients(self, parameters: Iterable[Tensor]) -> None:
        """Add up the gradients of all processes; a process without one has zeros."""
        for parameter in parameters if self.count > 1 else ():
            if parameter.grad is None:
                parameter.grad = torch.zeros_like(parameter)
            torch.distributed.all_reduce(parameter.grad)

    def agree(self, tensors: Iterable[Tensor]) -> None:
        """Give all processes the values of the first, in place."""
        for tensor in tensors if self.count > 1 else ():
            sent = tensor.detach().to(self.device)
            torch.distributed.broadcast(sent, 0)
            tensor.detach().copy_(sent)


def processes_of(device: str | None) -> Processes:
    """This process among those that ``accelerate launch`` started, with the device that it chose, or the CPU.

    Raises
    ------
    ValueError
        When ``device`` is neither None nor ``"cpu"``.
    """
    from accelerate import PartialState

    if device not in (None, "cpu"):
        raise ValueError(f"device must be None, for the one that accelerate chooses, or 'cpu'; got {device!r}. Set CUDA_VISIBLE_DEVICES")
    if device == "cpu" and int(os.environ.get("WORLD_SIZE", "1")) == 1:
        return Processes(torch.device("cpu"))  # the state of accelerate is that of the whole program, and would stay on the CPU
    state = PartialState(cpu=device == "cpu")
    return Processes(torch.device("cpu") if device == "cpu" else state.device, state.process_index, state.num_processes)


@contextmanager
def placed(model: Any, device: torch.device) -> Iterator[None]:
    """A model on a device inside, and where it was afterwards."""
    before = next(model.parameters()).device
    if before == device:
        yield
        return
    model.to(device)
    try:
        yield
    finally:
        model.to(before)
