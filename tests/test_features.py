"""What units reach: paths counted by hand, powers of the adjacency, and what path sums must not depend on."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from layered import SEEDS, random_graph

from analysis.detection import features as module
from analysis.detection.alive import alive_edges, flipped
from analysis.detection.features import path_features, reach_features
from analysis.graph import LayeredGraph

# x0 -> h0 -> g0 -> y0 and x1 -> h1 -> g0, g1 -> y0, y1
PATHS = [np.eye(2, dtype=bool), np.array([[1, 0], [1, 1]], dtype=bool), np.eye(2, dtype=bool)]


def test_reach_features_by_hand() -> None:
    full = [[[1, 0, 1, 0, 1, 0], [0, 1, 1, 1, 1, 1]], [[1, 0, 1, 0], [1, 1, 1, 1]], [[1, 0], [0, 1]]]
    assert [f.astype(int).tolist() for f in reach_features(PATHS)] == full
    assert [f.astype(int).tolist() for f in reach_features(PATHS, reach=7)] == full
    two = [[[1, 0, 1, 0], [0, 1, 1, 1]], [[1, 0, 1, 0], [1, 1, 1, 1]], [[1, 0], [0, 1]]]
    assert [f.astype(int).tolist() for f in reach_features(PATHS, reach=2)] == two
    assert [f.tolist() for f in reach_features(PATHS, reach=1)] == [e.tolist() for e in PATHS]


def test_incoming_features_by_hand() -> None:
    # Read from the outputs: y0 sees g0; h0, h1; x0, x1, and y1 sees g1; h1; x1.
    assert reach_features(flipped(PATHS))[0].astype(int).tolist() == [[1, 0, 1, 1, 1, 1], [0, 1, 0, 1, 0, 1]]
    assert [f.shape for f in reach_features(flipped(PATHS))] == [(2, 6), (2, 4), (2, 2)]


def test_both_directions_by_hand() -> None:
    both = path_features(PATHS, direction="both")
    assert [f.shape for f in both] == [(2, 6)] * 4
    assert both[0].tolist() == reach_features(PATHS)[0].tolist()
    # h0: reaches g0 and y0, is reached from x0; g0: reaches y0, is reached from h0, h1, x0, x1.
    assert both[1].astype(int).tolist() == [[1, 0, 1, 0, 1, 0], [1, 1, 1, 1, 0, 1]]
    assert both[2].astype(int).tolist() == [[1, 0, 1, 1, 1, 1], [0, 1, 0, 1, 0, 1]]
    assert both[3].astype(int).tolist() == [[1, 0, 1, 1, 1, 1], [0, 1, 0, 1, 0, 1]]
    assert [f.shape for f in path_features(PATHS, direction="both", reach=1)] == [(2, 2), (2, 4), (2, 4), (2, 2)]


def test_path_sums_by_hand() -> None:
    # x0 -2-> h0 -1-> y0, x0 -1-> h1 -3-> y0, x1 -2-> h1: sums 2*1 + 1*3 = 5 and 2*3 = 6; norms 3 and the root of 61.
    graph = LayeredGraph.from_weights([[[-2.0, 0.0], [1.0, 2.0]], [[1.0, -3.0]]])
    first, second = reach_features(alive_edges(graph, graph.alive(), "weighted"))
    np.testing.assert_allclose(first, [[2 / 3, 1 / 3, 5 / 61**0.5], [0, 2 / 3, 6 / 61**0.5]])
    np.testing.assert_allclose(second, [[1 / 10**0.5], [3 / 10**0.5]])


@pytest.mark.parametrize("scale", [2.0**520, 2.0**-560, 1e300, 1e-300])
def test_weights_of_any_size_have_features(scale: float) -> None:
    edges = [np.array([[2.0, 0.0], [1.0, 2.0]]), np.array([[1.5], [0.5]])]
    for plain, scaled in zip(reach_features(edges), reach_features([edge * scale for edge in edges]), strict=True):
        np.testing.assert_allclose(scaled, plain, rtol=1e-12)


def test_layers_without_any_path_stay_zero() -> None:
    features = reach_features([np.ones((2, 1)), np.zeros((1, 3))])
    assert features[0][:, 1:].tolist() == [[0.0] * 3] * 2
    assert [f.shape for f in reach_features(flipped([np.ones((0, 2)), np.ones((2, 1))]))] == [(1, 2), (2, 0)]


@settings(max_examples=20, deadline=None)
@given(seed=SEEDS, reach=st.integers(1, 5))
def test_features_equal_powers_of_the_adjacency(seed: int, reach: int) -> None:
    graph = random_graph(np.random.default_rng(seed), (4, 5, 3, 4, 2))
    everyone = [np.ones(n, dtype=bool) for n in graph.widths]
    starts = np.cumsum((0, *graph.widths))
    for kind in ("binary", "weighted"):
        edges = alive_edges(graph, everyone, kind)
        adjacency = np.zeros((starts[-1], starts[-1]))
        for i, edge in enumerate(edges):
            adjacency[starts[i] : starts[i + 1], starts[i + 1] : starts[i + 2]] = edge
        paths = sum(np.linalg.matrix_power(adjacency, k) for k in range(1, reach + 1))
        for i, found in enumerate(reach_features(edges, reach)):
            parts = [paths[starts[i] : starts[i + 1], starts[j] : starts[j + 1]] for j in range(i + 1, min(i + reach, 4) + 1)]
            shares = [p > 0 if kind == "binary" else p / (np.linalg.norm(p) or 1) for p in parts]
            np.testing.assert_allclose(found, np.hstack(shares), atol=1e-12)
            assert found.dtype == edges[0].dtype


@settings(max_examples=20, deadline=None)
@given(seed=SEEDS, layer=st.integers(0, 2), factor=st.floats(1e-3, 1e3))
def test_the_scale_of_a_layer_does_not_matter(seed: int, layer: int, factor: float) -> None:
    graph = random_graph(np.random.default_rng(seed), (4, 5, 3, 4))
    edges = list(alive_edges(graph, graph.alive(), "weighted"))
    before = path_features(edges, direction="both")
    edges[layer] = edges[layer] * factor
    for a, b in zip(before, path_features(edges, direction="both"), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-12)


@settings(max_examples=20, deadline=None)
@given(seed=SEEDS)
def test_sparse_products_give_the_same_features(seed: int) -> None:
    graph = random_graph(np.random.default_rng(seed), (4, 5, 3, 4))
    for kind in ("binary", "weighted"):
        edges = alive_edges(graph, graph.alive(), kind)
        dense = reach_features(edges)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(module, "SMALL", 0)
            for a, b in zip(dense, reach_features(edges), strict=True):
                np.testing.assert_allclose(a, b, atol=1e-15)
                assert a.dtype == b.dtype


def test_the_edges_of_the_caller_are_not_changed() -> None:
    edges = [np.array([[2.0, 0.0], [1.0, 4.0]]), np.array([[3.0], [1.0]])]
    before = [e.copy() for e in edges]
    path_features(edges, direction="both")
    assert all((a == b).all() for a, b in zip(edges, before, strict=True))


@pytest.mark.parametrize("value", [0, -1, 1.5, True, "2"])
def test_reach_must_be_a_positive_integer(value: object) -> None:
    with pytest.raises(ValueError, match="reach must be a positive integer, or None for all 3 weight layers; got"):
        reach_features(PATHS, reach=value)
