"""Studies: a grid of cells over any executor, which goes on where it was stopped."""

from __future__ import annotations

import contextlib
import copy
import graphlib
import hashlib
import json
import warnings
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, Executor, Future, wait
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .progress import Progress, tqdm
from .store import Row, Store, table_bytes
from .surroundings import one_thread

__all__ = ["CellResult", "Progress", "Read", "Study", "run"]

IN_QUEUE = 2**31  # bytes of files that cells which were submitted may hold together

Read = Callable[[str], bytes | None]
Files = Mapping[str, bytes]


@dataclass(frozen=True)
class CellResult:
    """What a cell gives: its rows, and the files that it made.

    Attributes
    ----------
    rows : sequence of dict
        Of plain, finite values.
    files : mapping of str to bytes
        Safetensors or JSON, by names such as ``networks/small.safetensors``; the study's folder keeps them. A cell may run on another
        machine, so it writes no file there itself.
    """

    rows: Sequence[Row]
    files: Files = field(default_factory=dict)


@dataclass(frozen=True)
class Study:
    """A grid of cells, what computes one, and what is written about all.

    Attributes
    ----------
    cells : mapping of str to mapping
        The arguments of each cell, plain values, by its name.
    work : callable
        ``work(**arguments)`` gives the rows of a cell, a list of dicts of plain, finite values, or a :class:`CellResult`. Cells may run
        in other processes and on other machines: it must be a function that can be imported there, or a ``functools.partial`` of one.
    settings : mapping of str to plain values
        What all rows depend on beside the arguments; a folder that was made with others is refused.
    report : callable
        ``report(rows, read)`` gives files about all rows by their names, such as ``summary.md`` and pictures; ``read(name)`` is the
        content of a file that a cell made, None where there is none.
    needs : mapping of str to sequence of str
        For a cell the cells that it needs: it begins once they are done, and ``work`` gets their files, by name, as ``files``.
    table : callable
        The rows of ``rows.csv`` and ``rows.json``, from those of all cells; the same ones when left out.
    """

    cells: Mapping[str, Mapping[str, Any]]
    work: Callable[..., Sequence[Row] | CellResult]
    settings: Mapping[str, Any]
    report: Callable[[Sequence[Row], Read], Files]
    needs: Mapping[str, Sequence[str]] = field(default_factory=dict)
    table: Callable[[Sequence[Row]], Sequence[Row]] = list


def run(
    study: Study,
    folder: str | Path,
    *,
    executor: Executor | None = None,
    progress: Progress = True,
    others: bool = True,
    altered: bool = False,
) -> list[Row]:
    """Run the cells that the folder does not have yet, write tables and report, and return the rows.

    Each cell is stored as soon as it ends, so that a run which was killed goes on where it was, and gives the same rows. Cells begin in
    an order shuffled by their names, the same each time: where neighbours are alike in cost, the time left is then estimated fairly.
    Wherever a cell runs, it has one thread.

    Parameters
    ----------
    study : Study
    folder : str or Path
        New, empty, or of the same study. ``rows.csv``, ``rows.json`` and the files of the report are written there at the end.
    executor : concurrent.futures.Executor, optional
        Where cells are run: processes, a cluster, or any other. In this process, one after the other, when left out.
    progress : bool or callable
        A bar with the time left, nothing, or ``progress(cells done, cells in all)``.
    others : bool
        Whether rows of cells that an earlier run of this study left in the folder are included, by their names, at the end.
    altered : bool
        Take cells and files that were changed after they were written, which are refused otherwise. ``altered.json`` in the folder then
        names them and says what was found.

    Returns
    -------
    list of dict
        The rows of ``rows.csv``, cells in the order of ``study.cells``.

    Raises
    ------
    TypeError, ValueError
        Before any cell is run, when there are no cells, a cell needs itself or one that is not there, the folder is not of this study, or a
        stored cell is broken or was changed.
    OSError
        As soon as a cell cannot be stored: the disk is full, or the folder was deleted. Cells that are stored stay.
    RuntimeError
        Once all other cells are done and stored, when some failed; it names them, and is raised from the error of the first. Cells that
        need one of these are not run. Also when a worker of the executor ended before its cell was done.

    Warns
    -----
    UserWarning
        When cells were written by an earlier version, without a digest that would show a change; and when altered ones were taken.

    Examples
    --------
    >>> import tempfile
    >>> def square(x):
    ...     return [{"x": x, "square": x**2}]
    >>> squares = Study({"two": {"x": 2}, "three": {"x": 3}}, square, settings={}, report=lambda rows, read: {})
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     run(squares, folder, progress=False)
    [{'x': 2, 'square': 4}, {'x': 3, 'square': 9}]
    """
    _check(study)
    store = Store.open(folder, study.settings, altered=altered)
    found = {name: store.load(name, arguments) for name, arguments in study.cells.items()}
    rest = [row for name in sorted(store.names() - study.cells.keys()) for row in store.load(name) or []] if others else []
    left = _left(study, store, {name for name, rows in found.items() if rows is None})
    done = {name: rows for name, rows in found.items() if rows is not None and name not in left}
    _tell(store)
    failed: dict[str, Exception] = {}
    with _bar(progress, len(done), len(found)) as show, contextlib.closing(_results(study, store, left, done, executor)) as results:
        for name, result in results:
            try:
                made = result()
            except Exception as error:
                failed[name] = error
            else:
                _keep(study, store, name, made, done, failed)
            show(len(done), len(failed))
    if failed:
        raise _failure(failed, len(done), len(found)) from next(iter(failed.values()))
    return _write(study, store, [row for name in study.cells for row in done[name]] + rest)


def _tell(store: Store) -> None:
    """Say which stored cells are taken although they were changed, or could have been without anyone seeing it."""
    if store.marks:
        warnings.warn(f"taken although changed after they were written: {', '.join(sorted(store.marks))}", stacklevel=3)
    if store.silent:
        warnings.warn(
            f"{len(store.silent)} cells of {store.folder} were written by an earlier version, without a digest: a change would not be seen",
            stacklevel=3,
        )


def _keep(study: Study, store: Store, name: str, made: CellResult, done: dict[str, list[Row]], failed: dict[str, Exception]) -> None:
    """Store a cell. What is wrong with its rows is its own failure; a disk on which it cannot be kept would lose all others too."""
    try:
        done[name] = store.save(name, study.cells[name], made.rows, made.files)
    except OSError as error:
        raise OSError(
            f"cell {name} could not be stored: {error}. {len(done)} of {len(study.cells)} cells are stored; mend this and start again to "
            "run only those that are missing"
        ) from error
    except Exception as error:
        failed[name] = error


def _check(study: Study) -> None:
    if not study.cells:
        raise ValueError("cells must be at least one; got none")
    for name, needed in study.needs.items():
        if missing := [other for other in needed if other not in study.cells]:
            raise ValueError(f"cell {name} must need cells of its study; got {', '.join(missing)}")
    try:
        graphlib.TopologicalSorter(study.needs).prepare()
    except graphlib.CycleError as error:
        raise ValueError(f"cells must not need each other in a circle; got {' -> '.join(error.args[1])}") from error


def _left(study: Study, store: Store, missing: set[str]) -> list[str]:
    """The cells to run, shuffled: those that are missing, and those that they need and whose files are gone."""
    left = sorted(missing, key=_shuffled)
    for name in left:
        left += [other for other in study.needs.get(name, ()) if other not in left and store.made(other) is None]
    return left


def _shuffled(name: str) -> bytes:
    return hashlib.sha256(name.encode()).digest()


def _results(
    study: Study, store: Store, left: Sequence[str], done: Mapping[str, Any], executor: Executor | None
) -> Generator[tuple[str, Callable[[], CellResult]]]:
    """Each cell with a function that returns its result, or raises; closing it cancels what has not begun.

    ``done`` has the cells that are stored, and grows.
    """
    waiting, running, held = list(left), dict[Future[CellResult], str](), dict[Future[CellResult], int]()
    try:
        while waiting or running:
            for name in [name for name in waiting if all(other in done for other in study.needs.get(name, ()))]:
                if running and (executor is None or sum(held.values()) > IN_QUEUE):
                    break
                files = _files(study, store, name)
                future = _begun(executor, study, name, files)
                running[future], held[future] = name, sum(map(len, (files or {}).values()))
                waiting.remove(name)
            if not running:
                return  # what waits needs a cell that failed
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                held.pop(future)
                yield running.pop(future), future.result
    finally:
        for future in running:
            future.cancel()


def _files(study: Study, store: Store, name: str) -> dict[str, bytes] | None:
    """The files of the cells that a cell needs; None where it needs none."""
    if name not in study.needs:
        return None
    return {file: store.read(file) or b"" for other in study.needs[name] for file in store.made(other) or ()}


def _begun(executor: Executor | None, study: Study, name: str, files: Files | None) -> Future[CellResult]:
    arguments = copy.deepcopy(dict(study.cells[name]))  # work may change what it is given
    future: Future[CellResult] = Future()
    try:
        if executor is not None:
            return executor.submit(run_cell, study.work, arguments, files)
        future.set_result(run_cell(study.work, arguments, files))
    except Exception as error:
        future.set_exception(error)
    return future


def run_cell(work: Callable[..., Sequence[Row] | CellResult], arguments: Mapping[str, Any], files: Files | None) -> CellResult:
    """What a cell gives, computed here on one thread; how many torch had before, it has again afterwards."""
    with one_thread():
        result = work(**arguments) if files is None else work(**arguments, files=files)
        return result if isinstance(result, CellResult) else CellResult(result)


def _write(study: Study, store: Store, rows: Sequence[Row]) -> list[Row]:
    table = list(study.table(rows))
    for suffix in (".csv", ".json"):
        store.write(f"rows{suffix}", table_bytes(table, suffix))
    for name, content in study.report(rows, store.read).items():
        store.write(name, content)
    if store.marks:
        store.write("altered.json", f"{json.dumps(store.marks, indent=1, sort_keys=True)}\n".encode())
    else:
        store.delete("altered.json")
    return table


def _failure(failed: Mapping[str, Exception], stored: int, total: int) -> RuntimeError:
    again = f"{stored} of {total} cells are stored; start again to run only those that are missing"
    if any(isinstance(error, BrokenExecutor) for error in failed.values()):
        return RuntimeError(f"a worker ended before its cell was done: it was killed, or the machine has too little memory. {again}")
    name, error = next(iter(failed.items()))
    also = f" (also {', '.join([*failed][1:4])}{' and more' * (len(failed) > 4)})" if len(failed) > 1 else ""
    return RuntimeError(f"cell {name} failed: {type(error).__name__}: {error}{also}. {again}")


@contextlib.contextmanager
def _bar(progress: Progress, stored: int, total: int) -> Iterator[Callable[[int, int], None]]:
    """A function to call with the cells that are done and those that failed."""
    # The mean over all cells so far: the latest ones alone say little where costs differ many times over.
    with tqdm(total=total, initial=stored, desc="study", unit="cell", smoothing=0, disable=progress is not True) as bar:

        def show(done: int, failed: int) -> None:
            if failed:
                bar.set_postfix(failed=failed, refresh=False)
            bar.update(done + failed - bar.n)
            if callable(progress):
                progress(done, total)

        if callable(progress):
            progress(stored, total)
        yield show
