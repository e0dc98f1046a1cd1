"""Modules and hierarchy of sparse networks: find, compare, draw."""

from .graph import LayeredGraph as LayeredGraph
from .hierarchy import Hierarchy as Hierarchy
from .hierarchy import Module as Module
