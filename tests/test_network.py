"""Sparse networks: counts and names, compaction, and files."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import save_file
from torch import nn

from analysis import LayeredGraph
from analysis.graph import as_graph
from sculpting import SparseNetwork
from sculpting.activations import ACTIVATIONS
from sculpting.mlp.export import network_of
from sculpting.mlp.population import Population
from sculpting.models.shape import Shape
from sculpting.randomness import keys


def random_network(seed: int, activation: str = "relu", head: str | None = None, kept: float = 0.4) -> SparseNetwork:
    rng = np.random.default_rng(seed)
    widths = [3, 6, 5, 2]
    weights = tuple(rng.normal(size=(b, a)) * (rng.random((b, a)) < kept) for a, b in pairwise(widths))
    biases = tuple(rng.normal(size=b) for b in widths[1:])
    names = tuple("abc"), ("left", "right")
    return SparseNetwork(weights, biases, (activation, activation, "identity"), head, 0.75, *names, {"seed": seed, "edge_step": 0.025})


def test_a_network_keeps_what_it_was_given() -> None:
    linear = nn.Linear(2, 1)
    network = SparseNetwork((linear.weight, np.ones((1, 1), np.float32)), (linear.bias, np.zeros(1)), ["relu", "identity"])
    before = network.weights[0].copy()
    nn.init.zeros_(linear.weight)
    assert np.array_equal(network.weights[0], before)
    assert network.activations == ("relu", "identity")


def test_counts_of_a_small_network_by_hand() -> None:
    network = SparseNetwork(
        (np.array([[1.0, 0, 0], [0, 0, 0], [0, 1, 0]]), np.array([[2.0, 3, 0]])), (np.zeros(3), np.zeros(1)), ("relu", "identity")
    )
    assert network.widths == (3, 3, 1)
    assert network.edge_count == 4
    assert network.density == 4 / 12
    assert network.unit_counts == (1, 1, 1)  # x1 feeds only a unit that nothing reads; unit 1 is read but reads nothing


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_the_model_and_the_exported_graph_compute_the_same(activation: str) -> None:
    network = random_network(1, activation)
    x = torch.randn(40, 3, generator=torch.Generator().manual_seed(0))
    expected = network.model()(x).detach().numpy()
    np.testing.assert_allclose(as_graph(network).evaluate(x.numpy()), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("head", "module"), [("sigmoid", nn.Sigmoid()), ("softmax", nn.Softmax(dim=-1)), ("log_softmax", nn.LogSoftmax(dim=-1))]
)
def test_a_head_is_the_last_layer_of_the_model(head: str, module: nn.Module) -> None:
    x = torch.randn(7, 3, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(random_network(1, head=head).model()(x), module(random_network(1).model()(x)))


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from(sorted(ACTIVATIONS)), st.floats(0.05, 1.0))
def test_compaction_keeps_the_function_and_drops_dead_units(seed: int, activation: str, kept: float) -> None:
    network = random_network(seed, activation, kept=kept)
    small = network.compact()
    x = torch.randn(20, 3, generator=torch.Generator().manual_seed(seed))
    torch.testing.assert_close(small.model()(x), network.model()(x), rtol=1e-4, atol=1e-5)
    assert small.widths[0] == 3
    assert small.edge_count <= network.edge_count
    assert all(w.any(axis=1).all() for w in small.weights[:-1]) or 1 in small.widths[1:-1]


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.floats(0.0, 1.0))
def test_units_are_counted_as_the_graph_counts_them(seed: int, kept: float) -> None:
    network = random_network(seed, kept=kept)
    assert network.unit_counts == tuple(int(a.sum()) for a in as_graph(network).alive())


def test_an_exported_network_does_not_change_with_the_population() -> None:
    population = Population.fresh(Shape((3, 4, 2), ("relu", "identity")), keys([0, 1]))
    network = network_of(population, 1)
    for kept, weight in zip(network.weights, population.weights, strict=True):
        np.testing.assert_array_equal(kept, weight[1])
    population.values.add_(1)
    for kept, weight in zip(network.weights, population.weights, strict=True):
        np.testing.assert_allclose(kept, weight[1] - 1, atol=1e-6)


def test_saving_and_loading_is_exact(tmp_path: Path) -> None:
    network = replace(random_network(5, head="sigmoid"), loss="bce")
    back = SparseNetwork.load(network.save(tmp_path / "deep" / "network.safetensors"))
    for kind in ("weights", "biases"):
        for a, b in zip(getattr(network, kind), getattr(back, kind), strict=True):
            assert a.dtype == b.dtype
            assert a.tobytes() == b.tobytes()
    for name in ("activations", "head", "accuracy", "input_names", "output_names", "origin", "loss"):
        assert getattr(network, name) == getattr(back, name)
    assert back.compact().loss == "bce"
    named = replace(network, input_names=np.array(["a", "b", "c"]), accuracy=np.float32(0.5))
    assert SparseNetwork.load(named.save(tmp_path / "named")).input_names == ("a", "b", "c")
    assert [p.name for p in (tmp_path / "deep").iterdir()] == ["network.safetensors"]


@pytest.mark.parametrize("name", ["network.pt", "network.PTH", "network.npz", "network.json", "runs.1/network.onnx"])
def test_a_path_with_the_ending_of_another_format_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"path must end in \.safetensors or have no ending; got .*network\.\w+'\. For a file of torch"):
        random_network(1).save(tmp_path / name)
    assert list(tmp_path.iterdir()) == []


def test_a_failed_save_leaves_the_old_file_and_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = random_network(1).save(tmp_path / "network.safetensors")
    before = path.read_bytes()

    def fail(*names: object) -> None:
        raise OSError("no space left")

    monkeypatch.setattr("sculpting.files.Path.replace", fail)
    with pytest.raises(OSError, match="no space left"):
        random_network(2).save(path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_what_is_no_network_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"no network file .*nowhere"):
        SparseNetwork.load(tmp_path / "nowhere")
    text = tmp_path / "text"
    text.write_text("hello, I am not a network at all")
    with pytest.raises(ValueError, match="is not a network: expected a file written by"):
        SparseNetwork.load(text)
    cut = tmp_path / "cut"
    cut.write_bytes(random_network(1).save(tmp_path / "whole").read_bytes()[:-40])
    with pytest.raises(ValueError, match="is not a network"):
        SparseNetwork.load(cut)
    save_file({"a": np.zeros(2)}, tmp_path / "other")
    with pytest.raises(ValueError, match="without its header"):
        SparseNetwork.load(tmp_path / "other")
    save_file({"a": np.zeros(2)}, tmp_path / "later", {"format": "neural-sculpting network", "version": "99"})
    with pytest.raises(ValueError, match="version '99'; this library reads versions 1 to 3"):
        SparseNetwork.load(tmp_path / "later")
    facts = {"activations": ["relu", "identity"], "head": None, "accuracy": 1.0, "input_names": [], "output_names": [], "origin": {}}
    header = {"format": "neural-sculpting network", "version": "1", "network": json.dumps(facts)}
    save_file({"weights.0": np.zeros((2, 2), np.float32)}, tmp_path / "part", header)
    with pytest.raises(ValueError, match="not a complete network"):
        SparseNetwork.load(tmp_path / "part")
    parts = {f"{kind}.{i}": np.zeros((1, 1) if kind == "weights" else 1, np.float32) for kind in ("weights", "biases") for i in range(3)}
    save_file(parts, tmp_path / "more", header)
    with pytest.raises(ValueError, match="expected weights and biases of 2 layers, as many as activations; got 6 arrays"):
        SparseNetwork.load(tmp_path / "more")


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"weights": ()}, "at least one"),
        ({"weights": (np.ones((0, 3)), np.ones((5, 0)), np.ones((2, 5)))}, "none empty; got shapes"),
        (
            {"weights": (np.ones((6, 3)), np.ones((5, 7)), np.ones((2, 5)))},
            r"weights\[1\] must have 6 columns to follow weights\[0\] of shape \(6, 3\); got shape \(5, 7\)",
        ),
        ({"biases": (np.ones(6), np.ones(5))}, "biases must have shapes"),
        ({"activations": ("relu", "relu")}, "activations must be 3 of"),
        ({"activations": ("relu", "relu", "cos")}, "activations must be 3 of"),
        ({"head": "maximum"}, "head must be None or one of"),
        ({"loss": "hinge"}, r"loss must be None or one of \['bce', 'ce', 'mse'\]; got 'hinge'"),
        ({"biases": (np.ones(6), np.ones(5), np.array([1.0, np.nan]))}, "must be finite"),
        ({"input_names": ("a",)}, "input_names must be 3 names or none; got 1"),
    ],
)
def test_parts_that_do_not_fit_are_refused(change: dict, text: str) -> None:
    good = random_network(1)
    fields = {name: getattr(good, name) for name in ("weights", "biases", "activations")} | change
    with pytest.raises(ValueError, match=text):
        SparseNetwork(**fields)


def test_graph_of_a_network_has_its_names_and_one_transpose() -> None:
    network = random_network(2)
    graph = as_graph(network)
    assert isinstance(graph, LayeredGraph)
    assert (graph.input_names, graph.output_names) == (("a", "b", "c"), ("left", "right"))
    np.testing.assert_array_equal(graph.weights[0], network.weights[0].T)
    assert graph.loss == "bce"
    assert as_graph(replace(network, loss="ce")).loss == "ce"


def test_a_network_of_the_first_version_is_read_and_its_steps_are_fractions() -> None:
    """Written by version 0.1.0."""
    network = SparseNetwork.load(Path(__file__).parent / "data" / "network_v1.safetensors")
    assert (network.origin["unit_step"], network.origin["edge_step"]) == (0.4, 0.1)
    assert (network.widths, network.edge_count, network.loss) == ((3, 8, 1), 16, "mse")
