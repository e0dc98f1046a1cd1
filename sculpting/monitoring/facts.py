"""What a network makes of rows: the activations of its units, and which rows it answers rightly."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ..activations import ACTIVATIONS
from ..models.live import Unit
from ..models.network import SparseNetwork
from ..surroundings import set_aside

__all__ = ["Facts", "facts_of"]

LEAST_ROWS = 2


@dataclass(frozen=True, eq=False)
class Facts:
    """Activations ``(rows, units)``, and which rows are right, bool ``(rows,)``, or None."""

    activations: NDArray[np.float32]
    right: NDArray[np.bool_] | None


@set_aside()  # here too, since alarms are read after the call of monitor
def facts_of(network: SparseNetwork, rows: Any, units: Sequence[Unit], what: str) -> Facts:
    """The facts of rows, which are an array x or a pair (x, y)."""
    x, y = rows if isinstance(rows, (tuple, list)) and len(rows) == 2 else (rows, None)
    values = torch.as_tensor(np.asarray(x), dtype=torch.float32)
    if values.ndim != 2 or values.shape[1] != network.widths[0] or len(values) < LEAST_ROWS:
        raise ValueError(f"{what} must have x of shape (rows, {network.widths[0]}), at least {LEAST_ROWS} rows; got {tuple(values.shape)}")
    if not bool(values.isfinite().all()):
        raise ValueError(f"{what} must be finite; got NaN or infinite values")
    layers = [values]
    for weight, bias, name in zip(network.weights[:-1], network.biases, network.activations, strict=False):
        sums = layers[-1] @ torch.from_numpy(weight.copy()).T + torch.from_numpy(bias.copy())
        layers.append(ACTIVATIONS[name].apply(sums, torch.empty_like(sums)))
    activations = [layers[layer][:, index].numpy() for layer, index in units]
    right = None if y is None or network.loss == "mse" else _right(network.predict(values), np.asarray(y), what)
    return Facts(np.stack(activations, axis=1) if units else np.empty((len(values), 0), dtype=np.float32), right)


def _right(answers: NDArray[Any], y: NDArray[Any], what: str) -> NDArray[np.bool_]:
    """Which rows are answered rightly, in all outputs: bool ``(rows,)``."""
    if y.dtype.kind == "f" and np.isnan(y).any():
        raise ValueError(f"{what} must have a target for every row; got NaN in y. Leave out these rows, or give x alone")
    if y.ndim == 2 and answers.ndim == 1:  # one-hot classes
        y = y.argmax(axis=1)
    if y.ndim == 1 and answers.ndim == 2:
        y = y[:, None]
    if y.shape != answers.shape:
        raise ValueError(f"{what} must have y of shape {answers.shape}, as the network answers; got {y.shape}")
    same = answers == y
    right: NDArray[np.bool_] = same if same.ndim == 1 else same.all(axis=1)
    return right
