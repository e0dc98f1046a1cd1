"""The trail of a network: what each accepted attempt on its way removed, from dense to sparse."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .schedule.accepted import Accepted, attempts_of
from .schedule.chains import ChainName
from .schedule.history import Attempt

__all__ = ["Followed", "Trail", "trail_of"]

MOST = np.iinfo(np.int16).max  # attempts, by which edges are counted


@dataclass(frozen=True, eq=False)
class Trail:
    """The accepted attempts on the way to a network, and in which of them each edge went.

    Attributes
    ----------
    attempts : tuple of Attempt
        The dense network first, accepted or not, then the accepted attempts: units, the retraining, edges. The last is the network.
    removed_in : tuple of int16 arrays
        For each layer of weights of a chain an array ``(n_out, n_in)``, in the original numbers of units. It holds the position in
        ``attempts`` at which an edge was removed: ``len(attempts)`` where it is still there, 0 where the dense network did not have it.
        Of a ``SparseModule`` there is one array for each parameter that has edges, in the order and the shapes of
        ``network.units.edges``; a kernel between two channels is one edge.

    Notes
    -----
    An edge that was not pruned is there, even where training has left its weight at exactly zero.

    Examples
    --------
    >>> dense = Attempt(ChainName(0), "dense", None, 1.0, 1.0, True, 0.1)
    >>> pruned = Attempt(ChainName(0, edge_step=0.5), "edges", 0.5, 0.5, 1.0, True, 0.1)
    >>> trail = Trail((dense, pruned), (np.array([[1, 2]]),))
    >>> [mask.tolist() for mask in trail.masks(1)]
    [[[False, True]]]
    """

    attempts: tuple[Attempt, ...]
    removed_in: tuple[NDArray[np.int16], ...]

    def __len__(self) -> int:
        return len(self.attempts)

    def masks(self, attempt: int) -> tuple[NDArray[np.bool_], ...]:
        """Where an edge was left after an attempt, by its position: bool arrays in the shapes of ``removed_in``.

        Raises
        ------
        IndexError
            When there is no such attempt.
        """
        position = range(len(self.attempts))[attempt]
        return tuple(part > position for part in self.removed_in)


@dataclass(frozen=True, eq=False)
class Followed:
    """A network that is returned, its chain, the accuracy of its dense network, and how many networks of the chain had each edge."""

    network: Any
    chain: ChainName
    dense_accuracy: float
    survived: tuple[NDArray[np.int16], ...]


def trail_of(network: Any, followed: Sequence[Followed], accepted: Accepted) -> Trail:
    """The trail of one of the networks that were followed, from the ``accepted`` attempts of all chains.

    Raises
    ------
    ValueError
        When the network is none of them, or its attempts are too many to count.
    """
    found = next((each for each in followed if each.network is network), None)
    if found is None:
        raise ValueError(f"network must be one of the candidates or dense networks of this result, and no copy; got {network!r:.120}")
    attempts = attempts_of(found.chain, found.dense_accuracy, accepted)
    if len(attempts) > MOST:
        raise ValueError(f"a trail has at most {MOST:,} attempts; this network has {len(attempts):,}")
    return Trail(attempts, found.survived)
