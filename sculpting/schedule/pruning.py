"""One phase of pruning: prune a step and train a round, then accept the result, or go back and halve the step.

N = chains of attempts, one member of the population each; items = hidden units or edges of a member.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Generic

import torch
from torch import Tensor

from ..engine import Engine, Items, M
from ..sorting import sorted_positions
from .acceptance import CLOSE
from .chains import ChainState, Proposal, as_percent, chain_keys, round_keys

__all__ = ["Pruning", "least_important"]


class Pruning(Generic[M]):
    """All chains of one phase. Each makes its own attempts, until it ends.

    An attempt prunes up to the number of items removed at the last accepted attempt plus the step, counted from all original items. It
    removes the least important live items, equal scores in the order of the items, and never more than asked.

    After a rejection the chain goes back to its last accepted network and halves its step, down to one item. At this finest step it tries
    items in turn: the least important one, the second, and so on. It ends when ``tries`` items in a row were rejected. After an acceptance
    it continues from the same place in the order. An attempt that would remove everything is rejected without training.

    Source: Patil, Michael and Dovrolis (NeurIPS 2023), where a chain ends at the first item that is rejected.

    Parameters
    ----------
    items : {"units", "edges"}
        What is pruned, and the name of the phase.
    engine : Engine
    double_after : int, optional
        Double the step after this many acceptances in a row; None for never, as published.
    tries : int
        Items that are tried in turn at the finest step, one an attempt, before a chain ends.
    """

    def __init__(self, items: Items, engine: Engine[M], double_after: int | None = None, tries: int = 1) -> None:
        self.items, self.engine, self.double_after, self.tries = items, engine, double_after, tries
        self.state: ChainState[M] | None = None
        self.removed, self.step = torch.empty(0, dtype=torch.float64), torch.empty(0, dtype=torch.float64)
        self.number, self.key = torch.empty(0, dtype=torch.int64), torch.empty(0, 2, dtype=torch.int32)
        self.active, self.reported = torch.empty(0, dtype=torch.bool), torch.empty(0, dtype=torch.bool)
        self.tried, self.total = torch.empty(0, dtype=torch.int64), torch.empty(0, dtype=torch.float64)
        self.streak, self.kept, self.misses = (torch.empty(0, dtype=torch.int64) for _ in range(3))

    def add(self, state: ChainState[M], steps: Sequence[float]) -> None:
        """Start chains in their present state; ``steps``, one a chain, are their first steps as fractions of all original items."""
        total, left = (count.double() for count in self.engine.count(state.members, self.items))
        percent = torch.tensor([as_percent(step) for step in steps], dtype=torch.float64)
        self.total = torch.cat([self.total, total])
        self.removed = torch.cat([self.removed, total - left])
        self.step = torch.cat([self.step, percent.mul(total / 100).clamp(min=1)])
        self.number = torch.cat([self.number, torch.zeros(len(state), dtype=torch.int64)])
        self.key = torch.cat([self.key.to(state.members.device), chain_keys(state.members, state.names)])
        self.streak, self.kept, self.misses = (
            torch.cat([counts, torch.zeros(len(state), dtype=torch.int64)]) for counts in (self.streak, self.kept, self.misses)
        )
        self.active = torch.cat([self.active, torch.ones(len(state), dtype=torch.bool)])
        self.reported = torch.cat([self.reported, torch.zeros(len(state), dtype=torch.bool)])
        self.state = state if self.state is None else self.state.joined(state)

    def propose(self) -> Proposal[M] | None:
        """The next attempt of every chain that has not ended, or None when all have."""
        while bool((impossible := self.active & (self.removed + self.step + self.kept >= self.total - CLOSE)).any()):
            self._reject(torch.nonzero(impossible).flatten())
        self.tried = torch.nonzero(self.active).flatten()
        if self.state is None or not len(self.tried):
            return None
        self.number[self.tried] += 1
        members, names = self.state.members.select(self.tried), [self.state.names[i] for i in self.tried.tolist()]
        asked = self.removed[self.tried] + self.step[self.tried]
        key = round_keys(self.key[self.tried], self.items, self.number[self.tried])
        left = self.total[self.tried].long() - torch.floor(asked + CLOSE).long()
        pruned = self._without_least(members, left, self.kept[self.tried], key)
        return Proposal(pruned, names, self.items, key, 1 - asked / self.total[self.tried])

    def settle(self, result: ChainState[M]) -> None:
        """Take over the accepted attempts of the last proposal, and reject the others."""
        assert self.state is not None
        kept = torch.nonzero(result.accepted).flatten()
        accepted = self.tried[kept]
        self.state = self.state.replaced(accepted, result.select(kept))
        self.removed[accepted] += self.step[accepted]
        self.streak[accepted] += 1
        self.misses[accepted] = 0
        if self.double_after is not None:
            due = accepted[self.streak[accepted] == self.double_after]
            self.step[due] *= 2
            self.streak[due] = 0
        self._reject(self.tried[~result.accepted])

    def finished(self) -> ChainState[M] | None:
        """The chains that have ended since the last call, or None when there are none."""
        rows = torch.nonzero(~self.active & ~self.reported).flatten()
        self.reported[rows] = True
        return self.state.select(rows) if self.state is not None and len(rows) else None

    def _reject(self, chains: Tensor) -> None:
        finest = chains[self.step[chains] <= 1]
        self.misses[finest] += 1
        self.kept[finest] = (self.kept[finest] + 1) % self.tries
        self.active[finest[self.misses[finest] >= self.tries]] = False
        self.streak[chains] = 0
        self.step[chains] = (self.step[chains] / 2).clamp(min=1)

    def _without_least(self, members: M, left: Tensor, kept: Tensor, key: Tensor) -> M:
        """The members with ``left (N,)`` items: the least important are removed, but not the ``kept (N,)`` least important of all."""
        _, alive = self.engine.count(members, self.items)
        removed = least_important(self.engine.score(members, self.items, key), kept, alive - left)
        return self.engine.remove(members, self.items, removed)


def least_important(scores: Tensor, kept: Tensor, count: Tensor) -> Tensor:
    """Which items have the ``count (N,)`` lowest of the scores ``(N, items)``, after the ``kept (N,)`` lowest: bool ``(N, items)``.

    Equal scores rank in the order of the items. Infinite scores are never among them.

    Examples
    --------
    >>> least_important(torch.tensor([[3.0, 1.0, torch.inf, 1.0, 2.0]]), kept=torch.tensor([1]), count=torch.tensor([2])).tolist()
    [[False, False, False, True, True]]
    """
    alive = scores < torch.inf
    columns = torch.nonzero(alive.any(dim=0)).flatten()  # items that no member has left are not sorted
    kept, last = (number.to(scores.device).unsqueeze(1) for number in (kept, kept + count))
    # The bits of non-negative floats sort in the order of the floats.
    order = sorted_positions(scores[:, columns].view(torch.int32))[:, : int(last.max().clamp(min=0))]
    place = torch.arange(order.shape[1], device=scores.device)
    lowest = (place >= kept) & (place < last)
    return torch.zeros_like(alive).scatter(1, columns[order], lowest) & alive
