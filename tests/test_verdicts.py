"""Verdicts and scores of a comparison, and searches that are long."""

from __future__ import annotations

from typing import Any

import networkx as nx
import numpy as np
import pytest
from test_comparison import BOTH, truth_of

from analysis import Hierarchy, LayeredGraph, compare, detect_modules
from analysis.truth.contraction import SearchLimitError, contraction
from analysis.truth.verdicts import verdict_of
from sculpting import tasks

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
