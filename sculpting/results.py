"""What ``sculpt`` returns."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from functools import cached_property

from .models.network import SparseNetwork
from .schedule.history import Attempt, RoundRecord

__all__ = ["SculptResult", "StopReason"]


class StopReason(Enum):
    """Why sculpting ended; the value says it in a sentence."""

    FINEST_STEP = "Every chain ended where removing one more edge lost the accuracy, or would have left none."
    UNITS_ONLY = "Every chain ended where removing one more unit lost the accuracy, or would have left none; no edge steps were asked for."
    NOTHING_ACCEPTED = (
        "No network reached the accuracy that was asked for, dense or pruned: give more steps a round, a wider model or more seeds, "
        "or lower min_accuracy."
    )
    NOTHING_LEARNT = (
        "No dense network beat the best constant prediction, so nothing was pruned: put all inputs on one scale, change learning_rate, "
        "steps or the model (with initial='model', train it first), or say by min_accuracy what is enough."
    )


@dataclass(frozen=True, eq=False)
class SculptResult:
    """What sculpting found.

    Attributes
    ----------
    candidates : tuple of SparseNetwork
        The last accepted network of every chain that has one, from the sparsest on.
    dense : tuple of SparseNetwork
        The trained networks that pruning started from, one for each model, learning rate and seed, whether accurate enough or not.
    rounds : tuple of RoundRecord
        Every training round in columns; ``history`` has them row by row.
    min_accuracy : float
        What a network had to reach to be accepted.
    stop_reason : StopReason
    seeds : tuple of int
    """

    candidates: tuple[SparseNetwork, ...]
    dense: tuple[SparseNetwork, ...] = field(repr=False)
    rounds: tuple[RoundRecord, ...] = field(repr=False)
    min_accuracy: float
    stop_reason: StopReason
    seeds: tuple[int, ...]

    @cached_property
    def history(self) -> tuple[Attempt, ...]:
        """Every attempt: chain, phase, density asked, density, accuracy, accepted, seconds."""
        return tuple(attempt for part in self.rounds for attempt in part.attempts(self.min_accuracy))

    @property
    def network(self) -> SparseNetwork | None:
        """The sparsest accepted candidate: the published rule. None when nothing was accepted; ``stop_reason`` says so."""
        return self.candidates[0] if self.candidates else None

    @property
    def accuracy(self) -> float:
        """Of the sparsest candidate; without one, the best that was reached."""
        return self.candidates[0].accuracy if self.candidates else max(max(part.accuracy) for part in self.rounds)

    @property
    def density(self) -> float:
        """Edges left in the sparsest candidate as a fraction of all, in [0, 1]; 1 without one."""
        return self.candidates[0].density if self.candidates else 1.0

    def __str__(self) -> str:
        rounds, accepted = len(self.history), sum(a.accepted for a in self.history)
        lines = [f"{len(self.candidates)} candidates from {len(self.seeds)} seeds, {rounds} rounds of which {accepted} were accepted"]
        if self.candidates:
            first = self.candidates[0]
            units = "-".join(map(str, first.unit_counts))
            lines += [
                f"sparsest   {first.edge_count} edges, density {first.density:.4f}, units {units} of {'-'.join(map(str, first.widths))}",
                f"accuracy   {first.accuracy:.4f} (accepted from {self.min_accuracy:.4f})",
            ]
        else:
            lines.append(f"accuracy   {self.accuracy:.4f} at best (accepted from {self.min_accuracy:.4f})")
        return "\n".join([*lines, self.stop_reason.value])
