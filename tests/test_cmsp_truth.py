"""The ground truth of compositional multitask sparse parity, by hand and against networks made by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from parities import TWO_TRIPLES, parity

from analysis import LayeredGraph, compare, detect_modules, function_map
from sculpting import tasks


def modules(task: tasks.Task, hidden_layers: int) -> tuple[list[tuple[str, str]], set[tuple[int, int]]]:
    truth = task.truth(hidden_layers)
    names = [
        (" ".join(task.input_names[i] for i in facts["inputs"]), " ".join(task.output_names[i] for i in facts["outputs"]))
        for _, facts in truth.nodes(data=True)
    ]
    return names, set(truth.edges)


GATED = [("c0 b0_0 b0_1", ""), ("c1 b1_0 b1_1", ""), ("", "parity")]


@pytest.mark.parametrize(
    ("case", "hidden_layers", "expected", "edges"),
    [
        ({"m": 2, "k": 2}, 2, GATED, {(0, 2), (1, 2)}),
        ({"m": 2, "k": 2, "n": 7}, 5, GATED, {(0, 2), (1, 2)}),
        ({"m": 2, "k": 2}, 1, [("c0 c1 b0_0 b0_1 b1_0 b1_1", "parity")], set()),
        ({"m": 2, "k": 2, "codes": [[0], [1]]}, 1, GATED, {(0, 2), (1, 2)}),
        ({"m": 1, "k": 2, "n": 3}, 2, [("b0_0 b0_1", "parity")], set()),
        ({"m": 2, "k": 1, "codes": [[0, 1]]}, 3, [("b0_0 b1_0", "parity")], set()),
        ({"m": 2, "k": 1, "codes": [[0], [1, 0]]}, 2, [("b0_0", ""), ("c1 b1_0", ""), ("", "parity")], {(0, 2), (1, 2)}),
        ({"m": 4, "k": 1, "codes": [[1, 0], [2]]}, 2, [("c0 c1 b0_0 b1_0", ""), ("c2 b2_0", ""), ("", "parity")], {(0, 2), (1, 2)}),
        (
            {"m": 6, "k": 1, "codes": TWO_TRIPLES},
            1,
            [("c0 c1 c2 b0_0 b1_0 b2_0", ""), ("c3 c4 c5 b3_0 b4_0 b5_0", ""), ("", "parity")],
            {(0, 2), (1, 2)},
        ),
        (
            {"m": 6, "k": 1, "codes": TWO_TRIPLES},
            2,
            [*((f"c{i} b{i}_0", "") for i in range(6)), ("", "parity")],
            {(i, 6) for i in range(6)},
        ),
    ],
)
def test_truth_of_one_output(
    case: dict[str, Any], hidden_layers: int, expected: list[tuple[str, str]], edges: set[tuple[int, int]]
) -> None:
    assert modules(tasks.cmsp(**case), hidden_layers) == (expected, edges)


@pytest.mark.parametrize("hidden_layers", [1, 2, 4])
@pytest.mark.parametrize(
    ("case", "expected", "edges"),
    [
        (
            {"m": 2, "k": 2, "n": 5},
            [("b0_0 b0_1", ""), ("b1_0 b1_1", ""), ("", "0"), ("", "1"), ("", "0+1")],
            {(0, 2), (1, 3), (0, 4), (1, 4)},
        ),
        ({"m": 2, "k": 2, "codes": [[1], [0]]}, [("b0_0 b0_1", "0"), ("b1_0 b1_1", "1")], set()),
        ({"m": 2, "k": 1, "codes": [[0, 1], [1]]}, [("b0_0", ""), ("b1_0", ""), ("", "0+1"), ("", "1")], {(0, 2), (1, 2), (1, 3)}),
        ({"m": 3, "k": 1, "codes": [[0, 1], [2]]}, [("b0_0 b1_0", "0+1"), ("b2_0", "2")], set()),
    ],
)
def test_truth_of_an_output_for_each_code(
    case: dict[str, Any], hidden_layers: int, expected: list[tuple[str, str]], edges: set[tuple[int, int]]
) -> None:
    assert modules(tasks.cmsp(**case, outputs="each"), hidden_layers) == (expected, edges)


def test_truth_says_what_each_module_computes() -> None:
    functions = [facts["function"] for _, facts in tasks.cmsp(2, 1).truth(1).nodes(data=True)]
    assert functions == ["parity = (c0 & (b0_0)) ^ (c1 & (b1_0))"]
    truth = tasks.cmsp(2, 2, codes=[[0], [0, 1]]).truth(2)
    assert [facts["function"] for _, facts in truth.nodes(data=True)] == [
        "p0 = b0_0 ^ b0_1",
        "p1 = c1 & (b1_0 ^ b1_1)",
        "parity = p0 ^ p1",
    ]
    assert [facts["name"] for _, facts in truth.nodes(data=True)] == ["T0", "T1", "T2"]


def test_truth_carries_the_table_only_where_it_is_complete() -> None:
    task = tasks.cmsp(2, 2, n=5, outputs="each")
    graph = task.truth(2).graph
    assert graph["x"].tolist() == task.x.tolist()
    assert graph["y"].tolist() == task.y.tolist()
    for name, code in (("p0", (0,)), ("p1", (1,)), ("0", (0,)), ("0+1", (0, 1))):
        assert graph["gates"][name].tolist() == [parity(row, code, 2) for row in graph["x"].tolist()]
    assert graph["users"] == {"p0": (0, 2), "p1": (1, 2), "0": (0,), "1": (1,), "0+1": (2,)}
    assert tasks.cmsp(2, 2).truth(2).graph == {}
    assert tasks.cmsp(2, 2, n=21, outputs="each").truth(2).graph == {}
    assert "x" in tasks.cmsp(2, 2, outputs="each", rows=20).truth(2).graph


def test_truth_needs_a_hidden_layer() -> None:
    for outputs in ("one", "each"):
        with pytest.raises(ValueError, match="hidden_layers must be a whole number of at least 1; got 0"):
            tasks.cmsp(2, 2, outputs=outputs).truth(0)


def ideal(m: int, k: int, each: bool) -> LayeredGraph:
    """Two hidden layers by hand: gated parities as alternating sums of thresholds, then the parity of their sum.

    A unit ``relu(bits - j - k (1 - control))`` is silent where the control bit is off; 1, -2, 2, -2, ... of them for j = 0, 1, ...
    give the parity. With an output for each code there are no control bits, and layer 2 carries each parity up.
    """
    alternating = np.array([1.0] + [2.0 * (-1) ** j for j in range(1, max(m, k))])
    controls = np.kron(np.eye(m), np.full((k, 1), float(k)))
    first, shift = np.kron(np.eye(m), np.ones((k, k))), -np.tile(np.arange(k), m).astype(float)
    parities = np.kron(np.eye(m), alternating[:k])
    total = np.tile(parities.sum(axis=0), (m, 1))
    if not each:
        layers = [np.hstack([controls, first]), total, alternating[None, :m]]
        return LayeredGraph.from_weights(layers, biases=[shift - k, -np.arange(m), [-0.5]])
    top = np.zeros((m + 1, 2 * m))
    top[:m, :m], top[m, m:] = np.eye(m), alternating[:m]
    layers, biases = [first, np.vstack([parities, total]), top], [shift, [*np.zeros(m), *-np.arange(m)], np.full(m + 1, -0.5)]
    return LayeredGraph.from_weights(layers, biases=biases)


@pytest.mark.parametrize("each", [False, True])
@pytest.mark.parametrize(("m", "k"), [(2, 2), (3, 2), (2, 3), (3, 3), (4, 2)])
def test_a_network_made_by_hand_shows_the_truth(m: int, k: int, each: bool) -> None:
    task, graph = tasks.cmsp(m, k, outputs="each" if each else "one"), ideal(m, k, each)
    assert ((graph.evaluate(task.x.numpy()) > 0) == task.y.numpy()).all()
    comparison = compare(detect_modules(graph), task.truth(hidden_layers=2))
    assert comparison.exact
    assert comparison.connected
    assert comparison.valid is (True if each else None)


def test_gates_are_mapped_where_the_table_is_complete_and_refused_where_not() -> None:
    found = function_map(detect_modules(ideal(2, 2, each=True)), tasks.cmsp(2, 2, outputs="each").truth(2))
    assert found.accuracy == 1
    assert set(found.gates) == {"p0", "p1", "0+1"}
    with pytest.raises(ValueError, match=r"must carry x, y, gates and users .* got none for \['x', 'y', 'gates', 'users'\]"):
        function_map(detect_modules(ideal(2, 2, each=False)), tasks.cmsp(2, 2).truth(2))
