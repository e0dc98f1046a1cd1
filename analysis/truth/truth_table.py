"""Complete truth tables, and the number of classes of a subset of the inputs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import networkx as nx
import numpy as np
from numpy.typing import NDArray

__all__ = ["TruthTable", "check_truth"]

# n inputs, k outputs.


def check_truth(value: Any) -> None:
    """Refuse a value that is not a truth graph."""
    if not isinstance(value, nx.DiGraph) or value.is_multigraph():
        raise ValueError(
            f"the truth must be a networkx.DiGraph without parallel edges, such as task.truth(hidden_layers=2); got {type(value).__name__}"
        )


@dataclass(frozen=True, eq=False)
class TruthTable:
    """A complete truth table.

    Parameters
    ----------
    x : array of shape (2^n, n)
        Every row of 0 and 1 once, in any order; stored in lexicographic order, first column slowest.
    y : array of shape (2^n, k), of 0 and 1

    Raises
    ------
    ValueError
        When x and y are not such a table.
    """

    x: NDArray[np.uint8]
    y: NDArray[np.uint8]

    def __post_init__(self) -> None:
        x, y = np.asarray(self.x), np.asarray(self.y)
        rows, n = x.shape if x.ndim == 2 else (0, 0)
        bits = all(part.ndim == 2 and np.isin(part, (0, 1)).all() for part in (x, y))
        order = np.lexsort(x.T[::-1]) if bits else np.zeros(0, dtype=int)
        if not bits or rows != 2**n or len(y) != rows or len(np.unique(x, axis=0)) != rows:
            raise ValueError(
                "a truth table must be x of shape (2^n, n), each row of 0 and 1 once, and y of 0 and 1 of shape (2^n, k); "
                f"got x of shape {x.shape} and y of shape {y.shape}. Leave out both where the table is not complete"
            )
        object.__setattr__(self, "x", x[order].astype(np.uint8))
        object.__setattr__(self, "y", y[order].astype(np.uint8))

    @classmethod
    def of(cls, truth: nx.DiGraph) -> TruthTable | None:
        """The table of a truth graph, from ``truth.graph["x"]`` and ``["y"]``; None where it has none."""
        parts = [truth.graph.get(name) for name in ("x", "y")]
        return None if all(part is None for part in parts) else cls(*parts)

    def classes(self, inputs: Sequence[int], outputs: Sequence[int]) -> int:
        """The column multiplicity of ``inputs``: the number of different functions of the other inputs that their assignments leave.

        Two assignments of ``inputs`` are in one class if every output in ``outputs`` is equal for both, for all values of the other
        inputs. A part of a network that reads ``inputs`` must distinguish this number of classes, and no more (Ashenhurst 1957, Curtis
        1962).

        Examples
        --------
        Of the four assignments of x0 and x1, three are equivalent for ``x0 & x1 & x2``:

        >>> x = [[0, 0, 0], [0, 0, 1], [0, 1, 0], [0, 1, 1], [1, 0, 0], [1, 0, 1], [1, 1, 0], [1, 1, 1]]
        >>> TruthTable(x, [[0], [0], [0], [0], [0], [0], [0], [1]]).classes((0, 1), (0,))
        2
        """
        columns = self.y[:, list(outputs)].reshape((2,) * self.x.shape[1] + (len(outputs),))
        columns = np.moveaxis(columns, list(inputs), range(len(inputs)))
        return len({part.tobytes() for part in np.packbits(columns.reshape(2 ** len(inputs), columns.size >> len(inputs)), axis=1)})

    @cached_property
    def support(self) -> NDArray[np.bool_]:
        """Which inputs each output depends on, shape (n, k)."""
        columns = self.y.reshape((2,) * self.x.shape[1] + (-1,))
        flips = [np.take(columns, 0, axis=i) != np.take(columns, 1, axis=i) for i in range(self.x.shape[1])]
        return np.array([flip.reshape(-1, flip.shape[-1]).any(axis=0) for flip in flips])
