"""The user's model, read as a chain of layers, and the sparse networks that are returned."""

from .chain import Chain as Chain
from .chain import read_model as read_model
from .network import SparseNetwork as SparseNetwork
from .shape import Shape as Shape
