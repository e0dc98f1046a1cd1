"""Formulas of gates: how they bind, what is refused, and that long ones are read at once."""

from __future__ import annotations

from itertools import product
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sculpting import tasks
from sculpting.tasks.formulas import read_formula
from sculpting.tasks.gates import GateGraph

NAMES = "abcd"


@st.composite
def texts(draw: st.DrawFn, depth: int = 0) -> str:
    """A formula over four names, with spaces, signs and parentheses anywhere."""
    if depth == 4 or draw(st.booleans()):
        return "~" * draw(st.integers(0, 2)) + draw(st.sampled_from(NAMES))
    inner = f"{draw(texts(depth + 1))} {draw(st.sampled_from('&|^'))} {draw(texts(depth + 1))}"
    return draw(st.sampled_from([inner, f"({inner})", f"~({inner})", f"(({inner}))"]))


@settings(max_examples=200, deadline=None)
@given(texts())
def test_a_formula_means_what_it_means_in_python(text: str) -> None:
    graph = GateGraph.parse({"y": text}, inputs=NAMES)
    expected = [eval(text, {}, dict(zip(NAMES, row, strict=True))) & 1 for row in product((0, 1), repeat=4)]
    assert graph.columns()["y"].tolist() == expected
    again = GateGraph.parse({"y": str(graph.gates["y"])}, inputs=NAMES)  # what is printed can be read
    assert again.columns()["y"].tolist() == expected


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (3, "as text such as 'a & ~b'; got int"),
        (None, "got NoneType"),
        ("", r"\(it is empty\)"),
        ("a &", r"got 'a &' \(it ends where a name must follow\)"),
        ("a & & b", "'&' must follow a name"),
        ("(a", "a parenthesis is not closed"),
        ("a)", "a parenthesis is closed that was not opened"),
        ("a b", "'b' must follow an operator"),
        ("a ~ b", "'~' must follow an operator"),
        ("()", r"'\)' must follow a name"),
        ("3b & a", "'3b' is none of these"),
        ("a and b", "'and' must follow an operator; write & for it"),
        ("(a & " * 200 + "a" + " | b)" * 200, r"got '\(a & \(a .*\.\.\. \(it has more than 100 formulas in one another"),
    ],
)
def test_what_is_no_formula_is_refused(text: Any, reason: str) -> None:
    with pytest.raises(ValueError, match=rf"gate 'y' must be a formula.*{reason}"):
        tasks.from_gates({"y": text})


def test_keywords_and_many_parentheses_are_read() -> None:
    assert GateGraph.parse({"y": "in & is"}).inputs == ("in", "is")
    assert str(read_formula("y", "(" * 500 + "a" + ")" * 500 + " & b")) == "a & b"


def test_a_long_formula_is_read_at_once() -> None:
    """Ten thousand operators; a parser that nests them ends in a RecursionError."""
    operands = [NAMES[i % 4] for i in range(10_001)]
    flat = tasks.from_gates({"y": " ^ ".join(operands)})
    assert flat.y[:, 0].tolist() == [a ^ 0 for a in flat.x[:, 0].int().tolist()]  # every other name stands there an even number of times
    mixed = " ".join(f"{name} {'&|^'[i % 3]}" for i, name in enumerate(operands)) + " a"
    assert len(tasks.from_gates({"y": mixed}).truth(2)) > 0
