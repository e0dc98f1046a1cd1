"""Consensus: the structure that most seeds agree on.

The single sparsest network is unreliable. A network with an edge or two less may compute the task by a short cut, or with one more unit,
while the smallest networks of most seeds show the structure of the task.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import replace
from numbers import Real
from typing import Any, Unpack

import numpy as np
from numpy.typing import ArrayLike

from .detection import detect_modules
from .detection.alive import alive_wiring
from .detection.kinds import Candidates, DetectionOptions
from .evidence import wilson
from .graph import AnyGraph, Wiring, as_graph, needed_levels, network_of, several_networks
from .hierarchy import Hierarchy, first_appearance

__all__ = ["consensus"]

LAST_HALVING = 6.0  # 1/64 of a vote; smaller votes are zero, so that fewer candidates must be analysed
CLOSER = 0.15  # factor on `halving` within a seed, whose candidates are alike
UNKNOWN = 0.25  # factor on `halving` for candidates without a known seed, which may be of one seed or of many
START = ("seed", "model", "learning_rate", "restarted", "widths")  # fields of an origin; candidates that agree in all began as one network
Structure = tuple[tuple[int, ...], tuple[int, ...], int]
Size = Callable[[AnyGraph, int, int], float]


def consensus(
    candidates: Candidates,
    *,
    x: ArrayLike | None = None,
    halving: float = 0.2,
    unit_cost: float = 2.0,
    level_cost: float = 8.0,
    **detection: Unpack[DetectionOptions],
) -> Hierarchy:
    """The module structure that most seeds agree on; seeds with smaller networks have more votes.

    The size of a candidate is its number of edges, plus ``unit_cost`` for each hidden unit. With ``x``, a unit counts for ``level_cost``
    more with every level beyond two that the decisions need of it (:func:`~analysis.graph.levels.needed_levels`): the smallest networks
    may be smaller because one unit carries two functions. The seed with the smallest candidate has one vote. The vote of another seed
    halves with every ``halving``, a fraction of that smallest size, by which its own smallest candidate is larger; beyond six halvings it
    is zero. A seed divides its vote among its candidates: equally among the smallest, and half as much with every 0.15 of ``halving``.
    Votes first decide how inputs and outputs are grouped. Among the candidates with the winning groups they decide the number of modules.
    Candidates of one seed with the same edges count once, whichever of their units are left.

    Parameters
    ----------
    candidates : iterable of networks, or a result that has ``candidates``
        Anything that ``detect_modules`` takes, all with the same numbers of inputs and outputs. Candidates of ``sculpt`` have an
        ``origin``: the seed, model, learning rate and widths that they began with. Other candidates may be of one seed or of many: each
        counts as a seed, of those with the same edges only the first, and its vote halves with every quarter of ``halving``.
    x : array of shape (rows, inputs), optional
        The rows over which levels are counted, such as all of a truth table: ``task.x``. Levels are not counted when left out.
    halving : float
        Above 0, a fraction of the smallest size.
    unit_cost : float
        At least 0: how many edges a hidden unit counts for. Of two candidates with equally many edges the one with fewer hidden units is
        smaller.
    level_cost : float
        At least 0: how many edges each further level of a hidden unit counts for.
    **detection
        Passed on to ``detect_modules``.

    Returns
    -------
    Hierarchy
        That of the smallest candidate with the winning structure, which is its ``network``. ``support`` is the fraction of all votes for
        the structure, and ``support_interval`` its Wilson 95 % interval. Of structures with equal votes the one with the smallest
        candidate wins, then the first.

    Raises
    ------
    TypeError
        When ``candidates`` is not iterable, or one of them cannot be read as a network.
    ValueError
        When there are no candidates, their inputs or outputs differ, ``halving`` is not above 0, ``unit_cost`` or ``level_cost`` is below
        0 or infinite, or ``x`` has another number of columns than the networks have inputs.

    Notes
    -----
    The interval is that of Wilson, JASA 22, 209 (1927). Votes w of seeds count as (sum w)^2 / sum w^2 equal ones (Kish, Survey Sampling,
    1965, 11.7). The structure is selected because it is the most frequent one. The interval therefore shows how few the seeds are; it
    is no prediction for another seed.

    Examples
    --------
    >>> found = consensus([[[[1.0, 1.0]], [[1.0]]], [[[2.0, 2.0]], [[1.0]]]])
    >>> len(found.modules), found.support
    (1, 1.0)
    """
    given: Any = getattr(candidates, "candidates", candidates)
    if not isinstance(given, Iterable):
        raise TypeError(f"candidates must be several networks, such as result.candidates; got {type(given).__name__}")
    networks = list(given)
    if not networks:
        raise ValueError("consensus needs at least one candidate; got none. Nothing was accepted: see the result's stop_reason")
    if several_networks(networks) is None:
        got = f"{type(given).__name__} of {type(networks[0]).__name__}"
        raise TypeError(f"candidates must be several networks, such as result.candidates; got {got}. Give one network in a list")
    networks = [network_of(network) for network in networks]
    if not isinstance(halving, Real) or not halving > 0:
        raise ValueError(f"halving must be above 0, a fraction of the smallest candidate's size such as 0.2; got {halving!r}")
    for name, cost, what in (("unit_cost", unit_cost, "a hidden unit"), ("level_cost", level_cost, "a further level of a unit")):
        if not isinstance(cost, Real) or not 0 <= cost < math.inf:
            raise ValueError(f"{name} must be at least 0 and finite, the edges that {what} counts for; got {cost!r}")
    graphs = [as_graph(network) for network in networks]
    ends = {(len(g.input_names), len(g.output_names)) for g in graphs}
    if len(ends) > 1:
        raise ValueError(f"candidates must have the same numbers of inputs and outputs; got {sorted(ends)}")
    near, votes, effective = _votes(graphs, [_start(network) for network in networks], halving, _sizes(x, unit_cost, level_cost))
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
    """The network that a candidate began as; None where it is not known."""
    origin = getattr(network, "origin", None) or {}
    return tuple(str(origin.get(name)) for name in START) if START[0] in origin else None


def _sizes(x: ArrayLike | None, unit_cost: float, level_cost: float) -> Size:
    """The size of a candidate, from its graph and its numbers of alive edges and hidden units."""

    def size(graph: AnyGraph, edges: int, units: int) -> float:
        surplus = 0 if x is None else sum(int(np.maximum(levels - 2, 0).sum()) for levels in needed_levels(graph, x))
        return edges + unit_cost * units + level_cost * surplus

    return size


def _votes(graphs: Sequence[AnyGraph], starts: Sequence[Hashable], halving: float, size_of: Size) -> tuple[list[int], list[float], float]:
    """Positions of the candidates with a vote, smallest first, their votes, and the effective number of seeds."""
    families: dict[Hashable, list[tuple[float, int]]] = {}
    known: set[Hashable] = set()
    for i, (graph, start) in enumerate(zip(graphs, starts, strict=True)):
        # Only alive units and the edges between them count.
        alive = graph.alive()
        wiring = alive_wiring(graph, alive)
        entries = [np.stack(block.weights.nonzero()) for block in wiring.blocks]
        read = np.concatenate([alive[layer] for layer in graph.inputs])
        parts = ((b.source, b.target, b.carry, e.tobytes()) for b, e in zip(wiring.blocks, entries, strict=True))
        key = (start, wiring.sizes, read.tobytes(), *parts)
        if key not in known:
            known.add(key)
            edges = sum(e.shape[1] for b, e in zip(wiring.blocks, entries, strict=True) if not b.carry)
            size = size_of(graph, edges, _hidden_units(graph, wiring))
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


def _hidden_units(graph: AnyGraph, wiring: Wiring) -> int:
    """The number of alive hidden units; a unit that is carried on counts once."""
    units = sum(size for layer, size in enumerate(wiring.sizes) if layer not in (*graph.inputs, *graph.outputs))
    return units - sum(len(b.weights.nonzero()[0]) for b in wiring.blocks if b.carry and b.target not in graph.outputs)


def _share(size: float, least: float, halving: float) -> float:
    halvings = (size - least) / (halving * max(least, 1))
    return 2.0**-halvings if halvings <= LAST_HALVING else 0.0


def _most_voted(structures: Sequence[Hashable], votes: Sequence[float], among: Sequence[int]) -> int:
    """The first candidate whose structure has the most votes."""
    cast: dict[Hashable, list[float]] = {}
    for i in among:
        cast.setdefault(structures[i], []).append(votes[i])
    sums = {structure: math.fsum(each) for structure, each in cast.items()}
    return max(among, key=lambda i: (sums[structures[i]], -i))


def _structure(hierarchy: Hierarchy) -> Structure:
    ends = (first_appearance([labels])[0].tolist() for labels in (hierarchy.input_labels, hierarchy.output_labels))
    return tuple(next(ends)), tuple(next(ends)), len(hierarchy.modules)
