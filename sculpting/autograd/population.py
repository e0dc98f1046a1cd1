"""N networks of one module: their parameters and moving buffers stacked, with masks.

N = members, P = parameters of a member, U = units, E = edges.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from ..models.touching import edge_view, keep_elements, lost_units, touched_units
from .architecture import Architecture

__all__ = ["ModulePopulation"]

BUFFER = "buffer."


@dataclass(frozen=True, eq=False)
class ModulePopulation:
    """Masked networks of one architecture.

    Attributes
    ----------
    architecture : Architecture
    values : Tensor of shape (N, P)
        Parameters; exactly zero under the mask.
    mask : bool Tensor of shape (N, P)
        False where a parameter was pruned.
    buffers : dict of name to Tensor of shape (N, ...)
        Those that training changes, such as the running means of batch norms.
    """

    architecture: Architecture
    values: Tensor
    mask: Tensor
    buffers: dict[str, Tensor] = field(default_factory=dict)

    @classmethod
    def of(cls, architecture: Architecture, values: Tensor, buffers: Mapping[str, Tensor], mask: Tensor | None = None) -> ModulePopulation:
        """Members with these values ``(N, P)``; without ``mask`` nothing is pruned."""
        mask = torch.ones_like(values, dtype=torch.bool) if mask is None else mask
        return cls(architecture, values * mask, mask, dict(buffers))

    def __len__(self) -> int:
        return len(self.values)

    @property
    def device(self) -> torch.device:
        """Where the members are."""
        return self.values.device

    @property
    def parameters(self) -> dict[str, Tensor]:
        """Views ``(N, *shape)`` of the values, one for each parameter."""
        return self.architecture.views(self.values)

    def alive(self) -> Tensor:
        """Which units have not been pruned: bool ``(N, U)``. A unit is alive while any element that reads or writes it is."""
        return touched_units(self.architecture.units, self.architecture.views(self.mask)) > 0

    def live_edges(self) -> Tensor:
        """Which edges have not been pruned: bool ``(N, E)``. An edge of several elements is there while one of them is."""
        units, views = self.architecture.units, self.architecture.views(self.mask)
        parts = [edge_view(views[name], numbers, torch.any) for name, numbers in units.edges.items()]
        return torch.cat([part.flatten(1) for part in parts], dim=1) if parts else self.mask[:, :0]

    def without_units(self, removed: Tensor) -> ModulePopulation:
        """The members without the units that are true in ``removed``, bool ``(N, U)``: what reads them and what writes them."""
        return self._keeping(self.architecture.units.masks(~removed.cpu()))

    def without_edges(self, removed: Tensor) -> ModulePopulation:
        """The members without the edges that are true in ``removed``, bool ``(N, E)``.

        A removable unit that has lost its last incoming edge loses its bias and its scale too.
        """
        units = self.architecture.units
        fewer = self._keeping({name: ~removed[:, numbers] for name, numbers in units.edges.items()})
        lost = lost_units(units, fewer.architecture.views(fewer.mask)) & units.removable.to(self.device)
        return fewer._keeping(keep_elements(units, ~lost))

    def _keeping(self, kept: Mapping[str, Tensor]) -> ModulePopulation:
        mask = self.mask.clone()
        views = self.architecture.views(mask)
        for name in kept.keys() & views.keys():
            views[name] &= _aligned(kept[name].to(mask.device), views[name])
        buffers = {name: part * _aligned(kept[name].to(part.device), part) if name in kept else part for name, part in self.buffers.items()}
        return replace(self, values=torch.where(mask, self.values, 0), mask=mask, buffers=buffers)

    def select(self, members: Tensor | Sequence[int]) -> ModulePopulation:
        """A copy of some members, in the order given; a member may be taken more than once."""
        rows = torch.as_tensor(members, dtype=torch.int64, device=self.device)
        return self._with({name: part.index_select(0, rows) for name, part in self.tensors().items()})

    def joined(self, other: ModulePopulation) -> ModulePopulation:
        """These members, then the others."""
        return self._with({name: torch.cat([part, other.tensors()[name]]) for name, part in self.tensors().items()})

    def replaced(self, rows: Tensor, other: ModulePopulation) -> ModulePopulation:
        """The same members, those at ``rows`` replaced by the others."""
        rows = rows.to(self.device)
        return self._with({name: part.index_copy(0, rows, other.tensors()[name]) for name, part in self.tensors().items()})

    def tensors(self) -> dict[str, Tensor]:
        """Values, masks and buffers, by name."""
        return {"values": self.values, "mask": self.mask, **{BUFFER + name: part for name, part in self.buffers.items()}}

    def restored(self, tensors: Mapping[str, Tensor]) -> ModulePopulation:
        """Members of the same architecture, from the tensors that :meth:`tensors` returned.

        Raises
        ------
        ValueError
            When they have parameters that their mask leaves out.
        """
        found = self._with({name: tensors[name].to(self.device) for name in self.tensors()})
        if bool((~found.mask & torch.isfinite(found.values) & (found.values != 0)).any()):
            raise ValueError("the parameters of its networks must be zero where their masks are; got others")
        return found

    def _with(self, tensors: Mapping[str, Tensor]) -> ModulePopulation:
        buffers = {name: tensors[BUFFER + name] for name in self.buffers}
        return replace(self, values=tensors["values"], mask=tensors["mask"], buffers=buffers)


def _aligned(kept: Tensor, part: Tensor) -> Tensor:
    """A mask ``(N, ...)`` with as many dimensions as what it masks, ``(N, *shape)``."""
    return kept.view(len(kept), *(1 for _ in range(part.ndim - kept.ndim)), *kept.shape[1:])
