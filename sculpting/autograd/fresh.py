"""Fresh initial weights of any module, from a seed of their own.

N = members, P = parameters of a member.
"""

from __future__ import annotations

import torch
from torch import Tensor

from ..models.copying import copy_of
from ..surroundings import drawing_from
from .architecture import Architecture
from .population import ModulePopulation

__all__ = ["fresh_members"]

RESETS = ("reset_parameters", "_reset_parameters")  # the second is that of nn.MultiheadAttention and nn.Transformer


def fresh_members(architecture: Architecture, key: Tensor) -> ModulePopulation:
    """Untrained members, one for each key ``(N, 2)``.

    Every module that has ``reset_parameters`` draws its parameters by it, inner modules first. A parameter that none of them sets is drawn
    from the normal distribution with the mean and the standard deviation of the user's own values; one whose values are all equal, and one
    that does not train, keeps them. Nothing is drawn from torch's global generator.

    Examples
    --------
    >>> from sculpting.models.groups import units
    >>> from sculpting.randomness import keys
    >>> model, x = torch.nn.Linear(3, 2), torch.zeros(2, 3)
    >>> both = fresh_members(Architecture.of(model, units(model, x), (x,)), keys([1, 2]))
    >>> both.values.shape, bool((both.values[0] == both.values[1]).any())
    (torch.Size([2, 8]), False)
    """
    drawn = [_drawn(architecture, pair) for pair in key.tolist()]
    values = torch.cat([each for each, _ in drawn]).to(key.device)
    buffers = {name: torch.cat([each[name] for _, each in drawn]).to(key.device) for name in architecture.moving}
    return ModulePopulation.of(architecture, values, buffers)


def _drawn(architecture: Architecture, pair: list[int]) -> tuple[Tensor, dict[str, Tensor]]:
    """The parameters ``(1, P)`` of one member, and its buffers."""
    generator = torch.Generator().manual_seed((pair[0] & 0xFFFFFFFF) << 31 ^ (pair[1] & 0xFFFFFFFF))
    module = copy_of(architecture.module).cpu()
    own = {name: part.detach().clone() for name, part in module.named_parameters()}
    with torch.inference_mode(False), torch.no_grad(), drawing_from(generator):
        for part in module.parameters():
            if part.requires_grad:
                part.fill_(torch.nan)
        for each in reversed([*module.modules()]):
            reset = next((getattr(each, name) for name in RESETS if callable(getattr(each, name, None))), None)
            if reset is not None:
                reset()
        for name, part in module.named_parameters():
            if part.requires_grad:
                unset = part.isnan()
                spread = own[name].std() if part.numel() > 1 else own[name].new_zeros(())
                part.copy_(torch.where(unset, own[name].mean() + spread * torch.randn(part.shape, dtype=part.dtype), part))
            else:
                part.copy_(own[name])
    return Architecture(module, architecture.units, architecture.moving).own()
