"""Importance of inputs, on networks whose answers are known."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn.inspection import permutation_importance

from analysis import LayeredGraph, detect_modules, importance

TABLE = np.array([[a, b, c] for a in (0, 1) for b in (0, 1) for c in (0, 1)])
ROWS = np.tile(TABLE, (20, 1))
# y0 = x0 AND NOT x1, y1 = x0 XOR x1; x2 is not read.
GATES = LayeredGraph.from_weights(
    [[[1.0, -1, 0], [-1, 1, 0]], [[1, 0], [1, 1]]], biases=([0, 0], [-0.5, -0.5]), input_names=("rise", "fall", "none")
)


def test_signs_and_importances_by_hand() -> None:
    found = importance(GATES, ROWS)
    assert found.sign.tolist() == [[1, 0], [-1, 0], [0, 0]]
    # Permuted, an input is another bit in half of the rows: y0 changes where x1 is 0, y1 in all of them.
    np.testing.assert_allclose(found.drop, [[0.25, 0.5], [0.25, 0.5], [0, 0]], atol=0.03)
    np.testing.assert_allclose(found.effect, [[0.5, 0], [-0.5, 0], [0, 0]], atol=0.05)
    for means, ends in ((found.drop, found.drop_interval), (found.effect, found.effect_interval)):
        assert (ends[..., 0] <= means).all()
        assert (means <= ends[..., 1]).all()
    assert not found.drop_interval[2].any()


def test_it_is_the_permutation_importance_of_scikit_learn() -> None:
    rng = np.random.default_rng(0)
    graph, x = LayeredGraph.from_weights([rng.normal(size=(4, 3)), rng.normal(size=(1, 4))]), rng.normal(size=(400, 3))
    y = graph.decisions(graph.evaluate(x))

    class Decided:
        def fit(self, x: Any, y: Any) -> None: ...

        def score(self, x: Any, y: Any) -> float:
            return float((graph.decisions(graph.evaluate(x)) == y).mean())

    expected = permutation_importance(Decided(), x, y, n_repeats=200, random_state=0).importances_mean
    np.testing.assert_allclose(importance(graph, x, y=y, repeats=200).drop[:, 0], expected, atol=0.01)


def test_intervals_are_narrower_with_more_rows() -> None:
    few, many = (importance(GATES, np.tile(TABLE, (times, 1))).effect_interval for times in (4, 64))
    widths = [np.ptp(part[:2], axis=-1).mean() for part in (few, many)]
    assert 2.5 < widths[0] / widths[1] < 6  # the root of 16


def test_the_same_seed_gives_the_same_result_from_a_hierarchy_too() -> None:
    found, again, other = importance(GATES, ROWS), importance(detect_modules(GATES), ROWS), importance(GATES, ROWS, seed=1)
    assert (found.drop == again.drop).all()
    assert (found.effect_interval == again.effect_interval).all()
    assert (found.drop != other.drop).any()


def test_a_constant_input_has_none() -> None:
    found = importance(GATES, TABLE * [1, 0, 1])
    assert not found.drop[1].any()
    assert not found.effect_interval[1].any()


def test_it_prints_names_and_intervals() -> None:
    lines = str(importance(GATES, ROWS, repeats=100)).splitlines()
    assert lines[0] == "accuracy lost when an input is permuted over 160 rows, by output, with 95 % interval"
    assert [line.split()[0] for line in lines[2:5]] == ["rise", "fall", "none"]
    assert "+0.00 [+0.00, +0.00]" in lines[-1]
    many = str(importance([np.eye(30)], np.random.default_rng(0).normal(size=(50, 30))))
    assert many.splitlines()[0].startswith("accuracy lost when an input is permuted over 50 rows, of the 24 that count most, by")


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"repeats": 0}, "repeats must be a whole number of at least 1; got 0"),
        ({"samples": 1.5}, r"samples must be a whole number of at least 1; got 1\.5"),
        ({"y": ROWS}, r"y must hold the bits 0 and 1 in shape \(160, 2\)"),
    ],
)
def test_bad_arguments_are_refused(arguments: dict, text: str) -> None:
    with pytest.raises(ValueError, match=text):
        importance(GATES, ROWS, **arguments)
