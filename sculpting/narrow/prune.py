"""One-shot pruning of units by any score.

N = members, H = units of one member that can be removed, n_l = those of layer l.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from numpy.typing import ArrayLike
from torch import Tensor

from ..checks import listed, shown
from ..models.network import SparseNetwork
from ..models.sparse_module import SparseModule
from ..surroundings import set_aside
from .engines import engine_of
from .reading import Model, read_alone

__all__ = ["TOLERANCE", "check_scope", "check_sparsity", "lowest", "lowest_of", "prune_units"]

MOST_LAYERS = 100_000
SCOPES = ("global", "layer")
TOLERANCE = 1e-9  # of a count of units: 0.29 of 100 units are 29, though their product is a little less


@set_aside()
def lowest(scores: Tensor, population: Any, sparsity: Tensor | Sequence[float] | float, scope: str = "global") -> Tensor:
    """Which units of each member to remove, those of the lowest scores: bool ``(N, H)``.

    Parameters
    ----------
    scores : Tensor of shape (N, H)
        Such as those of ``unit_ablation`` or, for pruning at random without replacement, ``unit_random``.
    population : Population or ModulePopulation
    sparsity : float or sequence of shape (N,), in [0, 1)
        The fraction of units to remove.
    scope : {"global", "layer"}
        Over all layers together, so that a layer may lose all its units, or the same fraction of each.

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
    >>> from ..mlp.population import Population, Shape
    >>> population = Population.of(Shape((2, 4, 1), ("relu", "identity")), torch.ones(1, 17))
    >>> lowest(torch.tensor([[0.3, 0.1, 0.2, 0.1]]), population, 0.5)
    tensor([[False,  True, False,  True]])
    """
    check_scope(scope)
    fractions = check_sparsity(sparsity)
    if fractions.shape not in ((), (1,), (len(population),)):
        raise ValueError(f"sparsity must be one fraction, or one for each of {len(population)} members; got shape {tuple(fractions.shape)}")
    fractions = fractions.expand(len(population))
    hidden = engine_of(population).own_widths(population)
    sizes = hidden if scope == "layer" else hidden.sum(dim=1, keepdim=True)
    return lowest_of(scores, population, torch.floor(fractions.unsqueeze(1) * sizes + TOLERANCE))


def lowest_of(scores: Tensor, population: Any, counts: Tensor) -> Tensor:
    """As ``lowest``, of so many units each: ``counts (N, 1)`` over all layers together, or ``(N, L)``, of each."""
    engine = engine_of(population)
    alive = engine.alive(population)
    if scores.shape != alive.shape:
        raise ValueError(f"scores must have shape {tuple(alive.shape)}, one for each hidden unit of each member; got {tuple(scores.shape)}")
    if bool(torch.isnan(scores).any()):
        raise ValueError(f"scores must be numbers; got {int(torch.isnan(scores).sum())} NaN. A loss that is not finite gives such scores")
    hidden, widths = engine.own_widths(population), engine.widths(population)
    own = torch.cat([torch.arange(width) < count.unsqueeze(1) for width, count in zip(widths, hidden.unbind(1), strict=True)], dim=1)
    ranked = scores.double().masked_fill(~alive, -torch.inf).masked_fill(~own.to(scores.device), torch.inf)
    parts = [ranked] if counts.shape[1] == 1 else ranked.split(widths, dim=1)
    return torch.cat([_first(part, count) for part, count in zip(parts, counts.to(scores.device).unbind(1), strict=True)], dim=1)


@set_aside()
def prune_units(
    model: Model, scores: Sequence[ArrayLike], sparsity: float, scope: str = "global", *, example: Any = None
) -> SparseNetwork | SparseModule:
    """A model without the units of the lowest scores; nothing is trained.

    Hidden units of a chain of Linear layers are taken out of its matrices. In any other module all that reads or writes a removed unit is
    zero; ``compact`` makes it smaller.

    Parameters
    ----------
    model : nn.Module, SparseNetwork or SparseModule
        As for :func:`~sculpting.narrow.ablation.ablation_scores`. It is not changed.
    scores : sequence of arrays of shape (n_l,)
        One for each layer of units, as :func:`~sculpting.narrow.ablation.ablation_scores` gives them.
    sparsity, scope
        See :func:`lowest`.
    example : Tensor or tuple of Tensor, optional
        Some rows, to find the units of a module that is no chain, where the scores do not bring them.

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
    population, facts = read_alone(model, example, scores)
    engine = engine_of(population)
    try:
        parts = [torch.as_tensor(part, dtype=torch.float64).cpu() for part in listed("scores", scores, MOST_LAYERS, "arrays, one a layer")]
    except (ValueError, RuntimeError, OverflowError, RecursionError) as error:
        raise ValueError(f"scores must be arrays of numbers, one for each layer of units; got {shown(scores)}") from error
    shapes, expected = [tuple(part.shape) for part in parts], [(width,) for width in engine.widths(population)]
    if shapes != expected:
        raise ValueError(f"scores must have shapes {expected}, one for each layer of units; got {shapes}")
    removed = lowest(torch.cat(parts).unsqueeze(0), population, sparsity, scope)
    pruned: SparseNetwork | SparseModule = engine.export(engine.without_units(population, removed), 0, facts)
    return pruned


def check_scope(scope: str) -> None:
    """Refuse a scope that is not known."""
    if not isinstance(scope, str) or scope not in SCOPES:
        raise ValueError(f"scope must be one of {list(SCOPES)}; got {shown(scope)}")


def check_sparsity(sparsity: Tensor | Sequence[float] | float) -> Tensor:
    """A sparsity or several, float64; refused outside [0, 1)."""
    try:
        fractions = torch.as_tensor(sparsity, dtype=torch.float64).cpu()
    except (TypeError, ValueError, RuntimeError, OverflowError, RecursionError) as error:
        raise ValueError(f"sparsity must be the fraction of units to remove, in [0, 1); got {shown(sparsity)}") from error
    wrong = fractions[~((fractions >= 0) & (fractions < 1))]
    if wrong.numel():
        raise ValueError(f"sparsity must be the fraction of units to remove, in [0, 1); got {float(wrong.flatten()[0])}")
    return fractions


def _first(scores: Tensor, count: Tensor) -> Tensor:
    """The ``count (N,)`` lowest of ``scores (N, J)``, equal ones by position."""
    places = torch.arange(scores.shape[1], device=scores.device).expand_as(scores)
    return torch.zeros_like(scores, dtype=torch.bool).scatter(1, scores.argsort(dim=1, stable=True), places < count.unsqueeze(1))
