"""Linear probes: which units carry which value of the truth. They are told the values of the gates, not what reads what.

S = rows, u = units of a layer, g = gates.
"""

from __future__ import annotations

import time
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...models.network import SparseNetwork
from .clustering import linked, rows_of, varying
from .dense import Case, Found

__all__ = ["by_probes", "carried"]

RIDGE = 1e-3  # of the probes of a layer, per row


def by_probes(case: Case, *, measure: str, least: float) -> list[Found]:
    """A module for each gate: the hidden units that carry it, the outputs that are it, and the inputs that its units read.

    Parameters
    ----------
    case : Case
        Where the truth has no gates, the outputs are taken as the values.
    measure : {"unit", "layer"}
        See :func:`carried`.
    least : float in [0, 1]
        A unit that carries no gate to this extent is in no module.
    """
    found = []
    for network in case.dense.networks:
        start = time.perf_counter()
        found.append(Found(_probed(case, network, measure, least), network, time.perf_counter() - start))
    return found


def _probed(case: Case, network: SparseNetwork, measure: str, least: float) -> Any:
    from analysis import Hierarchy
    from analysis.graph import as_graph

    graph: Any = as_graph(network)
    x, values, outputs = _values_of(case)
    hidden = [carried(layer, values, measure) for layer in graph.unit_values(x)[1:-1]]
    labels = [np.where(part.max(axis=1) >= max(least, 1e-9), part.argmax(axis=1), -1) for part in hidden]
    member = (labels[0][:, None] == np.arange(values.shape[1])).astype(np.float64)
    # The mean |weight| from each input to the units of each gate in the first hidden layer.
    read = np.abs(graph.weights[0]) @ member / np.maximum(member.sum(axis=0), 1)
    every = (np.where((read.max(axis=1) > 0) & varying(case), read.argmax(axis=1), -1), *labels, outputs)
    return linked(Hierarchy(graph, every, every, network=network))


def _values_of(case: Case) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.int64]]:
    """The rows, the values of different gates ``(S, g)``, and which of them each output is.

    Gates are the same where one is the other or its negation.
    """
    known = case.truth.graph
    if "gates" in known:
        x, y = np.asarray(known["x"], dtype=np.float64), np.asarray(known["y"], dtype=np.float64)
        bits = np.stack([*known["gates"].values()], axis=1).astype(np.float64)
    else:
        x = rows_of(case)
        bits = y = case.task.y_validation[: len(x)].double().numpy()
    kept = list(dict.fromkeys(map(_key, bits.T)))
    different = np.stack([np.frombuffer(key, dtype=np.float64) for key in kept], axis=1)
    return x, different, np.array([kept.index(_key(column)) for column in y.T])


def _key(column: NDArray[np.float64]) -> bytes:
    """The same for a column of bits and for its negation."""
    return np.abs(column - column[0]).tobytes()


def carried(units: NDArray[np.float64], values: NDArray[np.float64], measure: str) -> NDArray[np.float64]:
    """To which extent each unit carries each value, in [0, 1]: shape (u, g).

    Parameters
    ----------
    units : array of shape (S, u)
    values : array of shape (S, g)
    measure : {"unit", "layer"}
        The squared correlation of the unit alone; or, in a linear probe of the value on all units of the layer (ridge regression on
        standardised units), the share of the unit in the sum of the |coefficients|, times the R squared of the probe.

    Examples
    --------
    >>> x = np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
    >>> carried(x, x[:, :1], "unit").round(6).tolist()
    [[1.0], [0.0]]
    """
    a, b = (_standardised(part) for part in (units, values))
    if measure == "unit":
        return np.square(a.T @ b / len(a))
    solved = np.linalg.solve(a.T @ a / len(a) + RIDGE * np.eye(a.shape[1]), a.T @ b / len(a))
    left = np.square(b - a @ solved).mean(axis=0)
    explained = np.clip(np.square(b).mean(axis=0) - left, 0, 1)
    sizes = np.abs(solved)
    return sizes / np.maximum(sizes.sum(axis=0), 1e-12) * explained


def _standardised(columns: NDArray[np.float64]) -> NDArray[np.float64]:
    """Columns of mean 0 and variance 1; constant ones are 0."""
    centred = columns - columns.mean(axis=0)
    spread = centred.std(axis=0)
    return centred / np.where(spread > 1e-9, spread, np.inf)
