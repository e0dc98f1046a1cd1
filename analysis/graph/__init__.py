"""Networks as weighted, directed graphs of units: reading, conversion, evaluation and path weights."""

from .blocks import Block as Block
from .blocks import Layer as Layer
from .files import read_graph_file as read_graph_file
from .functions import ACTIVATIONS as ACTIVATIONS
from .functions import LOSSES as LOSSES
from .layered import LayeredGraph as LayeredGraph
from .levels import needed_levels as needed_levels
from .path_weights import PathSeparation as PathSeparation
from .path_weights import carrying_units as carrying_units
from .path_weights import path_products as path_products
from .path_weights import path_separation as path_separation
from .reading import AnyGraph as AnyGraph
from .reading import as_graph as as_graph
from .reading import chain_of as chain_of
from .reading import network_of as network_of
from .reading import several_networks as several_networks
from .unit_graph import UnitGraph as UnitGraph
from .wiring import Wiring as Wiring
