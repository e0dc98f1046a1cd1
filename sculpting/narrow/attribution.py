"""Attribution: what one backward pass says of how much each hidden unit matters.

N = members, H = hidden units of one member, n_l = width of layer l.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ..data import Data
from ..mlp.population import Population
from ..mlp.scores import ScoreFunction, unit_sensitivity
from ..mlp.training import gradient
from ..models.network import SparseNetwork
from .groups import by_layer, group_sums, read_pair

__all__ = ["ATTRIBUTIONS", "attribution_scores", "unit_attribution"]


def unit_attribution(population: Population, data: Data, key: Tensor | None = None) -> Tensor:
    """First-order attribution of every member on the validation rows: float64 ``(N, H)``, 0 for pruned units.

    A score as those of ``scores.py``; the key is not used.
    """
    return group_sums(population.shape, gradient(population, data).double() * population.values).abs()


ATTRIBUTIONS: dict[str, ScoreFunction] = {"first_order": unit_attribution, "activation_gradient": unit_sensitivity}


def attribution_scores(
    model: nn.Module | SparseNetwork, data: Any, kind: str = "first_order", *, loss: str | None = None
) -> list[NDArray[np.float64]]:
    """An estimate, from one backward pass, of how much each hidden unit matters: one array ``(n_l,)`` for each hidden layer.

    Parameters
    ----------
    model, data, loss
        As for :func:`~sculpting.narrow.ablation.ablation_scores`, which this stands in for.
    kind : {"first_order", "activation_gradient"}
        ``|sum over the group of dL/dw (-w)|``, L being the mean loss; or the mean over rows of ``|a dL/da|``, L being the loss of the
        row and ``a`` what the unit gives.

    Returns
    -------
    list of float64 arrays of shape (n_l,)
        In the unit of the loss.

    Raises
    ------
    ValueError
        When the kind is not known.
    TypeError, ValueError
        When the model or the data cannot be read, or do not fit each other.

    Notes
    -----
    The first is the linear term of what ablation measures. Effects on different rows cancel in it, and at a minimum of the mean loss on
    these very rows, where its gradient vanishes, it is 0 throughout. In the second nothing cancels, so it also finds units that help some
    rows and harm others as much. The first counts a unit twice, by what comes in and by what goes out: with ``relu``, ``leaky_relu`` and
    ``identity`` it is exactly ``2 |mean over rows of a dL/da|``, and so at most twice the second.

    References
    ----------
    Michaud, Parker-Sartori and Tegmark, "On the creation of narrow AI", NeurIPS 2025 (first order); their code also takes the absolute
    value of every parameter's gradient, which is neither. Mozer and Smolensky, "Skeletonization", NeurIPS 1988 (activation x gradient).

    Examples
    --------
    >>> network = SparseNetwork((np.eye(2), np.array([[1.0, 0.0]])), (np.zeros(2), np.zeros(1)), ("relu", "identity"))
    >>> data = np.eye(2), np.array([[2.0], [0.0]])
    >>> attribution_scores(network, data, loss="mse"), attribution_scores(network, data, "activation_gradient", loss="mse")
    ([array([2., 0.])], [array([1., 0.])])
    """
    if kind not in ATTRIBUTIONS:
        raise ValueError(f"kind must be one of {sorted(ATTRIBUTIONS)}; got {kind!r}")
    population, rows = read_pair(model, data, loss)
    key = torch.zeros(1, 2, dtype=torch.int32)
    return by_layer(population.shape, ATTRIBUTIONS[kind](population, rows, key)[0])
