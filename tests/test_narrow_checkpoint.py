"""Runs of ``narrow`` that were stopped in the middle of a training go on to the same bits; files of other calls are refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from narrow_runs import CHAIN, FORGET, KEEP, RUNS, chain, facts, narrowed
from safetensors.torch import load, save
from test_files import at_most, posix

from sculpting import checkpoint_file, sculpt
from sculpting.integrity import UNSIGNED, signed
from sculpting.mlp import training as of_chains
from sculpting.narrow import narrow
from sculpting.narrow.resuming import NarrowCheckpoint
from sculpting.tasks import cmsp


@pytest.fixture(autouse=True)
def at_every_evaluation(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkpoint_file, "SECONDS", 0.0)


class Stopped(Exception):  # noqa: N818 (not an error)
    pass


def counted(monkeypatch: pytest.MonkeyPatch, run: Callable[[], Any], last: int | None = None, error: type[BaseException] = Stopped) -> int:
    """How many evaluations a run kept, which ``last`` ends."""
    made, hold = [0], NarrowCheckpoint.hold

    def stopping(self: NarrowCheckpoint) -> None:
        hold(self)
        made[0] += 1
        if made[0] == last:
            raise error

    with monkeypatch.context() as patch:
        patch.setattr(NarrowCheckpoint, "hold", stopping)
        if last is None:
            run()
        else:
            with pytest.raises(error):
                run()
    return made[0]


@pytest.mark.parametrize("name", RUNS)
def test_a_run_that_was_stopped_ends_as_one_that_was_not(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole, path = facts(narrowed(name)), tmp_path / "run"
    count = counted(monkeypatch, lambda: narrowed(name, path))
    assert count > 3
    found: list[str] = []
    assert counted(monkeypatch, lambda: found.append(facts(narrowed(name, path)))) == 0  # a finished run is only read
    for last in {count // 2} if name.startswith("module") else {1, count // 2, count - 1}:  # modules take seconds to read
        path.unlink()
        counted(monkeypatch, lambda: narrowed(name, path), last)
        assert counted(monkeypatch, lambda: found.append(facts(narrowed(name, path)))) == count - last  # none is trained twice
    assert {*found} == {whole}


def test_networks_are_captured_before_and_after_a_stop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise the run above would not show that they are kept."""
    path = tmp_path / "run"
    counted(monkeypatch, lambda: narrowed("captured", path), 4)
    captured = load(path.read_bytes())["0.0.captured"]
    assert bool((captured >= 0).any())
    assert bool((captured < 0).any())


def test_ctrl_c_keeps_what_was_trained_and_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkpoint_file, "SECONDS", 1e6)
    whole, path = facts(narrowed("in parts")), tmp_path / "run"
    counted(monkeypatch, lambda: narrowed("in parts", path), 4, KeyboardInterrupt)
    assert path.is_file()
    counted(monkeypatch, lambda: narrowed("in parts", path), 3, KeyboardInterrupt)
    assert facts(narrowed("in parts", path)) == whole


def test_a_checkpoint_is_written_at_most_every_ten_seconds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkpoint_file, "SECONDS", 1e6)
    counted(monkeypatch, lambda: narrowed("scratch", tmp_path / "run"), 4)
    assert [*tmp_path.iterdir()] == []


@pytest.mark.parametrize(
    "changes",
    [{"steps": 61}, {"seed": 1}, {"units": [9, 6]}, {"learning_rate": 0.02}, {"max_members": 2}, {"method": "random"}],
    ids=str,
)
def test_another_call_is_refused(changes: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "run"
    counted(monkeypatch, lambda: narrowed("scratch", path), 2)
    before = path.read_bytes()
    with pytest.raises(ValueError, match=r"is the checkpoint of another call: .* Give another file, or remove it to start again"):
        narrowed("scratch", path, **changes)
    assert path.read_bytes() == before


def test_other_data_or_another_model_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, call = tmp_path / "run", {"units": 6, "method": "ablation", "recovery_steps": 20, "check_every": 10, "batch_size": 16}
    counted(monkeypatch, lambda: narrow(CHAIN, KEEP, FORGET, checkpoint=path, **call), 1)
    with torch.random.fork_rng():
        torch.manual_seed(1)
        other = chain()
    for given in ((other, KEEP, FORGET), (CHAIN, FORGET, KEEP), (CHAIN, KEEP), (CHAIN, KEEP, cmsp(2, 2, codes=[[0, 1]]))):
        with pytest.raises(ValueError, match="is the checkpoint of another call"):
            narrow(*given, checkpoint=path, **call)
    with pytest.raises(ValueError, match="is not a checkpoint of sculpting: it has another header"):
        sculpt(CHAIN, KEEP, checkpoint=path, progress=False)


def test_a_file_that_was_changed_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "run"
    counted(monkeypatch, lambda: narrowed("scratch", path), 2)
    content = path.read_bytes()
    for place in range(40, len(content), len(content) // 12):
        path.write_bytes(content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :])
        with pytest.raises(ValueError, match=r"was changed since it was written|is not a checkpoint of narrow|of another call"):
            narrowed("scratch", path)
    path.write_text("no checkpoint")
    with pytest.raises(ValueError, match=r"is not a checkpoint of narrow: .* Give another file, or remove it"):
        narrowed("scratch", path)


def rewritten(content: bytes, change: Callable[[Any, dict[str, torch.Tensor]], None]) -> bytes:
    """Another content with a digest of its own."""
    length = int.from_bytes(content[:8], "little")
    metadata, tensors = json.loads(content[8 : 8 + length])["__metadata__"], load(content)
    state = json.loads(metadata["state"])
    change(state, tensors)
    return signed(save(tensors, metadata | {"state": json.dumps(state)} | UNSIGNED))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda state, tensors: state["trainings"][0][0].update(steps="1"), "its groups must have members and steps"),
        (lambda state, tensors: state.update(trainings={}), "its trainings must be lists of groups"),
        (lambda state, tensors: tensors.pop("0.0.first"), "first must be torch.float32 of shape .*; got none"),
        (lambda state, tensors: tensors.update({"0.0.more": torch.zeros(1)}), "its tensors must be those of its members; got 'more', too"),
        (lambda state, tensors: tensors.update({"7.0.more": torch.zeros(1)}), "its tensors must be those of its groups; got '7.0', too"),
        (lambda state, tensors: tensors["0.0.examples"].zero_(), "examples must be positive and rise"),
    ],
)
def test_a_file_that_states_what_cannot_be_is_refused(
    change: Callable[[Any, dict[str, torch.Tensor]], None], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "run"
    counted(monkeypatch, lambda: narrowed("scratch", path), 2)
    path.write_bytes(rewritten(path.read_bytes(), change))
    with pytest.raises(ValueError, match=rf"is not a whole checkpoint: {said}"):
        narrowed("scratch", path)


def test_members_that_are_trained_again_in_smaller_groups_are_kept_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Memory runs out after some evaluations of all four."""
    whole, path, train = facts(narrowed("scratch", max_members=2)), tmp_path / "run", of_chains._train

    def full(population: Any, *rest: Any) -> Any:
        *others, hooks = rest
        if len(population) > 2:
            train(population, *others, hooks)
            raise RuntimeError("DefaultCPUAllocator: can't allocate memory")
        return train(population, *rest)

    monkeypatch.setattr(of_chains, "_train", full)
    found = facts(narrowed("scratch", path))
    length = int.from_bytes(path.read_bytes()[:8], "little")
    state = json.loads(json.loads(path.read_bytes()[8 : 8 + length])["__metadata__"]["state"])
    assert sorted(len(group["members"]) for group in state["trainings"][0]) == [2, 2]
    assert found == whole


@posix
def test_a_full_disk_is_one_clear_error_and_the_file_of_before_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "run"
    counted(monkeypatch, lambda: narrowed("scratch", path), 2)
    before = path.read_bytes()
    with at_most(1000), pytest.raises(OSError, match=r"while .*run was written, which is as before"):
        narrowed("scratch", path)
    assert path.read_bytes() == before
    assert [*tmp_path.iterdir()] == [path]


def test_a_checkpoint_that_is_no_path_is_refused() -> None:
    with pytest.raises(TypeError, match="checkpoint must be a path, or None for no checkpoint; got 3"):
        narrow(CHAIN, KEEP, units=6, checkpoint=3)
