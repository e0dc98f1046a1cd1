"""The whole detector against the published procedure written out the slow way, on networks that nobody published.

A scikit-learn fit for every number of clusters, dense reachability, merging edge by edge: nothing of the package is used for it.
"""

from __future__ import annotations

from itertools import chain, pairwise

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from layered import same
from numpy.typing import NDArray
from published import NETWORKS, published_networks, read
from sklearn.cluster import AgglomerativeClustering
from sklearn.metrics.pairwise import cosine_distances

from analysis import LayeredGraph, detect_modules

Labels = list[list[int]]


def slow_detector(edges: list[NDArray]) -> tuple[Labels, Labels, bool]:
    """Clusters and modules of the alive units of each layer, and whether a cut went between equally close units."""
    sizes = [len(edges[0]), *(e.shape[1] for e in edges)]
    starts = np.cumsum([0, *sizes])
    adjacency = np.zeros((starts[-1], starts[-1]), dtype=int)
    for i, edge in enumerate(edges):
        adjacency[starts[i] : starts[i + 1], starts[i + 1] : starts[i + 2]] = edge
    reached, power = np.zeros_like(adjacency), np.eye(starts[-1], dtype=int)
    for _ in edges:
        power = power @ adjacency
        reached |= power > 0
    found = [slow_clusters(reached[a:b, b:].astype(float)) for a, b in pairwise(starts[:-1])]
    clusters = [labels for labels, _ in found] + [list(range(sizes[-1]))]
    return clusters, slow_merging(edges, clusters), any(tied for _, tied in found)


def slow_clusters(features: NDArray) -> tuple[list[int], bool]:
    count = len(features)
    if count == 1:
        return [0], False
    distances = cosine_distances(features)
    values = {k: slow_modularity(distances, fit(distances, k)) for k in range(2, count)}
    best = chosen = max((k for k in values if values[k] == min(values.values())), default=count)
    if count == 2 or best in (2, count - 1) or values[best] > -0.2:
        pair = np.bincount(fit(distances, count - 1)).argmax()
        apart = slow_test(*features[np.flatnonzero(fit(distances, count - 1) == pair)])
        halves = fit(distances, 2)
        joined = slow_test(*(features[halves == side].max(axis=0) for side in (0, 1)))
        if apart[0] and not (joined[1] and joined[2] >= -apart[2]):
            best = count
        elif joined[1]:
            best = 1
    heights = AgglomerativeClustering(None, distance_threshold=0, metric="precomputed", linkage="average").fit(distances).distances_
    cuts = [k for k in (chosen, best) if 1 < k < count]  # what the tests overrule may have been chosen by such a cut too
    tied = any(bool(np.isclose(heights[count - k - 1], heights[count - k], atol=1e-9)) for k in cuts)
    return fit(distances, best).tolist(), tied


def fit(distances: NDArray, count: int) -> NDArray:
    return AgglomerativeClustering(count, metric="precomputed", linkage="average").fit(distances).labels_


def slow_modularity(distances: NDArray, labels: NDArray) -> float:
    shares = distances / distances.sum() if distances.any() else distances
    within = sum(shares[np.ix_(labels == c, labels == c)].sum() - shares[labels == c].sum() ** 2 for c in set(labels.tolist()))
    return round(float(within), 8)


def slow_test(first: NDArray, second: NDArray) -> tuple[bool, bool, float]:
    """Whether two sets of features look separate, whether they look like one, and the z-score of their overlap."""
    units, (a, b), overlap = len(first), (first.sum(), second.sum()), (first * second).sum()
    expected, chance = a * b / units, a * b / units**2
    spread = (units * chance * (1 - chance)) ** 0.5
    separate = (overlap < max(a, b) and overlap <= expected) or overlap < 1
    single = (overlap >= 1 and overlap >= expected) or overlap >= max(a, b)
    return separate, single, (overlap - expected) / spread if spread else 0.0


def slow_merging(edges: list[NDArray], clusters: Labels) -> Labels:
    modules, fresh = [clusters[0]], max(clusters[0]) + 1
    for i, edge in enumerate(edges):
        below, above, labels = np.array(modules[i]), np.array(clusters[i + 1]), [0] * len(clusters[i + 1])
        for cluster in sorted(set(above.tolist())):
            into = edge[:, above == cluster]
            label = None
            for module in sorted(set(below.tolist())):
                shared = into[below == module].sum()
                mostly_in = shared and shared / into.sum() > 0.9
                mostly_out = shared and shared / edge[below == module].sum() > 0.9
                if mostly_in and (mostly_out or i == len(edges) - 1):
                    label = module
            if label is None:
                label, fresh = fresh, fresh + 1
            for unit in np.flatnonzero(above == cluster):
                labels[unit] = label
        modules.append(labels)
    return modules


def agrees(graph: LayeredGraph) -> bool | None:
    """Whether both detectors agree; None where the published one joins equally close units at random."""
    alive = graph.alive()
    if not all(part.any() for part in alive):
        return None
    edges = [(w[a][:, b] != 0).astype(int) for w, a, b in zip(graph.weights, alive, alive[1:], strict=False)]
    clusters, modules, tied = slow_detector(edges)
    if tied:
        return None
    found = detect_modules(graph, method="published")
    mine = [[part[part >= 0].tolist() for part in labels] for labels in (found.clusters, found.labels)]
    return all(same(a, b) for a, b in zip(mine[0], clusters, strict=True)) and same([*chain(*mine[1])], [*chain(*modules)])


def damaged(graph: LayeredGraph, seed: int) -> LayeredGraph:
    """The same network with one to three edges more or less."""
    rng = np.random.default_rng(seed)
    weights = [w.copy() for w in graph.weights]
    for _ in range(rng.integers(1, 4)):
        weight = weights[rng.integers(len(weights))]
        used = [np.flatnonzero(weight.any(axis=axis)) for axis in (1, 0)]
        if len(used[0]) and len(used[1]):
            source, target = rng.choice(used[0]), rng.choice(used[1])
            weight[source, target] = 1 - weight[source, target]
    return LayeredGraph.from_weights(tuple(weights), orientation="in_out")


@settings(max_examples=40, deadline=None)
@given(st.sampled_from(sorted(NETWORKS)), st.integers(0, 2**32 - 1))
def test_damaged_published_networks(name: str, seed: int) -> None:
    assert agrees(damaged(read(NETWORKS[name]), seed)) is not False


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(2, 7), min_size=2, max_size=5), st.floats(0.2, 0.7), st.integers(0, 2**32 - 1))
@example([3, 7, 3], 0.6875, 25585)
def test_random_networks(widths: list[int], density: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    graph = LayeredGraph.from_weights(
        tuple((rng.random(shape) < density).astype(float) for shape in pairwise(widths)), orientation="in_out"
    )
    assert agrees(graph) is not False


def test_most_networks_are_compared() -> None:
    verdicts = [agrees(damaged(read(network), seed)) for seed in range(20) for network in NETWORKS.values()]
    assert verdicts.count(True) > 60
    assert False not in verdicts


@pytest.mark.slow
def test_every_published_network_damaged() -> None:
    verdicts = [agrees(damaged(read(network), i)) for i, network in enumerate(published_networks())]
    assert False not in verdicts
    assert verdicts.count(True) > 400
