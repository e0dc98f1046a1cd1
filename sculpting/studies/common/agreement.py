"""How attribution agrees with ablation: columns, lines and figures of the studies of narrow networks.

H = hidden units of a network.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from torch import Tensor

from ...narrow.correlation import score_correlation
from ...narrow.engines import engine_of
from ...store import Row
from .reporting import spread
from .success_rates import NOT_RUN

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = [
    "AGREEMENT_COLUMNS",
    "AGREEMENT_HEADER",
    "KINDS",
    "LISTS",
    "PUBLISHED_AGREEMENT",
    "WHAT_SCORES_ARE",
    "agreement_line",
    "agreement_of",
    "agreement_scatter",
    "attributions_of",
    "mean_and_range",
    "rounded",
    "without_lists",
]

KINDS = {"first_order": "first order", "activation_gradient": "activation x gradient"}
CORRELATIONS = ("pearson", "pearson_log", "spearman", "zeros")  # of each attribution with ablation
AGREEMENT_COLUMNS = tuple(f"{kind}_{name}" for kind in KINDS for name in CORRELATIONS)
LISTS = ("scores", "attributions")  # columns of numbers of every unit, which no table takes
AGREEMENT_HEADER = ("attribution", "Pearson", "Pearson of logarithms", "Spearman", "with a 0, of hidden units")
WHAT_SCORES_ARE = (
    "*First order*: |sum of gradient x (-parameter)| over the unit's group; *activation x gradient*: mean of its size over rows. A unit "
    "that is 0 on every row scores 0 throughout, which lifts Spearman; logarithms are without units that have a 0."
)
PUBLISHED_AGREEMENT = "Published, first order, of 500 units of a language model (Llama 3.2, 1B): Pearson 0.44, of logarithms 0.80."


def attributions_of(population: Any, data: Any, key: Tensor) -> dict[str, Tensor]:
    """The scores ``(H,)`` of a single network on the validation rows, by each kind of attribution."""
    return {kind: engine_of(population).scores[kind](population, data, key)[0] for kind in KINDS}


def agreement_of(ablation: Tensor, attributions: Mapping[str, Tensor]) -> Row:
    """How each kind of attribution ``(H,)`` agrees with ablation ``(H,)`` over all hidden units: ``first_order_pearson`` and so on.

    None where a correlation is not defined.

    Examples
    --------
    >>> import torch
    >>> agreement_of(torch.tensor([1.0, 2.0, 0.0]), {"first_order": torch.zeros(3)})["first_order_zeros"]
    3
    """
    found = {kind: score_correlation([scores.numpy()], [ablation.numpy()]) for kind, scores in attributions.items()}
    values = {f"{kind}_{name}": getattr(one, name) for kind, one in found.items() for name in CORRELATIONS}
    return {column: None if math.isnan(value) else value for column, value in values.items()}


def without_lists(rows: Sequence[Row]) -> list[Row]:
    """The rows without their columns of numbers of every unit, nor a ``curve``.

    Examples
    --------
    >>> without_lists([{"seed": 0, "scores": [0.5, 0.25], "attributions": None}])
    [{'seed': 0}]
    """
    return [{name: value for name, value in row.items() if name not in (*LISTS, "curve")} for row in rows]


def rounded(scores: Tensor) -> list[float]:
    """As many digits as float32 has, of small scores too, since their logarithms count.

    Examples
    --------
    >>> import torch
    >>> rounded(torch.tensor([1.23456789e-9, 12.5]))
    [1.234568e-09, 12.5]
    """
    return [float(f"{score:.7g}") for score in scores.tolist()]


def agreement_line(rows: Sequence[Row], kind: str, units: int) -> list[str]:
    """A line under ``AGREEMENT_HEADER``: how an attribution agrees with ablation in networks of so many hidden units, a row for each.

    Examples
    --------
    >>> agreement_line([], "first_order", 128)
    ['first order', 'not run', '', '', '']
    """
    if not rows:
        return [KINDS[kind], NOT_RUN, "", "", ""]
    *correlations, zeros = ([row[f"{kind}_{name}"] for row in rows] for name in CORRELATIONS)
    return [KINDS[kind], *map(mean_and_range, correlations), f"{spread(zeros, 'd')} of {units}"]


def mean_and_range(values: Sequence[float | None], form: str = ".2f") -> str:
    """Mean and range of what is defined.

    Examples
    --------
    >>> mean_and_range([0.5, None, 0.25]), mean_and_range([None]), mean_and_range([1.0, 1.0], ".3f")
    ('0.38 (0.25-0.50)', 'not defined', '1.000 (1.000)')
    """
    known = [value for value in values if value is not None]
    return f"{statistics.mean(known):{form}} ({spread(known, form)})" if known else "not defined"


def agreement_scatter(
    attributions: Mapping[str, Sequence[float]],
    ablation: Sequence[float],
    *,
    title: str,
    ylabel: str = "ablation, nats",
    ax: Axes | None = None,
) -> Axes:
    """Attributions of each kind ``(H,)`` against ablation ``(H,)``, in nats, a point for each hidden unit; returns the axes."""
    from analysis.figures import score_scatter

    pairs = {name: (attributions[kind], ablation) for kind, name in KINDS.items()}
    return score_scatter(pairs, ax=ax, title=title, xlabel="attribution, nats", ylabel=ylabel)
