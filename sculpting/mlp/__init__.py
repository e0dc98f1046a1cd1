"""The engine for chains of Linear layers: members in one batch, a hand-written backward pass, bit-identical between versions."""

from .batched_mlp import BatchedMLP as BatchedMLP
from .engine import MLPEngine as MLPEngine
from .export import network_of as network_of
from .export import networks_of as networks_of
from .population import Population as Population
from .scores import EDGE_SCORES as EDGE_SCORES
from .scores import UNIT_SCORES as UNIT_SCORES
from .training import Hooks as Hooks
from .training import evaluate as evaluate
from .training import train as train
