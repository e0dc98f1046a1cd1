"""The published Boolean study, by the one default setting and one rule for all tasks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from ...study import Study
from ..common.command import CANDIDATES, CHANGED, Command
from ..common.command import groups as option
from ..common.reporting import with_changed
from ..common.settings import PUBLISHED, settings_of
from .cells import boolean_cell, cells_of, task_keys
from .report import boolean_report

__all__ = ["COMMAND", "study"]


def study(
    tasks: Sequence[str | Sequence[int]] | None = None,
    groups: int = 4,
    candidates: str | Path | None = None,
    changed: Mapping[str, Any] | Iterable[tuple[str, Any]] = (),
) -> Study:
    """The Boolean study.

    Every published task is sculpted in three widths and three depths, four seeds a group, all groups side by side in one population.
    The result of a group is the consensus of its candidates; beside it stand the sparsest candidate of the group, and both rules for
    each single seed.

    Parameters
    ----------
    tasks : sequence of names, optional
        Only these tasks, by what ``tasks.boolean`` takes; all 38 when left out.
    groups : int
        Disjoint groups of four seeds: 0-3, 4-7, ...
    candidates : str or Path, optional
        The folder of a Boolean study whose candidates are judged again, where it has those of a cell; others are trained.
    changed : mapping, or pairs of a name and a value, optional
        Settings of ``sculpt`` other than the default, such as ``{"unit_tries": 1}``. Such a study needs a folder of its own.

    Returns
    -------
    Study
        Ten rows a cell and group. ``task``, ``use`` (outputs that copy one function), ``overlap`` (inputs that both functions read, or
        None), ``width``, ``depth`` (hidden layers), ``seeds`` (4 or 1), ``seed`` (the first), ``rule``; of the selected network
        ``density`` in [0, 1], ``edges``, ``units``, ``accuracy``, and ``support`` of a consensus, all None but the accuracy where no
        candidate was accepted; as bool ``inputs_right``, ``outputs_right`` (the grouping of the truth), ``hidden_right`` (every hidden
        layer has units of the two modules that hold outputs and of no other), ``modules_right`` (every module of the truth and nothing
        else), ``exact`` (and connected alike), ``valid`` (or another valid decomposition); ``seconds`` (the cell's, times the row's
        share of the seeds).

    Raises
    ------
    TypeError
        When a name in ``changed`` is no setting.
    ValueError
        When a task is not known, ``groups`` is below 1, or a value in ``changed`` is out of range.
    """
    other = dict(changed)
    settings = settings_of(groups, other, **PUBLISHED)
    work = partial(boolean_cell, candidates=None if candidates is None else str(candidates), changed=other)
    return Study(cells_of(task_keys(tasks), groups), work, settings, with_changed(boolean_report, other))


COMMAND = Command(
    study,
    "the published Boolean study by the one default setting, beside the published rates",
    {
        "--tasks": {"nargs": "+", "metavar": "TASK", "help": "only these, such as both 4,1,2,16 (default: all that are published)"},
        **option(4),
        **CANDIDATES,
        **CHANGED,
    },
)
