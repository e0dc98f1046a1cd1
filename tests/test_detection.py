"""The module detector: published partitions, answers worked out by hand, every corrected defect, and properties."""

import gzip
import json
import os
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy.cluster.hierarchy import linkage
from scipy.spatial.distance import squareform
from sklearn.cluster import AgglomerativeClustering

from analysis import clustering
from analysis.clustering import best_count, cluster_units, cosine_distances, modularity_by_count, overlap_test, replay_merges
from analysis.detection import detect_modules
from analysis.features import alive_edges, reach_features
from analysis.graph import LayeredGraph
from analysis.hierarchy import Hierarchy
from analysis.merging import merge_clusters

SHARED = Path(os.environ.get("SCULPTING_SHARED_DATA", Path(__file__).parents[2] / "shared" / "data"))
PUBLISHED = SHARED / "published_networks" / "networks.json.gz"


def arrows(text: str) -> list[list[int]]:
    """Edges written as ``source>target``."""
    return [[int(end) for end in edge.split(">")] for edge in text.split()]


# Five of the published networks. `layer_clusters` and `modules`: surviving units only, in layer order.
NETWORKS = {
    "three ANDs and three ORs": {
        "widths": [6, 24, 3],
        "edges": [
            arrows("2>9 3>9 4>13 5>13 0>19 1>19"),
            arrows("9>0 19>0 13>1 19>1 9>2 13>2"),
        ],
        "layer_clusters": [2, 2, 1, 1, 0, 0, 2, 1, 0, 0, 1, 2],
        "modules": [2, 2, 1, 1, 0, 0, 1, 0, 2, 3, 4, 5],
    },
    "overlap of one input, 8 modules": {
        "widths": [5, 24, 24, 24, 4],
        "edges": [
            arrows("1>5 2>5 3>5 0>7 1>7 3>7 0>15 2>15 4>17"),
            arrows("5>3 7>10 15>10 5>21 17>21"),
            arrows("3>4 21>4 3>17 10>17"),
            arrows("17>0 4>1 17>2 4>3"),
        ],
        "layer_clusters": [2, 0, 0, 0, 1, 0, 1, 1, 0, 0, 0, 0, 1, 0, 0, 1, 2, 3],
        "modules": [2, 0, 0, 0, 1, 3, 4, 4, 3, 5, 5, 5, 6, 7, 7, 6, 7, 6],
    },
    "overlap of two inputs, 5 modules": {
        "widths": [6, 24, 2],
        "edges": [
            arrows("2>0 3>0 4>0 0>9 1>9 2>9 3>9 2>17 3>17 4>17 5>17 0>21 1>21 2>21 3>21"),
            arrows("9>0 21>0 0>1 17>1"),
        ],
        "layer_clusters": [2, 2, 1, 1, 0, 0, 1, 0, 1, 0, 0, 1],
        "modules": [2, 2, 1, 1, 0, 0, 3, 4, 3, 4, 4, 3],
    },
    "overlap of one input, uneven": {
        "widths": [7, 24, 24, 2],
        "edges": [
            arrows("3>10 4>10 5>10 3>12 4>12 5>12 6>12 0>20 1>20 2>20 3>20"),
            arrows("20>0 10>6 12>6 20>19"),
            arrows("0>0 19>0 6>1"),
        ],
        "layer_clusters": [1, 1, 1, 2, 0, 0, 0, 0, 0, 1, 0, 1, 0, 0, 1],
        "modules": [1, 1, 1, 2, 0, 0, 0, 3, 3, 4, 4, 3, 4, 4, 3],
    },
    "hierarchy of depth three": {
        "widths": [8, 48, 48, 2],
        "edges": [
            arrows("4>5 5>5 6>5 7>5 0>19 1>19 2>19 3>19 4>39 5>39 6>39 0>40 1>40 2>40 3>40"),
            arrows("5>21 39>21 19>34 40>34"),
            arrows("21>0 34>0 21>1 34>1"),
        ],
        "layer_clusters": [1, 1, 1, 1, 0, 0, 0, 0, 1, 0, 1, 0, 0, 0, 0, 1],
        "modules": [1, 1, 1, 1, 0, 0, 0, 0, 0, 1, 0, 1, 2, 2, 2, 2],
    },
}


def read(network: dict) -> LayeredGraph:
    weights = []
    for edges, shape in zip(network["edges"], pairwise(network["widths"]), strict=True):
        weight = np.zeros(shape)
        for source, target in edges:
            weight[source, target] = 1
        weights.append(weight)
    return LayeredGraph(tuple(weights))


def same(found: Sequence[int], expected: Sequence[int]) -> bool:
    """Whether two partitions are one up to renaming."""
    pairs = set(zip(list(found), list(expected), strict=True))
    return len(pairs) == len(set(found)) == len(set(expected))


def surviving(labels: Sequence[np.ndarray]) -> list[list[int]]:
    return [[int(label) for label in layer if label >= 0] for layer in labels]


def differences(hierarchy: Hierarchy, network: dict) -> list[str]:
    """In what the partitions of a hierarchy differ from the published ones."""
    modules, clusters = surviving(hierarchy.labels), surviving(hierarchy.clusters)
    flat = np.concatenate(hierarchy.labels)
    found = ["removed units"] if np.flatnonzero(flat < 0).tolist() != network.get("removed", np.flatnonzero(flat < 0).tolist()) else []
    if sum(map(len, clusters)) != len(network["modules"]):
        return ["number of surviving units"]
    ends = np.cumsum([len(layer) for layer in clusters])[:-1]
    published = np.split(np.array(network["layer_clusters"]), ends)
    found += [f"clusters of layer {i}" for i, (a, b) in enumerate(zip(clusters, published, strict=True)) if not same(a, b.tolist())]
    if not same([label for layer in modules for label in layer], network["modules"]):
        found.append("modules")
    return found


def best_count_of(features: np.ndarray) -> int | None:
    distances = cosine_distances(features)
    merges = linkage(squareform(distances), method="average")
    return best_count(merges, modularity_by_count(merges, distances))


def lists(labels: Sequence[np.ndarray]) -> list[list[int]]:
    return [layer.tolist() for layer in labels]


# --- Published networks -------------------------------------------------------------------------------------------------------


@pytest.mark.skipif(not PUBLISHED.exists(), reason=f"the published networks are not at {PUBLISHED}; set SCULPTING_SHARED_DATA")
def test_every_published_network_has_its_published_partitions() -> None:
    networks = json.loads(gzip.decompress(PUBLISHED.read_bytes()))
    assert len(networks) == 630
    wrong = {}
    for i, network in enumerate(networks):
        found = differences(detect_modules(read(network)), network)
        if found:
            wrong[f"{i}: {network['experiment']} {network['task']}, widths {network['widths']}, seed {network['seed']}"] = found
    assert not wrong, "\n".join(f"{name}: {', '.join(found)}" for name, found in wrong.items())


@pytest.mark.parametrize("name", NETWORKS)
def test_five_published_networks(name: str) -> None:
    assert differences(detect_modules(read(NETWORKS[name])), NETWORKS[name]) == []


def test_the_comparison_sees_one_unit_in_another_module() -> None:
    network = NETWORKS["three ANDs and three ORs"]
    changed = network | {"modules": [2, 2, 1, 1, 0, 0, 1, 0, 2, 3, 4, 4]}
    assert differences(detect_modules(read(network)), changed) == ["modules"]


# --- Known answers ------------------------------------------------------------------------------------------------------------


def test_three_ands_and_three_ors_are_six_modules() -> None:
    hierarchy = detect_modules([[[1, 1, 0, 0, 0, 0], [0, 0, 1, 1, 0, 0], [0, 0, 0, 0, 1, 1]], [[1, 1, 0], [0, 1, 1], [1, 0, 1]]])
    assert lists(hierarchy.labels) == [[0, 0, 1, 1, 2, 2], [0, 1, 2], [3, 4, 5]]
    assert lists(hierarchy.clusters) == [[0, 0, 1, 1, 2, 2], [0, 1, 2], [0, 1, 2]]
    assert [(m.inputs, m.outputs) for m in hierarchy.modules[:1] + hierarchy.modules[3:4]] == [((0, 1), ()), ((), (0,))]


def test_a_removed_unit_keeps_its_position() -> None:
    hierarchy = detect_modules([[[1, 1, 0, 0, 0], [0, 0, 0, 0, 0], [0, 0, 0, 1, 1]], [[1, 1, 0], [0, 1, 1]]])
    assert lists(hierarchy.labels) == [[0, 0, -1, 1, 1], [0, -1, 1], [0, 1]]
    assert lists(hierarchy.clusters) == [[0, 0, -1, 1, 1], [0, -1, 1], [0, 1]]


def test_reach_features_by_hand() -> None:
    # x0 -> h0 -> g0 -> y0 and x1 -> h1 -> g0, g1 -> y0, y1
    edges = [np.eye(2, dtype=bool), np.array([[1, 0], [1, 1]], dtype=bool), np.eye(2, dtype=bool)]
    full = [[[1, 0, 1, 0, 1, 0], [0, 1, 1, 1, 1, 1]], [[1, 0, 1, 0], [1, 1, 1, 1]], [[1, 0], [0, 1]]]
    assert [f.astype(int).tolist() for f in reach_features(edges)] == full
    assert [f.astype(int).tolist() for f in reach_features(edges, reach=7)] == full
    two = [[[1, 0, 1, 0], [0, 1, 1, 1]], [[1, 0, 1, 0], [1, 1, 1, 1]], [[1, 0], [0, 1]]]
    assert [f.astype(int).tolist() for f in reach_features(edges, reach=2)] == two
    assert [f.tolist() for f in reach_features(edges, reach=1)] == [e.tolist() for e in edges]


def test_modularity_by_hand() -> None:
    # Two pairs of like units, all else at distance 1: sum 8, so every unit has a share of 1/4 and like pairs add nothing.
    distances = 1 - np.kron(np.eye(2), np.ones((2, 2)))
    merges = linkage(squareform(distances), method="average")
    assert modularity_by_count(merges, distances) == pytest.approx([0, -1 / 2, -3 / 8, -1 / 4])
    assert best_count(merges, modularity_by_count(merges, distances)) == 2


def test_cosine_distance_by_hand() -> None:
    distances = cosine_distances(np.array([[1.0, 1, 0, 0], [1, 0, 0, 0], [0, 1, 1, 1], [1, 1, 1, 1]]))
    assert distances[0] == pytest.approx([0, 1 - 1 / 2**0.5, 1 - 1 / 6**0.5, 1 - 2 / 8**0.5])


@pytest.mark.parametrize(
    ("first", "second", "separate", "single", "excess"),
    [
        ([1, 1, 0, 0, 0, 0], [0, 0, 1, 1, 1, 0], True, False, -1 / (5 / 6) ** 0.5),  # no overlap where one is expected
        ([1, 1, 1, 0, 0, 0], [1, 1, 1, 0, 0, 0], False, True, 1.5 / (9 / 8) ** 0.5),  # the same three where 1.5 are expected
        ([1, 1, 1, 1], [1, 1, 1, 1], False, True, 0.0),  # both hold everything: no spread
        ([1, 1, 0, 0], [1, 0, 1, 0], True, True, 0.0),  # exactly what is expected
        ([0, 0, 0], [0, 0, 0], False, True, 0.0),
        ([0, 0, 0], [1, 0, 0], True, False, 0.0),
    ],
)
def test_overlap_by_hand(first: list[int], second: list[int], separate: bool, single: bool, excess: float) -> None:
    result = overlap_test(np.array(first, dtype=float), np.array(second, dtype=float))
    assert (result.separate, result.single) == (separate, single)
    assert result.excess == pytest.approx(excess)


def test_the_larger_score_wins_where_both_tests_fire_and_a_tie_joins() -> None:
    # Three ORs of three ANDs. Two units: 1 shared, 4/3 expected. One unit against the other two: 2 shared, 2 expected.
    assert cluster_units([[1, 0, 1], [1, 1, 0], [0, 1, 1]]).tolist() == [0, 1, 2]
    assert cluster_units([[1, 1, 0, 0], [1, 0, 1, 0]]).tolist() == [0, 0]


def test_the_largest_number_wins_where_modularities_tie() -> None:
    merges = np.array([[0, 1, 0.1, 2], [2, 3, 0.2, 2], [4, 5, 0.3, 3], [6, 7, 0.9, 5]])
    assert best_count(merges, np.array([0, -0.4, -0.4 + 1e-12, -0.3, -0.2])) == 3
    assert best_count(merges, np.array([0, -0.4, -0.4 + 1e-6, -0.3, -0.2])) == 2


def test_a_weak_modularity_is_put_to_the_tests() -> None:
    # Three clusters of two, of modularity -1/3, that share most of what they reach.
    features = np.hstack([np.repeat(np.eye(3), 2, axis=0), np.ones((6, 9)), np.zeros((6, 20))])
    assert same(cluster_units(features, modularity_threshold=0.3), [0, 0, 1, 1, 2, 2])
    assert same(cluster_units(features, modularity_threshold=0.4), [0] * 6)


def test_two_and_all_but_one_clusters_are_put_to_the_tests() -> None:
    shared = np.hstack([np.ones((4, 9)), np.zeros((4, 20))])
    for like, count in ([0, 0, 1, 1], 2), ([0, 0, 1, 2], 3):
        own = np.eye(3)[like]
        assert same(cluster_units(own), like)
        assert best_count_of(own) == count
        assert cluster_units(np.hstack([own, shared])).tolist() == [0] * 4


def test_the_last_two_clusters_are_compared_by_all_that_they_reach() -> None:
    # Together the first two units reach 0-3 and the last two 2-5: 2 shared, where 16 / f are expected.
    features = np.zeros((4, 10))
    for row, reached in enumerate(([0, 1, 2], [0, 1, 3], [2, 4, 5], [3, 4, 5])):
        features[row, reached] = 1
    assert cluster_units(features).tolist() == [0, 0, 0, 0]
    assert same(cluster_units(features[:, :6]), [0, 0, 1, 1])


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
    assert lists(merge_clusters(edges, clusters, threshold=0.3))[1] == [1]


def test_outputs_need_no_share_of_the_outgoing_edges() -> None:
    edges = [np.ones((2, 1), dtype=bool), np.ones((1, 3), dtype=bool)]
    assert lists(merge_clusters(edges, [np.array([0, 0]), np.array([0]), np.arange(3)])) == [[0, 0], [0], [0, 0, 0]]


def test_of_equal_shares_the_lowest_label_is_joined() -> None:
    edges, clusters = [np.ones((3, 1), dtype=bool)], [np.array([2, 0, 1]), np.array([0])]
    assert lists(merge_clusters(edges, clusters, threshold=0.3))[1] == [0]
    edges[0] = np.array([[1], [0], [0]], dtype=bool)
    assert lists(merge_clusters(edges, clusters, threshold=0.3))[1] == [2]


# --- Corrected defects --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("weights", "expected"),
    [
        pytest.param([[[1, 0], [1, 0]], [[1, 1]]], [[0, -1], [0, 0], [0]], id="a single surviving input"),
        pytest.param([[[1, 1, 0, 0], [0, 0, 1, 1]]], [[0, 0, 1, 1], [0, 1]], id="no hidden units"),
        pytest.param([[[1.0]]], [[0], [0]], id="one input and one output"),
        pytest.param([[[1, 1], [0, 0]], [[1, 0], [0, 0], [0, 0]]], [[0, 0], [0, -1], [0, 1, 2]], id="disconnected outputs"),
        pytest.param([[[0, 0], [0, 0]], [[0, 0], [0, 0]]], [[-1, -1], [-1, -1], [0, 1]], id="no edges"),
        pytest.param([[[0, 0]]], [[-1, -1], [0]], id="no edges and no hidden units"),
        pytest.param([[[0, 0], [1, 0]], [[1, 0]]], [[-1, -1], [-1, -1], [0]], id="no surviving input"),
    ],
)
def test_every_network_has_an_answer(weights: list, expected: list[list[int]]) -> None:
    assert lists(detect_modules(weights).labels) == expected


def test_equidistant_inputs_are_separate() -> None:
    # Four inputs, each with a hidden unit of its own; published: an arbitrary pair is merged.
    hierarchy = detect_modules([np.eye(4), np.ones((1, 4))])
    assert lists(hierarchy.clusters)[0] == [0, 1, 2, 3]


def test_equidistant_inputs_that_share_almost_everything_are_one_cluster() -> None:
    assert cluster_units(np.hstack([1 - np.eye(5), np.ones((5, 10)), np.zeros((5, 20))])).tolist() == [0] * 5


@pytest.mark.parametrize("units", [2, 3, 6])
def test_units_without_distance_are_one_cluster(units: int) -> None:
    assert cluster_units(np.ones((units, 3))).tolist() == [0] * units
    assert cluster_units(np.zeros((units, 3))).tolist() == [0] * units


def test_no_number_that_parts_equal_merges_is_a_candidate() -> None:
    # Two pairs at the same distance: three clusters would join one pair and not the other.
    merges = np.array([[0, 1, 0.2, 2], [2, 3, 0.2, 2], [4, 5, 0.9, 4]])
    assert best_count(merges, np.array([0, -0.3, -0.9, -0.25])) == 2
    assert best_count(merges[:, [0, 1, 3, 2]] * [1, 1, 0, 1], np.array([0, -0.3, -0.9, -0.25])) is None


def test_units_without_features_are_at_distance_one_from_all_others() -> None:
    features = np.array([[0, 0, 0, 0], [1, 1, 0, 0], [1, 1, 0, 0], [0, 0, 0, 0]])
    assert same(cluster_units(features), [0, 1, 1, 0])
    assert cluster_units(np.zeros((0, 3))).shape == (0,)
    assert cluster_units(np.zeros((2, 0))).tolist() == [0, 0]


def test_the_features_of_the_caller_are_not_changed() -> None:
    features = np.array([[1.0, 0, 0, 1], [1, 0, 1, 0], [0, 1, 0, 0], [0, 1, 0, 1]])
    features.setflags(write=False)
    before = features.copy()
    cluster_units(features)
    assert (features == before).all()


def test_a_short_reach_counts_overlap_over_the_units_within_reach() -> None:
    # x0 -> h0 and x1 -> h0, h1. Within one layer they share 1 of 2 units where 1 is expected: both tests fire with score 0, so one
    # cluster. Counting the outputs too (2 shared, sizes 2 and 5) over those 2 units expects 5 and makes the score NaN: separate.
    weights = [[[1, 1], [0, 1]], [[1, 0], [0, 1], [0, 1]]]
    assert lists(detect_modules(weights, reach=1).clusters)[0] == [0, 0]


def test_one_linkage_gives_every_number_of_clusters(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []
    monkeypatch.setattr(clustering, "linkage", lambda *a, **k: calls.append(a) or linkage(*a, **k))
    cluster_units(np.random.default_rng(0).random((30, 60)) < 0.3)
    assert len(calls) == 1


def test_labels_below_need_not_be_contiguous() -> None:
    edges = [np.eye(3, dtype=bool), np.eye(3, dtype=bool)]
    labels = merge_clusters(edges, [np.array([5, 0, 9]), np.arange(3), np.arange(3)])
    assert lists(labels) == [[5, 0, 9]] * 3


# --- Properties ---------------------------------------------------------------------------------------------------------------

SEEDS = st.integers(0, 2**32 - 1)


def random_graph(rng: np.random.Generator, widths: Sequence[int], density: float = 0.4) -> LayeredGraph:
    return LayeredGraph(tuple((rng.random(shape) < density) * rng.normal(size=shape) for shape in pairwise(widths)))


def permuted(graph: LayeredGraph, layer: int, order: np.ndarray) -> LayeredGraph:
    weights = list(graph.weights)
    weights[layer - 1], weights[layer] = weights[layer - 1][:, order], weights[layer][order]
    return LayeredGraph(tuple(weights))


def untied(distances: np.ndarray) -> bool:
    values = np.sort(squareform(distances, checks=False))
    return len(values) > 0 and values[0] > 0 and bool((np.diff(values) > 1e-6).all())


@settings(max_examples=40, deadline=None)
@given(seed=SEEDS)
def test_permuting_hidden_units_permutes_their_labels_and_nothing_else(seed: int) -> None:
    rng = np.random.default_rng(seed)
    graph, order = random_graph(rng, (6, 4, 9, 6)), rng.permutation(4)
    found, other = detect_modules(graph), detect_modules(permuted(graph, 1, order))
    # Whatever the ties, the features of the other layers hold the same values, if in another order.
    for layer in (0, 2, 3):
        assert same(found.clusters[layer], other.clusters[layer])
    alive = graph.alive()
    assert ((found.labels[1] >= 0)[order] == (other.labels[1] >= 0)).all()
    distances = cosine_distances(reach_features(alive_edges(graph, alive))[1].astype(float))
    # Average linkage takes tied units in the order of their rows, so that only units without ties are free to move.
    assume(untied(distances))
    assert same(found.clusters[1][order], other.clusters[1])
    moved = (found.labels[0], found.labels[1][order], *found.labels[2:])
    assert same(np.concatenate(moved), np.concatenate(other.labels))


@settings(max_examples=40, deadline=None)
@given(seed=SEEDS, blocks=st.integers(1, 4))
def test_planted_blocks_are_found_in_any_order(seed: int, blocks: int) -> None:
    rng = np.random.default_rng(seed)
    layers = [rng.permutation(np.repeat(np.arange(blocks), rng.integers(1, 4, size=blocks))) for _ in range(4)]
    graph = LayeredGraph(tuple((a[:, None] == b).astype(float) for a, b in pairwise(layers)))
    assert same(np.concatenate(detect_modules(graph).labels), np.concatenate(layers))


@settings(max_examples=20, deadline=None)
@given(seed=SEEDS, reach=st.sampled_from([None, 1, 2]))
def test_detecting_changes_no_array(seed: int, reach: int | None) -> None:
    weights = [w.T.copy() for w in random_graph(np.random.default_rng(seed), (5, 6, 4, 3)).weights]
    before = [w.copy() for w in weights]
    hierarchy = detect_modules(weights, reach=reach)
    assert all((a == b).all() for a, b in zip(weights, before, strict=True))
    assert hierarchy.network is weights


@settings(max_examples=20, deadline=None)
@given(seed=SEEDS, count=st.integers(3, 12))
def test_every_number_of_clusters_equals_a_refit_of_scikit_learn(seed: int, count: int) -> None:
    rng = np.random.default_rng(seed)
    distances = squareform(rng.random(count * (count - 1) // 2))
    merges = linkage(squareform(distances), method="average")
    values = modularity_by_count(merges, distances)
    share = distances / distances.sum()
    for k in range(1, count + 1):
        model = AgglomerativeClustering(n_clusters=k, metric="precomputed", linkage="average").fit(distances)
        assert same(replay_merges(merges, k), model.labels_)
        member = np.eye(k)[model.labels_]
        blocks = member.T @ share @ member
        assert values[k - 1] == pytest.approx(np.trace(blocks) - (blocks.sum(axis=1) ** 2).sum())
    assert best_count(merges, values) == 2 + int(np.argmin(values[1:-1]))


@settings(max_examples=20, deadline=None)
@given(seed=SEEDS, reach=st.integers(1, 5))
def test_features_equal_powers_of_the_adjacency(seed: int, reach: int) -> None:
    graph = random_graph(np.random.default_rng(seed), (4, 5, 3, 4, 2))
    edges = alive_edges(graph, [np.ones(n, dtype=bool) for n in graph.widths])
    starts = np.concatenate([[0], np.cumsum(graph.widths)])
    adjacency = np.zeros((starts[-1], starts[-1]), dtype=int)
    for i, edge in enumerate(edges):
        adjacency[starts[i] : starts[i + 1], starts[i + 1] : starts[i + 2]] = edge
    paths = sum(np.linalg.matrix_power(adjacency, power) for power in range(1, reach + 1)) > 0
    for i, found in enumerate(reach_features(edges, reach)):
        last = starts[min(i + 1 + reach, len(edges) + 1)]
        assert (found == paths[starts[i] : starts[i + 1], starts[i + 1] : last]).all()


# --- Errors -------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["merge_threshold", "modularity_threshold"])
@pytest.mark.parametrize("value", [-0.1, 1.01, 90, float("nan"), "0.9", None])
def test_a_threshold_must_be_a_fraction(name: str, value: object) -> None:
    with pytest.raises(ValueError, match=rf"{name} must be a fraction in \[0, 1\]; got .*Give a percentage divided by 100"):
        detect_modules([[[1.0]]], **{name: value})


@pytest.mark.parametrize("value", [0, -1, 1.5, True, "2"])
def test_reach_must_be_a_positive_integer(value: object) -> None:
    with pytest.raises(ValueError, match="reach must be a positive integer, or None for all 1 weight layers; got"):
        detect_modules([[[1.0]]], reach=value)


@pytest.mark.parametrize("value", [0, 1, np.float32(0.5)])
def test_both_ends_are_fractions(value: float) -> None:
    assert len(detect_modules([[[1.0]]], merge_threshold=value, modularity_threshold=value).labels) == 2


def test_what_is_no_network_is_refused() -> None:
    with pytest.raises(TypeError, match="the network must be a SparseNetwork, a LayeredGraph, a sequence of weight matrices"):
        detect_modules(3)
