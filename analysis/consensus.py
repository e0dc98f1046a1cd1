"""The structure that most near-sparsest candidates agree on.

The sparsest network alone is an unsound choice: longer training finds sparser networks that compute the task by short cuts, while
most of those that are nearly as sparse show its structure.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from scipy.stats import binomtest

from .detection import detect_modules
from .features import alive_edges
from .graph import LayeredGraph, as_graph
from .hierarchy import Hierarchy, first_appearance

__all__ = ["consensus"]

Structure = tuple[tuple[int, ...], tuple[int, ...], int]


def consensus(candidates: Iterable[Any], *, tolerance: float = 1.1, **detection: Any) -> Hierarchy:
    """The most frequent module structure among the distinct candidates that are nearly as sparse as the sparsest.

    Two candidates have the same structure when they group the inputs alike and the outputs alike and have as many modules.
    Near-sparsest are those of at most ``tolerance * fewest + 1`` edges; candidates with the same edges count once.

    Parameters
    ----------
    candidates : iterable of networks
        Anything that ``detect_modules`` takes, all of the same numbers of inputs and outputs.
    tolerance : float
        At least 1.
    **detection
        Passed on to ``detect_modules``.

    Returns
    -------
    Hierarchy
        Of the sparsest candidate that has the structure, which is its ``network``; ``support`` is the fraction of the near-sparsest
        distinct candidates that agree, and ``support_interval`` its Wilson 95 % interval. Equally frequent structures: the one with
        the sparsest candidate, then the first.

    Raises
    ------
    ValueError
        When there are no candidates, they differ in inputs or outputs, or ``tolerance`` is below 1.

    Notes
    -----
    The interval of Wilson, JASA 22, 209 (1927), takes the candidates for independent. Those of one chain are not, and the most frequent
    structure is chosen after the fact, so it describes how few the candidates are rather than what another seed would show.

    Examples
    --------
    >>> found = consensus([[[[1.0, 1.0]], [[1.0]]], [[[2.0, 2.0]], [[1.0]]]])
    >>> len(found.modules), found.support
    (1, 1.0)
    """
    networks = list(candidates)
    if not networks:
        raise ValueError("consensus needs at least one candidate; got none. Nothing was accepted: see the result's stop_reason")
    if tolerance < 1:
        raise ValueError(f"tolerance must be at least 1, the sparsest candidate's own size; got {tolerance}")
    graphs = [as_graph(network) for network in networks]
    ends = {(g.widths[0], g.widths[-1]) for g in graphs}
    if len(ends) > 1:
        raise ValueError(f"candidates must have the same numbers of inputs and outputs; got {sorted(ends)}")
    near = _near_sparsest(graphs, tolerance)
    hierarchies = detect_modules([graphs[i] for i in near], **detection)
    structures = [_structure(h) for h in hierarchies]
    counts = Counter(structures)
    winner = max(range(len(near)), key=lambda i: (counts[structures[i]], -i))
    agreeing = counts[structures[winner]]
    return replace(
        hierarchies[winner],
        support=agreeing / len(near),
        support_interval=_wilson(agreeing, len(near)),
        network=networks[near[winner]],
    )


def _wilson(agreeing: int, count: int) -> tuple[float, float]:
    interval = binomtest(agreeing, count).proportion_ci(method="wilson")
    return float(interval.low), float(interval.high)


def _near_sparsest(graphs: Sequence[LayeredGraph], tolerance: float) -> list[int]:
    """Positions of the distinct near-sparsest graphs, the sparsest first; only edges between units that carry something count."""
    distinct: dict[tuple[Any, ...], tuple[int, int]] = {}
    for i, graph in enumerate(graphs):
        alive = graph.alive()
        edges = alive_edges(graph, alive)
        key = (graph.widths, *(np.packbits(part).tobytes() for part in (*alive, *edges)))
        distinct.setdefault(key, (sum(int(e.sum()) for e in edges), i))
    ordered = sorted(distinct.values())
    return [i for count, i in ordered if count <= tolerance * ordered[0][0] + 1]


def _structure(hierarchy: Hierarchy) -> Structure:
    ends = (first_appearance([labels])[0].tolist() for labels in (hierarchy.labels[0], hierarchy.labels[-1]))
    return tuple(next(ends)), tuple(next(ends)), len(hierarchy.modules)
