"""How many units each layer gets."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["shares_of"]


def shares_of(widths: Sequence[int], units: int) -> list[int]:
    """Units for each layer, in proportion to the widths, at least one: each further one goes where it makes the least share.

    Examples
    --------
    >>> shares_of((30, 10), 12)
    [9, 3]
    """
    shares = [1] * len(widths)
    for _ in range(units - len(widths)):
        layer = min(range(len(widths)), key=lambda i: (shares[i] + 1) / widths[i])
        shares[layer] += 1
    return shares
