"""Which norms a language model has, found by trying them."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from ....models.copying import copy_of

__all__ = ["EPSILONS", "gain_offset", "is_rms_norm"]

EPSILONS = ("rms_norm_eps", "layer_norm_eps", "norm_eps")  # what configurations call the constant of their norms
CLOSE = 1e-3
TRIED = 4  # rows


def is_rms_norm(norm: nn.Module) -> bool:
    """Whether a module divides by the root mean square over its last axis, and multiplies by its weight or by 1 + its weight."""
    return _offset(norm) is not None


def gain_offset(norm: nn.Module) -> float:
    """0 where an RMSNorm multiplies by its weight, 1 where by 1 + its weight, as in Gemma.

    Raises
    ------
    ValueError
        When the module is no RMSNorm.
    """
    found = _offset(norm)
    if found is None:
        raise ValueError(f"a norm must be an RMSNorm with a weight; got {type(norm).__name__}")
    return found


def _offset(norm: nn.Module) -> float | None:
    tried: Any = copy_of(norm).float().cpu()
    gains = getattr(tried, "weight", None)
    if gains is None or gains.ndim != 1:
        return None
    generator = torch.Generator().manual_seed(0)
    x = 1 + torch.randn(TRIED, len(gains), generator=generator)  # a mean that is not 0 tells it from a LayerNorm
    gains.data = torch.rand(len(gains), generator=generator) + 1
    with torch.no_grad():
        answer = tried(x)
    scaled = x * x.pow(2).mean(-1, keepdim=True).rsqrt()
    return next((offset for offset in (0.0, 1.0) if torch.allclose(answer, scaled * (gains + offset), rtol=CLOSE, atol=CLOSE)), None)
