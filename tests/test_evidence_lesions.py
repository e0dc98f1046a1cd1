"""Silencing modules: losses and p-values worked out by hand, and a forward pass with held units as the reference."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis import Hierarchy, LayeredGraph, detect_modules
from analysis.evidence import lesions, silenced
from analysis.graph import ACTIVATIONS

ROWS = np.array(list(product((0, 1), repeat=4)))

# y0 = 2 x0 + x1 - 2.25, y1 = 2 x2 + x3 - 2.25, through one hidden unit each: an output decides 1 where both of its inputs are 1.
ANDS = LayeredGraph.from_weights(
    (np.array([[2.0, 0], [1, 0], [0, 2], [0, 1]]), np.eye(2)),
    orientation="in_out",
    biases=(np.zeros(2), np.full(2, -2.25)),
)


def test_losses_by_hand() -> None:
    found = lesions(detect_modules(ANDS), ROWS)
    # Silenced, y0 is 1.5 - 2.25 in every row: decision 0, wrong where both inputs are 1. It was 1.5, 0.5, 0.5, 1.5 away from that.
    assert found.drop.tolist() == [[0.25, 0], [0, 0.25]]
    assert found.change.tolist() == [[1, 0], [0, 1]]
    assert found.units == (3, 3)
    assert (found.rows, found.names) == (16, ("y0", "y1"))


def test_p_values_over_all_sets_by_hand() -> None:
    found = lesions(detect_modules(ANDS), ROWS)
    # C(4,2) pairs of inputs times 2 hidden units. What y0 loses to each of the 12:
    #   h0 with any pair:              drop 1/4, change 1
    #   h1 with {0,1}, {0,2}, {0,3}:   drop 1/4 (0.5 or less above 2, below 2.25), change 1
    #   h1 with {1,2}, {1,3}:          drop 1/4 (2.5 for x0 = 1: one row of four wrong), change 1/2
    #   h1 with {2,3}:                 nothing
    assert found.sets == (12, 12)
    assert found.exhaustive == (True, True)
    assert found.drop_p.tolist() == [[pytest.approx(11 / 12), 1], [1, pytest.approx(11 / 12)]]
    assert found.change_p.tolist() == [[pytest.approx(9 / 12), 1], [1, pytest.approx(9 / 12)]]
    # Only the two modules change one output and not the other.
    assert found.focus.tolist() == [1, 1]
    assert found.focus_p.tolist() == pytest.approx([2 / 12, 2 / 12])


def test_focus_by_hand() -> None:
    # Six inputs, each an output's own; x0 and x1 are a module. Changes 1/2 and 3/2 of 2: squared shares 1/16 + 9/16.
    graph = LayeredGraph.from_weights((np.diag([1.0, 3, 1, 1, 1, 1]),), orientation="in_out")
    labels = (np.array([0, 0, 1, 2, 3, 4]), np.arange(5, 11))
    found = lesions(Hierarchy(graph, labels, labels), np.vstack([np.zeros(6), np.ones(6)]))
    assert found.focus[:2].tolist() == pytest.approx([10 / 16, 1])
    # x1 is in 5 of the 15 pairs, each as focused; the others change two outputs alike.
    assert found.focus_p[:2].tolist() == pytest.approx([5 / 15, 1])
    assert found.focus[-1] == 0
    assert found.focus_p[-1] == 1


@pytest.mark.parametrize("scale", [1e9 / 7, 1e-13])
def test_the_unit_of_the_outputs_does_not_matter(scale: float) -> None:
    # Many pairs of inputs have equal sums, of which rounding makes different ones.
    weights = np.array([[0.1, 0.3], [0.5, 0.2], [0.2, 0.4], [0.4, 0.1], [0.3, 0.1], [0.3, 0.4]])
    labels = np.array([0, 0, 1, 1, 2, 2]), np.array([3, 4])
    x = np.vstack([np.zeros(6), np.ones(6)])
    plain, scaled = (
        lesions(Hierarchy(LayeredGraph.from_weights((factor * weights,), orientation="in_out"), labels, labels), x) for factor in (1, scale)
    )
    assert scaled.change == pytest.approx(scale * plain.change, rel=1e-9, abs=0)
    assert scaled.change_p.tolist() == plain.change_p.tolist()
    assert scaled.focus.tolist() == pytest.approx(plain.focus.tolist())
    assert scaled.focus_p.tolist() == plain.focus_p.tolist()


@pytest.mark.parametrize(("row", "got"), [([1, 0, 1], 2), ([0, 0, 0], 0)])
def test_of_classes_the_right_bits_are_one_hot(row: list[int], got: int) -> None:
    graph = LayeredGraph.from_weights([np.eye(3)], loss="ce")
    with pytest.raises(ValueError, match=rf"y must be one-hot, one 1 in each row, for a network of classes; got {got} in row 1"):
        lesions(detect_modules(graph), np.eye(3), y=[[1, 0, 0], row, [0, 0, 1]])


def test_the_right_bits_decide_what_is_lost() -> None:
    right = np.stack([1 - ROWS[:, 0] * ROWS[:, 1], ROWS[:, 2] * ROWS[:, 3]], axis=1)
    found = lesions(detect_modules(ANDS), ROWS, y=right)
    # y0 is wrong in every row before, and right in one of four when it always says 0.
    assert found.drop.tolist() == [[-0.25, 0], [0, 0.25]]
    own = np.stack([ROWS[:, 0] * ROWS[:, 1], ROWS[:, 2] * ROWS[:, 3]], axis=1)
    assert (lesions(detect_modules(ANDS), ROWS, y=own == 1).drop == lesions(detect_modules(ANDS), ROWS).drop).all()


def test_a_sigmoid_at_the_end_changes_no_decision() -> None:
    graph = LayeredGraph.from_weights(ANDS.weights, orientation="in_out", biases=ANDS.biases, activations=("relu", "sigmoid"))
    found = lesions(detect_modules(graph), ROWS)
    assert found.drop.tolist() == [[0.25, 0], [0, 0.25]]
    assert found.change.max() < 0.5


def test_of_classes_the_largest_output_decides() -> None:
    """Rows (3, 2, 0), (0, 3, 2), (2, 0, 3), each of the class of its largest input, whatever is added to all outputs."""
    rows = 3 * np.eye(3) + 2 * np.roll(np.eye(3), 1, axis=1)
    for bias in (0.0, -100.0):
        graph = LayeredGraph.from_weights([np.eye(3), np.eye(3)], biases=(np.zeros(3), np.full(3, bias)), loss="ce")
        found = lesions(detect_modules(graph), rows, y=np.eye(3, dtype=int))
        # Held at 5/3 an input loses its own row to the output that has 2 there; both outputs are wrong in it, one row of three.
        assert found.drop.tolist() == pytest.approx(np.array([[1, 1, 0], [0, 1, 1], [1, 0, 1]]) / 3)


def test_drawn_sets_by_hand() -> None:
    # y0 adds up six of twelve inputs with weights 1, 2, 4, ...: no other six change it as much. C(12, 6) = 924 sets are too many.
    weights = np.zeros((12, 1))
    weights[:6, 0] = 2.0 ** np.arange(6)
    labels = (np.repeat([0, 1], 6), np.array([2]))
    x = np.vstack([np.ones(12), np.zeros(12)])
    found = lesions(Hierarchy(LayeredGraph.from_weights((weights,), orientation="in_out"), labels, labels), x, random_sets=100)
    assert found.change.tolist() == [[63 / 2], [0], [0]]
    assert found.sets == (100, 100, 1)
    assert found.exhaustive == (False, False, True)
    assert found.change_p.tolist() == [[1 / 101], [1], [1]]
    again, other = (
        lesions(Hierarchy(LayeredGraph.from_weights((weights,), orientation="in_out"), labels, labels), x, random_sets=101, seed=s)
        for s in (0, 1)
    )
    assert found.sets != again.sets
    assert other.change_p[0, 0] == 1 / 102


def test_as_many_sets_as_asked_for_are_all_taken() -> None:
    labels = (np.repeat([0, 1], (3, 7)), np.array([2]))  # C(10, 3) = C(10, 7) = 120
    found = lesions(
        Hierarchy(LayeredGraph.from_weights((np.eye(10)[:, :1],), orientation="in_out"), labels, labels), np.eye(10), random_sets=120
    )
    assert found.exhaustive == (True, True, True)
    assert found.sets == (120, 120, 1)
    # x0 is in 36 of the 120 sets of three, and alone counts.
    assert found.change_p[:, 0].tolist() == [36 / 120, 1, 1]
    assert lesions(
        Hierarchy(LayeredGraph.from_weights((np.eye(10)[:, :1],), orientation="in_out"), labels, labels), np.eye(10), random_sets=119
    ).sets == (119, 119, 1)


def test_removed_units_are_in_no_random_set() -> None:
    weights = (np.vstack([ANDS.weights[0], np.zeros((2, 2))]), ANDS.weights[1])
    graph = LayeredGraph.from_weights(weights, orientation="in_out", biases=ANDS.biases)
    assert lesions(detect_modules(graph), np.hstack([ROWS, ROWS[:, :2]])).sets == (12, 12)


def test_a_seed_repeats_the_random_sets() -> None:
    rng = np.random.default_rng(0)
    graph = LayeredGraph.from_weights(
        (rng.normal(size=(8, 8)), rng.normal(size=(8, 2))), orientation="in_out", activations=("tanh", "identity")
    )
    labels = (np.repeat([0, 1], 4), np.repeat([0, 1], 4), np.array([0, 1]))
    x = rng.normal(size=(20, 8))
    first, again, other = (lesions(Hierarchy(graph, labels, labels), x, seed=s).change_p for s in (1, 1, 2))
    assert (first == again).all()
    assert (first != other).any()


def test_a_module_of_all_units_has_one_set_to_be_held_against() -> None:
    one = lesions(detect_modules([[[1.0, 1.0]], [[1.0]]]), [[0, 0], [0, 1], [1, 0], [1, 1]])
    assert one.sets == (1,)
    assert "M0: only one such set exists, so p is at least 1" in str(one)


def test_a_module_of_outputs_loses_nothing() -> None:
    labels = (np.array([0, 0, 1, 1]), np.array([0, 1]), np.array([2, 3]))
    found = lesions(Hierarchy(ANDS, labels, labels), ROWS)
    assert found.drop[2:].tolist() == [[0, 0], [0, 0]]
    assert found.drop_p[2:].tolist() == [[1, 1], [1, 1]]
    assert found.units == (3, 3, 0, 0)


def test_as_read() -> None:
    labels = (np.array([0, 0, 1, 1]), np.array([0, 1]), np.array([2, 3]))
    text = str(lesions(Hierarchy(ANDS, labels, labels), ROWS))
    assert text.splitlines() == [
        "each module's inputs and hidden units held at their mean over 16 rows",
        "",
        "accuracy lost, by output",
        "      y0     y1",
        "M0  0.25   0.00",
        "M1  0.00   0.25",
        "",
        "mean change of the value, by output",
        "      y0     y1",
        "M0  1.00   0.00",
        "M1  0.00   1.00",
        "",
        "focus on few outputs, from 0.50 for all alike to 1 for one: M0 1.00 (p = 0.17), M1 1.00 (p = 0.17)",
        "",
        "* p <= 0.05: at most that share of random sets, of as many units in each layer, costs the output as much",
        "M0: only 12 such sets exist, so p is at least 0.083",
        "M1: only 12 such sets exist, so p is at least 0.083",
        "M2, M3: outputs only, nothing to silence",
    ]


def test_stars_mark_losses_that_few_random_sets_reach() -> None:
    weights = np.zeros((12, 1))
    weights[:6, 0] = 2.0 ** np.arange(6)
    labels = (np.repeat([0, 1], 6), np.array([2]))
    text = str(
        lesions(
            Hierarchy(LayeredGraph.from_weights((weights,), orientation="in_out"), labels, labels), np.vstack([np.ones(12), np.zeros(12)])
        )
    )
    assert "M0  31.50*\nM1   0.00\n" in text
    assert "such sets exist" not in text


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10_000), activation=st.sampled_from(sorted(ACTIVATIONS)))
def test_a_silenced_network_equals_a_forward_pass_with_held_units(seed: int, activation: str) -> None:
    rng = np.random.default_rng(seed)
    widths = (4, 5, 3, 2)
    shapes = [(4, 5), (5, 3), (3, 2)]
    graph = LayeredGraph.from_weights(
        tuple(rng.normal(size=s) for s in shapes),
        orientation="in_out",
        biases=tuple(rng.normal(size=s[1]) for s in shapes),
        activations=(activation,) * 3,
    )
    x = rng.normal(size=(7, 4))
    means = [values.mean(axis=0) for values in graph.unit_values(x)]
    held = [np.flatnonzero(rng.random(n) < 0.4) for n in widths[:-1]]
    values = x.copy()
    for layer in range(3):
        values[:, held[layer]] = means[layer][held[layer]]
        values = ACTIVATIONS[activation](values @ graph.weights[layer] + graph.biases[layer])
    assert silenced(graph, held, means).evaluate(x) == pytest.approx(values)


def test_silencing_leaves_the_network_alone() -> None:
    before = [w.copy() for w in (*ANDS.weights, *ANDS.biases)]
    silenced(ANDS, [np.array([0]), np.array([1])], [np.ones(4), np.ones(2)])
    assert all((a == b).all() for a, b in zip(before, (*ANDS.weights, *ANDS.biases), strict=True))


@pytest.mark.parametrize(
    ("x", "options", "text"),
    [
        (ROWS[:, :3], {}, r"x must have shape \(rows, 4\); got \(16, 3\)"),
        (ROWS[:0], {}, "x must have at least one row; got none"),
        (ROWS, {"y": ROWS}, r"y must hold the bits 0 and 1 in shape \(16, 2\); got shape \(16, 4\). Leave it out"),
        (ROWS, {"y": 2.5 * ROWS[:, :2]}, "y must hold the bits 0 and 1 .* got values from 0 to 2.5"),
        (ROWS, {"random_sets": 99}, "random_sets must be an integer of at least 100; got 99"),
        (ROWS, {"random_sets": 200.0}, "random_sets must be an integer"),
        (ROWS, {"random_sets": True}, "random_sets must be an integer"),
    ],
)
def test_bad_data_are_refused(x: np.ndarray, options: dict, text: str) -> None:
    with pytest.raises(ValueError, match=text):
        lesions(detect_modules(ANDS), x, **options)
