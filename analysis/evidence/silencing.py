"""Networks with silenced units, and the losses of their outputs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..graph import LayeredGraph
from ..graph.arrays import checked_array

__all__ = ["Held", "Replay", "losses_of", "replayed", "silenced"]

# L weight layers; o outputs. For each unit layer but the outputs, the positions of the silenced units.
Held = Sequence[NDArray[np.int64]]

TOLERANCE = 1e-12  # smaller changes, as a fraction of the largest output, are rounding


class Replay(NamedTuple):
    """An intact network on its data: inputs, mean of each unit by layer, outputs, and the correct decisions of the outputs."""

    graph: LayeredGraph
    x: NDArray[np.float64]
    means: list[NDArray[np.float64]]
    outputs: NDArray[np.float64]
    right: NDArray[np.bool_]


def silenced(graph: LayeredGraph, held: Held, means: Sequence[NDArray[np.float64]]) -> LayeredGraph:
    """The network in which some inputs and hidden units are held at their mean.

    Parameters
    ----------
    graph : LayeredGraph
    held : sequence of L int arrays
        For each layer but the outputs, the positions of the units to silence.
    means : sequence of arrays of shape (widths[i],)
        The mean of every unit of the layer.

    Notes
    -----
    A unit acts through its outgoing edges only, so holding it is adding ``mean * weight`` to the biases of its targets.

    Examples
    --------
    >>> graph = LayeredGraph.from_weights([[[1.0, 2.0]]])
    >>> silenced(graph, [np.array([1])], [np.array([0.0, 0.5])]).evaluate([[3.0, 9.0]]).tolist()
    [[4.0]]
    """
    weights, biases = list(graph.weights), list(graph.biases)
    for layer, units in enumerate(held):
        biases[layer] = biases[layer] + np.asarray(means[layer])[units] @ weights[layer][units]
        weights[layer] = weights[layer].copy()
        weights[layer][units] = 0
    return replace(graph, weights=tuple(weights), biases=tuple(biases))


def replayed(graph: LayeredGraph, x: ArrayLike, y: ArrayLike | None) -> Replay:
    """The network on its data. ``y`` are the correct bits, or None for the network's own decisions.

    Raises
    ------
    ValueError
        When ``x`` or ``y`` does not fit.
    """
    values = graph.unit_values(x)
    if not len(values[0]):
        raise ValueError("x must have at least one row; got none")
    right = graph.decisions(values[-1]) if y is None else _bits(y, values[-1].shape, graph.loss)
    return Replay(graph, values[0], [v.mean(axis=0) for v in values], values[-1], right)


def losses_of(replay: Replay, held: Held) -> NDArray[np.float64]:
    """Drop of accuracy of each output, mean absolute change of each output, and focus: shape (2 o + 1,).

    ``held`` are the positions of the silenced units, for each layer but the outputs.

    Examples
    --------
    >>> replay = replayed(LayeredGraph.from_weights([[[1.0, 0.0], [0.0, 1.0]]]), [[-1, 1], [1, 1]], None)
    >>> losses_of(replay, [np.array([0])]).tolist()
    [0.5, 0.0, 1.0, 0.0, 1.0]
    """
    outputs = silenced(replay.graph, held, replay.means).evaluate(replay.x)
    before, after = ((replay.graph.decisions(v) == replay.right).mean(axis=0) for v in (replay.outputs, outputs))
    change = np.abs(outputs - replay.outputs).mean(axis=0)
    total = change.sum()
    changed = total > TOLERANCE * np.abs(replay.outputs).max()
    return np.concatenate([before - after, change, [np.square(change / total).sum() if changed else 0]])


def _bits(y: ArrayLike, shape: tuple[int, ...], loss: str) -> NDArray[np.bool_]:
    bits = checked_array(y, "y")
    if bits.shape == shape[:1] and (loss == "ce" or shape[1] == 1):
        bits = _one_hot(bits, shape[1]) if loss == "ce" else bits[:, None]
    if bits.shape != shape or not np.isin(bits, (0, 1)).all():
        got = f"shape {bits.shape}" if bits.shape != shape else f"values from {bits.min():g} to {bits.max():g}"
        raise ValueError(f"y must hold the bits 0 and 1 in shape {shape}; got {got}. Leave it out to judge by the network's own decisions")
    ones = bits.sum(axis=1)
    if loss == "ce" and (ones != 1).any():
        row = int(np.argmax(ones != 1))
        raise ValueError(f"y must be one-hot, one 1 in each row, for a network of classes; got {ones[row]:g} in row {row}")
    return bits == 1


def _one_hot(classes: NDArray[np.float64], count: int) -> NDArray[np.float64]:
    member = classes[:, None] == np.arange(count)
    if not member.any(axis=1).all():
        row = int(np.argmin(member.any(axis=1)))
        raise ValueError(f"y must hold classes from 0 to {count - 1}, the positions of the outputs; got {classes[row]:g} in row {row}")
    return member.astype(float)
