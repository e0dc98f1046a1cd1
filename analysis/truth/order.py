"""How far the order between modules agrees with the truth."""

from __future__ import annotations

import networkx as nx
import numpy as np
from numpy.typing import NDArray

from .contraction import owners

__all__ = ["distances_between_ends", "order_agreement"]

NO_PATH = -1


def distances_between_ends(graph: nx.DiGraph, inputs: list[int], outputs: list[int]) -> NDArray[np.int64]:
    """The number of edges from the module of each input to the module of each output, shape (inputs, outputs).

    0 means the same module, -1 no path, or an end that no module holds.
    """
    owner = owners(graph)
    found = np.full((len(inputs), len(outputs)), NO_PATH)
    lengths = {
        node: nx.single_source_shortest_path_length(graph, node) for node in {owner.get(("inputs", i)) for i in inputs} if node in graph
    }
    for row, i in enumerate(inputs):
        for column, o in enumerate(outputs):
            found[row, column] = lengths.get(owner.get(("inputs", i)), {}).get(owner.get(("outputs", o)), NO_PATH)
    return found


def order_agreement(found: nx.DiGraph, truth: nx.DiGraph, inputs: list[int], outputs: list[int]) -> float | None:
    """Cohen's kappa of the distances from inputs to outputs, over the pairs that have a path in the truth.

    It is 1 for equal distances. It is 0 where the found distances are all equal, as with one module for everything and with each unit a
    module of its own, and in the mean of random assignments. Where the truth itself has one distance there is no order to find: then it
    is None if that distance was found for all pairs, and 0 otherwise.

    Source: Cohen, "A coefficient of agreement for nominal scales", Educational and Psychological Measurement 20, 37 (1960).
    """
    expected = distances_between_ends(truth, inputs, outputs)
    pairs = expected != NO_PATH
    a, b = distances_between_ends(found, inputs, outputs)[pairs], expected[pairs]
    values = np.unique(np.concatenate([a, b]))
    if len(np.unique(b)) < 2:
        return None if np.array_equal(a, b) else 0.0
    chance = float(sum((a == value).mean() * (b == value).mean() for value in values))
    return (float((a == b).mean()) - chance) / (1 - chance)
