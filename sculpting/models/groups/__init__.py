"""The units of any module: channels, neurons, residual dimensions and heads, found by running the exported model on their numbers."""

from .finding import units as units
from .unit_map import Block as Block
from .unit_map import Stage as Stage
from .unit_map import UnitLayer as UnitLayer
from .unit_map import UnitMap as UnitMap
from .unit_map import Use as Use
