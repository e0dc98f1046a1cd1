"""The layer of each node of a directed graph of networkx."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Hashable
from numbers import Integral
from typing import Any

import networkx as nx

from ..texts import shown
from .blocks import OUTPUT
from .limits import MOST_DENSE, chain_entries, finite

__all__ = ["is_numbered", "is_wide", "layers_of", "skips_layers", "weight_of"]


def is_numbered(graph: nx.DiGraph) -> bool:
    """Whether all nodes are pairs ``(layer, index)``."""
    return all(isinstance(n, tuple) and len(n) == 2 and all(isinstance(v, Integral) for v in n) for n in graph)


def weight_of(source: Hashable, target: Hashable, weight: Any) -> float:
    """The weight of an edge as a float: see :func:`~analysis.graph.limits.finite`."""
    return finite(weight, f"the weight of {str(source)[:40]} -> {str(target)[:40]}")


def layers_of(graph: nx.DiGraph, *, warn: bool = True) -> dict[Hashable, int]:
    """The layer of each node, from 0: its ``layer``, the first entry of a node ``(layer, index)``, or its topological generation.

    Of generations the last holds the outputs, and also each node before it that no other reads and whose ``kind`` is ``"output"``.

    Raises
    ------
    ValueError
        When a ``layer`` is no whole number, or the graph has a cycle and no layers.

    Warns
    -----
    UserWarning
        When layers are generations and a path ends before the last.
    """
    given = nx.get_node_attributes(graph, "layer")
    if len(given) < len(graph) and is_numbered(graph):
        given = {node: node[0] for node in graph}
    if len(given) == len(graph):
        wrong = [layer for layer in given.values() if not _whole(layer)]
        if wrong:
            raise ValueError(f"the `layer` of every node must be a whole number, inputs 0; got {shown(wrong[0])}")
        layer_of = {node: layer if isinstance(layer, int) else int(float(layer)) for node, layer in given.items()}
        first = min(layer_of.values())
        return {node: layer - first for node, layer in layer_of.items()}
    if not nx.is_directed_acyclic_graph(graph):
        raise ValueError("the graph must be layered; got one with a cycle. Give every node a `layer`, inputs 0")
    generations = list(nx.topological_generations(graph))
    found = {node: i for i, nodes in enumerate(generations) for node in nodes}
    ends = [node for nodes in generations[:-1] for node in nodes if graph.out_degree(node) == 0]
    early = [node for node in ends if graph.nodes[node].get("kind") != OUTPUT]
    found |= dict.fromkeys(set(ends).difference(early), len(generations) - 1)
    if early and warn:
        warnings.warn(
            f"every unit before the last layer must lead to another; got {len(early)} without, {shown(early[0])} the first, read as "
            'removed units. If one is an output, give it kind="output", or every node its `layer`, and outputs the last',
            stacklevel=2,
        )
    return found


def skips_layers(graph: nx.Graph) -> bool:
    """Whether a directed graph has layers but is no chain of them: all edges run to a later layer, and some skip one or carry a unit on.

    Examples
    --------
    >>> skips_layers(nx.DiGraph([("x", "h"), ("h", "y")])), skips_layers(nx.DiGraph([("x", "h"), ("h", "y"), ("x", "y")]))
    (False, True)
    """
    if not graph.is_directed() or not graph.number_of_edges():
        return False
    given = nx.get_node_attributes(graph, "layer")
    if len(given) < len(graph) and not is_numbered(graph) and not nx.is_directed_acyclic_graph(graph):
        return False
    if any(not _whole(layer) for layer in given.values()):
        return False
    layer_of = layers_of(graph, warn=False)
    spans = [layer_of[b] - layer_of[a] for a, b, weight in graph.edges(data="weight", default=1.0) if weight_of(a, b, weight)]
    ends = {what: {layer_of[n] for n, kind in graph.nodes(data="kind") if kind == what} for what in ("input", OUTPUT)}
    several = ends["input"] - {0} or ends[OUTPUT] - {max(layer_of.values())}
    known = graph.is_multigraph() or several or any(kind == "carry" for _, _, kind in graph.edges(data="kind"))
    return min(spans, default=0) > 0 and (max(spans) > 1 or bool(known))


def _whole(layer: Any) -> bool:
    try:
        return float(layer).is_integer()
    except (TypeError, ValueError, OverflowError):
        return False


def is_wide(graph: nx.DiGraph) -> bool:
    """Whether the matrices of a chain of layers would have more than ``MOST_DENSE`` numbers.

    Examples
    --------
    >>> is_wide(nx.DiGraph([("x", "h"), ("h", "y")]))
    False
    """
    if len(graph) ** 2 <= 4 * MOST_DENSE:  # two layers of half of the nodes each have the most
        return False
    counts = Counter(layers_of(graph, warn=False).values())
    return chain_entries([counts[layer] for layer in sorted(counts)]) > MOST_DENSE
