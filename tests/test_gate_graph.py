"""Gate graphs that are made by hand: what is checked at their door."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from sculpting.tasks.formulas import Formula, Literal, read_formula
from sculpting.tasks.gates import GateGraph

MOST = [f"x{i}" for i in range(20)]
P, Y = read_formula("p", "a & b"), read_formula("y", "p | ~c")


def test_a_graph_made_by_hand_is_the_one_that_is_parsed() -> None:
    parsed, made = GateGraph.parse({"y": "p | ~c", "p": "a & b"}), GateGraph(["a", "b", "c"], {"p": P, "y": Y}, ["y"])  # type: ignore[arg-type]
    assert (made.inputs, made.gates, made.outputs) == (parsed.inputs, parsed.gates, parsed.outputs)
    assert made.truth_table()[1].tolist() == parsed.truth_table()[1].tolist()


@pytest.mark.parametrize(
    ("inputs", "gates", "outputs", "kind", "text"),
    [
        ("abc", {"p": "a & b"}, "p", TypeError, r"gates must be a mapping of names to Formula; got str for 'p'. Use GateGraph.parse"),
        ("abc", [P], "p", TypeError, "gates must be a mapping of names to Formula; got list"),
        ("abc", {1: P}, "p", TypeError, "the names of gates must be text; got int"),
        (3, {"p": P}, "p", TypeError, "inputs must be a sequence of names, .* got int"),
        ("abc", {"y": Y, "p": P}, "y", ValueError, "gates must come after what they read; got 'y' before 'p'. Use GateGraph.parse"),
        ("abc", {"y": read_formula("y", "y & a")}, "y", ValueError, "gates must come after what they read; got 'y' before 'y'"),
        ("ab", {"p": P, "y": Y}, "y", ValueError, "every name must be an input or a gate; got 'c'. Inputs"),
        ("abc", {"p": P}, "z", ValueError, "every name must be an input or a gate; got 'z'"),
        ("abc", {"a": read_formula("a", "b & c")}, "a", ValueError, r"must have different names; got \['a'\]"),
        ("aab", {"p": P}, "p", ValueError, "must have different names"),
        ("", {}, "", ValueError, "a truth table must have 1 to 20 inputs; got 0"),
        ([*MOST, "y"], {}, ["x0"], ValueError, "a truth table must have 1 to 20 inputs; got 21"),
        ("abc", {"p": P}, "", ValueError, "there must be at least one output; got none"),
        (MOST, {f"g{i}": read_formula("", "x0 & x1") for i in range(200)}, MOST, ValueError, "a truth table must take at most 400 MB"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused(inputs: Any, gates: Any, outputs: Any, kind: type[Exception], text: str) -> None:
    with pytest.raises(kind, match=text):
        GateGraph(inputs, gates, outputs)


def test_a_graph_that_is_changed_is_checked_again() -> None:
    with pytest.raises(ValueError, match="every name must be an input or a gate; got 'd'"):
        replace(GateGraph.parse({"p": "a & b"}), outputs=("d",))


@pytest.mark.parametrize(
    ("operator", "terms", "kind", "text"),
    [
        ("+", (Literal("a"), Literal("b")), ValueError, r"operator must be one of \['&', '=', '\^', '\|'\]; got '\+'"),
        ("&", (), ValueError, "terms must be two or more for '&', and one for '='; got 0"),
        ("&", (Literal("a"),), ValueError, "got 1"),
        ("=", (Literal("a"), Literal("b")), ValueError, "got 2"),
        ("&", ("a", "b"), TypeError, "terms must be a tuple of Literal and Formula; got str"),
        ("&", [Literal("a"), Literal("b")], TypeError, "terms must be a tuple of Literal and Formula; got list"),
    ],
)
def test_a_formula_made_by_hand_is_checked(operator: Any, terms: Any, kind: type[Exception], text: str) -> None:
    with pytest.raises(kind, match=text):
        Formula(operator, terms)
