"""Where the cells of a study run: processes of this machine, or a Dask cluster."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import threading
from collections.abc import Iterator
from concurrent.futures import Executor, ProcessPoolExecutor

__all__ = ["cluster", "workers"]

PATIENCE = 10  # seconds that the scheduler has to reply


@contextlib.contextmanager
def workers(jobs: int) -> Iterator[Executor | None]:
    """An executor with ``jobs`` processes for :func:`~sculpting.run`; None for one job, which then runs in this process.

    The processes start with a fresh interpreter, so a script with several jobs needs ``if __name__ == "__main__":``. They end with this
    process, however it ends.

    Raises
    ------
    ValueError
        When ``jobs`` is not a whole number of at least 1.

    Examples
    --------
    >>> with workers(1) as executor:
    ...     executor is None
    True
    """
    if not isinstance(jobs, int) or jobs < 1:
        raise ValueError(f"jobs must be a whole number of processes, at least 1; got {jobs!r}")
    if jobs == 1:
        yield None
        return
    with ProcessPoolExecutor(jobs, multiprocessing.get_context("spawn"), _begin_worker) as executor:
        yield executor


def _begin_worker() -> None:
    # Ctrl-C reaches every process of the terminal; without this, workers would continue with the cells in their queue.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
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
        raise ImportError(f"a cluster needs Dask ({error}); in a clone of this library, pip install '.[cluster]'") from error
    try:
        client = Client(address, timeout=PATIENCE, set_as_default=False)
    except (OSError, ValueError) as error:
        raise ValueError(
            f"cluster must be the address of a Dask scheduler, such as tcp://127.0.0.1:8786; got {address!r}: {error}"
        ) from error
    with client:
        # Not pure: the same cell submitted again must run again, not return what an earlier run left on the scheduler.
        yield client.get_executor(pure=False)
