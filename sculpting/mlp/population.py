"""N networks of one shape, stacked in batched tensors, with their masks; narrower ones are padded.

N = members, P = parameters of one member, n_l = width of layer l (0 = inputs), H = hidden units of one member, L = weight layers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import accumulate, pairwise

import torch
from torch import Tensor

from ..randomness import normals, uniforms

__all__ = ["Population", "Shape"]


@dataclass(frozen=True)
class Shape:
    """Where each weight and bias of a multilayer perceptron lies in one flat row of P parameters.

    Layer after layer a matrix ``(n_out, n_in + 1)``, row by row, whose last column holds the biases: fed a constant 1 beside its
    inputs, a layer is one product.
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
        """Where each parameter lies in the flat row of a wider shape: int64 of shape ``(P,)``. Units come first, padding after them."""
        rows = wider.matrices(torch.arange(wider.size, device=device).unsqueeze(0))
        pairs = zip(rows, pairwise(self.widths), strict=True)
        return torch.cat([torch.cat([m[0, :out, :into], m[0, :out, -1:]], dim=1).flatten() for m, (into, out) in pairs])

    def weight_positions(self, device: torch.device | str = "cpu") -> Tensor:
        """Where the weights lie in a flat row: int64, one for each weight of the shape."""
        places = self.weights(torch.arange(self.size, device=device).unsqueeze(0))
        return torch.cat([part.flatten() for part in places])


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
    own : Tensor of shape (N, L + 1), int64, on the CPU
        The widths of each member's layers, at most those of the shape; what lies beyond them is padding, which is masked.
    """

    shape: Shape
    values: Tensor
    mask: Tensor
    own: Tensor

    @classmethod
    def of(cls, shape: Shape, values: Tensor, mask: Tensor | None = None) -> Population:
        """A population of members as wide as the shape, whose mask covers everything unless it is given."""
        own = torch.tensor(shape.widths).repeat(len(values), 1)
        return cls(shape, values, torch.ones_like(values), own) if mask is None else cls(shape, values * mask, mask, own)

    @classmethod
    def padded(cls, populations: Sequence[Population]) -> Population:
        """The members of several populations of equal depth and activations, one after the other, in the least shape that holds all."""
        widths = tuple(int(w) for w in torch.tensor([p.shape.widths for p in populations]).amax(dim=0))
        shape = Shape(widths, populations[0].shape.activations)
        flats = [(p.values.new_zeros(len(p), shape.size), p.values.new_zeros(len(p), shape.size)) for p in populations]
        for (values, mask), part in zip(flats, populations, strict=True):
            places = part.shape.places_in(shape, values.device)
            values[:, places], mask[:, places] = part.values, part.mask
        values, mask = (torch.cat(flat) for flat in zip(*flats, strict=True))
        return cls(shape, values, mask, torch.cat([p.own for p in populations]))

    @classmethod
    def uniform(cls, shape: Shape, key: Tensor) -> Population:
        """Weights and biases uniform within ``1 / sqrt(n_in)`` of zero, as ``torch.nn.Linear`` draws them, one member for each key."""
        values = uniforms(key, shape.size).float()
        for matrix in shape.matrices(values):
            matrix.sub_(0.5).mul_(2.0 / (matrix.shape[2] - 1) ** 0.5)
        return cls.of(shape, values)

    @classmethod
    def fresh(cls, shape: Shape, key: Tensor) -> Population:
        """Kaiming-normal weights (standard deviation ``sqrt(2 / n_in)``) and zero biases, one member for each key.

        Source: He et al., "Delving deep into rectifiers", ICCV 2015, equation 10.
        """
        values = normals(key, shape.size).squeeze(1)
        for weight, bias in zip(shape.weights(values), shape.biases(values), strict=True):
            weight *= (2.0 / weight.shape[2]) ** 0.5
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

    @property
    def hidden_counts(self) -> Tensor:
        """Hidden units of each member, pruned ones included: int64 of shape ``(N,)``."""
        return self.own[:, 1:-1].sum(dim=1)

    @property
    def edge_counts(self) -> Tensor:
        """Weights of each member, pruned ones included: int64 of shape ``(N,)``."""
        return (self.own[:, :-1] * self.own[:, 1:]).sum(dim=1)

    def edges(self) -> Tensor:
        """Live edges of each member: int64 of shape ``(N,)``."""
        # Along memory and in float32, exact to 2^24 of a layer: summing the weights alone, as integers, took two to six times as long.
        layers = zip(pairwise(self.shape.starts), self.shape.biases(self.mask), strict=True)
        counts = [self.mask[:, first:last].sum(dim=1) - bias.sum(dim=1) for (first, last), bias in layers]
        return torch.stack(counts).long().sum(dim=0)

    def alive(self) -> list[Tensor]:
        """Which hidden units have not been pruned, as bool of shape ``(N, n_l)`` for each hidden layer.

        A unit's mask covers its incoming weights, its bias and its outgoing weights, so one of them alive means the unit is.
        """
        masks = self.shape.weights(self.mask)
        return [(into.amax(dim=2) > 0) | (out.sum(dim=1) > 0) for into, out in zip(self.shape.matrices(self.mask), masks[1:], strict=False)]

    def without_units(self, gone: Tensor) -> Tensor:
        """The mask ``(N, P)`` that is left without some hidden units, bool ``(N, H)``: their weights on both sides and their biases."""
        mask = self.mask.clone()
        weights, biases = self.shape.weights(mask), self.shape.biases(mask)
        for layer, dead in enumerate(gone.split(self.shape.widths[1:-1], dim=1)):
            kept = (~dead).to(mask.dtype)
            weights[layer] *= kept.unsqueeze(2)
            biases[layer] *= kept
            weights[layer + 1] *= kept.unsqueeze(1)
        return mask

    def select(self, members: Tensor | Sequence[int]) -> Population:
        """A copy of some members, in the order given; a member may be taken more than once."""
        rows = torch.as_tensor(members, dtype=torch.int64, device=self.values.device)
        # index_select was measured five times faster than indexing.
        return Population(self.shape, self.values.index_select(0, rows), self.mask.index_select(0, rows), self.own[rows.cpu()])

    def joined(self, other: Population) -> Population:
        """These members, then the others."""
        pairs = ((self.values, other.values), (self.mask, other.mask), (self.own, other.own))
        return Population(self.shape, *(torch.cat(pair) for pair in pairs))

    def masked(self, mask: Tensor) -> Population:
        """The same members under a mask of shape ``(N, P)`` that may only be smaller."""
        return replace(self, values=self.values * mask, mask=mask)
