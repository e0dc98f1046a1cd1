"""How hidden units carry the bits of two digits: whether a network computes the XOR of each bit apart from the others."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ...store import Row

__all__ = ["bit_columns"]

# S = rows, u = units of a layer.

PURE = 0.9  # share from which on a unit is said to carry one bit


def bit_columns(graph: Any, x: ArrayLike, digits: ArrayLike) -> Row:
    """Whether a network that XORs two digits computes the bits apart; its function first, then its edges.

    Only hidden units on a path from an input to an output count.

    Parameters
    ----------
    graph : LayeredGraph
        With an output for each of the bits 4, 2 and 1.
    x : array of shape (S, inputs)
    digits : int array of shape (S, 2)

    Returns
    -------
    dict
        ``bit_share``: for each hidden layer the mean over its units of the largest of their :func:`~analysis.bit_shares`, such as
        ``"0.31-0.55-0.93"``; ``nan`` where no unit carries anything. ``bits_separate``: whether in a hidden layer below the last every
        unit carries one bit, with a share of at least 0.9, and each bit is carried. In the last layer the bits are apart in any network
        of modules, since each of its units then serves one output. ``one_output``: for each hidden layer how many units reach one output
        only, such as ``"0-2-9"``.
    """
    from analysis import bit_shares

    alive = [np.flatnonzero(part) for part in graph.alive()[1:-1]]
    values = graph.unit_values(x)[1:-1]
    shares = [bit_shares(layer[:, kept], digits) for layer, kept in zip(values, alive, strict=True)]
    outputs = [np.count_nonzero(reach[kept], axis=1) for reach, kept in zip(_reached_outputs(graph), alive, strict=True)]
    return {
        "bit_share": "-".join(f"{_mean_largest(layer):.2f}" for layer in shares),
        "bits_separate": any(map(_separate, shares[:-1])),
        "one_output": "-".join(str(int((counts == 1).sum())) for counts in outputs),
    }


def _mean_largest(shares: NDArray[np.float64]) -> float:
    largest = shares[~np.isnan(shares[:, 0])].max(axis=1)
    return float(largest.mean()) if len(largest) else float("nan")


def _separate(shares: NDArray[np.float64]) -> bool:
    telling = shares[~np.isnan(shares[:, 0])]
    return bool((telling.max(axis=1) >= PURE).all()) and set(telling.argmax(axis=1).tolist()) == set(range(3))


def _reached_outputs(graph: Any) -> list[NDArray[np.bool_]]:
    """Which outputs each unit of each hidden layer reaches, shapes (units, outputs)."""
    reach = [graph.weights[-1] != 0]
    for weight in graph.weights[-2:0:-1]:
        reach.append((weight != 0) @ reach[-1])
    return reach[::-1]
