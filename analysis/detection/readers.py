"""Hidden units that alone read a group of inputs, and nothing else: they are with what they read, and apart from other units."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from scipy.sparse.csgraph import connected_components

from ..graph import Wiring
from ..hierarchy import first_appearance

__all__ = ["lone_readers"]

# n inputs, numbered through; r readers: the units of all layers that read inputs, numbered through. The reading edges are pairs of both.

Pairs = tuple[NDArray[np.int64], NDArray[np.int64]]


def lone_readers(
    edges: Wiring | Sequence[NDArray[Any]], clusters: Sequence[NDArray[np.integer]], inputs: Sequence[int] = (0,)
) -> tuple[NDArray[np.int64], ...]:
    """The clusters of all layers, with lone readers and what they read apart.

    1. Inputs that have no reader but one hidden unit, which reads nothing else, are a cluster, unless one input of theirs would be left.
       Blocks of the network that are not connected with one another are left whole: a cluster of all inputs of one is not divided.
    2. A hidden unit that alone reads a cluster of inputs, and nothing else, is a cluster.

    Parameters
    ----------
    edges : Wiring, or sequence of L arrays of shape (a_i, a_{i+1})
        From :func:`~analysis.detection.alive.alive_wiring` or :func:`~analysis.detection.alive.alive_edges`. A nonzero entry is an
        edge.
    clusters : sequence of int arrays of shape (a_i,)
        The clusters of each layer, numbered 0, 1, ...
    inputs : sequence of int
        The layers of inputs.

    Returns
    -------
    tuple of int arrays of the same shapes

    Notes
    -----
    Not in the published method, which clusters the two units of ``m = majority(a, b, c)`` and ``n = majority(d, e, f)`` when both are read
    by the same units, and their six inputs too when that is all they lead to. All that leaves {a, b, c} passes through m, so that they are
    one sub-function. A unit that carries an input on counts as one that reads it, but is no lone reader.

    Examples
    --------
    >>> edges = [np.array([[1, 0, 0], [1, 0, 0], [0, 1, 0], [0, 1, 1]]), np.ones((3, 1))]
    >>> [labels.tolist() for labels in lone_readers(edges, [np.array([0, 0, 1, 1]), np.array([0, 0, 0]), np.array([0])])]
    [[0, 0, 1, 1], [0, 1, 1], [0]]
    """
    wiring, found = Wiring.of(edges), [np.asarray(labels, dtype=np.int64) for labels in clusters]
    layers = sorted({block.target for block in wiring.blocks if block.source in inputs})
    starts, firsts = _starts(wiring, inputs), _starts(wiring, layers)
    read = _Reading(_pairs(wiring, starts, firsts), _hidden(wiring, inputs, layers, firsts), sum(wiring.sizes[i] for i in inputs))
    if not len(read.source):
        return tuple(found)
    groups = _groups_apart(wiring, read, _joint(found, inputs), starts)
    lone = _lone(read, groups)
    for layer, start in starts.items():
        found[layer] = first_appearance([groups[start : start + wiring.sizes[layer]]])[0]
    for layer, start in firsts.items():
        mine = lone[start : start + wiring.sizes[layer]]
        apart = np.where(mine, found[layer].max(initial=-1) + 1 + np.arange(len(mine)), found[layer])
        found[layer] = first_appearance([apart])[0]
    return tuple(found)


class _Reading:
    """The reading edges, and which readers are hidden units that read inputs alone; shape (r,)."""

    def __init__(self, pairs: Pairs, only: NDArray[np.bool_], inputs: int) -> None:
        self.source, self.reader = pairs
        self.only = only
        self.readers_of = np.bincount(self.source, minlength=inputs)
        self.inputs_of = np.bincount(self.reader, minlength=len(only))


def _starts(wiring: Wiring, layers: Sequence[int]) -> dict[int, int]:
    ends = np.cumsum([0, *(wiring.sizes[layer] for layer in layers)])
    return dict(zip(layers, ends.tolist(), strict=False))


def _pairs(wiring: Wiring, starts: dict[int, int], firsts: dict[int, int]) -> Pairs:
    entries = [np.zeros((2, 0), dtype=np.int64)]
    for block in wiring.blocks:
        if block.source in starts:
            source, target = block.weights.nonzero()
            entries.append(np.stack([source + starts[block.source], target + firsts[block.target]]))
    source, reader = np.unique(np.concatenate(entries, axis=1), axis=1)
    return source.astype(np.int64), reader.astype(np.int64)


def _hidden(wiring: Wiring, inputs: Sequence[int], layers: Sequence[int], firsts: dict[int, int]) -> NDArray[np.bool_]:
    """Which readers are hidden units that read nothing but inputs, and carry none on."""
    only = {layer: np.full(wiring.sizes[layer], layer not in wiring.outputs) for layer in layers}
    for block in wiring.blocks:
        if block.target in firsts and (block.source not in inputs or block.carry):
            only[block.target][block.weights.nonzero()[1]] = False
    return np.concatenate([np.zeros(0, dtype=bool), *only.values()])


def _joint(clusters: Sequence[NDArray[np.int64]], layers: Sequence[int]) -> NDArray[np.int64]:
    """The clusters of some layers with different labels in each."""
    ends = np.cumsum([0, *(clusters[layer].max(initial=-1) + 1 for layer in layers)])
    return np.concatenate([clusters[layer] + end for layer, end in zip(layers, ends, strict=False)])


def _groups_apart(wiring: Wiring, read: _Reading, inputs: NDArray[np.int64], starts: dict[int, int]) -> NDArray[np.int64]:
    """Rule 1: the clusters of the inputs."""
    shared = np.zeros(len(read.only), dtype=bool)
    shared[read.reader[read.readers_of[read.source] > 1]] = True
    alone = (read.inputs_of > 1) & read.only & ~shared
    reader = np.full(len(inputs), -1)
    kept = alone[read.reader]
    reader[read.source[kept]] = read.reader[kept]
    labels, blocks = inputs, cache(lambda: _blocks(wiring, starts))
    for cluster in range(int(labels.max(initial=-1)) + 1):
        mine = labels == cluster
        rest = int((reader[mine] < 0).sum())
        if len(set(reader[mine].tolist())) > 1 and rest != 1 and not (rest == 0 and _is_block(mine, blocks())):
            labels = np.where(mine & (reader >= 0), len(labels) + reader + labels.max(), labels)
    return first_appearance([labels])[0]


def _is_block(some: NDArray[np.bool_], blocks: NDArray[np.int64]) -> bool:
    """Whether some inputs are all of one of several parts."""
    return bool(len(blocks) and (some == (blocks == blocks[some.argmax()])).all())


def _lone(read: _Reading, groups: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Rule 2: which readers are clusters of their own."""
    group, reader = np.unique(np.stack([groups[read.source], read.reader]), axis=1)
    lone = np.zeros(len(read.only), dtype=bool)
    lone[reader[(np.bincount(group)[group] == 1) & (np.bincount(reader)[reader] == 1)]] = True
    return lone & read.only


def _blocks(wiring: Wiring, starts: dict[int, int]) -> NDArray[np.int64]:
    """For each input the part of the network that it is in, of those that are not connected with one another; none where there is one."""
    ends = np.cumsum([0, *wiring.sizes])
    pairs = [np.stack(block.weights.nonzero()) + ends[[block.source, block.target], None] for block in wiring.blocks]
    source, target = np.concatenate(pairs, axis=1)
    graph = sp.coo_array((np.ones(len(source)), (source, target)), shape=(ends[-1], ends[-1]))
    blocks, block = connected_components(graph, directed=False)
    of_inputs = np.concatenate([block[ends[layer] : ends[layer + 1]] for layer in starts])
    return of_inputs.astype(np.int64) if blocks > 1 else of_inputs[:0].astype(np.int64)
