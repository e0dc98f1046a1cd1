"""The steps of a forward, as they are read: linear maps, constants that scale and shift, and activations.

n = columns of the rows that pass.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

__all__ = ["Activate", "Linear", "ScaleShift", "Step"]


@dataclass(frozen=True, eq=False)
class Linear:
    """``x @ weight.T + bias``: ``weight (n_out, n_in)`` and, where there is one, ``bias (n_out,)``."""

    what: str
    weight: Tensor
    bias: Tensor | None


@dataclass(frozen=True, eq=False)
class ScaleShift:
    """``scale * x + shift`` in float64, each a number or ``(n,)``; no shift where none can be trained."""

    what: str
    scale: Tensor
    shift: Tensor | None

    @classmethod
    def of_batch_norm(
        cls, what: str, mean: Tensor, variance: Tensor, weight: Tensor | None, bias: Tensor | None, epsilon: float
    ) -> ScaleShift:
        """What a BatchNorm with running statistics does; all in float64."""
        scale = (variance + epsilon).rsqrt()
        scale = scale if weight is None else scale * weight
        shift = -mean * scale
        return cls(what, scale, shift if bias is None else shift + bias)


@dataclass(frozen=True)
class Activate:
    """An activation, or a head, by its name."""

    what: str
    name: str


Step = Linear | ScaleShift | Activate
