"""How much success depends on each setting."""

from __future__ import annotations

from ...study import Study
from ..common.command import Command, groups
from ..common.settings import PUBLISHED, settings_of
from .cells import cells_of, ordered, sensitivity_cell
from .report import sensitivity_report

__all__ = ["COMMAND", "study"]


def study(groups: int = 1) -> Study:
    """The sensitivity study: one setting is changed at a time.

    On each of the six tasks on which the default setting was chosen, in the middle width and the middle depth, these are changed: the
    activation of the hidden units; the learning rate, its fraction at the end of a round, and the width from which it falls; the steps a
    round, the noise on inputs and on hidden units, the weight decay, the rounds of dense training, the score that edges are pruned by,
    how many units and edges are tried in turn, a single unit step or edge step in place of the grid; and the merge threshold of the
    detector, the halving of the votes and the cost of a unit there, for which the candidates of the default are read again.

    Parameters
    ----------
    groups : int
        Disjoint groups of four seeds: 0-3, 4-7, ...

    Returns
    -------
    Study
        A row for each parameter, value, task and group: ``parameter``, ``value`` (None for the default grid of steps, for steps a round by
        the size of the table, and for a rate that holds at every width), ``is_default``, and the columns of
        :func:`sculpting.studies.boolean.study`, for the consensus of four seeds.

    Raises
    ------
    ValueError
        When ``groups`` is below 1.
    """
    settings = settings_of(groups, **PUBLISHED)
    return Study(cells_of(groups), sensitivity_cell, settings, sensitivity_report, table=ordered)


COMMAND = Command(study, "success on six tasks with one setting changed at a time around the default", groups(1))
