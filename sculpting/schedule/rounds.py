"""Training rounds: proposals are trained, judged and recorded; dense networks are trained until they are accurate enough.

N = chains.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Generic

import torch
from torch import Tensor

from ..engine import Engine, Evaluation, M
from .acceptance import AcceptanceCriterion
from .chains import ChainName, ChainState, Proposal
from .history import RoundRecord

__all__ = ["Rounds"]

PATIENCE = 3  # rounds of dense training without a gain


@dataclass(eq=False)
class Rounds(Generic[M]):
    """Trains the proposals of chains, judges them and keeps the history.

    Attributes
    ----------
    engine : Engine
    criterion : AcceptanceCriterion
    rates : Tensor of shape (R,), float64
        The learning rates; ``ChainName.rate`` is a position among them.
    history : list of RoundRecord
    """

    engine: Engine[M]
    criterion: AcceptanceCriterion
    rates: Tensor
    history: list[RoundRecord] = field(default_factory=list)

    def attempt(self, proposals: Sequence[Proposal[M]]) -> list[ChainState[M]]:
        """Train one round of all proposals together and judge each. A chain's attempts do not depend on the other chains."""
        start = time.perf_counter()
        members = proposals[0].members
        for proposal in proposals[1:]:
            members = members.joined(proposal.members)
        key = torch.cat([proposal.key for proposal in proposals])
        rates = self.rates[[name.rate for proposal in proposals for name in proposal.names]]
        trained, found = self.engine.train(members, key, rates)
        rows = torch.arange(len(members)).split([len(proposal.names) for proposal in proposals])
        seconds = (time.perf_counter() - start) / len(members)
        return [
            self.judge(proposal, trained.select(r), Evaluation(found.accuracy[r], found.loss[r]), seconds)
            for proposal, r in zip(proposals, rows, strict=True)
        ]

    def judge(self, proposal: Proposal[M], members: M, evaluation: Evaluation, seconds: float) -> ChainState[M]:
        """Record the evaluation of trained members in the history, and say which of them are accepted."""
        accuracy = evaluation.accuracy.cpu()
        total, left = self.engine.count(members, "edges")
        asked = None if proposal.asked is None else proposal.asked.tolist()
        density, reserve = (left.double() / total).tolist(), self.criterion.reserve_in(proposal.phase)
        self.history.append(RoundRecord(proposal.names, proposal.phase, asked, density, accuracy.tolist(), seconds, reserve))
        return ChainState(members, accuracy, self.criterion.accepts(accuracy, proposal.phase), proposal.names)

    def dense(self, members: M, names: list[ChainName], trained: bool, rounds: int) -> ChainState[M]:
        """The dense networks: unchanged when they are trained already, otherwise after as many rounds as needed.

        A member is trained until it is accepted. Where ``min_accuracy`` is not known yet, it is trained until three rounds in a row have
        neither raised its accuracy nor lowered its loss at the same accuracy; it is then returned at its best round.
        """
        first = Proposal.unpruned(members, names, "dense")
        if trained:
            return self.judge(first, members, self.engine.evaluate(members), 0.0)
        state = self.attempt([first])[0]
        return self._until_accepted(state, rounds) if self.criterion.known else self._while_it_gains(state, rounds)

    def _until_accepted(self, state: ChainState[M], rounds: int) -> ChainState[M]:
        for number in range(1, rounds):
            below = torch.nonzero(~state.accepted).flatten()
            if not len(below):
                break
            state = state.replaced(below, self._further(state.select(below), number))
        return state

    def _while_it_gains(self, state: ChainState[M], rounds: int) -> ChainState[M]:
        best, top = state, self.engine.evaluate(state.members)
        misses = torch.zeros(len(state), dtype=torch.int64)
        for number in range(1, rounds):
            going = torch.nonzero(misses < PATIENCE).flatten()
            if not len(going):
                break
            state = state.replaced(going, self._further(state.select(going), number))
            evaluation = self.engine.evaluate(state.members)
            better = evaluation.better_than(top)
            top = top.updated(better, evaluation)
            gained = torch.nonzero(better.cpu()).flatten()
            best = best.replaced(gained, state.select(gained))
            misses[going] += 1
            misses[gained] = 0
        return best

    def _further(self, state: ChainState[M], number: int) -> ChainState[M]:
        return self.attempt([Proposal.unpruned(state.members, state.names, "dense", number)])[0]
