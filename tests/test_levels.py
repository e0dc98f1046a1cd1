"""How many levels the decisions of a network need of its units, and what they count for in a consensus."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import pytest

from analysis import LayeredGraph, consensus, needed_levels

ROWS = np.array(list(product((0, 1), repeat=2)))


def relu(weights: Any, biases: Any) -> LayeredGraph:
    return LayeredGraph.from_weights(weights, biases=biases, activations=["relu", "identity"])


# XOR from two units; from one unit with three levels, by a unit above that is largest in the middle; and AND and OR of that unit.
TWO = relu([[[1, 1], [1, 1]], [[1, -2]]], [[0, -1], [-0.5]])
BUMP = [[[1.0, 1.0]], [[1.0], [1.0]], [[1.0, -2.0]]]
ONE = LayeredGraph.from_weights(BUMP, biases=[[0], [0, -1], [-0.5]], activations=["identity", "relu", "identity"])
BOTH = relu([[[1, 1]], [[1], [1]]], [[0], [-0.5, -1.5]])


def levels(graph: LayeredGraph, x: Any = ROWS) -> list[list[int]]:
    return [part.tolist() for part in needed_levels(graph, x)]


def test_a_unit_needs_as_many_levels_as_functions_are_read_from_it() -> None:
    assert levels(TWO) == [[2, 2]]
    assert levels(ONE) == [[3], [2, 2]]
    assert levels(BOTH) == [[3]]
    # For the OR alone, two are enough, whatever values the unit takes.
    assert levels(relu([[[1, 1]], [[1]]], [[0], [-0.5]])) == [[2]]


def test_units_that_matter_to_nothing_need_one_level() -> None:
    dead = relu([[[1, 1], [1, 0], [0, 0]], [[1, 0, 1]]], [[0, 0, 1], [-1.5]])
    assert levels(dead) == [[2, 1, 1]]
    constant = relu([[[1.0, 1.0]], [[1.0]]], [[0], [9]])
    assert levels(constant) == [[1]]  # the output is 1 whatever it is


def test_a_unit_that_carries_a_number_needs_all_its_levels() -> None:
    x = np.array(list(product((0, 1), repeat=3)))
    number = LayeredGraph.from_weights(
        [[[4, 2, 1]], [[1]] * 7], biases=[[0], [-0.5 - i for i in range(7)]], activations=["relu", "identity"]
    )
    assert levels(number, x) == [[7]]  # of its seven gaps the six largest are cut: the first of equal ones
    assert levels(number, x[:4]) == [[4]]
    # More values than can be told apart by gaps are many, not one.
    x = np.array(list(product((0, 1), repeat=5)))
    assert levels(relu([[[16, 8, 4, 2, 1]], [[1]] * 31], [[0], [-0.5 - i for i in range(31)]]), x) == [[7]]


def test_the_scale_of_a_unit_does_not_matter() -> None:
    for scale in (1e-3, 1e3):
        scaled = LayeredGraph.from_weights(
            [[[scale, scale]], [[1 / scale], [1 / scale]]], biases=[[0], [-0.5, -1.5]], activations=["relu", "identity"]
        )
        assert levels(scaled) == [[3]]


def test_inputs_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match=r"x must have shape \(rows, 2\); got \(4, 1\)"):
        needed_levels(TWO, ROWS[:, :1])
    with pytest.raises(ValueError, match=r"x must have at least one row, such as all rows of a truth table; got shape \(0, 2\)"):
        needed_levels(TWO, ROWS[:0])


def test_any_network_is_taken() -> None:
    assert [part.tolist() for part in needed_levels([[[1.0, 1.0]], [[1.0]]], ROWS)] == levels(LayeredGraph.from_weights([[[1, 1]], [[1]]]))


def test_levels_count_in_a_consensus_with_x_alone() -> None:
    """The smaller network computes AND and OR from one unit with three levels, the other from two units."""
    apart = LayeredGraph.from_weights(
        [[[1, 1], [1, 1]], [[1, 0], [0, 1]]], biases=[[0, -1], [-0.5, -0.5]], activations=["relu", "identity"]
    )
    candidates = [BOTH, apart]
    assert consensus(candidates).network is BOTH
    assert consensus(candidates, x=ROWS).network is apart
    assert consensus(candidates, x=ROWS, level_cost=0).network is BOTH
    assert consensus(candidates, x=ROWS, level_cost=1).network is BOTH  # 4 edges, a unit and a level against 6 edges and two units
    with pytest.raises(ValueError, match=r"level_cost must be at least 0 and finite, the edges that a further level of a unit counts for"):
        consensus(candidates, x=ROWS, level_cost=-1)
    with pytest.raises(ValueError, match=r"x must have shape \(rows, 2\); got \(2, 3\)"):
        consensus(candidates, x=np.zeros((2, 3)))
