"""The study of convolutional networks in words and pictures."""

from __future__ import annotations

from collections.abc import Sequence

from ...store import Row
from ...study import Read
from ..common.module_reports import draw_cell, summary_of
from .cells import SCHEDULES, TASKS

__all__ = ["convolution_report"]


def convolution_report(rows: Sequence[Row], read: Read) -> dict[str, bytes]:
    """``summary.md``, and a picture for each task and schedule."""
    kinds = [(f"{task}, {schedule}", {"task": task, "schedule": schedule}) for task in TASKS for schedule in SCHEDULES]
    files = {"summary.md": summary_of("Convolutional networks with a truth", rows, kinds).encode()}
    for _, facts in kinds:
        name = f"{facts['task']}_{facts['schedule'].replace(' ', '-')}"
        picture = draw_cell(rows, facts, f"{name}_seed{{}}", read)
        if picture is not None:
            files[f"{name}.svg"] = picture
    return files
