"""The loss of a language model on packed windows of tokens, in nats a token.

W = windows, T = tokens of a window, V = vocabulary.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from ..groups.slices import wide
from ..modes import evaluating

__all__ = ["distilled_loss", "evaluated", "mean_loss", "next_token_loss"]


def next_token_loss(model: Any, windows: Tensor) -> Tensor:
    """The mean cross-entropy of each token given those before it, in nats: a scalar, of integer ``windows (W, T)`` without padding."""
    return _cross_entropy(logits_of(model, windows), windows).mean()


def logits_of(model: Any, windows: Tensor) -> Tensor:
    """The logits that predict all tokens but the first of each window, at least float32 ``(W, T - 1, V)``."""
    logits: Tensor = model(input_ids=windows, use_cache=False).logits[:, :-1]
    return wide(logits)


def _cross_entropy(logits: Tensor, windows: Tensor) -> Tensor:
    """The cross-entropy of each token but the first of its window: ``(W, T - 1)``."""
    return F.cross_entropy(logits.flatten(0, 1), windows[:, 1:].flatten(), reduction="none").view(len(windows), -1)


def distilled_loss(model: Any, teacher: Any, windows: Tensor, mixing: float, temperature: float) -> Tensor:
    """``(1 - m) cross-entropy + m T^2 KL(teacher at T || model at T)``, the mean over tokens: a scalar.

    References
    ----------
    Hinton, Vinyals and Dean, "Distilling the knowledge in a neural network", 2015; Michaud, Parker-Sartori and Tegmark, "On the creation of
    narrow AI", NeurIPS 2025, with m = 0.5 and T = 2.
    """
    logits = logits_of(model, windows)
    with torch.no_grad():
        wanted = F.log_softmax(logits_of(teacher, windows) / temperature, -1)
    divergence = F.kl_div(F.log_softmax(logits / temperature, -1), wanted, reduction="none", log_target=True).sum(-1).mean()
    return (1 - mixing) * _cross_entropy(logits, windows).mean() + mixing * temperature**2 * divergence


def mean_loss(model: Any, windows: Tensor, batch_size: int = 4) -> float:
    """The loss on all windows in nats a token, in evaluation mode; each token counts the same."""
    return float(evaluated(model, windows, batch_size).mean())


def evaluated(model: Any, windows: Tensor, batch_size: int = 4) -> Tensor:
    """The loss of each window in nats a token, in evaluation mode: float64 ``(W,)`` on the CPU. Halves batches where memory is short."""
    with evaluating(model), torch.no_grad():
        return torch.cat([_evaluated(model, part) for part in windows.split(batch_size)])


def _evaluated(model: Any, windows: Tensor) -> Tensor:
    place = next(model.parameters()).device
    try:
        return _cross_entropy(logits_of(model, windows.to(place)), windows.to(place)).mean(1).double().cpu()
    except torch.OutOfMemoryError:
        if len(windows) == 1:
            raise
    return torch.cat([_evaluated(model, part) for part in windows.split(-(-len(windows) // 2))])
