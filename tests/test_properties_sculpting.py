"""Public functions of sculpting return, or raise what they document, whatever arrays, tables and numbers they get."""

from __future__ import annotations

import contextlib
import math
import warnings
from collections.abc import Callable
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from sculpting import group_accuracy, narrow, tasks

quick = settings(max_examples=30, deadline=None)
numbers = st.one_of(st.integers(-3, 12), st.integers(), st.floats(), st.booleans(), st.none(), st.text(max_size=3), st.complex_numbers())
shapes = arrays.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=5)
dtypes = st.sampled_from(["f4", "f8", "f2", "i8", "u8", "u1", "?", "c8", "U2", "O", "M8[s]"])
anything = st.one_of(
    arrays.arrays(dtypes, shapes),
    st.lists(st.lists(numbers, max_size=3), max_size=6),
    st.dictionaries(st.text(max_size=3), st.lists(numbers, max_size=6), max_size=3),
    st.lists(numbers, max_size=6),
    numbers,
)
tensors = arrays.arrays("f4", st.tuples(st.integers(1, 3), st.integers(1, 4), st.integers(1, 4)), elements=st.floats(-3, 3, width=32))
REFUSED = (TypeError, ValueError)


@pytest.fixture(autouse=True)
def _without_warnings() -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


@quick
@given(anything, anything, st.sampled_from([None, "bce", "ce", "mse"]))
def test_as_task_returns_finite_rows_or_raises_what_it_documents(x: Any, y: Any, loss: str | None) -> None:
    with contextlib.suppress(*REFUSED):
        task = tasks.as_task((x, y), loss=loss)
        assert bool(task.x.isfinite().all())
        assert len(task.x) == len(task.y)
        assert task.loss == (loss or task.loss)


@quick
@given(anything, anything)
def test_from_table_returns_a_complete_table_or_raises_what_it_documents(x: Any, y: Any) -> None:
    with contextlib.suppress(*REFUSED):
        assert tasks.from_table(x, y).complete


@quick
@given(st.integers(1, 4).flatmap(lambda n: st.lists(st.integers(0, 1), min_size=2**n, max_size=2**n)))
def test_every_truth_table_is_one(bits: list[int]) -> None:
    n = int(math.log2(len(bits)))
    rows = [[row >> i & 1 for i in range(n)] for row in range(2**n)]
    task = tasks.from_table(rows, bits)
    assert task.complete
    assert task.y.flatten().tolist() == bits


@quick
@given(st.dictionaries(st.text(max_size=3), st.text(alphabet="ab &|^~()\0", max_size=12), max_size=4))
def test_from_gates_returns_a_table_or_raises_what_it_documents(gates: dict[str, str]) -> None:
    with contextlib.suppress(*REFUSED):
        task = tasks.from_gates(gates)
        assert len(task.x) == 2 ** len(task.input_names)
        assert len(task.truth(2)) >= 1


@pytest.mark.parametrize(
    "call",
    [
        lambda a, b: tasks.cmsp(a, b),
        lambda a, b: tasks.cmsp(2, 2, rows=a, seed=b),
        lambda a, b: tasks.random_gates(a, levels=b),
        lambda a, b: tasks.two_sums(a),
        lambda a, b: tasks.boolean([a, b]),
        lambda a, b: tasks.named(a),
        lambda a, b: tasks.compiled("reverse", width=a, seed=b),
        lambda a, b: tasks.sensor_fusion(a, b),
        lambda a, b: tasks.sensor_fusion(samples=a, seed=b, rows=100, validation=100, test=100),
        lambda a, b: tasks.sprite_scenes(a, rows=b),
        lambda a, b: tasks.expression_parity(a, b),
        lambda a, b: tasks.known_set(a),
        lambda a, b: tasks.side_by_side("wine", "iris", rows=a, joint=b),
        lambda a, b: tasks.mnist_digits([a, b], source="digits"),
        lambda a, b: tasks.mnist_pair(source="digits", pairs=a, size=b),
        lambda a, b: tasks.boolean("both").model(a, b),
        lambda a, b: tasks.Transformer(4, 3, 2, width=a, heads=b),
        lambda a, b: tasks.ConvolutionalNetwork(2, 2, channels=(a, b)),
        lambda a, b: narrow.Lasso(a, threshold=b),
        lambda a, b: narrow.NarrowSettings(steps=a, target=b),
        lambda a, b: narrow.distillation_loss("bce", a, b),
        lambda a, b: group_accuracy(a),
    ],
)
@settings(max_examples=20, deadline=None)
@given(st.one_of(numbers, st.integers(1, 6)), st.one_of(numbers, st.integers(1, 6)))
def test_numbers_are_taken_or_refused_as_documented(call: Callable[[Any, Any], Any], a: Any, b: Any) -> None:
    with contextlib.suppress(*REFUSED):
        call(a, b)


@quick
@given(tensors)
def test_the_accuracy_of_groups_lies_in_0_to_1(z: Any) -> None:
    answers = torch.from_numpy(z)
    with contextlib.suppress(ValueError):
        accuracy = tasks.by_group(answers, (answers[0] > 0).float(), groups=2)
        assert bool(((accuracy >= 0) & (accuracy <= 1)).all())
    bits, right = tasks.by_code(answers, (answers > 0).float())
    assert bool((bits >= 0).all())
    assert right.tolist() == torch.ones_like(right).tolist()


@quick
@given(st.lists(arrays.arrays("f8", st.integers(0, 5), elements=st.floats(allow_nan=True)), max_size=3), numbers)
def test_scores_are_compared_and_units_pruned_or_refused(scores: list[Any], sparsity: Any) -> None:
    with contextlib.suppress(*REFUSED):
        assert narrow.score_correlation(scores, scores).count == sum(map(len, scores))
    with contextlib.suppress(*REFUSED):
        narrow.prune_units(tasks.boolean("both").model(3, 1), scores, sparsity)
