"""The structure that most seeds agree on.

The sparsest network alone is an unsound choice: one that is sparser by an edge or two may compute the task by a short cut, or have a
unit more, while the smallest networks of most seeds show the structure of the task.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import replace
from numbers import Real
from typing import Any

import numpy as np

from .detection import detect_modules
from .detection.features import alive_edges
from .evidence import wilson
from .graph import LayeredGraph, as_graph, several_networks
from .hierarchy import Hierarchy, first_appearance

__all__ = ["consensus"]

LAST_HALVING = 6.0  # a sixty-fourth of a vote; without an end, every candidate would have to be looked at
CLOSER = 0.15  # shares within a seed fall off so much sooner than votes between seeds: candidates of one seed are kin
UNKNOWN = 0.25  # and votes of candidates of no known seed, which may be of one or of many, so much sooner
START = ("seed", "model", "learning_rate", "widths")  # of an origin: candidates that agree in these began as one network
Structure = tuple[tuple[int, ...], tuple[int, ...], int]


def consensus(candidates: Iterable[Any], *, halving: float = 0.2, unit_cost: float = 2.0, **detection: Any) -> Hierarchy:
    """The module structure that most seeds agree on, those that came to smaller networks having more of a say.

    The size of a candidate is the number of its edges, and ``unit_cost`` for each of its hidden units. The seed that came to the smallest
    candidate has one vote, and a vote halves with every ``halving`` by which the smallest of a seed is larger; beyond six halvings there is
    none. A seed shares its vote among its own candidates: equally among the smallest, and half as much with every 0.15 of ``halving``.
    Votes go first to how the inputs and the outputs are grouped; of the candidates that show the groups with most votes, to the number of
    modules. Candidates of one seed with the same edges count once, whichever of their units are left.

    Parameters
    ----------
    candidates : iterable of networks
        Anything that ``detect_modules`` takes, all of the same numbers of inputs and outputs. Those that ``sculpt`` made know their
        ``origin``: the seed, model, learning rate and widths that they began with. Any others may be of one seed or of many: each is
        taken for a seed, of those with the same edges the first, and its vote halves with every quarter of ``halving``.
    halving : float
        Above 0: a fraction of the size.
    unit_cost : float
        At least 0: how many edges a hidden unit counts for. Of two candidates with equally many edges the one with fewer units is the
        smaller.
    **detection
        Passed on to ``detect_modules``.

    Returns
    -------
    Hierarchy
        Of the smallest candidate that has the structure, which is its ``network``; ``support`` is the fraction of all votes for it,
        and ``support_interval`` its Wilson 95 % interval. Structures with equal votes: the one with the smallest candidate, then
        the first.

    Raises
    ------
    TypeError
        When ``candidates`` cannot be gone through, or one of them cannot be read as a network.
    ValueError
        When there are no candidates, they differ in inputs or outputs, ``halving`` is not above 0, or ``unit_cost`` is below 0 or infinite.

    Notes
    -----
    The interval of Wilson, JASA 22, 209 (1927), for votes w of seeds as for (sum w)^2 / sum w^2 equal ones (Kish, Survey Sampling, 1965,
    11.7). The most frequent structure is chosen after the fact, so it describes how few the seeds are rather than what another would show.

    Examples
    --------
    >>> found = consensus([[[[1.0, 1.0]], [[1.0]]], [[[2.0, 2.0]], [[1.0]]]])
    >>> len(found.modules), found.support
    (1, 1.0)
    """
    if not isinstance(candidates, Iterable):
        raise TypeError(f"candidates must be several networks, such as result.candidates; got {type(candidates).__name__}")
    networks = list(candidates)
    if not networks:
        raise ValueError("consensus needs at least one candidate; got none. Nothing was accepted: see the result's stop_reason")
    if several_networks(networks) is None:
        got = f"{type(candidates).__name__} of {type(networks[0]).__name__}"
        raise TypeError(f"candidates must be several networks, such as result.candidates; got {got}. Give one network in a list")
    if not isinstance(halving, Real) or not halving > 0:
        raise ValueError(f"halving must be above 0, a fraction of the smallest candidate's size such as 0.2; got {halving!r}")
    if not isinstance(unit_cost, Real) or not 0 <= unit_cost < math.inf:
        raise ValueError(f"unit_cost must be at least 0 and finite, the edges that a hidden unit counts for, such as 2; got {unit_cost!r}")
    graphs = [as_graph(network) for network in networks]
    ends = {(g.widths[0], g.widths[-1]) for g in graphs}
    if len(ends) > 1:
        raise ValueError(f"candidates must have the same numbers of inputs and outputs; got {sorted(ends)}")
    near, votes, effective = _votes(graphs, [_start(network) for network in networks], halving, unit_cost)
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
        support_interval=wilson(support, effective),
        network=networks[near[winner]],
    )


def _start(network: Any) -> tuple[Any, ...] | None:
    """What a candidate began as; None where that is not known."""
    origin = getattr(network, "origin", None) or {}
    return tuple(str(origin.get(name)) for name in START) if START[0] in origin else None


def _votes(
    graphs: Sequence[LayeredGraph], starts: Sequence[Hashable], halving: float, unit_cost: float
) -> tuple[list[int], list[float], float]:
    """Positions of the candidates that have a vote, the smallest first, their votes, and as how many equal seeds the seeds count."""
    families: dict[Hashable, list[tuple[float, int]]] = {}
    known: set[Hashable] = set()
    for i, (graph, start) in enumerate(zip(graphs, starts, strict=True)):
        # Only units that carry something, and edges between them, count.
        alive = graph.alive()
        edges = alive_edges(graph, alive)
        key = (start, *(edge.shape for edge in edges), *(np.packbits(part).tobytes() for part in (alive[0], *edges)))
        if key not in known:
            known.add(key)
            size = sum(int(e.sum()) for e in edges) + unit_cost * sum(int(a.sum()) for a in alive[1:-1])
            families.setdefault(i if start is None else start, []).append((size, i))
    least = min(min(family) for family in families.values())[0]
    voting: list[tuple[float, int, float]] = []
    weights = []
    for start, family in families.items():
        smallest = min(family)[0]
        weight = _share(smallest, least, halving if isinstance(start, tuple) else UNKNOWN * halving)
        shares = [_share(size, smallest, CLOSER * halving) for size, _ in family]
        whole = math.fsum(shares)
        if weight:
            weights.append(weight)
            voting += [(size, i, weight * share / whole) for (size, i), share in zip(family, shares, strict=True) if share]
    effective = math.fsum(weights) ** 2 / math.fsum(weight * weight for weight in weights)
    voting.sort()
    return [i for _, i, _ in voting], [vote for _, _, vote in voting], effective


def _share(size: float, least: float, halving: float) -> float:
    halvings = (size - least) / (halving * max(least, 1))
    return 2.0**-halvings if halvings <= LAST_HALVING else 0.0


def _most_voted(structures: Sequence[Hashable], votes: Sequence[float], among: Sequence[int]) -> int:
    """The first of those whose structure has the most votes."""
    cast: dict[Hashable, list[float]] = {}
    for i in among:
        cast.setdefault(structures[i], []).append(votes[i])
    sums = {structure: math.fsum(each) for structure, each in cast.items()}
    return max(among, key=lambda i: (sums[structures[i]], -i))


def _structure(hierarchy: Hierarchy) -> Structure:
    ends = (first_appearance([labels])[0].tolist() for labels in (hierarchy.labels[0], hierarchy.labels[-1]))
    return tuple(next(ends)), tuple(next(ends)), len(hierarchy.modules)
