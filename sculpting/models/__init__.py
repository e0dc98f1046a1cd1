"""Models as they are read, and sparse networks as they are returned."""

from .chain import Chain as Chain
from .chain import read_model as read_model
from .network import SparseNetwork as SparseNetwork
from .shape import Shape as Shape
