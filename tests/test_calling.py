"""Calls that have a model without data, data without a model, or both in the other order."""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np
import pytest

from sculpting import sculpt, tasks
from sculpting.narrow import ablation_scores, attribution_scores, narrow

TASK = tasks.from_gates({"y": "(a & b) | c"})
MODEL = TASK.model(width=4, hidden_layers=1)
X, Y = np.eye(3), np.eye(3)[:, :1]


@pytest.mark.parametrize(
    ("given", "named", "expected"),
    [
        ((), {}, r"got neither. Pass a model and its data, as in sculpt\(model, \(x, y\)\)"),
        ((TASK,), {}, r"got Task alone. Pass the model that the task proposes, or one of your own: sculpt\(task.model\(\), task\)"),
        ((), {"data": TASK}, r"got Task alone. Pass the model that the task proposes"),
        ((MODEL,), {"seeds": 2}, r"got Sequential alone. Pass its data too, as in sculpt\(model, \(x, y\)\)"),
        (((X, Y),), {}, r"got tuple alone. Pass the model first"),
        ((TASK, MODEL), {}, r"got Task and Sequential. Swap them"),
        (((X, Y), [MODEL]), {}, r"got tuple and list. Swap them"),
        ((), {"model": TASK, "data": MODEL}, r"got Task and Sequential. Swap them"),
        ((X, Y), {}, r"got ndarray and ndarray. Pass the model first and the data as a pair: sculpt\(model, \(x, y\)\)"),
        ((MODEL, X, Y), {}, r"got Sequential and ndarray and ndarray. Pass the data as a pair, as in sculpt\(model, \(x, y\)\)"),
        ((MODEL, TASK, 4), {}, r"got Sequential and Task and int. Pass all else by name"),
    ],
)
def test_sculpt_says_what_is_missing_or_swapped(given: tuple[Any, ...], named: dict[str, Any], expected: str) -> None:
    with pytest.raises(TypeError, match=rf"^sculpt must be called as sculpt\(model, data\); {expected}"):
        sculpt(*given, **named)


@pytest.mark.parametrize("function", [narrow, ablation_scores, attribution_scores])
def test_every_function_of_a_model_and_data_says_so(function: Any) -> None:
    name, second = function.__name__, [*inspect.signature(function).parameters][1]
    for given, expected in (((TASK,), "got Task alone"), ((TASK, MODEL), "got Task and Sequential. Swap them")):
        with pytest.raises(TypeError, match=rf"^{name} must be called as {name}\(model, {second}\); {expected}"):
            function(*given)
    with pytest.raises(TypeError, match=rf"^{name} must be called as .*. Pass the data as a pair, as in {name}\(model, \(x, y\)\)"):
        function(MODEL, X, Y)


def test_a_model_that_is_given_twice_is_said_to_be() -> None:
    with pytest.raises(TypeError, match="multiple values for argument 'model'"):
        sculpt(MODEL, model=MODEL)  # type: ignore[call-arg, misc]
