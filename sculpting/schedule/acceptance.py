"""Which networks are accepted."""

from __future__ import annotations

import math
from dataclasses import dataclass

from torch import Tensor

__all__ = ["CLOSE", "AcceptanceCriterion"]

CLOSE = 1e-9  # accuracies are ratios of counts, asked numbers sums of halved steps


@dataclass
class AcceptanceCriterion:
    """The accuracy that a network must reach to be accepted.

    Attributes
    ----------
    min_accuracy : float
        Minus infinity until it is known: then the dense networks set it.
    tolerance : float
        How far below the best dense network it is then.
    constant : float
        What the best constant prediction reaches; networks must do better.
    reserve : float
        How far above it networks must stay while units are pruned, so that something is left to lose for the edges.
    """

    min_accuracy: float = -math.inf
    tolerance: float = 0.0
    constant: float = 0.0
    reserve: float = 0.0

    @property
    def known(self) -> bool:
        """Whether it is known what accuracy is needed."""
        return self.min_accuracy > -math.inf

    def reserve_in(self, phase: str) -> float:
        """The reserve of a phase."""
        return self.reserve if phase == "units" else 0.0

    def accepts(self, accuracy: Tensor, phase: str) -> Tensor:
        """Whether members are accurate enough: bool ``(N,)``."""
        return accuracy >= self.min_accuracy + self.reserve_in(phase) - CLOSE

    def follow(self, dense: Tensor) -> bool:
        """Ask for the best of the dense accuracies ``(N,)``, less the tolerance, and for more than a constant prediction reaches.

        Returns whether any dense network has that.
        """
        best = float(dense.nan_to_num(nan=-math.inf).max())
        self.min_accuracy = max(best - self.tolerance, self.constant + 2 * CLOSE)
        return best > self.constant + CLOSE
