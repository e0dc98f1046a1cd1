"""Which groups stay, by their scores.

G = groups of one layer.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from ....options import check_choice

__all__ = ["check_fraction", "lowest_groups"]

SCOPES = ("global", "layer")


def check_fraction(name: str, value: object) -> float:
    """A fraction in [0, 1) as a float."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value < 1:
        raise ValueError(f"{name} must be the fraction of groups to remove, in [0, 1); got {value!r}")
    return float(value)


def lowest_groups(scores: Sequence[Tensor], sparsity: float, *, scope: str = "global") -> list[Tensor]:
    """Masks of the groups that stay when a fraction with the lowest scores is removed: bool ``(G,)`` for each layer.

    Parameters
    ----------
    scores : sequence of Tensor of shape (G,)
    sparsity : float in [0, 1)
        Rounded down to whole groups.
    scope : {"global", "layer"}
        Whether groups of all layers are ranked together, or each layer loses the same fraction. The highest of a layer always stays.
        Of equal scores, the first group is removed first, and the last is the one that always stays.

    Examples
    --------
    >>> lowest_groups([torch.tensor([3.0, 1.0]), torch.tensor([2.0, 4.0])], 0.5)
    [tensor([ True, False]), tensor([False,  True])]
    """
    check_choice("scope", scope, SCOPES)
    sparsity = check_fraction("sparsity", sparsity)
    if scope == "layer":
        return [lowest_groups([each], sparsity)[0] for each in scores]
    pooled = torch.cat([each.double() for each in scores])
    sizes = [len(each) for each in scores]
    for first, each in zip(torch.tensor([0, *sizes]).cumsum(0).tolist(), scores, strict=False):
        pooled[first + int(torch.nonzero(each == each.max())[-1])] = torch.inf
    gone = min(int(sparsity * len(pooled) + 1e-9), len(pooled) - len(sizes))
    alive = torch.ones(len(pooled), dtype=torch.bool)
    alive[torch.argsort(pooled, stable=True)[:gone]] = False
    return list(alive.split(sizes))
