"""Narrowed networks, sculpted: the modules of what was kept, and no edge from what only the forgotten codes read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
import torch

from analysis import compare, consensus, detect_modules
from sculpting import SculptResult, SparseNetwork, sculpt, tasks
from sculpting.narrow import narrow

Codes = Sequence[Sequence[int]]


def broad_network(m: int, codes: Codes, width: int) -> SparseNetwork:
    """A network that has learnt all codes."""
    task = tasks.cmsp(m, 2, codes=codes)
    model = task.model(width, 2, activation="relu")
    learnt = narrow(model, task, method="scratch", sparsity=0, target=1.0, steps=2000, batch_size=200, learning_rate=0.005).best
    assert learnt.reached
    return learnt.network


def narrowed_to(network: SparseNetwork, m: int, kept: Sequence[int], forgotten: Codes) -> SparseNetwork:
    """The same after a group lasso on one code."""
    keep, forget = tasks.cmsp(m, 2, codes=[kept]), tasks.cmsp(m, 2, codes=forgotten)
    result = narrow(network, keep, forget, method="group-lasso", batch_size=64, revival_steps=0)
    assert (result.accuracy_keep, result.accuracy_forget) == (1.0, pytest.approx(0.5, abs=0.1))
    assert result.units < sum(network.unit_counts[1:-1])
    return result.network


def check_disconnected(found: SculptResult, small: SparseNetwork, m: int, kept: Sequence[int]) -> None:
    """All candidates read the bits of the kept code and nothing else, and their module is that of the truth."""
    task = tasks.cmsp(m, 2, codes=[kept])
    read = {f"b{i}_{j}" for i in kept for j in range(2)}
    assert small.unit_counts[0] == len(task.input_names)  # it is sculpting that takes the edges
    assert found.candidates
    for network in found.candidates:
        edges = network.compact().weights[0].any(axis=0)
        assert {name for name, some in zip(network.input_names, edges, strict=True) if some} == read
        assert network.widths == small.widths
        with torch.no_grad():
            assert ((network.model()(task.x) > 0) == (task.y > 0.5)).all()
    truth = task.truth(hidden_layers=2)
    for hierarchy in (consensus(found.candidates), detect_modules(found.network)):
        assert compare(hierarchy, truth).exact
        inputs = zip(task.input_names, hierarchy.labels[0].tolist(), strict=True)
        assert [name for name, label in inputs if label < 0] == [name for name in task.input_names if name not in read]


def sculpted(small: SparseNetwork, m: int, kept: Sequence[int], **settings: Any) -> SculptResult:
    keep = tasks.cmsp(m, 2, codes=[kept])
    return sculpt(small.model(), keep, initial="model", seeds=2, progress=False, **settings)


def test_what_only_the_forgotten_codes_read_is_disconnected() -> None:
    small = narrowed_to(broad_network(2, [[0], [1], [0, 1]], 32), 2, [0], [[1], [0, 1]])
    found = sculpted(small, 2, [0], unit_steps=[0.5], edge_steps=[0.02])
    check_disconnected(found, small, 2, [0])


def test_sculpting_goes_on_from_the_narrowed_weights() -> None:
    small = narrowed_to(broad_network(2, [[0], [1]], 16), 2, [1], [[0]])
    found = sculpted(small, 2, [1], unit_steps=[0.5], edge_steps=[0.05], steps=1, learning_rate=1e-12, input_noise=0.0, hidden_noise=0.0)
    assert found.dense[0].accuracy == 1.0
    for before, after in zip(small.weights, found.dense[0].weights, strict=True):
        assert after == pytest.approx(before, abs=1e-6)


@pytest.mark.slow
def test_a_sum_of_parities_is_one_module_of_their_bits() -> None:
    small = narrowed_to(broad_network(4, [[0], [1], [2], [3], [0, 1], [2, 3]], 64), 4, [0, 1], [[2], [3], [2, 3]])
    check_disconnected(sculpted(small, 4, [0, 1]), small, 4, [0, 1])
