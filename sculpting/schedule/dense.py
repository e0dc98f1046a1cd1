"""Dense networks: trained until they are accurate enough, with a second start where they are not, or for as long as they gain.

N = members.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Generic

import torch
from torch import Tensor

from ..engine import Evaluation, M
from .chains import ChainName, ChainState, Proposal
from .rounds import Rounds

__all__ = ["DenseTraining", "dense_networks"]

PATIENCE = 3  # rounds without a gain
STAGES = (0.0, 0.5, 1.0)  # of a second start: fractions of the usual noise
STAGE_ROUNDS = 2  # rounds of a stage at most, as a multiple of those of the first start


@dataclass(eq=False)
class DenseTraining(Generic[M]):
    """Dense networks in training, round by round. All that changes between rounds is in attributes that a checkpoint can hold.

    Attributes
    ----------
    rounds : Rounds
    first : Proposal
        The networks before training.
    most : int
        Rounds of the first start at most.
    restart : bool
        Whether those that are not accepted have a second start.
    state : ChainState or None
        The networks now; None before the first round.
    stage, number : int
        The stage of the second start, 0 for the first start, and the rounds that were made in it.
    going, below : ChainState and Tensor, or None
        Those that have a second start, and their positions in ``state``.
    best, top, misses : ChainState, Evaluation and Tensor, or None
        Where ``min_accuracy`` is not known: the networks at their best round, their evaluation, and the rounds since, ``(N,)``.
    """

    rounds: Rounds[M]
    first: Proposal[M]
    most: int
    restart: bool
    state: ChainState[M] | None = None
    stage: int = 0
    number: int = 0
    going: ChainState[M] | None = None
    below: Tensor | None = None
    best: ChainState[M] | None = None
    top: Evaluation | None = None
    misses: Tensor | None = None

    @property
    def networks(self) -> ChainState[M]:
        """What training has given."""
        found = self.state if self.best is None else self.best
        assert found is not None
        return found

    @property
    def stages(self) -> tuple[float, ...]:
        """The noise of each stage of the second start."""
        return STAGES if self.rounds.noisy else STAGES[-1:]

    def advance(self) -> bool:
        """Train one round; False where there is none left to train."""
        if self.state is None:
            self._start(self.rounds.attempt([self.first])[0], 1)
            return True
        if self.best is not None:
            return self._while_it_gains(self.state, self.best)
        return self._first_start(self.state) if self.stage == 0 else self._second_start(self.state)

    def take(self) -> bool:
        """Take the networks as they are, as a round without training; False where they were taken."""
        if self.state is not None:
            return False
        self._start(self.rounds.given(self.first), 0)
        return True

    def _start(self, state: ChainState[M], number: int) -> None:
        self.state, self.number = state, number
        if not self.rounds.criterion.known:
            self.best, self.top = state, self.rounds.engine.evaluate(state.members)
            self.misses = torch.zeros(len(state), dtype=torch.int64)

    def _while_it_gains(self, state: ChainState[M], best: ChainState[M]) -> bool:
        assert self.misses is not None
        assert self.top is not None
        going = torch.nonzero(self.misses < PATIENCE).flatten()
        if self.number >= self.most or not len(going):
            return False
        state = state.replaced(going, self._further(state.select(going), self.number))
        evaluation = self.rounds.engine.evaluate(state.members)
        better = evaluation.better_than(self.top)
        gained = torch.nonzero(better.cpu()).flatten()
        misses = self.misses.index_add(0, going, torch.ones_like(going)).index_fill(0, gained, 0)
        self.state, self.number, self.misses = state, self.number + 1, misses
        self.best, self.top = best.replaced(gained, state.select(gained)), self.top.updated(better, evaluation)
        return True

    def _first_start(self, state: ChainState[M]) -> bool:
        below = torch.nonzero(~state.accepted).flatten()
        if len(below) and self.number < self.most:
            self.state, self.number = state.replaced(below, self._further(state.select(below), self.number)), self.number + 1
            return True
        if not len(below) or not self.restart:
            return False
        slower = len(self.rounds.rates) // 2
        names = [state.names[i]._replace(rate=state.names[i].rate + slower) for i in below.tolist()]
        self.going, self.below = replace(state.select(below), members=self.first.members.select(below), names=names), below
        self._next_stage(self.going)
        return self._second_start(state)

    def _second_start(self, state: ChainState[M]) -> bool:
        """A round of the stage, or of the first that has one after it; members that do not pass a stage stay as they were before it."""
        while self.stage <= len(self.stages):
            assert self.going is not None
            assert self.below is not None
            wanting, before = torch.nonzero(~self.going.accepted).flatten(), self.most + (self.stage - 1) * STAGE_ROUNDS * self.most
            if len(wanting) and self.number < STAGE_ROUNDS * self.most:
                trained = self._further(self.going.select(wanting), before + self.number, self.stages[self.stage - 1])
                self.going, self.number = self.going.replaced(wanting, trained), self.number + 1
                return True
            passed = torch.nonzero(self.going.accepted).flatten()
            going, self.below = self.going.select(passed), self.below[passed]
            self.state = state = state.replaced(self.below, going)
            self._next_stage(going)
        return False

    def _next_stage(self, going: ChainState[M]) -> None:
        self.going, self.stage, self.number = replace(going, accepted=torch.zeros_like(going.accepted)), self.stage + 1, 0

    def _further(self, state: ChainState[M], number: int, noise: float = 1.0) -> ChainState[M]:
        return self.rounds.attempt([Proposal.unpruned(state.members, state.names, "dense", number)], noise)[0]


def dense_networks(
    rounds: Rounds[M],
    members: M,
    names: list[ChainName],
    most: int,
    *,
    trained: bool,
    restart: bool,
    under_way: DenseTraining[M] | None = None,
    after_round: Callable[[DenseTraining[M]], None] | None = None,
) -> ChainState[M]:
    """The dense networks: unchanged when they are trained already, otherwise after as many rounds as needed.

    A member is trained until it is accepted, for ``most`` rounds at most. With ``restart`` those that were not accepted start again from
    the same weights, at the learning rates in the second half of ``rounds.rates``: without noise, then with half of it, then with all of
    it; in one stage where there is none. Each stage lasts until they are accepted again, for twice ``most`` rounds at most. Deep networks
    learn many functions only so: at the usual learning rate, which suits pruned networks, or under noise their accuracy stays that of a
    constant.

    Where ``min_accuracy`` is not known yet, a member is trained until three rounds in a row have neither raised its accuracy nor lowered
    its loss at the same accuracy; it is then returned at its best round.

    Training that is ``under_way`` goes on; ``after_round`` is called with it after every round. Networks that are ``trained`` already are
    one round without training.
    """
    training = under_way or DenseTraining(rounds, Proposal.unpruned(members, names, "dense"), most, restart)
    while training.take() if trained else training.advance():
        if after_round is not None:
            after_round(training)
    return training.networks
