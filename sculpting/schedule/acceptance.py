"""The acceptance criterion: the accuracy that a network must reach."""

from __future__ import annotations

import math
from dataclasses import dataclass

from torch import Tensor

__all__ = ["CLOSE", "AcceptanceCriterion"]

CLOSE = 1e-9  # rounding: accuracies are ratios of counts, numbers of removed items sums of halved steps


@dataclass
class AcceptanceCriterion:
    """The accuracy that a network must reach to be accepted.

    Attributes
    ----------
    min_accuracy : float
        Minus infinity while it is not known; the dense networks then set it.
    tolerance : float
        How far below the best dense network they set it.
    constant : float
        Accuracy of the best constant prediction. Networks must beat it.
    reserve : float
        How far above ``min_accuracy`` networks must stay while units are pruned, so that edge pruning has some accuracy left to lose.
    """

    min_accuracy: float = -math.inf
    tolerance: float = 0.0
    constant: float = 0.0
    reserve: float = 0.0

    @property
    def known(self) -> bool:
        """Whether ``min_accuracy`` is known."""
        return self.min_accuracy > -math.inf

    def reserve_in(self, phase: str) -> float:
        """The reserve of a phase."""
        return self.reserve if phase == "units" else 0.0

    def accepts(self, accuracy: Tensor, phase: str) -> Tensor:
        """Whether members are accurate enough: bool ``(N,)``."""
        return accuracy >= self.min_accuracy + self.reserve_in(phase) - CLOSE

    def follow(self, dense: Tensor) -> bool:
        """Set ``min_accuracy`` to the best of the dense accuracies ``(N,)`` less the tolerance, but above the best constant prediction.

        Returns whether any dense network beats the best constant prediction.
        """
        best = float(dense.nan_to_num(nan=-math.inf).max())
        self.min_accuracy = max(best - self.tolerance, self.constant + 2 * CLOSE)
        return best > self.constant + CLOSE
