"""The function map on networks whose every number is computed by hand, and read-outs against their definition."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise, product
from typing import Any

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from layered import SEEDS
from sklearn.metrics import balanced_accuracy_score

from analysis import Hierarchy, LayeredGraph
from analysis.truth.gates import FunctionMap, best_readout, function_map
from sculpting import tasks

BOTH = [  # three ANDs of disjoint pairs, relu(a + b - 1), and their ORs, a + b > 1/2
    [[1, 1, 0, 0, 0, 0], [0, 0, 1, 1, 0, 0], [0, 0, 0, 0, 1, 1]],
    [[1, 1, 0], [1, 0, 1], [0, 1, 1]],
]
BOTH_LABELS = [[0, 0, 1, 1, 2, 2], [0, 1, 2], [3, 4, 5]]


def hierarchy(weights: Sequence[Any], labels: Sequence[Sequence[int]], biases: Sequence[Sequence[float]]) -> Hierarchy:
    graph = LayeredGraph.from_weights([np.array(w, dtype=float) for w in weights], biases=tuple(map(np.array, biases)))
    arrays = tuple(np.array(layer) for layer in labels)
    return Hierarchy(graph, arrays, arrays)


def both() -> Hierarchy:
    return hierarchy(BOTH, BOTH_LABELS, ([-1] * 3, [-0.5] * 3))


def mapped(found: Hierarchy, gates: Mapping[str, str], **names: Any) -> FunctionMap:
    return function_map(found, tasks.from_gates(gates, **names).truth(2))


def test_every_number_of_three_ands_and_three_ors_by_hand() -> None:
    found = function_map(both(), tasks.boolean("both").truth(1))
    assert found.gates == ("p", "q", "r", "y0", "y1", "y2")
    assert found.modules == (0, 1, 2, 3, 4, 5)
    assert found.units == (1,) * 6
    assert found.accuracy == 1.0
    # An AND is 1 in 1/4 of the rows, an OR in 7/16. y0 = p or q says yes whenever p does and no in 3/4 of the rest: 7/8.
    # p says yes in 4/7 of the rows in which y0 does and in none of the others: 11/14. y1 = p or r says yes in 4/7 + 3/7 * 1/4
    # of the rows in which y0 does, and no in 3/4 of the others: 5/7.
    a, b, c, h = 7 / 8, 11 / 14, 5 / 7, 1 / 2
    np.testing.assert_allclose(
        found.readout,
        [
            [1, h, h, a, a, h],
            [h, 1, h, a, h, a],
            [h, h, 1, h, a, a],
            [b, b, h, 1, c, c],
            [b, h, b, c, 1, c],
            [h, b, b, c, c, 1],
        ],
    )
    # With p held at 1/4, y0 is q - 1/4 > 0: right in 4/7 of its yes rows and all of its no rows, so it loses 2 (1 - 11/14) = 3/7.
    d, e = 3 / 7, 3 / 14
    np.testing.assert_allclose(
        found.effect,
        [
            [d, e, e, h, h, 0],
            [e, d, e, h, 0, h],
            [e, e, d, 0, h, h],
            [d, d, 0, 1, 0, 0],
            [d, 0, d, 0, 1, 0],
            [0, d, d, 0, 0, 1],
        ],
    )
    third = 1 / 3
    np.testing.assert_allclose(
        found.exactness,
        [
            [1, third, third, h, h, 0],
            [third, 1, third, h, 0, h],
            [third, third, 1, 0, h, h],
            [h, h, 0, 1, 0, 0],
            [h, 0, h, 0, 1, 0],
            [0, h, h, 0, 0, 1],
        ],
    )
    assert found.carriers == {"p": 0, "q": 1, "r": 2, "y0": 3, "y1": 4, "y2": 5}
    assert found.score == 1.0


def test_the_printed_map() -> None:
    lines = str(function_map(both(), tasks.boolean("both").truth(1))).splitlines()
    assert lines[0] == "function: score 1.00 (6 of 6 gates are carried; the network gets 100.0% of the truth table right)"
    assert lines[2].split("  ")[-2].strip() == "M4 (1 unit)"
    assert lines[3].split() == ["p", "1.00", "0.43*", "0.50", "0.21", "0.50", "0.21", "0.88", "0.50", "0.88", "0.50", "0.50", "0.00"]
    assert lines[-1] == "* carries the gate"


def test_a_module_that_does_not_carry_the_gate() -> None:
    # The modules of p and q have each other's inputs: M0 computes x0 & x2 and M1 x1 & x3.
    crossed = [[[1, 0, 1, 0, 0, 0], [0, 1, 0, 1, 0, 0], [0, 0, 0, 0, 1, 1]], BOTH[1]]
    found = function_map(hierarchy(crossed, [[0, 1, 0, 1, 2, 2], *BOTH_LABELS[1:]], ([-1] * 3, [-0.5] * 3)), tasks.boolean("both").truth(1))
    # x0 & x2 is 1 in 1/2 of the rows with x0 & x1, and in 1/2 * 1/2 * (2/3) = 1/6 of the others: 1/2 + (1/2 - 1/6) / 2.
    assert found.readout[0, 0] == found.readout[0, 1] == pytest.approx(2 / 3)
    assert found.readout[2, 2] == 1
    assert found.score < 0.6
    assert found.accuracy < 1


def test_one_module_for_everything_carries_every_gate_inexactly() -> None:
    whole = hierarchy(BOTH, [[0] * 6, [0] * 3, [0] * 3], ([-1] * 3, [-0.5] * 3))
    found = function_map(whole, tasks.boolean("both").truth(1))
    assert set(found.carriers.values()) == {0}
    assert found.effect.tolist() == [[1.0]] * 6
    assert found.exactness.ravel() == pytest.approx([2 / 3] * 3 + [1 / 3] * 3)
    assert found.score < 0.6
    assert found.units == (3,)


def test_gates_that_share_a_module_share_its_loss() -> None:
    # The ideal network of [4,1,2,2]: p, q, r are the ANDs 1010, 1100, 0011, relu(sum of signs - (ones - 1)).
    ands = [[1, -1, 1, -1], [1, 1, -1, -1], [-1, -1, 1, 1]]
    found = function_map(
        hierarchy([ands, [[1, 1, 0], [1, 0, 1]]], [[0] * 4, [0] * 3, [1, 2]], ([-1] * 3, [-0.5] * 2)), tasks.boolean([4, 1, 2, 2]).truth(2)
    )
    assert found.gates == ("p", "q", "r", "even", "odd")
    assert found.readout[:, 0].tolist() == [1.0] * 5
    assert found.carriers == {"p": 0, "q": 0, "r": 0, "even": 1, "odd": 2}
    assert found.exactness[:3, 0].tolist() == [1, 0.5, 0.5]
    assert found.score == pytest.approx(0.8)


def test_copies_are_one_gate_and_constants_and_unused_gates_none() -> None:
    gates = {
        "p": "a & b",
        "same": "b & a",
        "inverse": "~p",
        "idle": "a ^ b",
        "never": "p & ~p",
        "y": "p",
        "z": "inverse | same & never",
        "c": "never",
    }
    found = mapped(
        # The last output, constantly no, is wrong when p is 1, and always wrong when p is held at 1/4.
        hierarchy([[[1, 1]], [[1], [-1], [1]]], [[0, 0], [0], [0, 0, 1]], ([-1], [-0.5, 0.5, -0.2])),
        gates,
        inputs=["a", "b"],
        outputs=["y", "z", "c"],
    )
    assert found.gates == ("p",)
    assert found.carriers == {"p": 0}
    assert found.effect.tolist() == [[1.0, 0.0]]
    assert found.exactness.tolist() == [[1.0, 0.0]]
    assert found.score == 1.0


def test_a_task_of_constants_alone_has_an_empty_map() -> None:
    found = mapped(hierarchy([[[1, 1]], [[0]]], [[0, 0], [0], [1]], ([0], [-1])), {"y": "a & ~a & b"})
    assert (found.gates, found.carriers, found.score, found.readout.shape) == ((), {}, 0.0, (0, 2))
    assert "0 of 0 gates" in str(found)


def test_a_module_of_inputs_alone_carries_nothing() -> None:
    found = mapped(hierarchy([[[1, 1]], [[1]]], [[0, 0], [1], [2]], ([-1], [-0.5])), {"y": "a & b"})
    assert found.readout.tolist() == [[1.0, 1.0, 1.0]]
    assert found.effect.tolist() == [[1.0, 1.0, 1.0]]
    assert found.carriers == {"y": 1}
    assert found.units == (2, 1, 1)


def test_a_gate_that_no_module_shows_has_no_carrier() -> None:
    # A dead network: nothing but the constant 0 anywhere above the inputs.
    found = mapped(hierarchy([[[0, 0]], [[0]]], [[0, 0], [1], [2]], ([0], [-1])), {"y": "a & b"})
    assert found.readout.tolist() == [[1.0, 0.5, 0.5]]
    assert found.carriers == {}
    assert found.score == 0.0


def test_a_module_is_read_at_its_outputs_and_where_others_read_it() -> None:
    # M0: AND (h0), OR (h1) and the output OR. M1: a unit that neither reads nor is read. M2: the output AND, which reads h0.
    found = mapped(
        hierarchy([[[1, 1], [1, 1], [0, 0]], [[0, 1, 0], [1, 0, 0]]], [[0, 0], [0, 0, 2], [0, 1]], ([-1, 0, 1], [-0.5, -0.5])),
        {"either": "a | b", "both": "a & b"},
        outputs=["either", "both"],
    )
    assert found.units == (2, 1, 1)
    assert found.readout.tolist() == [[1.0, 0.5, pytest.approx(2 / 3)], [1.0, 0.5, 1.0]]


def test_losses_are_no_less_than_none_and_no_more_than_all() -> None:
    def effects(first: float, second: float, bias: float) -> list[float]:
        """Of two modules that pass on x0 with these factors, one counted positive and one negative."""
        weights = [[[first], [second]], [[1, -1]]]
        return mapped(hierarchy(weights, [[0], [1, 2], [3]], ([0, 0], [bias])), {"y": "a"}, inputs=["a"]).effect[0].tolist()

    # 2 a - a - 1/2: without the first the output is inverted, which is worse than chance; without the second it is right.
    assert effects(2, 1, -0.5) == [1.0, 1.0, 0.0, 1.0]
    # a - 2 a + 1/2 is wrong in every row, and right without the second.
    assert effects(1, 2, 0.5)[1:3] == [0.0, 0.0]


def test_outputs_are_read_as_the_bits_they_decide() -> None:
    # y0's value p + 2 q tells p and q apart; its decision does not.
    graded = hierarchy([BOTH[0], [[1, 2, 0], *BOTH[1][1:]]], BOTH_LABELS, ([-1] * 3, [-0.5] * 3))
    found = function_map(graded, tasks.boolean("both").truth(1))
    assert found.readout[1, 3] == pytest.approx(7 / 8)


def test_the_rows_of_the_table_may_stand_in_any_order() -> None:
    truth = tasks.boolean("both").truth(1)
    order = np.random.default_rng(0).permutation(64)
    for part in ("x", "y"):
        truth.graph[part] = truth.graph[part][order]
    truth.graph["gates"] = {name: bits[order] for name, bits in truth.graph["gates"].items()}
    found = function_map(both(), truth)
    np.testing.assert_allclose(found.readout, function_map(both(), tasks.boolean("both").truth(1)).readout)
    assert found.score == 1.0


@settings(max_examples=10, deadline=None)
@given(seed=SEEDS)
def test_scaling_and_reordering_hidden_units_changes_nothing(seed: int) -> None:
    rng = np.random.default_rng(seed)
    widths = (4, 5, 2)
    weights = [rng.normal(size=shape) for shape in pairwise(widths)]
    biases = [rng.normal(size=width) for width in widths[1:]]
    labels = [rng.integers(0, 2, size=4), rng.integers(0, 3, size=5), np.array([2, 3])]
    scale, order = rng.uniform(0.5, 2, size=5), rng.permutation(5)
    moved = [(weights[0] * scale)[:, order], (weights[1] / scale[:, None])[order]]
    truth = tasks.boolean([4, 1, 2, 2]).truth(2)
    first = function_map(
        Hierarchy(LayeredGraph.from_weights(tuple(weights), orientation="in_out", biases=tuple(biases)), tuple(labels), tuple(labels)),
        truth,
    )
    there = (labels[0], labels[1][order], labels[2])
    graph = LayeredGraph.from_weights(tuple(moved), orientation="in_out", biases=((biases[0] * scale)[order], biases[1]))
    second = function_map(Hierarchy(graph, there, there), truth)
    columns = [second.modules.index(m) for m in _same_modules(labels, there)]
    np.testing.assert_allclose(first.effect, second.effect[:, columns], atol=1e-9)
    # The logistic regression stops a little elsewhere, which may decide a row.
    np.testing.assert_allclose(first.readout, second.readout[:, columns], atol=0.1)
    assert first.accuracy == second.accuracy


def _same_modules(labels: Sequence[np.ndarray], there: Sequence[np.ndarray]) -> list[int]:
    """For each module of the first labels, by first appearance, its number among the second."""
    first, second = (list(dict.fromkeys(np.concatenate(part).tolist())) for part in (labels, there))
    return [second.index(m) for m in first]


# --- Read-out -----------------------------------------------------------------------------------------------------------------


@settings(max_examples=30, deadline=None)
@given(seed=SEEDS, rows=st.integers(2, 20), levels=st.integers(1, 6))
def test_the_read_out_of_one_unit_is_the_best_threshold(seed: int, rows: int, levels: int) -> None:
    rng = np.random.default_rng(seed)
    values = rng.integers(0, levels, size=rows) * 1.5 - 2
    bits = rng.permutation(np.arange(rows) < rng.integers(1, rows)).astype(int)
    best = max(balanced_accuracy_score(bits, sense * values > cut) for sense in (1, -1) for cut in (*(sense * values), -np.inf))
    assert best_readout(values[:, None], bits) == pytest.approx(max(best, 0.5))


@settings(max_examples=40, deadline=None)
@given(seed=SEEDS, units=st.integers(2, 4))
def test_what_a_plane_separates_is_read_perfectly(seed: int, units: int) -> None:
    rng = np.random.default_rng(seed)
    rows = np.array(list(product((0, 1), repeat=units)))
    values = rows @ rng.normal(size=units)
    cuts = np.sort(values)
    cut = rng.integers(0, len(cuts) - 1)
    bits = values > (cuts[cut] + cuts[cut + 1]) / 2
    assert best_readout(rows * rng.uniform(0.01, 100, size=units), bits) == 1.0


@settings(max_examples=40, deadline=None)
@given(seed=SEEDS, units=st.integers(1, 4))
def test_a_read_out_lies_between_chance_and_what_the_patterns_tell(seed: int, units: int) -> None:
    rng = np.random.default_rng(seed)
    values = rng.integers(0, 3, size=(24, units)).astype(float)
    bits = rng.permutation(np.arange(24) < rng.integers(1, 24)).astype(int)
    patterns, which = np.unique(values, axis=0, return_inverse=True)
    shares = [np.bincount(which[bits == side], minlength=len(patterns)) / (bits == side).sum() for side in (0, 1)]
    most = np.maximum(*shares).sum() / 2
    assert max(best_readout(values[:, [unit]], bits) for unit in range(units)) - 1e-9 <= best_readout(values, bits) <= most + 1e-9


def test_rows_with_one_value_stay_on_one_side() -> None:
    assert best_readout([[0, 0], [0, 1], [1, 0], [1, 1]], [0, 1, 1, 0]) == 0.5


def test_differences_by_rounding_are_not_read() -> None:
    assert best_readout([[1.0], [1.0 + 1e-9], [0.0], [0.0 + 1e-9]], [0, 1, 0, 1]) == 0.5
    assert best_readout([[3.0], [3.0], [3.0]], [0, 1, 1]) == 0.5
    assert best_readout([[3.0, 1.0]] * 3, [0, 1, 1]) == 0.5


# --- Errors -------------------------------------------------------------------------------------------------------------------


def test_a_truth_without_gates_or_of_another_size_is_refused() -> None:
    truth = tasks.boolean("both").truth(1)
    for name in ("x", "y", "gates", "users"):
        partial = nx.DiGraph(truth)
        del partial.graph[name]
        with pytest.raises(ValueError, match=rf"must carry x, y, gates and users as graph attributes.*got none for \['{name}'\]"):
            function_map(both(), partial)
    with pytest.raises(ValueError, match="must have the network's 6 inputs and 3 outputs; got 4 and 4"):
        function_map(both(), tasks.boolean("none").truth(1))
    broken = nx.DiGraph(truth)
    broken.graph["x"] = truth.graph["x"][:-1]
    with pytest.raises(ValueError, match="each row of 0 and 1 once"):
        function_map(both(), broken)


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"gates": {}}, "gates must map names to bits, at least one; got {}"),
        ({"gates": [1]}, r"gates must map names to bits, at least one; got \[1\]"),
        (
            {"gates": {"p": [0, 1]}},
            r"gates\['p'\] must be the 64 bits of the gate, 0 or 1, in the order of the rows of x; got shape \(2,\)",
        ),
        ({"gates": {"p": np.full(64, 256)}}, r"gates\['p'\] must be the 64 bits of the gate, 0 or 1, .* got 256"),
        ({"users": {"q": (0,)}}, r"users\['p'\] must be the positions of the outputs .*, from 0 to 2; got None"),
        ({"users": {"p": (0, 3)}}, r"users\['p'\] must be the positions of the outputs .*, from 0 to 2; got \(0, 3\)"),
        ({"users": {"p": (-1,)}}, r"users\['p'\] must be the positions of the outputs .*, from 0 to 2; got \(-1,\)"),
        ({"users": {"p": (0.0, [])}}, r"users\['p'\] must be the positions of the outputs .*, from 0 to 2; got \(0.0, \[\]\)"),
        ({"users": (0,)}, r"users\['p'\] must be the positions of the outputs"),
    ],
)
def test_gates_that_do_not_fit_are_refused(change: dict[str, Any], text: str) -> None:
    truth = nx.DiGraph(tasks.boolean("both").truth(1))
    truth.graph.update(change)
    with pytest.raises(ValueError, match=text):
        function_map(both(), truth)


@pytest.mark.parametrize("truth", ["truth", nx.Graph(), nx.MultiDiGraph()])
def test_a_truth_that_is_no_plain_directed_graph_is_refused(truth: Any) -> None:
    with pytest.raises(ValueError, match=f"must be a networkx.DiGraph without parallel edges, .*; got {type(truth).__name__}"):
        function_map(both(), truth)
