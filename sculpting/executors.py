"""Where the cells of a study run: processes of this machine, or a Dask cluster."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Executor, ProcessPoolExecutor
from multiprocessing.context import SpawnContext, SpawnProcess
from typing import Any
from urllib.parse import urlsplit

__all__ = ["cluster", "workers"]

MOST_JOBS = 1024
SCHEDULER = "cluster must be the address of a Dask scheduler, such as tcp://127.0.0.1:8786"
PATIENCE = 10  # seconds that the scheduler has to reply


@contextlib.contextmanager
def workers(jobs: int) -> Iterator[Executor | None]:
    """An executor with ``jobs`` processes for :func:`~sculpting.run`; None for one job, which then runs in this process.

    The processes start with a fresh interpreter, so a script with several jobs needs ``if __name__ == "__main__":``. They end with this
    process, however it ends, and when the block is left by an exception, such as Ctrl-C: cells that they compute are then lost.

    Raises
    ------
    ValueError
        When ``jobs`` is not a whole number from 1 to 1,024.

    Examples
    --------
    >>> with workers(1) as executor:
    ...     executor is None
    True
    """
    if not isinstance(jobs, int) or isinstance(jobs, bool) or not 1 <= jobs <= MOST_JOBS:
        raise ValueError(f"jobs must be a whole number of processes, at least 1 and at most {MOST_JOBS}; got {jobs!r}")
    if jobs == 1:
        yield None
        return
    context = _Context()
    executor = ProcessPoolExecutor(jobs, context, _begin_worker)
    try:
        yield executor
    except BaseException:
        _end(executor, context.begun)
        raise
    executor.shutdown()


class _Worker(SpawnProcess):
    """A process that Ctrl-C does not reach while it starts: it would print a traceback from the middle of an import."""

    def start(self) -> None:
        with _held_back():
            super().start()


class _Context(SpawnContext):
    """How workers are started; ``begun`` has those that were."""

    def __init__(self) -> None:
        super().__init__()
        self.begun: list[_Worker] = []

    def Process(self, *arguments: Any, **options: Any) -> _Worker:  # type: ignore[override]  # noqa: N802
        self.begun.append(_Worker(*arguments, **options))
        return self.begun[-1]


@contextlib.contextmanager
def _held_back() -> Iterator[None]:
    """Hold Ctrl-C back from this thread, and from the processes that it starts."""
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _end(executor: ProcessPoolExecutor, begun: list[_Worker]) -> None:
    """End the workers now, whatever they compute."""
    executor.shutdown(wait=False, cancel_futures=True)
    end = time.monotonic() + 1
    # The thread of the executor prints a traceback when a worker ends before it has put the cancelled cells away.
    while getattr(executor, "_cancel_pending_futures", False) and time.monotonic() < end:
        time.sleep(0.01)
    for worker in begun:
        if worker.pid is not None:
            worker.kill()
    for worker in begun:
        if worker.pid is not None:
            worker.join()


def _begin_worker() -> None:
    # Ctrl-C reaches every process of the terminal, but this process ends its workers itself, in its own order.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """End this worker with its parent. A worker whose parent was killed would otherwise wait for work forever."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


@contextlib.contextmanager
def cluster(address: str) -> Iterator[Executor]:
    """An executor of the workers of a Dask cluster for :func:`~sculpting.run`.

    When a worker is lost, the scheduler gives its cells to another. Every worker needs this library in the same version.

    Parameters
    ----------
    address : str
        Address of the scheduler, such as ``tcp://127.0.0.1:8786``.

    Raises
    ------
    ImportError
        When Dask is not installed.
    ValueError
        When no scheduler replies at this address.
    """
    try:
        from distributed import Client
    except ImportError as error:
        raise ImportError(f'a cluster needs Dask ({error}). Install it: pip install "neural-sculpting[cluster]"') from error
    _check_address(address)
    try:
        client = Client(address, timeout=PATIENCE, set_as_default=False)
    except (OSError, ValueError) as error:
        raise ValueError(f"{SCHEDULER}; got {address!r}: {error}") from error
    with client:
        # Not pure: the same cell submitted again must run again, not return what an earlier run left on the scheduler.
        yield client.get_executor(pure=False)


def _check_address(address: str) -> None:
    """Refuse an address at which nobody replies: the client of Dask would print errors of its own long after."""
    try:
        parts = urlsplit(address if "://" in address else f"tcp://{address}")
        if parts.scheme in ("tcp", "tls"):
            if parts.port is None:
                raise ValueError("it has no port")
            socket.create_connection((parts.hostname, parts.port), PATIENCE).close()
    except (OSError, ValueError) as error:
        raise ValueError(f"{SCHEDULER}; got {address!r}: {error}") from error
