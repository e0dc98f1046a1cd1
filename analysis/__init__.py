"""Modules and hierarchy of sparse networks: find, agree, compare, draw."""

from .comparison import Comparison as Comparison
from .comparison import compare as compare
from .consensus import consensus as consensus
from .detection import detect_modules as detect_modules
from .drawing import draw as draw
from .graph import LayeredGraph as LayeredGraph
from .hierarchy import Hierarchy as Hierarchy
from .hierarchy import Module as Module
from .report import report_html as report_html
from .report import report_text as report_text
from .report import write_report as write_report
