"""Graphs of units for tests: two tasks side by side in residual networks and transformers, and random graphs."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import scipy.sparse as sp

from analysis import Block, UnitGraph

Sides = Callable[[int, int], np.ndarray]


def sides(rng: np.random.Generator, tasks: int, density: float) -> Sides:
    """Makes matrices of random weights with one block on the diagonal for each task."""

    def make(below: int, above: int) -> np.ndarray:
        matrix = np.zeros((tasks * below, tasks * above))
        for t in range(tasks):
            block = rng.normal(size=(below, above)) * (rng.random((below, above)) < density)
            matrix[t * below : (t + 1) * below, t * above : (t + 1) * above] = block
        return matrix

    return make


def residual(tasks: int = 2, blocks: int = 3, density: float = 1.0, seed: int = 0) -> UnitGraph:
    """A residual network: x, r0, then h and r for each block, y; stages of the stream are joined by edges that carry."""
    make = sides(np.random.default_rng(seed), tasks, density)
    layers = [("x", "input", 3 * tasks), ("r0", "residual", 4 * tasks)]
    edges = [(0, 1, make(3, 4), "dense")]
    for k in range(blocks):
        at = len(layers)
        layers += [(f"h{k}", "neuron", 5 * tasks), (f"r{k + 1}", "residual", 4 * tasks)]
        edges += [(at - 1, at, make(4, 5), "dense"), (at, at + 1, make(5, 4), "dense"), (at - 1, at + 1, np.eye(4 * tasks), "carry")]
    layers.append(("y", "output", 2 * tasks))
    return UnitGraph(layers, [*edges, (len(layers) - 2, len(layers) - 1, make(4, 2), "dense")])


def attention(tasks: int = 2, density: float = 1.0, seed: int = 0) -> UnitGraph:
    """A transformer of one block with two heads of two dimensions for each task."""
    make, heads = sides(np.random.default_rng(seed), tasks, density), np.kron(np.eye(2 * tasks), np.ones((2, 1)))
    names = ("x", "r0", "q", "k", "v", "pattern", "z", "r1", "m", "r2", "y")
    kinds = ("input", "residual", "query", "key", "value", "gate", "value", "residual", "neuron", "residual", "output")
    sizes = (3, 4, 4, 4, 4, 2, 4, 4, 5, 4, 2)
    edges = [(0, 1, make(3, 4), "embedding"), *((1, i, make(4, 4), names[i]) for i in (2, 3, 4))]
    edges += [(2, 5, heads, "product"), (3, 5, heads, "product"), (5, 6, heads.T, "gate"), (4, 6, np.eye(4 * tasks), "carry")]
    edges += [(6, 7, make(4, 4), "o"), (1, 7, np.eye(4 * tasks), "carry"), (7, 8, make(4, 5)), (8, 9, make(5, 4))]
    edges += [(7, 9, np.eye(4 * tasks), "carry"), (9, 10, make(4, 2))]
    return UnitGraph([(n, k, tasks * s) for n, k, s in zip(names, kinds, sizes, strict=True)], edges)


def random_units(rng: np.random.Generator, density: float = 0.4) -> UnitGraph:
    """A random graph of three to six layers with blocks of two kinds, skip edges and now and then a block that carries."""
    sizes = rng.integers(1, 7, size=rng.integers(3, 7)).tolist()
    last = len(sizes) - 1
    kinds = ["input", *("neuron",) * (last - 1), "output"]
    blocks: list[Block] = []
    for a in range(last):
        for b in range(a + 1, last + 1):
            if b == a + 1 or rng.random() < 0.4:
                kind = "carry" if sizes[a] == sizes[b] and b < last and rng.random() < 0.5 else "dense"
                weights = np.eye(sizes[a]) if kind == "carry" else rng.normal(size=(sizes[a], sizes[b]))
                blocks.append(Block(a, b, sp.csr_array(weights * (rng.random(weights.shape) < density)), kind))
    return UnitGraph([(f"layer {i}", kind, size) for i, (kind, size) in enumerate(zip(kinds, sizes, strict=True))], blocks)


def tasks_of(graph: UnitGraph, tasks: int = 2) -> list[int]:
    """The task of each unit of a graph of tasks side by side."""
    return [i * tasks // width for width in graph.widths for i in range(width)]
