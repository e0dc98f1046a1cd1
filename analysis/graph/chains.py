"""The two orientations of weight matrices, and whether matrices follow each other."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ..texts import shown

__all__ = ["STORED", "check_chain", "stored"]

STORED = "in_out"  # of the weights in a graph: row = source
AXES = {"out_in": (0, 1), STORED: (1, 0)}  # the axes of targets and of sources


def stored(matrices: Sequence[NDArray[np.float64]], orientation: str) -> tuple[NDArray[np.float64], ...]:
    """The matrices with row = source.

    Raises
    ------
    ValueError
        When ``orientation`` is unknown or a matrix does not follow the one before it.

    Examples
    --------
    >>> [matrix.shape for matrix in stored([np.ones((3, 2)), np.ones((1, 3))], "out_in")]
    [(2, 3), (3, 1)]
    """
    if not isinstance(orientation, str) or orientation not in AXES:
        raise ValueError(f"orientation must be one of {list(AXES)}; got {shown(orientation)}")
    check_chain(matrices, orientation)
    return tuple(matrices if orientation == STORED else (matrix.T for matrix in matrices))


def check_chain(matrices: Sequence[NDArray[np.float64]], orientation: str) -> None:
    """Refuse matrices of which one does not follow the one before; where they would, transposed, the error says so."""
    place = _break(matrices, orientation)
    if place is None:
        return
    target, source = AXES[orientation]
    other = next(name for name in AXES if name != orientation)
    transposed = f". They fit transposed: give LayeredGraph.from_weights(weights, orientation={other!r})"
    raise ValueError(
        f"weights[{place}] must have {matrices[place - 1].shape[target]} {('rows', 'columns')[source]} to follow weights[{place - 1}] "
        f"of shape {matrices[place - 1].shape}; got shape {matrices[place].shape}{transposed if _break(matrices, other) is None else ''}"
    )


def _break(matrices: Sequence[NDArray[np.float64]], orientation: str) -> int | None:
    """The first matrix that does not follow the one before it."""
    target, source = AXES[orientation]
    return next((i for i in range(1, len(matrices)) if matrices[i].shape[source] != matrices[i - 1].shape[target]), None)
