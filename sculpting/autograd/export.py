"""Members as networks of their own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..models.sparse_module import SparseModule
from .population import ModulePopulation

__all__ = ["modules_of"]


def modules_of(members: ModulePopulation, facts: Sequence[dict[str, Any]]) -> list[SparseModule]:
    """Every member as a network; ``facts`` holds further attributes for each."""
    architecture = members.architecture
    found = []
    for row, known in enumerate(facts):
        state = {name: part[row].cpu().clone() for name, part in (*members.parameters.items(), *members.buffers.items())}
        masks = {name: part[row].cpu().clone() for name, part in architecture.views(members.mask).items()}
        found.append(SparseModule.of(architecture.module, architecture.units, state, masks, **known))
    return found
