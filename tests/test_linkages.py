"""Linkages: replayed merges, and merges that do not depend on the order of the units."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from layered import SEEDS, random_features, same
from scipy.spatial.distance import squareform

from analysis.detection.criteria import candidate_counts
from analysis.detection.distances import DISTANCES
from analysis.detection.linkages import LINKAGES, published_merges, replay_merges, symmetric_merges

LINKAGE = st.sampled_from(sorted(LINKAGES))


def distances_of(pairs: list[float]) -> np.ndarray:
    return squareform(np.array(pairs, dtype=float))


def test_replayed_by_hand() -> None:
    merges = np.array([[1, 3, 0.1, 2], [0, 4, 0.2, 3], [2, 5, 0.9, 4]])
    assert [replay_merges(merges, k).tolist() for k in (4, 3, 2, 1)] == [[0, 1, 2, 3], [0, 1, 2, 1], [0, 0, 1, 0], [0, 0, 0, 0]]


def test_equally_close_units_join_at_once() -> None:
    # A square of side 1 and diagonal 1.5: no side is the first.
    square = distances_of([1, 1.5, 1, 1, 1.5, 1])
    assert symmetric_merges(square, "average").tolist() == [[0, 1, 1, 2], [4, 2, 1, 3], [5, 3, 1, 4]]
    # Two pairs at the same distance are two clusters.
    pairs = distances_of([1, 5, 5, 5, 5, 1])
    assert symmetric_merges(pairs, "average").tolist() == [[0, 1, 1, 2], [2, 3, 1, 2], [4, 5, 5, 4]]


@pytest.mark.parametrize(("linkage", "height"), [("average", 5.0), ("complete", 8.0), ("single", 3.0)])
def test_how_far_a_union_is(linkage: str, height: float) -> None:
    # Units 0, 1, 2 in a row join at once; the fourth is at 3, 4 and 8 from them.
    merges = symmetric_merges(distances_of([1, 2, 3, 1, 4, 8]), linkage)
    assert merges[:, 2].tolist() == [1, 1, height]


def test_an_average_counts_units_and_not_clusters() -> None:
    # Three units at no distance, one at 3 from them, the last at 8 and at 4: (3 * 8 + 4) / 4.
    merges = symmetric_merges(distances_of([0, 0, 3, 8, 0, 3, 8, 3, 8, 4]), "average")
    assert merges[:, 2].tolist() == [0, 0, 3, 7]
    assert merges[:, 3].tolist() == [2, 3, 4, 5]


@settings(max_examples=40, deadline=None)
@given(seed=SEEDS, linkage=LINKAGE, count=st.integers(2, 12))
def test_without_ties_the_merges_are_those_of_scipy(seed: int, linkage: str, count: int) -> None:
    distances = squareform(np.random.default_rng(seed).random(count * (count - 1) // 2))
    values = np.sort(squareform(distances))
    assume((np.diff(values) > 1e-6).all())
    ours, theirs = symmetric_merges(distances, linkage), published_merges(distances, linkage)
    np.testing.assert_allclose(ours[:, 2:], theirs[:, 2:], atol=1e-12)
    for k in range(1, count + 1):
        assert same(replay_merges(ours, k), replay_merges(theirs, k))


@settings(max_examples=40, deadline=None)
@given(seed=SEEDS, linkage=LINKAGE, name=st.sampled_from(sorted(DISTANCES)))
def test_the_order_of_the_units_does_not_matter(seed: int, linkage: str, name: str) -> None:
    rng = np.random.default_rng(seed)
    for rows in random_features(seed):
        order = rng.permutation(len(rows))
        distances = DISTANCES[name](rows)
        merges, other = symmetric_merges(distances, linkage), symmetric_merges(distances[np.ix_(order, order)], linkage)
        np.testing.assert_allclose(merges[:, 2], other[:, 2], atol=1e-12)
        assert candidate_counts(merges).tolist() == candidate_counts(other).tolist()
        for k in candidate_counts(merges):
            assert same(replay_merges(merges, k)[order], replay_merges(other, k))


@settings(max_examples=40, deadline=None)
@given(seed=SEEDS, linkage=LINKAGE, name=st.sampled_from(sorted(DISTANCES)))
def test_symmetric_merges_are_a_valid_linkage(seed: int, linkage: str, name: str) -> None:
    for rows in random_features(seed):
        distances = DISTANCES[name](rows)
        merges, count = symmetric_merges(distances, linkage), len(rows)
        assert sorted(merges[:, :2].ravel().tolist()) == list(range(2 * count - 2))  # every cluster but the last joins once
        assert (merges[:, :2].max(axis=1) < count + np.arange(count - 1)).all()
        heights = merges[:, 2]
        assert ((np.diff(heights) == 0) | (np.diff(heights) > 1e-9)).all()
        assert merges[-1, 3] == count
        # What lies below a height is joined, by single linkage at the least: no two clusters are as close as an earlier merge.
        for k in candidate_counts(merges):
            labels = replay_merges(merges, k)
            apart = distances[labels[:, None] != labels]
            if linkage == "single":
                assert apart.min() == pytest.approx(heights[count - k])
