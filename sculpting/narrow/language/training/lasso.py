"""Group lasso on a language model: a proximal step that sets whole groups to zero.

G = groups of one layer.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ..groups.finding import GroupLayer
from ..groups.slices import parameters_of, scale_groups, view_of
from ..scores.scoring import group_norms

__all__ = ["LassoPenalty", "dead_groups", "shrink"]


@dataclass(frozen=True)
class LassoPenalty:
    """The penalty ``strength * sum over groups of weight * norm``.

    Attributes
    ----------
    strength : float
        Positive. In each step, with learning rate r, a group is multiplied by ``max(0, 1 - r * strength * weight / norm)``: the proximal
        step of the penalty, which gives exact zeros. In all, a norm shrinks by about ``strength * weight`` times the sum of the learning
        rates: groups vanish where that is near their norms. A neuron that is zero has no gradient, and stays zero.
    by_size : bool
        Whether ``weight`` is the square root of the number of elements of a group (Yuan and Lin 2006), or 1, as published.

    Notes
    -----
    AdamW takes its step on the loss alone; the proximal step is in the plain metric, not in that of AdamW. The published code adds the
    subgradient to the loss instead, of a sum over all neurons, and never reaches exact zeros.
    """

    strength: float
    by_size: bool = False

    def __post_init__(self) -> None:
        if isinstance(self.strength, bool) or not isinstance(self.strength, (int, float)) or not 0 < self.strength < float("inf"):
            raise ValueError(f"strength must be a positive number; got {self.strength!r}")


@torch.no_grad()
def shrink(
    model: Any, layers: Sequence[GroupLayer], penalty: LassoPenalty, rate: float, moments: Mapping[str, Tensor] | None = None
) -> None:
    """One proximal step in place. Groups of several kinds share elements: these are then multiplied by the factor of each.

    Parameters
    ----------
    moments : mapping of str to Tensor, optional
        The first moments of the optimiser by the name of the parameter. Those of groups that are zero are set to zero, since the optimiser
        would otherwise bring these groups back from what it remembers.
    """
    factors = []
    for layer in layers:
        norms = group_norms(model, layer)
        weight = _elements(model, layer) ** 0.5 if penalty.by_size else 1.0
        factors.append((1 - rate * penalty.strength * weight / norms.clamp(min=1e-30)).clamp(min=0))
    for layer, factor in zip(layers, factors, strict=True):
        scale_groups(model, layer, factor)
        for where in layer.slices:
            if moments and where.parameter in moments:
                view_of(moments[where.parameter], where, layer.size)[factor == 0] = 0


def dead_groups(model: Any, layers: Sequence[GroupLayer]) -> list[Tensor]:
    """Which groups are exactly zero: bool ``(G,)`` on the CPU for each layer."""
    return [(group_norms(model, layer) == 0).cpu() for layer in layers]


def _elements(model: Any, layer: GroupLayer) -> int:
    known = parameters_of(model)
    return sum(view_of(known[s.parameter], s, layer.size)[0].numel() for s in layer.slices)
