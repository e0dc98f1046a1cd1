"""How a language model is trained, and what a training gives."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch

from ....options import check_amounts, check_choice, check_counts
from ....randomness import check_seed

__all__ = ["PRECISIONS", "CurvePoint", "LanguageTraining", "TrainedLanguage"]

PRECISIONS: dict[str, Any] = {"float32": None, "bfloat16": torch.bfloat16}


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
        Of AdamW; and the norm to which gradients are cut, 0 for not at all.
    precision : {"float32", "bfloat16"}
        Of the forward in training; weights stay as they are, and so do evaluations. On CPUs without bfloat16 units it is ten times slower.
    every : int
        Steps between evaluations on held-out windows, and between checkpoints.
    select : {"last", "best"}
        Which weights the model has in the end: the last, or those of the evaluation with the lowest loss on the first validation set.
    temperature, mixing : float
        Of distillation, where there is a teacher; see ``distilled_loss``. The published values.
    seed : int
        Of the order of the windows, and of dropout.
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
        check_amounts(
            learning_rate=self.learning_rate, weight_decay=self.weight_decay, clip=self.clip,
            warm_up=self.warm_up, mixing=self.mixing, temperature=self.temperature,
        )  # fmt: skip
        check_choice("precision", self.precision, tuple(PRECISIONS))
        check_choice("select", self.select, ("last", "best"))
        check_seed(self.seed)
        if self.warm_up > 1 or self.mixing > 1 or self.temperature == 0:
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
        Of training alone, without evaluations and checkpoints; NaN where nothing was trained in this call.
    notes : tuple of str
    """

    curve: tuple[CurvePoint, ...]
    selected: CurvePoint
    tokens_per_second: float
    notes: tuple[str, ...] = ()
