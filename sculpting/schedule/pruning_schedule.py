"""The pruning schedule: dense networks, chains of unit pruning, a retraining that must be accepted, chains of edge pruning."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Generic

import torch

from ..engine import M
from ..settings import ScheduleSettings
from .chains import ChainName, ChainState, Proposal
from .dense import DenseTraining, dense_networks
from .pruning import Pruning
from .rounds import Rounds

__all__ = ["DENSE_ROUNDS", "DENSE_ROUNDS_UNKNOWN", "PruningSchedule"]

MOST_FOLLOWED = 2**27  # edges of all chains together, whose counts so take 256 MB at most
DENSE_ROUNDS, DENSE_ROUNDS_UNKNOWN = 10, 50  # with a known min_accuracy, and without, when networks are trained while they improve


@dataclass(eq=False)
class PruningSchedule(Generic[M]):
    """All chains of a call. Every chain goes on to its next phase as soon as it can.

    Attributes
    ----------
    rounds : Rounds
    settings : ScheduleSettings
    unit_steps, edge_steps : sequence of float
        First steps of the chains, as fractions.
    units, edges : Pruning
    dense : ChainState or None
        The dense networks from which all chains start.
    training : DenseTraining or None
        That of a checkpoint, which :meth:`begin` goes on with.
    done : ChainState or None
        The chains of unit pruning that have ended, where there are no edge steps.
    unfollowed : str
        Why it is not counted how long edges survived, or nothing where it is.
    """

    rounds: Rounds[M]
    settings: ScheduleSettings
    unit_steps: Sequence[float]
    edge_steps: Sequence[float]
    units: Pruning[M] = field(init=False)
    edges: Pruning[M] = field(init=False)
    dense: ChainState[M] | None = None
    done: ChainState[M] | None = None
    training: DenseTraining[M] | None = None
    unfollowed: str = ""

    def __post_init__(self) -> None:
        engine, settings = self.rounds.engine, self.settings
        self.units = Pruning("units", engine, settings.double_after, settings.unit_tries)
        self.edges = Pruning("edges", engine, settings.double_after, settings.edge_tries)

    @property
    def state(self) -> ChainState[M] | None:
        """The state of the chains of the last phase."""
        return self.edges.state if self.edge_steps else self.done

    @property
    def ended(self) -> int:
        """How many chains of units and of edges have ended."""
        return sum(int((~pruning.active).sum()) for pruning in (self.units, self.edges))

    def chains(self, dense: int) -> int:
        """How many chains of units and of edges start from this number of dense networks."""
        return dense * (len(self.unit_steps) + max(1, len(self.unit_steps)) * len(self.edge_steps))

    @property
    def dense_rounds(self) -> int:
        """Rounds of dense training at most."""
        if self.settings.dense_rounds is not None:
            return self.settings.dense_rounds
        return DENSE_ROUNDS if self.rounds.criterion.known else DENSE_ROUNDS_UNKNOWN

    @property
    def restarts(self) -> bool:
        """Whether dense networks that are not accepted have a second start."""
        return self.settings.restart_rate is not None and self.rounds.criterion.known

    def begin(
        self, members: M, names: list[ChainName], trained: bool, after_round: Callable[[DenseTraining[M]], None] | None = None
    ) -> None:
        """Train the dense networks and start the chains of the first phase from them. Training that is under way goes on.

        Where ``min_accuracy`` is not known, the dense networks set it. Where none of them beats the best constant prediction, no chain is
        started.
        """
        criterion = self.rounds.criterion
        asked = criterion.known
        self.dense = dense_networks(
            self.rounds, members, names, self.dense_rounds, trained=trained, restart=self.restarts, under_way=self.training,
            after_round=after_round,
        )  # fmt: skip
        self._follow()
        if not asked:
            scores = fit = None
            if criterion.test is not None:
                scores = self.rounds.engine.row_scores(self.dense.members)
                fit = self.rounds.engine.row_scores(self.dense.members, "training").mean(dim=2)
            if not criterion.follow(self.dense.accuracy, scores, fit, sum(len(record.names) for record in self.rounds.history)):
                return
            self.dense = replace(self.dense, accepted=criterion.accepts(self.dense.accuracy, "dense", scores).cpu())
        self._branch(self.units if self.unit_steps else self.edges, self.dense)

    def advance(self) -> bool:
        """Train one round of all chains that have not ended, whatever their phase; False when all have."""
        proposals = [self.units.propose(), self.edges.propose()]
        ready = self.units.finished()
        if ready is not None:
            proposals.append(Proposal.unpruned(ready.members, ready.names, "retrain"))
        under_way = [proposal for proposal in proposals if proposal is not None]
        if not under_way:
            return False
        for proposal, result in zip(under_way, self.rounds.attempt(under_way), strict=True):
            if proposal.phase == "units":
                self.units.settle(result)
            elif proposal.phase == "edges":
                self.edges.settle(result)
            elif ready is not None:
                # A network that is too inaccurate after the retraining is restored.
                kept = torch.nonzero(result.accepted).flatten()
                ready = ready.replaced(kept, result.select(kept))
        if ready is not None and self.edge_steps:
            self._branch(self.edges, ready)
        elif ready is not None:
            self.done = ready if self.done is None else self.done.joined(ready)
        return True

    def _follow(self) -> None:
        """Count from the dense networks on how long edges survive, if there are not too many."""
        assert self.dense is not None
        followed, networks = self.dense.followed(), len(self.dense)
        assert followed.survived is not None
        edges = followed.survived.shape[1] * (networks + self.chains(networks))
        if edges <= MOST_FOLLOWED:
            self.dense = followed
        else:
            self.unfollowed = f"its chains have {edges:,} edges in all, of which at most {MOST_FOLLOWED:,} are followed"

    def _branch(self, phase: Pruning[M], state: ChainState[M]) -> None:
        kind, steps = ("unit_step", self.unit_steps) if phase is self.units else ("edge_step", self.edge_steps)
        phase.add(state.branched(kind, steps), list(steps) * len(state))
