"""All chains of a population: units, a retraining that has to pass the gate, edges."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from .pruning import Gate, Pruning, Standing, Trial

__all__ = ["Carving"]


@dataclass(eq=False)
class Carving:
    """Where all chains are; every chain goes on to its next phase as soon as it can.

    Attributes
    ----------
    gate : Gate
    units, edges : Pruning
    unit_steps, edge_steps : sequence of float
        First steps of the chains, in percent.
    dense : Standing or None
        The dense networks that all chains started from.
    done : Standing or None
        Chains of units that have ended, where no edge steps were asked for.
    """

    gate: Gate
    units: Pruning
    edges: Pruning
    unit_steps: Sequence[float]
    edge_steps: Sequence[float]
    dense: Standing | None = None
    done: Standing | None = None

    @property
    def standing(self) -> Standing | None:
        """Where the chains of the last phase stand."""
        return self.edges.standing if self.edge_steps else self.done

    @property
    def ended(self) -> int:
        """How many chains of units and of edges have ended."""
        return sum(int((~pruning.active).sum()) for pruning in (self.units, self.edges))

    def begin(self, dense: Standing) -> None:
        """Start the chains of the first phase from dense networks."""
        self.dense = dense
        self._branch(self.units if self.unit_steps else self.edges, dense)

    def advance(self) -> bool:
        """Train one round of all that is under way, whatever phase it is in; False when nothing is."""
        trials = [self.units.propose(), self.edges.propose()]
        ready = self.units.finished()
        if ready is not None:
            trials.append(Trial.unpruned(ready.population, ready.names, "retrain"))
        under_way = [trial for trial in trials if trial is not None]
        if not under_way:
            return False
        for trial, result in zip(under_way, self.gate.attempt(under_way), strict=True):
            if trial.phase == "units":
                self.units.settle(result)
            elif trial.phase == "edges":
                self.edges.settle(result)
            elif ready is not None:
                # What came out of the retraining below the mark goes back to what it was.
                kept = torch.nonzero(result.accepted).flatten()
                ready = ready.replaced(kept, result.select(kept))
        if ready is not None and self.edge_steps:
            self._branch(self.edges, ready)
        elif ready is not None:
            self.done = ready if self.done is None else self.done.joined(ready)
        return True

    def _branch(self, phase: Pruning, standing: Standing) -> None:
        kind, steps = ("unit_step", self.unit_steps) if phase is self.units else ("edge_step", self.edge_steps)
        phase.add(standing.branched(kind, steps), list(steps) * len(standing))
