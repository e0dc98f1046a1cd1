"""The sparse network as a weighted, directed, layered graph: the currency of this package."""

from .functions import ACTIVATIONS as ACTIVATIONS
from .functions import LOSSES as LOSSES
from .layered import LayeredGraph as LayeredGraph
from .layered import as_graph as as_graph
