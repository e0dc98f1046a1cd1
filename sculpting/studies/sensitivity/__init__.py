"""How much success depends on each setting."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from ...study import Study
from ..common.command import CANDIDATES, Command
from ..common.command import groups as option
from ..common.settings import settings_of
from .cells import FIRST_SEED, TASKS, cells_of, ordered, sensitivity_cell
from .report import sensitivity_report

__all__ = ["COMMAND", "study"]


def study(groups: int = 3, candidates: str | Path | None = None) -> Study:
    """The sensitivity study: one setting is changed at a time.

    On each of eight tasks that the default setting gets right in half to nine tenths of the seeds, these are changed: the activation of
    the hidden units; the learning rate, its fraction at the end of a round, and whether it falls with the width; the steps a round, the
    noise on inputs and on hidden units; the score that edges are pruned by, how many units and edges are tried in turn, a single unit
    step or edge step in place of the grid; and of the detector and the consensus, for which the candidates of the default are read again,
    the method, the merge threshold, the halving of the votes, and the costs of a unit and of a level.

    Parameters
    ----------
    groups : int
        Disjoint groups of four seeds: 16-19, 20-23, ...; the seeds before them chose the tasks.
    candidates : str or Path, optional
        The folder of a study of sensitivity whose candidates are judged again, where it has those of a cell; others are trained.

    Returns
    -------
    Study
        A row for each point (the default, or a ``value`` of a ``parameter``), task and group of four seeds, and for each seed alone:
        ``parameter``, ``value`` (None for the default, and for a rate that holds at every width), ``task``,
        ``width``, ``depth`` (hidden layers), ``seeds`` (4 or 1), ``seed`` (the first), ``rule`` (the consensus); of the selected network
        ``density`` in [0, 1], ``edges``, ``units``, ``accuracy`` and ``support``; ``verdict`` and ``score`` of
        :func:`~analysis.compare`, ``exact`` and ``valid`` as bool; ``seconds`` (of sculpting, times the row's share of the seeds).

    Raises
    ------
    ValueError
        When ``groups`` is below 1.
    """
    work = partial(sensitivity_cell, candidates=None if candidates is None else str(candidates))
    settings = {**settings_of(groups), "first_seed": FIRST_SEED, "tasks": list(TASKS)}
    return Study(cells_of(groups), work, settings, sensitivity_report, table=ordered)


COMMAND = Command(study, "success on eight tasks with one setting changed at a time around the default", {**option(3), **CANDIDATES})
