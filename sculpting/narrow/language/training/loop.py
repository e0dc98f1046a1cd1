"""The one training loop of language models: recovery, group lasso, distillation, training from scratch, revival."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from torch import Tensor

from ....progress import Progress
from ..groups.finding import GroupLayer
from ..text.windows import PackedWindows
from .lasso import LassoPenalty
from .settings import LanguageTraining, TrainedLanguage
from .trainer import Trainer

__all__ = ["train_language"]


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
        It is moved to the device; its parameters that require gradients are trained.
    windows : PackedWindows
    validation : mapping of str to integer Tensor of shape (W, T)
        Held-out windows. The first decides what ``"best"`` means.
    settings : LanguageTraining
    lasso : LassoPenalty, optional
        Of the groups of ``layers``, by a proximal step after each step of AdamW.
    teacher : transformers.PreTrainedModel, optional
        Of the same vocabulary, to distil from. It is as before at the end.
    checkpoint : str or Path, optional
        A file that is written at each evaluation, whole or not at all; a call with the same arguments goes on from it, with the same losses
        on the same machine. The model must be as it was at first: read it again after an interruption.
    device : str, optional
        ``"cpu"`` to leave a GPU alone; otherwise the one that ``accelerate`` chooses.
    progress : bool or callable
        A bar with the loss, tokens a second and the time left, nothing, or ``progress(step, steps)``.

    Raises
    ------
    ValueError
        When an argument does not fit or the checkpoint is of another call; and when a loss is not finite: the model then has the weights of
        the last evaluation, or of the best with ``select="best"``, and the checkpoint is that of the last evaluation.
    torch.OutOfMemoryError
        When the memory is too small for one window.
    """
    return Trainer(model, windows, validation, settings, lasso, tuple(layers), teacher, checkpoint, device).run(progress)
