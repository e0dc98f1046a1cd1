"""Scores of units and edges, the importance that pruning ranks: one function and one entry a score.

N = members, S = rows, U = units, E = edges. Every score is a function of ``(members, rows, key)``. Only the random scores use
``key (N, 2)``, the keys of the round. A new score is one function and one entry in its dict.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from ..models.touching import WRITING, edge_view, touched_units
from ..randomness import fold, uniforms
from .ablation import edge_ablation, unit_ablation
from .gates import gate_slopes
from .population import ModulePopulation
from .rows import ModuleRows
from .training import gradient

__all__ = ["MODULE_EDGE_SCORES", "MODULE_UNIT_SCORES", "ModuleScore", "unit_first_order", "unit_random", "unit_sensitivity"]

ModuleScore = Callable[[ModulePopulation, ModuleRows, Tensor], Tensor]


def unit_sensitivity(members: ModulePopulation, rows: ModuleRows, key: Tensor) -> Tensor:
    """First-order loss sensitivity ``(N, U)``: the mean over rows of |dLoss/dgate|, with the loss of each row.

    A gate multiplies all that reads the unit, see ``gates``. For the units of a chain this is |activation x dLoss/dactivation|, as in
    ``sculpting.mlp.scores``.
    """
    return gate_slopes(members, rows)


def unit_first_order(members: ModulePopulation, rows: ModuleRows, key: Tensor | None = None) -> Tensor:
    """First-order attribution ``(N, U)``, float64: |sum over the group of dLoss/dw (-w)|, with the mean loss; 0 for fixed units.

    An element counts once for each unit that it reads or writes, also where it is used twice.
    """
    architecture = members.architecture
    elements = architecture.views(gradient(members, rows).double() * members.values)
    found = torch.zeros(len(members), len(architecture.units), dtype=torch.float64, device=members.device)
    for layer in architecture.groups:
        found[:, layer.units.to(members.device)] = layer.sums(elements).abs()
    return found


def unit_weight_sum(members: ModulePopulation, rows: ModuleRows, key: Tensor) -> Tensor:
    """The sum of |weights| that write or read a unit, without biases and scales: ``(N, U)``."""
    sizes = {name: part.abs() for name, part in members.parameters.items()}
    return touched_units(members.architecture.units, sizes, lambda use: use.kind in WRITING)


def unit_random(members: ModulePopulation, rows: ModuleRows, key: Tensor) -> Tensor:
    """Uniform random numbers ``(N, U)``: the chance baseline."""
    return uniforms(fold(key, -1), len(members.architecture.units))


def edge_magnitude(members: ModulePopulation, rows: ModuleRows, key: Tensor) -> Tensor:
    """|weight|, or the L2 norm of the elements of an edge that has several: ``(N, E)``."""
    return _of_edges(members, members.parameters, torch.linalg.vector_norm)


def edge_sensitivity(members: ModulePopulation, rows: ModuleRows, key: Tensor) -> Tensor:
    """First-order loss sensitivity |sum over the elements of weight x dLoss/dweight|: ``(N, E)``."""
    return _of_edges(members, members.architecture.views(gradient(members, rows) * members.values), torch.sum)


def edge_random(members: ModulePopulation, rows: ModuleRows, key: Tensor) -> Tensor:
    """Uniform random numbers ``(N, E)``: the chance baseline."""
    return uniforms(fold(key, -2), members.architecture.units.edge_count)


def _of_edges(members: ModulePopulation, elements: dict[str, Tensor], reduce: Callable[..., Tensor]) -> Tensor:
    parts = [edge_view(elements[name], numbers, reduce).abs().flatten(1) for name, numbers in members.architecture.units.edges.items()]
    return torch.cat(parts, dim=1)


MODULE_UNIT_SCORES: dict[str, ModuleScore] = {
    "loss_sensitivity": unit_sensitivity,
    "ablation": unit_ablation,
    "weight_sum": unit_weight_sum,
    "random": unit_random,
}

MODULE_EDGE_SCORES: dict[str, ModuleScore] = {
    "magnitude": edge_magnitude,
    "ablation": edge_ablation,
    "loss_sensitivity": edge_sensitivity,
    "random": edge_random,
}
