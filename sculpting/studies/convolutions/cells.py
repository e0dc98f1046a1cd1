"""The cells of the study of convolutional networks: two digits as two channels of one image."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from ...study import CellResult
from ...tasks import Task, colour_digits, colour_xor
from ..common.module_cells import module_cell
from ..common.settings import SEEDS

__all__ = ["SCHEDULES", "TASKS", "cells_of", "convolution_cell"]

TASKS: Mapping[str, tuple[Callable[..., Task], int]] = {"colour-digits": (colour_digits, 2), "colour-xor": (colour_xor, 1)}
# What is pruned: edges alone, as the task has it, or units first.
SCHEDULES: Mapping[str, Mapping[str, Any]] = {"edges": {}, "units first": {"unit_steps": (0.3,)}}


def cells_of(groups: int) -> dict[str, dict[str, Any]]:
    """The arguments of the cells, by their names; ``groups`` of four seeds for each task and schedule."""
    return {
        f"{task}_{schedule.replace(' ', '-')}_seed{first}": {"task": task, "schedule": schedule, "first": first}
        for first in range(0, groups * SEEDS, SEEDS)
        for task in TASKS
        for schedule in SCHEDULES
    }


def convolution_cell(task: str, schedule: str, first: int, *, study: str) -> CellResult:
    """The rows of one cell, and the network that the consensus of its seeds selects. Each group of seeds has images of its own."""
    make, groups = TASKS[task]
    given = make(seed=first // SEEDS)
    given = replace(given, schedule=replace(given.schedule, **SCHEDULES[schedule]))
    name = f"{task}_{schedule.replace(' ', '-')}_seed{first}"
    return module_cell(given, given.model(), groups, first, name, study, {"task": task, "schedule": schedule})
