"""What the caller has set in torch, put aside for a call of the library and left as it was."""

from __future__ import annotations

import contextlib
import importlib
import os
import random
import sys
import threading
from collections.abc import Iterator
from typing import Any

import torch
from torch.overrides import TorchFunctionMode

__all__ = ["drawing_from", "keep_to_one", "load", "no_cache_named", "one_thread", "set_aside"]

CACHE = "TORCHINDUCTOR_CACHE_DIR"
COUNTING, LOADING = threading.Lock(), threading.RLock()
DRAWING = {"uniform_", "normal_", "random_", "bernoulli_", "exponential_", "cauchy_", "log_normal_", "geometric_"}
DRAWING |= {"rand", "randn", "randint", "randperm", "normal", "bernoulli", "multinomial"}


@contextlib.contextmanager
def set_aside() -> Iterator[None]:
    """Without the caller's autocast, default device, ``no_grad`` and inference mode: no result may depend on them.

    All of them belong to the thread. The default dtype belongs to the process, so that it stays: nothing here relies on it.
    """
    with contextlib.ExitStack() as stack:
        stack.enter_context(torch.inference_mode(False))
        stack.enter_context(torch.enable_grad())
        for kind in ("cpu", "cuda"):
            if torch.is_autocast_enabled(kind):
                stack.enter_context(torch.autocast(kind, enabled=False))
        if torch.get_default_device().type != "cpu":
            stack.enter_context(torch.device("cpu"))
        yield


@contextlib.contextmanager
def one_thread() -> Iterator[None]:
    """One thread of torch for this thread of Python. Others keep their number, those that begin meanwhile too."""
    before = torch.get_num_threads()
    try:
        keep_to_one()
        yield
    finally:
        if before > 1:
            torch.set_num_threads(before)


def keep_to_one() -> None:
    """One thread of torch for this thread of Python, until it ends.

    Each thread has a number of its own, but takes the one that any has set last when it first uses torch. A further thread therefore
    sets that number again.
    """
    with COUNTING:
        before = torch.get_num_threads()
        if before > 1:
            torch.set_num_threads(1)
            other = threading.Thread(target=torch.set_num_threads, args=(before,))
            other.start()
            other.join()


def load(*names: str) -> None:
    """Import modules of other packages, of which some move Python's generator, or have a folder named in the environment, as they load."""
    missing = [name for name in names if name not in sys.modules]
    if missing:
        with LOADING, no_cache_named():
            state = random.getstate()
            try:
                for name in missing:
                    importlib.import_module(name)
            finally:
                random.setstate(state)


@contextlib.contextmanager
def no_cache_named() -> Iterator[None]:
    """Without the folder that torch enters into the environment, for files of compiled code that are not written here."""
    before = CACHE in os.environ
    try:
        yield
    finally:
        if not before:
            os.environ.pop(CACHE, None)


class drawing_from(TorchFunctionMode):  # noqa: N801 (used as a function)
    """Within this context all random numbers of torch come from one generator, for this thread alone."""

    def __init__(self, generator: torch.Generator) -> None:
        super().__init__()
        self.generator = generator

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Pass the generator on."""
        kwargs = dict(kwargs or {})
        if kwargs.get("generator") is None and ("generator" in kwargs or getattr(func, "__name__", "") in DRAWING):
            kwargs["generator"] = self.generator
        return func(*args, **kwargs)
