"""What a call of ``narrow`` holds: the networks it starts from, those it makes, and how they stood after each phase.

N = members (seeds x sizes), H = hidden units of the model, n_l = width of layer l.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import torch
from torch import Tensor

from ..data import Data
from ..mlp.ablation import unit_ablation
from ..mlp.export import network_of
from ..mlp.population import Population
from ..mlp.scores import ScoreFunction, unit_random
from ..models.chain import Chain
from ..models.shape import Shape
from ..randomness import fold, keys
from ..tasks.task import Task
from .attribution import unit_attribution
from .groups import without_groups
from .learning import evaluate_in_parts
from .prune import lowest_of
from .results import Narrowed, Stage

__all__ = ["SCORES", "Run", "shares_of"]

# What units are pruned by.
SCORES: dict[str, ScoreFunction] = {
    "group-lasso": unit_ablation, "attribution": unit_attribution, "ablation": unit_ablation, "random": unit_random,
}  # fmt: skip


@dataclass(frozen=True, eq=False)
class Run:
    """What narrow networks are made from and judged on, which there are to be, and the history."""

    chain: Chain
    tasks: list[Task]
    numbers: list[int]
    sizes: list[int]
    place: torch.device
    max_members: int | None
    history: list[Stage] = field(default_factory=list)

    @property
    def members(self) -> list[tuple[int, int | None]]:
        """Seed and size of every member, size by size."""
        return [(number, size) for size in self.sizes for number in self.numbers]

    @property
    def rows(self) -> Tensor:
        """The place of every member's seed."""
        return torch.arange(len(self.numbers)).repeat(len(self.sizes))

    @cached_property
    def data(self) -> list[Data]:
        """What to keep and, where there is something, to forget."""
        return [Data.of(task, self.place) for task in self.tasks]

    @cached_property
    def judged(self) -> list[Data]:
        """The same, with the rows that accuracies are told of in the place of those for validation."""
        tested = [
            task if task.x_test is None or task.y_test is None else replace(task, x_validation=task.x_test, y_validation=task.y_test)
            for task in self.tasks
        ]
        return [Data.of(task, self.place) for task in tested]

    def key(self, phase: int) -> Tensor:
        """Keys of the seeds for one phase."""
        return fold(keys([("narrow", number) for number in self.numbers], self.place), phase)

    def models(self) -> Population:
        """A copy of the model for each seed."""
        return Population.of(
            self.chain.shape, *(flat.to(self.place).repeat(len(self.numbers), 1) for flat in (self.chain.values, self.chain.mask))
        )

    def fresh(self) -> Population:
        """Untrained networks of every size, from the same initial weights as any other of that shape and seed."""
        initial, parts = keys([("initial", number) for number in self.numbers], self.place), []
        for size in self.sizes:
            widths = (self.chain.shape.widths[0], *shares_of(self.chain.shape.widths[1:-1], size), self.chain.shape.widths[-1])
            part = Population.uniform(Shape(widths, self.chain.shape.activations), initial)
            mask = torch.ones_like(part.mask)
            for bias, known in zip(part.shape.biases(mask), self.chain.shape.biases(self.chain.mask.unsqueeze(0)), strict=True):
                bias *= float(known.any())  # of the model's mask it is only whether a layer has biases that is taken over
            parts.append(part.masked(part.mask * mask))
        return Population.padded(parts)

    def pruned(self, models: Population, method: str, scope: str) -> Population:
        """The models of all seeds at every size."""
        # Copies of one model have one score, unless it is random or they were trained apart.
        scored = models.select([0]) if method in ("attribution", "ablation") else models
        scores = SCORES[method](scored, self.data[0], self.key(1)).expand(len(models), -1)
        small, hidden = models.select(self.rows), int(models.hidden_counts[0])
        widths = models.shape.widths[1:-1]
        gone = [
            [width - share for width, share in zip(widths, shares_of(widths, size), strict=True)] if scope == "layer" else [hidden - size]
            for size in self.sizes
            for _ in self.numbers
        ]
        return without_groups(small, lowest_of(scores[self.rows], small, torch.tensor(gone)))

    def note(self, phase: str, population: Population, members: Sequence[tuple[int, int | None]], examples: Tensor) -> None:
        """Write into the history how all members stand."""
        units = torch.cat(population.alive(), dim=1).sum(dim=1).tolist()
        scores = [evaluate_in_parts(population, data, self.max_members).accuracy.tolist() for data in self.judged]
        pairs = zip(*scores, strict=True) if len(scores) == 2 else ((accuracy, math.nan) for accuracy in scores[0])
        rows = zip(members, units, examples.tolist(), pairs, strict=True)
        self.history.extend(Stage(*member, phase, left, used, *pair) for member, left, used, pair in rows)

    def networks(self, population: Population, reached: list[bool], method: str) -> tuple[Narrowed, ...]:
        """Every member as it has learnt, with what the history says of it."""
        learnt, revived = ([stage for stage in self.history if stage.phase == phase] for phase in ("learnt", "revived"))
        names = self.tasks[0].input_names, self.tasks[0].output_names
        found = []
        for row, stage in enumerate(learnt):
            origin = {"method": method, "seed": stage.seed, "units": stage.asked, **self.tasks[0].origin}
            facts = {"accuracy": stage.accuracy_keep, "input_names": names[0], "output_names": names[1], "origin": origin}
            network = network_of(population, row, head=self.chain.head, loss=self.tasks[0].loss, **facts).compact()
            after = revived[row].accuracy_forget if revived else math.nan
            size = self.sizes[row // len(self.numbers)]
            found.append(
                Narrowed(stage.seed, size, network, stage.examples, reached[row], stage.accuracy_keep, stage.accuracy_forget, after)
            )
        return tuple(found)


def shares_of(widths: Sequence[int], units: int) -> list[int]:
    """Units for each layer, in proportion to the widths, at least one: each further one goes where it makes the least share."""
    shares = [1] * len(widths)
    for _ in range(units - len(widths)):
        layer = min(range(len(widths)), key=lambda i: (shares[i] + 1) / widths[i])
        shares[layer] += 1
    return shares
