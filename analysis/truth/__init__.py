"""Comparison with the ground truth: verdicts, valid decompositions, the gate of each module, and planted hierarchies."""

from .comparison import Comparison as Comparison
from .comparison import Grouping as Grouping
from .comparison import compare as compare
from .gates import FunctionMap as FunctionMap
from .gates import best_readout as best_readout
from .gates import function_map as function_map
from .planted import planted_hierarchy as planted_hierarchy
from .truth_table import TruthTable as TruthTable
from .validity import Boundary as Boundary
from .validity import Verdict as Verdict
from .validity import judge_decomposition as judge_decomposition
