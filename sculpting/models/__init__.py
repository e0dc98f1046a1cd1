"""The user's model, read as a chain of layers or as the units of any module, and the sparse networks that are returned."""

from .chain import Chain as Chain
from .chain import read_model as read_model
from .groups import UnitMap as UnitMap
from .groups import units as units
from .network import SparseNetwork as SparseNetwork
from .shape import Shape as Shape
