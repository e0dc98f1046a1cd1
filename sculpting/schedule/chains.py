"""Chains of attempts: their names, their state, and their proposals.

N = chains, one member of the population each; E = edges of a member.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Generic, NamedTuple

import torch
from torch import Tensor

from ..engine import M
from ..randomness import fold, keys

__all__ = ["PHASES", "ChainName", "ChainState", "Proposal", "as_percent", "chain_keys", "round_keys", "taken_apart"]

PHASES = ("dense", "units", "retrain", "edges")


class ChainName(NamedTuple):
    """Name of a chain of attempts. Steps are fractions, None where the chain has none (yet).

    ``model`` and ``rate`` are positions among the given models and learning rates. They do not key the random numbers, so that a seed
    gives the same noise and data order whatever else is sculpted beside it.
    """

    seed: int
    unit_step: float | None = None
    edge_step: float | None = None
    model: int = 0
    rate: int = 0


@dataclass(frozen=True, eq=False)
class ChainState(Generic[M]):
    """State of chains: the last accepted network of each, or its first network while none was accepted.

    ``accuracy (N,)`` is that of the networks, ``accepted (N,)`` says whether they were accepted, and ``names`` holds one name a chain.
    ``survived``, int16 ``(N, E)`` or None, counts the networks that had an edge: the dense one and each that was accepted after it. As
    edges never come back, it is also the position of the network that first lacked the edge.
    """

    members: M
    accuracy: Tensor
    accepted: Tensor
    names: list[ChainName]
    survived: Tensor | None = None

    def __len__(self) -> int:
        return len(self.names)

    def select(self, chains: Tensor) -> ChainState[M]:
        """A copy of some chains."""
        return self._taken(chains, [self.names[i] for i in chains.tolist()])

    def joined(self, other: ChainState[M]) -> ChainState[M]:
        """These chains, then the others."""
        return ChainState(
            self.members.joined(other.members),
            torch.cat([self.accuracy, other.accuracy]),
            torch.cat([self.accepted, other.accepted]),
            self.names + other.names,
            None if self.survived is None or other.survived is None else torch.cat([self.survived, other.survived]),
        )

    def replaced(self, chains: Tensor, new: ChainState[M]) -> ChainState[M]:
        """The same chains, with a new state for some of them."""
        names = dict(enumerate(self.names)) | dict(zip(chains.tolist(), new.names, strict=True))
        accuracy, accepted = self.accuracy.index_copy(0, chains, new.accuracy), self.accepted.index_copy(0, chains, new.accepted)
        survived = self.survived
        if survived is not None:
            survived = survived.index_add(0, chains.to(survived.device), new.members.live_edges().to(survived.dtype))
        return ChainState(self.members.replaced(chains, new.members), accuracy, accepted, [*names.values()], survived)

    def followed(self) -> ChainState[M]:
        """The same chains, whose edges are counted from these networks on."""
        return replace(self, survived=self.members.live_edges().short())

    def branched(self, kind: str, steps: Sequence[float]) -> ChainState[M]:
        """Every chain once for each step; ``kind`` is ``"unit_step"`` or ``"edge_step"``."""
        rows = torch.arange(len(self)).repeat_interleave(len(steps))
        names = [ChainName(**{**name._asdict(), kind: float(step)}) for name in self.names for step in steps]
        return self._taken(rows, names)

    def _taken(self, rows: Tensor, names: list[ChainName]) -> ChainState[M]:
        survived = None if self.survived is None else self.survived.index_select(0, rows.to(self.survived.device))
        return ChainState(self.members.select(rows), self.accuracy[rows], self.accepted[rows], names, survived)


@dataclass(frozen=True, eq=False)
class Proposal(Generic[M]):
    """Networks that chains propose to train for a round, and the keys ``(N, 2)`` of the round's random numbers.

    ``asked (N,)`` is the fraction of items to keep, None in a phase that prunes nothing.
    """

    members: M
    names: list[ChainName]
    phase: str
    key: Tensor
    asked: Tensor | None = None

    @classmethod
    def unpruned(cls, members: M, names: list[ChainName], phase: str, number: int = 0) -> Proposal[M]:
        """A round of a phase that prunes nothing; ``number`` counts the rounds of this phase before it."""
        return cls(members, names, phase, round_keys(chain_keys(members, names), phase, torch.full((len(names),), number)))


def as_percent(step: float | None) -> float | None:
    """A step in percent, rounded so that 0.07 gives 7 and not 7.000000000000001.

    Steps of whole numbers of items so stay whole. Keys of random numbers are made from it, so that a seed keeps its results.
    """
    return None if step is None else round(100 * step, 9)


def chain_keys(members: M, names: Sequence[ChainName]) -> Tensor:
    """Keys of chains, by seed and steps, on the members' device."""
    return keys([(name.seed, as_percent(name.unit_step), as_percent(name.edge_step)) for name in names], members.device)


def round_keys(key: Tensor, phase: str, number: Tensor) -> Tensor:
    """Keys of a round, from the keys of the chains, the phase and the number of attempts that each chain has made in it."""
    return fold(key, len(PHASES) * number + PHASES.index(phase))


def taken_apart(name: str, state: ChainState[M] | None, tensors: dict[str, Tensor]) -> list[ChainName] | None:
    """The names of chains; the rest of their state is added to ``tensors``."""
    if state is None:
        return None
    parts = {**state.members.tensors(), "accuracy": state.accuracy, "accepted": state.accepted}
    if state.survived is not None:
        parts["survived"] = state.survived
    tensors |= {f"{name}.{part}": tensor for part, tensor in parts.items()}
    return state.names
