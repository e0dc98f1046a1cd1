"""N networks of one shape, stacked in batched tensors, with their masks; narrower ones are padded.

N = members, P = parameters of one member, n_l = width of layer l (0 = inputs), H = hidden units of one member, L = weight layers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import torch
from torch import Tensor

from ..models.shape import Shape
from ..randomness import normals, uniforms

__all__ = ["Population"]


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
        The widths of each member's layers, at most those of the shape. Parameters beyond them are padding, which is masked.
    trainable : Tensor of shape (N, P), float32, optional
        0 where a parameter is frozen: neither trained nor pruned. All are trained and pruned when left out.
    """

    shape: Shape
    values: Tensor
    mask: Tensor
    own: Tensor
    trainable: Tensor | None = None

    @classmethod
    def of(cls, shape: Shape, values: Tensor, mask: Tensor | None = None) -> Population:
        """A population of members as wide as the shape. Without ``mask`` nothing is pruned."""
        own = torch.tensor(shape.widths).repeat(len(values), 1)
        return cls(shape, values, torch.ones_like(values), own) if mask is None else cls(shape, values * mask, mask, own)

    @classmethod
    def padded(cls, populations: Sequence[Population]) -> Population:
        """The members of several populations of equal depth and activations, in order, padded to the smallest shape that holds all."""
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
    def device(self) -> torch.device:
        """Where the members are."""
        return self.values.device

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

        A unit is alive while its bias or any of its incoming or outgoing weights is.
        """
        masks = self.shape.weights(self.mask)
        return [(into.amax(dim=2) > 0) | (out.sum(dim=1) > 0) for into, out in zip(self.shape.matrices(self.mask), masks[1:], strict=False)]

    def without_units(self, gone: Tensor) -> Tensor:
        """The mask ``(N, P)`` after pruning the hidden units ``gone``, bool ``(N, H)``: incoming weights, biases and outgoing weights."""
        mask = self.mask.clone()
        weights, biases = self.shape.weights(mask), self.shape.biases(mask)
        for layer, dead in enumerate(gone.split(self.shape.widths[1:-1], dim=1)):
            kept = (~dead).to(mask.dtype)
            weights[layer] *= kept.unsqueeze(2)
            biases[layer] *= kept
            weights[layer + 1] *= kept.unsqueeze(1)
        return mask

    def live_edges(self) -> Tensor:
        """Which weights have not been pruned: bool ``(N, E)``, layer after layer."""
        return torch.cat([mask.flatten(1) for mask in self.shape.weights(self.mask)], dim=1) > 0

    def prunable_edges(self) -> Tensor:
        """Which weights are neither pruned nor frozen: bool ``(N, E)``."""
        return self.live_edges() if self.trainable is None else self.live_edges() & self._trainable_edges(self.trainable)

    def trainable_counts(self) -> Tensor:
        """Weights of each member that are not frozen, pruned ones included: int64 ``(N,)``."""
        return self.edge_counts if self.trainable is None else self._trainable_edges(self.trainable).sum(dim=1).cpu()

    def _trainable_edges(self, trainable: Tensor) -> Tensor:
        return torch.cat([part.flatten(1) for part in self.shape.weights(trainable)], dim=1) > 0

    def without_edges(self, gone: Tensor) -> Tensor:
        """The mask ``(N, P)`` after pruning the weights ``gone``, bool ``(N, E)``.

        A hidden unit that has lost its last incoming edge loses its bias too, unless that is frozen.
        """
        mask = self.mask.clone()
        weights = self.shape.weights(mask)
        for weight, part in zip(weights, gone.split([w[0].numel() for w in weights], dim=1), strict=True):
            weight *= ~part.view_as(weight)
        for weight, bias in list(zip(weights, self.shape.biases(mask), strict=True))[:-1]:
            bias *= weight.amax(dim=2)
        return mask if self.trainable is None else torch.where(self.trainable > 0, mask, self.mask)

    def select(self, members: Tensor | Sequence[int]) -> Population:
        """A copy of some members, in the order given; a member may be taken more than once."""
        rows = torch.as_tensor(members, dtype=torch.int64, device=self.values.device)
        # index_select was measured five times faster than indexing.
        trainable = None if self.trainable is None else self.trainable.index_select(0, rows)
        return Population(self.shape, self.values.index_select(0, rows), self.mask.index_select(0, rows), self.own[rows.cpu()], trainable)

    def joined(self, other: Population) -> Population:
        """These members, then the others: both with frozen parameters, or neither."""
        if (self.trainable is None) != (other.trainable is None):
            raise ValueError("members must be joined with others that have frozen parameters, too, or none; got one of each")
        values, mask = torch.cat([self.values, other.values]), torch.cat([self.mask, other.mask])
        both = None if self.trainable is None or other.trainable is None else torch.cat([self.trainable, other.trainable])
        return Population(self.shape, values, mask, torch.cat([self.own, other.own]), both)

    def replaced(self, rows: Tensor, other: Population) -> Population:
        """The same members, those at ``rows`` replaced by the others."""
        rows = rows.to(self.device)
        values, mask = self.values.index_copy(0, rows, other.values), self.mask.index_copy(0, rows, other.mask)
        trainable = self.trainable
        if trainable is not None and other.trainable is not None:
            trainable = trainable.index_copy(0, rows, other.trainable)
        return replace(self, values=values, mask=mask, trainable=trainable)

    def tensors(self) -> dict[str, Tensor]:
        """Values, masks and widths, by name."""
        return {"values": self.values, "mask": self.mask, "own": self.own}

    def restored(self, tensors: Mapping[str, Tensor]) -> Population:
        """These members, trained and pruned further, from the tensors that :meth:`tensors` returned.

        Raises
        ------
        ValueError
            When they are of other widths, or have parameters that these lack or that their mask leaves out.
        """
        values, mask = (tensors[name].to(self.device) for name in ("values", "mask"))
        if not torch.equal(tensors["own"].cpu(), self.own):
            raise ValueError("the widths of its networks must be those of their models; got others")
        # What has diverged is NaN under its mask, too.
        unmasked = ((mask == 0) & torch.isfinite(values) & (values != 0)).any()
        if bool(unmasked) or not bool(((mask == 0) | (mask == 1)).all()) or bool((mask > self.mask).any()):
            raise ValueError("the masks of its networks must be 0 where parameters are zero or missing, and else 1; got others")
        return Population(self.shape, values, mask, self.own.clone(), self.trainable)

    def masked(self, mask: Tensor) -> Population:
        """The same members under a mask ``(N, P)``, which may only prune further."""
        return replace(self, values=self.values * mask, mask=mask)
