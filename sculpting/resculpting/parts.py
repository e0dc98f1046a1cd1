"""Parts of a network: the units that may have to be learnt again when some outputs are wrong.

L = weight layers, n_l = units of layer l (0 = inputs), k = outputs.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from ..models.live import Unit

__all__ = ["Mask", "Part", "Wiring", "all_within", "cuts_of", "everything", "pairs_of", "parts_of"]

MOST_PAIRS = 24
Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Part:
    """Units ``(layer, index)`` that are learnt again together, layer by layer."""

    units: tuple[Unit, ...]

    def in_layer(self, layer: int) -> list[int]:
        """The indices of its units in one layer."""
        return [index for its, index in self.units if its == layer]

    @property
    def layers(self) -> list[int]:
        """The layers that it has units in."""
        return sorted({layer for layer, _ in self.units})


@dataclass(frozen=True, eq=False)
class Wiring:
    """Which outputs each unit reaches, and from which inputs it is reached.

    Attributes
    ----------
    masks : tuple of bool arrays of shape (n_out, n_in)
    reached : tuple of bool arrays of shape (n_l, k), one a layer
    origins : tuple of bool arrays of shape (n_l, n_0), one a layer
    """

    masks: tuple[Mask, ...]
    reached: tuple[Mask, ...]
    origins: tuple[Mask, ...]

    @classmethod
    def of(cls, masks: Sequence[Mask]) -> Wiring:
        """The wiring of these edges.

        Examples
        --------
        >>> wiring = Wiring.of([np.array([[True, False], [False, False]]), np.array([[True, False], [False, True]])])
        >>> wiring.reached[0].tolist(), wiring.live(1).tolist()
        ([[True, False], [False, False]], [True, False])
        """
        reached, origins = [np.eye(len(masks[-1]), dtype=bool)], [np.eye(masks[0].shape[1], dtype=bool)]
        for mask in reversed(masks):
            reached.insert(0, mask.T @ reached[0])
        for mask in masks:
            origins.append(mask @ origins[-1])
        return cls(tuple(masks), tuple(reached), tuple(origins))

    @property
    def depth(self) -> int:
        """L, which is the layer of the outputs."""
        return len(self.masks)

    def live(self, layer: int) -> Mask:
        """Which units may be read: all inputs and outputs, and hidden units between an input and an output."""
        if layer in (0, self.depth):
            return np.ones(len(self.reached[layer]), dtype=bool)
        return np.asarray(self.reached[layer].any(axis=1) & self.origins[layer].any(axis=1))

    def spare(self, layer: int) -> list[int]:
        """Hidden units that reach no output, those without any edge first."""
        dead = np.flatnonzero(~self.reached[layer].any(axis=1))
        edges = self.masks[layer - 1].sum(axis=1)[dead] + self.masks[layer].sum(axis=0)[dead]
        return [int(unit) for unit in dead[np.argsort(edges, kind="stable")]]


def parts_of(wiring: Wiring, wrong: Mask) -> list[Part]:
    """The candidates for a change that makes exactly the outputs ``wrong``, bool ``(k,)``, wrong.

    A part is made of the units of one layer that reach these outputs and no other. Of these, those that depend on the same inputs are
    parts of their own.
    """
    alike = [part for part in _alike(wiring, wrong) if (_reached(wiring, part) == wrong).all()]
    layers = [Part(tuple(unit for part in alike for unit in part.units if unit[0] == layer)) for layer in range(1, wiring.depth + 1)]
    return [*dict.fromkeys([*alike, *(Part(tuple(sorted(part.units))) for part in layers if part.units)])]


def pairs_of(wiring: Wiring, wrong: Mask) -> list[Part]:
    """Two parts that lead together to exactly the wrong outputs, bool ``(k,)``, the smallest first; at most 24 such pairs.

    Each is made of units of one layer that reach the same outputs and depend on the same inputs.
    """
    alike = _alike(wiring, wrong)
    both = [Part(tuple(sorted(one.units + other.units))) for one, other in combinations(alike, 2)]
    found = [part for part in both if (_reached(wiring, part) == wrong).all()]
    return sorted(found, key=lambda part: len(part.units))[:MOST_PAIRS]


def cuts_of(wiring: Wiring, wrong: Mask) -> list[Part]:
    """All units of one layer that reach no other outputs than the wrong ones, bool ``(k,)``, for each layer that reaches all of these."""
    layers = [Part(tuple(unit for unit in _units(wiring, ~wrong) if unit[0] == layer)) for layer in range(1, wiring.depth + 1)]
    return [part for part in layers if part.units and (_reached(wiring, part) == wrong).all()]


def _alike(wiring: Wiring, wrong: Mask) -> list[Part]:
    """Units of one layer that reach the same outputs, all of them wrong, and depend on the same inputs."""
    groups: dict[tuple[int, bytes, bytes], list[Unit]] = {}
    for layer, unit in _units(wiring, ~wrong):
        groups.setdefault((layer, wiring.reached[layer][unit].tobytes(), wiring.origins[layer][unit].tobytes()), []).append((layer, unit))
    return [Part(tuple(group)) for group in groups.values()]


def _reached(wiring: Wiring, part: Part) -> Mask:
    """The outputs that a part leads to."""
    reached: Mask = np.any([wiring.reached[layer][unit] for layer, unit in part.units], axis=0)
    return reached


def all_within(wiring: Wiring, wrong: Mask) -> Part:
    """All units that reach no other outputs than the wrong ones, bool ``(k,)``."""
    return Part(tuple(_units(wiring, ~wrong)))


def everything(wiring: Wiring) -> Part:
    """All live units but the inputs."""
    return Part(tuple(_units(wiring, np.zeros(len(wiring.reached[-1]), dtype=bool))))


def _units(wiring: Wiring, spared: Mask) -> Iterator[Unit]:
    for layer in range(1, wiring.depth + 1):
        for unit in np.flatnonzero(wiring.live(layer) & ~(wiring.reached[layer] & spared).any(axis=1)):
            yield layer, int(unit)
