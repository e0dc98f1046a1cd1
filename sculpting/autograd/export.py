"""Members as networks of their own."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

from numpy.typing import NDArray
from torch import Tensor

from ..models.sparse_module import SparseModule
from .population import ModulePopulation

__all__ = ["by_weights", "modules_of"]


def modules_of(members: ModulePopulation, facts: Sequence[dict[str, Any]]) -> list[SparseModule]:
    """Every member as a network; ``facts`` holds further attributes for each."""
    architecture = members.architecture
    found = []
    for row, known in enumerate(facts):
        state = {name: part[row].cpu().clone() for name, part in (*members.parameters.items(), *members.buffers.items())}
        masks = {name: part[row].cpu().clone() for name, part in architecture.views(members.mask).items()}
        found.append(SparseModule.of(architecture.module, architecture.units, state, masks, **known))
    return found


def by_weights(members: ModulePopulation, edges: Tensor) -> list[tuple[NDArray[Any], ...]]:
    """Numbers of edges ``(N, E)``, for every member as one array for each parameter that has edges, in the order of ``UnitMap.edges``."""
    shapes = [tuple(numbers.shape) for numbers in members.architecture.units.edges.values()]
    parts = edges.cpu().split([prod(shape) for shape in shapes], dim=1) if shapes else ()
    arrays = [part.numpy() for part in parts]
    return [tuple(part[row].reshape(shape) for part, shape in zip(arrays, shapes, strict=True)) for row in range(len(members))]
