"""N networks of one shape, stacked in batched tensors, with their masks.

N = members, P = parameters of one member, n_l = width of layer l (0 = inputs), H = hidden units of one member.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import torch
from torch import Tensor

from .randomness import normals

__all__ = ["Population", "Shape"]


@dataclass(frozen=True)
class Shape:
    """Where each weight and bias of a multilayer perceptron lies in one flat row of P parameters.

    Layer after layer: the weights ``(n_out, n_in)`` row by row, then the biases ``(n_out,)``.
    """

    widths: tuple[int, ...]
    activations: tuple[str, ...]

    @cached_property
    def spans(self) -> tuple[tuple[int, int, int], ...]:
        """For each weight layer where its weights start, where its biases start, and where both end."""
        spans, start = [], 0
        for n_in, n_out in pairwise(self.widths):
            spans.append((start, start + n_in * n_out, start + n_in * n_out + n_out))
            start = spans[-1][2]
        return tuple(spans)

    @property
    def size(self) -> int:
        """P, the number of parameters."""
        return self.spans[-1][2]

    @property
    def edge_count(self) -> int:
        """The number of weights."""
        return sum(n_in * n_out for n_in, n_out in pairwise(self.widths))

    @property
    def hidden_count(self) -> int:
        """H, the number of hidden units."""
        return sum(self.widths[1:-1])

    def weights(self, flat: Tensor) -> list[Tensor]:
        """Views of shape ``(N, n_out, n_in)`` into ``flat`` of shape ``(N, P)``, one for each weight layer."""
        return [
            flat[:, start:middle].view(-1, n_out, n_in)
            for (start, middle, _), (n_in, n_out) in zip(self.spans, pairwise(self.widths), strict=True)
        ]

    def biases(self, flat: Tensor) -> list[Tensor]:
        """Views of shape ``(N, n_out)`` into ``flat`` of shape ``(N, P)``, one for each weight layer."""
        return [flat[:, middle:end] for _, middle, end in self.spans]

    def weight_positions(self, device: torch.device | str = "cpu") -> Tensor:
        """Where the weights lie in a flat row: int64 of shape ``(edge_count,)``."""
        return torch.cat([torch.arange(start, middle, device=device) for start, middle, _ in self.spans])


@dataclass(frozen=True, eq=False)
class Population:
    """Masked networks of one shape.

    Attributes
    ----------
    shape : Shape
    values : Tensor of shape (N, P), float32
        Weights and biases; exactly zero under the mask.
    mask : Tensor of shape (N, P), float32
        1 where a parameter lives, 0 where it was pruned.
    units : tuple of Tensor, one a layer, of shape (N, n_l), int64
        The original index of the unit in each slot; -1 where a slot holds none.
    original : Shape
        The shape before any packing.
    """

    shape: Shape
    values: Tensor
    mask: Tensor
    units: tuple[Tensor, ...]
    original: Shape

    @classmethod
    def of(cls, shape: Shape, values: Tensor, mask: Tensor | None = None) -> Population:
        """A population with nothing packed; the mask covers everything unless it is given."""
        mask = torch.ones_like(values) if mask is None else mask
        units = tuple(torch.arange(n, device=values.device).expand(len(values), n) for n in shape.widths)
        return cls(shape, values * mask, mask, units, shape)

    @classmethod
    def fresh(cls, shape: Shape, key: Tensor) -> Population:
        """Kaiming-normal weights (standard deviation ``sqrt(2 / n_in)``) and zero biases, one member for each key.

        Source: He et al., "Delving deep into rectifiers", ICCV 2015, equation 10.
        """
        values = normals(key, shape.size).squeeze(1)
        for weight in shape.weights(values):
            weight *= (2.0 / weight.shape[2]) ** 0.5
        for bias in shape.biases(values):
            bias.zero_()
        return cls.of(shape, values)

    def __len__(self) -> int:
        return len(self.values)

    @property
    def weights(self) -> list[Tensor]:
        """Views of shape ``(N, n_out, n_in)``, one for each weight layer."""
        return self.shape.weights(self.values)

    @property
    def biases(self) -> list[Tensor]:
        """Views of shape ``(N, n_out)``, one for each weight layer."""
        return self.shape.biases(self.values)

    def edges(self) -> Tensor:
        """Live edges of each member: int64 of shape ``(N,)``."""
        return sum((m.sum(dim=(1, 2), dtype=torch.int64) for m in self.shape.weights(self.mask)), torch.zeros(len(self), dtype=torch.int64))

    def alive(self) -> list[Tensor]:
        """Which hidden units have not been pruned, as bool of shape ``(N, n_l)`` for each hidden layer.

        A unit's mask covers its incoming weights, its bias and its outgoing weights, so one of them alive means the unit is.
        """
        masks = self.shape.weights(self.mask)
        return [
            (into.amax(dim=2) > 0) | (out.amax(dim=1) > 0) | (bias > 0)
            for into, out, bias in zip(masks, masks[1:], self.shape.biases(self.mask), strict=False)
        ]

    def select(self, members: Tensor | Sequence[int]) -> Population:
        """A copy of some members, in the order given; a member may be taken more than once."""
        rows = torch.as_tensor(members, dtype=torch.int64, device=self.values.device)
        return Population(self.shape, self.values[rows], self.mask[rows], tuple(u[rows] for u in self.units), self.original)

    def masked(self, mask: Tensor) -> Population:
        """The same members under a mask of shape ``(N, P)`` that may only be smaller."""
        return Population(self.shape, self.values * mask, mask, self.units, self.original)

    def packed(self, multiple: int = 4) -> Population:
        """The same networks in hidden layers no wider than the fullest member needs, rounded up to a multiple.

        What is left out is zero, so the function of every member stays what it was.
        """
        slots = [torch.arange(self.shape.widths[0], device=self.values.device).expand(len(self), -1)]
        for alive in self.alive():
            width = min(-(-max(int(alive.sum(dim=1).max()), 1) // multiple) * multiple, alive.shape[1])
            # A stable sort keeps the original order of the units, on which ties between scores are decided.
            slots.append(alive.float().argsort(dim=1, descending=True, stable=True)[:, :width].sort(dim=1).values)
        slots.append(torch.arange(self.shape.widths[-1], device=self.values.device).expand(len(self), -1))
        shape = Shape(tuple(s.shape[1] for s in slots), self.shape.activations)
        values, mask = (_gather(self.shape, flat, slots) for flat in (self.values, self.mask))
        return Population(shape, values, mask, tuple(u.gather(1, s) for u, s in zip(self.units, slots, strict=True)), self.original)

    def unpacked(self) -> Population:
        """The same networks in their original shape."""
        flats = []
        for flat in (self.values, self.mask):
            full = torch.zeros(len(self), self.original.size, dtype=flat.dtype, device=flat.device)
            rows = torch.arange(len(self), device=flat.device)
            for layer, (big, small) in enumerate(zip(self.original.weights(full), self.shape.weights(flat), strict=True)):
                big[rows[:, None, None], self.units[layer + 1][:, :, None], self.units[layer][:, None, :]] = small
            for layer, (big, small) in enumerate(zip(self.original.biases(full), self.shape.biases(flat), strict=True)):
                big[rows[:, None], self.units[layer + 1]] = small
            flats.append(full)
        return Population.of(self.original, *flats)


def _gather(shape: Shape, flat: Tensor, slots: list[Tensor]) -> Tensor:
    parts = []
    for layer, (weight, bias) in enumerate(zip(shape.weights(flat), shape.biases(flat), strict=True)):
        rows, columns = slots[layer + 1], slots[layer]
        picked = weight.gather(1, rows[:, :, None].expand(-1, -1, weight.shape[2]))
        picked = picked.gather(2, columns[:, None, :].expand(-1, rows.shape[1], -1))
        parts += [picked.flatten(1), bias.gather(1, rows)]
    return torch.cat(parts, dim=1)
