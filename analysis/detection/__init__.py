"""Module detection: clusters within layers, modules across layers, options of the published method, and baselines."""

from .baselines import BASELINES as BASELINES
from .baselines import detect_baseline as detect_baseline
from .modules import detect_modules as detect_modules
