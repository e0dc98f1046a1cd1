"""The shape of a chain of Linear layers, and the order of its parameters in one flat row.

N = members, P = parameters of one member, n_l = width of layer l (0 = inputs).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate, pairwise

import torch
from torch import Tensor

__all__ = ["Shape"]


@dataclass(frozen=True)
class Shape:
    """Widths and activations of a multilayer perceptron, whose P parameters lie in one flat row.

    The row holds a matrix ``(n_out, n_in + 1)`` for each layer, row by row. Its last column holds the biases, so that a layer is one
    matrix product when a constant 1 follows its inputs.
    """

    widths: tuple[int, ...]
    activations: tuple[str, ...]

    @cached_property
    def starts(self) -> tuple[int, ...]:
        """Where each layer's matrix starts, and the end, which is P."""
        return (0, *accumulate(n_out * (n_in + 1) for n_in, n_out in pairwise(self.widths)))

    @property
    def size(self) -> int:
        """P, the number of parameters."""
        return self.starts[-1]

    def matrices(self, flat: Tensor) -> list[Tensor]:
        """Views of shape ``(N, n_out, n_in + 1)`` into ``flat`` of shape ``(N, P)``, one for each layer: weights, then the bias."""
        return [
            flat[:, first:last].view(-1, n_out, n_in + 1)
            for (first, last), (n_in, n_out) in zip(pairwise(self.starts), pairwise(self.widths), strict=True)
        ]

    def weights(self, flat: Tensor) -> list[Tensor]:
        """Views of shape ``(N, n_out, n_in)``, one for each layer."""
        return [matrix[:, :, :-1] for matrix in self.matrices(flat)]

    def biases(self, flat: Tensor) -> list[Tensor]:
        """Views of shape ``(N, n_out)``, one for each layer."""
        return [matrix[:, :, -1] for matrix in self.matrices(flat)]

    def places_in(self, wider: Shape, device: torch.device | str = "cpu") -> Tensor:
        """The position of each parameter in the flat row of a wider shape: int64 ``(P,)``. In each layer padding follows the units."""
        rows = wider.matrices(torch.arange(wider.size, device=device).unsqueeze(0))
        pairs = zip(rows, pairwise(self.widths), strict=True)
        return torch.cat([torch.cat([m[0, :out, :into], m[0, :out, -1:]], dim=1).flatten() for m, (into, out) in pairs])

    def weight_positions(self, device: torch.device | str = "cpu") -> Tensor:
        """The positions of the weights in a flat row: int64, one for each weight, layer after layer."""
        places = self.weights(torch.arange(self.size, device=device).unsqueeze(0))
        return torch.cat([part.flatten() for part in places])
