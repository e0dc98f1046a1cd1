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
from analysis.truth.contraction import SearchLimitError, contraction
from analysis.truth.verdicts import verdict_of
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


BLOCKS = [((0, 1), ()), ((2, 3), ()), ((), (0,)), ((4, 5), (1,))]  # two pairs of inputs that feed an output, and a block beside them
BESIDE = truth_of(*BLOCKS, edges=[(0, 2), (1, 2)])


def found_of(labels: list[list[int]]) -> Hierarchy:
    """A network of the blocks, 6-4-2, with these labels."""
    first = np.array([[1.0, 0, 0, 0], [1, 0, 0, 0], [0, 1, 0, 0], [0, 1, 0, 0], [0, 0, 1, 1], [0, 0, 1, 1]])
    second = np.array([[1.0, 0], [1, 0], [0, 1], [0, 1]])
    arrays = tuple(np.array(part) for part in labels)
    return Hierarchy(LayeredGraph.from_weights((first, second), orientation="in_out"), arrays, arrays)


@pytest.mark.parametrize(
    ("labels", "verdict", "reason"),
    [
        ([[0, 0, 1, 1, 2, 2], [0, 1, 2, 2], [3, 2]], "exact", "every module of the truth was found"),
        ([[0, 0, 0, 0, 1, 1], [0, 0, 1, 1], [0, 1]], "coarser", "M0 {x0, x1, x2, x3, y0} is T0 {x0, x1} + T1 {x2, x3} + T2 {y0}"),
        ([[0, 0, 1, 1, 2, 2], [0, 3, 2, 2], [4, 2]], "finer", "T1 {x2, x3} is M1 {x2, x3} + M3 {1 hidden units}"),
        ([[0, 0, 1, 1, 1, 1], [0, 1, 1, 1], [2, 1]], "mixed", "joins T1 {x2, x3} and T3 {x4, x5, y1}, which have nothing to do"),
        ([[0, 0, 0, 0, 1, 1], [2, 2, 1, 1], [2, 1]], "mixed", "joins T0 {x0, x1} and T1 {x2, x3}, neither of which reads the other"),
    ],
)
def test_the_verdict_is_one_word_with_its_reason(labels: list[list[int]], verdict: str, reason: str) -> None:
    comparison = compare(found_of(labels), BESIDE)
    assert comparison.verdict == verdict
    assert reason in comparison.reason
    assert str(comparison).splitlines()[0] == (
        f"verdict: {verdict}, score {comparison.score:.2f}. {comparison.reason[0].upper()}{comparison.reason[1:]}"
    )


def test_other_connections_are_wrong_where_no_table_says_otherwise() -> None:
    labels = [[0, 0, 1, 1, 2, 2], [0, 1, 2, 2], [3, 2]]
    comparison = compare(found_of(labels), truth_of(*BLOCKS, edges=[(0, 2), (1, 3)]))
    assert (comparison.exact, comparison.connected, comparison.verdict) == (True, False, "wrong")
    assert comparison.reason == "the modules of the truth, connected in another way"


def test_a_score_is_one_for_the_truth_and_zero_for_one_module_and_for_units_alone() -> None:
    right, one, alone = (
        compare(found_of(labels), BESIDE)
        for labels in (
            [[0, 0, 1, 1, 2, 2], [0, 1, 2, 2], [3, 2]],
            [[0] * 6, [0] * 4, [0, 0]],
            [list(range(6)), list(range(6, 10)), [10, 11]],
        )
    )
    assert (right.score, right.order) == (1.0, 1.0)
    assert (one.inputs.rand_index, one.outputs.rand_index, one.order, one.score) == (0.0, 0.0, 0.0, 0.0)
    assert (alone.inputs.rand_index, alone.order) == (0.0, 0.0)


def test_scores_of_random_modules_are_zero_in_the_mean() -> None:
    rng = np.random.default_rng(0)
    parts = []
    for _ in range(300):
        inputs, outputs = rng.permutation([0, 0, 1, 1, 2, 2]), rng.permutation([3, 2])
        comparison = compare(found_of([inputs.tolist(), [0, 1, 2, 2], outputs.tolist()]), BESIDE)
        parts.append((comparison.inputs.rand_index, comparison.order))
    assert np.mean(parts, axis=0) == pytest.approx([0, 0], abs=0.08)


def test_two_hierarchies_and_plain_labels_are_compared_too() -> None:
    labels = [[0, 0, 1, 1, 2, 2], [0, 1, 2, 2], [3, 2]]
    found, coarse = found_of(labels), found_of([[0, 0, 0, 0, 1, 1], [0, 0, 1, 1], [0, 1]])
    assert [compare(found, other).verdict for other in (found, coarse, labels)] == ["exact", "finer", "exact"]
    assert compare(coarse, found).verdict == "coarser"
    renamed = [[7, 7, 3, 3, 5, 5], [7, 3, 5, 5], [9, 5]]
    assert compare(found, renamed).score == 1.0
    for wrong in ([[0] * 6, [0] * 4], [[0.5] * 6, [0] * 4, [0, 0]]):
        with pytest.raises(ValueError, match=r"labels must be an integer array for each layer, of lengths \[6, 4, 2\]"):
            compare(found, wrong)


def test_a_network_that_computes_something_else_is_called_so_first() -> None:
    task = tasks.from_gates({"y": "a & b"})
    weights, names = [[[1.0, 1.0]], [[1.0]]], ["relu", "identity"]
    right, wrong = (LayeredGraph.from_weights(weights, biases=[[shift], [-0.5]], activations=names) for shift in (-1.0, 0.0))
    assert [compare(detect_modules(graph), task.truth(1)).computes for graph in (right, wrong)] == [True, False]
    text = str(compare(detect_modules(wrong), task.truth(1)))
    assert text.startswith(
        "the network computes something else than the truth table: y0 in 2 of 4 rows. The verdict is on its structure alone\nverdict: "
    )
    assert compare(detect_modules([[[1.0, 1.0]], [[1.0]]]), task.truth(1)).computes is None


def joined(truth: nx.DiGraph, first: Any, second: Any) -> nx.DiGraph:
    """The truth with two of its modules joined."""
    graph, part_of = nx.DiGraph(), {node: first if node == second else node for node in truth}
    for node, module in part_of.items():
        old = graph.nodes.get(module, {"inputs": (), "outputs": ()})
        facts = {side: (*old[side], *truth.nodes[node][side]) for side in ("inputs", "outputs")}
        graph.add_node(module, **facts)
    graph.add_edges_from({(part_of[a], part_of[b]) for a, b in truth.edges if part_of[a] != part_of[b]})
    return graph


def test_the_truth_with_any_edge_joined_is_coarser_and_found_in_time() -> None:
    truth = tasks.boolean([8, 2, 1, 2, 8]).truth(hidden_layers=3)
    for first, second in truth.edges:
        coarse = joined(truth, first, second)
        assert contraction(truth, coarse) is not None
        assert contraction(coarse, truth) is None


def test_long_chains_of_modules_are_compared() -> None:
    chain = nx.path_graph(1_200, nx.DiGraph)
    nx.set_node_attributes(chain, {node: {"inputs": (0,) * (node == 0), "outputs": (0,) * (node == 1_199)} for node in chain})
    parts = contraction(chain, joined(chain, 600, 601))
    assert parts is not None
    assert parts[601] == 600


def test_a_search_among_modules_that_are_alike_is_given_up_and_said(monkeypatch: pytest.MonkeyPatch) -> None:
    gates = {f"g{i}": ("a & b", "a | b")[i % 2] for i in range(12)}
    truth = tasks.from_gates({**gates, "y": " ^ ".join(gates)}).truth()
    coarse = joined(truth, *next(iter(truth.edges)))
    with pytest.raises(SearchLimitError):
        contraction(truth, coarse)
    # That nothing but a module of hidden units is missing is seen without a search.
    assert verdict_of(coarse, truth, False, False, None, (), (str, str))[0] == "coarser"
    monkeypatch.setattr("analysis.truth.verdicts._hidden_levels", lambda *_: 0)
    word, reason = verdict_of(coarse, truth, False, False, None, (), (str, str))
    assert word == "wrong"
    assert "not decided whether coarser" in reason


def test_outputs_that_read_the_same_modules_may_be_one_and_levels_of_hidden_units_more_or_fewer() -> None:
    task = tasks.from_gates({"m": "a & b | a & c | b & c", "n": "d & e | d & f | e & f", "y0": "m ^ n", "y1": "m & n"})
    truth = task.truth(2)
    m_and_n = np.zeros((6, 2))
    m_and_n[:3, 0] = m_and_n[3:, 1] = 1
    graph = LayeredGraph.from_weights(
        (m_and_n, np.array([[1.0, -1, 1], [-1, 1, 1]]), np.array([[1.0, 0], [1, 0], [0, 1]])), orientation="in_out"
    )

    def word(*labels: list[int]) -> tuple[str, str]:
        arrays = tuple(map(np.array, labels))
        found = compare(Hierarchy(graph, arrays, arrays), truth)
        return found.verdict, found.reason

    inputs = [0, 0, 0, 1, 1, 1]
    assert word(inputs, [0, 1], [2, 2, 3], [2, 3])[0] == "exact"
    assert word(inputs, [0, 1], [2, 2, 2], [2, 2]) == ("coarser", "right, less resolved: M2 {y0, y1} is T2 {y1} + T3 {y0}")
    assert word(inputs, [0, 1], [4, 4, 4], [2, 3]) == ("finer", "right, with 1 module of hidden units only more")
    assert word([0] * 6, [0, 1], [2, 2, 3], [2, 3])[0] != "coarser"  # inputs of two functions, though both are read by the same
    # Any two of three that read the same may be one.
    three = truth_of(((0,), ()), ((1,), ()), *(((), (i,)) for i in range(3)), edges=[(a, b) for a in (0, 1) for b in (2, 3, 4)])
    for pair in ((0, 1), (0, 2), (1, 2)):
        parts = [np.array([0, 1]), np.array([4 if i in pair else 2 + i for i in range(3)])]
        merged = Hierarchy(LayeredGraph.from_weights((np.ones((2, 3)),), orientation="in_out"), *[tuple(parts)] * 2)
        assert compare(merged, three).verdict == "coarser", pair
    # Fewer modules of hidden units are a middle that is less resolved; more than the truth has may hold other units.
    gates = {"p": "a & b", "q": "c & d", "r": "e & f", "s": "g & h", "u": "p ^ q", "v": "r ^ s", "y0": "u & v", "y1": "u | v"}
    deep = tasks.from_gates(gates).truth(3)
    hidden = [node for node, facts in deep.nodes(data=True) if not facts["inputs"] and not facts["outputs"]]
    assert len(hidden) == 2
    assert verdict_of(joined(deep, *hidden), deep, False, False, False, (), (str, str)) == (
        "coarser",
        "right, without 1 module of hidden units only",
    )
    split = deep.copy()
    split.add_node("more", inputs=(), outputs=())
    split.add_edges_from([(source, "more") for source in deep.predecessors(hidden[0])] + [("more", hidden[1])])
    assert verdict_of(split, deep, False, False, False, (), (str, str))[0] not in ("coarser", "finer")
    # Without its middle level.
    chain = truth_of(((0,), ()), ((), ()), ((), ()), ((), (0,)), edges=[(0, 1), (1, 2), (2, 3)])
    line = LayeredGraph.from_weights((np.ones((1, 1)),) * 3, orientation="in_out")
    two = compare(Hierarchy(line, *[tuple(map(np.array, ([0], [0], [1], [1])))] * 2), chain)
    assert (two.verdict, two.valid) == ("coarser", None)


def test_edges_of_a_module_to_itself_do_not_matter() -> None:
    truth = nx.DiGraph(BESIDE)
    truth.add_edges_from((node, node) for node in BESIDE)
    for labels in ([[0, 0, 1, 1, 2, 2], [0, 1, 2, 2], [0, 2]], [[0, 0, 0, 0, 1, 1], [0, 0, 1, 1], [0, 1]]):
        here, there = compare(found_of(labels), BESIDE), compare(found_of(labels), truth)
        assert here.verdict == there.verdict
        assert there.reason


def test_a_truth_of_another_depth_is_said_to_be_one() -> None:
    task, found = tasks.boolean("both"), detect_modules(BOTH)
    line = "\nthe truth is that of 3 hidden layers, the network has 1\n"
    assert line in str(compare(found, task.truth(3)))
    assert "hidden layers, the network" not in f"{compare(found, task.truth(1))}{compare(found, task.truth())}"


def test_outputs_in_another_order_are_refused() -> None:
    gates = {"p": "x0 & x1", "q": "x2 & x3", "r": "x4 & x5", "y0": "p | q", "y1": "p | r", "y2": "q | r"}
    found = detect_modules(BOTH)
    assert compare(found, tasks.from_gates(gates, outputs=["y0", "y1", "y2"]).truth(1)).computes is None
    with pytest.raises(ValueError, match=r"outputs of the truth must be in the order of the network's, y0, y1, y2; got y2, y0, y1"):
        compare(found, tasks.from_gates(gates, outputs=["y2", "y0", "y1"]).truth(1))
