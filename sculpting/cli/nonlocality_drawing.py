"""Drawings of whole networks before and after a group lasso: which inputs their strong edges lead to."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..network import SparseNetwork
from .sampled import network_path

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["STRONG", "draw_network", "kept_network"]

STRONG = 0.3  # size of the weights that are drawn, as published
FULL = 1.0  # size from which on they are as dark as they get


def kept_network(folder: Path, width: int, network: str) -> Path:
    """Where a network of the first seed is kept, not yet pruned."""
    return network_path(folder, f"width{width}_{network}")


def draw_network(path: Path, read: Sequence[bool], ax: Axes) -> None:
    """Draw the strong edges of a network, its inputs at the bottom.

    Parameters
    ----------
    path : Path
        Of a saved network.
    read : sequence of bool of shape (inputs,)
        Which inputs are of A; these stand out.
    ax : matplotlib Axes
    """
    from matplotlib.collections import LineCollection

    from analysis.drawing.colours import FAINT, INK, NEGATIVE, POSITIVE

    weights = SparseNetwork.load(path).weights
    places = [_places(layer, width) for layer, width in enumerate((weights[0].shape[1], *map(len, weights)))]
    for layer, weight in enumerate(weights):
        target, source = np.nonzero(np.abs(weight) > STRONG)
        values = weight[target, source]
        lines = np.stack([places[layer][source], places[layer + 1][target]], axis=1)
        style: dict[str, Any] = {"alpha": np.clip(np.abs(values) / FULL, 0, 1) * 0.8, "linewidths": 0.4, "gid": f"edges{layer}"}
        ax.add_collection(LineCollection(list(lines), colors=np.where(values > 0, POSITIVE, NEGATIVE).tolist(), **style))
    for layer, place in enumerate(places):
        colours = np.where(read, INK, "#ffffff").tolist() if layer == 0 else FAINT
        ax.scatter(
            place[:, 0], place[:, 1], s=10 if layer == 0 else 2, c=colours, edgecolors=INK, linewidths=0.4, zorder=3, gid=f"units{layer}"
        )
    ax.set(xlim=(-0.03, 1.03), ylim=(-0.15, len(weights) + 0.15))
    ax.set_axis_off()


def _places(layer: int, width: int) -> NDArray[np.float64]:
    """Evenly across, each layer above the one before: ``(width, 2)``."""
    return np.stack([(np.arange(width) + 0.5) / width, np.full(width, float(layer))], axis=1)
