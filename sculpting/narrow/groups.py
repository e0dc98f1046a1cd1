"""Groups of chains of Linear layers: a hidden unit's incoming weights, its bias and its outgoing weights.

N = members, H = hidden units of one member, P = parameters of a member, n_l = width of layer l.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ..mlp.population import Population
from ..models.chain import Chain, read_model
from ..models.network import SparseNetwork
from ..models.shape import Shape
from ..options import check_finite

__all__ = ["by_layer", "group_norms", "group_sums", "read_chain", "read_finite", "without_groups"]


def group_sums(shape: Shape, flat: Tensor) -> Tensor:
    """Sums over the groups of something that each parameter has, ``flat (N, P)``: ``(N, H)``, layer after layer.

    A weight between two hidden units counts in both groups, a bias of the outputs in none.
    """
    weights, biases = shape.weights(flat), shape.biases(flat)
    return torch.cat([into.sum(dim=2) + bias + out.sum(dim=1) for (into, out), bias in zip(pairwise(weights), biases, strict=False)], dim=1)


def group_norms(population: Population) -> Tensor:
    """Euclidean norm of every group, ``sqrt(sum of w**2)``: ``(N, H)``, layer after layer; 0 for a pruned unit.

    Examples
    --------
    >>> shape = Shape((1, 1, 1), ("relu", "identity"))
    >>> group_norms(Population.of(shape, torch.tensor([[2.0, 3.0, 6.0, 9.0]])))  # in, bias, out, and a bias of the output
    tensor([[7.]])
    """
    return group_sums(population.shape, population.values.square()).sqrt()


def without_groups(population: Population, gone: Tensor) -> Population:
    """The population without the groups ``gone``, bool ``(N, H)``, which are zeroed and masked."""
    return population.masked(population.without_units(gone))


def by_layer(shape: Shape, scores: Tensor) -> list[NDArray[np.float64]]:
    """Numbers of all hidden units, ``(H,)``, as one float64 array ``(n_l,)`` for each hidden layer."""
    return [part.double().cpu().numpy() for part in scores.split(shape.widths[1:-1])]


def read_chain(model: nn.Module | SparseNetwork) -> Chain:
    """A model as a chain; weights that are zero were pruned, of a ``SparseNetwork`` biases too.

    Raises
    ------
    TypeError, ValueError
        When it is no chain of Linear layers.
    """
    if isinstance(model, SparseNetwork):
        chain = read_model(model.model())
        return replace(chain, mask=(chain.values != 0).float())
    return read_model(model).without_zeros()


def read_finite(model: nn.Module | SparseNetwork) -> Chain:
    """The same, refused where its weights and biases are not finite."""
    chain = read_chain(model)
    check_finite(chain)
    return chain
