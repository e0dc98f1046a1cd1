"""The layered graph: what comes in, what goes out, and what is refused at the door."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import igraph
import networkx as nx
import numpy as np
import pytest
import scipy.sparse as sp
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.neural_network import MLPClassifier, MLPRegressor

from analysis import LayeredGraph, detect_modules
from analysis.graph import ACTIVATIONS, as_graph
from sculpting import SparseNetwork

WEIGHTS = [np.array([[1.0, -2.0, 0.0], [0.0, 0.0, 3.0]]), np.array([[0.5, 0.0], [0.0, -1.0], [2.0, 0.0]])]


def sparse_graph(seed: int) -> LayeredGraph:
    rng = np.random.default_rng(seed)
    widths = [3, 4, 5, 2]
    weights = [rng.normal(size=(b, a)) * (rng.random((b, a)) < 0.5) for a, b in pairwise(widths)]
    return LayeredGraph.from_weights(weights, biases=tuple(rng.normal(size=b) for b in widths[1:]))


def same(a: LayeredGraph, b: LayeredGraph) -> bool:
    arrays = zip((*a.weights, *a.biases), (*b.weights, *b.biases), strict=True)
    return all(np.array_equal(x, y) for x, y in arrays) and (a.activations, a.input_names, a.output_names) == (
        b.activations,
        b.input_names,
        b.output_names,
    )


def test_matrices_are_transposed_once() -> None:
    graph = as_graph(WEIGHTS)
    assert graph.widths == (3, 2, 3)
    np.testing.assert_array_equal(graph.weights[0], WEIGHTS[0].T)
    assert graph.edge_count == 6
    assert graph.density == 6 / 12
    assert (graph.unit_name(0, 1), graph.unit_name(1, 0), graph.unit_name(2, 2)) == ("x1", "h1.0", "y2")


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000))
def test_round_trips_through_networkx_and_igraph_are_exact(seed: int) -> None:
    graph = sparse_graph(seed)
    assert same(as_graph(graph.to_networkx()), graph)
    assert same(as_graph(graph.to_igraph()), graph)


def test_every_way_in_gives_the_same_modules() -> None:
    weights = [np.array([[1.0, 1, 0, 0], [0, 0, 1, 1]]), np.eye(2)]
    adjacency = np.zeros((8, 8))
    adjacency[:4, 4:6], adjacency[4:6, 6:] = weights[0].T, weights[1].T
    plain = nx.DiGraph([("a", "h"), ("b", "h"), ("c", "k"), ("d", "k"), ("h", "y"), ("k", "z")])
    ways: list[Any] = [
        weights,
        tuple(sp.csr_array(w) for w in weights),
        LayeredGraph.from_weights(weights),
        LayeredGraph.from_adjacency(adjacency, [4, 2, 2]),
        LayeredGraph.from_adjacency(sp.csr_matrix(adjacency), [4, 2, 2]),
        as_graph(weights).to_networkx(),
        as_graph(weights).to_igraph(),
        plain,
    ]
    for way in ways:
        assert [labels.tolist() for labels in detect_modules(way).labels] == [[0, 0, 1, 1], [0, 1], [0, 1]]


def test_a_plain_directed_graph_keeps_its_names() -> None:
    graph = as_graph(nx.DiGraph([("left", "h"), ("right", "h"), ("h", "out")]))
    assert (graph.input_names, graph.output_names) == (("left", "right"), ("out",))


def test_a_unit_that_leads_nowhere_is_removed_with_a_note() -> None:
    edges = [("a", "h"), ("b", "h"), ("b", "k"), ("h", "y")]
    with pytest.warns(UserWarning, match=r"must lead to another; got 1 without, 'k' the first, read as removed units\. If one"):
        found = detect_modules(nx.DiGraph(edges))
    assert found.graph.widths == (2, 2, 1)
    assert [labels.tolist() for labels in found.labels] == [[0, 0], [0, -1], [0]]
    layers = nx.DiGraph(edges)
    nx.set_node_attributes(layers, {"a": 0, "b": 0, "h": 1, "k": 1, "y": 2}, "layer")
    assert same(as_graph(layers), found.graph)
    alone = nx.DiGraph(edges[:2] + edges[3:])
    alone.add_node("c")
    with pytest.warns(UserWarning, match="'c' the first"):
        assert [part.tolist() for part in as_graph(alone).alive()] == [[True, True, False], [True], [True]]


def test_zeros_are_no_edges_wherever_they_stand() -> None:
    places = np.array([0, 0, 1, 2, 2]), np.array([1, 2, 2, 0, 0])
    adjacency = sp.coo_array((np.array([3.0, 0.0, 2.0, 1.0, -1.0]), places), shape=(3, 3))
    graph = LayeredGraph.from_adjacency(adjacency, [1, 1, 1])
    assert [w.tolist() for w in graph.weights] == [[[3.0]], [[2.0]]]
    plain = nx.DiGraph()
    plain.add_weighted_edges_from([((0, 0), (1, 0), 3.0), ((0, 0), (2, 0), 0.0), ((1, 0), (2, 0), 2.0)])
    assert same(as_graph(plain), graph)


def test_nodes_of_other_tuples_keep_their_order_and_names() -> None:
    edges = [((2, "b"), ("h", 0)), (("a", 1), ("h", 0)), (("h", 0), (None, 1, 2))]
    graph = as_graph(nx.DiGraph(edges))
    assert graph.input_names == ("(2, 'b')", "('a', 1)")
    assert graph.output_names == ("(None, 1, 2)",)
    mixed = as_graph(nx.DiGraph([("a", "h"), (("b", 1), "h"), ("h", "y")]))
    assert mixed.input_names == ("a", "('b', 1)")


def test_nodes_are_numbered_from_the_first_layer_that_there_is() -> None:
    shifted = as_graph(nx.DiGraph([((1, 0), (2, 0)), ((1, 1), (2, 0)), ((2, 0), (3, 0))]))
    assert shifted.widths == (2, 1, 1)
    assert shifted.input_names == ("x0", "x1")


def test_a_network_without_edges_comes_back_from_networkx() -> None:
    nothing = as_graph([np.zeros((2, 3)), np.zeros((1, 2))])
    assert same(as_graph(nothing.to_networkx()), nothing)


def test_matrices_that_are_trained_are_read_as_they_are() -> None:
    weights = [torch.nn.Parameter(torch.tensor(w)) for w in WEIGHTS]
    assert same(as_graph(weights), as_graph(WEIGHTS))


def test_the_orientation_is_said_and_kept() -> None:
    graph = LayeredGraph.from_weights([w.T for w in WEIGHTS], orientation="in_out", loss="ce")
    assert same(graph, as_graph(WEIGHTS))
    assert same(replace(graph, loss="bce"), graph)


ROWS = np.random.default_rng(0).normal(size=(60, 3))


@pytest.mark.parametrize(
    ("model", "y", "loss", "names"),
    [
        pytest.param(MLPClassifier((5, 4), activation="tanh", max_iter=3), ROWS[:, 0] > 0, "bce", ("True",), id="two classes"),
        pytest.param(MLPClassifier((5, 5), activation="logistic", max_iter=3), ROWS.argmax(axis=1), "ce", ("0", "1", "2"), id="classes"),
        pytest.param(MLPClassifier((3,), max_iter=3), (ROWS > 0).astype(int), "bce", ("0", "1", "2"), id="bits"),
        pytest.param(
            MLPRegressor(hidden_layer_sizes=(3, 3), activation="identity", max_iter=3), ROWS[:, :2], "mse", ("y0", "y1"), id="numbers"
        ),
    ],
)
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_a_fitted_perceptron_of_scikit_learn_is_read(model: Any, y: np.ndarray, loss: str, names: tuple[str, ...]) -> None:
    model.fit(ROWS, y)
    graph = as_graph(model)
    assert (graph.loss, graph.output_names, graph.widths[0]) == (loss, names, 3)
    outputs, expected = graph.evaluate(ROWS), model.predict(ROWS)
    if loss == "mse":
        np.testing.assert_allclose(outputs, expected)
    elif loss == "ce":
        np.testing.assert_array_equal(outputs.argmax(axis=1), expected)
    else:
        np.testing.assert_array_equal(graph.decisions(outputs), np.reshape(expected, (60, -1)))
    assert len(detect_modules([model, model])) == 2


def test_a_perceptron_that_is_not_fitted_is_refused() -> None:
    with pytest.raises(TypeError, match=r"a fitted MLPClassifier or a result .*; got MLPClassifier"):
        as_graph(MLPClassifier())


def test_what_becomes_of_the_callers_arrays_changes_no_graph() -> None:
    weights, biases = [np.array(w) for w in WEIGHTS], (np.array([1.0, 2.0]), np.array([3.0, 4.0, 5.0]))
    graphs = (
        LayeredGraph.from_weights(weights, biases=biases),
        LayeredGraph.from_weights(tuple(w.T for w in weights), orientation="in_out", biases=biases),
    )
    before = [[part.copy() for part in (*graph.weights, *graph.biases)] for graph in graphs]
    for part in (*weights, *biases):
        part += 7
    for graph, known in zip(graphs, before, strict=True):
        for part, as_it_was in zip((*graph.weights, *graph.biases), known, strict=True):
            np.testing.assert_array_equal(part, as_it_was)
            with pytest.raises(ValueError, match="read-only"):
                part[0] = 1


def test_entries_of_one_place_are_added_up_as_floats() -> None:
    places = np.array([0, 0]), np.array([1, 1])
    adjacency = sp.coo_array((np.array([100, 100], dtype=np.int8), places), shape=(2, 2))
    assert LayeredGraph.from_adjacency(adjacency, [1, 1]).weights[0].tolist() == [[200.0]]


def _with_layers(*layers: Any) -> nx.DiGraph:
    """Units in a chain."""
    graph = nx.path_graph(len(layers), nx.DiGraph)
    nx.set_node_attributes(graph, dict(enumerate(layers)), "layer")
    return graph


def test_layers_may_be_given_as_any_whole_numbers() -> None:
    assert as_graph(_with_layers(2.0, "3")).widths == (1, 1)


def test_decisions_by_hand() -> None:
    outputs = np.array([[-1.0, 0.2, 0.7], [2.0, 2.0, -3.0]])
    for loss, decided in (
        ("bce", [[0, 1, 1], [1, 1, 0]]),
        ("mse", [[0, 0, 1], [1, 1, 0]]),
        ("ce", [[0, 0, 1], [1, 0, 0]]),
    ):
        graph = LayeredGraph.from_weights(WEIGHTS, loss=loss)
        assert graph.decisions(outputs).astype(int).tolist() == decided
        assert as_graph(graph.to_networkx()).loss == as_graph(graph.to_igraph()).loss == loss
    assert as_graph(nx.DiGraph([("a", "y")], loss=0.03)).loss == "bce"  # another's figure
    probabilities = LayeredGraph.from_weights(WEIGHTS, activations=("relu", "sigmoid"))
    assert probabilities.decisions(outputs).astype(int).tolist() == [[0, 0, 1], [1, 1, 0]]


def test_alive_units_by_hand() -> None:
    first = np.array([[1, 0, 0], [0, 0, 0], [0, 1, 0]])  # h0 reads x0, h1 reads nothing, h2 reads x1; x2 leads nowhere
    second = np.array([[1, 1, 0], [0, 0, 0]])  # y0 reads h0 and h1; nothing reads h2; y1 reads nothing
    alive = as_graph([first, second]).alive()
    assert [a.tolist() for a in alive] == [[True, False, False], [True, False, False], [True, True]]


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_evaluation_by_hand(name: str) -> None:
    graph = LayeredGraph.from_weights([[[2.0]], [[3.0]]], biases=(np.array([-1.0]), np.array([0.5])), activations=(name, "identity"))
    x = np.array([[-1.0], [0.0], [2.0]])
    np.testing.assert_allclose(graph.evaluate(x), 3 * ACTIVATIONS[name](2 * x - 1) + 0.5)


@pytest.mark.parametrize("hidden_layers", [0, 1, 2, 4])
@pytest.mark.parametrize("name", ACTIVATIONS)
def test_a_network_is_replayed_from_its_file(name: str, hidden_layers: int, tmp_path: Path) -> None:
    rng = np.random.default_rng(hidden_layers)
    widths = [5, *[7] * hidden_layers, 3]
    weights = tuple(rng.normal(scale=0.7, size=(b, a)) * (rng.random((b, a)) < 0.5) for a, b in pairwise(widths))
    network = SparseNetwork(weights, tuple(rng.normal(size=b) for b in widths[1:]), (*[name] * hidden_layers, "identity"))
    x = np.vstack([rng.normal(size=(40, 5)), rng.integers(0, 2, size=(20, 5))]).astype(np.float32)
    expected = network.model()(torch.from_numpy(x)).detach().numpy()
    loaded = SparseNetwork.load(network.save(tmp_path / "network.safetensors"))
    for graph in (as_graph(network), as_graph(loaded), as_graph(as_graph(loaded).to_networkx())):
        np.testing.assert_allclose(graph.evaluate(x), expected, rtol=0, atol=1e-5)


def test_unit_values_are_those_of_every_layer() -> None:
    graph = as_graph(WEIGHTS)
    first, hidden, last = graph.unit_values([[3.0, 1.0, 2.0]])
    assert first.tolist() == [[3.0, 1.0, 2.0]]
    assert hidden.tolist() == [[1.0, 6.0]]
    assert last.tolist() == graph.evaluate([[3.0, 1.0, 2.0]]).tolist() == [[0.5, -6.0, 2.0]]


@pytest.mark.parametrize(
    ("make", "error", "text"),
    [
        (
            lambda: as_graph([np.ones((24, 4)), np.ones((4, 23))]),
            ValueError,
            r"weights\[1\] must have 24 columns to follow weights\[0\] of shape \(24, 4\); got shape \(4, 23\)",
        ),
        (
            lambda: as_graph([np.ones((4, 24)), np.ones((24, 2))]),
            ValueError,
            r"must have 4 columns .*; got shape \(24, 2\)\. They fit transposed: give .*from_weights\(weights, orientation='in_out'\)",
        ),
        (
            lambda: LayeredGraph.from_weights([np.ones((24, 4)), np.ones((2, 24))], orientation="in_out"),
            ValueError,
            r"must have 4 rows to follow .*\. They fit transposed: .*orientation='out_in'",
        ),
        (lambda: LayeredGraph.from_weights(WEIGHTS, orientation="row"), ValueError, r"one of \['out_in', 'in_out'\]; got 'row'"),
        (
            lambda: LayeredGraph(tuple(WEIGHTS)),
            TypeError,
            r"orientation='in_out' \(row = source\); got None\. Use LayeredGraph\.from_weights\(weights\) for matrices \(n_out, n_in\)",
        ),
        (lambda: as_graph([]), ValueError, "at least one matrix; got none"),
        (lambda: as_graph([np.ones(3)]), ValueError, r"weights\[0\] must be a matrix .*; got shape \(3,\)"),
        (lambda: as_graph([[["a"]]]), TypeError, r"weights\[0\] must hold real numbers; got list"),
        (lambda: as_graph([np.full((2, 2), np.inf)]), ValueError, r"weights\[0\] must be finite; got 4 NaN or infinite values"),
        (lambda: as_graph([np.ones((1, 2), dtype=complex)]), TypeError, r"weights\[0\] must hold real numbers; got ndarray: complex"),
        (lambda: as_graph([sp.csr_array(np.ones((1, 2)) * 1j)]), TypeError, r"weights\[0\] must hold real numbers; got csr_array: complex"),
        (lambda: as_graph([[[1 + 0j]]]), TypeError, r"weights\[0\] must hold real numbers; got list"),
        (lambda: LayeredGraph.from_weights(WEIGHTS, biases=([1j, 0], [0] * 3)), TypeError, r"biases\[0\] must hold real numbers"),
        (
            lambda: as_graph([np.ma.masked_equal([[1.0, 2.0]], 2.0)]),
            ValueError,
            r"weights\[0\] must have a number everywhere; got 1 masked entries",
        ),
        (
            lambda: LayeredGraph.from_adjacency(np.ma.masked_equal([[0, 1.0], [0, 2.0]], 2.0), [1, 1]),
            ValueError,
            "adjacency must have a number everywhere; got 1 masked",
        ),
        (lambda: LayeredGraph.from_adjacency(sp.coo_array([[0, 1j], [0, 0]]), [1, 1]), TypeError, "adjacency must hold real numbers"),
        (lambda: as_graph(WEIGHTS).unit_name(3, 0), IndexError, r"within the widths \(3, 2, 3\); got \(3, 0\)"),
        (lambda: as_graph(WEIGHTS).unit_name(1, 2), IndexError, r"within the widths \(3, 2, 3\); got \(1, 2\)"),
        (lambda: as_graph(WEIGHTS).unit_name(0, -1), IndexError, r"within the widths \(3, 2, 3\); got \(0, -1\)"),
        (
            lambda: LayeredGraph.from_adjacency(np.zeros((3, 3)), [1, 1.5, 0.5]),
            ValueError,
            r"widths must be positive .* got \[1, 1.5, 0.5\]",
        ),
        (lambda: LayeredGraph.from_adjacency(np.zeros((3, 3)), [4, -1]), ValueError, r"widths must be positive integers.* got \[4, -1\]"),
        (lambda: as_graph(_with_layers(0, 0.5)), ValueError, "the `layer` of every node must be a whole number, inputs 0; got 0.5"),
        (lambda: as_graph(_with_layers(None, 1)), ValueError, "the `layer` of every node must be a whole number, inputs 0; got None"),
        (lambda: as_graph(7), TypeError, "the network must be a SparseNetwork, .*; got int"),
        (lambda: as_graph("weights"), TypeError, "got str"),
        (lambda: as_graph(nx.Graph([(0, 1)])), ValueError, "must be a networkx.DiGraph"),
        (lambda: as_graph(nx.DiGraph()), ValueError, "at least one edge, or nodes of two layers; got none"),
        (lambda: as_graph(nx.empty_graph(3, nx.DiGraph)), ValueError, "at least one edge, or nodes of two layers; got none"),
        (lambda: as_graph(nx.DiGraph([(0, 1), (1, 2), (2, 0)])), ValueError, "must be layered; got one with a cycle"),
        (
            lambda: LayeredGraph.from_networkx(nx.DiGraph([(0, 1), (1, 2), (0, 2)])),
            ValueError,
            r"every edge runs from one layer to the next; got 0 \(layer 0\) -> 2 \(layer 2\)\. UnitGraph\.from_networkx reads",
        ),
        (lambda: as_graph(nx.DiGraph([((0, 0), (1, 0)), ((1, 0), (0, 1))])), ValueError, "must be layered: every edge runs"),
        (lambda: as_graph(igraph.Graph([(0, 1)])), ValueError, "must be directed"),
        (
            lambda: LayeredGraph.from_adjacency(np.ones((3, 3)), [2, 1]),
            ValueError,
            r"must be layered: .*; got 0 \(layer 0\) -> 0 \(layer 0\)",
        ),
        (
            lambda: LayeredGraph.from_adjacency(np.ones((3, 4)), [2, 1]),
            ValueError,
            r"must have shape \(3, 3\) for widths \[2, 1\]; got \(3, 4\)",
        ),
        (lambda: LayeredGraph.from_weights(WEIGHTS, activations=("relu", "cos")), ValueError, "activations must be 2 of"),
        (
            lambda: LayeredGraph.from_weights(WEIGHTS, biases=(np.ones(2),)),
            ValueError,
            r"biases must be arrays of shapes \[\(2,\), \(3,\)\], one for each weight layer; got shapes \[\(2,\)\]",
        ),
        (lambda: LayeredGraph.from_weights(WEIGHTS, biases=([0, np.nan], [0, 0, np.inf])), ValueError, "biases must be finite; got 2 NaN"),
        (lambda: LayeredGraph.from_weights(WEIGHTS, loss="hinge"), ValueError, r"loss must be one of \['bce', 'ce', 'mse'\]; got 'hinge'"),
        (
            lambda: LayeredGraph.from_weights(WEIGHTS, input_names=("a", "a", "b")),
            ValueError,
            "input_names must be 3 different names; got 3, 2 of them different",
        ),
        (lambda: as_graph(WEIGHTS).evaluate(np.ones((2, 4))), ValueError, r"x must have shape \(rows, 3\); got \(2, 4\)"),
        (lambda: as_graph(WEIGHTS).evaluate([[0, np.nan, 1]]), ValueError, "x must be finite; got 1 NaN or infinite values"),
    ],
)
def test_what_is_no_layered_graph_is_refused(make: Any, error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=text):
        make()
