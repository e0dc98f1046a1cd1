"""Members that may change in different places are trained side by side; those that are accepted are pruned, and one is chosen.

N = members, P = parameters of a member, E = edges.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ..mlp.engine import MLPEngine
from ..mlp.population import Population
from ..models.shape import Shape
from ..schedule.chains import ChainName, ChainState, Proposal
from ..schedule.dense import DenseTraining
from ..schedule.pruning import Pruning
from ..schedule.rounds import Rounds
from .growth import Base, Growth, grown

__all__ = ["ROUNDS", "Found", "Search"]

ROUNDS = 5  # of training at most, until a member is accepted
FIRST_STEP = 0.3  # of the edges that may change, pruned at a member's first attempt


@dataclass(frozen=True, eq=False)
class Found:
    """A member that was accepted.

    Attributes
    ----------
    members : Population
        This one member.
    growth : Growth
        What may have changed in it.
    accuracy : float
    changed : int
        Edges that it has and the network before has not with the same weight, and those that it lacks.
    """

    members: Population
    growth: Growth
    accuracy: float
    changed: int


@dataclass(eq=False)
class Search:
    """Trains and prunes members.

    Attributes
    ----------
    rounds : Rounds
    base : Base
        The network before.
    shape : Shape
    tries : int
        Edges that are tried in turn at the finest step.
    double_after : int or None
    """

    rounds: Rounds[Population]
    base: Base
    shape: Shape
    tries: int
    double_after: int | None

    @property
    def steps(self) -> int:
        """Gradient steps so far, of all members together."""
        engine = self.rounds.engine
        assert isinstance(engine, MLPEngine)
        rows = engine.data.x.shape[1]
        each = engine.settings.epochs(rows) * -(-rows // engine.settings.batch_size)
        return each * sum(len(record.names) for record in self.rounds.history)

    def best(self, growths: Sequence[Growth], until_first: bool = False) -> Found | None:
        """The pruned member with the fewest changed edges, then the fewest edges; None when none is accepted.

        Of each part only the members with the fewest spare units are pruned. With ``until_first`` training ends with the round in which
        some member is accepted; otherwise each has all of its rounds.
        """
        made = [(growth, rows) for growth in growths if (rows := grown(self.base, growth)) is not None]
        if not made:
            return None
        state = self._trained([growth for growth, _ in made], self._population([rows for _, rows in made]), until_first)
        kept = _fewest_spares([growth for growth, _ in made], state.accepted)
        if not kept:
            return None
        pruned = self._pruned(state.select(torch.tensor(kept)))
        changed, edges = self._changed(pruned.members), pruned.members.edges().tolist()
        first = min(range(len(kept)), key=lambda i: (changed[i], edges[i]))
        return Found(pruned.members.select([first]), made[kept[first]][0], float(pruned.accuracy[first]), changed[first])

    def _population(self, rows: Sequence[tuple[np.ndarray, ...]]) -> Population:
        device = self.rounds.engine.data.table.device  # type: ignore[attr-defined]
        values, mask, trainable = (torch.from_numpy(np.stack(part)).to(device) for part in zip(*rows, strict=True))
        own = torch.tensor(self.shape.widths).repeat(len(rows), 1)
        return Population(self.shape, values, mask, own, trainable)

    def _trained(self, growths: Sequence[Growth], members: Population, until_first: bool) -> ChainState[Population]:
        names = [ChainName(growth.seed + growth.start, rate=growth.rate) for growth in growths]
        training = DenseTraining(self.rounds, Proposal.unpruned(members, names, "dense"), ROUNDS, restart=False)
        while training.advance():
            if until_first and bool(training.networks.accepted.any()):
                break
        return training.networks

    def _pruned(self, state: ChainState[Population]) -> ChainState[Population]:
        pruning: Pruning[Population] = Pruning("edges", self.rounds.engine, self.double_after, self.tries)
        pruning.add(state, [FIRST_STEP] * len(state))
        while (proposal := pruning.propose()) is not None:
            pruning.settle(self.rounds.attempt([proposal])[0])
        assert pruning.state is not None
        return pruning.state

    def _changed(self, members: Population) -> list[int]:
        before = torch.cat([torch.from_numpy(value[:, :-1].copy()).flatten() for value in self.base.values]).to(members.device)
        after: Tensor = torch.cat([weight.flatten(1) for weight in members.weights], dim=1)
        return [int(count) for count in (after != before).sum(dim=1)]


def _fewest_spares(growths: Sequence[Growth], accepted: Tensor) -> list[int]:
    """The positions of the accepted members, of each part those with the fewest spare units among them."""
    fewest: dict[object, int] = {}
    for growth, passed in zip(growths, accepted.tolist(), strict=True):
        if passed:
            fewest[growth.part] = min(growth.spare, fewest.get(growth.part, growth.spare))
    return [i for i, growth in enumerate(growths) if accepted[i] and fewest[growth.part] == growth.spare]
