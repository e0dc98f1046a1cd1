"""Reading of networks in every supported form, one or several."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping, Sequence
from math import prod
from typing import Any, TypeAlias

import networkx as nx
import scipy.sparse as sp

from .blocks import INPUT, OUTPUT, Block, Layer, layer_names
from .chains import check_chain
from .conversion import adjacency_graph
from .estimators import estimator_fields, is_estimator
from .frames import adjacency_names, is_frame
from .functions import known_loss
from .layered import LayeredGraph
from .layering import is_wide, skips_layers
from .limits import MOST_DENSE, check_units
from .unit_graph import UnitGraph

__all__ = ["AnyGraph", "as_graph", "chain_of", "network_of", "several_networks"]

AnyGraph: TypeAlias = LayeredGraph | UnitGraph
DEEPEST = 8  # sequences within one another


def network_of(value: Any) -> Any:
    """The ``network`` of a result, such as that of ``sculpt``; any other value as it is.

    Raises
    ------
    ValueError
        When the result has no network.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> network_of(SimpleNamespace(network="sparse")), network_of("sparse")
    ('sparse', 'sparse')
    """
    if not _is_result(value):
        return value
    if value.network is None:
        reason = getattr(getattr(value, "stop_reason", None), "value", "")
        raise ValueError(f"the result must have a network; got a {type(value).__name__} without one. {reason}".rstrip())
    return value.network


def as_graph(network: Any) -> AnyGraph:
    """The graph of a network in any supported form: a :class:`LayeredGraph` of a chain of layers, a :class:`UnitGraph` of any other.

    Parameters
    ----------
    network : LayeredGraph, UnitGraph, networkx.DiGraph, igraph.Graph, sequence of matrices (n_out, n_in), data frame, or object
        A data frame is an adjacency over units that have names: see :meth:`LayeredGraph.from_adjacency`. A graph with edges that skip a
        layer, or that carry a unit on, is read by :meth:`UnitGraph.from_networkx`; so is a chain of layers whose matrices would have more
        than 2^25 numbers, given as a graph, a data frame or sparse matrices.
        An object with ``weights`` (such as a ``SparseNetwork``) may also have ``biases``, ``activations``, ``input_names``,
        ``output_names`` and ``loss``. An object with tuples of ``layers`` and ``blocks`` (such as a ``SparseModule``) is read as a
        :class:`UnitGraph` of them. A result with a ``network`` stands for it. A fitted ``MLPClassifier`` or
        ``MLPRegressor`` of scikit-learn is read with its activations and names. For matrices (n_in, n_out) see
        :meth:`LayeredGraph.from_weights`.

    Raises
    ------
    TypeError
        When ``network`` is none of these.
    ValueError
        When it has a cycle, or an edge runs within a layer or to an earlier one.

    Examples
    --------
    >>> as_graph([[[1.0, 1.0]], [[1.0]]]).widths
    (2, 1, 1)
    >>> type(as_graph(nx.DiGraph([("x", "h"), ("h", "y"), ("x", "y")]))).__name__
    'UnitGraph'
    """
    network = network_of(network)
    if isinstance(network, (LayeredGraph, UnitGraph)):
        return network
    if "igraph" in sys.modules and isinstance(network, sys.modules["igraph"].Graph):
        if not network.is_directed():
            raise ValueError("the igraph graph must be directed; got an undirected one")
        network = network.to_networkx()
    if is_frame(network):
        network = adjacency_graph(network, adjacency_names(network))
    if isinstance(network, nx.Graph):
        return UnitGraph.from_networkx(network) if skips_layers(network) or is_wide(network) else LayeredGraph.from_networkx(network)
    if getattr(network, "ndim", 0) == 2:
        raise TypeError(
            "a single matrix may be weights or an adjacency; give [matrix] for the weights (n_out, n_in) of one layer, "
            f"LayeredGraph.from_adjacency(matrix) for an adjacency; got {type(network).__name__} of shape {tuple(network.shape)}"
        )
    if is_estimator(network):
        return LayeredGraph.from_weights(**estimator_fields(network))
    if _has_blocks(network):
        return UnitGraph(network.layers, network.blocks)
    if hasattr(network, "weights"):
        fields: dict[str, Any] = {f: getattr(network, f, ()) for f in ("biases", "activations", "input_names", "output_names")}
        return LayeredGraph.from_weights(network.weights, **fields, loss=known_loss(getattr(network, "loss", None)))
    if isinstance(network, Sequence) and not isinstance(network, (str, bytes)):
        return _sparse_chain(network) if _is_sparse_chain(network) else LayeredGraph.from_weights(network)
    raise TypeError(
        "the network must be a SparseNetwork, a LayeredGraph, a UnitGraph, a sequence of weight matrices (n_out, n_in), "
        f"a networkx.DiGraph, an igraph.Graph, a fitted MLPClassifier or a result that has a network; got {type(network).__name__}"
    )


def _is_sparse_chain(matrices: Sequence[Any]) -> bool:
    """Whether matrices are sparse, and have more numbers than are stored as dense ones."""
    return all(map(sp.issparse, matrices)) and sum(prod(matrix.shape) for matrix in matrices) > MOST_DENSE


def _sparse_chain(matrices: Sequence[Any]) -> UnitGraph:
    """The graph of a chain, given sparse matrices (n_out, n_in)."""
    if any(matrix.ndim != 2 for matrix in matrices):
        raise ValueError(f"weights must be matrices; got shapes {[matrix.shape for matrix in matrices]}")
    check_chain(matrices, "out_in")
    sizes = [matrices[0].shape[1], *(matrix.shape[0] for matrix in matrices)]
    check_units(sizes, "the network")
    kinds = [INPUT, *("neuron",) * (len(matrices) - 1), OUTPUT]
    layers = tuple(map(Layer, layer_names(len(matrices)), kinds, sizes))
    return UnitGraph(layers, tuple(Block(i, i + 1, matrix.T) for i, matrix in enumerate(matrices)))


def chain_of(network: Any, what: str) -> LayeredGraph:
    """The :class:`LayeredGraph` of a network.

    Raises
    ------
    ValueError
        When it is a :class:`UnitGraph`; ``what`` is the call that needs more.

    Examples
    --------
    >>> chain_of([[[1.0, 1.0]]], "lesions").widths
    (2, 1)
    """
    graph = as_graph(network)
    if isinstance(graph, LayeredGraph):
        return graph
    raise ValueError(
        f"{what} must have a LayeredGraph, a chain of layers whose function is known; got a UnitGraph of {len(graph.layers)} layers, which "
        "says how units are wired and not what they compute. For a chain of layers give its weight matrices"
    )


def several_networks(networks: Any) -> list[Any] | None:
    """The items of an iterable of networks; None where ``networks`` is one network, or no network at all.

    A sequence of matrices is one network; a sequence of sequences of matrices are several. An empty sequence is read as a network
    without matrices.

    Raises
    ------
    TypeError
        When some of the items are networks and others are not.

    Examples
    --------
    >>> one = [[[1.0, 1.0]], [[1.0]]]
    >>> several_networks(one) is None, several_networks([one, one]) == [one, one]
    (True, True)
    """
    if (
        _is_graph(networks)
        or is_frame(networks)
        or isinstance(networks, (str, bytes, Mapping))
        or hasattr(networks, "ndim")
        or not isinstance(networks, Iterable)
    ):
        return None
    try:
        items = list(networks)
    except RuntimeError as error:  # of an object that only looks like a sequence
        raise TypeError(f"networks must be a sequence of networks; got {type(networks).__name__}, which cannot be read: {error}") from error
    wrong = [i for i, item in enumerate(items) if not (_is_graph(item) or (isinstance(item, Sequence) and _depth(item) > 2))]
    if not wrong and (items or not isinstance(networks, Sequence)):
        return items
    if len(wrong) < len(items):
        raise TypeError(
            "a list must hold either networks or the matrices (n_out, n_in) of one network; got a network at position "
            f"{next(i for i in range(len(items)) if i not in wrong)} and {type(items[wrong[0]]).__name__} at position {wrong[0]}"
        )
    return None


def _is_graph(value: Any) -> bool:
    known = (LayeredGraph, UnitGraph, nx.Graph, *((sys.modules["igraph"].Graph,) if "igraph" in sys.modules else ()))
    has_weights = hasattr(value, "weights") and not is_frame(value)
    return isinstance(value, known) or has_weights or _has_blocks(value) or _is_result(value) or is_estimator(value)


def _has_blocks(value: Any) -> bool:
    return isinstance(getattr(value, "layers", None), tuple) and isinstance(getattr(value, "blocks", None), tuple)


def _is_result(value: Any) -> bool:
    return hasattr(value, "network") and not hasattr(value, "weights") and not is_frame(value)


def _depth(value: Any) -> int:
    """Nesting depth of arrays: 2 for a matrix, 3 for a sequence of matrices; deeper ones are not counted further."""
    depth = 0
    while depth < DEEPEST and not hasattr(value, "ndim"):
        if not isinstance(value, Sequence) or isinstance(value, (str, bytes)):
            return depth
        depth += 1
        if not len(value):
            return depth
        value = value[0]
    return depth + int(getattr(value, "ndim", 0))
