"""The study of other methods: known answers of each method on planted modules and small networks."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from analysis import Hierarchy, LayeredGraph, compare
from sculpting import sculpt, tasks
from sculpting.mlp.training import evaluate
from sculpting.models.network import SparseNetwork
from sculpting.models.shape import Shape
from sculpting.studies.functions.circuits import CIRCUITS
from sculpting.studies.other_methods import pruning
from sculpting.studies.other_methods.clustering import ablation_profiles, by_ablation, by_activations, by_weights, linked, one_module
from sculpting.studies.other_methods.dense import Case, dense_of
from sculpting.studies.other_methods.probes import by_probes, carried
from sculpting.studies.other_methods.pruning import by_distance, by_l1, distances, fewest_edges, one_shot

GATES = {"s": "a ^ b", "t": "c ^ d", "y0": "s", "y1": "s", "y2": "t", "y3": "t"}
QUICK = {"unit_steps": (0.5,), "edge_steps": (0.1,)}


def planted() -> Case:
    """Two XORs side by side in a dense network whose weights between them are faint: what every method should find."""
    task = tasks.from_gates(GATES, outputs=["y0", "y1", "y2", "y3"])
    rng = np.random.default_rng(0)
    pair = np.array([[1.0, -1.0], [-1.0, 1.0]])
    parts = [np.vstack([pair, pair]), np.kron(np.ones((2, 2)), np.eye(2)), np.ones((2, 4))]
    weights = []
    for part in parts:
        whole = np.kron(np.eye(2), part)
        weights.append(np.where(whole != 0, whole, rng.choice([-0.02, 0.02], whole.shape)))
    biases = [np.zeros(8), np.zeros(len(weights[1])), np.full(4, -0.5)]
    network = SparseNetwork(tuple(weights), tuple(biases), ("clipped_relu", "clipped_relu", "identity"))
    dense: Any = SimpleNamespace(networks=[network], seconds=0.5)
    return Case(task, task.truth(hidden_layers=2), dense, [20])


def test_the_planted_network_computes_its_table() -> None:
    case = planted()
    graph = LayeredGraph.from_weights(case.dense.networks[0].weights, biases=case.dense.networks[0].biases,
                                      activations=case.dense.networks[0].activations)  # fmt: skip
    assert np.array_equal(graph.evaluate(case.task.x.numpy()) > 0, case.task.y.numpy() > 0)


@pytest.mark.parametrize(
    "find",
    [
        lambda case: by_weights(case, method="spectral", apart=False, clusters=2),
        lambda case: by_weights(case, method="leiden", apart=False, resolution=0.5),
        lambda case: by_activations(case, apart=False, resolution=0.75),
        lambda case: by_ablation(case, apart=False, resolution=0.75),
        lambda case: by_probes(case, measure="unit", least=0.1),
        lambda case: by_probes(case, measure="layer", least=0.01),
    ],
    ids=["spectral", "leiden", "correlations", "co-ablation", "probes", "probes of layers"],
)
def test_two_planted_modules_are_found(find: Any) -> None:
    case = planted()
    (found,) = find(case)
    same = compare(found.hierarchy, case.truth)
    assert (same.verdict, same.score) == ("exact", 1.0)
    assert found.network is case.dense.networks[0]


def test_inputs_that_never_vary_are_in_no_module() -> None:
    case = planted()
    x = case.task.x.clone()
    x[:, 1] = 0
    dark = replace(case, task=replace(case.task, x=x))
    for find in (by_weights(dark, method="leiden", apart=False, resolution=0.5), by_probes(dark, measure="unit", least=0.1)):
        assert find[0].hierarchy.labels[0].tolist() == [0, -1, 1, 1]


def test_one_module_is_no_answer() -> None:
    case = planted()
    (found,) = one_module(case)
    same = compare(found.hierarchy, case.truth)
    assert not same.exact
    assert same.score == 0
    assert len(found.hierarchy.modules) == 1


def test_weak_links_between_modules_do_not_count_and_strong_ones_do() -> None:
    # Two halves of two inputs, two units and an output: the first feeds the second by one strong weight, all others are faint.
    weights = [np.full((4, 4), 0.1), np.full((4, 2), 0.1)]
    for half in range(2):
        weights[0][2 * half : 2 * half + 2, 2 * half : 2 * half + 2] = 1
        weights[1][2 * half : 2 * half + 2, half] = 1
    weights[1][0:2, 1] = 4
    graph = LayeredGraph.from_weights(weights, orientation="in_out")
    labels = (np.array([0, 0, 1, 1]), np.array([0, 0, 1, 1]), np.array([0, 1]))
    found = linked(Hierarchy(graph, labels, labels))
    assert [*found.to_networkx().edges] == [(0, 1)]
    assert np.array_equal(found.graph.weights[1], [[1, 4], [1, 4], [0, 1], [0, 1]])
    assert found.graph.weights[0][0].tolist() == [1, 1, 0.1, 0.1]  # the link is judged as a whole: all weights from module 0 to module 1
    levels = linked(Hierarchy(graph, labels, labels), apart=True)
    assert [part.tolist() for part in levels.labels] == [[0, 0, 1, 1], [2, 2, 3, 3], [4, 5]]
    assert sorted(levels.to_networkx().edges) == [(0, 2), (1, 3), (2, 4), (2, 5), (3, 5)]


def test_units_without_a_module_have_no_links() -> None:
    graph = LayeredGraph.from_weights([np.ones((2, 2)), np.ones((2, 1))], orientation="in_out")
    labels = (np.array([0, -1]), np.array([-1, 0]), np.array([0]))
    found = linked(Hierarchy(graph, labels, labels))
    assert [part.tolist() for part in found.labels] == [[0, -1], [-1, 0], [0]]
    nothing = tuple(np.full(len(part), -1) for part in labels)
    assert len(linked(Hierarchy(graph, nothing, nothing)).modules) == 0


def test_ablation_profiles_are_those_of_networks_with_a_unit_held_at_its_mean() -> None:
    case = planted()
    graph = LayeredGraph.from_weights(case.dense.networks[0].weights, activations=("clipped_relu", "clipped_relu", "identity"))
    x = case.task.x.double().numpy()
    profiles = ablation_profiles(graph, x)
    values = graph.unit_values(x)
    assert profiles.shape == (len(x) * 4, sum(graph.widths))
    held = x.copy()
    held[:, 2] = 0.5
    assert profiles[:, 2] == pytest.approx(np.abs(graph.evaluate(held) - values[-1]).ravel())
    # The first unit of the second hidden layer, by its outgoing weights: nothing comes after but the outputs.
    unit, first = values[2][:, 0], sum(graph.widths[:2])
    assert profiles[:, first].reshape(len(x), 4) == pytest.approx(np.abs(np.outer(unit - unit.mean(), graph.weights[2][0])))
    own = profiles[:, -1].reshape(len(x), 4)
    assert not own[:, :3].any()
    assert own[:, 3] == pytest.approx(np.abs(values[-1][:, 3] - values[-1][:, 3].mean()))


def test_probes_of_layers_share_what_a_value_is_read_from() -> None:
    rng = np.random.default_rng(0)
    units = rng.normal(size=(400, 3))
    found = carried(units, np.stack([units[:, 0] + units[:, 1], rng.normal(size=400)], axis=1), "layer")
    assert found[:2, 0] == pytest.approx([0.5, 0.5], abs=0.03)
    assert found[2, 0] < 0.05
    assert found[:, 1].sum() < 0.1
    assert carried(np.ones((4, 1)), np.eye(4)[:, :1], "unit").tolist() == [[0.0]]


# --- Pruning -----------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def small() -> Case:
    """Two small dense networks of an easy task."""
    task = tasks.from_gates({"y0": "a & b", "y1": "c | d"})
    return Case(task, task.truth(hidden_layers=1), dense_of(task, 6, 1, seeds=2), [8, 6])


def test_dense_networks_are_those_of_sculpt(small: Case) -> None:
    result = sculpt(small.task.model(6, 1), small.task, seeds=2, progress=False, **QUICK)
    for theirs, ours in zip(result.dense, small.dense.networks, strict=True):
        assert all(np.array_equal(a, b) for a, b in zip(theirs.weights, ours.weights, strict=True))
    assert small.dense.seconds > 0
    assert [network.origin["seed"] for network in small.dense.networks] == [0, 1]


def test_a_second_start_is_that_of_sculpt_too() -> None:
    task = tasks.from_gates(CIRCUITS["parity-tree"])
    result = sculpt(task.model(24, 4), task, seeds=2, progress=False, unit_steps=(0.9,), edge_steps=())
    dense = dense_of(task, 24, 4, seeds=2)
    assert any(attempt.chain.rate for attempt in result.history)
    assert dense.rates.min() == pytest.approx(0.03)
    for theirs, ours in zip(result.dense, dense.networks, strict=True):
        assert all(np.array_equal(a, b) for a, b in zip(theirs.weights, ours.weights, strict=True))


def test_fewest_edges_keeps_the_accuracy_and_nothing_more(small: Case) -> None:
    less = fewest_edges(small.dense.members, small)
    data = small.dense.engine.data
    assert evaluate(less, data).accuracy.tolist() == evaluate(small.dense.members, data).accuracy.tolist()
    assert (less.edges() < small.dense.members.edges()).all()
    for i, count in enumerate(less.edges().tolist()):
        fewer = pruning._keep_largest(small.dense.members.select([i]), torch.tensor([count - 1]), False)
        assert evaluate(fewer, data).accuracy < 1


@pytest.mark.parametrize(
    "find",
    [lambda case: by_l1(case, penalty=4e-3), lambda case: by_distance(case, penalty=1e-2, base=0.1)],
    ids=["L1", "distance"],
)
def test_penalties_leave_two_modules(small: Case, find: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pruning, "STEPS", 1500)
    before = small.dense.members.values.clone()
    for found in find(small):
        assert compare(found.hierarchy, small.truth).verdict == "exact"
        assert found.network.edge_count <= 12
        assert found.seconds > 0
    assert torch.equal(before, small.dense.members.values)


def test_a_cost_of_distance_keeps_edges_short(small: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pruning, "STEPS", 1000)
    far = distances(small.dense.members.shape, 0.0)
    lengths = {}
    for name, find in (("L1", lambda: by_l1(small, penalty=1e-3)), ("distance", lambda: by_distance(small, penalty=2e-2, base=0.0))):
        matrices = small.dense.members.shape.weights(far)
        sums = [
            (float((abs(torch.tensor(w)) * d[0]).sum()), float(abs(w).sum()))
            for found in find()
            for w, d in zip(found.network.weights, matrices, strict=True)
        ]
        lengths[name] = sum(a for a, _ in sums) / sum(b for _, b in sums)
    assert lengths["distance"] < 0.8 * lengths["L1"]


def test_places_of_units_are_spread_over_their_layer() -> None:
    shape = Shape((3, 2), ("identity",))
    costs = distances(shape, 0.25)
    assert shape.weights(costs)[0][0].flatten().tolist() == pytest.approx(
        [0.25 + abs(a - b) for b in (1 / 4, 3 / 4) for a in (1 / 6, 1 / 2, 5 / 6)]
    )
    assert not shape.biases(costs)[0].any()


@pytest.mark.parametrize(("times", "by_layer"), [(1, False), (2, False), (2, True)])
def test_pruning_once_leaves_as_many_edges_as_asked(small: Case, times: int, by_layer: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pruning, "STEPS", 120)
    found = one_shot(small, times=times, by_layer=by_layer)
    assert [one.network.edge_count for one in found] == pytest.approx([8 * times, 6 * times], abs=1 if by_layer else 0)
    if not by_layer:
        kept = np.concatenate([np.abs(w).ravel() for w in small.dense.networks[0].weights])
        mask = np.concatenate([(w != 0).ravel() for w in found[0].network.weights])
        assert kept[mask].min() >= kept[~mask].max()
