"""A smaller module without its dead units, which computes the same."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from ...surroundings import set_aside
from ..copying import FAILURES, copy_of
from ..exporting import answer_of, same_answer
from .unit_map import NONE, UnitMap

__all__ = ["Removal", "masked_module", "removed_units"]

# Attributes that say how wide a module is, with the parameter and the axis that they follow.
WIDTHS: dict[str, tuple[str, int]] = {
    "in_features": ("weight", 1), "out_features": ("weight", 0), "num_features": ("running_mean", 0), "embedding_dim": ("weight", 1),
    "num_channels": ("weight", 0), "num_parameters": ("weight", 0), "nf": ("weight", 1), "nx": ("weight", 0),
}  # fmt: skip
EPSILONS = ("eps", "variance_epsilon")


@dataclass(frozen=True, eq=False)
class Removal:
    """A smaller module, and the dead units that are still in it as zeros.

    Attributes
    ----------
    module : nn.Module
        Of the same class.
    removed : bool Tensor of shape (U,)
    staying : mapping of layer name to str
        Layers of which dead units could not be removed, and why.
    """

    module: nn.Module
    removed: Tensor
    staying: Mapping[str, str]


def masked_module(module: nn.Module, units: UnitMap, alive: Tensor) -> nn.Module:
    """A copy of a module with zeros for all that reads or writes the units that are not in ``alive``, bool ``(U,)``."""
    copied = copy_of(module).train(module.training)
    tensors = {**dict(copied.named_parameters()), **dict(copied.named_buffers())}
    with torch.no_grad():
        for name, mask in units.masks(alive).items():
            tensors[name].mul_(mask.to(tensors[name].device))
    return copied


@set_aside()
def removed_units(module: nn.Module, units: UnitMap, alive: Tensor, example: Any) -> Removal:
    """A module of the same class without the units that are not in ``alive``, bool ``(U,)``.

    Parameters are cut where all elements of a row or column belong to dead units, and the widths that PyTorch's own modules remember
    follow. A smaller RMSNorm is scaled so that it stays exact; under a LayerNorm, whose mean counts every unit, residual dimensions stay.
    Whether a smaller module answers the same is tried on the ``example``: where it does not, because its forward reshapes to sizes of its
    own, the layers of units are tried one after another, and those that cannot be cut stay in place.

    Examples
    --------
    >>> from sculpting.models.groups import units
    >>> model, x = nn.Sequential(nn.Linear(2, 4), nn.ReLU(), nn.Linear(4, 1)), torch.ones(3, 2)
    >>> found = units(model, x)
    >>> alive = torch.ones(len(found), dtype=torch.bool)
    >>> alive[found.named("0").first] = False
    >>> removed_units(model, found, alive, x).module[0]
    Linear(in_features=2, out_features=3, bias=True)
    """
    masked = masked_module(module, units, alive).eval()
    wanted, dead = answer_of(masked, example), ~alive & units.removable

    def cut(gone: Tensor) -> nn.Module | None:
        """The module without these units, where it answers the same."""
        smaller = _cut(masked, units, ~gone)
        try:
            answer = answer_of(smaller, example)
        except FAILURES:  # the user's forward may fail in any way at another width
            return None
        return smaller if same_answer(answer, wanted) else None

    found, gone = cut(dead), dead
    if found is None:
        found, gone = masked, torch.zeros_like(dead)
        for layer in units.layers:
            more = gone.clone()
            more[layer.first : layer.first + layer.size] = dead[layer.first : layer.first + layer.size]
            smaller = cut(more) if bool((more & ~gone).any()) else None
            found, gone = (found, gone) if smaller is None else (smaller, more)
    return Removal(found, gone, _reasons(units, dead & ~gone))


def _reasons(units: UnitMap, staying: Tensor) -> dict[str, str]:
    mixed = "they enter a statistic over several units, such as the mean of a LayerNorm"
    fixed = "the forward reshapes to sizes of its own, or answers otherwise without them"
    return {
        layer.name: mixed if bool(units.mixed[layer.first]) else fixed
        for layer in units.layers
        if bool(staying[layer.first : layer.first + layer.size].any())
    }


def _cut(module: nn.Module, units: UnitMap, alive: Tensor) -> nn.Module:
    """A copy whose parameters and buffers have lost the rows and columns of dead units."""
    copied = copy_of(module)
    kept = _kept_places(units, alive)
    every = [(owner, key, tensor) for owner in copied.modules() for key, tensor in _own_tensors(owner)]
    first = {id(tensor): name for name, tensor in module_tensors(copied)}
    smaller: dict[int, Tensor] = {}
    for owner, key, tensor in every:
        axes = kept.get(first[id(tensor)])
        if axes is None or all(bool(axis.all()) for axis in axes):
            continue
        if id(tensor) not in smaller:
            small = tensor.detach()
            for number, axis in enumerate(axes):
                small = small.index_select(number, torch.nonzero(axis).flatten().to(small.device))
            smaller[id(tensor)] = nn.Parameter(small, tensor.requires_grad) if isinstance(tensor, nn.Parameter) else small
        setattr(owner, key, smaller[id(tensor)])
        _follow(owner, key, tuple(tensor.shape))
    return copied


def module_tensors(module: nn.Module) -> Iterator[tuple[str, Tensor]]:
    """Parameters and buffers by the first of their names."""
    yield from module.named_parameters()
    yield from module.named_buffers()


def _own_tensors(module: nn.Module) -> list[tuple[str, Tensor]]:
    found = [*module.named_parameters(recurse=False, remove_duplicate=False), *module.named_buffers(recurse=False, remove_duplicate=False)]
    return [(name, tensor) for name, tensor in found if tensor is not None]


def _kept_places(units: UnitMap, alive: Tensor) -> dict[str, list[Tensor]]:
    """For each parameter and axis the places that some element with living units has."""
    masks: dict[str, Tensor] = {}
    for use in units.uses:
        for ends in (use.source, use.target):
            if ends is not None:
                left = alive[ends.clamp(min=0)] | (ends == NONE)
                masks[use.parameter] = masks[use.parameter] & left if use.parameter in masks else left
    found = {}
    for name, mask in masks.items():
        shape = units.shapes[name]
        axes = range(len(shape))
        found[name] = [mask.amax(dim=[a for a in axes if a != axis]).expand(shape[axis]) if len(shape) > 1 else mask for axis in axes]
    return found


def _follow(owner: nn.Module, key: str, before: tuple[int, ...]) -> None:
    """Let the widths that a module remembers follow one of its tensors."""
    tensor = getattr(owner, key)
    for name, (of, axis) in WIDTHS.items():
        if key == of and isinstance(getattr(owner, name, None), int) and getattr(owner, name) == before[axis]:
            setattr(owner, name, tensor.shape[axis])
    if key != "weight":
        return
    if isinstance(owner, nn.modules.conv._ConvNd):
        backwards = owner.transposed
        if owner.groups == owner.in_channels > 1:
            owner.groups = tensor.shape[0]
        owner.out_channels = (tensor.shape[1] if backwards else tensor.shape[0]) * (owner.groups if backwards else 1)
        owner.in_channels = tensor.shape[0] if backwards else tensor.shape[1] * owner.groups
    if isinstance(getattr(owner, "normalized_shape", None), tuple):
        owner.normalized_shape = tuple(tensor.shape)  # type: ignore[assignment]
    if type(owner).__name__.endswith("RMSNorm") and tensor.ndim == 1:
        ratio = before[0] / tensor.shape[0]
        with torch.no_grad():
            tensor.mul_(math.sqrt(ratio))
        for epsilon in EPSILONS:
            if isinstance(getattr(owner, epsilon, None), float):
                setattr(owner, epsilon, getattr(owner, epsilon) * ratio)
