"""A network with the inputs and outputs of new data: those that it has, where they stand in the data, and new ones without edges."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from ..models.network import SparseNetwork
from ..tasks.task import Task

__all__ = ["widened"]


def widened(network: SparseNetwork, task: Task) -> SparseNetwork:
    """The network for the columns of a task, which computes the same.

    Where all of its names are among those of the data, inputs and outputs go by name; otherwise those that it has are the first.

    Raises
    ------
    ValueError
        When the data have fewer inputs or outputs than the network.
    """
    weights, biases = list(network.weights), list(network.biases)
    inputs = _places("inputs", network.input_names, task.input_names, network.widths[0], task.x.shape[1])
    outputs = _places("outputs", network.output_names, task.output_names, network.widths[-1], task.y.shape[1])
    first = np.zeros((len(weights[0]), task.x.shape[1]), dtype=np.float32)
    first[:, inputs] = weights[0]
    weights[0] = first
    last, bias = np.zeros((task.y.shape[1], weights[-1].shape[1]), dtype=np.float32), np.zeros(task.y.shape[1], dtype=np.float32)
    last[outputs], bias[outputs] = weights[-1], biases[-1]
    weights[-1], biases[-1] = last, bias
    return replace(network, weights=tuple(weights), biases=tuple(biases), input_names=task.input_names, output_names=task.output_names)


def _places(what: str, old: Sequence[str], new: Sequence[str], count: int, there: int) -> list[int]:
    """Where in the data the network's own inputs or outputs stand."""
    if there < count:
        raise ValueError(
            f"the data must have at least the {count} {what} of the network; got {there}. Give a column for each, also where it no longer "
            "matters, or sculpt anew"
        )
    known = {name: place for place, name in enumerate(new)}
    named = [known[name] for name in old if name in known]
    return named if old and len(named) == count else list(range(count))
