"""Ablation: what the loss changes by when a hidden unit is taken out.

N = members, H = hidden units of one member, S = rows, n_l = width of layer l, J = units taken out side by side, k = outputs.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ..formats import buffer
from ..network import SparseNetwork
from ..passes import Pass
from ..population import Population, Shape
from ..training import Data
from .groups import by_layer, read_pair

__all__ = ["ablation_scores", "unit_ablation"]

BLOCK = 1 << 22  # floats at once: more did not fit the cache, and took longer


def ablation_scores(model: nn.Module | SparseNetwork, data: Any, *, loss: str | None = None) -> list[NDArray[np.float64]]:
    """What the mean loss changes by when a hidden unit's group is zeroed, ``|L(without) - L|``: one array ``(n_l,)`` for each hidden layer.

    Parameters
    ----------
    model : nn.Module or SparseNetwork
        Linear layers with elementwise activations; see ``read_model``. It is not changed.
    data : pair (x, y) of tensors or arrays, TensorDataset, DataLoader or Task
        All rows count, but of a ``Task`` those that decide acceptance there, ``x_check``.
    loss : {"bce", "ce", "mse"}, optional
        Otherwise it follows the targets, as in ``sculpt``.

    Returns
    -------
    list of float64 arrays of shape (n_l,)
        In the unit of the loss (nats for ``"bce"`` and ``"ce"``, the mean over outputs). Exactly 0 for a unit that nothing reads or
        that is 0 on every row.

    Raises
    ------
    TypeError, ValueError
        When the model or the data cannot be read, or do not fit each other.

    Notes
    -----
    The group is the unit's incoming weights, its bias and its outgoing weights; with the latter at zero it does not matter what the
    activation makes of a sum of 0. The absolute value is taken after the mean over rows. For every hidden unit the layers above it are
    run once, so the cost grows with the square of the width. Where the logit of a wrong bit is above 87, ``"bce"`` no longer grows, as
    in training.

    References
    ----------
    Michaud, Parker-Sartori and Tegmark, "On the creation of narrow AI", NeurIPS 2025, where every unit takes a copy of the model.

    Examples
    --------
    >>> network = SparseNetwork((np.eye(2), np.array([[1.0, 0.0]])), (np.zeros(2), np.zeros(1)), ("relu", "identity"))
    >>> ablation_scores(network, (np.eye(2), np.array([[1.0], [0.0]])), loss="mse")
    [array([0.5, 0. ])]
    """
    population, rows = read_pair(model, data, loss)
    return by_layer(population.shape, unit_ablation(population, rows)[0])


def unit_ablation(population: Population, data: Data, key: Tensor | None = None) -> Tensor:
    """Ablation scores of every member on the validation rows: float64 ``(N, H)``, 0 for pruned units.

    A score as those of ``scores.py``; the key is not used.
    """
    rows = data.x_check.shape[1] * _floats(population.shape)
    parts = torch.arange(len(population)).split(max(1, BLOCK // rows))
    return torch.cat([_ablation(population.select(part), data, max(1, BLOCK // (rows * len(part)))) for part in parts])


def _floats(shape: Shape) -> int:
    """Floats that one row of one unit that is taken out needs, about: sums and activations above, and the loss in float64."""
    return 2 * sum(shape.widths[2:]) + 8 * shape.widths[-1]


def _ablation(population: Population, data: Data, block: int) -> Tensor:
    """The same, of so many units at once."""
    passes, shape = Pass(population), population.shape
    sums, _, hidden = passes.forward(data.x_check)
    whole = _mean_loss(passes.outputs(sums[-1]), data, 1)
    scores = []
    for layer, (h, out) in enumerate(zip(hidden, population.weights[1:], strict=True), start=1):
        above = Pass(_above(population, layer + 1)) if layer + 2 < len(shape.widths) else None
        for units, columns in zip(h.split(block, dim=1), out.split(block, dim=2), strict=True):
            # Taken out side by side, as further rows: (N, n_above, J, S).
            z = torch.addcmul(sums[layer].unsqueeze(2), columns.unsqueeze(3), units.unsqueeze(1), value=-1).flatten(2)
            if above is not None:
                read = buffer((len(z), z.shape[1] + 1, z.shape[2]), z)
                passes.activations[layer].apply(z, read[:, :-1])
                z = above.forward(read)[0][-1]
            change = _mean_loss(passes.outputs(z), data, units.shape[1]) - whole
            # Products over more rows round otherwise, so what changes nothing is told by itself.
            scores.append(change.abs() * ((units != 0).any(dim=2) & (columns != 0).any(dim=1)))
    return torch.cat(scores, dim=1)


def _above(population: Population, layer: int) -> Population:
    """The networks that read a layer's units."""
    shape, start = population.shape, population.shape.starts[layer]
    parts = population.values[:, start:], population.mask[:, start:], population.own[:, layer:]
    return Population(Shape(shape.widths[layer:], shape.activations[layer:]), *parts)


def _mean_loss(z: Tensor, data: Data, units: int) -> Tensor:
    """Mean loss, float64 ``(N, J)``, of outputs ``(N, k, J S)``."""
    rows = z.unflatten(2, (units, -1)).transpose(1, 2).flatten(0, 1)
    return data.loss.mean(rows.double(), data.y_check).view(len(z), units)
