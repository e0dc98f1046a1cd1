"""The engine for every module that is no chain of Linear layers: masked parameters, one call of the module for all members by ``vmap``."""

from .architecture import Architecture as Architecture
from .engine import AutogradEngine as AutogradEngine
from .fresh import fresh_members as fresh_members
from .population import ModulePopulation as ModulePopulation
from .rows import ModuleRows as ModuleRows
from .scores import MODULE_EDGE_SCORES as MODULE_EDGE_SCORES
from .scores import MODULE_UNIT_SCORES as MODULE_UNIT_SCORES
