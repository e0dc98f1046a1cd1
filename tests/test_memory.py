"""How many members are trained at once, by the free memory."""

from __future__ import annotations

import contextlib
import platform
import subprocess
import sys
import threading
from typing import Any

import pytest
import torch
from members import data_for, make

from sculpting import tasks
from sculpting.data import Data
from sculpting.mlp import memory, training
from sculpting.mlp.memory import bytes_of_member, is_out_of_memory, members_that_fit
from sculpting.models.shape import Shape
from sculpting.randomness import keys
from sculpting.settings import RoundSettings

DATA = Data.of(tasks.boolean("both"))
SMALL, LARGE = (Shape((6, width, 3), ("relu", "identity")) for width in (8, 80))


def test_members_fill_half_of_the_free_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    need = bytes_of_member(SMALL, DATA, RoundSettings())
    monkeypatch.setattr(memory, "AMPLE", 3 * need)
    for free, expected in ((0, 1), (2 * need, 1), (20 * need, 10), (2000 * need, 600)):
        monkeypatch.setattr(memory, "free_bytes", lambda device, free=free: free)
        assert members_that_fit(600, SMALL, DATA, RoundSettings()) == expected
        assert members_that_fit(3, SMALL, DATA, RoundSettings()) == 3


def test_on_a_cpu_what_a_step_of_all_members_touches_stays_in_the_caches(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = RoundSettings(batch_size=16)
    each = 4 * (5 * SMALL.size + 3 * (8 + 3) * 16)  # bytes of parameters and of all layers' sums, units and slopes
    for cache, expected in ((0, 1), (each, 1), (5 * each + 4, 5), (5 * each - 4, 4), (130 * each, 128), (5000 * each, 600)):
        monkeypatch.setattr(memory, "CACHE", cache)
        assert members_that_fit(600, SMALL, DATA, settings) == expected
        if torch.cuda.is_available():
            assert members_that_fit(600, SMALL, Data.of(tasks.boolean("both"), "cuda"), settings) == 600


def test_larger_networks_batches_and_noise_need_more() -> None:
    least = bytes_of_member(SMALL, DATA, RoundSettings(batch_size=8))
    assert bytes_of_member(LARGE, DATA, RoundSettings(batch_size=8)) > least
    assert bytes_of_member(SMALL, DATA, RoundSettings(batch_size=512)) > least
    assert bytes_of_member(SMALL, DATA, RoundSettings(batch_size=8, input_noise=0.1)) > least
    assert bytes_of_member(SMALL, DATA, RoundSettings(batch_size=8, hidden_noise=0.1)) > least


def test_free_memory_is_read_from_the_machine() -> None:
    assert memory.free_bytes(torch.device("cpu")) > 1 << 20


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="another C library keeps or gives back memory by rules of its own")
def test_memory_that_a_step_frees_is_used_by_the_next() -> None:
    code = """
from resource import RUSAGE_SELF, getrusage
import torch
from sculpting.mlp.memory import keep_freed
def step(size):
    [torch.ones(size) for _ in range(40)]
keep_freed()
step(60_000)
before = getrusage(RUSAGE_SELF).ru_minflt
[step(60_000 + 1_100 * larger) for larger in range(1, 51)]
print(getrusage(RUSAGE_SELF).ru_minflt - before)
"""
    # Each tensor is a page larger than any that was freed before: 2,000 new pages in all. Without it, all pages of every step are new.
    assert int(subprocess.check_output([sys.executable, "-c", code], text=True)) < 7000


def test_only_failed_allocations_count_as_out_of_memory() -> None:
    assert is_out_of_memory(torch.OutOfMemoryError("CUDA out of memory"))
    assert is_out_of_memory(RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried to allocate 4 bytes"))
    assert not is_out_of_memory(RuntimeError("mat1 and mat2 shapes cannot be multiplied"))
    with pytest.raises(RuntimeError) as failed:
        torch.empty(1 << 60, dtype=torch.uint8)
    assert is_out_of_memory(failed.value)


def test_networks_of_which_two_do_not_fit_side_by_side_are_trained_one_after_the_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training, "WORTH_A_THREAD", 0)
    population, data, few = make((4, 12, 3), 2), data_for("bce", (4, 3)), RoundSettings(steps=4)
    whole, _ = training.train(population, data, few, keys(range(2)))
    honest, room, both = training._train, threading.Lock(), threading.Barrier(2, timeout=60)

    def scarce(*given: Any) -> Any:
        beside = threading.current_thread() is not threading.main_thread()
        if not room.acquire(blocking=False):
            both.wait()
            raise torch.OutOfMemoryError("out of memory")
        with contextlib.ExitStack() as stack:
            stack.callback(room.release)
            if beside:
                both.wait()  # until the other has failed
            return honest(*given)

    monkeypatch.setattr(training, "_train", scarce)
    found, _ = training.train(population, data, few, keys(range(2)), threads=2)
    torch.testing.assert_close(found.values, whole.values, rtol=1e-4, atol=1e-5)
