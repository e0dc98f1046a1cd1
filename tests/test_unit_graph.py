"""Graphs of units: what comes in, what goes out, and what is refused at the door."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import igraph
import networkx as nx
import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from layered import SEEDS, random_graph
from unit_graphs import attention, random_units, residual

from analysis import Layer, LayeredGraph, UnitGraph, detect_modules, importance, lesions, needed_levels, path_products
from analysis.graph import as_graph

XHY = [("x", "input", 2), ("h", "neuron", 1), ("y", "output", 1)]
EDGES = [(0, 1, [[1.0], [2.0]]), (1, 2, [[3.0]]), (0, 2, [[0.0], [-1.0]])]


def assert_same(first: UnitGraph, second: UnitGraph) -> None:
    assert first.layers == second.layers
    key = {(b.source, b.target, b.kind): b.weights.toarray() for b in first.blocks}
    assert {(b.source, b.target, b.kind) for b in second.blocks} == key.keys()
    for block in second.blocks:
        assert (block.weights.toarray() == key[block.source, block.target, block.kind]).all()


def named(graph: UnitGraph) -> UnitGraph:
    """The same graph with the names of its units written out, as conversions give them back."""
    units = [tuple(graph.unit_name(i, k) for k in range(n)) for i, n in enumerate(graph.widths)]
    plain = [tuple(f"{layer.name}.{k}" for k in range(layer.size)) for layer in graph.layers]
    layers = [Layer(x.name, x.kind, x.size, () if u == p else u) for x, u, p in zip(graph.layers, units, plain, strict=True)]
    return UnitGraph(layers, graph.blocks)


# --- Facts --------------------------------------------------------------------------------------------------------------------


def test_facts_of_a_small_graph() -> None:
    graph = UnitGraph(XHY, EDGES)
    assert (graph.widths, graph.edge_count, graph.inputs, graph.outputs, graph.depths) == ((2, 1, 1), 4, (0,), (2,), (0, 1, 2))
    assert graph.density == pytest.approx(4 / 5)
    assert (graph.input_names, graph.output_names, graph.unit_name(1, 0)) == (("x0", "x1"), ("y0",), "h.0")
    assert graph.adjacency().toarray().tolist() == [[0, 0, 1, 0], [0, 0, 2, -1], [0, 0, 0, 3], [0, 0, 0, 0]]
    assert not graph.is_chain
    assert UnitGraph(XHY, EDGES[:2]).is_chain


def test_edges_that_carry_are_not_counted_but_keep_units_alive() -> None:
    layers = [("x", "input", 2), ("r", "residual", 2), ("s", "residual", 2), ("y", "output", 1)]
    graph = UnitGraph(layers, [(0, 1, np.eye(2)), (1, 2, np.eye(2), "carry"), (2, 3, [[1.0], [0.0]])])
    assert (graph.edge_count, graph.density) == (3, 3 / 6)
    assert [part.tolist() for part in graph.alive()] == [[True, False]] * 3 + [[True]]


@settings(max_examples=50, deadline=None)
@given(seed=SEEDS)
def test_alive_units_are_those_on_a_path_from_an_input_to_an_output(seed: int) -> None:
    graph = random_units(np.random.default_rng(seed))
    flat, starts = nx.DiGraph(graph.adjacency()), np.cumsum([0, *graph.widths])
    ends = [set(range(starts[i], starts[i + 1])) for i in (0, len(graph.widths) - 1)]
    after = set().union(*(nx.descendants(flat, unit) | {unit} for unit in ends[0]))
    before = set().union(*(nx.ancestors(flat, unit) | {unit} for unit in ends[1]))
    assert set(np.flatnonzero(np.concatenate(graph.alive())).tolist()) == (after & before) | ends[1]


@settings(max_examples=30, deadline=None)
@given(seed=SEEDS)
def test_a_layered_graph_has_the_same_alive_units_as_a_graph_of_units(seed: int) -> None:
    rng = np.random.default_rng(seed)
    chain = random_graph(rng, rng.integers(1, 7, size=rng.integers(2, 6)))
    graph = UnitGraph(chain.layers, chain.blocks)
    assert graph.is_chain
    assert (graph.widths, graph.edge_count, graph.density) == (chain.widths, chain.edge_count, chain.density)
    assert (graph.input_names, graph.output_names, graph.depths) == (chain.input_names, chain.output_names, chain.depths)
    assert all((a == b).all() for a, b in zip(graph.alive(), chain.alive(), strict=True))


def test_weights_are_copied_and_cannot_be_written_to() -> None:
    matrix = sp.csr_array(np.array([[1.0], [2.0]]))
    graph = UnitGraph(XHY, [(0, 1, matrix), *EDGES[1:]])
    matrix.data[0] = 9
    assert graph.blocks[0].weights[0, 0] == 1
    with pytest.raises(ValueError, match="read-only"):
        graph.blocks[0].weights.data[0] = 9


# --- Conversion ---------------------------------------------------------------------------------------------------------------


@settings(max_examples=30, deadline=None)
@given(seed=SEEDS)
def test_networkx_and_igraph_give_the_graph_back(seed: int) -> None:
    graph = random_units(np.random.default_rng(seed))
    assert_same(UnitGraph.from_networkx(graph.to_networkx()), named(graph))
    if graph.edge_count:
        assert_same(UnitGraph.from_igraph(graph.to_igraph()), named(graph))


@pytest.mark.parametrize("make", [residual, attention])
@pytest.mark.parametrize("kind", ["graphml", "gml", "gexf"])
def test_files_keep_layers_kinds_and_what_is_carried(make: Callable[..., UnitGraph], kind: str, tmp_path: Path) -> None:
    graph, path = make(density=0.7), tmp_path / f"graph.{kind}"
    plain = nx.relabel_nodes(graph.to_networkx(), {(a, b): f"{a}:{b}" for a, n in enumerate(graph.widths) for b in range(n)})
    if kind == "gexf":
        del plain.graph["blocks"]
    getattr(nx, f"write_{kind}")(plain, path)
    found = as_graph(getattr(nx, f"read_{kind}")(path))
    assert isinstance(found, UnitGraph)
    assert_same(found, named(graph))


def test_graphml_is_written_and_read(tmp_path: Path) -> None:
    graph = residual()
    assert_same(as_graph(nx.read_graphml(graph.write_graphml(tmp_path / "graph.graphml"))), named(graph))


def test_a_hierarchy_of_a_graph_of_units_is_written_with_its_modules(tmp_path: Path) -> None:
    found = detect_modules(residual())
    read = nx.read_graphml(found.write_graphml(tmp_path / "found.graphml"))
    assert [facts["module"] for _, facts in read.nodes(data=True)] == np.concatenate(found.labels).tolist()


def test_parallel_edges_of_different_kinds_are_kept() -> None:
    graph = UnitGraph(XHY, [*EDGES, (0, 1, [[5.0], [0.0]], "gate")])
    assert graph.to_networkx().is_multigraph()
    assert_same(UnitGraph.from_networkx(graph.to_networkx()), named(graph))
    assert graph.adjacency()[0, 2] == 6


@settings(max_examples=30, deadline=None)
@given(seed=SEEDS)
def test_an_adjacency_gives_the_edges_back(seed: int) -> None:
    graph = random_units(np.random.default_rng(seed))
    found = UnitGraph.from_adjacency(graph.adjacency(), graph.widths)
    assert (found.adjacency() != graph.adjacency()).nnz == 0
    assert found.inputs == graph.inputs


def test_a_digraph_with_a_skip_edge_is_read_by_generations() -> None:
    graph = as_graph(nx.DiGraph([("a", "h"), ("b", "h"), ("h", "y"), ("a", "y")]))
    assert isinstance(graph, UnitGraph)
    assert (graph.widths, graph.input_names, graph.output_names) == ((2, 1, 1), ("a", "b"), ("y",))
    assert [(b.source, b.target) for b in graph.blocks] == [(0, 1), (0, 2), (1, 2)]
    assert isinstance(as_graph(nx.DiGraph([("a", "h"), ("b", "h"), ("h", "y")])), LayeredGraph)


def test_a_dangling_unit_is_read_as_a_unit_that_is_not_alive() -> None:
    dangling = nx.DiGraph([("a", "h"), ("h", "y"), ("a", "y"), ("a", "lost")])
    with pytest.warns(UserWarning, match="every unit before the last layer must lead to another; got 1 without, 'lost'"):
        graph = as_graph(dangling)
    assert [part.tolist() for part in graph.alive()] == [[True], [True, False], [True]]


def test_an_early_output_says_so_by_its_kind() -> None:
    early = nx.DiGraph([("a", "h"), ("h", "y"), ("a", "z")])
    early.nodes["z"]["kind"] = "output"
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        graph = as_graph(early)
    assert (graph.widths, graph.output_names) == ((1, 1, 2), ("y", "z"))


def test_several_layers_of_inputs_and_outputs() -> None:
    layers = [("image", "input", 2), ("h", "neuron", 1), ("text", "input", 1), ("g", "neuron", 1), ("a", "output", 1), ("b", "output", 1)]
    edges = [(0, 1, np.ones((2, 1))), (1, 3, [[1.0]]), (2, 3, [[1.0]]), (1, 4, [[1.0]]), (3, 5, [[1.0]])]
    graph = UnitGraph(layers, edges)
    assert (graph.input_names, graph.output_names) == (("image.0", "image.1", "text.0"), ("a.0", "b.0"))
    found = detect_modules(graph)
    assert sorted(i for m in found.modules for i in m.inputs) == [0, 1, 2]
    assert sorted(o for m in found.modules for o in m.outputs) == [0, 1]
    assert_same(UnitGraph.from_networkx(graph.to_networkx()), named(graph))


def test_an_igraph_graph_with_a_skip_edge_is_read() -> None:
    assert isinstance(as_graph(igraph.Graph([(0, 1), (1, 2), (0, 2)], directed=True)), UnitGraph)


# --- Errors -------------------------------------------------------------------------------------------------------------------


def with_block(*block: Any) -> Callable[[], UnitGraph]:
    return lambda: UnitGraph(XHY, [*EDGES[:2], block])


@pytest.mark.parametrize(
    ("make", "error", "text"),
    [
        (
            with_block(2, 1, [[1.0]]),
            ValueError,
            r"blocks\[2\], from 'y' to 'h', must run to a later layer; got \(2, 1\)\. List every layer",
        ),
        (with_block(1, 1, [[1.0]]), ValueError, r"must run to a later layer; got \(1, 1\)"),
        (with_block(0, 3, [[1.0]]), ValueError, r"blocks\[2\] must join positions of layers, 0 to 2; got \(0, 3\)"),
        (with_block(0, 2, [[1.0, 2.0]]), ValueError, r"shape \(2, 1\); got \(1, 2\)\. They fit transposed: row = source"),
        (with_block(0, 2, [[1.0]]), ValueError, r"must have weights of shape \(2, 1\); got \(1, 1\)"),
        (with_block(0, 2, [1.0, 2.0]), ValueError, r"weights must be a matrix, a row for each unit of the source; got shape \(2,\)"),
        (with_block(0, 2, [[np.nan], [np.inf]]), ValueError, "weights must be finite; got 2 NaN or infinite values"),
        (with_block(0, 2, [["a"], ["b"]]), TypeError, "must hold real numbers"),
        (with_block(0, 2, [[1.0], [1.0]], "carry"), ValueError, "must carry each unit to one unit at most, and from one; got 2 entries"),
        (with_block(0, 2, [[1.0], [1.0]], ""), ValueError, "must have a kind that is a word"),
        (with_block(0, 1, [[1.0], [1.0]]), ValueError, r"of different kinds; got \(0, 1, 'dense'\) twice\. Add up their weights"),
        (lambda: UnitGraph(XHY, [7]), TypeError, r"blocks\[0\] must be a Block, or a tuple .*; got int"),
        (lambda: UnitGraph([*XHY, "z"], []), TypeError, r"layers\[3\] must be a Layer, or a tuple \(name, kind, size\); got 'z'"),
        (lambda: UnitGraph([("x", "input", 0)], []), ValueError, r"layers\[0\] must have at least one unit; got size 0"),
        (lambda: UnitGraph([("x", "", 1)], []), ValueError, r"layers\[0\] must have a name and a kind that are words"),
        (lambda: UnitGraph([("x", "input", 2, ("a",))], []), ValueError, r"layers\[0\] must have 2 names of units, or none; got 1"),
        (lambda: UnitGraph(XHY[:2], []), ValueError, r"one of kind 'output' at least; got kinds \['input', 'neuron'\]"),
        (lambda: UnitGraph([*XHY, XHY[1]], []), ValueError, "layers must have different names; got 'h' twice"),
        (lambda: UnitGraph([("x", "input", 2, ("a", "a")), *XHY[1:]], []), ValueError, "inputs must have different names; got 'a' twice"),
        (
            lambda: UnitGraph([XHY[0], XHY[2], XHY[1]], [(1, 2, [[1.0]])]),
            ValueError,
            "from 'y' to 'h', must not read outputs; got kinds 'output' and 'neuron'",
        ),
        (lambda: UnitGraph([XHY[1], *XHY[::2]], [(0, 1, np.ones((1, 2)))]), ValueError, "must not write to inputs"),
        (lambda: UnitGraph.from_networkx(nx.DiGraph([(0, 1), (1, 2), (2, 0)])), ValueError, "got one with a cycle"),
        (lambda: UnitGraph.from_networkx(nx.Graph([(0, 1)])), ValueError, "must be a networkx.DiGraph; got Graph"),
        (lambda: UnitGraph.from_networkx(nx.DiGraph()), ValueError, "at least one edge, or nodes of two layers; got none"),
        (
            lambda: UnitGraph.from_networkx(nx.DiGraph([((1, 0), (2, 0)), ((2, 0), (1, 1))])),
            ValueError,
            r"acyclic by its layers: .* got \(2, 0\) \(layer 1\) -> \(1, 1\) \(layer 0\)",
        ),
        (
            lambda: UnitGraph.from_networkx(nx.MultiDiGraph([(0, 1), (0, 1)])),
            ValueError,
            "parallel edges must be of different kinds; got two from 0 to 1",
        ),
        (
            lambda: UnitGraph.from_adjacency(np.ones((2, 2)), [1, 2]),
            ValueError,
            r"must have shape \(3, 3\) for widths \[1, 2\]; got \(2, 2\)",
        ),
        (lambda: UnitGraph.from_adjacency(np.ones((2, 2)), [2]), ValueError, "widths must be two positive integers or more"),
        (lambda: UnitGraph.from_adjacency(np.ones((2, 2)), [1, 1]), ValueError, "must run to a later layer"),
        (lambda: UnitGraph.from_igraph(igraph.Graph([(0, 1)])), ValueError, "must be directed"),
        (lambda: UnitGraph(XHY, EDGES).unit_name(1, 1), IndexError, r"within the widths \(2, 1, 1\); got \(1, 1\)"),
    ],
)
def test_what_is_no_graph_of_units_is_refused(make: Callable[[], Any], error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=text):
        make()


@pytest.mark.parametrize(
    ("call", "what"),
    [
        (lambda g: lesions(detect_modules(g), np.ones((2, 2))), "lesions"),
        (lambda g: importance(g, np.ones((2, 2))), "importance"),
        (lambda g: needed_levels(g, np.ones((2, 2))), "needed_levels"),
        (path_products, "path products"),
        (lambda g: detect_modules(g).draw(image=(1, 2)), "image"),
    ],
)
def test_what_needs_the_function_of_a_network_says_so(call: Callable[[UnitGraph], Any], what: str) -> None:
    with pytest.raises(
        ValueError, match=f"{what} must have a LayeredGraph, a chain of layers whose function is known; got a UnitGraph of 3"
    ):
        call(UnitGraph(XHY, EDGES))


def test_layers_of_a_chain_have_the_names_of_its_units() -> None:
    chain = LayeredGraph.from_weights([[[1.0, 1.0]], [[1.0]]], input_names=("a", "b"))
    assert [(layer.name, layer.kind, layer.size) for layer in chain.layers] == [
        ("inputs", "input", 2),
        ("hidden 1", "neuron", 1),
        ("outputs", "output", 1),
    ]
    assert [(b.source, b.target) for b in chain.blocks] == list(pairwise(range(3)))
    assert chain.layers[0].units == ("a", "b")
