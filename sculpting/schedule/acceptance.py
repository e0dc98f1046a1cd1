"""The acceptance criterion: the accuracy that a network must reach, or the test that it must pass.

N = networks, K = parts of a metric that are judged one by one, S = validation rows.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist

import torch
from torch import Tensor

__all__ = ["CLOSE", "AcceptanceCriterion", "PairedTest"]

CLOSE = 1e-9  # rounding: accuracies are ratios of counts, numbers of removed items sums of halved steps
ROWS = 2  # rows that networks may lose in any case: with one lost, the bound of the test lies below it by less than another
LEARNT = 0.05  # level of the test that a dense network beats the best constant prediction, divided by the number of networks tried


@dataclass
class PairedTest:
    """Networks are compared with others on the same validation rows, so that a row that is hard for all decides nothing.

    Attributes
    ----------
    confidence : float
        Of the one-sided test, in [0.5, 1).
    constant : Tensor of shape (K, S)
        What each row adds to the figure of the best constant prediction.
    row_share : float
        The largest share that one row can have in the figure. The tolerance is at least twice this, so that no single row decides.
    reference : Tensor of shape (K, S), optional
        The mean of the same over the dense networks, once these are known.
    fit : Tensor of shape (K,), optional
        Their mean figures of the validation rows, or those of the training rows where these are lower.
    """

    confidence: float
    constant: Tensor
    row_share: float = 0.0
    reference: Tensor | None = None
    fit: Tensor | None = None

    def follow(self, scores: Tensor, fit: Tensor | None = None) -> None:
        """Compare with the mean of these networks from now on; ``fit (N, K)`` are their figures of the training rows."""
        self.reference = scores.mean(dim=0)
        level = self.reference.mean(dim=1)
        self.fit = level if fit is None else torch.minimum(level, fit.mean(dim=0))

    def bound(self, scores: Tensor) -> Tensor:
        """The lower bound of the mean over the rows, of the worst part: ``(N,)``. ``scores (N, K, S)`` are figures or differences."""
        rows = scores.shape[2]
        error = scores.std(dim=2) / math.sqrt(rows) if rows > 1 else torch.zeros_like(scores[:, :, 0])
        return (scores.mean(dim=2) - NormalDist().inv_cdf(self.confidence) * error).amin(dim=1)

    def learnt(self, scores: Tensor, tried: int) -> Tensor:
        """Which networks beat the best constant prediction: a one-sided paired t-test at 0.05 over the number of networks tried, ``(N,)``.

        Scores of all rows together, S = 1, cannot be tested and need only be higher.
        """
        gain = (scores - self.constant).mean(dim=1)
        mean, rows = gain.mean(dim=1), gain.shape[1]
        if rows < 2:
            return mean > CLOSE
        from scipy.stats import t

        least = float(t.isf(LEARNT / max(1, tried), rows - 1))
        return (mean > CLOSE) & (mean >= least * gain.std(dim=1) / math.sqrt(rows))


@dataclass
class AcceptanceCriterion:
    """The accuracy that a network must reach to be accepted, or the test that it must pass.

    Without a ``test`` the accuracy must be at least ``min_accuracy``. With one, the networks are compared on the validation rows: every
    output must be, at the confidence of the test, less than ``tolerance`` below the mean of the dense networks. Where ``min_accuracy``
    was given, every output must reach it on the validation rows and on the training rows.

    Attributes
    ----------
    min_accuracy : float
        Minus infinity while it is not known; the dense networks then set it.
    tolerance : float
        How far below the best dense network, or with a test below their mean, they set it at least.
    constant : float
        Accuracy of the best constant prediction. Networks must beat it.
    reserve : float
        How far above ``min_accuracy`` networks must stay while units are pruned, so that edge pruning has some accuracy left to lose.
    test : PairedTest, optional
    """

    min_accuracy: float = -math.inf
    tolerance: float = 0.0
    constant: float = 0.0
    reserve: float = 0.0
    test: PairedTest | None = None

    @property
    def known(self) -> bool:
        """Whether ``min_accuracy`` is known."""
        return self.min_accuracy > -math.inf

    @property
    def margin(self) -> float:
        """How far below the dense networks a network may be: the tolerance, and with a test the rows that may always be lost."""
        return self.tolerance if self.test is None else max(self.tolerance, ROWS * self.test.row_share)

    def reserve_in(self, phase: str) -> float:
        """The reserve of a phase."""
        return self.reserve if phase == "units" else 0.0

    def accepts(self, accuracy: Tensor, phase: str, scores: Tensor | None = None, fit: Tensor | None = None) -> Tensor:
        """Whether members are accurate enough: bool ``(N,)``.

        A test needs their ``scores (N, K, S)`` of the validation rows, and looks at their figures ``fit (N, K)`` of the training rows: a
        network that has these less right than the validation rows should be was lucky.
        """
        if self.test is None or scores is None or not self.known:
            return accuracy >= self.min_accuracy + self.reserve_in(phase) - CLOSE
        if self.test.reference is None:
            figures = scores.mean(dim=2) if fit is None else torch.minimum(scores.mean(dim=2), fit)
            return (figures >= self.min_accuracy - CLOSE).all(dim=1)
        learnt = (scores - self.test.constant).mean(dim=(1, 2)) > CLOSE
        if fit is not None and self.test.fit is not None:
            learnt &= (fit >= self.test.fit - max(self.tolerance, self.test.row_share) - CLOSE).all(dim=1)
        return (self.test.bound(scores - self.test.reference) >= self.reserve_in(phase) - self.margin - CLOSE) & learnt

    def follow(self, dense: Tensor, scores: Tensor | None = None, fit: Tensor | None = None, tried: int = 1) -> bool:
        """Set ``min_accuracy`` by the dense accuracies ``(N,)``, less the tolerance, but above the best constant prediction.

        Without a test the best of them counts. With one, it is the mean of those that beat the best constant prediction significantly,
        among all the networks that were ``tried``. Returns whether any dense network beats the best constant prediction.
        """
        finite = dense.nan_to_num(nan=-math.inf)
        best = float(finite.max())
        learnt = best > self.constant + CLOSE
        if self.test is not None and scores is not None:
            rows = torch.nonzero(self.test.learnt(scores, tried) & (finite > -math.inf).to(scores.device)).flatten()
            learnt = bool(len(rows))
            if learnt:
                self.test.follow(scores[rows], None if fit is None else fit[rows])
                best = float(scores[rows].mean())
        self.min_accuracy = max(best - self.margin if learnt else best + 2 * CLOSE, self.constant + 2 * CLOSE)
        return learnt
