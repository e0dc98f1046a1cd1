"""Members of a population as networks."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from numpy.typing import NDArray
from torch import Tensor

from ..models.network import SparseNetwork
from .population import Population

__all__ = ["by_weights", "network_of", "networks_of"]


def network_of(population: Population, member: int, **facts: Any) -> SparseNetwork:
    """One member of a population as a network of its own widths; ``facts`` are further attributes of the network."""
    return networks_of(population.select([member]), [facts])[0]


def networks_of(population: Population, facts: Sequence[dict[str, Any]]) -> list[SparseNetwork]:
    """Every member as a network of its own widths; ``facts`` holds further attributes for each."""
    found, starts, widths = [], population.shape.starts, population.shape.widths
    for row, own, known in zip(population.values.cpu().numpy(), population.own.tolist(), facts, strict=True):
        weights, biases = [], []
        for (first, last), n_in, (into, out) in zip(pairwise(starts), widths, pairwise(own), strict=False):
            matrix = row[first:last].reshape(-1, n_in + 1)
            weights.append(matrix[:out, :into])
            biases.append(matrix[:out, -1])
        found.append(SparseNetwork(tuple(weights), tuple(biases), population.shape.activations, **known))
    return found


def by_weights(population: Population, edges: Tensor) -> list[tuple[NDArray[Any], ...]]:
    """Numbers of edges ``(N, E)``, layer after layer, for every member as arrays ``(n_out, n_in)`` of its own widths."""
    widths = [*pairwise(population.shape.widths)]
    layers = [part.cpu().numpy() for part in edges.split([n_in * n_out for n_in, n_out in widths], dim=1)]
    stacked = [part.reshape(-1, n_out, n_in) for part, (n_in, n_out) in zip(layers, widths, strict=True)]
    return [
        tuple(part[row, :out, :into] for part, (into, out) in zip(stacked, pairwise(own), strict=True))
        for row, own in enumerate(population.own.tolist())
    ]
