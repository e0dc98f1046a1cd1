"""Networks under a group lasso: the path on which each shrinks, and each as it first has so few units.

N = members.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import reduce
from typing import Any

import torch
from torch import Tensor

from .lasso import Lasso
from .learning import TrainingResult
from .results import PathPoint

__all__ = ["Capture"]


@dataclass(frozen=True, eq=False)
class Capture:
    """What is kept while ``learn`` trains under a group lasso: its method ``watch`` is called at every check.

    ``sizes`` are the numbers of live units to capture members at, none to only follow them. ``captured`` has a member at a size, as a
    population of one, and its examples, by size and member; ``counts`` the live units of each member, by its examples.
    """

    lasso: Lasso
    sizes: Sequence[int]
    captured: dict[tuple[int, int], tuple[Any, int]] = field(default_factory=dict)
    counts: dict[int, dict[int, int]] = field(default_factory=dict)

    def watch(self, members: Tensor, networks: Any, examples: int) -> bool:
        """Count live units and capture what is small enough; true when all sizes of these members are captured."""
        live = (~self.lasso.dead(networks)).sum(dim=1).tolist()
        for row, member in enumerate(members.tolist()):
            self.counts.setdefault(member, {})[examples] = live[row]
            for size in self.sizes:
                if live[row] <= size and (size, member) not in self.captured:
                    self.captured[size, member] = networks.select([row]), examples
        return bool(self.sizes) and all((size, member) in self.captured for size in self.sizes for member in members.tolist())

    def path(self, learnt: TrainingResult, seeds: Sequence[int]) -> list[PathPoint]:
        """Every check of each member, whose seeds are ``seeds``."""
        return [
            PathPoint(seeds[check.member], check.examples, self.counts[check.member][check.examples], check.accuracy)
            for check in learnt.history
            if check.examples  # the first is from before training
        ]

    def networks(self, learnt: TrainingResult) -> tuple[Any, Tensor]:
        """The members at every size, size by size, without their dead groups, and the examples of each, int64 ``(sizes x N,)``.

        A member that never was so small is as it was at the end.
        """
        last = [(learnt.population.select([member]), examples) for member, examples in enumerate(learnt.consumed.tolist())]
        found = [self.captured.get((size, member), end) for size in self.sizes for member, end in enumerate(last)]
        population = reduce(lambda some, more: some.joined(more), [network for network, _ in found])
        return self.lasso.without_dead(population), torch.tensor([examples for _, examples in found])
