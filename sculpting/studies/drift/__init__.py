"""Tasks that change: whether the part that changed is found, and what of the rest is kept."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from ...resculpting.growth import MANY
from ...resculpting.search import ROUNDS
from ...study import Study
from ...tasks.mnist import PAIR
from ..common.command import Command
from ..common.settings import IMAGE_THRESHOLD, settings_of
from .bases import DIGITS, ROWS, SAMPLED, STEPS, TABLES, WIDTH
from .cells import cells_of, drift_cell
from .monitored import BATCH_ROWS, BATCHES, OFTEN, RATE, REFERENCE_ROWS
from .report import drift_report

__all__ = ["COMMAND", "study"]


def study() -> Study:
    """The study of tasks that change.

    Published tasks and random hierarchies of gates are learnt, and one thing is changed in each: the operators of an inner gate or of an
    output, an input of a gate, a gate that a reader no longer reads, a level that is added before an output, an output that is added, or
    nothing. The consensus network of four seeds goes on by ``resculpt``; beside it the new task is sculpted anew from four seeds. The
    truth is the gate whose formula was changed. Of two digits side by side, sculpted in one chain, two, three, four or all digits of one
    side get one another's names; the truth is that side.

    Returns
    -------
    Study
        A row for each network and change. ``group``: ``"first"``, ``"fresh"`` for functions on which nothing was tried before their rows
        were made, or ``"digits"``; ``task``, ``depth``, ``base_edges`` and ``base_verdict`` of the network before; ``kind`` of the change,
        ``gate`` or side, ``formula`` and ``new_formula``; ``one_reader``: whether an inner gate and its reader lead to the same outputs, so
        that a change of either can be answered in both; ``status`` of the result and ``part``, the units learnt again; ``named``, the
        modules with a unit that :func:`~analysis.changes` calls changed, those of before kept by :func:`~analysis.keep_modules`, and
        ``detected``, the same with modules detected again; ``modules_right`` and ``detected_right``: whether each of these, at least one,
        has a unit of the gate's, which leads to its outputs (of digits, to some of those renamed) and depends on no inputs but its own;
        ``units_right`` and ``part_right``: whether all units that changed, and all that were learnt again or added, are the gate's;
        ``kept`` and ``kept_rest``, the fractions of all edges before, and of those that are not the gate's, with the same weight;
        ``accuracy`` and ``edges`` after; ``steps`` and ``seconds``; ``anew_accuracy``, ``anew_edges``, ``anew_steps`` and
        ``anew_seconds``; ``drift`` and ``p_value``; ``alarm`` of the monitor on one batch of the new task; ``false_alarms`` of so many
        ``batches`` where nothing has changed, and ``false_alarms_modules`` where it compares modules; ``inputs``, each of which was more
        often 1 in one batch, ``inputs_seen``, where it named a module, and ``inputs_right``, where all that it named depend on the input.
    """
    return Study(cells_of(), drift_cell, settings_of(1) | _settings(), drift_report)


def _settings() -> dict[str, Any]:
    """What the rows depend on beside the settings of truth tables."""
    parts: dict[str, Mapping[str, Any]] = {
        "resculpt": TABLES, "digits": {**DIGITS, **ROWS}, "digits.resculpt": SAMPLED,
        "digits.training": asdict(PAIR.training) | {"steps": STEPS},
        "digits.schedule": asdict(PAIR.schedule), "digits.detect_modules": {"merge_threshold": IMAGE_THRESHOLD},
    }  # fmt: skip
    known = {f"{part}.{name}": _plain(value) for part, values in parts.items() for name, value in values.items()}
    rows = {"reference_rows": REFERENCE_ROWS, "batch_rows": BATCH_ROWS, "batches": BATCHES, "often": OFTEN}
    return {"width": WIDTH, "rounds": ROUNDS, "grown": MANY, "rate": RATE, **rows, **known}


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


COMMAND = Command(study, "tasks that change: the part that is learnt again, and what is kept, beside sculpting anew")
