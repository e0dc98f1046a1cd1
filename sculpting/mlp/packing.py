"""Packing: members are trained without their pruned units, together with members of similar size.

N = members, P = parameters of a member, n_l = width of layer l, p_l = its packed width.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import pairwise

import torch
from torch import Tensor

from ..models.shape import Shape
from ..sorting import sorted_positions
from .population import Population

__all__ = ["Packing", "packings"]

MULTIPLE = 2  # packed widths are multiples of this, so that sizes repeat
# Microseconds of a step: for its calls, and for one parameter of one member. Whole protocols ran fastest with these.
STEP_COST, PARAMETER_COST = 200.0, 0.02
FEW_PARAMETERS = 500  # parameters of all members together, below which packing takes longer than it saves
MANY_INPUTS = 64  # inputs, below which leaving out dead ones saves less than it costs


@dataclass(frozen=True, eq=False)
class Packing:
    """Which members are trained together, and how they are packed.

    Attributes
    ----------
    members : Tensor of shape (M,), int64
        Their rows in the population.
    shape : Shape
        The shape of the packed members.
    inputs : Tensor of shape (p_0,), int64, or None
        The inputs that at least one of the members reads; None where all are kept.
    places : Tensor of shape (M, P packed), int64, or None
        The position of each packed parameter in the member's row of the population; None where nothing is left out.
    units : list of Tensor of shape (M, p_l), int64
        For each hidden layer, the original indices of the packed units.
    """

    members: Tensor
    shape: Shape
    inputs: Tensor | None
    places: Tensor | None
    units: list[Tensor]

    def pack(self, population: Population) -> Population:
        """A copy of the members, packed. Only zeros are left out, so each member keeps its function."""
        if self.places is None:
            return population.select(self.members)
        flats = (population.values, population.mask, *([] if population.trainable is None else [population.trainable]))
        values, mask, *trainable = (flat.index_select(0, self.members).gather(1, self.places) for flat in flats)
        return Population(self.shape, values, mask, torch.tensor(self.shape.widths).expand(len(self.members), -1), *trainable)

    def split(self, size: int) -> list[Packing]:
        """The same members in groups of at most ``size``."""
        if size >= len(self.members):
            return [self]
        rows = torch.arange(len(self.members), device=self.members.device).split(size)
        parts = [(r, None if self.places is None else self.places[r], [part[r] for part in self.units]) for r in rows]
        return [replace(self, members=self.members[r], places=places, units=units) for r, places, units in parts]

    def unpack(self, packed: Tensor, into: Tensor) -> None:
        """Write packed values ``(M, P packed)`` to the rows of the members in ``into (N, P)``; what was left out becomes 0."""
        if self.places is None:
            into.index_copy_(0, self.members, packed)
            return
        into.index_copy_(0, self.members, into.new_zeros(len(packed), into.shape[1]).scatter_(1, self.places, packed))


def packings(population: Population, rates: Tensor | None = None) -> Iterator[Packing]:
    """The members, divided into groups that are trained together.

    A group has one learning rate, of ``rates (N,)``. Members are grouped by the live units of their widest hidden layer. A group too
    small for its saving to make up for its own calls joins the next larger size.
    """
    if len(population) * population.shape.size < FEW_PARAMETERS and (rates is None or len(set(rates.tolist())) == 1):
        members = torch.arange(len(population), device=population.values.device)
        yield Packing(members, population.shape, None, None, _as_they_are(population.shape, members))
        return
    alive = population.alive()
    levels = (-(-torch.stack([a.sum(dim=1) for a in alive]) // MULTIPLE) * MULTIPLE).amax(dim=0).cpu()
    rates = torch.zeros(len(population)) if rates is None else rates
    for rate in rates.unique():
        mine = rates == rate
        there, counts = (found.tolist() for found in levels[mine].unique(return_counts=True))
        least, waiting = 0, 0
        for level, larger, count in zip(there, [*there[1:], None], counts, strict=True):
            waiting += count
            if larger is None or _saving(population.shape, level, larger) * waiting >= STEP_COST:
                members = torch.nonzero(mine & (levels >= least) & (levels <= level)).flatten().to(population.values.device)
                yield _packing(population, members, [a.index_select(0, members) for a in alive])
                least, waiting = level + 1, 0


def _saving(shape: Shape, level: int, larger: int) -> float:
    """Microseconds that a step of one member saves when hidden layers are packed to ``level`` units instead of ``larger``."""

    def size(limit: int) -> int:
        widths = [shape.widths[0], *(min(w, limit) for w in shape.widths[1:-1]), shape.widths[-1]]
        return sum(n_in * n_out + n_out for n_in, n_out in pairwise(widths))

    return PARAMETER_COST * (size(larger) - size(level))


def _packing(population: Population, members: Tensor, alive: list[Tensor]) -> Packing:
    shape = population.shape
    inputs = _live_inputs(population, members)
    if inputs is None and all(bool(units.all()) for units in alive):
        return Packing(members, shape, None, None, _as_they_are(shape, members))
    first = torch.arange(shape.widths[0], device=members.device) if inputs is None else inputs
    slots = [first.expand(len(members), -1)]
    for units in alive:
        width = min(max(-(-int(units.sum(dim=1).max()) // MULTIPLE) * MULTIPLE, 1), units.shape[1])
        # Live units first, in their order, by a stable sort: the position of a unit does not depend on the other members of the group.
        slots.append(sorted_positions((~units).int() << 30, coarse=True)[:, :width].long())
    slots.append(torch.arange(shape.widths[-1], device=members.device).expand(len(members), -1))
    parts = []
    for layer, (width, start) in enumerate(zip(shape.widths, shape.starts[:-1], strict=False)):
        rows = slots[layer + 1]
        columns = torch.cat([slots[layer], rows.new_full((len(rows), 1), width)], dim=1)  # the last one holds the biases
        parts.append(((rows * (width + 1) + start).unsqueeze(2) + columns.unsqueeze(1)).flatten(1))
    packed = Shape(tuple(s.shape[1] for s in slots), shape.activations)
    return Packing(members, packed, inputs, torch.cat(parts, dim=1), slots[1:-1])


def _as_they_are(shape: Shape, members: Tensor) -> list[Tensor]:
    """The ``units`` of a packing that leaves nothing out."""
    return [torch.arange(width, device=members.device).expand(len(members), -1) for width in shape.widths[1:-1]]


def _live_inputs(population: Population, members: Tensor) -> Tensor | None:
    if population.shape.widths[0] < MANY_INPUTS:
        return None
    read = population.shape.weights(population.mask)[0][members].amax(dim=(0, 1)) > 0
    read[0] |= ~read.any()  # a layer has at least one input
    return None if bool(read.all()) else torch.nonzero(read).flatten()
