"""Null models: random networks that equal a given one except for the structure in question."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from ..graph import AnyGraph, Block, LayeredGraph, as_graph
from ..graph.blocks import Matrix, entries_of

__all__ = ["rewired", "shuffled", "with_weights"]

# E edges of one layer, between n source and m target units.

# Rounds of trades. An edge of a unit with one edge moves in half of the rounds. This mixes n such units like n/4 random transpositions a
# round; n log(n) / 2 transpositions are enough, so 2 log(n) rounds, which is 30 for n of three million.
ROUNDS = 30


def rewired(network: Any, *, seed: int | np.random.Generator = 0) -> AnyGraph:
    """A random network in which every unit has as many incoming and outgoing edges as before.

    Parameters
    ----------
    network : LayeredGraph, UnitGraph, or anything that :func:`~analysis.graph.as_graph` reads
    seed : int or numpy.random.Generator

    Returns
    -------
    LayeredGraph or UnitGraph
        Of the same shape. An edge keeps its weight and its target, so every unit also keeps its incoming weights. Edges that carry a unit
        on stay as they are: there is no choice in them.

    Notes
    -----
    Each block of edges is rewired separately. In every round the source units are paired at random. The edges to targets that only one
    unit of a pair has are redistributed between the two at random, each unit keeping its number of edges. A trade and its reverse are
    equally likely, and every arrangement can be reached, so after enough rounds (30) all arrangements are equally likely. These are the
    global curveball trades of Carstens, Berger & Strona, MethodsX 2018, after Strona et al., Nature Communications 2014.

    If all units are alive they stay so: a unit is alive exactly where it has edges on the sides it needs.

    Examples
    --------
    >>> import numpy as np
    >>> found = rewired([np.kron(np.eye(3), np.ones((1, 2)))], seed=1).weights[0]
    >>> found.sum(axis=0).tolist(), found.sum(axis=1).tolist()
    ([2.0, 2.0, 2.0], [1.0, 1.0, 1.0, 1.0, 1.0, 1.0])
    """
    rng = np.random.default_rng(seed)
    graph = as_graph(network)
    return with_weights(graph, [block.weights if block.carry else _rewired_block(block.weights, rng) for block in graph.blocks])


def shuffled(network: Any, *, seed: int | np.random.Generator = 0) -> AnyGraph:
    """A network with the same edges, and the weights of each block permuted at random among them, but for edges that carry a unit on.

    Parameters
    ----------
    network : LayeredGraph, UnitGraph, or anything that :func:`~analysis.graph.as_graph` reads
    seed : int or numpy.random.Generator

    Examples
    --------
    >>> sorted(shuffled([[[1.0, 0.0, 2.0, 3.0]]], seed=1).weights[0].ravel().tolist())
    [0.0, 1.0, 2.0, 3.0]
    """
    rng = np.random.default_rng(seed)
    graph = as_graph(network)
    return with_weights(graph, [block.weights if block.carry else _shuffled_block(block.weights, rng) for block in graph.blocks])


def with_weights(graph: AnyGraph, weights: Sequence[Matrix]) -> AnyGraph:
    """The same graph with other weights, one matrix for each block.

    Examples
    --------
    >>> with_weights(as_graph([[[1.0, 2.0]]]), [np.array([[0.0], [3.0]])]).edge_count
    1
    """
    if isinstance(graph, LayeredGraph):
        return replace(graph, weights=tuple(weights))
    return replace(graph, blocks=tuple(Block(b.source, b.target, w, b.kind) for b, w in zip(graph.blocks, weights, strict=True)))


def _shuffled_block(weight: Matrix, rng: np.random.Generator) -> Matrix:
    source, target, values = entries_of(weight)
    return _like(weight, source, target, rng.permutation(values))


def _rewired_block(weight: Matrix, rng: np.random.Generator) -> Matrix:
    source, target, values = entries_of(weight)
    joined = np.zeros(weight.shape, dtype=bool)
    joined[source, target] = True
    for _ in range(ROUNDS):
        partner = _partners(weight.shape[0], rng)
        free = np.flatnonzero(~joined[partner[source], target])
        pair = np.minimum(source, partner[source])[free]
        # The free edge ends of each pair, and its edges in random order; both sorted by pair, so that trades stay within pairs.
        ends = source[free][np.argsort(pair, kind="stable")]
        dealt = free[np.argsort(pair + rng.random(len(pair)))]
        joined[source[free], target[free]] = False
        source[dealt] = ends
        joined[source[free], target[free]] = True
    return _like(weight, source, target, values)


def _like(weight: Matrix, source: NDArray[np.int64], target: NDArray[np.int64], values: NDArray[np.float64]) -> Matrix:
    """A matrix of the same shape and form with these entries."""
    if sp.issparse(weight):
        return sp.csr_array((values, (source, target)), shape=weight.shape)
    found = np.zeros_like(weight)
    found[source, target] = values
    return found


def _partners(count: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """A random pairing of units 0..count-1; for an odd number one unit is its own partner."""
    order = rng.permutation(count)
    half = count // 2
    partner = np.arange(count)
    partner[order[:half]], partner[order[half : 2 * half]] = order[half : 2 * half], order[:half]
    return partner
