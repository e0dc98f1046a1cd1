"""Several networks in one call: what is one network, what are several, and that each keeps its own positions."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp
from layered import lists

from analysis.detection import detect_baseline
from analysis.detection import modules as detection
from analysis.detection.clustering import cluster_units
from analysis.detection.modules import detect_modules
from analysis.graph import LayeredGraph
from analysis.hierarchy import Hierarchy

ONE = [[[1.0, 1, 0, 0], [0, 0, 1, 1]], [[1.0, 0], [0, 1]]]
OTHER = [[[1.0, 1]], [[1.0], [1.0]]]


@pytest.mark.parametrize(
    "several",
    [
        pytest.param(lambda a, b: [a, b], id="a list"),
        pytest.param(lambda a, b: (a, b), id="a tuple"),
        pytest.param(lambda a, b: iter([a, b]), id="an iterator"),
        pytest.param(lambda a, b: {"a": a, "b": b}.values(), id="a view"),
    ],
)
@pytest.mark.parametrize(
    "kind",
    [
        pytest.param(lambda w: w, id="nested lists"),
        pytest.param(lambda w: tuple(np.array(m) for m in w), id="arrays"),
        pytest.param(lambda w: [sp.csr_array(np.array(m)) for m in w], id="sparse arrays"),
        pytest.param(LayeredGraph.from_weights, id="layered graphs"),
        pytest.param(lambda w: LayeredGraph.from_weights(w).to_networkx(), id="networkx"),
        pytest.param(lambda w: LayeredGraph.from_weights(w).to_igraph(), id="igraph"),
        pytest.param(lambda w: SimpleNamespace(weights=w), id="objects with weights"),
        pytest.param(lambda w: LayeredGraph.from_weights([np.transpose(m) for m in w], orientation="in_out"), id="transposed"),
    ],
)
def test_several_networks_give_a_list(several: Callable[..., Iterable[Any]], kind: Callable[[Any], Any]) -> None:
    networks = [kind(ONE), kind(OTHER)]
    found = detect_modules(several(*networks))
    assert isinstance(found, list)
    assert [lists(h.labels) for h in found] == [lists(detect_modules(n).labels) for n in networks]
    assert all(h.network is n for h, n in zip(found, networks, strict=True))
    assert isinstance(detect_modules(networks[0]), Hierarchy)


def test_one_network_and_none() -> None:
    assert [lists(h.labels) for h in detect_modules([ONE])] == [lists(detect_modules(ONE).labels)]
    assert detect_modules(iter([])) == []
    with pytest.raises(ValueError, match="weights must hold at least one matrix; got none"):
        detect_modules([])


@pytest.mark.parametrize(
    ("mixture", "places"),
    [
        ([ONE, np.eye(2)], "a network at position 0 and ndarray at position 1"),
        ([np.eye(2), LayeredGraph.from_weights(ONE)], "a network at position 1 and ndarray at position 0"),
        ([ONE, ONE, 3], "a network at position 0 and int at position 2"),
        ([ONE, []], "a network at position 0 and list at position 1"),
    ],
)
def test_networks_and_matrices_are_not_mixed(mixture: list, places: str) -> None:
    with pytest.raises(TypeError, match=f"must hold either networks or the matrices .* of one network; got {places}"):
        detect_modules(mixture)


@pytest.mark.parametrize("detect", [detect_modules, partial(detect_baseline, method="louvain")])
def test_a_result_stands_for_its_network(detect: Callable[..., Hierarchy]) -> None:
    result = SimpleNamespace(network=ONE, candidates=(ONE, OTHER))
    found = detect(result)
    assert lists(found.labels) == lists(detect(ONE).labels)
    assert found.network is ONE
    nothing = SimpleNamespace(network=None, stop_reason=SimpleNamespace(value="Nothing was accepted: give more steps."))
    with pytest.raises(ValueError, match=r"must have a network; got a SimpleNamespace without one\. Nothing was accepted: give more"):
        detect(nothing)


def test_results_are_several_networks() -> None:
    results = [SimpleNamespace(network=one) for one in (ONE, OTHER)]
    assert [lists(h.labels) for h in detect_modules(results)] == [lists(detect_modules(one).labels) for one in (ONE, OTHER)]
    with pytest.raises(ValueError, match="network 1: the result must have a network; got a SimpleNamespace without one"):
        detect_modules([results[0], SimpleNamespace(network=None)])


def test_an_error_names_the_network() -> None:
    with pytest.raises(ValueError, match=r"network 1: weights\[1\] must have 2 columns"):
        detect_modules([ONE, [np.ones((2, 4)), np.ones((2, 3))]])


def test_equal_edges_are_detected_once_and_stand_at_their_own_positions(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []
    monkeypatch.setattr(detection, "cluster_units", lambda rows, **k: calls.append(rows) or cluster_units(rows, **k))
    wide = [np.insert(np.array(ONE[0]), 1, 0, axis=0), np.insert(np.array(ONE[1]), 1, 0, axis=1)]
    scaled = [np.array(m) * -2 for m in ONE]
    found = detect_modules([ONE, wide, scaled, OTHER])
    assert len(calls) == 4  # two layers of two
    assert lists(found[1].labels) == [[0, 0, 1, 1], [0, -1, 1], [0, 1]]
    assert lists(found[2].labels) == lists(found[0].labels)
    detect_modules([ONE, ONE], features="weighted")
    assert len(calls) == 8


def test_equal_edges_between_other_numbers_of_units_are_not_the_same() -> None:
    # One edge from the first input to the first output each, of one and of two outputs.
    assert [lists(h.labels) for h in detect_modules([[[[1.0]]], [[[1.0], [0.0]]]])] == [[[0], [0]], [[0], [0, 1]]]


@pytest.mark.parametrize("value", [3, "weights", {"a": ONE}, np.ones((2, 2, 2)), (m for m in ONE)])
def test_what_is_no_network_is_refused(value: object) -> None:
    with pytest.raises(TypeError, match="the network must be a SparseNetwork, a LayeredGraph, a UnitGraph, a sequence of weight matrices"):
        detect_modules(value)
