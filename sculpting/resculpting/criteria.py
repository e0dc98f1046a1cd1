"""How accurate each output must be on the new data, and which outputs are not.

K = parts of the metric: outputs, groups of outputs, or all classes as one. k = outputs. S = rows.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..frontier import scores_of
from ..metrics import metric_of
from ..models.network import SparseNetwork
from ..results import SculptResult
from ..schedule.acceptance import CLOSE, AcceptanceCriterion, PairedTest
from ..settings import ScheduleSettings
from ..tasks.task import Task

__all__ = ["EachPart", "criterion_of", "wrong_outputs"]


@dataclass
class EachPart(AcceptanceCriterion):
    """Every part of the metric must reach its own bar, on the validation rows and on the training rows.

    Attributes
    ----------
    bars : Tensor of shape (K,)
    """

    bars: Tensor = field(default_factory=lambda: torch.empty(0))

    def lower(self, figures: Tensor, fit: Tensor) -> None:
        """Lower the bars to what is possible, by the figures ``(K,)`` of the network before on the validation and the training rows.

        Parts that do not reach their bar must reach the lowest: their functions are other ones. The others will not change, so that what
        they reach on the training rows, too, is enough.
        """
        below, there = figures.cpu() < self.bars - CLOSE, torch.minimum(figures, fit).cpu().to(self.bars)
        self.bars = torch.where(below, self.bars.min(), torch.minimum(self.bars, there))
        self.min_accuracy = float(self.bars.mean())

    def accepts(self, accuracy: Tensor, phase: str, scores: Tensor | None = None, fit: Tensor | None = None) -> Tensor:
        """Whether members are accurate enough: bool ``(N,)``, from their ``scores (N, K, S)`` and figures ``fit (N, K)``."""
        if scores is None:
            return super().accepts(accuracy, phase)
        figures = scores.mean(dim=2) if fit is None else torch.minimum(scores.mean(dim=2), fit)
        return (figures >= self.bars.to(figures) - CLOSE).all(dim=1)


def criterion_of(
    task: Task, network: SparseNetwork, result: SculptResult | None, schedule: ScheduleSettings, min_accuracy: float | None
) -> EachPart:
    """The bars of a call: ``min_accuracy``, or 1 for a complete table, or what the network reached before, less the tolerance.

    Before means on the validation rows of the ``result``, output by output. Of a network without one only its ``accuracy`` is known.

    Raises
    ------
    ValueError
        When nothing of this is known.
    """
    metric = metric_of(task.metric, task.loss)
    test = PairedTest(schedule.confidence or 0.5, task.constant_scores(), task.row_share())
    parts = len(test.constant)
    if min_accuracy is not None or task.complete:
        bar = 1.0 if min_accuracy is None else float(min_accuracy)
        return EachPart(bar, test=test, bars=torch.full((parts,), bar, dtype=torch.float64))
    margin = AcceptanceCriterion(tolerance=schedule.tolerance, test=test).margin
    bars = torch.full((parts,), network.accuracy, dtype=torch.float64)
    if result is not None and result.task is not None:
        known = scores_of(result.network, result.task, metric, "validation").mean(dim=1)
        bars[: len(known)] = known.to(bars)
        bars[len(known) :] = known.mean()  # an output that was added must be as good as the others
    if math.isnan(float(bars.sum())):
        raise ValueError("how accurate the network was before is not known, since its accuracy is NaN. Give min_accuracy")
    return EachPart(float(bars.mean()) - margin, test=test, bars=bars - margin)


def wrong_outputs(figures: Tensor, bars: Tensor, outputs: int) -> NDArray[np.bool_]:
    """Which outputs belong to a part of the metric whose figure ``(K,)`` is below its bar: bool ``(k,)``.

    Examples
    --------
    >>> wrong_outputs(torch.tensor([1.0, 0.5]), torch.ones(2), 4).tolist()
    [False, False, True, True]
    """
    wrong: NDArray[np.bool_] = (figures.cpu() < bars.cpu() - CLOSE).numpy()
    if outputs % len(wrong):
        return np.full(outputs, bool(wrong.any()))
    return wrong.repeat(outputs // len(wrong))
