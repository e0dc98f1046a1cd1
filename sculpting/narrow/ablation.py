"""Ablation: the change of the loss when a unit is removed from a network.

N = members, H = units of one member, n_l = units of layer l.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812
from numpy.typing import NDArray
from torch import Tensor

from ..calling import model_first
from ..losses import LOSSES
from ..mlp.memory import in_groups_that_fit
from ..surroundings import set_aside
from .engines import engine_of
from .reading import Model, read_pair

__all__ = ["NO_KEY", "ablation_scores", "scores_in_parts"]

NO_KEY = torch.zeros(1, 2, dtype=torch.int32)  # of scores that draw nothing


@model_first
@set_aside()
def ablation_scores(model: Model, data: Any, *, loss: str | None = None) -> list[NDArray[np.float64]]:
    """The change of the mean loss when a unit's group is zeroed, ``|L(without) - L|``: one array ``(n_l,)`` for each layer of units.

    Parameters
    ----------
    model : nn.Module, SparseNetwork or SparseModule
        It is not changed. Of Linear layers with elementwise activations, see ``read_model``, the units are the hidden units. Of any other
        module they are the removable units of ``sculpting.models.groups.units``, such as channels.
    data : pair (x, y) of tensors or arrays, TensorDataset, DataLoader or Task
        All rows are scored on, except for a ``Task``: its ``x_validation``.
    loss : {"bce", "ce", "mse"}, optional
        Otherwise it follows the targets, as in ``sculpt``.

    Returns
    -------
    list of float64 arrays of shape (n_l,)
        One for each hidden layer; of a module that is no chain, ``UnitScores``: one for each layer that has removable units, in the order
        of its map, with their ``layers`` and ``by_name``. In the unit of the loss (nats for ``"bce"`` and ``"ce"``, the mean over
        outputs). Exactly 0 for a unit that nothing reads or that is 0 on every row (of a module up to rounding).

    Raises
    ------
    TypeError, ValueError
        When the model or the data cannot be read, or do not fit each other.
    MemoryError
        When the network does not fit into free memory.

    Notes
    -----
    The group is the unit's incoming weights, its bias and its outgoing weights; with the latter at zero it does not matter what the
    activation makes of a sum of 0. Of a module it is all that reads or writes the unit. The absolute value is taken after the mean over
    rows. For every hidden unit the layers above it are run once, so the cost grows with the square of the width; a module is run once for
    every unit. The loss is exact for logits of any size; in training, ``"bce"`` ends at 87
    for each bit.

    References
    ----------
    Michaud, Parker-Sartori and Tegmark, "On the creation of narrow AI", NeurIPS 2025, where every unit takes a copy of the model.

    Examples
    --------
    >>> from ..models.network import SparseNetwork
    >>> network = SparseNetwork((np.eye(2), np.array([[1.0, 0.0]])), (np.zeros(2), np.zeros(1)), ("relu", "identity"))
    >>> ablation_scores(network, (np.eye(2), np.array([[1.0], [0.0]])), loss="mse")
    [array([0.5, 0. ])]
    """
    population, rows = read_pair(model, data, loss)
    if rows.loss is LOSSES["bce"]:
        rows = replace(rows, loss=replace(rows.loss, mean=_log_loss))
    return engine_of(population).by_layer(population, rows, scores_in_parts("ablation", population, rows, NO_KEY)[0])


def scores_in_parts(kind: str, members: Any, rows: Any, key: Tensor) -> Tensor:
    """Scores of the units of every member ``(N, H)``, with ``key (N, 2)`` for what is drawn; in halves where memory runs out."""
    score = engine_of(members).scores[kind]
    parts = in_groups_that_fit(lambda some: score(members.select(some), rows, key[some]), [torch.arange(len(members))])
    return torch.cat([part for _, part in parts])


def _log_loss(z: Tensor, y: Tensor) -> Tensor:
    """Mean -log of the probability of the correct bit ``(N,)``, of logits of any size."""
    return F.logsigmoid(z * (2 * y - 1)).mean(dim=(1, 2)).neg()
