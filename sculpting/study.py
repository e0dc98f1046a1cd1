"""Studies: a grid of cells over any executor, which goes on where it was stopped."""

from __future__ import annotations

import contextlib
import copy
import hashlib
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor, as_completed
from functools import partial
from pathlib import Path
from typing import Any

import torch
from tqdm import tqdm

from .store import Row, Store

__all__ = ["run_study", "workers"]

Progress = bool | Callable[[int, int], None]
Cells = Mapping[str, Mapping[str, Any]]
Work = Callable[..., Sequence[Row]]


def run_study(
    cells: Cells,
    work: Work,
    folder: str | Path,
    *,
    settings: Mapping[str, Any],
    executor: Executor | None = None,
    progress: Progress = True,
    others: bool = False,
) -> list[Row]:
    """The rows of all cells, in the order of the cells; a cell that the folder already has is not run again.

    Each cell is stored as soon as it ends, so that a run which was killed goes on where it was, and gives the same rows. Cells are begun
    in an order shuffled by their names, the same each time: where neighbours are alike in cost, the time left is then estimated fairly.

    Parameters
    ----------
    cells : mapping of str to mapping
        The arguments of each cell, plain values, by its name.
    work : callable
        ``work(**arguments)`` gives the rows of a cell: a list of dicts of plain, finite values.
    folder : str or Path
        New, empty, or of the same study.
    settings : mapping of str to plain values
        What all rows depend on beside the arguments; a folder that was made with others is refused.
    executor : concurrent.futures.Executor, optional
        Where cells are run, such as what :func:`workers` gives; in this process, one after the other, when left out.
    progress : bool or callable
        A bar with the time left, nothing, or ``progress(cells done, cells in all)``.
    others : bool
        Whether to hand over also the rows of cells of this study that an earlier call left in the folder, by their names, at the end.

    Raises
    ------
    TypeError, ValueError
        Before any cell is run, when there are no cells, the folder is not of this study, or a stored cell is broken.
    RuntimeError
        Once all other cells are done and stored, when some failed; it names them, and is raised from the error of the first.

    Examples
    --------
    >>> import tempfile
    >>> def square(x):
    ...     return [{"x": x, "square": x**2}]
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     run_study({"two": {"x": 2}, "three": {"x": 3}}, square, folder, settings={}, progress=False)
    [{'x': 2, 'square': 4}, {'x': 3, 'square': 9}]
    """
    if not cells:
        raise ValueError("cells must be at least one; got none")
    store, given = Store.open(folder, settings), copy.deepcopy(dict(cells))  # work may change what it is given
    found = {name: store.load(name, arguments) for name, arguments in cells.items()}
    rows = {name: kept for name, kept in found.items() if kept is not None}
    rest = [row for name in sorted(store.names() - cells.keys()) for row in store.load(name) or []] if others else []
    left = {name: cells[name] for name in sorted(cells.keys() - rows.keys(), key=_shuffled)}
    failed: dict[str, Exception] = {}
    with _bar(progress, len(rows), len(cells)) as tell, contextlib.closing(_outcomes(left, work, executor)) as outcomes:
        for name, outcome in outcomes:
            try:
                rows[name] = store.save(name, given[name], outcome())
            except Exception as error:
                failed[name] = error
            tell(len(rows), len(failed))
    if failed:
        raise _failure(failed, len(cells)) from next(iter(failed.values()))
    return [row for name in cells for row in rows[name]] + rest


def _shuffled(name: str) -> bytes:
    return hashlib.sha256(name.encode()).digest()


def _outcomes(cells: Cells, work: Work, executor: Executor | None) -> Generator[tuple[str, Callable[[], Sequence[Row]]]]:
    """Each cell with a function that gives its rows, or raises; closing it cancels what has not begun."""
    if executor is None:
        yield from ((name, partial(work, **arguments)) for name, arguments in cells.items())
        return
    futures = {executor.submit(work, **arguments): name for name, arguments in cells.items()}
    try:
        yield from ((futures[future], future.result) for future in as_completed(futures))
    finally:
        for future in futures:
            future.cancel()


def _failure(failed: Mapping[str, Exception], total: int) -> RuntimeError:
    name, error = next(iter(failed.items()))
    others = f" (also {', '.join([*failed][1:4])}{' and more' * (len(failed) > 4)})" if len(failed) > 1 else ""
    return RuntimeError(
        f"cell {name} failed: {type(error).__name__}: {error}{others}. {total - len(failed)} of {total} cells are stored; "
        "start again to run only those that are missing"
    )


@contextlib.contextmanager
def _bar(progress: Progress, stored: int, total: int) -> Iterator[Callable[[int, int], None]]:
    """A function to tell of cells that are done and that failed."""
    # The mean over all cells so far: the latest ones alone say little where costs differ many times over.
    with tqdm(total=total, initial=stored, desc="study", unit="cell", smoothing=0, disable=progress is not True) as bar:

        def tell(done: int, failed: int) -> None:
            if failed:
                bar.set_postfix(failed=failed, refresh=False)
            bar.update(done + failed - bar.n)
            if callable(progress):
                progress(done, total)

        if callable(progress):
            progress(stored, total)
        yield tell


@contextlib.contextmanager
def workers(jobs: int) -> Iterator[Executor | None]:
    """An executor of so many processes for :func:`run_study`, each on one thread; for one job None, and one thread in this process.

    The processes are started afresh, so a script that asks for several needs ``if __name__ == "__main__":``. They end with this
    process, however it ends.

    Raises
    ------
    ValueError
        When ``jobs`` is not a whole number of at least 1.

    Examples
    --------
    >>> with workers(1) as executor:
    ...     executor is None, torch.get_num_threads()
    (True, 1)
    """
    if not isinstance(jobs, int) or jobs < 1:
        raise ValueError(f"jobs must be a whole number of processes, at least 1; got {jobs!r}")
    if jobs > 1:
        with ProcessPoolExecutor(jobs, multiprocessing.get_context("spawn"), _begin_worker) as executor:
            yield executor
        return
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield None
    finally:
        torch.set_num_threads(before)


def _begin_worker() -> None:
    torch.set_num_threads(1)
    # Ctrl-C reaches every process of the terminal; without this, workers would go on with the cells that wait in their queue.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """A worker whose parent was killed would wait for work for ever."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
