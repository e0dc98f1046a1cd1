"""The trail of a network: what each accepted attempt on its way removed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from module_maps import SmallCNN
from safetensors.torch import load, save
from test_checkpoint import CALL, MODEL, TASK, at_every_round, rewritten, stop_after

from sculpting import SculptResult, Trail, checkpoint_file, sculpt
from sculpting.integrity import UNSIGNED, read_header, signed
from sculpting.schedule import pruning_schedule
from sculpting.schedule.checkpoint import digest

__all__ = ["at_every_round"]  # a fixture


def from_sparse() -> SculptResult:
    model = RUNS["units only"]().candidates[-1].model()
    return sculpt(model, TASK, **CALL, initial="model", progress=False)


def own_data() -> SculptResult:
    """Where the dense networks set the accuracy, by a paired test."""
    x = np.random.default_rng(0).normal(size=(150, TASK.x.shape[1]))
    return sculpt(MODEL, (x, (x[:, : TASK.y.shape[1]] > 0).astype(int)), **{**CALL, "unit_steps": [0.5]}, progress=False)


RUNS: dict[str, Callable[[], SculptResult]] = {
    "both phases": lambda: sculpt(MODEL, TASK, **CALL, progress=False),
    "units only": lambda: sculpt(MODEL, TASK, **{**CALL, "edge_steps": []}, progress=False),
    "edges only": lambda: sculpt(MODEL, TASK, **{**CALL, "unit_steps": []}, progress=False),
    "two widths": lambda: sculpt([TASK.model(10, 2), TASK.model(14, 2)], TASK, **{**CALL, "unit_steps": [0.5]}, progress=False),
    "two rates": lambda: sculpt(MODEL, TASK, **{**CALL, "unit_steps": [0.5]}, learning_rate=(0.1, 0.03), progress=False),
    "second starts": lambda: sculpt(MODEL, TASK, **{**CALL, "unit_steps": [0.5]}, learning_rate=0.3, dense_rounds=1, progress=False),
    "sparse at first": from_sparse,
    "own data": own_data,
}


def check(network: Any, trail: Trail, edges: int) -> None:
    """What holds for every trail of a network with a number of edges, pruned ones included."""
    counts = [sum(int(mask.sum()) for mask in trail.masks(k)) for k in range(len(trail))]
    assert counts == [round(attempt.density * edges) for attempt in trail.attempts]
    assert counts == sorted(counts, reverse=True)
    for before, after in zip(range(len(trail)), range(1, len(trail)), strict=False):
        assert all(not (new & ~old).any() for old, new in zip(trail.masks(before), trail.masks(after), strict=True))
    phases = [attempt.phase for attempt in trail.attempts]
    assert phases[0] == "dense"
    assert phases == sorted(phases, key=["dense", "units", "retrain", "edges"].index)
    assert all(attempt.accepted for attempt in trail.attempts[1:])
    assert trail.attempts[-1].accuracy == network.accuracy
    assert {attempt.chain.seed for attempt in trail.attempts} == {network.origin["seed"]}


@pytest.mark.parametrize("run", RUNS)
def test_a_trail_leads_from_the_dense_network_to_the_candidate(run: str) -> None:
    result = RUNS[run]()
    assert result.candidates, str(result)
    assert run != "second starts" or any(network.origin.get("restarted") for network in result.candidates)
    for network in (*result.candidates, *result.dense):
        trail = result.trail(network)
        check(network, trail, sum(weight.size for weight in network.weights))
        assert [part.shape for part in trail.removed_in] == [weight.shape for weight in network.weights]
        for mask, there in zip(trail.masks(-1), network.masks, strict=True):
            np.testing.assert_array_equal(mask, there)
        # The dense network of the same seed, model and rate is the first of the trail.
        same = ("seed", "widths", "learning_rate")
        dense = next(d for d in result.dense if all(d.origin[name] == network.origin[name] for name in same))
        assert trail.attempts[0].accuracy == dense.accuracy
        for mask, there in zip(trail.masks(0), dense.masks, strict=True):
            np.testing.assert_array_equal(mask, there)
    assert (run == "sparse at first") == (result.trail(result.network).attempts[0].density < 1)


def test_the_trail_of_a_module_has_the_edges_of_its_parameters() -> None:
    x, y = torch.rand(60, 1, 6, 6, generator=torch.Generator().manual_seed(0)), torch.arange(60) % 2
    x[y == 0, :, :3] += 1
    call: dict[str, Any] = {"unit_tries": 1, "edge_tries": 1, "steps": 16, "dense_rounds": 4, "tolerance": 0.05}
    result = sculpt(SmallCNN(classes=2), (x, y), seeds=1, unit_steps=[0.4], edge_steps=[0.2], learning_rate=0.03, **call, progress=False)
    assert result.candidates, str(result)
    network = result.network
    trail = result.trail(network)
    check(network, trail, len(network.live_edges))
    assert len(trail) > 2
    assert [part.shape for part in trail.removed_in] == [tuple(numbers.shape) for numbers in network.units.edges.values()]
    np.testing.assert_array_equal(np.concatenate([mask.flatten() for mask in trail.masks(-1)]), network.live_edges.numpy())


def test_a_trail_knows_its_attempts_by_their_positions() -> None:
    result = RUNS["units only"]()
    trail = result.trail(result.network)
    assert len(trail) == len(trail.attempts)
    with pytest.raises(IndexError):
        trail.masks(len(trail))


def test_networks_of_other_results_have_no_trail(monkeypatch: pytest.MonkeyPatch) -> None:
    result = RUNS["units only"]()
    with pytest.raises(ValueError, match=r"network must be one of the candidates or dense networks of this result, and no copy; got"):
        result.trail(replace(result.network))
    assert len(replace(result, candidates=result.candidates[-1:]).trail(result.candidates[-1])) > 1
    with pytest.raises(ValueError, match="this result has no trails: it was put together without"):
        SculptResult((), (), (), 1.0, result.stop_reason, ()).trail(None)
    monkeypatch.setattr(pruning_schedule, "MOST_FOLLOWED", 1000)
    with pytest.raises(ValueError, match=r"no trails: its chains have [\d,]+ edges in all, of which at most 1,000 are followed"):
        (large := RUNS["units only"]()).trail(large.network)


def same(first: SculptResult, second: SculptResult) -> bool:
    pairs = zip(first.candidates, second.candidates, strict=True)
    found = [(first.trail(a), second.trail(b)) for a, b in pairs]
    attempts = [[attempt._replace(seconds=0) for attempt in trail.attempts] for pair in found for trail in pair]
    assert attempts[::2] == attempts[1::2]
    return all((p == q).all() for a, b in found for p, q in zip(a.removed_in, b.removed_in, strict=True))


@pytest.mark.parametrize("change", [{}, {"edge_steps": []}, {"unit_steps": []}])
@pytest.mark.parametrize("rounds", [1, 12])
def test_a_run_that_goes_on_keeps_its_trails(tmp_path: Path, change: dict[str, Any], rounds: int) -> None:
    call = {**CALL, **change}
    stop_after(rounds, tmp_path / "run", **change)
    rest = sculpt(MODEL, TASK, **call, progress=False, checkpoint=tmp_path / "run")
    assert same(sculpt(MODEL, TASK, **call, progress=False), rest)


def without(tensors: dict[str, torch.Tensor]) -> None:
    for name in [name for name in tensors if name.endswith(".survived")]:
        del tensors[name]


def test_a_run_that_goes_on_from_an_older_checkpoint_says_that_it_has_no_trails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = RUNS["both phases"]()
    with monkeypatch.context() as patch:
        patch.setattr(checkpoint_file, "call_digest", digest)
        stop_after(8, tmp_path / "run")
    rewritten(tmp_path / "run", "4", without)
    rest = sculpt(MODEL, TASK, **CALL, progress=False, checkpoint=tmp_path / "run")
    assert [n.edge_count for n in rest.candidates] == [n.edge_count for n in whole.candidates]
    with pytest.raises(ValueError, match="no trails: its run went on from a checkpoint that does not have it"):
        rest.trail(rest.network)


CHANGES: dict[str, Callable[[dict[str, torch.Tensor]], Any]] = {
    "an edge that went twice": lambda t: t["units.state.survived"][0, 0].add_(1),
    "negative": lambda t: t["dense.survived"].neg_(),
    "another kind": lambda t: t.update({"units.state.survived": t["units.state.survived"].int()}),
    "too few": lambda t: t.update({"units.state.survived": t["units.state.survived"][:, 1:].clone()}),
    "some": lambda t: t.pop("units.state.survived"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_trails_that_do_not_fit_the_run_are_refused(tmp_path: Path, change: str) -> None:
    """With a digest that fits, as of a file that was made by hand."""
    path = tmp_path / "run"
    stop_after(14, path)
    content = path.read_bytes()
    tensors = load(content)
    CHANGES[change](tensors)
    path.write_bytes(signed(save(tensors, {**read_header(path), **UNSIGNED})))
    with pytest.raises(ValueError, match=r"run is not a whole checkpoint: .*\. Remove it to start again"):
        sculpt(MODEL, TASK, **CALL, progress=False, checkpoint=path)
