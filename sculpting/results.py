"""The result of ``sculpt``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum
from functools import cached_property

from .engine import M
from .models.chain import Chain
from .models.network import SparseNetwork, by_edges
from .schedule.chains import ChainState
from .schedule.history import Attempt, RoundRecord
from .schedule.pruning_schedule import PruningSchedule
from .tasks.task import Task

__all__ = ["SculptResult", "StopReason", "result_of"]


class StopReason(Enum):
    """Why sculpting ended; the value is a sentence for the user."""

    FINEST_STEP = "Every chain ended where none of the edges tried, the least important, could go without losing the accuracy."
    UNITS_ONLY = (
        "Every chain ended where none of the units tried, the least important, could go without losing the accuracy; "
        "no edge steps were asked for."
    )
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
    """Sparse networks, and the history of how they were found.

    Attributes
    ----------
    candidates : tuple of SparseNetwork
        The last accepted network of every chain that has one, the sparsest first.
    dense : tuple of SparseNetwork
        The trained networks from which pruning started, one for each model, learning rate and seed, accepted or not.
    rounds : tuple of RoundRecord
        Every training round in columns; ``history`` holds the same row by row.
    min_accuracy : float
        The accuracy that a network had to reach to be accepted.
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
        """The sparsest accepted candidate, as published. None when nothing was accepted; ``stop_reason`` says why."""
        return self.candidates[0] if self.candidates else None

    @property
    def accuracy(self) -> float:
        """Accuracy of the sparsest candidate; without one, the best of all attempts."""
        return self.candidates[0].accuracy if self.candidates else max(max(part.accuracy) for part in self.rounds)

    @property
    def density(self) -> float:
        """Edges left in the sparsest candidate as a fraction of all, in [0, 1]; 1 without one."""
        return self.candidates[0].density if self.candidates else 1.0

    def __str__(self) -> str:
        rounds, accepted = len(self.history), sum(a.accepted for a in self.history)
        seeds = f"{len(self.seeds)} seed{'s' * (len(self.seeds) != 1)}"
        lines = [f"{len(self.candidates)} candidates from {seeds}, {rounds} rounds of which {accepted} were accepted"]
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


def result_of(pruning: PruningSchedule[M], chains: Sequence[Chain], task: Task, set_by_dense: bool) -> SculptResult:
    """The result of a pruning schedule that has ended; ``set_by_dense`` says whether the dense networks set ``min_accuracy``."""
    rounds = pruning.rounds
    dense, found = (_networks(pruning, state, chains, task) for state in (pruning.dense, pruning.state))
    candidates = by_edges([network for network, accepted in found if accepted])
    if candidates:
        reason = StopReason.FINEST_STEP if pruning.edge_steps else StopReason.UNITS_ONLY
    else:
        reason = StopReason.NOTHING_LEARNT if set_by_dense else StopReason.NOTHING_ACCEPTED
    seeds = tuple(dict.fromkeys(network.origin["seed"] for network, _ in dense))
    return SculptResult(
        candidates, tuple(network for network, _ in dense), tuple(rounds.history), rounds.criterion.min_accuracy, reason, seeds
    )


def _networks(
    pruning: PruningSchedule[M], state: ChainState[M] | None, chains: Sequence[Chain], task: Task
) -> list[tuple[SparseNetwork, bool]]:
    """The network of every chain, and whether it was accepted."""
    if state is None:
        return []
    rounds = pruning.rounds
    rates = rounds.rates.tolist()
    first = len(rates) // 2 if pruning.settings.restart_rate is not None else len(rates)  # rates of first starts
    facts = [
        {
            "head": chains[name.model].head,
            "accuracy": accuracy,
            "loss": task.loss,
            "input_names": task.input_names,
            "output_names": task.output_names,
            "origin": {
                "seed": name.seed, "unit_step": name.unit_step, "edge_step": name.edge_step, "model": name.model,
                "learning_rate": rates[name.rate], "widths": list(chains[name.model].shape.widths), **task.origin,
                **({"restarted": True} if name.rate >= first else {}),
            },
        }
        for name, accuracy in zip(state.names, state.accuracy.tolist(), strict=True)
    ]  # fmt: skip
    return list(zip(rounds.engine.export(state.members, facts), state.accepted.tolist(), strict=True))
