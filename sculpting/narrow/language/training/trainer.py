"""What the training loop holds: the model, the optimiser, the curve so far and the weights to go back to.

W = windows, T = tokens of a window, G = groups of one layer.
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from contextlib import ExitStack, nullcontext
from pathlib import Path
from typing import Any, NoReturn

import torch
from torch import Tensor, nn

from ....files import check_file
from ....progress import Progress
from ....randomness import keys
from ..groups.finding import GroupLayer
from ..modes import modes_kept
from ..text.windows import PackedWindows
from .checkpointing import Expected, Saved, first_identity_of, identity_of, read_checkpoint, write_checkpoint
from .lasso import LassoPenalty, shrink
from .loss import distilled_loss, evaluated, next_token_loss
from .processes import placed, processes_of
from .progress import training_bar
from .settings import PRECISIONS, CurvePoint, LanguageTraining, TrainedLanguage

__all__ = ["Trainer"]

MOMENTS = ("exp_avg", "exp_avg_sq", "step")


class Trainer:
    """One training; see :func:`train_language`."""

    def __init__(
        self, model: Any, windows: PackedWindows, validation: Mapping[str, Tensor], settings: LanguageTraining,
        lasso: LassoPenalty | None, layers: tuple[GroupLayer, ...], teacher: Any, checkpoint: str | Path | None, device: str | None,
    ) -> None:  # fmt: skip
        self.model, self.windows, self.validation, self.settings, self.teacher = model, windows, dict(validation), settings, teacher
        self.lasso, self.layers, self.path = lasso, layers, None if checkpoint is None else Path(checkpoint)
        self.named = {name: tensor for name, tensor in model.named_parameters() if tensor.requires_grad}
        self._check()
        self.identity = "" if self.path is None else identity_of(model, teacher, windows, self.validation, settings, lasso, layers)
        self.processes = processes_of(device)
        model.to(self.processes.device)
        self.processes.agree(model.parameters())
        self.optimiser = torch.optim.AdamW(self.named.values(), lr=settings.learning_rate, weight_decay=settings.weight_decay)
        self.step_tokens = settings.batch_size * windows.length
        self.steps = -(-settings.tokens // self.step_tokens)
        self.at_once = min(settings.windows_at_once or settings.batch_size, -(-settings.batch_size // self.processes.count))
        self.notes: list[str] = []
        self.curve: list[CurvePoint] = []
        self.kept: Mapping[str, Tensor] | None = None

    def _check(self) -> None:
        if not self.named:
            raise ValueError("the model must have parameters that require gradients; got none. Call model.requires_grad_(True)")
        if self.settings.select == "best" and not self.validation:
            raise ValueError("validation must have held-out windows for select='best'; got none")
        empty = [name for name, windows in self.validation.items() if windows.ndim != 2 or not len(windows)]
        if empty:
            raise ValueError(f"validation must have windows of shape (windows, tokens); got none in {empty[0]!r}")
        if self.lasso is not None and not self.layers:
            raise ValueError("layers must have the groups that the penalty is of; got none")
        if self.path is not None:
            check_file(self.path, "checkpoint")

    def run(self, progress: Progress) -> TrainedLanguage:
        first, seconds, since, total = self._resume(), 0.0, 0, 0.0
        device, main = self.processes.device, self.processes.index == 0
        with ExitStack() as stack:
            stack.enter_context(modes_kept(self.model))
            stack.enter_context(torch.random.fork_rng(devices=[device] if device.type == "cuda" else []))
            if self.teacher is not None:
                stack.enter_context(placed(self.teacher, device))
                stack.enter_context(modes_kept(self.teacher))
                self.teacher.eval()
            if not self.curve:
                self._evaluate(0, math.nan)
            show = stack.enter_context(training_bar(progress, first, self.steps, self.step_tokens, shown=main))
            for step in range(first, self.steps):
                start = time.perf_counter()
                loss = self._step(step)
                seconds, since, total = seconds + time.perf_counter() - start, since + 1, total + loss
                if (step + 1) % self.settings.every == 0 or step + 1 == self.steps:
                    self._evaluate(step + 1, total / since)
                    since, total = 0, 0.0
                    self._save(step + 1)
                show(step + 1, loss)
        if self.settings.select == "best":
            self._restore()
        speed = (self.steps - first) * self.step_tokens / seconds if seconds else math.nan
        return TrainedLanguage(tuple(self.curve), self._selected(), speed, tuple(self.notes))

    def _step(self, step: int) -> float:
        """One step of the optimiser; its loss, of before it."""
        batch = self.windows.batch(step, self.settings.batch_size, self.settings.seed)
        rate = self.settings.rate(step, self.steps)
        for group in self.optimiser.param_groups:
            group["lr"] = rate
        self.model.train()
        loss = self._gradients(batch, step)
        norm = nn.utils.clip_grad_norm_(self.named.values(), self.settings.clip or math.inf)
        if not math.isfinite(loss) or not bool(torch.isfinite(norm)):
            self._not_finite(f"{loss:g} with a gradient of norm {float(norm):g} at step {step + 1}")
        self.optimiser.step()
        if self.lasso is not None:
            state = self.optimiser.state
            moments = {name: state[tensor]["exp_avg"] for name, tensor in self.named.items() if tensor in state}
            shrink(self.model, self.layers, self.lasso, rate, moments)
        return loss

    def _gradients(self, batch: Tensor, step: int) -> float:
        """The gradients of the mean loss over a batch, summed over parts of it and over processes; the loss.

        Processes talk to one another only once all have their part or none, so that none waits for one whose memory ran out.
        """
        while True:
            loss = self._own_gradients(batch, step)
            failed, total = self.processes.sums(loss is None, 0.0 if loss is None else loss)
            if not failed:
                self.processes.add_gradients(self.named.values())
                return total
            self.optimiser.zero_grad(set_to_none=True)
            if self.at_once == 1:
                raise torch.OutOfMemoryError(
                    f"memory must hold one window of {self.windows.length:,} tokens, forward and backward; got too little. "
                    "Take shorter windows, or enable gradient checkpointing"
                )
            self.at_once //= 2
            self.notes.append(f"memory ran out; from then on {self.at_once} windows at once")

    def _own_gradients(self, batch: Tensor, step: int) -> float | None:
        """Those of the share of this process, and its part of the mean loss; None when memory ran out."""
        self.optimiser.zero_grad(set_to_none=True)
        mine = self.processes.share(batch).to(self.processes.device)
        seed = keys([("dropout", self.settings.seed, step, self.processes.index)])[0]
        torch.manual_seed(int(seed[0].long() << 32 | seed[1].long() & 0xFFFFFFFF))
        total = torch.zeros((), dtype=torch.float32, device=mine.device)
        try:
            for part in mine.split(self.at_once) if len(mine) else ():
                with self._autocast():
                    loss = self._loss(part) * (len(part) / len(batch))
                loss.backward()
                total = total + loss.detach()
            return float(total)
        except torch.OutOfMemoryError:
            return None

    def _loss(self, part: Tensor) -> Tensor:
        if self.teacher is None:
            return next_token_loss(self.model, part)
        return distilled_loss(self.model, self.teacher, part, self.settings.mixing, self.settings.temperature)

    def _autocast(self) -> Any:
        dtype = PRECISIONS[self.settings.precision]
        return nullcontext() if dtype is None else torch.autocast(self.processes.device.type, dtype)

    def _evaluate(self, step: int, training: float) -> None:
        losses = {}
        for name, windows in self.validation.items():
            own = self.processes.share(windows)
            [total] = self.processes.sums(float(evaluated(self.model, own, self.at_once).sum()) if len(own) else 0.0)
            losses[name] = total / len(windows)
        if not all(map(math.isfinite, losses.values())):
            self._not_finite(f"{losses} on held-out windows after {step} steps")
        self.curve.append(CurvePoint(step, step * self.step_tokens, training, losses))
        if self._selected() is self.curve[-1]:
            self._keep()

    def _selected(self) -> CurvePoint:
        if self.settings.select == "last":
            return self.curve[-1]
        first = next(iter(self.validation))
        return min(self.curve, key=lambda point: (point.losses[first], point.step))

    def _keep(self) -> None:
        """Hold the weights of now, to go back to them."""
        self.kept = {name: tensor.detach().to("cpu", copy=True) for name, tensor in self.model.state_dict().items()}

    def _restore(self) -> None:
        if self.kept is not None:
            self.model.load_state_dict(self.kept)

    def _not_finite(self, got: str) -> NoReturn:
        self._restore()
        self.optimiser.zero_grad(set_to_none=True)
        state = f" The model has the weights of its {self.settings.select} evaluation" if self.kept is not None else ""
        saved = f", and {self.path} is that of the last" if self.path is not None and self.path.exists() else ""
        raise ValueError(f"the loss must stay finite; got {got}.{state}{saved}. Check the weights, or take a lower learning_rate")

    def _save(self, step: int) -> None:
        if self.path is not None and self.processes.index == 0:
            state = self.optimiser.state
            moments = {f"{kind}.{name}": state[t][kind] for name, t in self.named.items() if t in state for kind in MOMENTS}
            curve = [[p.step, p.tokens, p.training, dict(p.losses)] for p in self.curve]
            best = self.kept if self.settings.select == "best" else None
            write_checkpoint(self.path, Saved(step, curve, dict(self.named), moments, best), self.identity)

    def _resume(self) -> int:
        if self.path is None or not self.path.exists():
            return 0
        best = self.model.state_dict() if self.settings.select == "best" else None
        expected = Expected(self.named, best, [*self.validation], self.settings.every, self.steps, self.step_tokens)
        call = (self.model, self.teacher, self.windows, self.validation, self.settings, self.lasso, self.layers)
        saved = read_checkpoint(self.path, self.identity, expected, lambda: first_identity_of(*call))
        with torch.no_grad():
            for name, tensor in self.named.items():
                tensor.copy_(saved.weights[name])
                if f"step.{name}" in saved.moments:
                    found = {kind: saved.moments[f"{kind}.{name}"] for kind in MOMENTS}
                    self.optimiser.state[tensor] = {kind: v if kind == "step" else v.to(tensor.device) for kind, v in found.items()}
        self.curve = [CurvePoint(step, tokens, math.nan if loss is None else loss, losses) for step, tokens, loss, losses in saved.curve]
        self.kept = saved.best
        if self.kept is None:
            self._keep()
        return saved.step
