"""Layered graphs for tests, and how partitions are compared."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from hypothesis import strategies as st

from analysis.detection.alive import alive_edges
from analysis.detection.features import reach_features
from analysis.graph import LayeredGraph

SEEDS = st.integers(0, 2**32 - 1)


def same(found: Sequence[int], expected: Sequence[int]) -> bool:
    """Whether two partitions are one up to renaming."""
    pairs = set(zip(list(found), list(expected), strict=True))
    return len(pairs) == len(set(found)) == len(set(expected))


def lists(labels: Sequence[np.ndarray]) -> list[list[int]]:
    return [layer.tolist() for layer in labels]


def random_graph(rng: np.random.Generator, widths: Sequence[int], density: float = 0.4) -> LayeredGraph:
    return LayeredGraph.from_weights(
        tuple((rng.random(shape) < density) * rng.normal(size=shape) for shape in pairwise(widths)), orientation="in_out"
    )


def random_features(seed: int, features: str = "binary") -> list[np.ndarray]:
    """Features of the layers of a random graph, which are full of ties, but for layers of one unit."""
    rng = np.random.default_rng(seed)
    graph = random_graph(rng, rng.integers(2, 10, size=rng.integers(3, 6)), density=rng.uniform(0.2, 0.7))
    return [rows for rows in reach_features(alive_edges(graph, graph.alive(), features)) if len(rows) > 1]


def permuted(graph: LayeredGraph, layer: int, order: np.ndarray) -> LayeredGraph:
    weights = list(graph.weights)
    if layer > 0:
        weights[layer - 1] = weights[layer - 1][:, order]
    if layer < len(weights):
        weights[layer] = weights[layer][order]
    return LayeredGraph.from_weights(tuple(weights), orientation="in_out")


def planted_blocks(layers: Sequence[np.ndarray]) -> LayeredGraph:
    """Layers of labels in which units are wired to those of the same label, all to all."""
    return LayeredGraph.from_weights(tuple((a[:, None] == b).astype(float) for a, b in pairwise(layers)), orientation="in_out")
