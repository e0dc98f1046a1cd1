"""The tests that may overrule the number of clusters: overlaps by hand, and what ties do to them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from layered import SEEDS, random_features

from analysis.detection import separability
from analysis.detection.criteria import Tree
from analysis.detection.distances import cosine_distances
from analysis.detection.linkages import TIES
from analysis.detection.separability import OverlapTest, overlap_test, overruled_count


def tree_of(rows: list[list[int]] | np.ndarray, ties: str) -> Tree:
    features = np.array(rows, dtype=bool)
    distances = cosine_distances(features)
    return Tree(features, distances, TIES[ties](distances, "average"))


@pytest.mark.parametrize(
    ("overlap", "first", "second", "total", "separate", "single", "excess"),
    [
        (0, 2, 3, 6, True, False, -1 / (5 / 6) ** 0.5),  # no overlap where one is expected
        (3, 3, 3, 6, False, True, 1.5 / (9 / 8) ** 0.5),  # the same three where 1.5 are expected
        (4, 4, 4, 4, False, True, 0.0),  # both hold everything: no spread
        (1, 2, 2, 4, True, True, 0.0),  # exactly what is expected
        (0, 0, 0, 3, False, True, 0.0),
        (0, 0, 1, 3, True, False, 0.0),
        (0, 0, 0, 0, False, True, 0.0),
    ],
)
def test_overlap_by_hand(overlap: int, first: int, second: int, total: int, separate: bool, single: bool, excess: float) -> None:
    result = overlap_test(overlap, first, second, total)
    assert (result.separate, result.single) == (separate, single)
    assert result.excess == pytest.approx(excess)


@pytest.mark.parametrize("ties", TIES)
def test_the_larger_score_wins_where_both_tests_fire_and_a_tie_joins(ties: str) -> None:
    # Three ORs of three ANDs. Two units: 1 shared, 4/3 expected. One unit against the other two: 2 shared, 2 expected.
    assert overruled_count(tree_of([[1, 0, 1], [1, 1, 0], [0, 1, 1]], ties), ties) == 3
    assert overruled_count(tree_of([[1, 1, 0, 0], [1, 0, 1, 0]], ties), ties) == 1


@pytest.mark.parametrize("ties", TIES)
def test_neither_test_fires(ties: str) -> None:
    # The closest two share 2 where 4/6 are expected; the last two share nothing.
    assert overruled_count(tree_of([[1, 1, 0, 0, 0, 0], [1, 1, 0, 0, 0, 0], [0, 0, 0, 0, 1, 1]], ties), ties) is None


def test_every_pair_of_closest_units_must_look_separate() -> None:
    # Two pairs at a cosine of 1/2, of 21 features: two of each share 1 where 4/21 are expected, and 12 of each share 6 where 144/21 are.
    rows = np.zeros((4, 21), dtype=bool)
    rows[0, [0, 1]] = rows[1, [1, 2]] = True
    rows[2, 3:15] = rows[3, 9:21] = True
    for order, published in ([0, 1, 2, 3], None), ([2, 3, 0, 1], 4):
        assert overruled_count(tree_of(rows[order], "symmetric"), "symmetric") is None
        assert overruled_count(tree_of(rows[order], "published"), "published") == published


def test_each_of_the_clusters_that_join_last_is_held_against_all_others() -> None:
    # Three units that share one feature pairwise: with 12 features 1/3 is expected of two, and 1/2 of one with both others.
    rows = np.zeros((3, 12), dtype=bool)
    rows[0, [0, 1]] = rows[1, [1, 2]] = rows[2, [2, 0]] = True
    assert overruled_count(tree_of(rows, "symmetric"), "symmetric") == 1
    # A fourth that shares nothing, all at one distance of the others' joint: neither test fires.
    rows = np.vstack([rows, np.zeros(12, dtype=bool)])
    rows[3, [7, 8]] = True
    assert overruled_count(tree_of(rows, "symmetric"), "symmetric") is None


def test_of_several_pairs_the_one_that_speaks_the_least_for_its_side_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    # Scores stand in for pairs: the closest are separate by at least 2, the last are single by at least 1 or by at least 2.
    tree = tree_of([[1, 0], [0, 1]], "symmetric")
    for excess, count in ([3.0, 1.0], 2), ([3.0, 2.0], 1):
        queue = [OverlapTest(True, False, -2.0), OverlapTest(True, False, -4.0), *(OverlapTest(False, True, e) for e in excess)]
        monkeypatch.setattr(separability, "_symmetric_pairs", lambda _: ([(0, 1, 1)] * 2, [(1, 1, 1)] * 2))
        monkeypatch.setattr(separability, "overlap_test", lambda *_, queue=queue, **__: queue.pop(0))
        assert overruled_count(tree, "symmetric") == count


@pytest.mark.parametrize("dtype", [bool, float])
def test_the_union_of_all_others(dtype: type) -> None:
    others = separability._unions_of_others(np.array([[1, 0, 1, 0], [0, 1, 1, 0], [0, 0, 0, 1]], dtype=dtype))
    assert others.astype(int).tolist() == [[0, 1, 1, 1], [1, 0, 1, 1], [1, 1, 1, 0]]
    assert separability._unions_of_others(np.array([[0.5, 0.0], [0.2, 0.7], [0.4, 0.1]])).tolist() == [[0.4, 0.7], [0.5, 0.1], [0.5, 0.7]]


@pytest.mark.parametrize("ties", TIES)
def test_strengths_are_degrees_of_membership(ties: str) -> None:
    # In shares of the strongest: (1, 1/4), (1/2, 1) and (0, 1) of 8 features. The last two are the closest: they share 1, where 3/16 are
    # expected, and are not separate. Their union shares 3/4 with the first: less than 1, so that they are not one cluster either.
    rows = np.zeros((3, 8))
    rows[:, :2] = [[4, 1], [1, 2], [0, 3]]
    distances = cosine_distances(rows)
    tree = Tree(rows, distances, TIES[ties](distances, "average"))
    assert overruled_count(tree, ties) is None
    binary = Tree(rows > 0, distances, tree.merges)
    assert overruled_count(binary, ties) == 1


@settings(max_examples=40, deadline=None)
@given(seed=SEEDS)
def test_the_order_of_the_units_does_not_matter(seed: int) -> None:
    rng = np.random.default_rng(seed)
    for rows in random_features(seed):
        if cosine_distances(rows).any():
            order = rng.permutation(len(rows))
            found, other = (overruled_count(tree_of(r, "symmetric"), "symmetric") for r in (rows, rows[order]))
            assert found == other
