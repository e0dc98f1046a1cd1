"""Complete truth tables and the column multiplicity of their inputs."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from layered import SEEDS

from analysis.truth.truth_table import TruthTable
from sculpting import tasks


def table(name: Sequence[int]) -> TruthTable:
    found = TruthTable.of(tasks.boolean(name).truth(1))
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("name", "inputs", "outputs", "classes"),
    [
        # Even = x0 ~x3 (x1 xor x2), odd = ~x1 x2 (x0 xor x3): x0 and x3 matter as (1, 0), (0, 1) or neither.
        ((4, 1, 2, 4), (0, 3), range(4), 3),
        ((4, 1, 2, 4), (1, 2), range(4), 3),
        ((4, 1, 2, 4), (0, 1), range(4), 4),
        ((4, 1, 2, 4), (2, 3), range(4), 4),
        ((4, 1, 2, 4), (3, 0), (0, 2), 2),  # the even outputs only ask whether they are (1, 0)
        ((4, 1, 2, 4), (0, 1, 2, 3), range(4), 4),  # neither, both, even, odd
        ((4, 1, 4), (0, 3), range(4), 3),
        ((4, 1, 4), (0, 1), range(4), 4),
        ((4, 2, 4), (0, 1), range(4), 2),
        ((4, 2, 4), (0, 2), range(4), 4),
        ((4, 2, 4), (0, 1), (2, 3), 1),
        ((6, 3, 3, 3), (2, 3), range(3), 2),
        ((6, 3, 3, 3), range(6), range(3), 5),  # 000, 110, 101, 011 and 111
        ((8, 2, 2), (4, 5, 6), range(2), 2),  # g = x7 and h(x4, x5, x6)
        ((8, 2, 2), (5, 6, 7), range(2), 3),  # g = x4, not x4 or 0
        ((8, 2, 1, 2, 2), range(8), range(2), 3),
        ((6, 3, 3, 3), (), range(3), 1),
        ((6, 3, 3, 3), (0, 1), (), 1),
    ],
)
def test_classes_by_hand(name: tuple[int, ...], inputs: Sequence[int], outputs: Sequence[int], classes: int) -> None:
    assert table(name).classes(inputs, outputs) == classes


def cofactors(x: np.ndarray, y: np.ndarray, inputs: Sequence[int]) -> int:
    """Distinct rows of the decomposition chart, filled cell by cell."""
    free = [i for i in range(x.shape[1]) if i not in inputs]
    cells = {tuple(row): tuple(out) for row, out in zip(x.tolist(), y.tolist(), strict=True)}
    charts = set()
    for bound in product((0, 1), repeat=len(inputs)):
        row = dict(zip(inputs, bound, strict=True))
        charts.add(
            tuple(
                cells[tuple({**row, **dict(zip(free, rest, strict=True))}[i] for i in range(x.shape[1]))]
                for rest in product((0, 1), repeat=len(free))
            )
        )
    return len(charts)


@settings(max_examples=40, deadline=None)
@given(seed=SEEDS, n=st.integers(1, 5), k=st.integers(1, 3), ones=st.sampled_from([0.0, 0.1, 0.5]))
def test_classes_and_support_equal_their_definitions_in_any_order_of_rows(seed: int, n: int, k: int, ones: float) -> None:
    rng = np.random.default_rng(seed)
    x = np.array(list(product((0, 1), repeat=n)))
    y = (rng.random((2**n, k)) < ones).astype(int)
    order = rng.permutation(2**n)
    shuffled = TruthTable(x[order], y[order])
    inputs = rng.permutation(n)[: rng.integers(0, n + 1)].tolist()
    assert shuffled.classes(inputs, range(k)) == cofactors(x, y, inputs)
    for i, j in product(range(n), range(k)):
        assert shuffled.support[i, j] == (y[x[:, i] == 0, j] != y[x[:, i] == 1, j]).any()
    assert shuffled.x.tolist() == x.tolist()
    assert shuffled.y.tolist() == y.tolist()


@pytest.mark.parametrize(
    ("x", "y"),
    [
        ([[0], [1]], [[0]]),
        ([[0], [0]], [[0], [1]]),
        ([[0], [1]], [[0], [2]]),
        ([[0], [0.5]], [[0], [1]]),
        ([[0, 0], [0, 1], [1, 0]], [[0], [0], [1]]),
        ([[0], [1]], [0, 1]),
        ([[0], [1]], None),
    ],
)
def test_what_is_no_complete_table_is_refused(x: Any, y: Any) -> None:
    with pytest.raises(ValueError, match=r"x of shape \(2\^n, n\), each row of 0 and 1 once, and y .*got x of shape"):
        TruthTable(x, y)
