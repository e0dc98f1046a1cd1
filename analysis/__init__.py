"""Modules and hierarchy of sparse networks: detection, consensus, comparison with the truth, evidence and pictures."""

from typing import TYPE_CHECKING

from .consensus import consensus as consensus
from .detection import BASELINES as BASELINES
from .detection import detect_baseline as detect_baseline
from .detection import detect_modules as detect_modules
from .drawing import draw as draw
from .evidence import Changes as Changes
from .evidence import Importance as Importance
from .evidence import Lesions as Lesions
from .evidence import ModuleChange as ModuleChange
from .evidence import Rate as Rate
from .evidence import Significance as Significance
from .evidence import Stability as Stability
from .evidence import bit_shares as bit_shares
from .evidence import changes as changes
from .evidence import importance as importance
from .evidence import keep_modules as keep_modules
from .evidence import lesions as lesions
from .evidence import rewired as rewired
from .evidence import shuffled as shuffled
from .evidence import significance as significance
from .evidence import stability as stability
from .figures import score_scatter as score_scatter
from .figures import series_panels as series_panels
from .figures import success_bars as success_bars
from .figures import success_lines as success_lines
from .figures import success_map as success_map
from .graph import Block as Block
from .graph import Layer as Layer
from .graph import LayeredGraph as LayeredGraph
from .graph import UnitGraph as UnitGraph
from .graph import carrying_units as carrying_units
from .graph import needed_levels as needed_levels
from .graph import path_products as path_products
from .graph import path_separation as path_separation
from .hierarchy import VIEWS
from .hierarchy import Hierarchy as Hierarchy
from .hierarchy import Module as Module
from .report import Candidate as Candidate
from .report import report_card, report_frame, report_svg
from .report import report_html as report_html
from .report import report_text as report_text
from .report import write_report as write_report
from .truth import Boundary as Boundary
from .truth import Comparison as Comparison
from .truth import FunctionMap as FunctionMap
from .truth import TruthTable as TruthTable
from .truth import compare as compare
from .truth import function_map as function_map
from .truth import planted_hierarchy as planted_hierarchy

if TYPE_CHECKING:
    from .detection.detector import ModuleDetector as ModuleDetector
else:

    def __getattr__(name: str) -> object:
        """The estimator, when it is first asked for: scikit-learn takes a second, which few callers need."""
        if name != "ModuleDetector":
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        from .detection.detector import ModuleDetector

        globals()[name] = ModuleDetector
        return ModuleDetector

    def __dir__() -> list[str]:
        return sorted({*globals(), "ModuleDetector"})


VIEWS.update(draw=draw, text=report_text, page=report_html, report=write_report, frame=report_frame, card=report_card, svg=report_svg)
