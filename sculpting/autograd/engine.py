"""The engine for any module, as the schedule calls it.

N = members, U = units, E = edges.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import torch
from numpy.typing import NDArray
from torch import Tensor

from ..engine import Evaluation, Items, Part
from ..mlp.memory import in_groups_that_fit
from ..models.sparse_module import SparseModule
from ..settings import RoundSettings
from .export import by_weights, modules_of
from .memory import members_that_fit
from .population import ModulePopulation
from .rows import ModuleRows
from .scores import ModuleScore
from .training import evaluate, outputs, train

__all__ = ["AutogradEngine"]

R = TypeVar("R")


@dataclass(frozen=True, eq=False)
class AutogradEngine:
    """Trains, scores and prunes populations of one module on one set of rows.

    Attributes
    ----------
    rows : ModuleRows
    settings : RoundSettings
    scores : mapping of "units" and "edges" to a score function
    kept : bool Tensor of shape (U,), optional
        Units that are never removed, though they could be.
    max_members : int, optional
        Members that are trained or scored at once, at most; as many as fit into memory when left out.
    half : bool
        Whether to train in bfloat16 where torch's autocast does, on a GPU. Evaluation and scores stay in single precision.
    """

    rows: ModuleRows
    settings: RoundSettings
    scores: Mapping[Items, ModuleScore]
    kept: Tensor | None = None
    max_members: int | None = None
    half: bool = False

    def train(
        self, members: ModulePopulation, key: Tensor, learning_rate: Tensor, noise: float = 1.0
    ) -> tuple[ModulePopulation, Evaluation]:
        """Every member at the best epoch of a training round, and its evaluation there."""
        settings = replace(self.settings, input_noise=noise * self.settings.input_noise)
        return train(members, self.rows, settings, key, learning_rate, self.max_members, self.half)

    def evaluate(self, members: ModulePopulation) -> Evaluation:
        """Accuracy and loss of every member on the validation rows."""
        return Evaluation.joined(self._each(members, lambda part, rows: evaluate(part, self.rows)))

    def row_scores(self, members: ModulePopulation, part: Part = "validation") -> Tensor:
        """What each validation or training row adds to the metric of every member: float64 ``(N, K, S)``."""
        x, y = (self.rows.x, self.rows.y) if part == "training" else (self.rows.x_validation, self.rows.y_validation)
        return torch.cat(self._each(members, lambda some, rows: self.rows.metric.rows(outputs(some, x), y)))

    def count(self, members: ModulePopulation, items: Items) -> tuple[Tensor, Tensor]:
        """How many items each member had before any pruning, and how many are left: int64 ``(N,)``, on the CPU.

        Units that are kept, or that cannot be removed, are no items.
        """
        if items == "edges":
            left = members.live_edges()
            return torch.full((len(members),), left.shape[1]), left.sum(dim=1).cpu()
        able = self._able(members)
        return able.sum().cpu().expand(len(members)).clone(), (members.alive() & able).sum(dim=1).cpu()

    def score(self, members: ModulePopulation, items: Items, key: Tensor) -> Tensor:
        """The importance of every item: float32 ``(N, items)``, infinite for those that were pruned or that must stay."""
        alive = members.live_edges() if items == "edges" else members.alive() & self._able(members)
        found = self._each(members, lambda part, rows: self.scores[items](part, self.rows, key[rows]).float())
        return torch.cat(found).masked_fill_(~alive, torch.inf)

    def remove(self, members: ModulePopulation, items: Items, removed: Tensor) -> ModulePopulation:
        """The members without the items that are true in ``removed``, bool ``(N, items)``."""
        return members.without_units(removed) if items == "units" else members.without_edges(removed)

    def export(self, members: ModulePopulation, facts: Sequence[dict[str, Any]]) -> list[SparseModule]:
        """Every member as a network; ``facts`` holds further attributes for each."""
        tokens = tuple(not part.is_floating_point() for part in self.rows.x)
        return modules_of(members, [{"tokens": tokens, **known} for known in facts])

    def by_weights(self, members: ModulePopulation, edges: Tensor) -> list[tuple[NDArray[Any], ...]]:
        """Numbers of edges ``(N, E)``, for every member as one array for each parameter that has edges, as ``UnitMap.edges`` has them."""
        return by_weights(members, edges)

    def _able(self, members: ModulePopulation) -> Tensor:
        able = members.architecture.units.removable.to(members.device)
        return able if self.kept is None else able & ~self.kept.to(members.device)

    def _each(self, members: ModulePopulation, call: Callable[[ModulePopulation, Tensor], R]) -> list[R]:
        """What a function gives of members in groups that fit into memory, and of their rows."""
        size = self.max_members or members_that_fit(len(members), members.architecture, self.rows, self.settings)

        def of(rows: Tensor) -> R:
            return call(members if len(rows) == len(members) else members.select(rows), rows)

        return [found for _, found in in_groups_that_fit(of, torch.arange(len(members)).split(size))]
