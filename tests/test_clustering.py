"""Clusters of one layer: results worked out by hand, and every corrected defect of the published code."""

from __future__ import annotations

import numpy as np
import pytest
from layered import same
from scipy.cluster.hierarchy import linkage

from analysis.detection import linkages
from analysis.detection.clustering import cluster_units
from analysis.detection.criteria import best_count, candidate_counts, modularity_by_count
from analysis.detection.distances import cosine_distances
from analysis.detection.linkages import published_merges

BOTH = pytest.mark.parametrize("ties", ["published", "symmetric"])


def best_count_of(features: np.ndarray) -> int | None:
    distances = cosine_distances(features)
    merges = published_merges(distances, "average")
    counts = candidate_counts(merges)
    return best_count(counts, modularity_by_count(merges, distances)[counts - 1])


@BOTH
def test_the_larger_score_wins_where_both_tests_fire_and_a_tie_joins(ties: str) -> None:
    assert cluster_units([[1, 0, 1], [1, 1, 0], [0, 1, 1]], ties=ties).tolist() == [0, 1, 2]
    assert cluster_units([[1, 1, 0, 0], [1, 0, 1, 0]], ties=ties).tolist() == [0, 0]


@BOTH
def test_a_weak_modularity_is_put_to_the_tests(ties: str) -> None:
    # Three clusters of two, of modularity -1/3, that share most of what they reach.
    features = np.hstack([np.repeat(np.eye(3), 2, axis=0), np.ones((6, 9)), np.zeros((6, 20))])
    assert same(cluster_units(features, modularity_threshold=0.3, ties=ties), [0, 0, 1, 1, 2, 2])
    assert same(cluster_units(features, modularity_threshold=1 / 3, ties=ties), [0, 0, 1, 1, 2, 2])
    assert same(cluster_units(features, modularity_threshold=0.4, ties=ties), [0] * 6)


def test_a_weak_modularity_is_put_to_the_tests_whatever_the_criterion() -> None:
    features = np.hstack([np.repeat(np.eye(3), 2, axis=0), np.ones((6, 9)), np.zeros((6, 20))]).astype(bool)
    for criterion in ("silhouette", "calinski_harabasz", "davies_bouldin"):
        assert same(cluster_units(features, modularity_threshold=0.3, criterion=criterion), [0, 0, 1, 1, 2, 2])
        assert same(cluster_units(features, modularity_threshold=0.4, criterion=criterion), [0] * 6)


def test_a_modularity_at_the_threshold_is_not_weak_whatever_its_rounding() -> None:
    # k clusters of two have a modularity of -1/k, and share most of what they reach.
    for k in range(3, 25):
        features = np.hstack([np.repeat(np.eye(k), 2, axis=0), np.ones((2 * k, 9)), np.zeros((2 * k, 20))]).astype(bool)
        assert cluster_units(features, modularity_threshold=1 / k).max() + 1 == k
        assert cluster_units(features, modularity_threshold=1 / k + 1e-6).max() + 1 == 1


@BOTH
def test_two_and_all_but_one_clusters_are_put_to_the_tests(ties: str) -> None:
    shared = np.hstack([np.ones((4, 9)), np.zeros((4, 20))])
    for like, count in ([0, 0, 1, 1], 2), ([0, 0, 1, 2], 3):
        own = np.eye(3)[like]
        assert same(cluster_units(own, ties=ties), like)
        assert best_count_of(own) == count
        assert cluster_units(np.hstack([own, shared]), ties=ties).tolist() == [0] * 4


@BOTH
def test_the_last_two_clusters_are_compared_by_all_that_they_reach(ties: str) -> None:
    # Together the first two units reach 0-3 and the last two 2-5: 2 shared, where 16 / f are expected.
    features = np.zeros((4, 10))
    for row, reached in enumerate(([0, 1, 2], [0, 1, 3], [2, 4, 5], [3, 4, 5])):
        features[row, reached] = 1
    assert cluster_units(features, ties=ties).tolist() == [0, 0, 0, 0]
    assert same(cluster_units(features[:, :6], ties=ties), [0, 0, 1, 1])


def test_the_tests_look_at_which_units_are_reached_and_not_how_strongly() -> None:
    features = np.zeros((4, 10))
    for row, reached in enumerate(([0, 1, 2], [0, 1, 3], [2, 4, 5], [3, 4, 5])):
        features[row, reached] = 0.01
    assert cluster_units(features).tolist() == [0, 0, 0, 0]
    assert same(cluster_units(features[:, :6]), [0, 0, 1, 1])


def test_strengths_part_units_that_reach_the_same() -> None:
    features = np.array(
        [[9, 1, 0, 0, 0, 0.0], [8, 1, 0, 0, 0, 0], [1, 9, 0, 0, 0, 0], [1, 8, 0, 0, 0, 0], [0, 0, 1, 9, 0, 0], [0, 0, 1, 8, 0, 0]]
    )
    assert same(cluster_units(features > 0), [0, 0, 0, 0, 1, 1])
    assert same(cluster_units(features), [0, 0, 1, 1, 2, 2])


def test_single_linkage_follows_chains_and_complete_linkage_does_not() -> None:
    # Eight units, and two others, each of which shares three of its four features with the next.
    chains = np.zeros((10, 25), dtype=bool)
    for row, start in enumerate((*range(8), 20, 21)):
        chains[row, start : start + 4] = True
    assert same(cluster_units(chains, linkage="single"), [0] * 8 + [1] * 2)
    assert same(cluster_units(chains, linkage="complete"), [0] * 4 + [1] * 4 + [2] * 2)


# --- Corrected defects --------------------------------------------------------------------------------------------------------


@BOTH
def test_equidistant_units_that_share_almost_everything_are_one_cluster(ties: str) -> None:
    assert cluster_units(np.hstack([1 - np.eye(5), np.ones((5, 10)), np.zeros((5, 20))]), ties=ties).tolist() == [0] * 5


@BOTH
@pytest.mark.parametrize("units", [2, 3, 6])
def test_units_without_distance_are_one_cluster(units: int, ties: str) -> None:
    assert cluster_units(np.ones((units, 3)), ties=ties).tolist() == [0] * units
    assert cluster_units(np.zeros((units, 3)), ties=ties).tolist() == [0] * units
    # Proportional strengths differ by rounding only.
    assert cluster_units(np.outer(np.arange(1, units + 1), [0.1, 0.7, 0.3]), ties=ties).tolist() == [0] * units


def test_units_without_features_are_at_distance_one_from_all_others() -> None:
    features = np.array([[0, 0, 0, 0], [1, 1, 0, 0], [1, 1, 0, 0], [0, 0, 0, 0]])
    assert same(cluster_units(features), [0, 1, 1, 0])
    assert cluster_units(np.zeros((0, 3))).shape == (0,)
    assert cluster_units(np.zeros((2, 0))).tolist() == [0, 0]


def test_the_features_of_the_caller_are_not_changed() -> None:
    features = np.array([[1.0, 0, 0, 1], [1, 0, 1, 0], [0, 1, 0, 0], [0, 1, 0, 1]])
    features.setflags(write=False)
    before = features.copy()
    for ties in ("published", "symmetric"):
        cluster_units(features, ties=ties)
    assert (features == before).all()


def test_one_linkage_gives_every_number_of_clusters(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []
    monkeypatch.setattr(linkages, "scipy_linkage", lambda *a, **k: calls.append(a) or linkage(*a, **k))
    cluster_units(np.random.default_rng(0).random((30, 60)) < 0.3)
    assert len(calls) == 1
