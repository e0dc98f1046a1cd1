"""Attribution: the importance of each hidden unit, estimated by one backward pass.

There are two kinds, named ``first_order`` and ``activation_gradient``; as methods of ``narrow`` ``"first-order"`` and
``"activation-gradient"``, and in text first order and activation x gradient.

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

__all__ = ["ATTRIBUTIONS", "attribution_scores", "unit_first_order"]


def unit_first_order(population: Population, data: Data, key: Tensor | None = None) -> Tensor:
    """First-order attribution of every member on the validation rows: float64 ``(N, H)``, 0 for pruned units.

    A score like those of ``mlp/scores.py``; the key is not used.
    """
    return group_sums(population.shape, gradient(population, data).double() * population.values).abs()


ATTRIBUTIONS: dict[str, ScoreFunction] = {"first_order": unit_first_order, "activation_gradient": unit_sensitivity}


def attribution_scores(
    model: nn.Module | SparseNetwork, data: Any, kind: str = "first_order", *, loss: str | None = None
) -> list[NDArray[np.float64]]:
    """The importance of each hidden unit, estimated by one backward pass: one array ``(n_l,)`` for each hidden layer.

    Parameters
    ----------
    model, data, loss
        As for :func:`~sculpting.narrow.ablation.ablation_scores`, which this estimates.
    kind : {"first_order", "activation_gradient"}
        First order: ``|sum over the group of dL/dw (-w)|``, where L is the mean loss. Activation x gradient: the mean over rows of
        ``|a dL/da|``, where L is the loss of the row and ``a`` the activation of the unit.

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
    First order is the linear term of what ablation measures. Effects on different rows cancel in it, and at a minimum of the mean loss on
    these rows, where the gradient vanishes, it is 0 for every unit. In activation x gradient nothing cancels, so it also finds units that
    help some rows and harm others as much. First order counts a unit twice, by its incoming and by its outgoing weights: with ``relu``,
    ``leaky_relu`` and ``identity`` it is exactly ``2 |mean over rows of a dL/da|``, and so at most twice activation x gradient.

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
