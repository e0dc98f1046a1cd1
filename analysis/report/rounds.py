"""The rounds of pruning that led to a network: what the page needs of them, and which edges each of them left.

R = attempts that were accepted, in order; n_out, n_in = units after and before a weight layer.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol, TypeGuard

import numpy as np
from numpy.typing import NDArray

from ..graph import LayeredGraph
from ..hierarchy import Hierarchy

__all__ = ["MOST_EDGES", "Attempt", "Rounds", "checked_rounds", "edges_left", "first_shown", "has_slider", "is_followed", "presence"]

MOST_EDGES = 5000  # of the first round that is shown


class Attempt(Protocol):
    """An attempt that was accepted: its phase, such as ``"units"``, the fraction of edges that were left, and the accuracy."""

    @property
    def phase(self) -> str: ...
    @property
    def density(self) -> float: ...
    @property
    def accuracy(self) -> float: ...


class Rounds(Protocol):
    """The accepted attempts that led to a network.

    Attributes
    ----------
    attempts : sequence of R attempts
    removed_in : sequence of int arrays, one a weight layer, of shape (n_out, n_in)
        The position in ``attempts`` of the one that removed the edge: R where the edge is still there, 0 where it never was. Empty where
        the edges are not known; then the attempts alone are shown.
    """

    @property
    def attempts(self) -> Sequence[Attempt]: ...
    @property
    def removed_in(self) -> Sequence[NDArray[np.integer]]: ...


def checked_rounds(rounds: Any, hierarchy: Hierarchy) -> Rounds | str:
    """Rounds that fit a network, or the sentence that says why there are none.

    Raises
    ------
    TypeError
        When ``rounds`` has no attempts and is no text.
    ValueError
        When they are not those of the network.
    """
    if rounds is None or isinstance(rounds, str):
        return rounds or ""
    if not (hasattr(rounds, "attempts") and hasattr(rounds, "removed_in")):
        raise TypeError(f"rounds must have attempts and removed_in, or be a text that says why there are none; got {type(rounds).__name__}")
    if not len(rounds.attempts):
        raise ValueError("rounds must have at least one attempt; got none. Give a text that says why there are none")
    if not len(rounds.removed_in):
        return rounds
    graph = hierarchy.graph
    if not isinstance(graph, LayeredGraph):
        raise ValueError(
            f"rounds must be those of a chain of layers; got a {type(graph).__name__}. Give a text that says why there are none"
        )
    found = [np.asarray(part) for part in rounds.removed_in]
    shapes, expected = [part.shape for part in found], [weights.T.shape for weights in graph.weights]
    if shapes != expected:
        raise ValueError(f"rounds.removed_in must have the shapes {expected}, (n_out, n_in) of each weight layer; got {shapes}")
    last = len(rounds.attempts)
    lost = sum(int(((weights.T != 0) & (part != last)).sum()) for weights, part in zip(graph.weights, found, strict=True))
    if lost or any(part.min(initial=0) < 0 or part.max(initial=0) > last for part in found):
        raise ValueError(f"rounds.removed_in must be from 0 to {last}, and {last} for each edge of the network; got others at {lost} edges")
    return rounds


def is_followed(rounds: Rounds | str) -> TypeGuard[Rounds]:
    """Whether it is known which edges each round removed."""
    return not isinstance(rounds, str) and len(rounds.removed_in) > 0


def presence(rounds: Rounds, layer: int) -> NDArray[np.int64]:
    """The number of rounds after which each edge was still there, shape (n_in, n_out): it is drawn in the rounds before that number."""
    return np.asarray(rounds.removed_in[layer], dtype=np.int64).T


def edges_left(rounds: Rounds) -> list[int]:
    """The number of edges that each round left.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> edges_left(SimpleNamespace(attempts=["dense", "units"], removed_in=[np.array([[0, 1, 2, 2]])]))
    [3, 2]
    """
    last = len(rounds.attempts)
    counts = np.sum([np.bincount(np.asarray(part).ravel(), minlength=last + 1) for part in rounds.removed_in], axis=0)
    left: list[int] = counts[::-1].cumsum()[::-1][1:].tolist()
    return left


def first_shown(rounds: Rounds) -> int:
    """The first round with no more edges than can be shown; their number where even the last one has more."""
    return next((i for i, count in enumerate(edges_left(rounds)) if count <= MOST_EDGES), len(rounds.attempts))


def has_slider(rounds: Rounds | str) -> TypeGuard[Rounds]:
    """Whether it is known which edges each round removed, and the last left few enough to be shown."""
    return is_followed(rounds) and first_shown(rounds) < len(rounds.attempts)
