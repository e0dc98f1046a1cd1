"""Distances of features: by hand, against SciPy, and of units without features."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from layered import SEEDS, random_features
from scipy.spatial.distance import pdist, squareform

from analysis.detection.distances import DISTANCES, cosine_distances, euclidean_distances, jaccard_distances


def test_cosine_by_hand() -> None:
    distances = cosine_distances(np.array([[1, 1, 0, 0], [1, 0, 0, 0], [0, 1, 1, 1], [1, 1, 1, 1]], dtype=bool))
    assert distances[0] == pytest.approx([0, 1 - 1 / 2**0.5, 1 - 1 / 6**0.5, 1 - 2 / 8**0.5])
    # 2 * 1 + 1 * 2 = 4 of 5
    assert cosine_distances(np.array([[2.0, 1.0], [1.0, 2.0]]))[0] == pytest.approx([0, 1 - 4 / 5])


def test_jaccard_by_hand() -> None:
    distances = jaccard_distances(np.array([[1, 1, 0, 0], [1, 0, 0, 0], [0, 1, 1, 1], [1, 1, 1, 1]], dtype=bool))
    assert distances[0] == pytest.approx([0, 1 / 2, 3 / 4, 1 / 2])
    # smaller values 1 + 1, larger values 2 + 3
    assert jaccard_distances(np.array([[2.0, 1.0], [1.0, 3.0]]))[0] == pytest.approx([0, 3 / 5])


def test_euclidean_by_hand() -> None:
    distances = euclidean_distances(np.array([[1, 1, 0, 0], [1, 0, 0, 0], [0, 1, 1, 1], [1, 1, 1, 1]], dtype=bool))
    assert distances[0] == pytest.approx([0, 1, 3**0.5, 2**0.5])
    assert euclidean_distances(np.array([[2.0, 1.0], [5.0, 5.0]]))[0] == pytest.approx([0, 5])


@pytest.mark.parametrize("name", ["cosine", "jaccard"])
@pytest.mark.parametrize("dtype", [bool, float])
def test_units_without_features_are_at_distance_one_from_all_others(name: str, dtype: type) -> None:
    rows = np.array([[0, 0, 0], [1, 1, 0], [0, 0, 0]], dtype=dtype)
    assert DISTANCES[name](rows).tolist() == [[0, 1, 0], [1, 0, 1], [0, 1, 0]]


@pytest.mark.parametrize("name", DISTANCES)
@pytest.mark.parametrize("dtype", [bool, float])
def test_no_units_and_no_features(name: str, dtype: type) -> None:
    assert DISTANCES[name](np.zeros((0, 3), dtype=dtype)).shape == (0, 0)
    assert DISTANCES[name](np.zeros((2, 0), dtype=dtype)).tolist() == [[0, 0], [0, 0]]


def test_cosines_see_the_shape_of_tiny_weights() -> None:
    assert cosine_distances(np.array([[1e-200, 0.0], [1.0, 0.0], [0.0, 1e-200]])).tolist() == [[0, 0, 1], [0, 0, 1], [1, 1, 0]]


@settings(max_examples=30, deadline=None)
@given(seed=SEEDS, name=st.sampled_from(["cosine", "jaccard", "euclidean"]), features=st.sampled_from(["binary", "weighted"]))
def test_distances_equal_those_of_scipy(seed: int, name: str, features: str) -> None:
    for rows in random_features(seed, features):
        if name == "jaccard" and features == "weighted":
            pairs = [[1 - np.minimum(a, b).sum() / np.maximum(a, b).sum() for b in rows] for a in rows]
        else:
            pairs = squareform(pdist(rows, name))
        found = DISTANCES[name](rows)
        np.testing.assert_allclose(found, pairs, atol=1e-12)
        assert (found == found.T).all()
        assert not found.diagonal().any()
        assert found.min() >= 0


@settings(max_examples=30, deadline=None)
@given(seed=SEEDS, name=st.sampled_from(["cosine", "jaccard", "euclidean"]))
def test_whether_rows_are_bool_or_zeros_and_ones_does_not_matter(seed: int, name: str) -> None:
    for rows in random_features(seed):
        np.testing.assert_allclose(DISTANCES[name](rows), DISTANCES[name](rows.astype(float)), atol=1e-12)
