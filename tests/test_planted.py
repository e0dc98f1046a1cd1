"""Planted hierarchies: the detector finds them exactly, they are what they say, and why other structures are not planted."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import adjusted_rand_score

from analysis import Hierarchy, LayeredGraph, detect_modules, planted_hierarchy

SEEDS = st.integers(0, 2**32 - 1)
LEVELS = st.lists(st.integers(1, 5), min_size=1, max_size=6).filter(lambda m: not any(a == b == 1 for a, b in pairwise(m)))
SMALLEST = {1: [2], 2: [1, 2], 3: [2, 1, 2], 4: [1, 2, 1, 2], 5: [1, 2, 1, 2, 1], 6: [1, 2, 1, 2, 1, 2]}


def fewest(modules: list[int]) -> int:
    """The smallest network that can have these modules, read off the error."""
    with pytest.raises(ValueError, match="units must be at least") as error:
        planted_hierarchy(modules, 1)
    return int(str(error.value).split("at least ")[1].split()[0])


def layers_of(truth: Hierarchy) -> dict[int, list[int]]:
    return {m.index: sorted({layer for layer, _ in m.units}) for m in truth.modules}


def rand_index(found: Hierarchy, truth: Hierarchy) -> float:
    return float(adjusted_rand_score(np.concatenate(truth.labels), np.concatenate(found.labels)))


def assert_exact(truth: Hierarchy) -> None:
    found = detect_modules(truth.graph, method="published")  # modules are planted that this method can separate
    assert all((a == b).all() for a, b in zip(found.labels, truth.labels, strict=True))
    assert rand_index(found, truth) == 1


# --- The detector is exact where nothing is crossed --------------------------------------------------------------------------


# Ten units suffice for five levels, thirteen for six.
@pytest.mark.parametrize(
    ("units", "levels"), [(u, n) for u in (10, 13, 30, 100, 300, 1000, 2000) for n in range(1, 7) if (u, n) != (10, 6)]
)
def test_every_size_and_number_of_levels_is_found_exactly(units: int, levels: int) -> None:
    for seed in range(2):
        modules = np.random.default_rng([units, levels, seed]).integers(2, 6, size=levels).tolist()
        assert_exact(planted_hierarchy(modules if fewest(modules) <= units else SMALLEST[levels], units, seed=seed))


@settings(max_examples=100, deadline=None)
@given(modules=LEVELS, spare=st.integers(0, 150), seed=SEEDS)
def test_every_planted_hierarchy_is_found_exactly(modules: list[int], spare: int, seed: int) -> None:
    assert_exact(planted_hierarchy(modules, fewest(modules) + spare, seed=seed))


@settings(max_examples=15, deadline=None)
@given(modules=st.lists(st.integers(2, 12), min_size=1, max_size=4), seed=SEEDS)
def test_many_modules_are_found_exactly(modules: list[int], seed: int) -> None:
    assert_exact(planted_hierarchy(modules, fewest(modules) + 400, seed=seed))


def test_the_check_sees_one_unit_in_another_module() -> None:
    truth = planted_hierarchy([3, 3], 40, seed=1)
    labels = [part.copy() for part in truth.labels]
    labels[0][0] = labels[0][labels[0] != labels[0][0]][0]
    assert rand_index(Hierarchy(truth.graph, tuple(labels), tuple(labels)), truth) < 1


def test_cross_edges_cost_agreement() -> None:
    means = []
    for cross in (0.0, 0.1, 0.3):
        truths = [planted_hierarchy([3, 3], 100, cross_edges=cross, seed=seed) for seed in range(10)]
        means.append(np.mean([rand_index(detect_modules(t.graph), t) for t in truths]))
    assert means[0] == 1
    assert 0.9 > means[1] > means[2] > 0


# --- What is planted ---------------------------------------------------------------------------------------------------------


@settings(max_examples=40, deadline=None)
@given(modules=LEVELS, spare=st.integers(0, 80), seed=SEEDS)
def test_a_planted_hierarchy_has_the_modules_and_units_it_was_asked_for(modules: list[int], spare: int, seed: int) -> None:
    units = fewest(modules) + spare
    truth = planted_hierarchy(modules, units, seed=seed)
    assert sum(truth.graph.widths) == units
    assert len(truth.modules) == sum(modules)
    assert all(kept.all() for kept in truth.graph.alive())
    layers = layers_of(truth)
    assert all(span == list(range(span[0], span[-1] + 1)) and len(span) <= 3 for span in layers.values())
    # The modules of a level stand in the same layers, level upon level.
    levels = sorted({tuple(span) for span in layers.values()})
    assert [list(layers.values()).count(list(span)) for span in levels] == modules
    assert [layer for span in levels for layer in span] == list(range(len(truth.graph.widths)))
    assert len(levels[-1]) >= 2
    assert set(np.unique(np.concatenate([w.ravel() for w in truth.graph.weights]))) <= {0, 1}


@settings(max_examples=40, deadline=None)
@given(modules=LEVELS, spare=st.integers(0, 80), seed=SEEDS)
def test_modules_are_wired_completely_inside_and_by_ports_between(modules: list[int], spare: int, seed: int) -> None:
    truth = planted_hierarchy(modules, fewest(modules) + spare, seed=seed)
    layers = layers_of(truth)
    for i, weight in enumerate(truth.graph.weights):
        below, above = truth.labels[i], truth.labels[i + 1]
        assert weight[below[:, None] == above].all()
        for unit, module in enumerate(above):
            sources = set(below[weight[:, unit] > 0].tolist())
            assert len(sources) == 1
            assert sources == {module} or layers[module][0] == i + 1
            assert (weight[:, unit] > 0).sum() == np.isin(below, list(sources)).sum()


@settings(max_examples=40, deadline=None)
@given(modules=LEVELS, spare=st.integers(0, 200), seed=SEEDS)
def test_sizes_and_ports_are_balanced(modules: list[int], spare: int, seed: int) -> None:
    truth = planted_hierarchy(modules, fewest(modules) + spare, seed=seed)
    layers = layers_of(truth)
    for i, labels in enumerate(truth.labels):
        sizes = np.unique(labels, return_counts=True)[1]
        assert (np.abs(sizes - sizes.mean()) <= sizes.mean() / 4 + 1).all()
        assert len(sizes) < 3 or sizes.min() > 1 or i == len(truth.labels) - 1
        if i and layers[int(labels[0])][0] == i:
            sources = [int(truth.labels[i - 1][column > 0][0]) for column in truth.graph.weights[i - 1].T]
            assert len(set(np.unique(np.transpose([labels, sources]), axis=0, return_counts=True)[1].tolist())) == 1


def test_modules_read_all_of_the_level_below_or_another_choice_each() -> None:
    seen = set()
    for seed in range(60):
        flow = planted_hierarchy([4, 6], 100, seed=seed).to_networkx()
        reads = [frozenset(flow.predecessors(module)) for module in range(4, 10)]
        assert len(set(map(len, reads))) == 1
        assert len(set(reads)) == (6 if len(reads[0]) == 2 else 1)
        seen.add(len(reads[0]))
    assert seen == {2, 4}  # six pairs of four, or all four


def test_spans_and_widths_vary_with_the_seed() -> None:
    widths = {planted_hierarchy([2, 2], 60, seed=seed).graph.widths for seed in range(60)}
    assert len(widths) > 40
    assert {len(w) for w in widths} == {3, 4, 5, 6}


def test_the_widths_of_modules_and_of_layers_vary() -> None:
    truths = [planted_hierarchy([4], 240, seed=seed) for seed in range(20)]
    sizes = np.concatenate([np.unique(labels, return_counts=True)[1] - len(labels) / 4 for t in truths for labels in t.labels])
    assert np.abs(sizes).max() > 2
    assert max(max(t.graph.widths) / min(t.graph.widths) for t in truths) > 1.5


def test_ports_fill_a_layer_of_mean_size_at_most() -> None:
    seen = set()
    for seed in range(60):
        truth = planted_hierarchy([2, 2], 60, seed=seed)
        first = next(i for i, labels in enumerate(truth.labels) if labels.max() > 1)
        mean = 60 / (2 * len(truth.graph.widths))
        ports = truth.graph.widths[first] // 4
        assert ports <= mean / 2
        seen.add(ports)
    assert seen >= {1, 2, 3}


def test_positions_carry_no_information() -> None:
    # Labels are numbered by first appearance, so that units in order would have labels that never fall.
    shuffled = [np.diff(labels).min() < 0 for seed in range(10) for labels in planted_hierarchy([3, 3], 100, seed=seed).labels]
    assert np.mean(shuffled) > 0.95


@settings(max_examples=20, deadline=None)
@given(cross=st.floats(0, 0.3), seed=SEEDS)
def test_cross_edges_are_so_many_between_modules_and_nothing_else_changes(cross: float, seed: int) -> None:
    plain, truth = (planted_hierarchy([3, 2, 3], 80, cross_edges=c, seed=seed) for c in (0.0, cross))
    assert all((a == b).all() for a, b in zip(plain.labels, truth.labels, strict=True))
    assert truth.graph.edge_count == plain.graph.edge_count + round(cross * plain.graph.edge_count)
    for i, (a, b) in enumerate(zip(plain.graph.weights, truth.graph.weights, strict=True)):
        assert (b[a > 0] == 1).all()
        assert ((truth.labels[i][:, None] != truth.labels[i + 1])[b > a]).all()


def test_cross_edges_fall_into_all_layers_alike() -> None:
    drawn, absent = 0, 0
    for seed in range(40):
        plain, truth = (planted_hierarchy([3, 3], 60, cross_edges=c, seed=seed) for c in (0.0, 0.3))
        drawn += np.sum([np.sum(b > a) for a, b in zip(plain.graph.weights[:1], truth.graph.weights[:1], strict=True)])
        left = [np.sum(a == 0) for a in plain.graph.weights]
        absent += round(0.3 * plain.graph.edge_count) * left[0] / sum(left)
    assert drawn == pytest.approx(absent, rel=0.1)


def test_the_same_seed_gives_the_same_network() -> None:
    first, again, other = (planted_hierarchy([3, 3], 60, cross_edges=0.1, seed=seed) for seed in (5, 5, 6))
    assert all((a == b).all() for a, b in zip(first.graph.weights, again.graph.weights, strict=True))
    assert first.graph.widths != other.graph.widths


@pytest.mark.parametrize(
    ("modules", "units"), [([1], 2), ([2], 4), ([3], 9), ([3, 3], 15), ([2, 2], 8), (SMALLEST[5], 10), (SMALLEST[6], 13)]
)
def test_the_smallest_networks(modules: list[int], units: int) -> None:
    # Single units where at most two modules meet and for outputs, pairs elsewhere; a port for each module that is read.
    assert fewest(modules) == units
    for seed in range(5):
        assert_exact(planted_hierarchy(modules, units, seed=seed))


# --- Why other structures are not planted: one module by the published definition --------------------------------------------


def graph_of(*blocks: np.ndarray, sizes: list[list[int]]) -> LayeredGraph:
    """Modules wired as the blocks say, each repeated to its size in each layer."""
    return LayeredGraph.from_weights(
        tuple(
            np.repeat(np.repeat(block, below, axis=0), above, axis=1) for block, (below, above) in zip(blocks, pairwise(sizes), strict=True)
        ),
        orientation="in_out",
    )


def test_modules_that_share_their_only_reader_are_one_beside_others_that_do_not() -> None:
    # A and B are read by U only, C and D by V only, each through a port, and W reads U and V.
    blocks = np.eye(4), np.repeat(np.eye(2), 2, axis=0), np.eye(2), np.ones((2, 1))
    found = detect_modules(graph_of(*blocks, sizes=[[3] * 4, [1] * 4, [2, 2], [1, 1], [2]]), method="published")
    assert len(set(found.labels[0].tolist())) == 2
    assert len(set(found.labels[1].tolist())) == 2


def test_modules_much_smaller_than_the_others_of_their_layer_are_one() -> None:
    # Three groups of inputs, each with four outputs; the first two share one of them: distance 3/4, 1 to the third.
    # Sizes 2, 2, 6: distances summed are 15, 15 and 24 of 54, so that 15 * 15 / 54 = 4.2 is expected between the first two; it is 3.
    # Sizes 3, 3, 4: they are 18.75, 18.75 and 24 of 61.5, so that 5.7 is expected; it is 6.75.
    reads = np.array([[1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0], [0, 0, 0, 1, 1, 1, 1, 0, 0, 0, 0], [0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1]])
    small, balanced = (detect_modules(graph_of(reads, sizes=[sizes, [1] * 11])).clusters[0].tolist() for sizes in ([2, 2, 6], [3, 3, 4]))
    assert small == [0] * 4 + [1] * 6
    assert balanced == [0] * 3 + [1] * 3 + [2] * 4


def test_modules_without_ports_of_their_own_are_one() -> None:
    # Both are read by both units of the only reader.
    found = detect_modules(graph_of(np.eye(2), np.ones((2, 1)), np.ones((1, 1)), sizes=[[3, 3], [2, 2], [2], [2]]))
    assert found.clusters[1].tolist() == [0] * 4


# --- Errors ------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("modules", [[], [0], [3, -1], [2.5], ["3"]])
def test_modules_must_be_positive_integers(modules: list) -> None:
    with pytest.raises(ValueError, match="modules must be positive integers, one for each level; got"):
        planted_hierarchy(modules, 40)


def test_two_levels_of_one_module_would_be_one_module() -> None:
    with pytest.raises(ValueError, match=r"a level of one module must not follow another: .*got modules=\[2, 1, 1\]"):
        planted_hierarchy([2, 1, 1], 40)


def test_too_few_units_are_refused_with_the_number_that_suffices() -> None:
    with pytest.raises(ValueError, match=r"units must be at least 15 for modules \[3, 3\]; got 14"):
        planted_hierarchy([3, 3], 14)
    with pytest.raises(ValueError, match=r"units must be an integer; got 40\.5"):
        planted_hierarchy([3, 3], 40.5)


@pytest.mark.parametrize("cross", [-0.1, float("nan"), float("inf"), "0.1"])
def test_cross_edges_must_be_a_fraction(cross: float) -> None:
    with pytest.raises(ValueError, match="cross_edges must be a fraction of the planted edges, at least 0; got"):
        planted_hierarchy([3, 3], 40, cross_edges=cross)


def test_cross_edges_need_pairs_that_are_not_wired() -> None:
    with pytest.raises(ValueError, match=r"cross_edges=0.3 must leave pairs to wire: \d+ edges for 0 pairs"):
        planted_hierarchy([1], 40, cross_edges=0.3)
