"""Conversion of layered graphs from adjacency matrices, and from and to networkx."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import islice, pairwise
from numbers import Integral
from typing import Any

import networkx as nx
import numpy as np
import scipy.sparse as sp
from numpy.typing import ArrayLike, NDArray

from ..texts import clean, shown, text_of
from .arrays import checked_array
from .functions import known_loss
from .layering import is_numbered, layers_of, weight_of
from .limits import chain_entries, check_dense, check_units, finite

__all__ = ["adjacency_graph", "adjacency_weights", "checked_adjacency", "checked_widths", "networkx_fields", "networkx_graph"]


def adjacency_weights(adjacency: ArrayLike | sp.sparray | sp.spmatrix, widths: Sequence[int]) -> tuple[NDArray[np.float64], ...]:
    """The weights of a square adjacency over all units: see :meth:`LayeredGraph.from_adjacency`."""
    matrix = checked_adjacency(adjacency)
    starts = np.cumsum([0, *checked_widths(widths, matrix.shape)])
    check_dense(chain_entries(widths), "the weights of the adjacency")
    layer_of = np.repeat(np.arange(len(widths)), widths)
    source, target = matrix.nonzero()  # which skips stored zeros
    _check_layered(layer_of[source], layer_of[target], source, target)
    return tuple(matrix[starts[i] : starts[i + 1], starts[i + 1] : starts[i + 2]].toarray() for i in range(len(widths) - 1))


def adjacency_graph(adjacency: ArrayLike | sp.sparray | sp.spmatrix, names: Sequence[str]) -> nx.DiGraph:
    """The ``networkx.DiGraph`` of a square adjacency, over the names of its units, or their positions where they have none."""
    matrix = checked_adjacency(adjacency)
    if matrix.shape[0] != matrix.shape[1]:
        raise ValueError(f"adjacency must be square, a row and a column for each unit; got shape {matrix.shape}")
    check_units([matrix.shape[0]], "adjacency")
    units: list[Any] = list(names or range(matrix.shape[0]))
    graph = nx.DiGraph()
    graph.add_nodes_from(units)
    entries = matrix.tocoo()
    graph.add_weighted_edges_from(
        (units[a], units[b], w) for a, b, w in zip(entries.row, entries.col, entries.data.tolist(), strict=True) if w
    )
    return graph


def networkx_fields(graph: nx.DiGraph) -> dict[str, Any]:
    """The fields of the ``LayeredGraph`` of a ``networkx.DiGraph``: see :meth:`LayeredGraph.from_networkx`."""
    if not graph.is_directed() or graph.is_multigraph():
        raise ValueError(f"the graph must be a networkx.DiGraph without parallel edges; got {type(graph).__name__}")
    layer_of = layers_of(graph) if len(graph) else {}
    if not any(layer_of.values()):
        raise ValueError("the graph must have at least one edge, or nodes of two layers; got none")
    if max(layer_of.values()) >= len(graph):
        raise ValueError(
            f"the graph must have nodes in every layer; got layer {shown(max(layer_of.values()))} in a graph of {len(graph)} nodes. "
            "Number the layers 0, 1, 2, ..."
        )
    layers: list[list[Any]] = [[] for _ in range(max(layer_of.values()) + 1)]
    for node in graph:
        layers[layer_of[node]].append(node)
    if is_numbered(graph):
        layers = [sorted(nodes) for nodes in layers]
    position = {node: i for nodes in layers for i, node in enumerate(nodes)}
    found = ((a, b, weight_of(a, b, weight)) for a, b, weight in graph.edges(data="weight", default=1.0))
    edges = [edge for edge in found if edge[2] != 0]
    sources, targets = [a for a, _, _ in edges], [b for _, b, _ in edges]
    _check_layered([layer_of[a] for a in sources], [layer_of[b] for b in targets], sources, targets)
    sizes = [len(nodes) for nodes in layers]
    check_units(sizes)
    check_dense(chain_entries(sizes), "the weights of the graph")
    weights = [np.zeros(shape) for shape in pairwise(sizes)]
    for source, target, weight in edges:
        weights[layer_of[source]][position[source], position[target]] = weight
    biases = [np.array([finite(graph.nodes[n].get("bias", 0.0), f"the bias of {str(n)[:40]}") for n in nodes]) for nodes in layers[1:]]
    activations = tuple(text_of(graph.graph["activations"]).split()) if "activations" in graph.graph else ()
    names = [_default_names(graph, nodes, prefix) for nodes, prefix in ((layers[0], "x"), (layers[-1], "y"))]
    return {
        "weights": tuple(weights),
        "biases": tuple(biases),
        "activations": activations,
        "input_names": names[0],
        "output_names": names[1],
        "loss": known_loss(graph.graph.get("loss")),
    }


def networkx_graph(
    weights: Sequence[NDArray[np.float64]], biases: Sequence[NDArray[np.float64]], unit_name: Callable[[int, int], str], **facts: str
) -> nx.DiGraph:
    """The ``networkx.DiGraph`` of a network, with ``facts`` as graph attributes: see :meth:`LayeredGraph.to_networkx`."""
    graph = nx.DiGraph(**facts)
    for layer, values in enumerate([np.zeros(len(weights[0])), *biases]):
        for index, bias in enumerate(values.tolist()):
            graph.add_node((layer, index), layer=layer, bias=bias, name=clean(unit_name(layer, index)))
    for layer, weight in enumerate(weights):
        for source, target in np.argwhere(weight).tolist():
            graph.add_edge((layer, source), (layer + 1, target), weight=float(weight[source, target]))
    return graph


def checked_adjacency(adjacency: ArrayLike | sp.sparray | sp.spmatrix) -> sp.csr_array:
    """An adjacency as a sparse matrix of floats."""
    matrix = sp.coo_array(adjacency if sp.issparse(adjacency) else checked_array(adjacency, "adjacency"))
    if matrix.ndim != 2:
        raise ValueError(f"adjacency must be square, a row and a column for each unit; got shape {matrix.shape}")
    check_units([max(matrix.shape)], "adjacency")
    # Converted to floats before duplicate entries are added up: small integer types would overflow.
    matrix.data = checked_array(matrix.data, "adjacency")
    return matrix.tocsr()


def checked_widths(widths: Sequence[int], shape: tuple[int, ...], least: int = 1) -> list[int]:
    """The widths of the layers of an adjacency.

    Raises
    ------
    TypeError
        When they are no sequence.
    ValueError
        When they are no positive integers, or not those of a matrix of that shape.

    Examples
    --------
    >>> checked_widths((2, 1), (3, 3))
    [2, 1]
    """
    if isinstance(widths, (str, bytes)) or not isinstance(widths, Iterable):
        raise TypeError(f"widths must be positive integers, the number of units in each layer; got {type(widths).__name__}")
    try:
        found = list(islice(widths, shape[0] + 1))  # more cannot fit
    except Exception as error:  # of the user's class
        raise TypeError(f"widths must be positive integers; got {type(widths).__name__}, which fails when it is read: {error}") from error
    if len(found) < least or not all(isinstance(width, Integral) and width > 0 for width in found):
        many = "two positive integers or more" if least == 2 else "positive integers"
        raise ValueError(f"widths must be {many}, the number of units in each layer; got {shown(found)}")
    total = sum(map(int, found))
    if shape != (total, total):
        raise ValueError(f"adjacency must have shape {shown((total, total))} for widths {shown(found)}; got {shape}")
    return [int(width) for width in found]


def _check_layered(sources: ArrayLike, targets: ArrayLike, source_names: Sequence[Any], target_names: Sequence[Any]) -> None:
    sources, targets = np.asarray(sources), np.asarray(targets)
    wrong = np.flatnonzero(targets != sources + 1)
    if len(wrong):
        i = int(wrong[0])
        raise ValueError(
            f"the graph must be layered: every edge runs from one layer to the next; got {source_names[i]} (layer {int(sources[i])}) "
            f"-> {target_names[i]} (layer {int(targets[i])}). UnitGraph.from_networkx reads edges that skip a layer; "
            "give every node its `layer` where this one is wrong"
        )


def _default_names(graph: nx.DiGraph, nodes: Sequence[Any], prefix: str) -> tuple[str, ...]:
    numbered = is_numbered(graph)
    return tuple(text_of(graph.nodes[n].get("name", f"{prefix}{n[1]}" if numbered else n)) for n in nodes)
