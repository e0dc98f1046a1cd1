"""The ground truth of one's own gates: what one unit can compute, named gates, and time."""

from __future__ import annotations

from itertools import product
from typing import Any

import networkx as nx
import numpy as np
import pytest

from sculpting import tasks
from sculpting.tasks.threshold import all_rows, is_threshold


def modules(truth: nx.DiGraph) -> list[tuple[str, str]]:
    """Inputs and outputs of every module, as letters and digits."""
    return sorted(("".join("abcdefgh"[i] for i in m["inputs"]), "".join(map(str, m["outputs"]))) for _, m in truth.nodes(data=True))


@pytest.mark.parametrize("inputs", [1, 2, 3])
def test_threshold_functions_are_those_that_some_small_weights_compute(inputs: int) -> None:
    """By search over integer weights, which are enough for so few inputs; of 4, 16 and 256 functions 4, 14 and 104 are threshold."""
    rows = all_rows(inputs).astype(int)
    weights = [np.array(w) for w in product(range(-2, 3), repeat=inputs)]
    computed = {((rows @ w) > b - 0.5).tobytes() for w in weights for b in range(-7, 8)}
    columns = [np.array(bits, dtype=bool) for bits in product((False, True), repeat=2**inputs)]
    found = {column.tobytes() for column in columns if is_threshold(column)}
    assert found == computed
    assert len(found) == {1: 4, 2: 14, 3: 104}[inputs]


BLOCKS = {"y0": "(a ^ b) & c", "y1": "(d ^ e) | f", "y2": "g & h"}
MAJORITIES = {"m": "a & b | a & c | b & c", "n": "d & e | d & f | e & f", "y0": "m ^ n", "y1": "m & n"}


@pytest.mark.parametrize(
    ("gates", "depth", "expected"),
    [
        (BLOCKS, 2, [("abc", "0"), ("def", "1"), ("gh", "2")]),
        (BLOCKS, 3, [("abc", "0"), ("def", "1"), ("gh", "2")]),
        (MAJORITIES, 2, [("", "0"), ("", "1"), ("abc", ""), ("def", "")]),
        ({"y": "a & (b | c)"}, 1, [("abc", "0")]),
        ({"p": "a & b", "q": "c & d", "y0": "p ^ q"}, 2, [("", "0"), ("ab", ""), ("cd", "")]),
    ],
)
def test_a_threshold_gate_is_one_unit_and_a_single_private_input_belongs_to_its_reader(
    gates: dict[str, str], depth: int, expected: list[Any]
) -> None:
    assert modules(tasks.from_gates(gates).truth(depth)) == expected


def test_a_majority_needs_one_layer_and_a_parity_of_three_needs_three() -> None:
    """Below its depth a gate is absorbed by the output."""
    majority = tasks.from_gates({"m": MAJORITIES["m"], "n": MAJORITIES["n"], "y": "m & n"})
    assert modules(majority.truth(1)) == [("", "0"), ("abc", ""), ("def", "")]
    parity = tasks.from_gates({"p": "a ^ b ^ c", "y": "p & d"})
    assert modules(parity.truth(3)) == modules(parity.truth(4)) == [("abcd", "0")]


def test_without_a_depth_every_named_gate_is_a_module() -> None:
    truth = tasks.from_gates({"p": "a & b", "q": "b | c", "y": "p ^ q", "z": "~y", "w": "b"}, outputs=["y", "z", "w"]).truth()
    facts = {m["function"]: (m["inputs"], m["outputs"]) for _, m in truth.nodes(data=True)}
    assert facts == {"b": ((1,), (2,)), "p = a & b": ((0,), ()), "q = b | c": ((2,), ()), "y = p ^ q": ((), (0, 1))}
    names = {node: m["function"][0] for node, m in truth.nodes(data=True)}
    assert sorted((names[a], names[b]) for a, b in truth.edges) == [("b", "p"), ("b", "q"), ("p", "y"), ("q", "y")]
    assert len(tasks.boolean("both").truth()) == 6
    shown = tasks.from_gates({"y": "a & b", "z": "~a"}).truth()
    assert [(m["inputs"], m["outputs"]) for _, m in shown.nodes(data=True)] == [((0, 1), (0, 1))]
    with pytest.raises(ValueError, match="depends on the depth: give hidden_layers"):
        tasks.cmsp(2, 2).truth()


def test_gates_that_share_parents_and_a_thousand_gates_are_laid_out_at_once() -> None:
    """A layout that follows every path from a gate to the inputs would not end."""
    shared = {"g0": "a ^ b", **{f"g{i}": f"g{i - 1} ^ {'abcdef'[i % 6]}" for i in range(1, 60)}}
    for depth in (3, 60):
        assert len(tasks.from_gates(shared).truth(depth)) > 0
    rng, names, gates = np.random.default_rng(0), list("abcdefgh"), {}
    for i in range(1000):
        first, second = rng.choice(names[-40:], 2, replace=False)
        gates[f"g{i}"] = f"{first} {'&|^'[i % 3]} {second}"
        names.append(f"g{i}")
    task = tasks.from_gates(gates)
    for depth in (2, 20):
        assert len(task.truth(depth)) > 0
