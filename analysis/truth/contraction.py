"""Whether one graph of modules is another one with connected modules joined.

A graph of modules is a ``networkx.DiGraph`` whose nodes have ``inputs`` and ``outputs``.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping
from typing import Any

import networkx as nx

__all__ = ["contraction", "owners"]

STEPS = 20_000  # assignments of modules of hidden units that are tried at most

Node = Hashable
Owners = dict[tuple[str, int], Node]


def owners(graph: nx.DiGraph) -> Owners:
    """The module of each input and output: ``("inputs", 3)`` and so on."""
    return {(side, end): node for node, facts in graph.nodes(data=True) for side in ("inputs", "outputs") for end in facts[side]}


def contraction(fine: nx.DiGraph, coarse: nx.DiGraph) -> dict[Any, Any] | None:
    """The coarse module that each fine module is a part of, or None where the coarse graph is no contraction of the fine one.

    It is one if every coarse module is a union of fine ones that are connected with one another, and an edge runs between two coarse
    modules exactly where one runs between parts of them.

    Inputs and outputs say which coarse module their fine modules belong to. Modules of hidden units alone are assigned by search, from
    their neighbours outwards. After 20,000 assignments the search gives up, and the answer is None.

    Examples
    --------
    >>> fine, coarse = nx.DiGraph([(0, 1), (1, 2)]), nx.DiGraph([("a", "b")])
    >>> nx.set_node_attributes(fine, {0: (0,), 1: (), 2: ()}, "inputs")
    >>> nx.set_node_attributes(fine, {0: (), 1: (), 2: (0,)}, "outputs")
    >>> nx.set_node_attributes(coarse, {"a": (0,), "b": ()}, "inputs")
    >>> nx.set_node_attributes(coarse, {"a": (), "b": (0,)}, "outputs")
    >>> contraction(fine, coarse)
    {0: 'a', 2: 'b', 1: 'a'}
    """
    here, there = owners(fine), owners(coarse)
    if here.keys() != there.keys():
        return None
    part_of: dict[Node, Node] = {}
    for end, node in here.items():
        if part_of.setdefault(node, there[end]) != there[end]:
            return None
    free = _outwards(fine, part_of)
    if len(part_of) + len(free) < len(fine) or not _edges_fit(fine, coarse, part_of):
        return None
    steps = iter(range(STEPS))

    def search(place: int) -> Iterator[dict[Node, Node]]:
        if place == len(free):
            if _is_whole(fine, coarse, part_of):
                yield dict(part_of)
            return
        node = free[place]
        near = {part_of[other] for other in nx.all_neighbors(fine, node) if other in part_of}
        for module in _in_order(coarse, near):
            if next(steps, None) is None:
                return
            part_of[node] = module
            if _edges_fit(fine.subgraph([node, *nx.all_neighbors(fine, node)]), coarse, part_of):
                yield from search(place + 1)
            del part_of[node]

    return next(search(0), None)


def _outwards(graph: nx.DiGraph, known: Mapping[Node, Node]) -> list[Node]:
    """The other nodes that are connected with the known ones, near ones first."""
    seen = list(known)
    for node in seen:
        seen += [other for other in dict.fromkeys(nx.all_neighbors(graph, node)) if other not in seen]
    return seen[len(known) :]


def _in_order(coarse: nx.DiGraph, near: set[Node]) -> list[Node]:
    """The modules that a node between those of its neighbours may belong to: these, and what is beside them."""
    beside = {other for module in near for other in nx.all_neighbors(coarse, module)}
    return [module for module in coarse if module in near] + [module for module in coarse if module in beside - near]


def _edges_fit(fine: nx.DiGraph, coarse: nx.DiGraph, part_of: Mapping[Node, Node]) -> bool:
    """Whether no edge between known nodes runs where the coarse graph has none."""
    known = ((part_of[a], part_of[b]) for a, b in fine.edges if a in part_of and b in part_of)
    return all(a == b or coarse.has_edge(a, b) for a, b in known)


def _is_whole(fine: nx.DiGraph, coarse: nx.DiGraph, part_of: Mapping[Node, Node]) -> bool:
    """Whether every coarse module has connected parts, and every coarse edge one between parts."""
    parts: dict[Node, list[Node]] = {module: [] for module in coarse}
    for node, module in part_of.items():
        parts[module].append(node)
    between = {(part_of[a], part_of[b]) for a, b in fine.edges if part_of[a] != part_of[b]}
    return between == set(coarse.edges) and all(some and nx.is_weakly_connected(fine.subgraph(some)) for some in parts.values())
