"""The history: the result of every attempt."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from .acceptance import CLOSE
from .chains import ChainName

__all__ = ["Attempt", "RoundRecord"]


class Attempt(NamedTuple):
    """One line of the history.

    ``asked`` is the fraction of hidden units (phase ``"units"``) or of edges (phase ``"edges"``) to keep. It is None in the phases
    ``"dense"`` and ``"retrain"``, which prune nothing. ``density`` is the fraction of edges that were left. ``seconds`` is the member's
    share of the time of the round.
    """

    chain: ChainName
    phase: str
    asked: float | None
    density: float
    accuracy: float
    accepted: bool
    seconds: float


@dataclass(frozen=True, eq=False)
class RoundRecord:
    """One training round of one phase: a column for each field of ``Attempt``.

    ``reserve`` was required on top of ``min_accuracy``; ``accepted`` is known where a test decided.
    """

    names: list[ChainName]
    phase: str
    asked: list[float] | None
    density: list[float]
    accuracy: list[float]
    seconds: float
    reserve: float = 0.0
    accepted: list[bool] | None = None

    def attempts(self, min_accuracy: float) -> Iterator[Attempt]:
        """The same, row by row."""
        asked = [None] * len(self.names) if self.asked is None else self.asked
        known = self.accepted or [accuracy >= min_accuracy + self.reserve - CLOSE for accuracy in self.accuracy]
        for name, left, density, accuracy, accepted in zip(self.names, asked, self.density, self.accuracy, known, strict=True):
            yield Attempt(name, self.phase, left, density, accuracy, accepted, self.seconds)
