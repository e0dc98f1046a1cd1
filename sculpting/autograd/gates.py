"""The slope of the loss of each row by a gate on each unit.

N = members, S = rows, P = parameters of a member, U = units, k = outputs. A gate multiplies every element of a parameter that reads its
unit; at 1 it changes nothing. Units that no parameter reads, such as the query-key dimensions of attention, have gates on the elements that
write them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor
from torch.func import vjp, vmap

from ..models.groups import UnitMap
from ..models.groups.unit_map import NONE
from ..models.touching import STATISTIC, readers
from .population import ModulePopulation
from .rows import ModuleRows

__all__ = ["gate_slopes", "gated"]

BYTES = 1 << 25  # of slopes at once: each row of each member has those of all parameters


def gate_slopes(members: ModulePopulation, rows: ModuleRows) -> Tensor:
    """The mean over the validation rows of |dLoss/dgate|, with the loss of each row: ``(N, U)``, in eval mode.

    A weight that is tied between two places is gated in both.
    """
    architecture, units = members.architecture, members.architecture.units
    architecture.module.eval()
    places, shares = gated(units, members.device)
    x, y = rows.x_validation, rows.y_validation.t()

    def slopes(values: Mapping[str, Tensor], buffers: Mapping[str, Tensor], row: tuple[Tensor, ...], target: Tensor) -> Tensor:
        """dLoss/dgate ``(U,)`` of one row of one member."""

        def answer(gate: Tensor) -> Tensor:
            padded = torch.cat([gate, gate.new_ones(1)])  # NONE, -1, is the last
            through = dict(values)
            for name, numbers in places.items():
                for each in numbers:
                    through[name] = through[name] * padded[each]
            return architecture.call(through, buffers, tuple(part.unsqueeze(0) for part in row))[0].squeeze(0)

        found: Any = vjp(answer, members.values.new_ones(len(units)))
        z, pull = found
        slope = rows.loss.slope(z.view(1, -1, 1), target.view(-1, 1)) / rows.loss.divisor(target.numel())
        of_gates: Tensor = pull(slope.view(z.shape))[0]
        return of_gates

    each_row = vmap(slopes, in_dims=(None, None, 0, 0))
    each_member = vmap(each_row, in_dims=(0, 0, None, None))
    count = max(1, BYTES // (4 * architecture.size + architecture.bytes_per_row))
    found = []
    with torch.inference_mode(False), torch.enable_grad():
        for part in torch.arange(len(members)).split(max(1, count // len(y))):
            chosen = members.select(part.to(members.device))
            values, buffers = ({name: each.clone() for name, each in parts.items()} for parts in (chosen.parameters, chosen.buffers))
            blocks = [tuple(each.clone() for each in block) for block in zip(*(each.split(count) for each in (*x, y)), strict=True)]
            sums = [each_member(values, buffers, block[:-1], block[-1]).detach().abs().sum(dim=1) for block in blocks]
            found.append(torch.stack(sums).sum(dim=0) / len(y))
    return torch.cat(found) / shares


def gated(units: UnitMap, device: torch.device) -> tuple[dict[str, list[Tensor]], Tensor]:
    """The units by whose gates the elements of each parameter are multiplied, and by how many each slope is divided.

    A query-key dimension is a product of two units: a gate on what writes both counts twice.
    """
    places = {name: [each.to(device) for each in numbers] for name, numbers in readers(units).items()}
    read = torch.zeros(len(units) + 1, dtype=torch.bool, device=device)
    for numbers in places.values():
        for each in numbers:
            read[each.flatten()] = True
    shares = torch.ones(len(units), device=device)
    for layer in units.layers:
        if layer.kind == "query-key":
            unread = torch.tensor(layer.units, device=device)
            shares[unread] = torch.where(read[unread], 1.0, 2.0)
    for use in units.uses:
        if use.target is None or use.kind == STATISTIC:
            continue
        target = use.target.to(device)
        unread = torch.where((target != NONE) & ~read[target], target, NONE)
        known = places.setdefault(use.parameter, [])
        if bool((unread != NONE).any()) and not any(torch.equal(unread, each) for each in known):
            known.append(unread)
    return places, shares
