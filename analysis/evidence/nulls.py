"""Null models: random networks that equal a given one except for the structure in question."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..graph import LayeredGraph, as_graph

__all__ = ["rewired", "shuffled"]

# E edges of one layer, between n source and m target units.

# Rounds of trades. An edge of a unit with one edge moves in half of the rounds. This mixes n such units like n/4 random transpositions a
# round; n log(n) / 2 transpositions are enough, so 2 log(n) rounds, which is 30 for n of three million.
ROUNDS = 30


def rewired(network: Any, *, seed: int | np.random.Generator = 0) -> LayeredGraph:
    """A random network in which every unit has as many incoming and outgoing edges as before.

    Parameters
    ----------
    network : LayeredGraph, or anything that :func:`~analysis.graph.as_graph` reads
    seed : int or numpy.random.Generator

    Returns
    -------
    LayeredGraph
        Of the same shape. An edge keeps its weight and its target, so every unit also keeps its incoming weights.

    Notes
    -----
    Each layer is rewired separately. In every round the source units are paired at random. The edges to targets that only one unit of a
    pair has are redistributed between the two at random, each unit keeping its number of edges. A trade and its reverse are equally likely,
    and every arrangement can be reached, so after enough rounds (30) all arrangements are equally likely. These are the global curveball
    trades of Carstens, Berger & Strona, MethodsX 2018, after Strona et al., Nature Communications 2014.

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
    return replace(graph, weights=tuple(_rewired_layer(w, rng) for w in graph.weights))


def shuffled(network: Any, *, seed: int | np.random.Generator = 0) -> LayeredGraph:
    """A network with the same edges, and the weights of each layer permuted at random among them.

    Parameters
    ----------
    network : LayeredGraph, or anything that :func:`~analysis.graph.as_graph` reads
    seed : int or numpy.random.Generator

    Examples
    --------
    >>> sorted(shuffled([[[1.0, 0.0, 2.0, 3.0]]], seed=1).weights[0].ravel().tolist())
    [0.0, 1.0, 2.0, 3.0]
    """
    rng = np.random.default_rng(seed)
    graph = as_graph(network)
    weights = tuple(w.copy() for w in graph.weights)
    for weight in weights:
        edges = weight != 0
        weight[edges] = rng.permutation(weight[edges])
    return replace(graph, weights=weights)


def _rewired_layer(weight: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.float64]:
    joined = weight != 0
    source, target = joined.nonzero()
    values = weight[source, target]
    for _ in range(ROUNDS):
        partner = _partners(len(weight), rng)
        free = np.flatnonzero(~joined[partner[source], target])
        pair = np.minimum(source, partner[source])[free]
        # The free edge ends of each pair, and its edges in random order; both sorted by pair, so that trades stay within pairs.
        ends = source[free][np.argsort(pair, kind="stable")]
        dealt = free[np.argsort(pair + rng.random(len(pair)))]
        joined[source[free], target[free]] = False
        source[dealt] = ends
        joined[source[free], target[free]] = True
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
