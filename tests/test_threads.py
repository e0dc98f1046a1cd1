"""Calls in several threads at once: the results are those of one thread, and the process is left as it was."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from process_state import changes, state
from test_process_state import CALLS, CNN, images
from torch import Tensor, nn

from sculpting.models.groups import units
from sculpting.surroundings import one_thread

TOGETHER = ("sculpt a chain", "sculpt a CNN", "narrow a chain", "units", "sculpt a task", "read_model", "narrow a CNN", "ablation_scores")
QUICK = ("units", "units", *("sculpt a chain", "narrow a chain", "read_model") * 2)


class Shared(nn.Module):
    """A module of the user's that holds parts more than once, and knows them."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.act = nn.Linear(3, 3), nn.ReLU()
        self.others = nn.ModuleList([self.first, nn.Linear(3, 3)])

    def forward(self, x: Tensor) -> Tensor:
        assert self.first is self._modules["first"]
        for each in self.others:
            assert type(each) is nn.Linear
            x = self.act(each(x))
        return x


def in_threads(*functions: Callable[[], Any]) -> list[Any]:
    """What the functions return, or the exceptions that they raise, each in a thread of its own."""
    found: list[Any] = [None] * len(functions)
    start = threading.Barrier(len(functions))

    def run(place: int) -> None:
        start.wait()
        try:
            found[place] = functions[place]()
        except BaseException as error:
            found[place] = error

    threads = [threading.Thread(target=run, args=(place,)) for place in range(len(functions))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return found


def until(stop: threading.Event, call: Callable[[], Tensor], expected: Tensor) -> int:
    """Call again and again; the number of calls, all with the same answer."""
    count = 0
    while not stop.is_set():
        found = call()
        assert type(found) is Tensor
        assert torch.equal(found, expected)
        count += 1
    return count


@pytest.mark.parametrize("names", [QUICK, pytest.param(TOGETHER * 3, marks=pytest.mark.slow)], ids=["quick", "long"])
def test_eight_threads_get_the_results_of_one(names: tuple[str, ...]) -> None:
    expected = {name: CALLS[name]() for name in {*names}}
    before = state()
    for start in range(0, len(names), 8):
        together = names[start : start + 8]
        for name, found in zip(together, in_threads(*(CALLS[name] for name in together)), strict=True):
            if isinstance(found, BaseException):
                raise found
            for one, other in zip(found, expected[name], strict=True):
                np.testing.assert_allclose(one, other, rtol=1e-3, atol=1e-4)  # convolutions round differently: 2e-5 after a whole run
    assert changes(before, state()) == {}
    model = Shared()
    assert torch.equal(model(torch.ones(1, 3)), model(torch.ones(1, 3)))


def test_the_users_modules_work_while_others_are_read() -> None:
    """Reading replaces methods of nn.Module, which other threads must not meet; shared parts made them stand-ins."""
    act = nn.ReLU()
    model = nn.Sequential(nn.Conv2d(1, 2, 3), act, nn.Flatten(), nn.Linear(32, 3), act, nn.Linear(3, 2))
    mine, x, stop = Shared(), torch.ones(2, 3), threading.Event()

    def read() -> None:
        try:
            for _ in range(3):
                units(model, images()[0][:4])
        finally:
            stop.set()

    expected = mine(x)
    _, *counts = results = in_threads(read, *[lambda: until(stop, lambda: mine(x), expected)] * 2)
    assert [each for each in results if isinstance(each, BaseException)] == []
    assert all(counts)


def test_filters_of_warnings_survive_threads() -> None:
    """With warnings.catch_warnings, threads that overlap leave the filters of one another behind."""
    before = [*warnings.filters]
    results = in_threads(*[lambda: units(CNN, images()[0][:4])] * 3)
    assert [each for each in results if isinstance(each, BaseException)] == []
    assert [*warnings.filters] == before
    with pytest.warns(UserWarning, match="still shown"):
        warnings.warn("still shown", UserWarning, stacklevel=1)


def test_one_thread_of_torch_is_for_this_thread_of_python_alone() -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    try:
        with one_thread():
            assert torch.get_num_threads() == 1
            assert in_threads(torch.get_num_threads) == [3]
        assert torch.get_num_threads() == 3
    finally:
        torch.set_num_threads(before)
