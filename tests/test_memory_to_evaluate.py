"""Where memory runs out while members are evaluated or scored, they are evaluated or scored in smaller groups."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from architectures import LeNet
from members import data_for, make
from narrow_runs import narrowed
from test_autograd_training import Setting, images
from torch import Tensor, nn

from sculpting.autograd import MODULE_EDGE_SCORES, Architecture, AutogradEngine
from sculpting.autograd.scores import unit_first_order
from sculpting.mlp.batched_mlp import BatchedMLP
from sculpting.mlp.engine import MLPEngine
from sculpting.mlp.scores import EDGE_SCORES, UNIT_SCORES
from sculpting.narrow import ablation_scores, attribution_scores
from sculpting.narrow.learning import evaluate_in_parts
from sculpting.narrow.reading import read_pair
from sculpting.randomness import keys
from sculpting.settings import RoundSettings

KEY = keys(range(5))
DATA, POPULATION = data_for("ce", (4, 3)), make((4, 9, 8, 3), 5)
OF_CHAINS = MLPEngine(DATA, RoundSettings(), {"units": UNIT_SCORES["ablation"], "edges": EDGE_SCORES["ablation"]})


def of_modules() -> tuple[AutogradEngine, Any]:
    setting = Setting(images)
    scores = {"units": unit_first_order, "edges": MODULE_EDGE_SCORES["magnitude"]}
    return AutogradEngine(setting.rows, RoundSettings(), scores), setting.members.select([0, 1, 0, 1, 0])


MODULES, MEMBERS = of_modules()
# Each asks for all five members at once.
CALLS: dict[str, Callable[[], tuple[Tensor, ...]]] = {
    "evaluate chains": lambda: parts(OF_CHAINS.evaluate(POPULATION)),
    "rows of chains": lambda: (OF_CHAINS.row_scores(POPULATION), OF_CHAINS.row_scores(POPULATION, "training")),
    "units of chains": lambda: (OF_CHAINS.score(POPULATION, "units", KEY),),
    "edges of chains": lambda: (OF_CHAINS.score(POPULATION, "edges", KEY),),
    "narrow chains": lambda: parts(evaluate_in_parts(POPULATION, DATA)),
    "evaluate modules": lambda: parts(MODULES.evaluate(MEMBERS)),
    "rows of modules": lambda: (MODULES.row_scores(MEMBERS), MODULES.row_scores(MEMBERS, "training")),
    "units of modules": lambda: (MODULES.score(MEMBERS, "units", KEY),),
    "narrow modules": lambda: parts(evaluate_in_parts(MEMBERS, MODULES.rows)),
}


def parts(evaluation: Any) -> tuple[Tensor, ...]:
    return evaluation.accuracy, evaluation.loss


def at_most(most: int, patch: pytest.MonkeyPatch) -> list[int]:
    """Let memory run out for more members at once; returns how many were asked for each time."""
    asked: list[int] = []
    made, run = BatchedMLP.__init__, Architecture.run

    def check(count: int) -> None:
        asked.append(count)
        if count > most:
            raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 8 bytes")

    def making(self: BatchedMLP, shape: Any, values: Tensor) -> None:
        check(len(values))
        made(self, shape, values)

    def running(self: Architecture, parameters: Any, *rest: Any, **options: Any) -> Any:
        check(len(next(iter(parameters.values()))))
        return run(self, parameters, *rest, **options)

    patch.setattr(BatchedMLP, "__init__", making)
    patch.setattr(Architecture, "run", running)
    return asked


@pytest.mark.parametrize("name", CALLS)
def test_members_are_taken_in_smaller_groups(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = CALLS[name]()
    asked = at_most(2, monkeypatch)
    found = CALLS[name]()
    assert asked[0] == 5
    assert min(asked) <= 2
    for one, other in zip(found, expected, strict=True):
        assert one.dtype == other.dtype
        torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-6)  # batched products round differently


@pytest.mark.parametrize("name", CALLS)
def test_a_single_member_that_does_not_fit_is_one_clear_error(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    at_most(0, monkeypatch)
    with pytest.raises(MemoryError, match="a single network must fit into free memory while it is evaluated"):
        CALLS[name]()


@pytest.mark.parametrize("name", CALLS)
def test_other_errors_go_through(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(*_: Any, **__: Any) -> Any:
        raise RuntimeError("another")

    monkeypatch.setattr(BatchedMLP, "__init__", failing)
    monkeypatch.setattr(Architecture, "run", failing)
    with pytest.raises(RuntimeError, match="another"):
        CALLS[name]()


NETWORKS: dict[str, tuple[Any, Any]] = {
    "chain": (nn.Sequential(nn.Linear(4, 9), nn.ReLU(), nn.Linear(9, 3)), torch.rand(20, 4, generator=torch.Generator().manual_seed(0))),
    "module": (LeNet(), torch.rand(20, 1, 28, 28, generator=torch.Generator().manual_seed(0))),
}
SCORES = {"ablation": ablation_scores, "first order": attribution_scores}


@pytest.mark.parametrize("score", SCORES)
@pytest.mark.parametrize("name", NETWORKS)
def test_a_network_that_does_not_fit_while_its_units_are_scored_is_one_clear_error(
    name: str, score: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, x = NETWORKS[name]
    read = read_pair(model, (x, torch.arange(20) % 3), None)
    with monkeypatch.context() as patch:
        for module in ("ablation", "attribution"):
            patch.setattr(f"sculpting.narrow.{module}.read_pair", lambda *_: read)  # a step of a module is tried before
        at_most(0, patch)
        with pytest.raises(MemoryError, match="a single network must fit into free memory while it is evaluated"):
            SCORES[score](model, (x, torch.arange(20) % 3))


def test_copies_of_a_module_without_a_unit_are_evaluated_in_smaller_groups(monkeypatch: pytest.MonkeyPatch) -> None:
    model, x = NETWORKS["module"]
    data = x, torch.arange(20) % 10
    whole = ablation_scores(model, data)
    with monkeypatch.context() as patch:
        asked = at_most(3, patch)
        found = ablation_scores(model, data)
    assert max(asked) > 3
    assert 3 in asked or 2 in asked
    for one, other in zip(found, whole, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-6)  # batched products round differently


def test_networks_of_narrow_are_scored_in_smaller_groups(monkeypatch: pytest.MonkeyPatch) -> None:
    """Four networks that a group lasso has trained, of as many seeds."""
    whole = narrowed("dead units", units=8, seeds=4)
    asked = at_most(2, monkeypatch)
    found = narrowed("dead units", units=8, seeds=4)
    assert {*asked} == {1, 2, 4} or {*asked} == {2, 4}
    assert [one.units for one in found.narrowed] == [one.units for one in whole.narrowed]
