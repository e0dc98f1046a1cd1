"""Narrow networks: which hidden units a task needs, and small networks that do that task alone."""

from .ablation import ablation_scores as ablation_scores
from .attribution import attribution_scores as attribution_scores
from .correlation import ScoreCorrelation as ScoreCorrelation
from .correlation import score_correlation as score_correlation
