"""Large layers and graphs: sparse features, equal units counted once, and sizes that are refused before anything is built."""

from __future__ import annotations

import networkx as nx
import numpy as np
import pytest
import scipy.sparse as sp
from unit_graphs import random_units

from analysis import LayeredGraph, UnitGraph, detect_modules
from analysis.detection import clustering, reach
from analysis.detection.distances import DISTANCES, OF_OVERLAPS, overlaps, sizes_of
from analysis.detection.features import layers_within, reach_features
from analysis.detection.linkages import LINKAGES
from analysis.graph import Wiring, as_graph, limits


def some_rows(seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    rows = rng.random((rng.integers(2, 14), rng.integers(1, 9))) < rng.uniform(0.1, 0.8)
    return rows[rng.integers(len(rows), size=rng.integers(2, 30))]  # some are equal


@pytest.mark.parametrize("distance", DISTANCES)
@pytest.mark.parametrize("linkage", LINKAGES)
def test_counting_equal_units_once_changes_no_cluster(distance: str, linkage: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for seed in range(60):
        rows = some_rows(seed)
        options = {"linkage": linkage, "distance": distance, "ties": "symmetric"}
        expected = clustering.cluster_units(rows, **options)
        assert clustering.cluster_units(sp.csr_array(rows), **options).tolist() == expected.tolist()
        with monkeypatch.context() as patch:
            patch.setattr(clustering, "MANY", 1)
            assert clustering.cluster_units(rows, **options).tolist() == expected.tolist(), seed


def test_sparse_features_are_the_dense_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    for _ in range(20):
        graph = random_units(rng)
        wiring = Wiring(graph.widths, tuple(type(b)(b.source, b.target, b.weights != 0, b.kind) for b in graph.blocks), graph.outputs)
        for reached in (None, 1, 2):
            dense = reach_features(wiring, reached)
            found = reach.sparse_reach(wiring, layers_within(wiring, reached))
            assert all((a.toarray() == b).all() for a, b in zip(found, dense, strict=True))
            assert all((sizes_of(a) == b.sum(axis=1)).all() for a, b in zip(found, dense, strict=True))
        expected = detect_modules(graph)
        with monkeypatch.context() as patch:
            patch.setattr(reach, "DENSE", -1)
            patch.setattr(reach, "SPARSE_COST", 0)
            assert all((a == b).all() for a, b in zip(detect_modules(graph).labels, expected.labels, strict=True))


def test_overlaps_of_sparse_rows_are_exact() -> None:
    for density in (0.01, 0.6):
        rows = np.random.default_rng(0).random((60, 300)) < density
        assert (overlaps(sp.csr_array(rows)) == overlaps(rows)).all()
        assert all((OF_OVERLAPS[name](overlaps(rows)) == DISTANCES[name](rows)).all() for name in DISTANCES)


def test_a_wide_chain_is_read_by_its_edges(monkeypatch: pytest.MonkeyPatch) -> None:
    graph = nx.DiGraph([("a", "h"), ("b", "h"), ("h", "y")])
    for module in ("layering", "reading"):
        monkeypatch.setattr(f"analysis.graph.{module}.MOST_DENSE", 1)
    assert isinstance(as_graph(graph), UnitGraph)
    assert detect_modules(graph).labels[0].tolist() == [0, 0]
    chain = [sp.csr_array([[1.0, 1.0]]), sp.csr_array([[1.0]])]
    assert as_graph(chain).widths == (2, 1, 1)


def test_sizes_are_refused_before_anything_is_built() -> None:
    graph = nx.DiGraph([("x", "h")])
    nx.set_node_attributes(graph, {"x": 0, "h": 10**9}, "layer")
    with pytest.raises(ValueError, match="nodes in every layer; got layer 1000000000"):
        LayeredGraph.from_networkx(graph)
    graph.remove_edges_from(list(graph.edges))
    with pytest.raises(ValueError, match="nodes in every layer"):
        as_graph(graph)
    for size in (10**9, 10**40):
        with pytest.raises(ValueError, match="at most 2,000,000 units"):
            UnitGraph([("x", "input", size), ("y", "output", 1)], [])
    with pytest.raises(ValueError, match="at most 2,000,000 units"):
        UnitGraph.from_adjacency(sp.coo_array((10**9, 10**9)), [10**9])
    with pytest.raises(ValueError, match=r"adjacency must have shape|widths must be"):
        LayeredGraph.from_adjacency(np.zeros((3, 3)), range(1, 10**9))
    with pytest.raises(ValueError, match=r"weights\[0\] must have at most .* numbers"):
        LayeredGraph.from_weights([np.broadcast_to(1.0, (10**6, 10**6))])
    with pytest.raises(ValueError, match=r"max_units=2 alive units.*got 3"):
        detect_modules([np.eye(3), np.ones((1, 3))], max_units=2)
    with pytest.raises(ValueError, match="max_units must be"):
        detect_modules([np.eye(3)], max_units=0)
    assert limits.MOST_UNITS >= 1_000_000
