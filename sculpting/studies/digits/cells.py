"""The study of two digits side by side: naming both, and the XOR of their bits."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import networkx as nx

from ...sculptor import SculptResult
from ...store import Row
from ...study import Progress
from ...tasks import Task, mnist_pair, mnist_xor
from ..common.answers import IMAGE_THRESHOLD, accuracies_on_test
from ..common.sampled import Answer, answer_sampled, network_path, run_sampled, settings_of_sampled
from .bits import bit_columns

__all__ = ["DEPTHS", "cell_of", "mnist_cell", "mnist_study", "widths_of"]

DEPTHS = {"mnist-pair": (2, 3), "mnist-xor": (4, 5)}  # hidden layers that show every module of the truth
MAKERS = {"mnist-pair": mnist_pair, "mnist-xor": mnist_xor}
FULL = 28  # size from which on one width is enough of a cost
COUNTS = ("pixels_read", "modules", "input_modules", "output_modules", "middle_modules")
VERDICTS = ("sides_apart", "inputs_right", "outputs_right", "modules_right", "exact")
OF_BITS = ("bit_share", "bits_separate", "one_output")


def mnist_study(
    folder: str | Path,
    *,
    tasks: Sequence[str] | None = None,
    sizes: Sequence[int] = (14,),
    source: str = "mnist",
    data_dir: str | Path | None = None,
    jobs: int = 1,
    progress: Progress = True,
) -> list[Row]:
    """The rows of the study of two digits; it goes on where a run with the same folder was stopped, also within a cell.

    Two digits are named by networks of 2 and 3 hidden layers, the XOR of their bits by ones of 4 and 5; of a quarter of the pixels in
    width and, below size 28, of half of them too. A cell is four seeds, sculpted in one population. The answers are the consensus of all
    four and of each seed alone, and beside each the sparsest candidate.

    Parameters
    ----------
    folder : str or Path
        Where cells, networks and checkpoints are kept, and where ``rows.csv``, ``rows.json``, ``summary.md``, the figure ``success`` and
        a picture of each task and depth are written.
    tasks : sequence of {"mnist-pair", "mnist-xor"}, optional
        Only these.
    sizes : sequence of int
        Pixels of a side of one digit: 14, 28 or both.
    source, data_dir
        Where the images come from: see :func:`~sculpting.tasks.mnist_pair`. A folder is of one source.
    jobs : int
        Processes, each on one thread. A script that asks for several needs ``if __name__ == "__main__":``.
    progress : bool or callable
        A bar by cell with the time left, nothing, or ``progress(cells done, cells in all)``.

    Returns
    -------
    list of dict
        Of all cells that the folder has, those that earlier calls asked for last.
        Ten rows a cell. ``task``, ``size``, ``width``, ``depth``, ``seeds`` (4 or 1), ``seed`` (the first), ``rule``; of the network that
        was chosen ``density`` in [0, 1], ``edges``, ``units``, ``pixels_read``; of its modules the numbers ``modules``,
        ``input_modules``, ``output_modules`` and ``middle_modules`` (with neither pixels nor outputs); as bool ``sides_apart`` (pixels of
        both digits are read, and no module holds some of both), ``inputs_right`` and ``outputs_right`` (grouped as in the truth; outputs
        that nothing leads to are not right), ``modules_right`` (every module of the truth and nothing else), ``exact`` (and connected
        alike); for the XOR the columns of
        :func:`~sculpting.studies.digits.bits.bit_columns`; ``validation_accuracy``, ``test_accuracy`` and ``dense_test_accuracy`` (of the
        dense networks of the same seeds, their mean), fractions of bits; ``support`` of a consensus; ``seconds`` (the cell's, times the
        row's share of the seeds). Where nothing was accepted, verdicts are False and the rest is None.

    Raises
    ------
    ValueError, FileNotFoundError
        When a task, a size, the source or the images do not fit, ``jobs`` is below 1, or the folder holds something else or a study
        with other settings.
    RuntimeError
        Once all other cells are done, when some failed.
    """
    from .report import write_mnist_report

    tasks = tuple(DEPTHS) if tasks is None else tasks
    if not set(tasks) <= set(DEPTHS):
        raise ValueError(f"tasks must be some of {', '.join(DEPTHS)}; got {', '.join(tasks)}")
    for size in sizes:
        mnist_pair(size=size, source=source, data_dir=data_dir, pairs=100, validation=100, test=100)  # refuses what does not fit
    settings = {**settings_of_sampled(MAKERS, merge_threshold=IMAGE_THRESHOLD), "source": source}
    cells = {cell_of(**shape): shape for size in sizes for shape in _shapes(size) if shape["task"] in tasks}
    work = partial(mnist_cell, source=source, data_dir=data_dir)
    rows = run_sampled(cells, work, folder, settings, jobs, progress)
    write_mnist_report(rows, Path(folder))
    return rows


def widths_of(size: int) -> tuple[int, ...]:
    """The widths for images of two digits of so many pixels a side.

    Examples
    --------
    >>> widths_of(14), widths_of(28)
    ((98, 196), (392,))
    """
    pixels = 2 * size * size
    return (pixels // 4,) if size >= FULL else (pixels // 4, pixels // 2)


def cell_of(task: str, size: int, width: int, depth: int) -> str:
    """The name of a cell, such as ``mnist-pair_size14_width98_depth2``."""
    return f"{task}_size{size}_width{width}_depth{depth}"


def _shapes(size: int) -> list[dict[str, Any]]:
    return [
        {"task": task, "size": size, "width": width, "depth": depth}
        for task, depths in DEPTHS.items()
        for depth in depths
        for width in widths_of(size)
    ]


def mnist_cell(
    task: str, size: int, width: int, depth: int, *, source: str, folder: str | Path, data_dir: str | Path | None = None
) -> list[Row]:
    """The rows of one cell."""
    known = MAKERS[task](size=size, source=source, data_dir=data_dir)
    path = network_path(folder, cell_of(task, size, width, depth))
    describe = partial(_columns, known, known.truth(hidden_layers=depth))
    facts = {"task": task, "size": size, "width": width, "depth": depth}
    return [{**facts, **row} for row in answer_sampled(known, width, depth, path, describe, merge_threshold=IMAGE_THRESHOLD)]


def _columns(task: Task, truth: nx.DiGraph, result: SculptResult, answer: Answer) -> Row:
    dense = [network for network in result.dense if network.origin["seed"] in answer.seeds]
    if answer.found is None:
        of_network: Row = {**dict.fromkeys(COUNTS), **dict.fromkeys(VERDICTS, False), **dict.fromkeys(OF_BITS)}
        sparse: Row = {"validation_accuracy": None, "test_accuracy": None}
    else:
        of_network = {**_counts(answer.found), **_verdicts(answer.found, truth, task), **_bits(answer.found, task)}
        network = answer.found.network
        sparse = {"validation_accuracy": network.accuracy, "test_accuracy": accuracies_on_test([network], task)[0]}
    tested = accuracies_on_test(dense, task)
    return {**of_network, **sparse, "dense_test_accuracy": sum(tested) / len(tested)}


def _counts(found: Any) -> Row:
    inputs, outputs = (sum(bool(ends) for ends in side) for side in zip(*((m.inputs, m.outputs) for m in found.modules), strict=True))
    middle = sum(not (module.inputs or module.outputs) for module in found.modules)
    return dict(zip(COUNTS, (found.network.unit_counts[0], len(found.modules), inputs, outputs, middle), strict=True))


def _verdicts(found: Any, truth: nx.DiGraph, task: Task) -> Row:
    from analysis import compare

    assert task.image is not None
    told, columns = compare(found, truth), task.image[1]
    sides = [{2 * (pixel % columns) < columns for pixel in module.inputs} for module in found.modules]
    apart = len(set().union(*sides)) == 2 and all(len(held) < 2 for held in sides)
    outputs = told.outputs.exact and bool((found.graph.weights[-1] != 0)[found.labels[-2] >= 0].any(axis=0).all())
    return dict(zip(VERDICTS, (apart, told.inputs.exact, outputs, told.exact, told.connected), strict=True))


def _bits(found: Any, task: Task) -> Row:
    if task.name != "mnist-xor":
        return dict.fromkeys(OF_BITS)
    assert task.x_test is not None
    assert task.labels_test is not None
    return bit_columns(found.graph, task.x_test.numpy(), task.labels_test.numpy())
