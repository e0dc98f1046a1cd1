"""Scores: the importance of every hidden unit or edge. The lowest is pruned first.

N = members, S = rows, H = hidden units, E = weights. Every score is a function of ``(population, data, key)``. Only the random scores use
``key (N, 2)``, the keys of the round. A new score is one function and one entry in its dict.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import torch
from torch import Tensor

from ..data import Data
from ..randomness import fold, uniforms
from .ablation import edge_ablation, unit_ablation
from .batched_mlp import BatchedMLP
from .population import Population
from .training import gradient

__all__ = ["EDGE_SCORES", "UNIT_SCORES", "ScoreFunction"]

ScoreFunction = Callable[[Population, Data, Tensor], Tensor]


def unit_sensitivity(population: Population, data: Data, key: Tensor) -> Tensor:
    """First-order loss sensitivity ``(N, H)``: the mean over rows of |activation x dLoss/dactivation|, with the loss of each row.

    Source: Mozer and Smolensky, "Skeletonization", NeurIPS 1988 (relevance), per row as in Molchanov et al., ICLR 2017,
    equation 8; used by Patil, Michael and Dovrolis, NeurIPS 2023.
    """
    networks = BatchedMLP(population.shape, population.values)
    sums, _, hidden = networks.forward(data.x_validation)
    backward = networks.backward(sums, hidden, data.y_validation, data.loss)
    next(backward)  # the outputs
    scores = [(hidden[layer] * felt).abs_().mean(dim=2) for layer, _, felt in backward]
    return torch.cat(scores[::-1], dim=1) / data.loss.divisor(len(data.y))


def unit_weight_sum(population: Population, data: Data, key: Tensor) -> Tensor:
    """Sum of |incoming weights| and |outgoing weights| of every hidden unit: ``(N, H)``."""
    weights = population.weights
    return torch.cat([a.abs().sum(dim=2) + b.abs().sum(dim=1) for a, b in pairwise(weights)], dim=1)


def unit_random(population: Population, data: Data, key: Tensor) -> Tensor:
    """Uniform random numbers ``(N, H)``: the chance baseline."""
    return torch.cat([uniforms(fold(key, -1 - layer), width) for layer, width in enumerate(population.shape.widths[1:-1])], dim=1)


def edge_magnitude(population: Population, data: Data, key: Tensor) -> Tensor:
    """|weight|: ``(N, E)``."""
    return torch.cat([w.flatten(1) for w in population.weights], dim=1).abs()


def edge_sensitivity(population: Population, data: Data, key: Tensor) -> Tensor:
    """First-order loss sensitivity |weight x dLoss/dweight|: ``(N, E)``.

    Source: Lee et al., "SNIP", ICLR 2019, equation 6 without its normalisation.
    """
    return (gradient(population, data) * population.values).abs()[:, population.shape.weight_positions(population.values.device)]


def edge_random(population: Population, data: Data, key: Tensor) -> Tensor:
    """Uniform random numbers ``(N, E)``: the chance baseline."""
    parts = []
    for layer, (n_in, n_out) in enumerate(pairwise(population.shape.widths)):
        # One key for each unit, so that the number of an edge does not depend on the padding of its layer.
        units = fold(fold(key, -1 - layer).repeat_interleave(n_out, dim=0), torch.arange(n_out, device=key.device).repeat(len(key)))
        parts.append(uniforms(units, n_in).view(len(key), -1))
    return torch.cat(parts, dim=1)


UNIT_SCORES: dict[str, ScoreFunction] = {
    "loss_sensitivity": unit_sensitivity,
    "ablation": unit_ablation,
    "weight_sum": unit_weight_sum,
    "random": unit_random,
}

EDGE_SCORES: dict[str, ScoreFunction] = {
    "magnitude": edge_magnitude,
    "ablation": edge_ablation,
    "loss_sensitivity": edge_sensitivity,
    "random": edge_random,
}
