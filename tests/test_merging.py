"""Clusters of neighbouring layers that become one module, or stay apart: by hand."""

from __future__ import annotations

import numpy as np
import pytest
from layered import lists

from analysis.detection.merging import merge_clusters


def test_a_share_of_the_incoming_edges_must_be_above_the_threshold() -> None:
    edges, clusters = [np.ones((10, 1), dtype=bool)], [np.array([0] * 9 + [1]), np.array([0])]
    assert lists(merge_clusters(edges, clusters, threshold=0.9))[1] == [2]
    assert lists(merge_clusters(edges, clusters, threshold=0.89))[1] == [0]


def test_a_share_of_the_outgoing_edges_must_be_above_the_threshold() -> None:
    edges = [np.ones((1, 10), dtype=bool), np.zeros((10, 0), dtype=bool)]
    clusters = [np.array([0]), np.array([0] * 9 + [1]), np.zeros(0, dtype=int)]
    assert lists(merge_clusters(edges, clusters, threshold=0.9))[1] == [1] * 9 + [2]
    assert lists(merge_clusters(edges, clusters, threshold=0.89))[1] == [0] * 9 + [2]


def test_of_several_modules_that_fit_the_one_with_the_largest_share_is_joined() -> None:
    edges, clusters = [np.ones((3, 1), dtype=bool)], [np.array([0, 1, 1]), np.array([0])]
    for ties in ("published", "symmetric"):
        assert lists(merge_clusters(edges, clusters, threshold=0.3, ties=ties))[1] == [1]


def test_of_equal_shares_the_lowest_label_is_joined_or_none() -> None:
    edges, clusters = [np.ones((3, 1), dtype=bool)], [np.array([2, 0, 1]), np.array([0])]
    assert lists(merge_clusters(edges, clusters, threshold=0.3))[1] == [0]
    assert lists(merge_clusters(edges, clusters, threshold=0.3, ties="symmetric"))[1] == [3]
    edges[0] = np.array([[1], [0], [0]], dtype=bool)
    for ties in ("published", "symmetric"):
        assert lists(merge_clusters(edges, clusters, threshold=0.3, ties=ties))[1] == [2]


def test_outputs_need_no_share_of_the_outgoing_edges() -> None:
    edges = [np.ones((2, 1), dtype=bool), np.ones((1, 3), dtype=bool)]
    assert lists(merge_clusters(edges, [np.array([0, 0]), np.array([0]), np.arange(3)])) == [[0, 0], [0], [0, 0, 0]]


@pytest.mark.parametrize("ties", ["published", "symmetric"])
def test_clusters_without_edges_are_modules_of_their_own(ties: str) -> None:
    edges = [np.zeros((1, 2), dtype=bool)]
    assert lists(merge_clusters(edges, [np.array([0]), np.arange(2)], ties=ties)) == [[0], [1, 2]]


def test_labels_below_need_not_be_contiguous() -> None:
    edges = [np.eye(3, dtype=bool), np.eye(3, dtype=bool)]
    labels = merge_clusters(edges, [np.array([5, 0, 9]), np.arange(3), np.arange(3)])
    assert lists(labels) == [[5, 0, 9]] * 3


def test_edges_are_counted_and_not_weighed() -> None:
    first = np.array([[1.0, 0.0], [9.0, 0.0], [0.0, 0.01]])
    found = merge_clusters([first], [np.array([0, 1, 2]), np.arange(2)], threshold=0.6)
    assert lists(found) == [[0, 1, 2], [3, 2]]
