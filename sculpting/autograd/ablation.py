"""Ablation: the loss when one unit, or one edge, is removed.

N = members, P = parameters of a member, U = units, E = edges, J = units or edges that are removed one at a time.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor
from torch.func import vmap

from ..mlp.ablation import WEAKEST
from ..mlp.memory import in_groups_that_fit
from ..models.touching import STATISTIC, edge_view
from .memory import copies_at_once
from .population import ModulePopulation
from .rows import ModuleRows
from .training import outputs

__all__ = ["edge_ablation", "unit_ablation"]

Removal = Callable[[Mapping[str, Tensor], Tensor], dict[str, Tensor]]


def unit_ablation(members: ModulePopulation, rows: ModuleRows, key: Tensor | None = None) -> Tensor:
    """Absolute change of the mean validation loss when one unit is removed: float64 ``(N, U)``, 0 for pruned units.

    A score function as in ``scores.py``; the key is not used.
    """
    units = members.architecture.units
    touched: dict[str, list[Tensor]] = {}
    for use in units.uses:
        if use.kind != STATISTIC:
            touched.setdefault(use.parameter, []).extend(ids.to(members.device) for ids in (use.source, use.target) if ids is not None)

    def without(values: Mapping[str, Tensor], unit: Tensor) -> dict[str, Tensor]:
        found = dict(values)
        for name in found.keys() & touched.keys():
            for ids in touched[name]:
                found[name] = found[name] * (ids != unit)
        return found

    alive = members.alive() & units.removable.to(members.device)
    numbers = torch.nonzero(alive.any(dim=0)).flatten()
    change = torch.zeros(len(members), len(units), dtype=torch.float64, device=members.device)
    whole = _mean_loss(outputs(members, rows.x_validation), rows)
    change[:, numbers] = (_losses(members, rows, numbers.expand(len(members), -1), without) - whole.unsqueeze(1)).abs()
    return change * alive


def edge_ablation(members: ModulePopulation, rows: ModuleRows, key: Tensor | None = None) -> Tensor:
    """The mean validation loss when one edge is removed: ``(N, E)``; the lowest is pruned first.

    Exact for the 64 live edges of least magnitude of each member, as in ``sculpting.mlp.ablation``. All others rank after these, by
    magnitude. Pruned edges score 0. A score function as in ``scores.py``; the key is not used.
    """
    edges = {name: numbers.to(members.device) for name, numbers in members.architecture.units.edges.items()}
    norms = [edge_view(members.parameters[name], numbers, torch.linalg.vector_norm) for name, numbers in edges.items()]
    size = torch.cat([norm.abs().flatten(1) for norm in norms], dim=1).double()
    alive = size > 0

    def without(values: Mapping[str, Tensor], edge: Tensor) -> dict[str, Tensor]:
        return {name: value * (edges[name] != edge) if name in edges else value for name, value in values.items()}

    places = size.masked_fill(~alive, torch.inf).argsort(dim=1, stable=True)[:, :WEAKEST]
    weak = torch.zeros_like(alive).scatter(1, places, True) & alive
    scores = size.scatter(1, places, _losses(members, rows, places, without))
    offset = torch.where(weak, scores, 0.0).amax(dim=1, keepdim=True)
    return torch.where(weak, scores, size + offset).masked_fill_(~alive, 0.0)


def _losses(members: ModulePopulation, rows: ModuleRows, items: Tensor, without: Removal) -> Tensor:
    """The mean loss ``(N, J)`` without one of the ``items (N, J)`` at a time: every copy is a member of its own."""
    found = torch.empty(items.shape, dtype=torch.float64, device=members.device)
    pairs = torch.cartesian_prod(*(torch.arange(size, device=members.device) for size in items.shape)).view(-1, 2)

    def losses(part: Tensor) -> Tensor:
        member, place = part.unbind(1)
        chosen = members.select(member)
        views = vmap(without)(chosen.parameters, items[member, place])
        values = torch.cat([view.flatten(1) for view in views.values()], dim=1)
        z = outputs(ModulePopulation(members.architecture, values, chosen.mask, chosen.buffers), rows.x_validation)
        return _mean_loss(z, rows)

    for part, found_here in in_groups_that_fit(losses, pairs.split(copies_at_once(members.architecture, rows))):
        member, place = part.unbind(1)
        found[member, place] = found_here
    return found


def _mean_loss(z: Tensor, rows: ModuleRows) -> Tensor:
    return rows.loss.mean(z.double().contiguous(), rows.y_validation.double())
