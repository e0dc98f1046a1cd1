"""Conversion of graphs of units from adjacency matrices, and from and to networkx."""

from __future__ import annotations

import json
from collections.abc import Callable, Hashable, Sequence
from itertools import pairwise
from typing import Any

import networkx as nx
import numpy as np
import scipy.sparse as sp

from ..texts import clean, shown, text_of
from .blocks import INPUT, OUTPUT, Block, Layer, entries_of, layer_names
from .conversion import adjacency_graph, checked_adjacency, checked_widths
from .layering import is_numbered, layers_of, weight_of
from .limits import check_units

__all__ = ["adjacency_fields", "networkx_layers", "units_to_networkx"]

Fields = tuple[tuple[Layer, ...], tuple[Block, ...]]


def adjacency_fields(adjacency: Any, widths: Sequence[int] | None, names: Sequence[str]) -> Fields:
    """The layers and blocks of a square adjacency: see :meth:`UnitGraph.from_adjacency`."""
    if widths is None:
        return networkx_layers(adjacency_graph(adjacency, names))
    matrix = checked_adjacency(adjacency)
    widths = checked_widths(widths, matrix.shape, least=2)
    starts = np.cumsum([0, *widths])
    units = [tuple(names[a:b]) for a, b in pairwise(starts.tolist())]
    labels = layer_names(len(widths) - 1)
    layers = [Layer(labels[i], _kind(i, len(widths)), int(width), units[i]) for i, width in enumerate(widths)]
    rows, columns, values = entries_of(matrix)
    layer_of = np.repeat(np.arange(len(widths)), widths)
    pairs = np.stack([layer_of[rows], layer_of[columns]], axis=1)
    blocks = []
    for source, target in np.unique(pairs, axis=0).tolist():
        mine = (pairs == (source, target)).all(axis=1)
        places = rows[mine] - starts[source], columns[mine] - starts[target]
        blocks.append(Block(source, target, sp.csr_array((values[mine], places), shape=(widths[source], widths[target]))))
    return tuple(layers), tuple(blocks)


def networkx_layers(graph: nx.DiGraph) -> Fields:
    """The layers and blocks of a ``networkx.DiGraph``: see :meth:`UnitGraph.from_networkx`."""
    if not graph.is_directed():
        raise ValueError(f"the graph must be a networkx.DiGraph; got {type(graph).__name__}")
    given = layers_of(graph) if len(graph) else {}
    ranks = {layer: i for i, layer in enumerate(sorted(set(given.values())))}
    if len(ranks) < 2:
        raise ValueError("the graph must have at least one edge, or nodes of two layers; got none")
    check_units([len(graph)])
    members: list[list[Any]] = [[] for _ in ranks]
    for node in graph:
        members[ranks[given[node]]].append(node)
    if is_numbered(graph):
        members = [sorted(nodes) for nodes in members]
    place: dict[Hashable, tuple[int, int]] = {node: (i, k) for i, nodes in enumerate(members) for k, node in enumerate(nodes)}
    return _layers(graph, members), _blocks(graph, place, [len(nodes) for nodes in members])


def units_to_networkx(layers: Sequence[Layer], blocks: Sequence[Block], unit_name: Callable[[int, int], str]) -> nx.DiGraph:
    """The ``networkx.DiGraph`` of layers and blocks: see :meth:`UnitGraph.to_networkx`."""
    edges = [
        ((block.source, a), (block.target, b), {"weight": weight, "kind": clean(block.kind)})
        for block in blocks
        for a, b, weight in zip(*(part.tolist() for part in entries_of(block.weights)), strict=True)
    ]
    several = len({(a, b) for a, b, _ in edges}) < len(edges)
    known = json.dumps([[block.source, block.target, clean(block.kind)] for block in blocks])
    graph = (nx.MultiDiGraph if several else nx.DiGraph)(blocks=known)
    for i, layer in enumerate(layers):
        for k in range(layer.size):
            graph.add_node((i, k), layer=i, layer_name=clean(layer.name), kind=clean(layer.kind), name=clean(unit_name(i, k)))
    graph.add_edges_from(edges)
    return graph


def _kind(layer: int, layers: int) -> str:
    return INPUT if layer == 0 else OUTPUT if layer == layers - 1 else "neuron"


def _layers(graph: nx.DiGraph, members: Sequence[Sequence[Any]]) -> tuple[Layer, ...]:
    names, kinds = layer_names(len(members) - 1), set(nx.get_node_attributes(graph, "kind").values())
    layers = []
    for i, nodes in enumerate(members):
        known = {graph.nodes[node].get("kind") for node in nodes} - {None}
        if len(known) > 1:
            raise ValueError(f"units of one layer must be of one kind; got {sorted(map(str, known))} in layer {i}. Give each a `layer`")
        usual = _kind(i, len(members))
        kind = known.pop() if known else usual if usual not in kinds else "neuron"
        titles = {graph.nodes[node].get("layer_name") for node in nodes} - {None}
        name = titles.pop() if len(titles) == 1 else names[i]
        units = tuple(text_of(graph.nodes[node].get("name", node)) for node in nodes)
        plain = units == tuple(f"{name}.{k}" for k in range(len(nodes)))
        layers.append(Layer(str(name), str(kind), len(nodes), () if plain else units))
    return tuple(layers)


def _known_blocks(text: Any, layers: int) -> list[tuple[int, int, str]]:
    """The blocks that a graph names, those without edges included."""
    try:
        found = [(source, target, kind) for source, target, kind in json.loads(text)]
    except (TypeError, ValueError, RecursionError) as error:
        raise ValueError(f"`blocks` of the graph must be a JSON text such as '[[0, 1, \"dense\"]]'; got {shown(text)}") from error
    for source, target, kind in found:
        ends = all(isinstance(end, int) and 0 <= end < layers for end in (source, target))
        if not ends or source >= target or not isinstance(kind, str) or not kind:
            got = f"{str((source, target, kind))[:80]}"
            raise ValueError(f"`blocks` of the graph must join its layers, 0 to {layers - 1}, from one to a later one; got {got}")
    return found


def _blocks(graph: nx.DiGraph, place: dict[Hashable, tuple[int, int]], widths: Sequence[int]) -> tuple[Block, ...]:
    entries: dict[tuple[int, int, str], dict[tuple[int, int], float]] = {}
    for known in _known_blocks(graph.graph["blocks"], len(widths)) if "blocks" in graph.graph else ():
        entries[known] = {}
    for a, b, facts in graph.edges(data=True):
        weight = weight_of(a, b, facts.get("weight", 1.0))
        if weight == 0:
            continue
        (source, row), (target, column) = place[a], place[b]
        if source >= target:
            raise ValueError(
                f"the graph must be acyclic by its layers: every edge runs to a later layer; got {a} (layer {source}) -> {b} "
                f"(layer {target}). Give every node a `layer` after those of the nodes that it reads"
            )
        block = entries.setdefault((source, target, str(facts.get("kind", "dense"))), {})
        if (row, column) in block:
            raise ValueError(f"parallel edges must be of different kinds; got two from {a} to {b}. Add up their weights")
        block[row, column] = weight
    blocks = []
    for (source, target, kind), values in entries.items():
        places = np.array(list(values), dtype=np.int64).reshape(-1, 2)
        matrix = sp.coo_array((list(values.values()), (places[:, 0], places[:, 1])), shape=(widths[source], widths[target]))
        blocks.append(Block(source, target, matrix, kind))
    return tuple(blocks)
