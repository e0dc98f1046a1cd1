"""Imports that are made when they are needed, since they load a second of modules, which few callers need."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["kept_random"]


@contextmanager
def kept_random() -> Iterator[None]:
    """A context for imports, which leaves Python's generator as it was: a package that scikit-learn loads draws from it."""
    state = random.getstate()
    try:
        yield
    finally:
        if random.getstate() != state:
            random.setstate(state)
