"""The edges between ordered layers, as detection reads them: of a chain, of any other graph of units, or of their living units."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .blocks import Block, transposed

__all__ = ["Wiring"]


@dataclass(frozen=True, eq=False)
class Wiring:
    """Layers and blocks from one to a later one.

    Attributes
    ----------
    sizes : tuple of int
        Units in each layer.
    blocks : tuple of Block
    outputs : tuple of int
        The layers of outputs.
    """

    sizes: tuple[int, ...]
    blocks: tuple[Block, ...]
    outputs: tuple[int, ...]

    @classmethod
    def of(cls, edges: Wiring | Sequence[NDArray[Any]]) -> Wiring:
        """The wiring of a chain, given the edges from each layer to the next; a wiring itself as it is.

        Examples
        --------
        >>> Wiring.of([np.ones((3, 2)), np.ones((2, 1))]).sizes
        (3, 2, 1)
        """
        if isinstance(edges, Wiring):
            return edges
        sizes = (len(edges[0]), *(edge.shape[1] for edge in edges))
        return cls(sizes, tuple(Block(i, i + 1, edge) for i, edge in enumerate(edges)), (len(edges),))

    @property
    def is_chain(self) -> bool:
        """Whether each block joins a layer with the next, and there is one for each."""
        return [(b.source, b.target, b.carry) for b in self.blocks] == [(i, i + 1, False) for i in range(len(self.sizes) - 1)]

    @cached_property
    def depths(self) -> tuple[int, ...]:
        """For each layer the most blocks on a path that leads there.

        Examples
        --------
        >>> one = np.ones((1, 1))
        >>> Wiring((1, 1, 1), (Block(0, 1, one), Block(0, 2, one)), (2,)).depths
        (0, 1, 1)
        """
        found = [0] * len(self.sizes)
        for block in sorted(self.blocks, key=lambda block: block.source):
            found[block.target] = max(found[block.target], found[block.source] + 1)
        return tuple(found)

    @cached_property
    def later(self) -> tuple[tuple[int, ...], ...]:
        """For each layer the layers that a path of blocks leads to, in order."""
        found: list[set[int]] = [set() for _ in self.sizes]
        for block in sorted(self.blocks, key=lambda block: -block.source):
            found[block.source] |= {block.target} | found[block.target]
        return tuple(tuple(sorted(layers)) for layers in found)

    def flipped(self) -> Wiring:
        """The edges of the reversed network, from outputs to inputs; its outputs are the layers that nothing led to."""
        last = len(self.sizes) - 1
        blocks = tuple(Block(last - b.target, last - b.source, transposed(b.weights), b.kind) for b in reversed(self.blocks))
        written = {block.target for block in self.blocks}
        outputs = tuple(last - i for i in reversed(range(last + 1)) if i not in written)
        return Wiring(self.sizes[::-1], blocks, outputs)

    def reached_from(self, starts: Sequence[int]) -> tuple[NDArray[np.bool_], ...]:
        """For each layer which units a path leads to from any unit of the layers ``starts``, these units included."""
        reached = [np.full(size, layer in set(starts)) for layer, size in enumerate(self.sizes)]
        for block in sorted(self.blocks, key=lambda block: block.source):
            source, target = block.weights.nonzero()
            reached[block.target][target[reached[block.source][source]]] = True
        return tuple(reached)
