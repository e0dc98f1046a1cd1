"""The one training loop of language models: recovery, group lasso, distillation, training from scratch, revival.

W = windows, T = tokens of a window, G = groups of one layer.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from tqdm.auto import tqdm

from ...options import check_amounts, check_choice, check_counts
from .checkpointing import Saved, identity_of, read_checkpoint, write_checkpoint
from .groups import GroupLayer
from .lasso import LassoPenalty, shrink
from .loss import distilled_loss, evaluated, next_token_loss
from .windows import PackedWindows

__all__ = ["CurvePoint", "LanguageTraining", "TrainedLanguage", "train_language"]

PRECISIONS = {"float32": None, "bfloat16": torch.bfloat16}
Progress = bool | Callable[[int, int], None]


@dataclass(frozen=True)
class LanguageTraining:
    """Settings of the training of a language model.

    Attributes
    ----------
    tokens : int
        The budget, each token counted every time it is used; rounded up to whole steps.
    batch_size : int
        Windows of one step of the optimiser, those of all processes together.
    windows_at_once : int, optional
        Windows in one forward and backward of a process; gradients of a step are accumulated over several. All of its share when left out.
        Halved where memory runs out.
    learning_rate : float
        The highest: it rises linearly over the first ``warm_up`` of all steps, and falls to 0 like a cosine.
    warm_up : float in [0, 1]
    weight_decay, clip : float
        Of AdamW; and the norm to which gradients are cut.
    precision : {"float32", "bfloat16"}
        Of the forward; weights stay as they are. On CPUs without bfloat16 units it is ten times slower.
    every : int
        Steps between evaluations on held-out windows, and between checkpoints.
    select : {"last", "best"}
        Which weights the model has in the end: the last, or those of the evaluation with the lowest loss on the first validation set.
    temperature, mixing : float
        Of distillation, where there is a teacher; see ``distilled_loss``. The published values.
    seed : int
        Of the order of the windows.
    """

    tokens: int = 1_000_000
    batch_size: int = 8
    windows_at_once: int | None = None
    learning_rate: float = 5e-5
    warm_up: float = 0.05
    weight_decay: float = 0.0
    clip: float = 1.0
    precision: str = "float32"
    every: int = 50
    select: str = "last"
    temperature: float = 2.0
    mixing: float = 0.5
    seed: int = 0

    def __post_init__(self) -> None:
        optional = {} if self.windows_at_once is None else {"windows_at_once": self.windows_at_once}
        check_counts(tokens=self.tokens, batch_size=self.batch_size, every=self.every, **optional)
        check_amounts(learning_rate=self.learning_rate, weight_decay=self.weight_decay, clip=self.clip)
        check_choice("precision", self.precision, tuple(PRECISIONS))
        check_choice("select", self.select, ("last", "best"))
        if not 0 <= self.warm_up <= 1 or not 0 <= self.mixing <= 1 or not self.temperature > 0:
            raise ValueError(
                "warm_up and mixing must be in [0, 1], and temperature positive; "
                f"got {self.warm_up:g}, {self.mixing:g} and {self.temperature:g}"
            )

    def rate(self, step: int, steps: int) -> float:
        """The learning rate of a step."""
        rising = max(1, math.ceil(self.warm_up * steps))
        if step < rising:
            return self.learning_rate * (step + 1) / rising
        return self.learning_rate * 0.5 * (1 + math.cos(math.pi * (step - rising) / max(1, steps - rising)))


@dataclass(frozen=True)
class CurvePoint:
    """An evaluation.

    Attributes
    ----------
    step, tokens : int
        Steps and training tokens so far.
    training : float
        The mean loss of the steps since the evaluation before, NaN at the start.
    losses : mapping of str to float
        On each validation set, in nats a token.
    """

    step: int
    tokens: int
    training: float
    losses: Mapping[str, float]


@dataclass(frozen=True, eq=False)
class TrainedLanguage:
    """What a training did.

    Attributes
    ----------
    curve : tuple of CurvePoint
        The first before any step.
    selected : CurvePoint
        That of the weights which the model has now.
    tokens_per_second : float
        Of training alone; NaN where nothing was trained in this call.
    notes : tuple of str
    """

    curve: tuple[CurvePoint, ...]
    selected: CurvePoint
    tokens_per_second: float
    notes: tuple[str, ...] = field(default=())


def train_language(
    model: Any,
    windows: PackedWindows,
    validation: Mapping[str, Tensor],
    settings: LanguageTraining,
    *,
    lasso: LassoPenalty | None = None,
    layers: Sequence[GroupLayer] = (),
    teacher: Any = None,
    checkpoint: str | Path | None = None,
    device: str | None = None,
    progress: Progress = True,
) -> TrainedLanguage:
    """Train a language model in place.

    Runs as it is under ``accelerate launch`` on several GPUs: each process takes its share of every batch.

    Parameters
    ----------
    model : transformers.PreTrainedModel
    windows : PackedWindows
    validation : mapping of str to integer Tensor of shape (W, T)
        Held-out windows. The first decides what ``"best"`` means.
    settings : LanguageTraining
    lasso : LassoPenalty, optional
        Of the groups of ``layers``, by a proximal step after each step of AdamW.
    teacher : transformers.PreTrainedModel, optional
        Of the same vocabulary, to distil from.
    checkpoint : str or Path, optional
        A file that is written at each evaluation, whole or not at all; a call with the same arguments goes on from it, with the same losses
        on the same machine.
    device : str, optional
        ``"cpu"`` to leave a GPU alone; otherwise the one that ``accelerate`` chooses.
    progress : bool or callable
        A bar with the loss, tokens a second and the time left, nothing, or ``progress(step, steps)``.

    Raises
    ------
    ValueError
        When the checkpoint is of another call, and when a loss is not finite: the model then has the best weights so far, or with
        ``select="last"`` those of before that step, and the checkpoint is that of the last evaluation.
    """
    trainer = _Trainer(model, windows, validation, settings, lasso, tuple(layers), teacher, checkpoint, device)
    return trainer.run(progress)


class _Trainer:
    def __init__(
        self, model: Any, windows: PackedWindows, validation: Mapping[str, Tensor], settings: LanguageTraining,
        lasso: LassoPenalty | None, layers: tuple[GroupLayer, ...], teacher: Any, checkpoint: str | Path | None, device: str | None,
    ) -> None:  # fmt: skip
        from accelerate import Accelerator

        self.model, self.windows, self.validation, self.settings = model, windows, dict(validation), settings
        self.lasso, self.layers, self.path = lasso, layers, None if checkpoint is None else Path(checkpoint)
        self.steps = -(-settings.tokens // (settings.batch_size * windows.length))
        self.accelerator = Accelerator(cpu=device == "cpu")
        self.identity = identity_of(model, windows, settings, lasso, teacher) if self.path is not None else ""
        model.to(self.accelerator.device)
        self.teacher = None if teacher is None else teacher.to(self.accelerator.device).eval()
        self.wrapped = self.accelerator.prepare_model(model)
        self.named = {name: tensor for name, tensor in model.named_parameters() if tensor.requires_grad}
        self.optimiser = torch.optim.AdamW(self.named.values(), lr=settings.learning_rate, weight_decay=settings.weight_decay)
        share = -(-settings.batch_size // self.accelerator.num_processes)
        self.at_once = min(settings.windows_at_once or share, share)
        self.notes: list[str] = []
        self.curve: list[CurvePoint] = []
        self.best: Mapping[str, Tensor] | None = None

    def run(self, progress: Progress) -> TrainedLanguage:
        first = self._resume()
        if not self.curve:
            self._evaluate(0, math.nan)
        start, since, total = time.perf_counter(), 0, 0.0
        with _bar(progress, first, self.steps, self.settings.batch_size * self.windows.length) as show:
            for step in range(first, self.steps):
                loss = self._step(step)
                since, total = since + 1, total + loss
                if (step + 1) % self.settings.every == 0 or step + 1 == self.steps:
                    self._evaluate(step + 1, total / since)
                    since, total = 0, 0.0
                    self._save(step + 1)
                show(step + 1, loss)
        seconds = time.perf_counter() - start
        trained = (self.steps - first) * self.settings.batch_size * self.windows.length
        self._restore()
        return TrainedLanguage(tuple(self.curve), self._selected(), trained / seconds if trained else math.nan, tuple(self.notes))

    def _step(self, step: int) -> float:
        """One step of the optimiser; its loss, of before it."""
        batch = self.windows.batch(step, self.settings.batch_size, self.settings.seed)
        mine = batch[self.accelerator.process_index :: self.accelerator.num_processes].to(self.accelerator.device)
        self.model.train()
        for group in self.optimiser.param_groups:
            group["lr"] = self.settings.rate(step, self.steps)
        loss = self._gradients(mine)
        norm = nn.utils.clip_grad_norm_(self.named.values(), self.settings.clip or math.inf)
        if not math.isfinite(loss) or not bool(torch.isfinite(norm)):
            self._restore()
            raise ValueError(
                f"the loss must stay finite; got {loss:g} at step {step + 1}. The model has its last good weights"
                f"{f', and {self.path} those of the last evaluation' if self.path is not None else ''}. Take a lower learning_rate"
            )
        self.optimiser.step()
        if self.lasso is not None:
            shrink(self.model, self.layers, self.lasso, self.settings.rate(step, self.steps))
        return loss

    def _gradients(self, mine: Tensor) -> float:
        """The gradients of the mean loss over a batch, summed over parts of it; the loss."""
        while True:
            self.optimiser.zero_grad(set_to_none=True)
            parts, loss = mine.split(self.at_once), 0.0
            try:
                for position, part in enumerate(parts):
                    last = position + 1 == len(parts)
                    with nullcontext() if last else self.accelerator.no_sync(self.wrapped), self._autocast():
                        own = self._loss(part) * (len(part) / len(mine))
                        self.accelerator.backward(own)
                    loss += float(own.detach())
                return float(self.accelerator.reduce(torch.tensor(loss, device=mine.device), "mean"))
            except torch.OutOfMemoryError:
                if self.at_once == 1:
                    raise
                self.at_once //= 2
                self.notes.append(f"memory ran out; from then on {self.at_once} windows at once")

    def _loss(self, part: Tensor) -> Tensor:
        if self.teacher is None:
            return next_token_loss(self.wrapped, part)
        return distilled_loss(self.wrapped, self.teacher, part, self.settings.mixing, self.settings.temperature)

    def _autocast(self) -> Any:
        dtype = PRECISIONS[self.settings.precision]
        return nullcontext() if dtype is None else torch.autocast(self.accelerator.device.type, dtype)

    def _evaluate(self, step: int, training: float) -> None:
        count, index = self.accelerator.num_processes, self.accelerator.process_index
        losses = {}
        for name, windows in self.validation.items():
            own = evaluated(self.model, windows[index::count], max(1, self.at_once))
            pair = torch.tensor([float(own.sum()), float(len(own))], device=self.accelerator.device)
            total, windows_seen = self.accelerator.reduce(pair, "sum").tolist()
            losses[name] = total / windows_seen
        self.curve.append(CurvePoint(step, step * self.settings.batch_size * self.windows.length, training, losses))
        if self.settings.select == "best" and self._selected() is self.curve[-1]:
            self.best = {name: tensor.detach().to("cpu", copy=True) for name, tensor in self.model.state_dict().items()}

    def _selected(self) -> CurvePoint:
        if self.settings.select == "last" or not self.validation:
            return self.curve[-1]
        first = next(iter(self.validation))
        return min(self.curve, key=lambda point: (math.inf if math.isnan(point.losses[first]) else point.losses[first], point.step))

    def _restore(self) -> None:
        if self.best is not None:
            self.model.load_state_dict(self.best)

    def _save(self, step: int) -> None:
        if self.path is not None and self.accelerator.is_main_process:
            state = self.optimiser.state
            moments = {
                f"{kind}.{name}": state[tensor][kind] for name, tensor in self.named.items() for kind in ("exp_avg", "exp_avg_sq", "step")
                if tensor in state
            }  # fmt: skip
            curve = [[p.step, p.tokens, p.training, dict(p.losses)] for p in self.curve]
            write_checkpoint(self.path, Saved(step, curve, dict(self.named), moments, self.best), self.identity)

    def _resume(self) -> int:
        if self.path is None or not self.path.exists():
            return 0
        saved = read_checkpoint(self.path, self.identity)
        with torch.no_grad():
            for name, tensor in self.named.items():
                tensor.copy_(saved.weights[name])
                if f"step.{name}" in saved.moments:
                    kinds = ("exp_avg", "exp_avg_sq", "step")
                    moments = {kind: saved.moments[f"{kind}.{name}"] for kind in kinds}
                    self.optimiser.state[tensor] = {
                        kind: value if kind == "step" else value.to(tensor.device) for kind, value in moments.items()
                    }
        self.curve = [CurvePoint(step, tokens, math.nan if loss is None else loss, losses) for step, tokens, loss, losses in saved.curve]
        self.best = saved.best
        return saved.step


@contextmanager
def _bar(progress: Progress, first: int, steps: int, tokens: int) -> Iterator[Callable[[int, float], None]]:
    """A function to call with the steps so far and the loss of the last."""
    with tqdm(
        total=steps * tokens, initial=first * tokens, unit="token", unit_scale=True, desc="training", disable=progress is not True
    ) as bar:

        def show(step: int, loss: float) -> None:
            bar.set_postfix(loss=f"{loss:.3f}", refresh=False)
            bar.update(step * tokens - bar.n)
            if callable(progress):
                progress(step, steps)

        yield show
