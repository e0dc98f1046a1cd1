"""Modules and hierarchy of sparse networks: find, agree, compare, doubt, draw."""

from .comparison import Comparison as Comparison
from .comparison import compare as compare
from .consensus import consensus as consensus
from .detection import detect_modules as detect_modules
from .drawing import draw as draw
from .evidence import Lesions as Lesions
from .evidence import Significance as Significance
from .evidence import Stability as Stability
from .evidence import lesions as lesions
from .evidence import rewired as rewired
from .evidence import shuffled as shuffled
from .evidence import significance as significance
from .evidence import stability as stability
from .function import FunctionMap as FunctionMap
from .function import function_map as function_map
from .graph import LayeredGraph as LayeredGraph
from .hierarchy import Hierarchy as Hierarchy
from .hierarchy import Module as Module
from .paths import carrying_units as carrying_units
from .paths import path_products as path_products
from .paths import path_separation as path_separation
from .report import report_html as report_html
from .report import report_text as report_text
from .report import write_report as write_report
from .truth_table import TruthTable as TruthTable
from .validity import Boundary as Boundary
