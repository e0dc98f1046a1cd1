"""Positions of units and modules in a picture: layers from bottom to top, units of a module side by side, few crossings."""

from .ordering import crossings as crossings
from .placing import Layout as Layout
from .placing import Region as Region
from .placing import layered_layout as layered_layout
