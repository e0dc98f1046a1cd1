"""Training rounds: proposals are trained, judged and recorded.

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
from .chains import ChainState, Proposal
from .history import RoundRecord

__all__ = ["Rounds"]


@dataclass(eq=False)
class Rounds(Generic[M]):
    """Trains the proposals of chains, judges them and keeps the history.

    Attributes
    ----------
    engine : Engine
    criterion : AcceptanceCriterion
    rates : Tensor of shape (R,), float64
        The learning rates, and then those of second starts, if there are any; ``ChainName.rate`` is a position among them.
    noisy : bool
        Whether training has any noise.
    history : list of RoundRecord
    """

    engine: Engine[M]
    criterion: AcceptanceCriterion
    rates: Tensor
    noisy: bool = True
    history: list[RoundRecord] = field(default_factory=list)

    @property
    def number(self) -> int:
        """How many rounds there were."""
        return self.history[-1].number if self.history else 0

    def attempt(self, proposals: Sequence[Proposal[M]], noise: float = 1.0) -> list[ChainState[M]]:
        """Train one round of all proposals together and judge each. A chain's attempts do not depend on the other chains.

        ``noise`` is the fraction of the usual noise in this round.
        """
        start, number = time.perf_counter(), self.number + 1
        members = proposals[0].members
        for proposal in proposals[1:]:
            members = members.joined(proposal.members)
        key = torch.cat([proposal.key for proposal in proposals])
        rates = self.rates[[name.rate for proposal in proposals for name in proposal.names]]
        trained, found = self.engine.train(members, key, rates, noise)
        rows = torch.arange(len(members)).split([len(proposal.names) for proposal in proposals])
        seconds = (time.perf_counter() - start) / len(members)
        return [
            self.judge(proposal, trained.select(r), Evaluation(found.accuracy[r], found.loss[r]), seconds, number)
            for proposal, r in zip(proposals, rows, strict=True)
        ]

    def given(self, proposal: Proposal[M]) -> ChainState[M]:
        """Members that need no training, as a round of their own."""
        return self.judge(proposal, proposal.members, self.engine.evaluate(proposal.members), 0.0, self.number + 1)

    def judge(self, proposal: Proposal[M], members: M, evaluation: Evaluation, seconds: float, number: int) -> ChainState[M]:
        """Record the evaluation of trained members in the history, and say which of them are accepted."""
        accuracy, accepted = self.judged(members, evaluation, proposal.phase)
        total, left = self.engine.count(members, "edges")
        asked = None if proposal.asked is None else proposal.asked.tolist()
        density, reserve = (left.double() / total).tolist(), self.criterion.reserve_in(proposal.phase)
        passed = accepted.tolist() if self.criterion.test is not None and self.criterion.known else None
        self.history.append(
            RoundRecord(proposal.names, proposal.phase, asked, density, accuracy.tolist(), seconds, reserve, passed, number)
        )
        return ChainState(members, accuracy, accepted, proposal.names)

    def judged(self, members: M, evaluation: Evaluation, phase: str) -> tuple[Tensor, Tensor]:
        """The figures ``(N,)`` of members, and which of them are accepted: accuracies, or with a test the means of its metric."""
        if self.criterion.test is None:
            accuracy = evaluation.accuracy.cpu()
            return accuracy, self.criterion.accepts(accuracy, phase)
        scores = self.engine.row_scores(members)
        accuracy = scores.mean(dim=(1, 2)).cpu().where(evaluation.accuracy.cpu() > -torch.inf, -torch.inf)
        fit = self.engine.row_scores(members, "training").mean(dim=2) if self.criterion.known else None
        return accuracy, self.criterion.accepts(accuracy, phase, scores, fit).cpu() & (accuracy > -torch.inf)
