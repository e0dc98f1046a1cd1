"""The published Boolean study, by the one default setting and one rule for all tasks."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ...store import Row, write_rows
from ...study import Progress, run_study, workers
from ...tasks import boolean, boolean_tasks
from ..common.answers import SEEDS, Question, answer_cell, cell_name, settings_of

__all__ = ["boolean_study", "shapes", "study_hours", "task_keys"]

RULES = ("consensus", "sparsest")


def boolean_study(
    folder: str | Path,
    *,
    tasks: Sequence[str | Sequence[int]] | None = None,
    groups: int = 4,
    jobs: int = 1,
    progress: Progress = True,
) -> list[Row]:
    """The rows of the Boolean study; it goes on where a run with the same folder was stopped.

    Every published task is sculpted in three widths and three depths, four seeds a group, all groups side by side in one population.
    Each group gives an answer by the consensus of its candidates; beside it stand the sparsest candidate of the group, and both rules
    for each single seed.

    Parameters
    ----------
    folder : str or Path
        Where cells are kept, and where ``rows.csv``, ``rows.json``, ``summary.md`` and the figures are written.
    tasks : sequence of names, optional
        Only these tasks, by what ``tasks.boolean`` takes; all 38 when left out.
    groups : int
        Disjoint groups of four seeds: 0-3, 4-7, ...
    jobs : int
        Processes, each on one thread. A script that asks for several needs ``if __name__ == "__main__":``.
    progress : bool or callable
        A bar by cell with the time left, nothing, or ``progress(cells done, cells in all)``.

    Returns
    -------
    list of dict
        Of all cells that the folder has, those that earlier calls asked for last.
        Ten rows a cell and group. ``task``, ``use`` (outputs that copy one function), ``overlap`` (inputs that both functions read, or
        None), ``width``, ``depth`` (hidden layers), ``seeds`` (4 or 1), ``seed`` (the first), ``rule``; of the network that was chosen
        ``density`` in [0, 1], ``edges``, ``units``, ``accuracy``, and ``support`` of a consensus, all None but the accuracy where
        nothing was accepted; as bool ``inputs_right``, ``outputs_right`` (the grouping of the truth), ``hidden_right`` (every hidden
        layer has units of the two modules that hold outputs and of no other), ``modules_right`` (every module of the truth and nothing
        else), ``exact`` (and connected alike), ``valid`` (or another valid decomposition); ``seconds`` (the cell's, times the row's
        share of the seeds).

    Raises
    ------
    ValueError
        When a task is not known, ``groups`` or ``jobs`` is below 1, or the folder holds something else or a study with other settings.
    RuntimeError
        Once all other cells are done, when some failed.
    """
    from .report import write_boolean_report

    cells = _cells(task_keys(tasks), groups)
    with workers(jobs) as executor:
        rows = run_study(cells, boolean_cell, folder, settings=settings_of(groups), executor=executor, progress=progress, others=True)
    for name in ("rows.csv", "rows.json"):
        write_rows(rows, Path(folder) / name)
    write_boolean_report(rows, Path(folder))
    return rows


def study_hours(rows: Sequence[Row]) -> float:
    """What the cells of a study cost in all, in hours of one core."""
    return float(sum(row["seconds"] for row in rows if row["rule"] == "consensus" and row["seeds"] == SEEDS)) / 3600


def shapes(task: Sequence[int]) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The widths and the depths that the published study has for a task.

    Examples
    --------
    >>> shapes([4, 2, 4]), shapes([8, 2, 1, 2, 4])
    (((24, 36, 48), (1, 2, 3)), ((36, 48, 60), (2, 3, 4)))
    """
    hierarchy = tuple(task[:-1]) == (8, 2, 1, 2)
    return ((36, 48, 60), (2, 3, 4)) if hierarchy else ((24, 36, 48), (1, 2, 3))


def boolean_cell(task: Sequence[int], width: int, depth: int, groups: int) -> list[Row]:
    """For each group of four seeds, and then for each seed alone, the answers of both rules."""
    parts = [range(first, first + size) for size in (SEEDS, 1) for first in range(0, SEEDS * groups, size)]
    return answer_cell(task, width, depth, groups, [Question(seeds, rule) for seeds in parts for rule in RULES], {})


def task_keys(tasks: Sequence[str | Sequence[int]] | None = None) -> list[tuple[int, ...]]:
    """The lists that name some of the published tasks, or all, in the order of ``boolean_tasks``."""
    names = None if tasks is None else {boolean(task).name for task in tasks}
    return [key for key in boolean_tasks() if names is None or str(list(key)) in names]


def _cells(keys: Sequence[tuple[int, ...]], groups: int) -> dict[str, dict[str, Any]]:
    return {
        cell_name(key, width, depth): {"task": key, "width": width, "depth": depth, "groups": groups}
        for key in keys
        for depth in shapes(key)[1]
        for width in shapes(key)[0]
    }
