"""A call of ``narrow``: the models it starts from, the small networks it makes of them, and their history.

R = seeds, N = members (sizes x seeds, size by size), H = units of a model that can be removed.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from ..randomness import fold, keys
from ..tasks.task import Task
from .ablation import scores_in_parts
from .capture import Capture
from .engines import engine_of
from .learning import TrainingResult, evaluate_in_parts, joined, learn
from .protocol import NarrowEngine
from .prune import lowest_of
from .results import Narrowed, NarrowResult, PathPoint, Stage
from .resuming import NarrowCheckpoint
from .settings import SCORES, NarrowSettings
from .shares import shares_of

__all__ = ["Run", "keys_of", "shares_of"]

SHARED_PHASES = ("model", "group-lasso")  # of a seed, whatever the size
PURPOSES = ("group-lasso", "scores", "training", "revival")


def keys_of(numbers: Sequence[int], device: torch.device) -> dict[str, Tensor]:
    """Keys of the random numbers of seeds, ``(R, 2)``, by their purpose."""
    own = keys([("narrow", number) for number in numbers], device)
    initial = keys([("initial", number) for number in numbers], device)
    return {"initial": initial, **{purpose: fold(own, place) for place, purpose in enumerate(PURPOSES)}}


@dataclass(frozen=True, eq=False)
class Run:
    """What narrow networks are made from and evaluated on, the sizes there are to be, and the history.

    Attributes
    ----------
    models : Population or ModulePopulation
        One for each seed.
    shared : bool
        Whether they are copies of one model.
    facts : mapping
        Attributes of the networks, such as the ``head`` that the loss takes in; see ``Chain``.
    tasks : list of Task
        What to keep and, where there is something, to forget.
    numbers, sizes : list of int
        Seeds, and units that are to be left.
    settings : NarrowSettings
    keys : mapping of str to Tensor of shape (R, 2)
        As those of ``keys_of``.
    checkpoint : NarrowCheckpoint, optional
        Where the trainings are kept, and go on from.
    """

    models: Any
    shared: bool
    facts: Mapping[str, Any]
    tasks: list[Task]
    numbers: list[int]
    sizes: list[int]
    settings: NarrowSettings
    keys: Mapping[str, Tensor]
    history: list[Stage] = field(default_factory=list)
    path: list[PathPoint] = field(default_factory=list)
    checkpoint: NarrowCheckpoint | None = None

    @property
    def rows(self) -> Tensor:
        """The row of every member's seed, ``(N,)``."""
        return torch.arange(len(self.numbers)).repeat(len(self.sizes))

    @property
    def engine(self) -> NarrowEngine:
        """That of the models."""
        return engine_of(self.models)

    @cached_property
    def data(self) -> list[Any]:
        """What to keep and, where there is something, to forget."""
        return [self.engine.rows(self.models, task) for task in self.tasks]

    @cached_property
    def tested(self) -> list[Any]:
        """The same, with the test rows in place of the validation rows where there are some."""
        tested = [
            task if task.x_test is None or task.y_test is None else replace(task, x_validation=task.x_test, y_validation=task.y_test)
            for task in self.tasks
        ]
        return [self.engine.rows(self.models, task) for task in tested]

    def result(self) -> NarrowResult:
        """All phases, one after the other."""
        small, spent = self.start()
        learnt = self.trained(small)
        self.note("learnt", learnt.population, spent + learnt.consumed)
        if len(self.tasks) > 1 and self.settings.revival_steps:
            key = self.keys["revival"][self.rows]
            revived = self.train(learnt.population, self.data[1], key, steps=self.settings.revival_steps)
            self.note("revived", revived.population, revived.consumed)
        return NarrowResult(self.settings.method, self.narrowed(learnt), tuple(self.history), tuple(self.path))

    def start(self) -> tuple[Any, Tensor]:
        """The small networks before they are trained until the target, and the examples that each has consumed, ``(N,)``."""
        models, spent = self.models, torch.zeros(len(self.numbers), dtype=torch.int64)
        self.note("model", models, spent)
        if not self.settings.prunes:
            return self.fresh(), spent[self.rows]
        capture = None
        if self.settings.method == "group-lasso":
            capture, learnt = self.shrunk()
            models, spent = self.settings.lasso.without_dead(learnt.population), learnt.consumed
            self.note("group-lasso", models, spent)
        if capture is not None and capture.sizes:
            small, spent = capture.networks(learnt)
        else:
            small, scored = self.pruned(models)
            spent = spent[self.rows] + scored
        self.note("pruned", small, spent)
        return small, spent

    def fresh(self) -> Any:
        """Untrained networks of every size, size by size."""
        return self.engine.fresh(self.models, self.sizes, self.keys["initial"])

    def shrunk(self) -> tuple[Capture, TrainingResult]:
        """The models under the group lasso."""
        known = self.settings
        capture = Capture(known.lasso, self.sizes if known.capture_sizes else [])
        learnt = self.train(self.models, self.data[0], self.keys["group-lasso"], steps=known.steps, lasso=known.lasso, capture=capture)
        self.path.extend(capture.path(learnt, self.numbers))
        return capture, learnt

    def pruned(self, models: Any) -> tuple[Any, int]:
        """The models, one for each seed, at every size, and how many rows they were scored on that count as examples."""
        method, data, scored = self.settings.method, self.data[0], 0
        if self.settings.scored_rows is not None and method != "random":
            data = data.scored_on(self.settings.scored_rows)
            scored = data.y_validation.shape[1]
        # Copies of one model have one score, unless it is random or they were trained apart.
        one = self.shared and method not in ("random", "group-lasso")
        scored_models = models.select(torch.arange(1)) if one else models
        scores = scores_in_parts(SCORES[method], scored_models, data, self.keys["scores"]).expand(len(models), -1)
        small, widths = models.select(self.rows), self.engine.widths(models)
        layered = self.settings.scope == "layer"
        gone = [
            [width - share for width, share in zip(widths, shares_of(widths, size), strict=True)] if layered else [sum(widths) - size]
            for size in self.sizes
            for _ in self.numbers
        ]
        return self.engine.without_units(small, lowest_of(scores[self.rows], small, torch.tensor(gone))), scored

    def trained(self, small: Any) -> TrainingResult:
        """The small networks, trained until the target; by distillation, those of each teacher by themselves."""
        known, data, key = self.settings, self.data[0], self.keys["training"][self.rows]
        options: dict[str, Any] = {"steps": known.recovery_steps if known.prunes else known.steps, "target": known.target}
        if known.method != "distill":
            return self.train(small, data, key, **options)
        groups = (
            [torch.arange(len(small))] if self.shared else [torch.nonzero(self.rows == row).flatten() for row in range(len(self.numbers))]
        )
        parts = []
        for teacher, rows in enumerate(groups):
            taught = self.engine.taught(data, self.models.select([teacher]), self.tasks[0].loss, known.mixing, known.temperature)
            parts.append(self.train(small.select(rows), taught, key[rows], **options))
        return joined(parts, groups)

    def train(self, members: Any, rows: Any, key: Tensor, *, capture: Capture | None = None, **options: Any) -> TrainingResult:
        """``learn``, with what all trainings have in common."""
        names = ("batch_size", "learning_rate", "check_every", "input_noise", "max_members")
        saved = None if self.checkpoint is None else self.checkpoint.training(capture)
        watch = None if capture is None else capture.watch
        return learn(members, rows, key, watch=watch, saved=saved, **{name: getattr(self.settings, name) for name in names}, **options)

    def note(self, phase: str, population: Any, examples: Tensor) -> None:
        """Add the units, examples and accuracies of all members to the history."""
        sizes = [None] if phase in SHARED_PHASES else self.sizes
        members = [(number, size) for size in sizes for number in self.numbers]
        units = self.engine.alive(population).sum(dim=1).tolist()
        scores = [evaluate_in_parts(population, data, self.settings.max_members).accuracy.tolist() for data in self.tested]
        pairs = zip(*scores, strict=True) if len(scores) == 2 else ((accuracy, math.nan) for accuracy in scores[0])
        rows = zip(members, units, examples.tolist(), pairs, strict=True)
        self.history.extend(Stage(*member, phase, left, used, *pair) for member, left, used, pair in rows)

    def narrowed(self, learnt: TrainingResult) -> tuple[Narrowed, ...]:
        """Every member after its training, with its numbers in the history."""
        stages, revived = ([stage for stage in self.history if stage.phase == phase] for phase in ("learnt", "revived"))
        task, accurate = self.tasks[0], (~learnt.examples.isnan() | (self.settings.target is None)).tolist()
        names = {"input_names": task.input_names, "output_names": task.output_names}
        found = []
        for row, stage in enumerate(stages):
            origin = {"method": self.settings.method, "seed": stage.seed, "units": stage.asked, **task.origin}
            facts = {**self.facts, "accuracy": stage.accuracy_keep, **names, "origin": origin, "loss": task.loss}
            network = self.engine.export(learnt.population, row, facts)
            size = self.sizes[row // len(self.numbers)]
            reached, accuracy = accurate[row] and stage.units <= size, learnt.score.accuracy[row].item()
            after = revived[row].accuracy_forget if revived else math.nan
            accuracies = (accuracy, stage.accuracy_keep, stage.accuracy_forget, after)
            found.append(Narrowed(stage.seed, size, network, stage.examples, reached, *accuracies))
        return tuple(found)
