"""The private copy of the user's module, and how the parameters of a member lie side by side in one row.

N = members, P = parameters of a member, B = rows of a batch, k = outputs, U = units, E = edges.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate
from math import prod

import torch
from torch import Tensor, nn
from torch.func import functional_call, vmap

from ..models.copying import copy_of
from ..models.groups import UnitMap
from .dropout import Dropout, Mask
from .groups import GroupLayer, group_layers

__all__ = ["Architecture"]

Inputs = tuple[Tensor, ...]


@dataclass(frozen=True, eq=False)
class Architecture:
    """What all members share: the code of the module, and the names of what differs from member to member.

    Attributes
    ----------
    module : nn.Module
        A copy of the user's module. Its own parameters are never used.
    units : UnitMap
    moving : tuple of str
        The buffers that a forward in training changes, such as running means. The others are those of the copy.
    drops : bool
        Whether a forward in training has dropout.
    bytes_per_row : int
        What a forward in training keeps for the backward pass, for one row of one member.
    """

    module: nn.Module
    units: UnitMap
    moving: tuple[str, ...] = ()
    drops: bool = False
    bytes_per_row: int = 0

    @classmethod
    def of(cls, module: nn.Module, units: UnitMap, x: Inputs) -> Architecture:
        """The architecture of a module with these units, probed on a few rows ``x``.

        A module in half precision is trained in single precision.
        """
        copied = copy_of(module)
        parts = [*copied.parameters()]
        dtype = torch.float64 if parts and all(part.dtype == torch.float64 for part in parts) else torch.float32
        copied = copied.to(dtype=dtype)
        return _probed(cls(copied, units), x)

    @cached_property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """The shapes of the parameters. A tensor with several names has the first of them."""
        return {name: tuple(part.shape) for name, part in self.module.named_parameters()}

    @cached_property
    def starts(self) -> tuple[int, ...]:
        """Where each parameter begins in a row, and P at the end."""
        return tuple(accumulate((prod(shape) for shape in self.shapes.values()), initial=0))

    @property
    def size(self) -> int:
        """P, the parameters of a member."""
        return self.starts[-1]

    @property
    def dtype(self) -> torch.dtype:
        """That of the parameters."""
        return next(self.module.parameters()).dtype

    @cached_property
    def frozen(self) -> Tensor | None:
        """Which parameters do not train: bool ``(P,)``, or None where all do."""
        parts = [part.new_full((part.numel(),), not part.requires_grad, dtype=torch.bool) for part in self.module.parameters()]
        whole = torch.cat(parts)
        return whole if bool(whole.any()) else None

    @cached_property
    def groups(self) -> tuple[GroupLayer, ...]:
        """The groups of the removable units, layer after layer."""
        return group_layers(self.units)

    @cached_property
    def removable(self) -> Tensor:
        """The numbers of the removable units, layer after layer: int64 ``(H,)``."""
        return torch.cat([layer.units for layer in self.groups]) if self.groups else torch.zeros(0, dtype=torch.int64)

    @cached_property
    def _tied(self) -> bool:
        """Whether a parameter or buffer has several names."""
        module = self.module
        every = [*module.named_parameters(remove_duplicate=False), *module.named_buffers(remove_duplicate=False)]
        return len({id(part) for _, part in every}) < len(every)

    def views(self, rows: Tensor) -> dict[str, Tensor]:
        """Views of ``rows (N, P)``, one for each parameter: ``(N, *shape)``."""
        parts = zip(self.shapes.items(), self.starts, self.starts[1:], strict=False)
        return {name: rows[:, first:last].unflatten(1, shape or (1,)).view(len(rows), *shape) for (name, shape), first, last in parts}

    def own(self) -> tuple[Tensor, dict[str, Tensor]]:
        """The module's own parameters ``(1, P)``, and its moving buffers with a dimension of one member."""
        values = torch.cat([part.detach().flatten() for part in self.module.parameters()]).unsqueeze(0)
        buffers = dict(self.module.named_buffers())
        return values, {name: buffers[name].detach().clone().unsqueeze(0) for name in self.moving}

    def call(
        self, values: Mapping[str, Tensor], buffers: Mapping[str, Tensor], x: Inputs, masks: Sequence[Tensor] = ()
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """The outputs ``(B, k)`` of one member, and its moving buffers afterwards, in the present mode of the module."""
        state = {**values, **buffers}
        with Dropout(masks):
            z = functional_call(self.module, state, x, tie_weights=self._tied)
        return z.unsqueeze(1) if z.ndim == 1 else z, {name: state[name].detach() for name in self.moving}

    def run(
        self, values: Mapping[str, Tensor], buffers: Mapping[str, Tensor], x: Inputs, masks: Sequence[Tensor] = (), *, shared: bool = False
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """The outputs ``(N, B, k)`` of all members, and their buffers afterwards.

        ``x`` holds ``(N, B, ...)``, or ``(B, ...)`` where members share their rows. One member alone is called without ``vmap``.
        """
        if len(next(iter(values.values()))) == 1:
            alone = x if shared else tuple(part[0] for part in x)
            z, after = self.call(_first(values), {n: b[0].clone() for n, b in buffers.items()}, alone, [mask[0] for mask in masks])
            return z.unsqueeze(0), {name: part.unsqueeze(0) for name, part in after.items()}
        copies = {name: part.clone() for name, part in buffers.items()}  # batch norms change them in place
        found: tuple[Tensor, dict[str, Tensor]] = vmap(self.call, in_dims=(0, 0, None if shared else 0, 0))(
            dict(values), copies, x, tuple(masks)
        )
        return found

    def masks_for(self, x: Inputs) -> tuple[Mask, ...]:
        """The dropout masks that one member asks for in training on as many rows as ``x (B, ...)``."""
        if not self.drops:
            return ()
        rows = len(x[0])
        if rows not in self._known_masks:
            state = {name: part.detach().clone() for name, part in self.module.named_buffers()}
            with torch.no_grad(), Dropout(None) as dropout:
                functional_call(self.module, state, x)
            self._known_masks[rows] = tuple(dropout.seen)
        return self._known_masks[rows]

    @cached_property
    def _known_masks(self) -> dict[int, tuple[Mask, ...]]:
        return {}

    def to(self, device: torch.device) -> Architecture:
        """The same architecture, its module on a device."""
        self.module.to(device)
        return self


def _first(parts: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name: part[0] for name, part in parts.items()}


def _probed(architecture: Architecture, x: Inputs) -> Architecture:
    """The architecture with what one forward in training shows: moving buffers, dropout and the memory of a row."""
    module, kept = architecture.module, 0
    state = {name: part.detach().clone() for name, part in module.named_buffers()}
    before = {name: part.clone() for name, part in state.items()}
    values = {name: part.detach().requires_grad_(part.is_floating_point()) for name, part in module.named_parameters()}

    def count(saved: Tensor) -> Tensor:
        nonlocal kept
        kept += saved.numel() * saved.element_size()
        return saved

    given = {**values, **state}
    with torch.enable_grad(), torch.autograd.graph.saved_tensors_hooks(count, lambda saved: saved), Dropout(None) as dropout:
        functional_call(module.train(), given, x)
    module.eval()
    moving = tuple(name for name in before if not torch.equal(given[name], before[name]))
    own = sum(part.numel() * part.element_size() for part in values.values())
    return Architecture(module, architecture.units, moving, bool(dropout.seen), max(1, kept - own) // len(x[0]))
