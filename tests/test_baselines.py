"""Baselines: results worked out by hand, the libraries' own results, and that seeds, leftovers and small graphs do no harm."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any

import igraph
import networkx as nx
import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.cluster import SpectralClustering
from sklearn.manifold import spectral_embedding
from sklearn.metrics import adjusted_rand_score

from analysis import Hierarchy, LayeredGraph
from analysis.detection import baselines
from analysis.detection.baselines import BASELINES, detect_baseline

METHODS = list(BASELINES)
SEEDS = st.integers(0, 2**32 - 1)
PAIRS = [[[1, 1, 0, 0], [0, 0, 1, 1]], [[1, 0], [0, 1]]]


def random_graph(seed: int, widths: Sequence[int] = (6, 8, 8, 5), density: float = 0.3) -> LayeredGraph:
    rng = np.random.default_rng(seed)
    return LayeredGraph.from_weights(
        tuple((rng.random(shape) < density) * rng.normal(size=shape) for shape in pairwise(widths)), orientation="in_out"
    )


def blocks(count: int = 2, size: int = 3, thinned: float = 0.0, seed: int = 0) -> tuple[LayeredGraph, np.ndarray]:
    """Modules of three layers, each unit wired to all of its module (but a random part), and one edge from each module to the next."""
    rng = np.random.default_rng(seed)
    inside = np.kron(np.eye(count), np.ones((size, size)))
    weights = [inside * (rng.random(inside.shape) >= thinned) for _ in range(2)]
    for i in range(count - 1):
        weights[0][i * size, (i + 1) * size] = 1
    return LayeredGraph.from_weights(tuple(weights), orientation="in_out"), np.tile(np.repeat(np.arange(count), size), 3)


def flat(hierarchy: Hierarchy) -> np.ndarray:
    return np.concatenate(hierarchy.labels)


def lists(hierarchy: Hierarchy) -> list[list[int]]:
    return [layer.tolist() for layer in hierarchy.labels]


def undirected(graph: LayeredGraph) -> nx.Graph:
    """Its alive units, in order, and their edges."""
    alive = graph.alive()
    kept = graph.to_networkx().to_undirected()
    return kept.subgraph([unit for unit in kept if alive[unit[0]][unit[1]]])


def modularity(graph: LayeredGraph, labels: np.ndarray) -> float:
    units = list(undirected(graph))
    groups = [{unit for unit, label in zip(units, labels, strict=True) if label == group} for group in set(labels.tolist())]
    return float(nx.community.modularity(undirected(graph), groups, weight=None))


def partitions(count: int) -> Iterator[list[int]]:
    """All of them, as labels numbered by first appearance."""
    stack = [[0]]
    while stack:
        labels = stack.pop()
        if len(labels) == count:
            yield labels
        else:
            stack += [[*labels, label] for label in range(max(labels) + 2)]


# --- Known results -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", METHODS)
def test_two_separate_pairs(method: str) -> None:
    found = detect_baseline(PAIRS, method)
    assert lists(found) == [[0, 0, 1, 1], [0, 1], [0, 1]]
    assert [(m.inputs, m.outputs) for m in found.modules] == [((0, 1), (0,)), ((2, 3), (1,))]
    assert found.network is PAIRS


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("count", [2, 3, 5])
def test_dense_modules_joined_by_one_edge_each(method: str, count: int) -> None:
    graph, labels = blocks(count)
    assert flat(detect_baseline(graph, method)).tolist() == labels.tolist()


@pytest.mark.parametrize("method", METHODS)
def test_a_removed_unit_keeps_its_position(method: str) -> None:
    # The second hidden unit reads nothing, the third input feeds nothing: both are dead.
    found = detect_baseline([[[1, 1, 0, 0, 0], [0, 0, 0, 0, 0], [0, 0, 0, 1, 1]], [[1, 1, 0], [0, 1, 1]]], method)
    assert [labels.tolist().count(-1) for labels in found.labels] == [1, 1, 0]
    assert (found.labels[0][2], found.labels[1][1]) == (-1, -1)
    assert flat(found).max() >= 0


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(
    ("weights", "expected"),
    [
        pytest.param([[[1.0]]], [[0], [0]], id="one edge"),
        pytest.param([[[0.0]]], [[-1], [0]], id="one unit"),
        pytest.param([[[0.0, 0], [0, 0]], [[0, 0], [0, 0]]], [[-1, -1], [-1, -1], [0, 1]], id="no edges"),
        pytest.param([[[0.0, 0]], [[0], [0], [0]]], [[-1, -1], [-1], [0, 1, 2]], id="three units without edges"),
        pytest.param([[[1.0]], [[1.0]]], [[0], [0], [0]], id="a chain of three"),
        pytest.param([[[1.0], [0]]], [[0], [0, 1]], id="an edge and a unit without"),
    ],
)
def test_small_graphs(method: str, weights: list, expected: list[list[int]]) -> None:
    assert lists(detect_baseline(weights, method)) == expected


def test_modularity_methods_reach_the_largest_modularity_of_all_partitions() -> None:
    # Two groups of two inputs, a hidden unit and an output, with one edge between them: 8 units, 4140 partitions.
    graph = LayeredGraph.from_weights([[[1.0, 1, 0, 0], [0, 1, 1, 1]], [[1, 0], [0, 1]]])
    adjacency = nx.to_numpy_array(undirected(graph), weight=None)
    degrees = adjacency.sum(axis=0)
    gains = adjacency - np.outer(degrees, degrees) / degrees.sum()
    values = {labels: gains[np.equal.outer(labels, labels)].sum() / degrees.sum() for labels in map(tuple, partitions(8))}
    best = max(values, key=lambda labels: values[labels])
    assert values[best] == pytest.approx(modularity(graph, np.array(best)))
    for method in ("leiden", "louvain", "spectral"):
        assert values[tuple(flat(detect_baseline(graph, method)).tolist())] == pytest.approx(values[best])


def test_infomap_follows_the_direction_of_edges() -> None:
    # The result of igraph on the directed graph, where it is another than on the undirected one.
    differing = 0
    for seed in range(20):
        graph = random_graph(seed, (5, 6, 6, 4))
        kept = graph.to_igraph()
        kept.delete_vertices(np.flatnonzero(~np.concatenate(graph.alive())).tolist())
        igraph.set_random_number_generator(random.Random(0))
        directed = kept.community_infomap(trials=10).membership
        igraph.set_random_number_generator(random.Random(0))
        both_ways = kept.as_undirected().community_infomap(trials=10).membership
        igraph.set_random_number_generator(random)
        found = flat(detect_baseline(graph, "infomap"))
        assert adjusted_rand_score(found[found >= 0], directed) == 1
        differing += adjusted_rand_score(directed, both_ways) < 1
    assert differing > 0


@pytest.mark.parametrize("method", ["leiden", "louvain"])
def test_modularity_is_at_least_that_of_networkx(method: str) -> None:
    for seed in range(10):
        graph = random_graph(seed)
        groups = nx.community.greedy_modularity_communities(undirected(graph), weight=None)
        found = flat(detect_baseline(graph, method))
        assert modularity(graph, found[found >= 0]) >= nx.community.modularity(undirected(graph), groups, weight=None) - 0.05


# --- Spectral ----------------------------------------------------------------------------------------------------------------


def test_the_embedding_is_that_of_scikit_learn() -> None:
    graph, _ = blocks(3, 4, thinned=0.2, seed=3)
    affinity = sp.csr_array(nx.to_numpy_array(undirected(graph), weight=None))
    ours = baselines._embedding(affinity)
    assert 3 <= ours.shape[1] <= affinity.shape[0]
    reference = spectral_embedding(affinity.toarray(), n_components=3, drop_first=False, random_state=0)
    for column, expected in zip(ours.T, reference.T, strict=False):
        assert np.abs(column) == pytest.approx(np.abs(expected), abs=1e-7)


def test_spectral_takes_the_number_of_clusters_of_largest_modularity() -> None:
    for seed in range(3):
        graph, labels = blocks(4, 4, thinned=0.2, seed=seed)
        assert all(kept.all() for kept in graph.alive())
        affinity = nx.to_numpy_array(undirected(graph), weight=None)
        cuts = [SpectralClustering(k, affinity="precomputed", random_state=0, n_init=10).fit(affinity).labels_ for k in range(1, 7)]
        largest = max(cuts, key=lambda cut: modularity(graph, cut))
        found = flat(detect_baseline(graph, "spectral"))
        assert adjusted_rand_score(found, largest) == 1
        assert len(set(found.tolist())) == 4 == len(set(labels.tolist()))


def test_spectral_weighs_the_parts_of_a_graph_by_the_whole() -> None:
    # Six inputs -> two hidden units joined by one edge -> outputs: alone, its two halves are two clusters. Beside a module of 200
    # edges the whole graph is so large that an edge in common outweighs what is expected, and it stays one.
    small = LayeredGraph.from_weights([[[1.0, 1, 1, 0, 0], [0, 0, 1, 1, 1]], [[1, 0], [0, 1]]])
    weights = []
    for weight, shape in zip(small.weights, [(10, 10), (10, 10)], strict=True):
        weights.append(np.block([[weight, np.zeros((weight.shape[0], 10))], [np.zeros((10, weight.shape[1])), np.ones(shape)]]))
    assert len(detect_baseline(small, "spectral").modules) == 2
    beside = detect_baseline(LayeredGraph.from_weights(tuple(weights), orientation="in_out"), "spectral")
    assert len(beside.modules) == 2
    assert len(set(beside.labels[0][:5].tolist())) == 1


@settings(max_examples=25, deadline=None)
@given(seed=SEEDS)
def test_the_modularity_of_parts_adds_up_to_that_of_networkx(seed: int) -> None:
    graph = random_graph(seed, density=0.4)
    alive = undirected(graph)
    labels = np.random.default_rng(seed).integers(4, size=len(alive))
    affinity = sp.csr_array(nx.to_numpy_array(alive, weight=None))
    expected = modularity(graph, labels)
    assert baselines._modularity(affinity, labels, affinity.sum()) == pytest.approx(expected)
    parts = [np.flatnonzero(labels == label) for label in set(labels.tolist())]
    degrees = affinity.sum(axis=1)
    by_hand = sum(affinity[p][:, p].sum() / degrees.sum() - (degrees[p].sum() / degrees.sum()) ** 2 for p in parts)
    assert expected == pytest.approx(by_hand)


def test_units_with_the_same_neighbours_do_no_harm() -> None:
    # Complete modules: all eigenvalues but a few are 1, on which sparse solvers fail.
    graph, labels = blocks(4, 25)
    assert flat(detect_baseline(graph, "spectral")).tolist() == labels.tolist()
    affinity = sp.csr_array(nx.to_numpy_array(undirected(blocks(1, 25)[0])))
    assert baselines._embedding(affinity).shape[1] == 1


# --- Properties --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", METHODS)
@settings(max_examples=25, deadline=None)
@given(seed=SEEDS, widths=st.lists(st.integers(1, 8), min_size=2, max_size=5), density=st.floats(0, 0.7))
def test_every_network_has_a_result_in_canonical_labels(method: str, seed: int, widths: list[int], density: float) -> None:
    graph = random_graph(seed, widths, density)
    found = detect_baseline(graph, method, seed=seed)
    assert found.graph is graph
    assert all(((labels >= 0) == kept).all() for labels, kept in zip(found.labels, graph.alive(), strict=True))
    order = list(dict.fromkeys(label for label in flat(found).tolist() if label >= 0))
    assert order == list(range(len(order)))
    for labels, clusters in zip(found.labels, found.clusters, strict=True):
        assert len(set(zip(labels.tolist(), clusters.tolist(), strict=True))) == len(set(clusters.tolist())) == len(set(labels.tolist()))
    # The walker of Infomap jumps from where no edge leads on; nothing else joins what no edges join.
    for component in nx.connected_components(undirected(graph)) if method != "infomap" else ():
        inside = {int(found.labels[layer][index]) for layer, index in component}
        outside = {int(found.labels[layer][index]) for layer, index in undirected(graph) if (layer, index) not in component}
        assert not inside & outside


@pytest.mark.parametrize("method", METHODS)
def test_only_which_weights_are_zero_matters(method: str) -> None:
    graph = random_graph(3)
    binary = LayeredGraph.from_weights(tuple((w != 0).astype(float) for w in graph.weights), orientation="in_out")
    assert lists(detect_baseline(graph, method)) == lists(detect_baseline(binary, method))


@pytest.mark.parametrize("method", METHODS)
def test_only_the_seed_matters(method: str) -> None:
    graph = random_graph(1, (10, 14, 14, 8), 0.2)
    random.seed(1)
    np.random.seed(1)  # noqa: NPY002
    before = random.getstate(), np.random.get_state()[1].tolist()  # noqa: NPY002
    first = lists(detect_baseline(graph, method, seed=7))
    assert (random.getstate(), np.random.get_state()[1].tolist()) == before  # noqa: NPY002
    random.seed(2)
    np.random.seed(2)  # noqa: NPY002
    detect_baseline(graph, "leiden", seed=3)
    assert lists(detect_baseline(graph, method, seed=7)) == first


@pytest.mark.parametrize("method", ["leiden", "louvain", "infomap"])
def test_other_seeds_may_give_other_results(method: str) -> None:
    graph = random_graph(1, (10, 14, 14, 8), 0.25)
    assert len({str(lists(detect_baseline(graph, method, seed=seed))) for seed in range(12)}) > 1


def draws() -> list[tuple[int, int]]:
    """Edges of a random graph of igraph after a seed of Python's generator."""
    random.seed(5)
    return igraph.Graph.Erdos_Renyi(n=20, m=20).get_edgelist()


@pytest.mark.parametrize("method", ["leiden", "infomap"])
def test_the_generator_of_igraph_is_python_s_again(method: str, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = draws()
    detect_baseline(PAIRS, method)
    assert draws() == expected
    failing = {"community_leiden": None, "community_infomap": None}
    for name in failing:
        monkeypatch.setattr(igraph.Graph, name, lambda *_, **__: (_ for _ in ()).throw(RuntimeError("broken")))
    with pytest.raises(RuntimeError, match="broken"):
        detect_baseline(PAIRS, method)
    assert draws() == expected


def test_a_new_baseline_is_one_entry(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []

    def by_parity(links: Any, how: Any) -> np.ndarray:
        seen.append((links.units, links.pairs.tolist(), links.strengths, how.seed))
        return np.arange(links.units) % 2

    monkeypatch.setitem(BASELINES, "by parity", by_parity)
    found = detect_baseline([[[1, 0, 1]], [[1]]], "by parity", seed=4)
    assert seen == [(4, [[0, 2], [1, 2], [2, 3]], None, 4)]  # the dead input has no number
    assert lists(found) == [[0, -1, 1], [0], [1]]


# --- Weights, affinities, resolution, number of clusters ----------------------------------------------------------------------


def faint(size: int = 4, level: float = 0.05) -> tuple[list[np.ndarray], list[list[int]]]:
    """A dense network of three layers in two halves: only the weights say which, those between them are ``level`` times as large."""
    rng = np.random.default_rng(0)
    halves = np.kron(np.eye(2), np.ones((size, size)))
    weights = [np.where(halves > 0, 1, level) * rng.uniform(0.8, 1.2, halves.shape) * rng.choice([-1, 1], halves.shape) for _ in range(2)]
    return weights, [[0] * size + [1] * size] * 3


@pytest.mark.parametrize("method", METHODS)
def test_weights_tell_halves_of_a_dense_network_apart(method: str) -> None:
    weights, expected = faint()
    assert lists(detect_baseline(weights, method, features="weighted")) == expected
    assert lists(detect_baseline(weights, method)) != expected


@pytest.mark.parametrize("method", METHODS)
def test_an_affinity_takes_the_place_of_the_edges(method: str) -> None:
    weights, _ = faint(2)
    odd = np.arange(12) % 2
    alike = np.where(odd[:, None] == odd, 1.0, 0.02)
    assert lists(detect_baseline(weights, method, affinity=alike)) == [[0, 1, 0, 1]] * 3
    # Of a removed unit nothing is read, and nothing below the diagonal.
    weights[0][:, 1] = 0
    found = detect_baseline(weights, method, affinity=np.triu(alike))
    assert lists(found) == [[0, -1, 0, 1], [0, 1, 0, 1], [0, 1, 0, 1]]


def test_the_larger_the_resolution_the_smaller_the_communities() -> None:
    weights, _ = faint()
    for method in ("leiden", "louvain"):
        counts = [len(detect_baseline(weights, method, features="weighted", resolution=r).modules) for r in (0.02, 1.0, 3.0)]
        assert counts[0] == 1
        assert counts[1] == 2 < counts[2]


def test_spectral_gives_as_many_clusters_as_asked_for() -> None:
    weights, expected = faint()
    for clusters in (1, 2, 5):
        assert len(detect_baseline(weights, "spectral", features="weighted", clusters=clusters).modules) == clusters
    assert lists(detect_baseline(weights, "spectral", features="weighted", clusters=2)) == expected
    assert len(detect_baseline(PAIRS, "spectral", clusters=1).modules) == 2  # in each component


def test_weighted_communities_do_not_depend_on_the_unit_of_weights() -> None:
    weights, expected = faint()
    for method in METHODS:
        assert lists(detect_baseline([1e-3 * weight for weight in weights], method, features="weighted")) == expected


@pytest.mark.parametrize(
    ("method", "options", "message"),
    [
        ("leiden", {"features": "signed"}, r"features must be one of \['binary', 'weighted'\]; got 'signed'"),
        ("leiden", {"resolution": 0}, "resolution must be above 0 and finite; got 0"),
        ("spectral", {"resolution": 2.0}, "resolution is an option of leiden and louvain; got it with spectral. Leave it out"),
        ("leiden", {"clusters": 2}, "clusters is an option of spectral; got it with leiden. Leave it out"),
        ("spectral", {"clusters": 0}, "clusters must be a whole number of at least 1; got 0"),
        ("leiden", {"affinity": np.ones((3, 3))}, r"a row and a column for each of the 8 units; got shape \(3, 3\)"),
        ("leiden", {"affinity": -np.ones((8, 8))}, "affinity must be finite and at least 0"),
        ("leiden", {"affinity": np.full((8, 8), np.nan)}, "affinity must be finite and at least 0"),
    ],
)
def test_options_that_do_not_fit_are_refused(method: str, options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        detect_baseline(PAIRS, method, **options)


# --- Errors ------------------------------------------------------------------------------------------------------------------


def test_an_unknown_method_is_refused() -> None:
    with pytest.raises(ValueError, match=r"method must be one of \['leiden', 'louvain', 'infomap', 'spectral'\]; got 'walktrap'"):
        detect_baseline(PAIRS, "walktrap")


@pytest.mark.parametrize("seed", [-1, 2**32, 1.5, True, None])
def test_a_seed_must_be_in_range(seed: object) -> None:
    with pytest.raises(ValueError, match=r"seed must be an integer in \[0, 2\*\*32\); got"):
        detect_baseline(PAIRS, "leiden", seed=seed)


def test_what_is_no_network_is_refused() -> None:
    with pytest.raises(TypeError, match="the network must be a SparseNetwork, a LayeredGraph, a UnitGraph, a sequence of weight matrices"):
        detect_baseline(3, "leiden")
