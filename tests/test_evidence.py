"""Null models, qualities and stability, on cases worked out by hand."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chisquare

from analysis import Hierarchy, LayeredGraph, detect_modules
from analysis.evidence import modularity, rewired, separation, shuffled, stability

SEEDS = st.integers(0, 10_000)
PAIR = np.kron(np.eye(2), np.ones((2, 2)))  # two units wired to two, twice


def random_graph(rng: np.random.Generator, widths: Sequence[int], density: float = 0.5) -> LayeredGraph:
    shapes = pairwise(widths)
    return LayeredGraph.from_weights(
        tuple(rng.normal(size=shape) * (rng.random(shape) < density) for shape in shapes), orientation="in_out"
    )


def hierarchy(weights: Sequence[np.ndarray], labels: Sequence[list[int]], clusters: Sequence[list[int]] | None = None) -> Hierarchy:
    graph = LayeredGraph.from_weights(tuple(np.array(w, dtype=float) for w in weights), orientation="in_out")
    return Hierarchy(graph, tuple(map(np.array, labels)), tuple(map(np.array, clusters or labels)))


# --- Null models --------------------------------------------------------------------------------------------------------------


@settings(max_examples=40, deadline=None)
@given(seed=SEEDS, widths=st.lists(st.integers(1, 7), min_size=2, max_size=4), density=st.sampled_from([0.2, 0.5, 0.9]))
def test_rewiring_keeps_the_edges_of_every_unit(seed: int, widths: list[int], density: float) -> None:
    graph = random_graph(np.random.default_rng(seed), widths, density)
    found = rewired(graph, seed=seed)
    for before, after in zip(graph.weights, found.weights, strict=True):
        assert ((before != 0).sum(axis=1) == (after != 0).sum(axis=1)).all()
        # Weights travel with edges, whose targets stay: the incoming weights of a unit are the same numbers.
        assert (np.sort(before, axis=0) == np.sort(after, axis=0)).all()


@settings(max_examples=40, deadline=None)
@given(seed=SEEDS)
def test_rewiring_a_network_whose_units_all_carry_something_makes_none_that_does_not(seed: int) -> None:
    graph = random_graph(np.random.default_rng(seed), (5, 6, 5, 4), 0.3)
    alive = graph.alive()
    kept = LayeredGraph.from_weights(
        tuple(w * np.outer(a, b) for w, a, b in zip(graph.weights, alive, alive[1:], strict=False)), orientation="in_out"
    )
    for before, after in zip(alive, rewired(kept, seed=seed).alive(), strict=True):
        assert (before == after).all()


@pytest.mark.parametrize(
    ("layer", "arrangements", "draws"),
    [
        # 4 x 4 with two edges a row and column: 90 matrices. Choose 2 of 4 columns for row 0 (6 ways). Row 1 equal: rows 2, 3 are
        # forced (1 way); disjoint: 1 way for row 1, then C(4,2) = 6 for row 2; one column shared: 4 ways, then 2. 6 (1 + 6 + 8) = 90.
        (PAIR, 90, 1800),
        (np.eye(3), 6, 600),  # an odd number of units: permutations of three
        (np.array([[1.0, 1, 0, 0], [0, 0, 1, 1]]), 6, 600),  # C(4, 2)
        (np.array([[1.0, 1, 0], [1, 0, 1]]), 2, 200),  # column 0 is shared, columns 1 and 2 change hands
        (np.ones((3, 2)), 1, 5),
        (np.array([[1.0, 0, 1]]), 1, 5),
    ],
)
def test_all_arrangements_come_up_equally_often(layer: np.ndarray, arrangements: int, draws: int) -> None:
    graph, rng = LayeredGraph.from_weights((layer,), orientation="in_out"), np.random.default_rng(0)
    counts = Counter(rewired(graph, seed=rng).weights[0].tobytes() for _ in range(draws))
    assert len(counts) == arrangements
    if arrangements > 1:
        assert chisquare(list(counts.values())).pvalue > 0.01


def test_a_large_sparse_layer_is_mixed() -> None:
    # Each of 1000 sources has one of 1000 targets: of a random permutation one place in the mean stays the same.
    assert np.trace(rewired(LayeredGraph.from_weights((np.eye(1000),), orientation="in_out")).weights[0]) <= 5


def test_shuffling_deals_the_weights_of_a_layer_to_its_edges() -> None:
    graph = LayeredGraph.from_weights((np.array([[1.0, 2.0], [0.0, 3.0]]), np.array([[4.0], [0.0]])), orientation="in_out")
    rng = np.random.default_rng(0)
    counts: Counter[tuple[float, ...]] = Counter()
    for _ in range(600):
        first, second = shuffled(graph, seed=rng).weights
        assert first[1, 0] == 0
        assert second.tolist() == [[4.0], [0.0]]
        counts[tuple(first[[0, 0, 1], [0, 1, 1]].tolist())] += 1
    assert sorted(counts) == [(1, 2, 3), (1, 3, 2), (2, 1, 3), (2, 3, 1), (3, 1, 2), (3, 2, 1)]
    assert chisquare(list(counts.values())).pvalue > 0.01


@pytest.mark.parametrize("make", [rewired, shuffled])
def test_a_seed_repeats_a_null_and_the_network_is_left_alone(make: object) -> None:
    rng = np.random.default_rng(3)
    weights = tuple(rng.normal(size=(6, 6)) * (rng.random((6, 6)) < 0.4) for _ in range(2))
    graph = LayeredGraph.from_weights(
        weights,
        orientation="in_out",
        biases=tuple(rng.normal(size=6) for _ in range(2)),
        activations=("tanh", "sigmoid"),
        input_names=tuple("abcdef"),
    )
    before = [w.copy() for w in graph.weights]
    first, again, other = make(graph, seed=1), make(graph, seed=1), make(graph, seed=2)
    assert all((a == b).all() for a, b in zip(first.weights, again.weights, strict=True))
    assert any((a != b).any() for a, b in zip(first.weights, other.weights, strict=True))
    assert any((a != b).any() for a, b in zip(first.weights, graph.weights, strict=True))
    assert all((a == b).all() for a, b in zip(before, graph.weights, strict=True))
    assert (first.activations, first.input_names, first.biases) == (graph.activations, graph.input_names, graph.biases)


# --- Qualities ----------------------------------------------------------------------------------------------------------------

# x0, x1 -> h0; x2 -> h1; h0, h1 -> y0. x0 and x1 reach {h0, y0}, x2 reaches {h1, y0}: cosine distances 0 and 1/2. Divided by their
# sum of 2: d(0, 2) = d(1, 2) = 1/4, so the shares of x0, x1, x2 are 1/4, 1/4, 1/2. h0 and h1 both reach {y0}: distance 0.
SMALL = [np.array([[1.0, 0], [-3, 0], [0, 4]]), np.array([[1.0], [3]])]


@pytest.mark.parametrize(
    ("inputs", "expected"),
    [
        ([0, 0, 1], (1 / 2) ** 2 * 2),
        ([0, 1, 2], 2 * (1 / 4) ** 2 + (1 / 2) ** 2),
        ([0, 0, 0], 1 - 1),
        ([0, 1, 1], (1 / 4) ** 2 + (3 / 4) ** 2 - 2 * (1 / 4)),
    ],
)
def test_separation_by_hand(inputs: list[int], expected: float) -> None:
    found = hierarchy(SMALL, [[0, 0, 1], [0, 1], [2]], [inputs, [0, 1], [0]])
    assert separation(found) == pytest.approx(expected / 2)  # the mean with the hidden layer, which counts 0


def test_modularity_by_hand() -> None:
    found = hierarchy(SMALL, [[0, 0, 1], [0, 1], [2]])
    # Layer 1: all 3 edges within; expected 1*2/3 + 1*2/3 + 1*1/3 = 5/3. Layer 2: none within. 5 edges.
    assert modularity(found) == pytest.approx((3 - 5 / 3) / 5)
    # |weights| 1, 3 into h0 and 4 into h1, sum 8: expected (1*4 + 3*4 + 4*4) / 8 = 4. Layer 2 weighs 4.
    assert modularity(found, weighted=True) == pytest.approx((8 - 4) / 12)


def test_removed_units_do_not_count() -> None:
    first = np.zeros((4, 3))
    first[:3, :2] = SMALL[0]
    first[3, 2] = first[0, 2] = 7.0
    found = hierarchy([first, np.vstack([SMALL[1], [[0.0]]])], [[0, 0, 1, -1], [0, 1, -1], [2]], [[0, 0, 1, -1], [0, 1, -1], [0]])
    assert separation(found) == pytest.approx(1 / 4)
    assert modularity(found) == pytest.approx((3 - 5 / 3) / 5)


def test_a_network_without_edges_has_quality_zero() -> None:
    found = detect_modules([np.zeros((2, 3))])
    assert (separation(found), modularity(found)) == (0.0, 0.0)


@settings(max_examples=30, deadline=None)
@given(seed=SEEDS, weighted=st.booleans())
def test_modularity_equals_its_sum_over_pairs(seed: int, weighted: bool) -> None:
    rng = np.random.default_rng(seed)
    graph = random_graph(rng, (5, 4, 3), 0.6)
    labels = tuple(rng.integers(0, 3, size=n) for n in graph.widths)
    layers = [np.abs(w) if weighted else (w != 0) * 1.0 for w in graph.weights]
    value = sum(
        a[i, j] - a[i].sum() * a[:, j].sum() / a.sum()
        for a, below, above in zip(layers, labels, labels[1:], strict=False)
        for i, j in np.ndindex(a.shape)
        if a.sum() and below[i] == above[j]
    )
    expected = value / max(sum(a.sum() for a in layers), 1e-300)
    assert modularity(Hierarchy(graph, labels, labels), weighted=weighted) == pytest.approx(expected)


# --- Stability ----------------------------------------------------------------------------------------------------------------


def ends(inputs: list[int], outputs: list[int]) -> Hierarchy:
    return hierarchy([np.ones((len(inputs), len(outputs)))], [inputs, outputs])


def test_agreement_by_hand() -> None:
    # {0,1,2},{3,4} and {0,1},{2,3,4} have pairs 01 and 34 in common: 2 of 4 and of 4, by chance 4 * 4 / 10 = 1.6 and at most 4.
    found = stability([ends([0, 0, 0, 1, 1], [0, 0]), ends([0, 0, 1, 1, 1], [0, 1]), ends([5, 5, 5, 2, 2], [7, 7])])
    sixth = pytest.approx((2 - 1.6) / (4 - 1.6))
    assert found.inputs.rand_index.tolist() == [[1, sixth, 1], [sixth, 1, sixth], [1, sixth, 1]]
    assert found.inputs.mean_rand_index == pytest.approx((1 + 2 * (0.4 / 2.4)) / 3)
    assert found.inputs.together[2].tolist() == pytest.approx([2 / 3, 2 / 3, 1, 1 / 3, 1 / 3])
    assert found.inputs.together[0].tolist() == pytest.approx([1, 1, 2 / 3, 0, 0])
    assert (found.inputs.together == found.inputs.together.T).all()
    # Together against apart, with two outputs: no pair in common by chance either, index 0.
    assert found.outputs.rand_index.tolist() == [[1, 0, 1], [0, 1, 0], [1, 0, 1]]
    assert found.outputs.together.tolist() == [[1, pytest.approx(2 / 3)], [pytest.approx(2 / 3), 1]]


def test_a_unit_without_module_is_a_group_of_its_own() -> None:
    # {0},{1},{2,3} against {0,1},{2,3}: 1 pair in common, of 1 and of 2, by chance 1 * 2 / 6 = 1/3 and at most 1.5.
    found = stability([ends([-1, -1, 3, 3], [3]), ends([0, 0, 1, 1], [0])])
    assert found.inputs.rand_index[0, 1] == pytest.approx((1 - 1 / 3) / (1.5 - 1 / 3))
    assert found.inputs.together.diagonal().tolist() == [0.5, 0.5, 1, 1]
    assert found.inputs.together[0, 1] == 0.5


def test_stability_as_read() -> None:
    lines = str(stability([ends([0, 0, 1, 1], [0, 1]), ends([0, 0, 1, 1], [0, 1]), ends([0, 0, 0, 0], [0, 1])])).splitlines()
    assert lines[:3] == [
        "stability over 3 hierarchies (3 pairs)",
        "inputs grouped alike: adjusted Rand index 0.333 in the mean, 1 in 1 of 3 pairs",
        "outputs grouped alike: adjusted Rand index 1.000 in the mean, 1 in 3 of 3 pairs",
    ]
    assert lines[4:7] == [
        "fraction of hierarchies in which two inputs share a module",
        "      x0    x1    x2    x3",
        "x0  1.00  1.00  0.33  0.33",
    ]


def test_large_matrices_are_not_printed() -> None:
    labels = list(range(40))
    text = str(stability([ends(labels, [0, 1]), ends(labels, [1, 0])]))
    assert "two inputs share" not in text
    assert "two outputs share" in text


@pytest.mark.parametrize(
    ("hierarchies", "text"),
    [
        ([], "at least two hierarchies to compare; got 0"),
        ([ends([0], [0])], "at least two hierarchies to compare; got 1"),
        ([ends([0], [0]), ends([0, 0], [0])], r"the same numbers of inputs and outputs; got \[\(1, 1\), \(2, 1\)\]"),
    ],
)
def test_what_cannot_be_compared_is_refused(hierarchies: list[Hierarchy], text: str) -> None:
    with pytest.raises(ValueError, match=text):
        stability(hierarchies)
