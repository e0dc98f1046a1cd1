"""One-shot pruning of hidden units by any score.

N = members, H = hidden units of one member, n_l = width of layer l.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from numpy.typing import ArrayLike
from torch import Tensor, nn

from ..mlp.export import network_of
from ..mlp.population import Population
from ..models.network import SparseNetwork
from .groups import read_finite, without_groups

__all__ = ["TOLERANCE", "check_scope", "check_sparsity", "lowest", "lowest_of", "prune_units"]

SCOPES = ("global", "layer")
TOLERANCE = 1e-9  # of a count of units: 0.29 of 100 units are 29, though their product is a little less


def lowest(scores: Tensor, population: Population, sparsity: Tensor | Sequence[float] | float, scope: str = "global") -> Tensor:
    """Which hidden units of each member to remove, those of the lowest scores: bool ``(N, H)``.

    Parameters
    ----------
    scores : Tensor of shape (N, H)
        Such as those of ``unit_ablation`` or, for pruning at random without replacement, ``unit_random``.
    population : Population
    sparsity : float or sequence of shape (N,), in [0, 1)
        The fraction of units to remove.
    scope : {"global", "layer"}
        Over all hidden layers together, so that a layer may lose all its units, or the same fraction of each.

    Returns
    -------
    Tensor
        For each member exactly ``floor(sparsity * H)`` units, or ``floor(sparsity * n_l)`` in each layer; of equal scores the first. Units
        that were pruned before count, and are the first to be removed.

    Raises
    ------
    ValueError
        When scores are not of shape (N, H) or are NaN, a sparsity is outside [0, 1), there are neither one nor N, or the scope is not
        known.

    Notes
    -----
    Published: global, in one shot, without scoring again (parities); the same fraction of each layer (digits). There random units were
    drawn with replacement, so that fewer than asked for were removed, and only incoming weights were masked, so that a removed unit still
    gave its bias. Here all weights and the bias of a unit are removed: see ``Population.without_units``.

    Examples
    --------
    >>> from ..mlp.population import Shape
    >>> population = Population.of(Shape((2, 4, 1), ("relu", "identity")), torch.ones(1, 17))
    >>> lowest(torch.tensor([[0.3, 0.1, 0.2, 0.1]]), population, 0.5)
    tensor([[False,  True, False,  True]])
    """
    check_scope(scope)
    fractions = check_sparsity(sparsity)
    if fractions.shape not in ((), (1,), (len(population),)):
        raise ValueError(f"sparsity must be one fraction, or one for each of {len(population)} members; got shape {tuple(fractions.shape)}")
    fractions = fractions.expand(len(population))
    hidden = population.own[:, 1:-1]
    sizes = hidden if scope == "layer" else hidden.sum(dim=1, keepdim=True)
    return lowest_of(scores, population, torch.floor(fractions.unsqueeze(1) * sizes + TOLERANCE))


def lowest_of(scores: Tensor, population: Population, counts: Tensor) -> Tensor:
    """As ``lowest``, of so many units each: ``counts (N, 1)`` over all hidden layers together, or ``(N, L - 1)``, of each."""
    alive = torch.cat(population.alive(), dim=1)
    if scores.shape != alive.shape:
        raise ValueError(f"scores must have shape {tuple(alive.shape)}, one for each hidden unit of each member; got {tuple(scores.shape)}")
    if bool(torch.isnan(scores).any()):
        raise ValueError(f"scores must be numbers; got {int(torch.isnan(scores).sum())} NaN. A loss that is not finite gives such scores")
    hidden, widths = population.own[:, 1:-1], population.shape.widths[1:-1]
    own = torch.cat([torch.arange(width) < count.unsqueeze(1) for width, count in zip(widths, hidden.unbind(1), strict=True)], dim=1)
    ranked = scores.double().masked_fill(~alive, -torch.inf).masked_fill(~own.to(scores.device), torch.inf)
    parts = [ranked] if counts.shape[1] == 1 else ranked.split(widths, dim=1)
    return torch.cat([_first(part, count) for part, count in zip(parts, counts.to(scores.device).unbind(1), strict=True)], dim=1)


def prune_units(model: nn.Module | SparseNetwork, scores: Sequence[ArrayLike], sparsity: float, scope: str = "global") -> SparseNetwork:
    """A model without the hidden units of the lowest scores, which are taken out of its matrices; nothing is trained.

    Parameters
    ----------
    model : nn.Module or SparseNetwork
        See ``read_model``. It is not changed.
    scores : sequence of arrays of shape (n_l,)
        One for each hidden layer, as :func:`~sculpting.narrow.ablation.ablation_scores` gives them.
    sparsity, scope
        See :func:`lowest`.

    Raises
    ------
    TypeError, ValueError
        When the model cannot be read, or the rest does not fit it.

    Examples
    --------
    >>> network = SparseNetwork(([[1.0], [2.0]], [[3.0, 4.0]]), ([0.0, 0.0], [5.0]), ("relu", "identity"))
    >>> prune_units(network, [[0.7, 0.1]], sparsity=0.5).weights
    (array([[1.]], dtype=float32), array([[3.]], dtype=float32))
    """
    chain = read_finite(model)
    population = Population.of(chain.shape, chain.values.unsqueeze(0), chain.mask.unsqueeze(0))
    parts = [torch.as_tensor(part, dtype=torch.float64).cpu() for part in scores]
    shapes, expected = [tuple(part.shape) for part in parts], [(width,) for width in chain.shape.widths[1:-1]]
    if shapes != expected:
        raise ValueError(f"scores must have shapes {expected}, one for each hidden layer; got {shapes}")
    flat = torch.cat(parts).unsqueeze(0)
    return network_of(without_groups(population, lowest(flat, population, sparsity, scope)), 0, head=chain.head).compact()


def check_scope(scope: str) -> None:
    """Refuse a scope that is not known."""
    if scope not in SCOPES:
        raise ValueError(f"scope must be one of {list(SCOPES)}; got {scope!r}")


def check_sparsity(sparsity: Tensor | Sequence[float] | float) -> Tensor:
    """A sparsity or several, float64; refused outside [0, 1)."""
    fractions = torch.as_tensor(sparsity, dtype=torch.float64).cpu()
    wrong = fractions[~((fractions >= 0) & (fractions < 1))]
    if wrong.numel():
        raise ValueError(f"sparsity must be the fraction of units to remove, in [0, 1); got {float(wrong.flatten()[0])}")
    return fractions


def _first(scores: Tensor, count: Tensor) -> Tensor:
    """The ``count (N,)`` lowest of ``scores (N, J)``, equal ones by position."""
    places = torch.arange(scores.shape[1], device=scores.device).expand_as(scores)
    return torch.zeros_like(scores, dtype=torch.bool).scatter(1, scores.argsort(dim=1, stable=True), places < count.unsqueeze(1))
