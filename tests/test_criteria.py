"""The number of clusters: by hand, against refits of scikit-learn for every number, and the rules for ties."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from layered import SEEDS, random_features, same
from scipy.spatial.distance import squareform
from sklearn import metrics
from sklearn.cluster import AgglomerativeClustering

from analysis.detection.criteria import CRITERIA, Tree, best_count, candidate_counts, modularity_by_count
from analysis.detection.distances import DISTANCES, cosine_distances
from analysis.detection.linkages import LINKAGES, TIES, published_merges, replay_merges


def modularity_of(labels: np.ndarray, distances: np.ndarray) -> float:
    """Newman's modularity of a distance matrix, from the definition."""
    share = distances / distances.sum()
    member = np.eye(labels.max() + 1)[labels]
    blocks = member.T @ share @ member
    return float(np.trace(blocks) - (blocks.sum(axis=1) ** 2).sum())


def test_modularity_by_hand() -> None:
    # Two pairs of like units, all else at distance 1: sum 8, so every unit has a share of 1/4 and like pairs add nothing.
    distances = 1 - np.kron(np.eye(2), np.ones((2, 2)))
    merges = published_merges(distances, "average")
    assert modularity_by_count(merges, distances) == pytest.approx([0, -1 / 2, -3 / 8, -1 / 4])
    assert best_count(candidate_counts(merges), modularity_by_count(merges, distances)[candidate_counts(merges) - 1]) == 2


def test_the_distances_of_the_caller_are_not_changed() -> None:
    distances = squareform(np.arange(1.0, 7.0))
    before = distances.copy()
    modularity_by_count(published_merges(distances, "average"), distances)
    assert (distances == before).all()


def test_the_largest_number_wins_where_values_tie() -> None:
    assert best_count(np.array([4, 3, 2]), np.array([-0.3, -0.4 + 1e-12, -0.4])) == 3
    assert best_count(np.array([4, 3, 2]), np.array([-0.3, -0.4 + 1e-6, -0.4])) == 2
    assert best_count(np.array([3, 2]), np.array([-np.inf, -np.inf])) == 3
    assert best_count(np.zeros(0, dtype=int), np.zeros(0)) is None


def test_no_number_that_parts_equal_merges_is_a_candidate() -> None:
    # Two pairs at the same distance: three clusters would join one pair and not the other.
    merges = np.array([[0, 1, 0.2, 2], [2, 3, 0.2, 2], [4, 5, 0.9, 4]])
    assert candidate_counts(merges).tolist() == [2]
    assert candidate_counts(merges * [1, 1, 0, 1]).tolist() == []
    merges[1, 2] = 0.3
    assert candidate_counts(merges).tolist() == [3, 2]
    assert candidate_counts(np.array([[0, 1, 0.5, 2]])).tolist() == []


@settings(max_examples=60, deadline=None)
@given(
    seed=SEEDS,
    linkage=st.sampled_from(sorted(LINKAGES)),
    name=st.sampled_from(sorted(DISTANCES)),
    features=st.sampled_from(["binary", "weighted"]),
)
def test_the_search_equals_refitting_scikit_learn_for_every_number(seed: int, linkage: str, name: str, features: str) -> None:
    for rows in random_features(seed, features):
        distances = DISTANCES[name](rows)
        if not distances.any():
            continue
        merges = published_merges(distances, linkage)
        values, counts = modularity_by_count(merges, distances), candidate_counts(merges)
        refits = {}
        for k in range(1, len(rows) + 1):
            # Ties leave more than one linkage; each value belongs to the partition of the one that was made.
            assert values[k - 1] == pytest.approx(modularity_of(replay_merges(merges, k), distances), abs=1e-8)
            refits[k] = AgglomerativeClustering(n_clusters=k, metric="precomputed", linkage=linkage).fit(distances).labels_
        for k in (1, *counts.tolist(), len(rows)):
            assert same(replay_merges(merges, k), refits[k])
            assert values[k - 1] == pytest.approx(modularity_of(refits[k], distances), abs=1e-8)
        if len(counts):
            refitted = {k: modularity_of(refits[k], distances) for k in counts.tolist()}
            assert best_count(counts, values[counts - 1]) == max(k for k, v in refitted.items() if v <= min(refitted.values()) + 1e-9)


def test_ties_are_part_of_that_property() -> None:
    tied = [
        len(candidate_counts(published_merges(cosine_distances(rows), "average"))) < len(rows) - 2
        for s in range(60)
        for rows in random_features(s)
    ]
    assert sum(tied) > 30


@settings(max_examples=20, deadline=None)
@given(seed=SEEDS, ties=st.sampled_from(sorted(TIES)), name=st.sampled_from(sorted(DISTANCES)))
def test_scores_are_those_of_scikit_learn(seed: int, ties: str, name: str) -> None:
    for rows in random_features(seed, "weighted"):
        distances = DISTANCES[name](rows)
        if len(rows) < 3 or distances.max() < 1e-6:
            continue
        tree = Tree(rows, distances, TIES[ties](distances, "average"))
        counts = candidate_counts(tree.merges)
        values = {criterion: CRITERIA[criterion](tree, counts) for criterion in CRITERIA}
        assert values["modularity"].tolist() == modularity_by_count(tree.merges, distances)[counts - 1].tolist()
        for i, k in enumerate(counts):
            labels = replay_merges(tree.merges, int(k))
            assert values["silhouette"][i] == -metrics.silhouette_score(distances, labels, metric="precomputed")
            assert values["davies_bouldin"][i] == metrics.davies_bouldin_score(rows, labels)
            if values["calinski_harabasz"][i] > 0:
                assert values["calinski_harabasz"][i] == 1 / metrics.calinski_harabasz_score(rows, labels)


def test_equal_units_in_every_cluster_are_the_best_calinski_harabasz() -> None:
    rows = np.repeat(np.array([[1, 1, 0, 0, 0], [0, 1, 1, 0, 0], [0, 0, 0, 1, 1]], dtype=bool), 2, axis=0)
    distances = cosine_distances(rows)
    tree = Tree(rows, distances, published_merges(distances, "average"))
    values = CRITERIA["calinski_harabasz"](tree, np.array([3, 2]))
    # Two clusters: each of the first four units is at 1/2 from their mean, which leaves 2; 14/3 lie between: (2 / 4) / (14 / 3).
    assert values == pytest.approx([0, 3 / 28])


def test_clusters_of_equal_means_are_the_worst_calinski_harabasz() -> None:
    rows = np.array([[1, 0], [0, 1], [1, 0], [0, 1]], dtype=bool)
    merges = np.array([[0, 1, 0.1, 2], [2, 3, 0.2, 2], [4, 5, 0.9, 4]])
    assert CRITERIA["calinski_harabasz"](Tree(rows, cosine_distances(rows), merges), np.array([2])).tolist() == [np.inf]
