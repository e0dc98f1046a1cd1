"""Sums over the groups of a layer, and factors for them: what scores, the group lasso and masks have in common.

G = groups of one layer, B = entries of a block.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

from .finding import GroupLayer, Slice

__all__ = ["all_alive", "check_alive", "group_sums", "parameters_of", "scale_groups", "view_of", "wide", "without"]


def parameters_of(model: Any) -> dict[str, Tensor]:
    """All parameters by their first name."""
    return dict(model.named_parameters())


def view_of(tensor: Tensor, where: Slice, size: int) -> Tensor:
    """The part of a tensor where the groups of a slice lie, as ``(G, B, the other axes)``; it shares memory with the tensor."""
    return tensor.narrow(where.axis, where.start, size * where.block).movedim(where.axis, 0).unflatten(0, (size, where.block))


def wide(tensor: Tensor) -> Tensor:
    """The tensor in float32 where it has fewer bits."""
    return tensor if tensor.dtype == torch.float64 else tensor.float()


def group_sums(layer: GroupLayer, tensors: Mapping[str, Tensor]) -> Tensor:
    """The sum over all elements of each group, at least float32 ``(G,)``; parameters that are not among ``tensors`` count as 0.

    An element that lies in two slices, as of one tensor that both reads and writes, is counted twice.
    """
    parts = [wide(view_of(tensors[s.parameter], s, layer.size)).flatten(1).sum(1) for s in layer.slices if s.parameter in tensors]
    return torch.stack(parts).sum(0)


@torch.no_grad()
def scale_groups(model: Any, layer: GroupLayer, factors: Tensor) -> None:
    """Multiply all that belongs to each group by its factor, ``(G,)``, in place."""
    known = parameters_of(model)
    for where in layer.slices:
        view = view_of(known[where.parameter], where, layer.size)
        view.mul_(factors.to(view).view(-1, *(1 for _ in view.shape[1:])))


def all_alive(layers: Sequence[GroupLayer]) -> list[Tensor]:
    """Masks in which every group of each layer is alive: bool ``(G,)`` each."""
    return [torch.ones(layer.size, dtype=torch.bool) for layer in layers]


def check_alive(layers: Sequence[GroupLayer], alive: Sequence[Tensor]) -> None:
    """Refuse masks that are not a bool Tensor ``(G,)`` for each layer of groups.

    Raises
    ------
    ValueError
        With the sizes that were expected.
    """
    sizes = [layer.size for layer in layers]
    tensors = [mask if isinstance(mask, Tensor) else torch.empty(0) for mask in alive]
    if [tuple(mask.shape) for mask in tensors] != [(size,) for size in sizes] or any(mask.dtype != torch.bool for mask in tensors):
        found = [f"{str(mask.dtype).removeprefix('torch.')} {tuple(mask.shape)}" for mask in tensors]
        raise ValueError(f"alive must be a bool Tensor for each layer of groups, of {sizes} entries; got {found}")


@contextmanager
def without(model: Any, layers: Sequence[GroupLayer], alive: Sequence[Tensor]) -> Iterator[None]:
    """Set all that belongs to dead groups to zero, and back to what it was at the end."""
    check_alive(layers, alive)
    known = parameters_of(model)
    saved: list[tuple[Tensor, Tensor, Tensor]] = []
    try:
        for layer, mask in zip(layers, alive, strict=True):
            dead = torch.nonzero(~mask).flatten()
            for where in layer.slices if len(dead) else ():
                view = view_of(known[where.parameter].detach(), where, layer.size)
                places = dead.to(view.device)
                saved.append((view, places, view[places].clone()))
                view[places] = 0
        yield
    finally:
        for view, places, values in reversed(saved):
            view[places] = values
