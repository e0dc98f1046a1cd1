"""Forward and backward through a whole population, written out.

N = members, S = rows of data, B = rows of a batch, n = inputs, k = outputs, P = parameters of a member. Rows come last, so
that products run over many of them at once: with 8 units and 32 rows that was measured 2.6 times faster than rows first.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from ..activations import ACTIVATIONS
from ..engine import Evaluation
from ..losses import Loss
from ..models.shape import Shape
from .memory_layout import buffer, lie_last, product

__all__ = ["BatchedMLP"]


class BatchedMLP:
    """Passes through members of a shape, ``values (N, P)``, in their format; activations go to buffers that the next pass overwrites."""

    def __init__(self, shape: Shape, values: Tensor) -> None:
        self.matrices = shape.matrices(values)
        self.upward = [weight.transpose(1, 2) for weight in shape.weights(values)]
        self.activations = [ACTIVATIONS[name] for name in shape.activations]
        self.plain = shape.activations[-1] == "identity"
        self.last = lie_last(values)
        self._buffers: dict[int, list[tuple[Tensor, Tensor]]] = {}

    def forward(self, x: Tensor, noise: Sequence[Tensor] = ()) -> tuple[list[Tensor], list[Tensor], list[Tensor]]:
        """Sums ``z`` of every layer ``(N, n_out, B)``, what each layer reads ``(N, n_in + 1, B)``, and of that the hidden units alone.

        ``x`` may be ``(n + 1, B)``, the same for all members; the first layer is then one large product. ``noise`` is added to the sums
        of the hidden layers.
        """
        z = product(self.matrices[0], x, self.last)
        sums, read, hidden = [z], [x], []
        for layer, (memory, units) in enumerate(self._buffers_for(x.shape[-1])):
            if noise:
                z.add_(noise[layer])
            self.activations[layer].apply(z, units)
            z = product(self.matrices[layer + 1], memory, self.last)
            sums.append(z)
            read.append(memory)
            hidden.append(units)
        return sums, read, hidden

    def outputs(self, z: Tensor) -> Tensor:
        """What the last layer gives, ``(N, k, B)``; its sums themselves where it has no activation."""
        return z if self.plain else self.activations[-1].apply(z, torch.empty_like(z))

    def backward(self, sums: list[Tensor], hidden: list[Tensor], y: Tensor, loss: Loss) -> Iterator[tuple[int, Tensor, Tensor]]:
        """``(layer, slope to z, slope to h)`` of every layer, last first, both ``(N, n_out, B)``, ``h`` being what the layer gives.

        Slopes are of the loss of each row, times the loss's divisor.
        """
        given = [*hidden, self.outputs(sums[-1])]
        felt = loss.slope(given[-1], y)
        for layer in range(len(sums) - 1, -1, -1):
            slope = self.activations[layer].backward(felt, sums[layer], given[layer])
            yield layer, slope, felt
            if layer:
                felt = product(self.upward[layer], slope, self.last)

    def gradient(self, x: Tensor, y: Tensor, loss: Loss, factors: list[Tensor], into: list[Tensor], noise: Sequence[Tensor] = ()) -> None:
        """dLoss/dparameter of every member, each that of the member alone, times ``factors``; the loss is summed over rows.

        ``factors`` and ``into`` hold a matrix ``(N, n_out, n_in + 1)`` for each layer: see ``factors``.
        """
        sums, read, hidden = self.forward(x, noise)
        for layer, slope, _ in self.backward(sums, hidden, y, loss):
            below = read[layer] if read[layer].ndim == 3 else read[layer].expand(len(slope), -1, -1)
            # Written through a copy: bmm(out=) into a view with gaps between members was measured four times slower.
            torch.mul(product(slope, below.transpose(1, 2), self.last), factors[layer], out=into[layer])

    def evaluate(self, x: Tensor, y: Tensor, loss: Loss) -> Evaluation:
        """Accuracy and mean loss; where the loss is not a number, as the outputs of weights that overflow are none, nor is the accuracy."""
        z = self.outputs(self.forward(x)[0][-1])
        mean = loss.mean(z, y)
        return Evaluation(loss.accuracy(z, y).masked_fill_(mean.isnan(), torch.nan), mean)

    def _buffers_for(self, rows: int) -> list[tuple[Tensor, Tensor]]:
        """What the upper layers read, the constant 1 for the biases included, and the units without it."""
        if rows not in self._buffers:
            whole = [buffer((len(m), m.shape[2], rows), m) for m in self.matrices[1:]]
            self._buffers[rows] = [(memory, memory[:, :-1]) for memory in whole]
        return self._buffers[rows]
