"""Which engine takes some members, as ``narrow`` asks for it."""

from __future__ import annotations

from typing import Any

from ..autograd import ModulePopulation
from ..mlp.population import Population
from .chains import ChainEngine
from .modules import ModuleEngine
from .protocol import NarrowEngine

__all__ = ["engine_of"]

ENGINES: dict[type, NarrowEngine] = {Population: ChainEngine(), ModulePopulation: ModuleEngine()}


def engine_of(members: Any) -> NarrowEngine:
    """The engine of a ``Population`` of chains or of a ``ModulePopulation``."""
    return ENGINES[type(members)]
