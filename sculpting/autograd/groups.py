"""Groups: all elements of the parameters that read or write a unit, each element once for each unit.

N = members, P = parameters of a member, U = units, H = removable units, n_l = removable units of a layer.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from ..models.groups import UnitLayer, UnitMap
from ..models.groups.unit_map import NONE
from ..models.touching import STATISTIC, unit_sums

__all__ = ["GroupLayer", "group_layers"]

BIAS = "bias"


@dataclass(frozen=True, eq=False)
class GroupLayer:
    """The groups of the removable units of one layer.

    Attributes
    ----------
    layer : UnitLayer
    units : int64 Tensor of shape (n_l,)
        The numbers of the removable units.
    places : tuple of (parameter, kind of use, int64 Tensor)
        For each element the position of the unit that it belongs to, -1 for none; of as many dimensions as the parameter. A parameter
        occurs once for each side on which its elements belong to units, and no element twice with the same unit.
    """

    layer: UnitLayer
    units: Tensor
    places: tuple[tuple[str, str, Tensor], ...]

    def parts(self, bias: bool = True) -> list[tuple[str, Tensor]]:
        """The places, those of biases only if asked for."""
        return [(name, ids) for name, kind, ids in self.places if bias or kind != BIAS]

    def sums(self, elements: Mapping[str, Tensor], bias: bool = True) -> Tensor:
        """Sums over the groups of something that each element has, ``(N, *shape)`` for each parameter: ``(N, n_l)``."""
        return unit_sums(len(self.units), elements, self.parts(bias))

    def multiply(self, elements: Mapping[str, Tensor], factors: Tensor, bias: bool = True) -> None:
        """Multiply what each element has by the factors ``(N, n_l)`` of its units, in place. Parameters without elements are left out."""
        padded = torch.cat([factors, factors.new_ones(len(factors), 1)], dim=1)  # NONE, -1, is the last
        for name, ids in self.parts(bias):
            if name in elements:
                elements[name].mul_(padded[:, ids.to(factors.device)])

    def add(self, elements: Mapping[str, Tensor], numbers: Tensor, bias: bool = True) -> None:
        """Add the numbers ``(N, n_l)`` of its units to what each element has, in place."""
        padded = torch.cat([numbers, numbers.new_zeros(len(numbers), 1)], dim=1)
        for name, ids in self.parts(bias):
            if name in elements:
                elements[name].add_(padded[:, ids.to(numbers.device)])


def group_layers(units: UnitMap) -> tuple[GroupLayer, ...]:
    """The groups of all layers that have removable units, in the order of the map.

    Examples
    --------
    >>> from sculpting.models.groups import units
    >>> model = torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.ReLU(), torch.nn.Linear(3, 1))
    >>> (layer,) = group_layers(units(model, torch.ones(4, 2)))
    >>> layer.layer.name, [(name, tuple(ids.shape)) for name, ids in layer.parts()]
    ('0', [('0.weight', (3, 1)), ('0.bias', (3,)), ('2.weight', (1, 3))])
    """
    found = []
    for layer in units.layers:
        numbers = torch.tensor([unit for unit in layer.units if units.removable[unit]], dtype=torch.int64)
        if len(numbers):
            position = torch.full((len(units) + 1,), NONE)
            position[numbers] = torch.arange(len(numbers))
            found.append(GroupLayer(layer, numbers, _places(units, position)))
    return tuple(found)


def _places(units: UnitMap, position: Tensor) -> tuple[tuple[str, str, Tensor], ...]:
    """The places of a layer; ``position (U + 1,)`` has those of its units, and NONE elsewhere and at the end."""
    found: list[tuple[str, str, Tensor]] = []
    for use in units.uses:
        for side in (use.source, use.target):
            if side is None or use.kind == STATISTIC:
                continue
            ids = position[side]
            ids = ids.view(*(1 for _ in range(len(units.shapes[use.parameter]) - ids.ndim)), *ids.shape)
            for other in (there for name, _, there in found if name == use.parameter):
                twice = (ids == other) & (ids != NONE)
                ids = torch.where(twice, NONE, ids) if bool(twice.any()) else ids
            if bool((ids != NONE).any()):
                found.append((use.parameter, use.kind, ids))
    return tuple(found)
