"""Narrow networks: which hidden units a task needs, and small networks that do that task alone."""

from .ablation import ablation_scores as ablation_scores
from .attribution import attribution_scores as attribution_scores
from .correlation import ScoreCorrelation as ScoreCorrelation
from .correlation import score_correlation as score_correlation
from .distillation import distillation_loss as distillation_loss
from .distillation import distilled as distilled
from .lasso import Lasso as Lasso
from .learning import TrainingResult as TrainingResult
from .learning import learn as learn
from .modules import UnitScores as UnitScores
from .narrowing import narrow as narrow
from .prune import lowest as lowest
from .prune import prune_units as prune_units
from .results import Narrowed as Narrowed
from .results import NarrowResult as NarrowResult
from .settings import NarrowSettings as NarrowSettings
