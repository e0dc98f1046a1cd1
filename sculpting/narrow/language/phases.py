"""What each phase of ``narrow_language`` gives."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from .training.settings import CurvePoint

__all__ = ["Phase", "SparsityPoint"]


class SparsityPoint(NamedTuple):
    """The loss in nats a token when a fraction of all neurons is zero, without any training; ``forget`` is NaN where there is none."""

    sparsity: float
    keep: float
    forget: float


@dataclass(frozen=True)
class Phase:
    """A model at the end of a phase.

    Attributes
    ----------
    name : str
        ``"model"``, ``"group-lasso"``, ``"pruned"``, ``"recovered"``, ``"distilled"``, ``"scratch"``, ``"revived"``; ``"control"`` is the
        model that was trained on the same text without pruning, and ``"control revived"`` that one after the same training on what was
        to be forgotten.
    parameters : int
        Of the model, each shared one once, without the ``zeros``.
    zeros : int
        Parameters that only fill up layers of different widths.
    tokens : int
        Training tokens so far on the text to keep, those that were scored included; in a revival those on the text to forget. Where the
        best evaluation is selected, those up to it.
    keep, forget : float
        The loss on test windows, in nats a token; NaN without ``forget``.
    curve : tuple of CurvePoint
        Evaluations on validation windows during the training of the phase.
    tokens_per_second : float
    """

    name: str
    parameters: int
    tokens: int
    keep: float
    forget: float
    curve: tuple[CurvePoint, ...] = ()
    tokens_per_second: float = float("nan")
    zeros: int = 0
