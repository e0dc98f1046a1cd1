"""The structure that most near-sparsest candidates agree on.

The sparsest network alone is an unsound choice: longer training finds sparser networks that compute the task by short cuts, while
most of those that are nearly as sparse show its structure.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from .detection import detect_modules
from .features import alive_edges
from .graph import LayeredGraph, as_graph
from .hierarchy import Hierarchy, first_appearance
from .rates import wilson

__all__ = ["consensus"]

LAST_HALVING = 6.0  # a sixty-fourth of a vote; without an end, every candidate would have to be looked at
Structure = tuple[tuple[int, ...], tuple[int, ...], int]


def consensus(candidates: Iterable[Any], *, halving: float = 0.05, **detection: Any) -> Hierarchy:
    """The module structure that most of the distinct candidates agree on, the sparser ones having more of a say.

    The sparsest candidates have one vote each, and a vote halves with every further ``halving`` of their edges; beyond six halvings
    there is none. Candidates agree first on how the inputs and the outputs are grouped; of those that show the groups with most votes,
    on the number of modules. Candidates with the same edges count once.

    Parameters
    ----------
    candidates : iterable of networks
        Anything that ``detect_modules`` takes, all of the same numbers of inputs and outputs.
    halving : float
        Above 0: a fraction of the edges of the sparsest candidate.
    **detection
        Passed on to ``detect_modules``.

    Returns
    -------
    Hierarchy
        Of the sparsest candidate that has the structure, which is its ``network``; ``support`` is the fraction of all votes for it,
        and ``support_interval`` its Wilson 95 % interval. Structures with equal votes: the one with the sparsest candidate, then
        the first.

    Raises
    ------
    ValueError
        When there are no candidates, they differ in inputs or outputs, or ``halving`` is not above 0.

    Notes
    -----
    The interval of Wilson, JASA 22, 209 (1927), for votes w as for (sum w)^2 / sum w^2 equal ones (Kish, Survey Sampling, 1965, 11.7),
    takes the candidates for independent. Those of one chain are not, and the most frequent
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
    if not halving > 0:
        raise ValueError(f"halving must be above 0, a fraction of the sparsest candidate's edges such as 0.05; got {halving}")
    graphs = [as_graph(network) for network in networks]
    ends = {(g.widths[0], g.widths[-1]) for g in graphs}
    if len(ends) > 1:
        raise ValueError(f"candidates must have the same numbers of inputs and outputs; got {sorted(ends)}")
    near, votes = _near_sparsest(graphs, halving)
    hierarchies = detect_modules([graphs[i] for i in near], **detection)
    structures = [_structure(h) for h in hierarchies]
    groups = [structure[:2] for structure in structures]
    agreed = _most_voted(groups, votes, range(len(near)))
    winner = _most_voted(structures, votes, [i for i in range(len(near)) if groups[i] == groups[agreed]])
    total = math.fsum(votes)
    support = math.fsum(v for v, s in zip(votes, structures, strict=True) if s == structures[winner]) / total
    return replace(
        hierarchies[winner],
        support=support,
        support_interval=wilson(support, total**2 / math.fsum(v * v for v in votes)),
        network=networks[near[winner]],
    )


def _near_sparsest(graphs: Sequence[LayeredGraph], halving: float) -> tuple[list[int], list[float]]:
    """Positions of the distinct graphs that have a vote, the sparsest first, and their votes; only edges between units that carry
    something count."""
    distinct: dict[tuple[Any, ...], tuple[int, int]] = {}
    for i, graph in enumerate(graphs):
        alive = graph.alive()
        edges = alive_edges(graph, alive)
        key = (graph.widths, *(np.packbits(part).tobytes() for part in (*alive, *edges)))
        distinct.setdefault(key, (sum(int(e.sum()) for e in edges), i))
    ordered = sorted(distinct.values())
    fewest = ordered[0][0]
    halvings = [(count - fewest) / (halving * max(fewest, 1)) for count, _ in ordered]
    voting = [(i, 2.0**-h) for (_, i), h in zip(ordered, halvings, strict=True) if h <= LAST_HALVING]
    return [i for i, _ in voting], [vote for _, vote in voting]


def _most_voted(answers: Sequence[Hashable], votes: Sequence[float], among: Sequence[int]) -> int:
    """The first of those whose answer has the most votes."""
    cast: dict[Hashable, list[float]] = {}
    for i in among:
        cast.setdefault(answers[i], []).append(votes[i])
    sums = {answer: math.fsum(each) for answer, each in cast.items()}
    return max(among, key=lambda i: (sums[answers[i]], -i))


def _structure(hierarchy: Hierarchy) -> Structure:
    ends = (first_appearance([labels])[0].tolist() for labels in (hierarchy.labels[0], hierarchy.labels[-1]))
    return tuple(next(ends)), tuple(next(ends)), len(hierarchy.modules)
