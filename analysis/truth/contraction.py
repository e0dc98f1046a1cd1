"""Whether one graph of modules is another one with related modules joined.

A graph of modules is a ``networkx.DiGraph`` whose nodes have ``inputs`` and ``outputs``.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable
from itertools import combinations
from typing import Any

import networkx as nx

__all__ = ["SearchLimitError", "contraction", "owners", "related", "without_hidden"]

STEPS = 200  # choices that are tried at most

Node = Hashable
Owners = dict[tuple[str, int], Node]
Domains = dict[Node, frozenset[Node]]  # the coarse modules that each fine one may be a part of


class SearchLimitError(Exception):
    """The search for a contraction was given up."""


def owners(graph: nx.DiGraph) -> Owners:
    """The module of each input and output: ``("inputs", 3)`` and so on."""
    return {(side, end): node for node, facts in graph.nodes(data=True) for side in ("inputs", "outputs") for end in facts[side]}


def related(graph: nx.DiGraph) -> nx.Graph:
    """Which modules belong together: those that are connected, and those that read exactly the same modules.

    Examples
    --------
    >>> graph = nx.DiGraph([("m", "y"), ("n", "y"), ("m", "z"), ("n", "z")])
    >>> sorted(related(graph).neighbors("y"))
    ['m', 'n', 'z']
    """
    known = nx.Graph(graph.to_undirected(as_view=True))
    alike: dict[frozenset[Node], list[Node]] = {}
    for node in graph:
        if sources := frozenset(graph.predecessors(node)):
            alike.setdefault(sources, []).append(node)
    known.add_edges_from(pair for nodes in alike.values() for pair in combinations(nodes, 2))
    return known


def without_hidden(graph: nx.DiGraph) -> nx.DiGraph:
    """The graph without modules of hidden units only: what these read is read by those that read them.

    Examples
    --------
    >>> graph = nx.DiGraph([("a", "h"), ("b", "h"), ("h", "y")])
    >>> nx.set_node_attributes(graph, {"a": (0,), "b": (1,), "h": (), "y": ()}, "inputs")
    >>> nx.set_node_attributes(graph, {"a": (), "b": (), "h": (), "y": (0,)}, "outputs")
    >>> sorted(without_hidden(graph).edges)
    [('a', 'y'), ('b', 'y')]
    """
    short = graph.copy()
    for node, facts in graph.nodes(data=True):
        if not facts["inputs"] and not facts["outputs"]:
            short.add_edges_from([(a, b) for a in short.predecessors(node) for b in short.successors(node)])
            short.remove_node(node)
    return short


def contraction(fine: nx.DiGraph, coarse: nx.DiGraph) -> dict[Any, Any] | None:
    """The coarse module that each fine module is a part of, or None where the coarse graph is no contraction of the fine one.

    It is one if every coarse module is a union of fine ones that are :func:`related` with one another, and an edge runs between two coarse
    modules exactly where one runs between parts of them.

    Raises
    ------
    SearchLimitError
        When it is not decided after 200 choices.

    Notes
    -----
    Inputs and outputs say which coarse module their fine modules belong to. A contraction makes no path longer, so distances from these
    modules leave few candidates for the others. What is left is a search that follows what every choice forces.

    Examples
    --------
    >>> fine, coarse = nx.DiGraph([(0, 1), (1, 2)]), nx.DiGraph([("a", "b")])
    >>> nx.set_node_attributes(fine, {0: (0,), 1: (), 2: ()}, "inputs")
    >>> nx.set_node_attributes(fine, {0: (), 1: (), 2: (0,)}, "outputs")
    >>> nx.set_node_attributes(coarse, {"a": (0,), "b": ()}, "inputs")
    >>> nx.set_node_attributes(coarse, {"a": (), "b": (0,)}, "outputs")
    >>> contraction(fine, coarse)
    {0: 'a', 1: 'a', 2: 'b'}
    """
    here, there = owners(fine), owners(coarse)
    if here.keys() != there.keys() or len(fine) < len(coarse) or fine.number_of_edges() < coarse.number_of_edges():
        return None
    fixed: dict[Node, Node] = {}
    for end, node in here.items():
        if fixed.setdefault(node, there[end]) != there[end]:
            return None
    waiting = [_forced(fine, coarse, _candidates(fine, coarse, fixed))]
    steps = 0
    while waiting:
        domains = waiting.pop()
        if domains is None:
            continue
        undecided = [node for node, some in domains.items() if len(some) > 1]
        if not undecided:
            part_of = {node: next(iter(some)) for node, some in domains.items()}
            if _is_whole(fine, coarse, part_of):
                return part_of
            continue
        if (steps := steps + 1) > STEPS:
            raise SearchLimitError
        node = min(undecided, key=lambda other: len(domains[other]))
        choices = [module for module in coarse if module in domains[node]]
        waiting += [_forced(fine, coarse, {**domains, node: frozenset([module])}) for module in reversed(choices)]
    return None


def _candidates(fine: nx.DiGraph, coarse: nx.DiGraph, fixed: dict[Node, Node]) -> Domains:
    """The modules that are no further from those of inputs and outputs than a fine module is."""
    domains: Domains = {node: frozenset([fixed[node]] if node in fixed else coarse) for node in fine}
    for forward in (True, False):
        graphs = (fine, coarse) if forward else (fine.reverse(copy=False), coarse.reverse(copy=False))
        known = {module: nx.single_source_shortest_path_length(graphs[1], module) for module in set(fixed.values())}
        for anchor, module in fixed.items():
            near = known[module]
            for node, steps in nx.single_source_shortest_path_length(graphs[0], anchor).items():
                if len(domains[node]) > 1:
                    domains[node] = frozenset(other for other in domains[node] if near.get(other, steps + 1) <= steps)
    return domains


def _forced(fine: nx.DiGraph, coarse: nx.DiGraph, domains: Domains) -> Domains | None:
    """The domains without what no longer fits, or None where nothing fits.

    Parts on both ends of an edge are of one module or of two with an edge. Every module has a part.
    """
    domains, queue = dict(domains), deque(fine.edges)
    while True:
        while queue:
            source, target = queue.popleft()
            for node, other, near in ((source, target, coarse.succ), (target, source, coarse.pred)):
                kept = frozenset(m for m in domains[node] if m in domains[other] or not domains[other].isdisjoint(near[m]))
                if not kept:
                    return None
                if kept != domains[node]:
                    domains[node] = kept
                    queue += [*fine.in_edges(node), *fine.out_edges(node)]
        parts: dict[Node, list[Node]] = {module: [] for module in coarse}
        for node, some in domains.items():
            for module in some:
                parts[module].append(node)
        if not all(parts.values()):
            return None
        single = [(nodes[0], module) for module, nodes in parts.items() if len(nodes) == 1 and len(domains[nodes[0]]) > 1]
        if not single:
            return domains
        for node, module in single:
            domains[node] = frozenset([module])
            queue += [*fine.in_edges(node), *fine.out_edges(node)]


def _is_whole(fine: nx.DiGraph, coarse: nx.DiGraph, part_of: dict[Node, Node]) -> bool:
    """Whether every coarse module has related parts, and every coarse edge one between parts."""
    parts: dict[Node, list[Node]] = {module: [] for module in coarse}
    for node, module in part_of.items():
        parts[module].append(node)
    between = {(part_of[a], part_of[b]) for a, b in fine.edges if part_of[a] != part_of[b]}
    together = related(fine)
    return between == set(coarse.edges) and all(some and nx.is_connected(together.subgraph(some)) for some in parts.values())
