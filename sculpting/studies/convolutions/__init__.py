"""Convolutional networks with a truth: do the channels of two colours stay apart?"""

from __future__ import annotations

from functools import partial

from ...study import Study
from ..common.command import Command, groups
from ..common.module_cells import settings_of_modules
from ..common.sampled import key_of_study
from .cells import SCHEDULES, TASKS, cells_of, convolution_cell
from .report import convolution_report

__all__ = ["COMMAND", "study"]

GROUPS = 4


def study(groups: int = GROUPS) -> Study:
    """The study of convolutional networks.

    Two digits of scikit-learn's as two channels of one image: both named, and the XOR of their bits. Edges are pruned alone, or units
    first. A cell is four seeds; every group of seeds has images of its own.

    Parameters
    ----------
    groups : int
        Groups of four seeds for each task and schedule.

    Returns
    -------
    Study
        Ten rows a cell: ``task``, ``schedule``, and what the study of transformers has of two sums. Accuracies are on test rows.
    """
    made = {name: make(pairs=100, validation=100, test=100) for name, (make, _) in TASKS.items()}
    settings = settings_of_modules(made, [*SCHEDULES], groups)
    return Study(cells_of(groups), partial(convolution_cell, study=key_of_study(settings)), settings, convolution_report)


COMMAND = Command(study, "convolutional networks with a truth: two digits as two channels", groups(GROUPS))
