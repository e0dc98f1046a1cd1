"""Attribution: the importance of each unit, estimated by one backward pass.

There are two kinds, named ``first_order`` and ``activation_gradient``; as methods of ``narrow`` ``"first-order"`` and
``"activation-gradient"``, and in text first order and activation x gradient.

n_l = units of layer l.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..calling import model_first
from ..checks import check_choice
from ..surroundings import set_aside
from .ablation import NO_KEY, scores_in_parts
from .chains import ATTRIBUTIONS, unit_first_order
from .engines import engine_of
from .reading import Model, read_pair

__all__ = ["ATTRIBUTIONS", "attribution_scores", "unit_first_order"]


@model_first
@set_aside()
def attribution_scores(model: Model, data: Any, kind: str = "first_order", *, loss: str | None = None) -> list[NDArray[np.float64]]:
    """The importance of each unit, estimated by one backward pass: one array ``(n_l,)`` for each layer of units.

    Parameters
    ----------
    model, data, loss
        As for :func:`~sculpting.narrow.ablation.ablation_scores`, which this estimates.
    kind : {"first_order", "activation_gradient"}
        First order: ``|sum over the group of dL/dw (-w)|``, where L is the mean loss. Activation x gradient: the mean over rows of
        ``|a dL/da|``, where L is the loss of the row and ``a`` the activation of the unit. Of a module that is no chain it is
        ``|dL/dgate|``: the gate, which is 1, multiplies every element that reads the unit, which is the same where it is read linearly.

    Returns
    -------
    list of float64 arrays of shape (n_l,)
        In the unit of the loss; of a module that is no chain ``UnitScores``, as for ablation.

    Raises
    ------
    ValueError
        When the kind is not known.
    TypeError, ValueError
        When the model or the data cannot be read, or do not fit each other.
    MemoryError
        When the network does not fit into free memory.

    Notes
    -----
    First order is the linear term of what ablation measures. Effects on different rows cancel in it, and at a minimum of the mean loss on
    these rows, where the gradient vanishes, it is 0 for every unit. In activation x gradient nothing cancels, so it also finds units that
    help some rows and harm others as much. First order counts a unit twice, by its incoming and by its outgoing weights: with ``relu``,
    ``leaky_relu`` and ``identity`` it is exactly ``2 |mean over rows of a dL/da|``, and so at most twice activation x gradient. An element
    that a module uses twice, as a table of tokens at both ends, counts once for each unit.

    References
    ----------
    Michaud, Parker-Sartori and Tegmark, "On the creation of narrow AI", NeurIPS 2025 (first order); their code also takes the absolute
    value of every parameter's gradient, which is neither. Mozer and Smolensky, "Skeletonization", NeurIPS 1988 (activation x gradient).

    Examples
    --------
    >>> from ..models.network import SparseNetwork
    >>> network = SparseNetwork((np.eye(2), np.array([[1.0, 0.0]])), (np.zeros(2), np.zeros(1)), ("relu", "identity"))
    >>> data = np.eye(2), np.array([[2.0], [0.0]])
    >>> attribution_scores(network, data, loss="mse"), attribution_scores(network, data, "activation_gradient", loss="mse")
    ([array([2., 0.])], [array([1., 0.])])
    """
    check_choice("kind", kind, [*ATTRIBUTIONS])
    population, rows = read_pair(model, data, loss)
    return engine_of(population).by_layer(population, rows, scores_in_parts(kind, population, rows, NO_KEY)[0])
