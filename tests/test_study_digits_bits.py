"""Whether a network that XORs two digits computes their bits apart."""

from __future__ import annotations

from typing import Any

import numpy as np

from analysis import LayeredGraph
from sculpting.studies.digits.bits import bit_columns

PAIRS = np.stack(np.divmod(np.arange(64), 8), axis=1)
DIGITS = np.tile(PAIRS, (40, 1))


def bits_of(digits: Any) -> Any:
    """The bits 4, 2 and 1 of both digits, six columns."""
    return np.concatenate([(digits[:, [side]] & np.array([4, 2, 1]) > 0) for side in (0, 1)], axis=1).astype(float)


def differences() -> Any:
    """Of six bits (or units that are the bits) relu(a_j - b_j) and relu(b_j - a_j), shape (6, 6): output, input."""
    return np.concatenate([np.hstack([np.eye(3), -np.eye(3)]), np.hstack([-np.eye(3), np.eye(3)])])


SUMS = np.hstack([np.eye(3), np.eye(3)])


def test_a_network_that_keeps_the_bits_apart_is_said_to() -> None:
    dead = np.vstack([differences(), np.ones((1, 6))])
    graph = LayeredGraph.from_weights([dead, np.hstack([SUMS, np.zeros((3, 1))]), np.eye(3)])
    columns = bit_columns(graph, bits_of(DIGITS), DIGITS)
    assert columns == {"bit_share": "1.00-1.00", "bits_separate": True, "one_output": "6-3"}


def test_a_network_that_reads_digits_whole_before_it_takes_bits_is_said_not_to() -> None:
    # Sixteen units that each know one digit of one side; then the differences of bits, which are sums of these.
    codes = bits_of(PAIRS[:8][:, ::-1])[:, :3]
    known = np.kron(np.eye(2), 2 * codes - 1)
    biases = np.tile(1 - codes.sum(axis=1), 2)
    readers = differences() @ np.kron(np.eye(2), codes.T)
    graph = LayeredGraph.from_weights([known, readers, SUMS], biases=(biases, np.zeros(6), np.zeros(3)))
    columns = bit_columns(graph, bits_of(DIGITS), DIGITS)
    assert columns == {"bit_share": "0.14-1.00", "bits_separate": False, "one_output": "6-6"}  # digits of one bit reach one output
    assert (graph.evaluate(bits_of(DIGITS)) == ((DIGITS[:, :1] ^ DIGITS[:, 1:]) & [4, 2, 1] > 0)).all()


def test_bits_are_apart_only_where_each_of_them_is_columns_of_and_no_unit_tells_of_two() -> None:
    part = differences()[[0, 1, 3, 4]]
    missing = LayeredGraph.from_weights([part, np.array([[1.0, 0, 1, 0], [0, 1, 0, 1], [0, 1, 0, 1]]), np.eye(3)])
    assert bit_columns(missing, bits_of(DIGITS), DIGITS)["bits_separate"] is False
    mixed = LayeredGraph.from_weights([np.vstack([differences(), [1, 1, 0, 0, 0, 0]]), np.hstack([SUMS, np.ones((3, 1))]), np.eye(3)])
    columns = bit_columns(mixed, bits_of(DIGITS), DIGITS)
    assert columns == {"bit_share": "0.93-0.56", "bits_separate": False, "one_output": "6-3"}
