"""Loss against sparsity, before anything is trained.

G = groups of one layer.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from torch import Tensor

from .groups.finding import GroupLayer
from .groups.slices import without
from .phases import SparsityPoint
from .scores.selection import lowest_groups
from .training.loss import mean_loss

__all__ = ["sparsity_curve"]


def sparsity_curve(
    model: Any, layers: Sequence[GroupLayer], scores: Sequence[Tensor], keep: Tensor, forget: Tensor | None,
    sparsities: Sequence[float], scope: str = "global",
) -> tuple[SparsityPoint, ...]:  # fmt: skip
    """The loss on two sets of windows when the groups with the lowest scores ``(G,)`` are zero, at several sparsities."""
    found = []
    for sparsity in sparsities:
        with without(model, layers, lowest_groups(scores, sparsity, scope=scope)):
            losses = [math.nan if windows is None else mean_loss(model, windows) for windows in (keep, forget)]
        found.append(SparsityPoint(float(sparsity), *losses))
    return tuple(found)
