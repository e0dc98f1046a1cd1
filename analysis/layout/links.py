"""Links: the edges between two groups of units as one line, and which of them are drawn.

S, T = units of the lower and the upper layer of a block; s, t = groups of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from ..graph.blocks import CARRY, UNWEIGHTED, Block
from .groups import Links
from .rows import CARRIED

__all__ = ["MOST_LINKS", "Linked", "linked", "strongest"]

MOST_LINKS = 150  # that are drawn whatever they belong to; further ones only where they are the strongest of a group


@dataclass(frozen=True, eq=False)
class Linked:
    """The links of a block.

    Attributes
    ----------
    block : Block
        Its edges are the links, shape (s, t), weighted by the sum of |weight|; of edges that carry units on by their number.
    edges : sparse matrix of shape (s, t)
        The number of edges of each link.
    """

    block: Block
    edges: sp.csr_array


def linked(block: Block, source: sp.csr_array, target: sp.csr_array) -> Linked:
    """The links of a block between groups, given which unit is in which: shapes (S, s) and (T, t)."""
    weights = sp.csr_array(np.abs(sp.csr_array(block.weights)), dtype=np.float64)
    weights.eliminate_zeros()
    ones = sp.csr_array((np.ones_like(weights.data), weights.indices, weights.indptr), shape=weights.shape)
    edges = sp.csr_array(source.T @ ones @ target)
    sums = edges if block.kind == CARRY else sp.csr_array(source.T @ weights @ target)
    sums = sp.csr_array((np.minimum(sums.data, np.finfo(np.float64).max), sums.indices, sums.indptr), shape=sums.shape)
    return Linked(Block(block.source, block.target, sums, CARRIED if block.kind == CARRY else block.kind), edges)


def strongest(links: Sequence[Linked], first: int = 0) -> tuple[list[Block], Links]:
    """The blocks with the links that are drawn: the strongest, and of each group the strongest that enters it and that leaves it.

    Weights, edges without weights, and edges that carry units on are three sorts. The strength of a link is its share of the strongest
    of its sort, and a group keeps its strongest of each sort. Of equal links the first stays. All links of blocks before ``first`` stay,
    and do not count.

    Examples
    --------
    >>> many = sp.csr_array(np.arange(1.0, 401.0).reshape(20, 20))
    >>> blocks, counts = strongest([Linked(Block(0, 1, many), many)])
    >>> blocks[0].weights.nnz, counts.drawn, counts.all, blocks[0].weights.toarray()[0].nonzero()[0].tolist()
    (162, 162, 400, [19])
    """
    parts = [sp.coo_array(one.block.weights) for one in links]
    sorts = np.concatenate([np.full(part.nnz, _sort(one.block.kind)) for part, one in zip(parts, links, strict=True)])
    places = np.concatenate([np.full(part.nnz, i) for i, part in enumerate(parts)])
    strengths = np.concatenate([part.data for part in parts])
    edges = np.concatenate([one.edges.toarray()[part.row, part.col] for part, one in zip(parts, links, strict=True)])
    for sort in np.unique(sorts):
        strengths[sorts == sort] /= strengths[sorts == sort].max()
    counted = places >= first
    order = np.flatnonzero(counted)
    order = order[np.argsort(-strengths[order], kind="stable")]
    kept = ~counted
    kept[order[:MOST_LINKS]] = True
    for layers, units in (_ends(links, parts, "source", "row"), _ends(links, parts, "target", "col")):
        keys = np.stack([layers, units, sorts], axis=1)[order]
        kept[order[np.unique(keys, axis=0, return_index=True)[1]]] = True
    blocks = []
    for i, (part, one) in enumerate(zip(parts, links, strict=True)):
        own = kept[places == i]
        matrix = sp.coo_array((part.data[own], (part.row[own], part.col[own])), shape=part.shape)
        blocks.append(Block(one.block.source, one.block.target, sp.csr_array(matrix), one.block.kind))
    drawn = kept & counted
    return blocks, Links(int(drawn.sum()), int(counted.sum()), int(edges[drawn].sum()), int(edges[counted].sum()))


def _sort(kind: str) -> int:
    return 2 if kind == CARRIED else 1 if kind in UNWEIGHTED else 0


def _ends(links: Sequence[Linked], parts: Sequence[sp.coo_array], end: str, axis: str) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The layer and the group at one end of each link."""
    layers = [np.full(part.nnz, getattr(one.block, end)) for part, one in zip(parts, links, strict=True)]
    return np.concatenate(layers), np.concatenate([getattr(part, axis) for part in parts])
