"""The phases of ``narrow_language``, one after the other.

G = groups of one layer.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ... import __version__
from ...progress import Progress
from .frontier import sparsity_curve
from .groups.finding import GroupLayer, LanguageGroups, language_groups
from .groups.removal import removed_groups
from .groups.slices import all_alive
from .groups.students import fresh_student
from .options import LanguageSettings
from .phases import Phase, SparsityPoint
from .results import LanguageResult
from .scores.scoring import group_norms, group_scores
from .scores.selection import lowest_groups
from .text.text_domains import TextDomain
from .training.lasso import dead_groups
from .training.loop import train_language
from .training.loss import mean_loss
from .training.processes import processes_of
from .training.settings import LanguageTraining, TrainedLanguage

__all__ = ["KIND_OF", "NarrowingRun"]

KIND_OF = {"neurons": "sparsity", "residual": "residual", "heads": "heads"}
SCORED_TOGETHER = 4  # windows in one backward of the scores


class NarrowingRun:
    """What one call made so far; see :func:`narrow_language`."""

    def __init__(
        self, model: Any, groups: LanguageGroups, keep: TextDomain, forget: TextDomain | None, known: LanguageSettings,
        folder: Path | None, device: str | None, progress: Progress,
    ) -> None:  # fmt: skip
        self.groups = groups
        self.model, self.keep, self.forget, self.known = model, keep, forget, known
        self.folder, self.device, self.progress = folder, device, progress
        self.phases: list[Phase] = []
        self.notes: list[str] = []
        self.frontier: tuple[SparsityPoint, ...] = ()
        self.tokens = self.zeros = 0

    def result(self) -> LanguageResult:
        known = self.known
        self._end("model", self.model, None)
        narrow = self._fresh() if known.score is None else self._pruned()
        control = self._control()
        if known.revival_tokens:
            self._revive("revived", narrow)
            if control is not None:
                self._revive("control revived", control)
        return LanguageResult(narrow.eval(), known.method, tuple(self.phases), self.frontier, self._facts(), tuple(self.notes))

    def _facts(self) -> dict[str, Any]:
        """The settings, what they were used on, and the versions."""
        names = {"model": str(self.model.config.name_or_path), "keep": self.keep.name, "forget": self.forget and self.forget.name}
        versions = {"sculpting": __version__, **{name: version(name) for name in ("torch", "transformers")}}
        return {**self.known.plain(), **names, "versions": versions}

    def _fresh(self) -> Any:
        known = self.known
        student = fresh_student(self.model, self.groups, neurons=known.sparsity, residual=known.residual, seed=known.seed)
        teacher = self.model if known.method == "distill" else None
        phase = "distilled" if teacher is not None else "scratch"
        usual = LanguageSettings()
        if ignored := [name for name in ("scope", "scored_tokens") if getattr(known, name) != getattr(usual, name)]:
            self.notes.append(f"{' and '.join(ignored)} had no effect: nothing of a fresh model is scored, and its layers have one width")
        self._train(phase, student, known.training, teacher=teacher)
        return student

    def _pruned(self) -> Any:
        known, narrow = self.known, self.model
        if known.method == "group-lasso":
            narrow = self._with_lasso(copy.deepcopy(narrow).requires_grad_(True))
        for number in range(1, known.rounds + 1):
            groups = self.groups if number == 1 else language_groups(narrow)
            alive = self._alive(narrow, groups, number / known.rounds, first=number == 1)
            # Widths of their own only at the end: groups are found in models of one width.
            smaller = removed_groups(narrow, groups, alive, uneven=known.uneven and number == known.rounds)
            narrow, self.zeros = smaller.model, smaller.zeros
            self.notes += [note for note in smaller.notes if note not in self.notes]
            suffix = f" {number}" if known.rounds > 1 else ""
            self._end(f"pruned{suffix}", narrow, None)
            if known.recover:
                budget = replace(known.training, tokens=max(1, known.training.tokens // known.rounds))
                self._train(f"recovered{suffix}", narrow, budget)
        return narrow

    def _with_lasso(self, model: Any) -> Any:
        known, layers = self.known, self.groups.of("neurons")
        # The best evaluation would be one without zeros.
        settings = replace(known.training, tokens=known.penalised_tokens, select="last")
        self._train("group-lasso", model, settings, lasso=True, layers=layers)
        dead = dead_groups(model, layers)
        count, total = sum(int(each.sum()) for each in dead), sum(layer.size for layer in layers)
        self.notes.append(f"the group lasso set {count:,} of {total:,} neurons to zero; {self._shrinkage(model, layers, settings)}")
        return model

    def _shrinkage(self, model: Any, layers: Sequence[GroupLayer], settings: LanguageTraining) -> str:
        """What the penalty takes off every norm in all, beside the norms."""
        steps = -(-settings.tokens // (settings.batch_size * self.known.length))
        taken = self.known.lasso.strength * sum(settings.rate(step, steps) for step in range(steps))
        middle = float(torch.cat([group_norms(self.model, layer) for layer in layers]).median())
        return f"strength x the sum of learning rates is {taken:.2g}, and the median norm was {middle:.2g} before"

    def _alive(self, model: Any, groups: LanguageGroups, part: float, *, first: bool) -> list[Tensor]:
        """Which groups are left after a part of all rounds."""
        known = self.known
        wanted = {kind: getattr(known, field) for kind, field in KIND_OF.items()}
        kinds = [kind for kind in KIND_OF if wanted[kind] or (kind == "neurons" and first)]
        scored = [layer for kind in kinds for layer in groups.of(kind)]
        scores = dict(zip((layer.name for layer in scored), self._scores(model, scored), strict=True))
        alive = dict(zip((layer.name for layer in groups.layers), all_alive(groups.layers), strict=True))
        for kind in kinds:
            layers = groups.of(kind)
            own = [scores[layer.name] for layer in layers]
            if kind == "neurons" and first and known.sparsities:
                self.frontier = self._frontier(model, layers, own)
            left = sum(layer.size for layer in self.groups.of(kind)) * (1 - wanted[kind]) ** part
            now = max(0.0, 1 - left / sum(layer.size for layer in layers))
            alive.update(zip((layer.name for layer in layers), lowest_groups(own, now, scope=known.scope), strict=True))
        return [alive[layer.name] for layer in groups.layers]

    def _frontier(self, model: Any, layers: Sequence[GroupLayer], scores: Sequence[Tensor]) -> tuple[SparsityPoint, ...]:
        forget = None if self.forget is None else self.forget.validation
        return sparsity_curve(model, layers, scores, self.keep.validation, forget, self.known.sparsities, self.known.scope)

    def _scores(self, model: Any, layers: Sequence[GroupLayer]) -> list[Tensor]:
        """Scores on the first windows of the order in which the text is trained on; those count as used where they are read."""
        known = self.known
        score = known.score
        assert score is not None
        count = min(len(self.keep.train), -(-known.scored_tokens // known.length))
        windows = self.keep.train.batch(0, count, known.seed)
        if score not in ("norm", "random"):
            self.tokens += count * known.length
        together = min(SCORED_TOGETHER, known.training.windows_at_once or SCORED_TOGETHER)
        found = group_scores(model, layers, windows, score, batch_size=together, seed=known.seed)
        for each, dead in zip(found, dead_groups(model, layers), strict=True):
            each[dead] = 0  # zeros that fill up a layer go first, whatever the score
        processes_of(self.device).agree(found)
        return found

    def _control(self) -> Any:
        known = self.known
        if not known.control:
            return None
        control, used, zeros = copy.deepcopy(self.model).requires_grad_(True), self.tokens, self.zeros
        self.tokens = self.zeros = 0
        self._train("control", control, replace(known.training, tokens=known.trained_tokens))
        self.tokens, self.zeros = used, zeros
        return control

    def _revive(self, name: str, model: Any) -> None:
        assert self.forget is not None
        other = NarrowingRun(copy.deepcopy(model), self.groups, self.forget, self.keep, self.known, self.folder, self.device, self.progress)
        other.zeros = self.zeros if name == "revived" else 0
        other._train(name, other.model, replace(self.known.training, tokens=self.known.revival_tokens))
        [phase] = other.phases
        self.notes += other.notes
        curve = tuple(replace(p, losses={"keep": p.losses["forget"], "forget": p.losses["keep"]}) for p in phase.curve)
        self.phases.append(replace(phase, keep=phase.forget, forget=phase.keep, curve=curve))

    def _train(
        self, name: str, model: Any, settings: LanguageTraining, *,
        teacher: Any = None, lasso: bool = False, layers: tuple[GroupLayer, ...] = (),
    ) -> None:  # fmt: skip
        validation = {"keep": self.keep.validation}
        if self.forget is not None:
            validation["forget"] = self.forget.validation
        path = None if self.folder is None else self.folder / f"{name.replace(' ', '-')}.safetensors"
        trained = train_language(
            model, self.keep.train, validation, settings, lasso=self.known.lasso if lasso else None, layers=layers, teacher=teacher,
            checkpoint=path, device=self.device, progress=self.progress,
        )  # fmt: skip
        self.tokens += trained.selected.tokens
        self.notes += trained.notes
        self._end(name, model, trained)

    def _end(self, name: str, model: Any, trained: TrainedLanguage | None) -> None:
        forget = math.nan if self.forget is None else mean_loss(model, self.forget.test)
        curve, speed = (trained.curve, trained.tokens_per_second) if trained is not None else ((), math.nan)
        living = int(model.num_parameters()) - self.zeros
        self.phases.append(Phase(name, living, self.tokens, mean_loss(model, self.keep.test), forget, curve, speed, self.zeros))
