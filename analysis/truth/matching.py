"""Which found modules are those of the truth."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import networkx as nx

from ..hierarchy import Hierarchy, module_graph
from .validity import Ends

__all__ = ["equal_modules"]


def equal_modules(found: Hierarchy, truth: nx.DiGraph, ends: dict[object, Ends]) -> tuple[list[tuple[int, object]], bool]:
    """Pairs of equal modules, and whether the graphs are isomorphic; if so, the pairs of modules of hidden units match too."""
    same = _isomorphism(found, truth, ends)
    if same is not None:
        return sorted(same.items()), True
    left = dict(ends)
    pairs = []
    for module in found.modules:
        node = next((n for n, e in left.items() if e == (module.inputs, module.outputs)), None)
        if node is not None:
            del left[node]
            pairs.append((module.index, node))
    return pairs, False


def _isomorphism(found: Hierarchy, truth: nx.DiGraph, ends: dict[object, Ends]) -> dict[int, object] | None:
    """The node of the truth for each module, where modules have the ends of their nodes and are connected alike; None where none fits.

    Both graphs are put into their canonical order. It is the same for isomorphic graphs, so only one mapping is to be checked: the time
    does not grow with the number of mappings, as it does when they are searched.
    """
    graph = module_graph(found)
    here = {node: (facts["inputs"], facts["outputs"]) for node, facts in graph.nodes(data=True)}
    if sorted(here.values()) != sorted(ends.values()) or graph.number_of_edges() != truth.number_of_edges():
        return None
    colours = {end: colour for colour, end in enumerate(sorted(set(ends.values())))}
    orders = (
        _canonical(edges, {node: colours[end] for node, end in known.items()})
        for edges, known in ((graph.edges, here), (truth.edges, ends))
    )
    same = dict(zip(*orders, strict=True))
    fits = all(here[a] == ends[b] for a, b in same.items()) and all(truth.has_edge(same[a], same[b]) for a, b in graph.edges)
    return same if fits else None


def _canonical(edges: Iterable[tuple[Any, Any]], colours: Mapping[Any, int]) -> list[Any]:
    """The nodes of a directed graph in canonical order, by BLISS (Junttila and Kaski, ALENEX 2007).

    BLISS takes undirected graphs. Each edge becomes a path over two nodes of two further colours, which keeps its direction.
    """
    import igraph  # imports matplotlib.pyplot, which not every user of this package needs

    nodes, pairs, shades = list(colours), [], list(colours.values())
    place = {node: i for i, node in enumerate(nodes)}
    for source, target in edges:
        tail, head = len(shades), len(shades) + 1
        pairs += [(place[source], tail), (tail, head), (head, place[target])]
        shades += [len(nodes), len(nodes) + 1]
    graph = igraph.Graph(len(shades), pairs, vertex_attrs={"place": range(len(shades))})
    # The attributes move with the vertices; what the permutation means differs between versions of igraph.
    ordered = graph.permute_vertices(graph.canonical_permutation(color=shades)).vs["place"]
    return [nodes[place] for place in ordered if place < len(nodes)]
