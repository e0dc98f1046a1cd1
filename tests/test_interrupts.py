"""Ctrl-C, errors and long runs: they go through at once, and leave the process as it was."""

from __future__ import annotations

import gc
import os
import pkgutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from narrow_runs import facts as of_narrow
from narrow_runs import narrowed
from process_state import changes, state
from test_process_state import CHAIN, CNN, QUICK, images, rows
from torch import Tensor, nn

from sculpting import read_model, sculpt
from sculpting.mlp import training as of_chains
from sculpting.models.groups import units


class Counted:
    """Progress that is interrupted at one of its calls."""

    def __init__(self, last: int = -1) -> None:
        self.calls, self.last = 0, last

    def __call__(self, ended: int, total: int) -> None:
        self.calls += 1
        if self.calls == self.last:
            raise KeyboardInterrupt


def test_an_interrupt_at_any_round_leaves_the_process_as_it_was() -> None:
    whole = Counted()
    sculpt(CHAIN, rows(), **{**QUICK, "progress": whole})
    assert whole.calls > 2
    before = state()
    for last in range(1, whole.calls + 1):
        counted = Counted(last)
        with pytest.raises(KeyboardInterrupt):
            sculpt(CHAIN, rows(), **{**QUICK, "progress": counted})
        assert counted.calls == last
        assert changes(before, state()) == {}


PHASES = {
    "scoring and evaluating": ("sculpting.narrow.runs.evaluate_in_parts", (1, 3, 5)),
    "training": ("sculpting.mlp.best_epoch.BestEpoch.take", (1, 4, 9, 14, 16)),
    "keeping": ("sculpting.narrow.resuming.NarrowCheckpoint.hold", (1, 8, 15)),
    "removing units": ("sculpting.narrow.runs.lowest_of", (1,)),
}


def interrupted(monkeypatch: pytest.MonkeyPatch, place: str, last: int, run: Callable[[], Any]) -> None:
    """Ctrl-C at one of the calls of a function."""
    owner, _, name = place.rpartition(".")
    calls, known = [0], pkgutil.resolve_name(place)

    def stopping(*given: Any, **options: Any) -> Any:
        calls[0] += 1
        if calls[0] == last:
            raise KeyboardInterrupt
        return known(*given, **options)

    with monkeypatch.context() as patch:
        patch.setattr(pkgutil.resolve_name(owner), name, stopping)
        with pytest.raises(KeyboardInterrupt):
            run()
    assert calls[0] == last


@pytest.mark.parametrize(("place", "last"), [(place, last) for place, calls in PHASES.values() for last in calls])
def test_an_interrupt_in_any_phase_of_narrow(place: str, last: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole, path = of_narrow(narrowed("dead units", units=8)), tmp_path / "run"
    before = state()
    interrupted(monkeypatch, place, last, lambda: narrowed("dead units", path, units=8))
    assert changes(before, state()) == {}
    assert of_narrow(narrowed("dead units", path, units=8)) == whole


@pytest.mark.parametrize("last", [2, 9])
def test_a_second_interrupt_while_the_checkpoint_is_written(last: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file of before stays whole, and nothing else is left."""
    whole, path = of_narrow(narrowed("in parts")), tmp_path / "run"
    interrupted(monkeypatch, PHASES["keeping"][0], 1, lambda: narrowed("in parts", path))
    assert not path.exists()  # it came before anything was kept
    interrupted(monkeypatch, PHASES["training"][0], 5, lambda: narrowed("in parts", path))
    content, before = path.read_bytes(), state()
    with monkeypatch.context() as patch:
        patch.setattr("sculpting.files._set_mode", interrupting)
        interrupted(monkeypatch, PHASES["training"][0], last, lambda: narrowed("in parts", path))
    assert changes(before, state()) == {}
    assert [*tmp_path.iterdir()] == [path]
    assert path.read_bytes() == content
    assert of_narrow(narrowed("in parts", path)) == whole


def interrupting(*_: Any) -> None:
    raise KeyboardInterrupt


class Interrupted(nn.Module):
    """A module whose forward raises at one of its calls, whatever copy is called."""

    def __init__(self, error: BaseException, last: int) -> None:
        super().__init__()
        self.inner, self.error, self.left = nn.Conv2d(1, 2, 3), error, [last]
        self.out = nn.Linear(32, 2)

    def __deepcopy__(self, memo: Any) -> Interrupted:
        copied = Interrupted(self.error, 0)
        copied.load_state_dict(self.state_dict())
        copied.left = self.left
        return copied

    def forward(self, x: Tensor) -> Tensor:
        self.left[0] -= 1
        if self.left[0] == 0:
            raise self.error
        return self.out(self.inner(x).flatten(1))


@pytest.mark.parametrize("last", [1, 2, 3])
@pytest.mark.parametrize(("error", "raised"), [(KeyboardInterrupt(), KeyboardInterrupt), (SystemExit(2), ValueError)])
def test_an_interrupt_while_a_module_is_read(error: BaseException, raised: type[BaseException], last: int) -> None:
    with torch.random.fork_rng():
        model = Interrupted(error, last)
    units(CNN, images()[0][:4])
    with torch.random.fork_rng():  # its copies are made anew
        before = state()
        with pytest.raises(raised):
            units(model, images()[0][:4])
        after = state()
    assert {*changes(before, after)} <= {"torch"}


def test_a_network_that_does_not_fit_into_memory_is_one_clear_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any) -> Any:
        raise RuntimeError("[enforce fail at alloc_cpu.cpp:117] DefaultCPUAllocator: can't allocate memory: you tried to allocate 8 bytes")

    monkeypatch.setattr(of_chains, "_train", full)
    with pytest.raises(MemoryError, match="a single network must fit into free memory"):
        sculpt(CHAIN, rows(), **QUICK)


def test_members_that_overflow_leave_the_rest_to_be_returned() -> None:
    result = sculpt(CHAIN, rows(), **{**QUICK, "learning_rate": (0.03, 1e30)})
    assert result.candidates
    assert all(torch.isfinite(torch.from_numpy(part)).all() for each in result.candidates for part in each.weights)


def _resident() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="the system does not say how much memory is used")
@pytest.mark.parametrize(
    ("call", "warm", "count"),
    [
        pytest.param(lambda: read_model(CHAIN), 5, 50, id="read"),
        pytest.param(lambda: sculpt(CHAIN, rows(), **QUICK), 5, 50, id="chain", marks=pytest.mark.slow),
        pytest.param(lambda: sculpt(CNN, images(), **QUICK), 5, 50, id="CNN", marks=pytest.mark.slow),
    ],
)
def test_repeated_calls_do_not_grow_memory(call: Callable[[], Any], warm: int, count: int) -> None:
    for _ in range(warm):
        call()
    gc.collect()
    before = _resident()
    for _ in range(count):
        call()
    gc.collect()
    assert _resident() <= 1.05 * before
