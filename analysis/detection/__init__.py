"""Clusters within layers, modules across them: the published detector, its options and the baselines."""

from .baselines import BASELINES as BASELINES
from .baselines import detect_baseline as detect_baseline
from .modules import detect_modules as detect_modules
