"""Networks under a group lasso: the path on which each shrinks, and each as it first has so few units.

N = members, n = members that are trained together, C = their evaluations, S = sizes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial, reduce
from itertools import islice
from typing import Any

import torch
from torch import Tensor

from .lasso import Lasso
from .learning import TrainingResult
from .results import PathPoint
from .resuming import taken

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

    def until_now(self, members: Sequence[int]) -> Callable[[], dict[str, Tensor]]:
        """A function that returns what was seen so far of members that are trained together, to be kept.

        ``live (C, n)``, ``captured (S, n)``, the examples at which a member was, -1 where it was not, and the networks, size by size.
        """
        pairs = [(size, member) for size in self.sizes for member in members]
        return partial(self._tensors, members, len(self.counts[members[0]]), {pair: self.captured.get(pair) for pair in pairs})

    def _tensors(
        self, members: Sequence[int], evaluations: int, captured: Mapping[tuple[int, int], tuple[Any, int] | None]
    ) -> dict[str, Tensor]:
        live = [[self.counts[member][examples] for member in members] for examples in islice(self.counts[members[0]], evaluations)]
        examples = [-1 if known is None else known[1] for known in captured.values()]
        networks = [known[0].tensors() for known in captured.values() if known is not None]
        found = {"live": torch.tensor(live), "captured": torch.tensor(examples, dtype=torch.int64).view(-1, len(members))}
        return found | {f"captured.{name}": torch.cat([each[name] for each in networks]) for name in (networks[0] if networks else ())}

    def restore(self, tensors: dict[str, Tensor], members: Sequence[int], networks: Any, examples: Sequence[int]) -> None:
        """Take the same out of ``tensors``, for members that started as ``networks`` and were evaluated after ``examples``."""
        live = taken(tensors, "live", torch.int64, (len(examples), len(members)))
        captured = taken(tensors, "captured", torch.int64, (len(self.sizes), len(members)))
        self.counts.update({member: dict(zip(examples, live[:, row].tolist(), strict=True)) for row, member in enumerate(members)})
        there = torch.nonzero(captured >= 0)
        if not len(there):
            return
        like = networks.select(there[:, 1])
        found = like.restored({name: taken(tensors, f"captured.{name}", part.dtype, part.shape) for name, part in like.tensors().items()})
        for number, (size, row) in enumerate(there.tolist()):
            self.captured[self.sizes[size], members[row]] = found.select([number]), int(captured[size, row])

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
