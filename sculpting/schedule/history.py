"""The history: the result of every attempt."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from .acceptance import CLOSE
from .chains import ChainName

__all__ = ["Attempt", "RoundEvent", "RoundRecord"]


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

    ``reserve`` was required on top of ``min_accuracy``; ``accepted`` is known where a test decided. ``number`` counts training rounds, of
    which one has a record for each phase of its chains; it is 0 in checkpoints of before.
    """

    names: list[ChainName]
    phase: str
    asked: list[float] | None
    density: list[float]
    accuracy: list[float]
    seconds: float
    reserve: float = 0.0
    accepted: list[bool] | None = None
    number: int = 0

    def attempts(self, min_accuracy: float) -> Iterator[Attempt]:
        """The same, row by row."""
        asked = [None] * len(self.names) if self.asked is None else self.asked
        known = self.accepted or [accuracy >= min_accuracy + self.reserve - CLOSE for accuracy in self.accuracy]
        for name, left, density, accuracy, accepted in zip(self.names, asked, self.density, self.accuracy, known, strict=True):
            yield Attempt(name, self.phase, left, density, accuracy, accepted, self.seconds)


@dataclass(frozen=True)
class RoundEvent:
    """What ``callback`` of ``sculpt`` is called with after every training round.

    Attributes
    ----------
    number : int
        Of the round, from 1. A run that goes on from a checkpoint goes on with its numbers.
    attempts : tuple of Attempt
        One for each network that was trained in the round. While the dense networks are trained that will set the accuracy asked for,
        their attempts count as accepted.
    ended, chains : int
        Chains of attempts that have ended, and all there are.

    Examples
    --------
    >>> attempt = Attempt(ChainName(0), "dense", None, 1.0, 0.75, False, 0.1)
    >>> event = RoundEvent(1, (attempt,), 0, 4)
    >>> event.number, sum(each.accepted for each in event.attempts), f"{event.ended} of {event.chains} chains"
    (1, 0, '0 of 4 chains')
    """

    number: int
    attempts: tuple[Attempt, ...]
    ended: int
    chains: int
