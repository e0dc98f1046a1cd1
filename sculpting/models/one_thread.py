"""What ``torch.export`` changes for the whole process while it runs, kept from the other threads."""

from __future__ import annotations

import functools
import logging
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch.fx._symbolic_trace as tracing

from ..surroundings import load, no_cache_named

__all__ = ["exporting", "unwarned"]

EXPORTS = threading.RLock()  # torch.export holds facts about the module in globals of its own
LOGGERS = ("torch.fx.experimental.symbolic_shapes", "torch.export._trace")  # say what the error says again


@dataclass(frozen=True)
class _ThisThread:
    """What a filter of warnings calls for the text of a warning, and a logger for a record."""

    thread: int

    def match(self, text: str) -> bool:
        """Whether a warning comes from the thread."""
        return threading.get_ident() == self.thread

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether a record comes from another thread, and is logged."""
        return record.thread != self.thread


@contextmanager
def unwarned() -> Iterator[None]:
    """Without the warnings of this thread. ``warnings.catch_warnings`` would leave its filters behind where two threads overlap."""
    entry: Any = ("ignore", _ThisThread(threading.get_ident()), Warning, None, 0)
    filters: Any = warnings.filters
    filters.insert(0, entry)
    try:
        yield
    finally:
        filters.remove(entry)


@contextmanager
def exporting() -> Iterator[None]:
    """One thread at a time, whose replaced methods of ``nn.Module``, warnings and messages other threads do not meet."""
    load("torch._dynamo")
    with EXPORTS, unwarned(), no_cache_named():
        patcher, here = tracing._Patcher, _ThisThread(threading.get_ident())
        try:
            tracing._Patcher = _Patcher  # type: ignore[misc]
            for name in LOGGERS:
                logging.getLogger(name).addFilter(here)
            yield
        finally:
            tracing._Patcher = patcher  # type: ignore[misc]
            for name in LOGGERS:
                logging.getLogger(name).removeFilter(here)


class _Patcher(tracing._Patcher):
    """Replaces methods for the thread that asks. Others would keep stand-ins of parts of their modules, which outlive the export."""

    def patch_method(self, cls: type, name: str, new_fn: Callable[..., Any], deduplicate: bool = True) -> None:
        """Replace a method of a class until the end of the export."""
        before, thread = getattr(cls, name), threading.get_ident()

        @functools.wraps(new_fn)
        def chosen(*args: Any, **kwargs: Any) -> Any:
            return (new_fn if threading.get_ident() == thread else before)(*args, **kwargs)

        super().patch_method(cls, name, chosen, deduplicate)
