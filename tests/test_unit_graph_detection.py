"""Detection in graphs of units: results known beforehand, chains, permutations, and everything that reads a hierarchy."""

from __future__ import annotations

from functools import partial
from itertools import product
from pathlib import Path

import networkx as nx
import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st
from layered import SEEDS, lists, random_graph, same
from unit_graphs import attention, random_units, residual, tasks_of

from analysis import (
    BASELINES,
    Block,
    UnitGraph,
    compare,
    consensus,
    detect_baseline,
    detect_modules,
    planted_hierarchy,
    rewired,
    shuffled,
    significance,
    stability,
)
from analysis.detection.alive import alive_wiring
from analysis.detection.features import path_features, reach_features
from analysis.graph import Wiring
from analysis.hierarchy import first_appearance

DIRECTIONS = ("outgoing", "incoming", "both")


def flat(graph_labels: tuple[np.ndarray, ...]) -> list[int]:
    return np.concatenate(graph_labels).tolist()


# --- Known results ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("make", [residual, partial(residual, blocks=1), attention])
@pytest.mark.parametrize("method", ["refined", "published"])
@pytest.mark.parametrize("direction", [None, *DIRECTIONS])
def test_two_networks_that_share_nothing_are_two_modules(make: partial, method: str, direction: str | None) -> None:
    graph = make()
    assert same(flat(detect_modules(graph, method=method, direction=direction).labels), tasks_of(graph))


def test_a_stream_whose_stages_only_carry_joins_joins_no_tasks() -> None:
    # Both tasks are carried on in one layer of the stream, side by side, and nothing else is between the layers.
    make = np.kron(np.eye(2), np.ones((2, 2)))
    layers = [("x", "input", 4), ("r0", "residual", 4), ("r1", "residual", 4), ("r2", "residual", 4), ("y", "output", 4)]
    graph = UnitGraph(layers, [(0, 1, make), (1, 2, np.eye(4), "carry"), (2, 3, np.eye(4), "carry"), (3, 4, make)])
    assert lists(detect_modules(graph).labels) == [[0, 0, 1, 1]] * 5


def test_a_unit_that_is_only_carried_keeps_its_module_beside_units_that_are_written() -> None:
    # Two modules write to a stream; at the second stage the first is carried on and the second is written to again.
    full = np.ones((2, 2))
    layers = [("x", "input", 4), ("r0", "residual", 4), ("h", "neuron", 2), ("r1", "residual", 4), ("y", "output", 4)]
    left, right = sp.block_diag([full, full]), sp.csr_array(np.vstack([np.zeros((2, 2)), full]))
    blocks = [(0, 1, left), (1, 2, right), (2, 3, right.T), (1, 3, np.eye(4), "carry"), (3, 4, left)]
    assert lists(detect_modules(UnitGraph(layers, blocks)).labels) == [[0, 0, 1, 1], [0, 0, 1, 1], [1, 1], [0, 0, 1, 1], [0, 0, 1, 1]]


def test_carried_edges_do_not_dominate_the_shares() -> None:
    # Of the units of r1 one is only carried on, from the first task; the other is written to by the second.
    layers = [("x", "input", 2), ("r0", "residual", 2), ("h", "neuron", 1), ("r1", "residual", 2), ("y", "output", 2)]
    blocks = [(0, 1, np.eye(2)), (1, 2, [[0.0], [1.0]]), (2, 3, [[0.0, 1.0]]), (1, 3, np.eye(2), "carry"), (3, 4, np.eye(2))]
    assert lists(detect_modules(UnitGraph(layers, blocks)).labels) == [[0, 1], [0, 1], [1], [0, 1], [0, 1]]


def test_a_skip_edge_within_a_module_does_not_divide_it() -> None:
    layers = [("x", "input", 4), ("h", "neuron", 4), ("y", "output", 2)]
    two = [np.kron(np.eye(2), np.ones(shape)) for shape in ((2, 2), (2, 1), (2, 1))]
    graph = UnitGraph(layers, [(0, 1, two[0]), (1, 2, two[1]), (0, 2, two[2])])
    assert lists(detect_modules(graph, method="published").labels) == [[0, 0, 1, 1], [0, 0, 1, 1], [0, 1]]


def test_a_module_that_two_others_read_over_different_layers_is_joined_by_neither() -> None:
    # M is read by h, which leads to y, and two layers further up by k, which leads to z.
    layers = [("x", "input", 3), ("h", "neuron", 3), ("g", "neuron", 3), ("k", "neuron", 3), ("y", "output", 1), ("z", "output", 1)]
    full, out = np.ones((3, 3)), np.ones((3, 1))
    blocks = [(0, 1, full), (1, 2, full), (2, 4, out), (0, 3, full), (3, 5, out)]
    labels = lists(detect_modules(UnitGraph(layers, blocks), method="published").labels)
    assert labels == [[0] * 3, [1] * 3, [1] * 3, [2] * 3, [1], [2]]


# --- Chains -------------------------------------------------------------------------------------------------------------------


@settings(max_examples=60, deadline=None)
@given(
    seed=SEEDS,
    direction=st.sampled_from([None, *DIRECTIONS]),
    features=st.sampled_from(["binary", "weighted"]),
    method=st.sampled_from(["refined", "published"]),
    reach=st.sampled_from([None, 1, 2]),
)
def test_a_chain_as_a_graph_of_units_gives_the_same_labels(
    seed: int, direction: str | None, features: str, method: str, reach: int | None
) -> None:
    rng = np.random.default_rng(seed)
    chain = random_graph(rng, rng.integers(1, 8, size=rng.integers(2, 6)))
    graph = UnitGraph(chain.layers, [Block(b.source, b.target, sp.csr_array(b.weights), b.kind) for b in chain.blocks])
    options = {"direction": direction, "features": features, "method": method, "reach": reach}
    mine, other = detect_modules(graph, **options), detect_modules(chain, **options)
    assert lists(mine.labels) == lists(other.labels)
    assert lists(mine.clusters) == lists(other.clusters)


@pytest.mark.parametrize("method", BASELINES)
def test_baselines_read_a_chain_of_units_as_a_chain(method: str) -> None:
    chain = random_graph(np.random.default_rng(1), (6, 8, 6, 3))
    graph = UnitGraph(chain.layers, chain.blocks)
    assert lists(detect_baseline(graph, method).labels) == lists(detect_baseline(chain, method).labels)


# --- Features -----------------------------------------------------------------------------------------------------------------


@settings(max_examples=50, deadline=None)
@given(seed=SEEDS)
def test_units_reach_their_descendants(seed: int) -> None:
    graph = random_units(np.random.default_rng(seed))
    everything = [np.ones(width, dtype=bool) for width in graph.widths]
    wiring, starts = alive_wiring(graph, everything), np.cumsum([0, *graph.widths])
    known = nx.DiGraph(graph.adjacency())
    for layer, rows in enumerate(reach_features(wiring)):
        columns = np.concatenate([np.arange(starts[j], starts[j + 1]) for j in wiring.later[layer]] or [np.zeros(0)])
        for unit, row in enumerate(rows):
            assert set(columns[row]) == nx.descendants(known, starts[layer] + unit)


@settings(max_examples=50, deadline=None)
@given(seed=SEEDS)
def test_weighted_features_are_sums_over_all_paths(seed: int) -> None:
    graph = random_units(np.random.default_rng(seed))
    wiring, starts = alive_wiring(graph, [np.ones(w, dtype=bool) for w in graph.widths], "weighted"), np.cumsum([0, *graph.widths])
    matrix = np.abs(graph.adjacency().toarray())
    paths = np.linalg.inv(np.eye(len(matrix)) - matrix) - np.eye(len(matrix))
    for layer, rows in enumerate(reach_features(wiring)):
        ends = np.cumsum([wiring.sizes[j] for j in wiring.later[layer]])[:-1]
        for j, part in zip(wiring.later[layer], np.split(rows, ends, axis=1), strict=False):
            expected = paths[starts[layer] : starts[layer + 1], starts[j] : starts[j + 1]]
            np.testing.assert_allclose(part, expected / (np.linalg.norm(expected) or 1), atol=1e-9)


def test_reach_counts_the_depth_of_layers() -> None:
    one = np.ones((1, 1), dtype=bool)
    wiring = Wiring((1, 1, 1, 1), (Block(0, 1, one), Block(1, 2, one), Block(2, 3, one), Block(0, 3, one)), (3,))
    assert [rows.shape[1] for rows in reach_features(wiring, 1)] == [1, 1, 1, 0]
    assert [rows.shape[1] for rows in path_features(wiring, direction="both")] == [3, 3, 3, 3]


# --- Properties ---------------------------------------------------------------------------------------------------------------


@settings(max_examples=40, deadline=None)
@given(seed=SEEDS, method=st.sampled_from(["refined", "published"]))
def test_permuting_units_permutes_the_modules_and_nothing_else(seed: int, method: str) -> None:
    rng = np.random.default_rng(seed)
    graph = random_units(rng)
    orders = [rng.permutation(width) for width in graph.widths]
    blocks = [Block(b.source, b.target, b.weights[orders[b.source]][:, orders[b.target]], b.kind) for b in graph.blocks]
    before, after = (detect_modules(g, method=method, ties="symmetric") for g in (graph, UnitGraph(graph.layers, blocks)))
    moved = first_appearance([part[order] for part, order in zip(before.labels, orders, strict=True)])
    assert lists(moved) == lists(after.labels)


@settings(max_examples=40, deadline=None)
@given(seed=SEEDS, direction=st.sampled_from(DIRECTIONS))
def test_every_graph_has_a_result_for_exactly_its_alive_units(seed: int, direction: str) -> None:
    graph = random_units(np.random.default_rng(seed), density=0.25)
    found = detect_modules(graph, direction=direction)
    assert [(part >= 0).tolist() for part in found.labels] == [part.tolist() for part in graph.alive()]


def test_planted_modules_with_skip_edges_are_found() -> None:
    # A module that others read further up may be one with its neighbour, whose readers are the same otherwise: not all are exact.
    exact = []
    for levels, skips, seed in product(range(2, 7), (0.3, 0.6, 1.0), range(3)):
        modules = np.random.default_rng([levels, seed]).integers(2, 5, size=levels).tolist()
        truth = planted_hierarchy(modules, 150, skips=skips, seed=seed)
        exact.append(lists(detect_modules(truth.graph, method="published").labels) == lists(truth.labels))
    assert np.mean(exact) > 0.9


def test_planted_skips_join_layers_further_apart_and_leave_chains_as_they_are() -> None:
    plain, skipping = (planted_hierarchy([3, 3, 2], 80, skips=skips, seed=4) for skips in (0.0, 1.0))
    assert plain.graph.is_chain
    assert isinstance(skipping.graph, UnitGraph)
    assert any(b.target - b.source > 1 and b.weights.nnz for b in skipping.graph.blocks)
    assert sum(skipping.graph.widths) == 80
    crossed = planted_hierarchy([3, 3, 2], 80, skips=1.0, cross_edges=0.3, seed=4)
    assert crossed.graph.edge_count == skipping.graph.edge_count + round(0.3 * skipping.graph.edge_count)
    with pytest.raises(ValueError, match=r"skips must be a probability in \[0, 1\]; got 2"):
        planted_hierarchy([3, 3], 80, skips=2)


# --- What reads a hierarchy ---------------------------------------------------------------------------------------------------


def test_null_models_keep_numbers_of_edges_and_what_is_carried() -> None:
    graph = residual(density=0.6)
    random, other = rewired(graph, seed=1), shuffled(graph, seed=1)
    for a, b, c in zip(graph.blocks, random.blocks, other.blocks, strict=True):
        assert [((a.weights != 0).sum(axis=axis) == (b.weights != 0).sum(axis=axis)).all() for axis in (0, 1)] == [True, True]
        assert sorted(a.weights.data) == sorted(b.weights.data) == sorted(c.weights.data)
        assert ((a.weights != 0) != (c.weights != 0)).nnz == 0
        assert a.kind == b.kind
        assert a.kind != "carry" or ((a.weights != b.weights).nnz == 0 and (a.weights != c.weights).nnz == 0)
    assert (random.adjacency() != graph.adjacency()).nnz > 0


def test_two_tasks_in_a_residual_network_are_more_than_chance() -> None:
    graph = residual(blocks=1)
    result = significance(detect_modules(graph), nulls=19)
    assert result.p_value == pytest.approx(1 / 20)
    assert significance(detect_modules(graph), nulls=19, null="shuffled").p_value > 0.05


def test_consensus_and_stability_of_graphs_of_units() -> None:
    graphs = [residual(blocks=1, density=0.8, seed=seed) for seed in range(3)]
    found = consensus(graphs)
    assert found.support == 1
    assert len(found.modules) == 2
    agreement = stability([detect_modules(graph) for graph in graphs])
    assert agreement.inputs.mean_rand_index == agreement.outputs.mean_rand_index == 1
    with pytest.raises(ValueError, match="needed_levels must have a LayeredGraph"):
        consensus(graphs, x=np.ones((2, 6)))


def test_a_unit_that_is_carried_on_counts_once_in_the_size_of_a_candidate() -> None:
    # The second candidate has one edge more, and a stage of the stream less.
    short = [("x", "input", 1), ("r0", "residual", 1), ("y", "output", 1)]
    long = [short[0], short[1], ("r1", "residual", 1), short[2]]
    carried = UnitGraph(long, [(0, 1, [[1.0]]), (1, 2, [[1.0]], "carry"), (2, 3, [[1.0]])])
    direct = UnitGraph(short, [(0, 1, [[1.0]]), (1, 2, [[1.0]]), (0, 2, [[1.0]])])
    assert consensus([direct, carried]).network is carried


def test_a_hierarchy_is_compared_with_a_truth_by_names_of_inputs_and_outputs() -> None:
    graph, truth = residual(), nx.DiGraph()
    truth.add_node("left", inputs=(0, 1, 2), outputs=(0, 1))
    truth.add_node("right", inputs=(3, 4, 5), outputs=(2, 3))
    assert compare(detect_modules(graph), truth).verdict == "exact"
    truth.graph |= {"x": np.zeros((64, 6)), "y": np.zeros((64, 4))}
    assert compare(detect_modules(graph), truth).valid is None
    truth.nodes["left"]["inputs"] = (0, 1, 2, 6)
    with pytest.raises(ValueError, match="each of the network's 6 inputs to one module at most"):
        compare(detect_modules(graph), truth)


@pytest.mark.parametrize("suffix", ["svg", "png", "pdf", "html", "dot"])
def test_graphs_of_units_are_drawn(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"picture.{suffix}"
    detect_modules(attention(density=0.8)).draw(path)
    assert path.stat().st_size > 1000
    if suffix == "svg":
        text = path.read_text()
        assert 'id="carried"' in text
        assert "carried on" in text
        assert all(f'id="module-{m}"' in text for m in (0, 1))


def test_edges_that_skip_levels_pass_through_no_region_and_no_unit_of_others() -> None:
    from analysis.layout import layered_layout

    truth = planted_hierarchy([3, 2, 3, 2], 60, skips=0.8, seed=2)
    layout = layered_layout(truth)
    between = {bundle: lane for bundle, lane in layout.lanes.items() if bundle[0] != bundle[1]}
    assert between
    for bundle, lane in layout.lanes.items():
        assert [level for level, _, _ in lane] == list(range(bundle[2] + 1, bundle[3]))
        for level, x, _ in lane:
            mine = {bundle[0], bundle[1]} if bundle[0] == bundle[1] else set()
            others = [r for m, r in layout.regions.items() if m not in mine and r.lowest <= level <= r.highest]
            assert all(not r.left <= x <= r.right for r in others)
    places = [(truth.graph.depths[layer], round(x, 6)) for (layer, _), (x, _) in layout.positions.items()]
    assert not set(places) & {(level, round(x, 6)) for lane in layout.lanes.values() for level, x, _ in lane}


def test_the_report_names_layers() -> None:
    text = str(detect_modules(residual(blocks=1)))
    assert text.startswith("2 modules in a network of widths 6-8-10-8-4\nedges: 120 of 240")
    assert "8 of 8 in r0, 10 of 10 in h0" in text
    assert "M0: inputs x0, x1, x2; outputs y0, y1; hidden units 4 in layer r0, 5 in layer h0, 4 in layer r1" in text
