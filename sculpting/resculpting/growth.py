"""Members of a population in which one part of a network may change: its edges, those that are grown, and spare units.

L = weight layers, P = parameters of a member. Matrices are ``(n_out, n_in + 1)``, the last column holds the biases.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .parts import Part, Wiring

__all__ = ["MANY", "Base", "Growth", "grown"]

MANY = 256  # masked edges of a part up to which all are grown; of more, those with the largest gradient
BIAS = 0.1  # of units that start anew: a rectified unit is so open at first
TO_READERS = 0.5  # standard deviation of the weights from spare units to the units that read the part

Matrix = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Base:
    """The network as it is before the change.

    Attributes
    ----------
    values : tuple of float32 arrays of shape (n_out, n_in + 1)
    mask : tuple of float32 arrays of the same shapes
    gradient : tuple of float32 arrays of the same shapes
        Magnitudes of the gradient of the loss on the new data.
    wiring : Wiring
    """

    values: tuple[Matrix, ...]
    mask: tuple[Matrix, ...]
    gradient: tuple[Matrix, ...]
    wiring: Wiring


@dataclass(frozen=True)
class Growth:
    """What may change in one member.

    Attributes
    ----------
    part : Part
    spare : int
        Unused units of its layers that it may take. In members of odd ``start`` it may take as many of every layer below, too.
    start : int
        0 and 2: from its present weights, grown edges at zero. Others: from fresh weights. Every second pair, from 2 on, has the lower
        learning rate.
    most : int
        Masked edges into the part that are grown, at most: those with the largest gradient.
    seed : int
        Of the fresh weights.
    """

    part: Part
    spare: int
    start: int
    most: int = MANY
    seed: int = 0

    @property
    def fresh(self) -> bool:
        """Whether the part starts from fresh weights."""
        return self.start not in (0, 2)

    @property
    def rate(self) -> int:
        """The position of its learning rate, of two."""
        return self.start // 2 % 2


def grown(base: Base, growth: Growth) -> tuple[Matrix, Matrix, Matrix] | None:
    """Values, mask and what may change: float32 ``(P,)`` each; None where there are too few spare units."""
    spares = _spares(base.wiring, growth)
    if spares is None:
        return None
    draft = _Draft(base, growth, spares)
    draft.open_part()
    draft.open_spares()
    draft.join_readers()
    return draft.flat()


def _spares(wiring: Wiring, growth: Growth) -> dict[int, list[int]] | None:
    """The spare units of each layer, none in most."""
    found: dict[int, list[int]] = {layer: [] for layer in range(wiring.depth + 1)}
    tops = sorted({min(layer, wiring.depth - 1) for layer in growth.part.layers}) if growth.spare else []
    for layer in sorted({low for top in tops for low in (range(1, top + 1) if growth.start % 2 else [top])}):
        found[layer] = wiring.spare(layer)[: growth.spare]
    return found if all(len(found[top]) == growth.spare for top in tops) else None


class _Draft:
    """One member while it is made."""

    def __init__(self, base: Base, growth: Growth, spares: dict[int, list[int]]) -> None:
        self.base, self.growth, self.spares = base, growth, spares
        self.values, self.mask = [v.copy() for v in base.values], [m.copy() for m in base.mask]
        self.free = [np.zeros_like(m) for m in base.mask]
        self.random = np.random.default_rng([growth.seed, growth.start])

    def open_part(self) -> None:
        """Let the edges into the part change, and grow masked ones."""
        chosen = self._chosen()
        for layer, unit in self.growth.part.units:
            row = np.append((self.mask[layer - 1][unit, :-1] > 0) | chosen[layer - 1][unit], True)
            self._open(layer, unit, row, fresh=self.growth.fresh)

    def open_spares(self) -> None:
        """Let spare units read what the part may read, and one another, and the part read them."""
        for layer, units in self.spares.items():
            for unit in units:
                row = np.append(self._sources(layer), True)
                self.mask[layer - 1][unit] = 0
                self._open(layer, unit, row, fresh=True)
            for reader in self.growth.part.in_layer(layer + 1) if units else []:
                self._join(layer, reader, units, (2 / self._sources(layer + 1).sum()) ** 0.5)

    def join_readers(self) -> None:
        """Where the part takes spare units beside its own, let those that read it read them too, and change how they read it."""
        for layer, units in self.spares.items():
            mine = self.growth.part.in_layer(layer)
            if not units or not mine:
                continue
            weights = self.base.wiring.masks[layer]
            for reader in np.flatnonzero(weights[:, mine].any(axis=1)):
                self._join(layer, int(reader), units, TO_READERS)
                self.free[layer][reader, mine] = weights[reader, mine]

    def flat(self) -> tuple[Matrix, Matrix, Matrix]:
        """The member's rows of a population."""
        values = [value * mask for value, mask in zip(self.values, self.mask, strict=True)]
        first, second, third = (np.concatenate([m.ravel() for m in part]) for part in (values, self.mask, self.free))
        return first, second, third

    def _open(self, layer: int, unit: int, row: NDArray[np.bool_], fresh: bool) -> None:
        """Let a unit learn the weights ``row``, its bias last."""
        values, mask, free = (part[layer - 1][unit] for part in (self.values, self.mask, self.free))
        values[row & (mask == 0)] = 0
        if fresh:
            drawn = self.random.normal(size=len(row)) * (2 / max(1, row[:-1].sum())) ** 0.5
            values[row] = drawn[row]
            values[-1] = BIAS if layer < self.base.wiring.depth else 0
        mask[row] = free[row] = 1

    def _join(self, layer: int, reader: int, units: list[int], size: float) -> None:
        """Let a unit of the layer above learn to read spare units."""
        self.values[layer][reader, units] = self.random.normal(size=len(units)) * size
        self.mask[layer][reader, units] = self.free[layer][reader, units] = 1

    def _sources(self, layer: int) -> NDArray[np.bool_]:
        """The units below a layer that spare units of it read."""
        wiring, below = self.base.wiring, layer - 1
        sources = wiring.live(below)
        if below == 0 and len(sources) > self.growth.most:
            sources = np.asarray((self.mask[0][:, :-1] > 0).any(axis=0))  # those that are read, by the part or by others
        sources = sources.copy()
        sources[self.spares[below]] = True
        return sources

    def _chosen(self) -> list[NDArray[np.bool_]]:
        """The masked edges into the part, from live units, that are grown: bool ``(n_out, n_in)`` for each layer."""
        wiring = self.base.wiring
        open_ = [np.zeros(mask.shape, dtype=bool) for mask in wiring.masks]
        for layer, unit in self.growth.part.units:
            open_[layer - 1][unit] = wiring.live(layer - 1) & (self.base.mask[layer - 1][unit, :-1] == 0)
        slopes = np.concatenate([g[:, :-1][o] for g, o in zip(self.base.gradient, open_, strict=True)])
        if len(slopes) <= self.growth.most:
            return open_
        kept = np.zeros(len(slopes), dtype=bool)
        kept[np.argsort(-slopes, kind="stable")[: self.growth.most]] = True
        ends = np.cumsum([o.sum() for o in open_])[:-1]
        for mask, part in zip(open_, np.split(kept, ends), strict=True):
            mask[mask] = part
        return open_
