"""Found against truth on hierarchies built by hand, and that names and positions do not matter."""

from __future__ import annotations

from typing import Any

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis import Hierarchy, LayeredGraph, compare, detect_modules
from analysis.hierarchy import module_graph
from sculpting import tasks

BOTH = [  # three ANDs, each read by two of three ORs
    np.array([[1, 1, 0, 0, 0, 0], [0, 0, 1, 1, 0, 0], [0, 0, 0, 0, 1, 1]], dtype=float),
    np.array([[1, 1, 0], [1, 0, 1], [0, 1, 1]], dtype=float),
]


def truth_of(*modules: tuple[tuple[int, ...], tuple[int, ...]], edges: Any = ()) -> nx.DiGraph:
    truth = nx.DiGraph()
    for i, (inputs, outputs) in enumerate(modules):
        truth.add_node(f"T{i}", inputs=inputs, outputs=outputs)
    truth.add_edges_from((f"T{a}", f"T{b}") for a, b in edges)
    return truth


def test_the_ideal_network_of_a_task_is_exact() -> None:
    comparison = compare(detect_modules(BOTH), tasks.boolean("both").truth(hidden_layers=1))
    assert comparison.exact
    assert comparison.connected
    assert len(comparison.matched) == 6
    assert (comparison.missing, comparison.extra) == ((), ())
    assert comparison.inputs.exact
    assert comparison.inputs.rand_index == 1.0
    text = str(comparison)
    assert text.startswith("verdict: exact, score 1.00. Every module of the truth was found and no other, connected as in the truth\n")
    assert "\nexact: yes (6 of 6 modules match, connected as in the truth)\n" in text
    assert "inputs grouped: exactly (adjusted Rand index 1.00)" in text
    assert "{x0, x1}: p = x0 & x1" in text


def test_what_is_missing_and_what_is_extra_is_named() -> None:
    merged = [BOTH[0].copy(), BOTH[1].copy()]
    merged[0][1, 5] = 1.0  # the second AND reads x5 too
    comparison = compare(detect_modules(merged), tasks.boolean("both").truth(hidden_layers=1))
    assert not comparison.exact
    assert not comparison.connected
    assert comparison.extra
    assert comparison.missing
    assert not comparison.inputs.exact
    assert comparison.inputs.rand_index < 1
    assert comparison.outputs.exact
    assert len(comparison.matched) + len(comparison.missing) == 6
    assert "missing: T" in str(comparison)
    assert "exact: no" in str(comparison)


def test_one_module_too_many_or_too_few_is_not_exact() -> None:
    found = detect_modules(BOTH)
    boundaries = [(m.inputs, m.outputs) for m in found.modules]
    fewer = compare(found, truth_of(*boundaries[:-1]))
    assert (fewer.exact, fewer.missing, fewer.extra) == (False, (), (5,))
    more = compare(found, truth_of(*boundaries, ((), ())))
    assert (more.exact, more.missing, more.extra) == (False, ("T6",), ())


def test_right_modules_that_read_the_wrong_ones_are_exact_but_not_connected() -> None:
    found = detect_modules(BOTH)
    boundaries = [(m.inputs, m.outputs) for m in found.modules]
    edges = [(0, 3), (1, 3), (0, 4), (2, 4), (0, 5), (2, 5)]
    comparison = compare(found, truth_of(*boundaries, edges=edges))
    assert comparison.exact
    assert not comparison.connected
    assert "connected in another way" in str(comparison)


def test_without_a_truth_table_validity_is_not_known() -> None:
    found = detect_modules(BOTH)
    comparison = compare(found, truth_of(*[(m.inputs, m.outputs) for m in found.modules]))
    assert (comparison.exact, comparison.valid, comparison.reasons, comparison.boundaries) == (True, None, (), ())
    assert "valid" not in str(comparison)


def test_what_is_exact_and_connected_is_valid_and_shows_what_passes() -> None:
    comparison = compare(detect_modules(BOTH), tasks.boolean("both").truth(hidden_layers=1))
    assert comparison.valid is True
    assert comparison.reasons == ()
    assert [(b.module, b.inputs, b.classes, b.units) for b in comparison.boundaries] == [
        (0, (0, 1), 2, 1),
        (1, (2, 3), 2, 1),
        (2, (4, 5), 2, 1),
    ]
    text = str(comparison)
    assert "valid" not in text
    assert "M1 must tell apart 2 of the 4 cases of {x2, x3}; 1 unit leaves it" in text


def test_another_valid_decomposition_is_distinguished_from_a_wrong_one() -> None:
    truth = tasks.boolean([4, 1, 2, 2]).truth(hidden_layers=2)
    graph = LayeredGraph.from_weights([np.ones((3, 4)), [[1, 1, 0], [1, 0, 1]]])

    def split(*inputs: int) -> str:
        labels = (np.array(inputs), np.full(3, 2), np.array([3, 4]))
        comparison = compare(Hierarchy(graph, labels, labels), truth)
        assert not comparison.exact
        assert comparison.valid == (not comparison.reasons)
        return str(comparison)

    assert "\nanother valid decomposition: every module passes on what it must and no more\n" in split(0, 1, 1, 0)
    assert "M0 must tell apart 3 of the 4 cases of {x0, x3}; its inputs leave it as they are" in split(0, 1, 1, 0)
    assert "M2 must tell apart 4 of the 16 cases of {x0, x1, x2, x3}; 3 units leave it" in split(0, 1, 1, 0)
    assert (
        "\nits boundaries are not those of a valid decomposition: {x0, x1} passes 4 classes of 4; {x2, x3} passes 4 classes of 4\n"
        in split(0, 0, 1, 1)
    )


def test_right_modules_that_cannot_compute_the_function_are_exact_but_not_valid() -> None:
    weights = [BOTH[0], np.array([[1, 0, 1], [1, 1, 0], [0, 1, 1]], dtype=float)]  # y0 and y1 read each other's ANDs
    comparison = compare(detect_modules(weights), tasks.boolean("both").truth(hidden_layers=1))
    assert comparison.exact
    assert not comparison.connected
    assert comparison.valid is False
    assert "{x2, x3} does not reach {y0}, which depends on it" in comparison.reasons


def test_where_some_inputs_are_enough_those_that_are_not_read_do_not_count() -> None:
    """x1 is not read; where all are asked for its module is missing."""
    truth = truth_of(((0, 1), (0,)), ((2, 3), (1,)))
    graph = LayeredGraph.from_weights([[[1, 0, 0, 0], [0, 0, 1, 1]], [[1, 0], [0, 1]]])
    assert not compare(detect_modules(graph), truth).exact
    truth.graph["some_inputs"] = True
    comparison = compare(detect_modules(graph), truth)
    assert comparison.connected
    assert comparison.inputs.exact
    assert "M0 is" in str(comparison)
    # A stray input, and a module none of whose inputs are read, are wrong all the same.
    stray = LayeredGraph.from_weights([[[1, 0, 1, 0], [0, 0, 0, 1]], [[1, 0], [0, 1]]])
    assert not compare(detect_modules(stray), truth).inputs.exact
    blind = LayeredGraph.from_weights([[[1, 0, 0, 0], [0, 0, 0, 0]], [[1, 0], [0, 1]]])
    assert not compare(detect_modules(blind), truth).exact


def test_long_lists_of_names_are_cut() -> None:
    truth = truth_of((tuple(range(40)), (0,)))
    text = str(compare(detect_modules([np.ones((1, 40))]), truth))
    assert "{x0, x1, x2, ... 40 in all, y0}" in text


def test_rand_index_by_hand() -> None:
    labels = (np.array([0, 0, 1, 1]), np.array([2, 3]))
    graph = LayeredGraph.from_weights([[[1, 1, 0, 0], [0, 0, 1, 1]]])
    found = Hierarchy(graph, labels, labels)
    comparison = compare(found, truth_of(((0, 2), ()), ((1, 3), ()), ((), (0,)), ((), (1,))))
    assert comparison.inputs.rand_index == pytest.approx(-0.5)
    assert not comparison.inputs.exact


def test_unused_inputs_count_as_such_on_both_sides() -> None:
    weights = [np.array([[1.0, 1.0, 0.0]]), np.array([[1.0]])]
    found = detect_modules(weights)
    assert compare(found, truth_of(((0, 1), (0,)))).inputs.exact
    with_third = compare(found, truth_of(((0, 1, 2), (0,))))
    assert not with_third.inputs.exact
    assert not with_third.exact


def test_hidden_only_modules_are_distinguished_by_what_they_read() -> None:
    task = tasks.boolean([8, 2, 1, 2, 4])
    truth = task.truth(hidden_layers=3)
    first = np.kron(np.eye(2), np.ones((2, 4)))
    second = np.kron(np.eye(2), np.ones((1, 2)))
    third, last = np.ones((2, 2)), np.tile(np.eye(2), (2, 1))
    comparison = compare(detect_modules([first, second, third, last]), truth)
    assert comparison.exact
    assert comparison.connected


@settings(max_examples=30, deadline=None)
@given(st.permutations(range(3)), st.permutations(range(6)))
def test_renaming_and_permuting_change_nothing(order: list[int], names: list[int]) -> None:
    shuffled = [BOTH[0][order], BOTH[1][:, order]]
    truth = nx.relabel_nodes(tasks.boolean("both").truth(hidden_layers=1), dict(enumerate(f"N{n}" for n in names)))
    comparison = compare(detect_modules(shuffled), truth)
    assert comparison.exact
    assert comparison.connected


@pytest.mark.parametrize(
    ("truth", "text"),
    [
        (nx.DiGraph(), "at least one module"),
        ("truth", "must be a networkx.DiGraph .*; got str"),
        (nx.MultiDiGraph(truth_of(((0,), (0,)))), "must be a networkx.DiGraph without parallel edges, .*; got MultiDiGraph"),
        (nx.DiGraph([(0, 1)]), "every module of the truth must have `inputs` and `outputs`"),
        (nx.DiGraph(truth_of(("0 1", ()))), r"a JSON list such as '\[0, 1\]'; got '0 1'"),
        (nx.DiGraph(truth_of(("[0, 9]", "[]"))), r"6 inputs to one module at most; got \[0, 9\]"),
        (truth_of(((0, 9), ())), r"each of the network's 6 inputs to one module at most; got \[0, 9\]"),
        (truth_of(((0,), ()), ((0,), ())), r"6 inputs to one module at most; got \[0, 0\]"),
        (truth_of(((), (3,))), r"3 outputs to one module at most; got \[3\]"),
        (nx.DiGraph(truth_of(((0,), (0,))), x=np.eye(2), y=np.eye(2)), "each row of 0 and 1 once"),
        (nx.DiGraph(truth_of(((0,), (0,))), x=[[0], [1]], y=[[0], [1]]), "must have the network's 6 inputs and 3 outputs; got 1 and 1"),
    ],
)
def test_a_truth_that_does_not_fit_is_refused(truth: Any, text: str) -> None:
    with pytest.raises(ValueError, match=text):
        compare(detect_modules(BOTH), truth)


@pytest.mark.parametrize("layers", [2, 10])
def test_many_alike_modules_in_any_order_are_compared_at_once(layers: int) -> None:
    """Rings of twenty modules of hidden units alone, one above another; a search over their mappings would not end."""
    ring = np.eye(20) + np.roll(np.eye(20), 1, axis=1)
    graph = LayeredGraph.from_weights((np.ones((1, 20)), *[ring] * (layers - 1), np.ones((20, 1))), orientation="in_out")
    labels = tuple(np.array_split(np.arange(20 * layers + 2), np.cumsum([1, *[20] * layers])))
    found = Hierarchy(graph, labels, labels)
    same, rng = module_graph(found), np.random.default_rng(0)
    names = dict(zip(same, rng.permutation(len(same)).tolist(), strict=True))
    truth = nx.DiGraph()
    for node in rng.permutation(len(same)).tolist():
        truth.add_node(names[node], **{side: same.nodes[node][side] for side in ("inputs", "outputs")})
    edges = [(names[a], names[b]) for a, b in same.edges]
    truth.add_edges_from(edges[i] for i in rng.permutation(len(edges)))
    comparison = compare(found, truth)
    assert (comparison.connected, len(comparison.matched)) == (True, 20 * layers + 2)
    assert all(truth.has_edge(dict(comparison.matched)[a], dict(comparison.matched)[b]) for a, b in same.edges)
    wrong = truth.copy()
    (first, above), (second, other) = [(a, b) for a, b in truth.edges if not truth.nodes[a]["inputs"] and not truth.nodes[b]["outputs"]][:2]
    wrong.remove_edges_from([(first, above), (second, other)])
    wrong.add_edges_from([(above, first), (second, other)])
    assert not compare(found, wrong).connected
