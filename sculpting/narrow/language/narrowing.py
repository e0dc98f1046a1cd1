"""``narrow_language``: a small language model of one domain, made from a large one of many.

G = groups of one layer.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from torch import Tensor

from .groups import GroupLayer, LanguageGroups, language_groups
from .lasso import dead_groups
from .loading import check_installed, load_language
from .loss import mean_loss
from .options import LanguageSettings
from .removal import removed_groups
from .results import LanguageResult, Phase, SparsityPoint
from .scoring import group_scores
from .selection import lowest_groups
from .slices import all_alive, without
from .students import fresh_student
from .text_domain import TextDomain, two_domains
from .training import LanguageTraining, Progress, TrainedLanguage, train_language

__all__ = ["narrow_language", "sparsity_curve"]

KIND_OF = {"neurons": "sparsity", "residual": "residual", "heads": "heads"}


def narrow_language(
    model: Any,
    keep: Any,
    forget: Any = None,
    *,
    tokenizer: Any = None,
    checkpoint: str | Path | None = None,
    device: str | None = None,
    progress: Progress = True,
    **settings: Any,
) -> LanguageResult:
    """A small language model that does what the text of ``keep`` asks, and how much of ``forget`` it lost.

    Parameters
    ----------
    model : transformers.PreTrainedModel, str or Path
        A decoder whose groups :func:`language_groups` finds; or where to read one, see :func:`load_language`. It is not changed.
    keep, forget : str, Path, sequence of texts, or TextDomain
        The text that the model is scored and trained on, and that on which it is also evaluated; see :func:`read_documents`. Text is split
        by document, and near-duplicates never straddle a split.
    tokenizer : transformers.PreTrainedTokenizerBase, optional
        That of the model; not needed for a model that is read here, or for domains that are tokens already.
    checkpoint : str or Path, optional
        A folder in which every training keeps a checkpoint, so that the same call goes on where it was stopped.
    device : str, optional
        ``"cpu"``, or the one that ``accelerate`` chooses.
    progress : bool or callable
        See :func:`train_language`.
    **settings
        Fields of :class:`LanguageSettings` and of :class:`LanguageTraining`, such as ``method``, ``sparsity``, ``tokens``, ``seed``.

    Returns
    -------
    LanguageResult

    Raises
    ------
    TypeError, ValueError
        Before any training when an argument does not fit; and when a loss is not finite.
    ImportError
        Without ``transformers`` and ``accelerate``.

    Notes
    -----
    Groups are removed before the training that follows, so that it costs what the small model costs. Losses are those of test windows, of
    documents that nothing was trained, scored or selected on. The published study counted training losses, of single runs.

    References
    ----------
    Michaud, Parker-Sartori and Tegmark, "On the creation of narrow AI", NeurIPS 2025.

    Examples
    --------
    >>> result = narrow_language("smollm2", "python", "english", sparsity=0.5, tokens=10_000)  # doctest: +SKIP
    >>> print(result)  # doctest: +SKIP
    """
    known = settings_of(settings)
    check_installed()
    if isinstance(model, (str, Path)):
        model, read = load_language(model)
        tokenizer = read if tokenizer is None else tokenizer
    if tokenizer is None and not (isinstance(keep, TextDomain) and isinstance(forget, TextDomain | None)):
        raise TypeError("tokenizer must be that of the model; got none. Give it, or the folder of the model in place of the model")
    domains = two_domains(
        keep, forget, tokenizer, int(model.config.vocab_size),
        length=known.length, held_out=known.held_out, limit=known.limit, seed=known.seed,
    )  # fmt: skip
    return _Run(model, *domains, known, None if checkpoint is None else Path(checkpoint), device, progress).result()


def settings_of(given: dict[str, Any]) -> LanguageSettings:
    """Settings from the fields of both classes; ```seed`` is one for both."""
    own, training = ({field.name for field in fields(kind)} for kind in (LanguageSettings, LanguageTraining))
    if unknown := sorted(given.keys() - own - training):
        raise TypeError(f"settings must be fields of LanguageSettings or LanguageTraining, {sorted(own | training)}; got {unknown[0]!r}")
    known = LanguageSettings(**{name: value for name, value in given.items() if name in own})
    return replace(known, training=replace(known.training, **{name: value for name, value in given.items() if name in training}))


def sparsity_curve(
    model: Any, layers: tuple[GroupLayer, ...], scores: list[Tensor], keep: Tensor, forget: Tensor | None, sparsities: tuple[float, ...]
) -> tuple[SparsityPoint, ...]:
    """The loss on two sets of windows when the groups with the lowest scores are zero, at several sparsities."""
    found = []
    for sparsity in sparsities:
        with without(model, layers, lowest_groups(scores, sparsity)):
            losses = [math.nan if windows is None else mean_loss(model, windows) for windows in (keep, forget)]
        found.append(SparsityPoint(sparsity, *losses))
    return tuple(found)


class _Run:
    def __init__(
        self, model: Any, keep: TextDomain, forget: TextDomain | None, known: LanguageSettings,
        folder: Path | None, device: str | None, progress: Progress,
    ) -> None:  # fmt: skip
        self.model, self.keep, self.forget, self.known = model, keep, forget, known
        self.folder, self.device, self.progress = folder, device, progress
        self.phases: list[Phase] = []
        self.notes: list[str] = []
        self.frontier: tuple[SparsityPoint, ...] = ()
        self.tokens = 0

    def result(self) -> LanguageResult:
        known = self.known
        self._end("model", self.model, None)
        narrow = self._fresh() if known.score is None else self._pruned()
        control = self._control()
        if known.revival_tokens and self.forget is not None:
            self._revive("revived", narrow)
            if control is not None:
                self._revive("control revived", control)
        return LanguageResult(narrow, known.method, tuple(self.phases), self.frontier, known.plain(), tuple(self.notes))

    def _fresh(self) -> Any:
        known = self.known
        student = fresh_student(self.model, language_groups(self.model), neurons=known.sparsity, residual=known.residual, seed=known.seed)
        teacher = self.model if known.method == "distill" else None
        phase = "distilled" if teacher is not None else "scratch"
        self._train(phase, student, known.training, teacher=teacher)
        return student

    def _pruned(self) -> Any:
        known, narrow = self.known, self.model
        if known.method == "group-lasso":
            narrow = self._with_lasso(copy.deepcopy(narrow))
        whole = language_groups(narrow)
        for number in range(1, known.rounds + 1):
            groups = whole if number == 1 else language_groups(narrow)
            alive = self._alive(narrow, whole, groups, number / known.rounds, first=number == 1)
            smaller = removed_groups(narrow, groups, alive, uneven=known.uneven)
            narrow = smaller.model
            self.notes += [note for note in smaller.notes if note not in self.notes]
            suffix = f" {number}" if known.rounds > 1 else ""
            self._end(f"pruned{suffix}", narrow, None)
            if known.recover:
                budget = replace(known.training, tokens=max(1, known.training.tokens // known.rounds))
                self._train(f"recovered{suffix}", narrow, budget)
        return narrow

    def _with_lasso(self, model: Any) -> Any:
        known, layers = self.known, language_groups(model).of("neurons")
        self._train("group-lasso", model, replace(known.training, tokens=known.lasso_tokens), lasso=True, layers=layers)
        dead = dead_groups(model, layers)
        count, total = sum(int(each.sum()) for each in dead), sum(layer.size for layer in layers)
        self.notes.append(f"the group lasso set {count:,} of {total:,} neurons to zero")
        return model

    def _alive(self, model: Any, whole: LanguageGroups, groups: LanguageGroups, part: float, *, first: bool) -> list[Tensor]:
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
                forget = None if self.forget is None else self.forget.validation
                self.frontier = sparsity_curve(model, layers, own, self.keep.validation, forget, known.sparsities)
            left = sum(layer.size for layer in whole.of(kind)) * (1 - wanted[kind]) ** part
            now = max(0.0, 1 - left / sum(layer.size for layer in layers))
            alive.update(zip((layer.name for layer in layers), lowest_groups(own, now, scope=known.scope), strict=True))
        return [alive[layer.name] for layer in groups.layers]

    def _scores(self, model: Any, layers: Sequence[GroupLayer]) -> list[Tensor]:
        """Scores on the first windows of the order in which the text is trained on; those count as used where they are read."""
        known = self.known
        score = known.score
        assert score is not None
        count = min(len(self.keep.train), -(-known.scored_tokens // known.length))
        windows = self.keep.train.batch(0, count, known.seed)
        if score not in ("norm", "random"):
            self.tokens += count * known.length
        return group_scores(model, layers, windows, score, seed=known.seed)

    def _control(self) -> Any:
        known = self.known
        if not known.control:
            return None
        control, used = copy.deepcopy(self.model), self.tokens
        budget = known.training.tokens * known.recover + known.lasso_tokens * (known.method == "group-lasso")
        self.tokens = 0
        self._train("control", control, replace(known.training, tokens=max(1, budget)))
        self.tokens = used
        return control

    def _revive(self, name: str, model: Any) -> None:
        assert self.forget is not None
        other = _Run(copy.deepcopy(model), self.forget, self.keep, self.known, self.folder, self.device, self.progress)
        other._train(name, other.model, replace(self.known.training, tokens=self.known.revival_tokens))
        [phase] = other.phases
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
        self.phases.append(Phase(name, int(model.num_parameters()), self.tokens, mean_loss(model, self.keep.test), forget, curve, speed))
