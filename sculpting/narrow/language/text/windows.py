"""Tokens as windows of one length without padding, and shuffled batches of them.

T = tokens, W = windows, L = tokens of a window, B = windows of a batch.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from numbers import Integral

import torch
from torch import Tensor

from ....options import check_counts
from ....randomness import check_seed, keys, permutations

__all__ = ["PackedWindows"]


@dataclass(frozen=True, eq=False)
class PackedWindows:
    """Consecutive windows of a stream of tokens. Every token is in one of them, but for the rest that fills no window.

    Parameters
    ----------
    tokens : integer tensor of shape (T,)
    length : int
        L, the tokens of a window.

    Raises
    ------
    ValueError
        When the tokens do not fill one window.

    Examples
    --------
    >>> windows = PackedWindows(torch.arange(7), 2)
    >>> windows.windows.tolist()
    [[0, 1], [2, 3], [4, 5]]
    >>> windows.batch(step=5, size=2, seed=0).shape
    torch.Size([2, 2])
    """

    tokens: Tensor
    length: int

    def __post_init__(self) -> None:
        check_counts(length=self.length)
        if self.tokens.dim() != 1 or self.tokens.is_floating_point():
            raise ValueError(
                f"tokens must be whole numbers of shape (tokens,); got {self.tokens.dtype} of shape {tuple(self.tokens.shape)}"
            )
        if len(self.tokens) < self.length:
            raise ValueError(
                f"tokens must fill at least one window of {self.length:,}; got {len(self.tokens):,}. Give more text or a smaller length"
            )

    def __len__(self) -> int:
        """W."""
        return len(self.tokens) // self.length

    @property
    def windows(self) -> Tensor:
        """All windows in the order of the text, int64 of shape ``(W, L)``."""
        return self._views().long()

    def order(self, seed: int, epoch: int) -> Tensor:
        """The order of the windows in an epoch: a permutation of ``range(W)``, which depends on nothing else."""
        return _order(len(self), check_seed(seed), epoch).clone()

    def batch(self, step: int, size: int, seed: int) -> Tensor:
        """Batch number ``step`` of a stream in which all windows come once an epoch, in a new order each: int64 ``(B, L)``.

        It depends on the windows and on these numbers alone, so that training that resumes at a step sees the same batches. Where
        ``size`` does not divide the number of windows, a batch continues into the next epoch.
        """
        if not isinstance(step, Integral) or isinstance(step, bool) or step < 0:
            raise ValueError(f"step must be a whole number of at least 0; got {step!r}")
        check_counts(size=size)
        seed, count = check_seed(seed), len(self)
        place, left, parts = step * size, size, []
        while left:
            epoch, start = divmod(place, count)
            parts.append(_order(count, seed, epoch)[start : start + left])
            place, left = place + len(parts[-1]), left - len(parts[-1])
        return self._views()[torch.cat(parts).to(self.tokens.device)].long()

    def _views(self) -> Tensor:
        return self.tokens[: len(self) * self.length].view(-1, self.length)


@lru_cache(maxsize=4)
def _order(count: int, seed: int, epoch: int) -> Tensor:
    return permutations(keys([("windows", seed, epoch)]), count)[0, 0]
