"""Tasks that change: whether the part that changed is found, and what of the rest is kept."""

from __future__ import annotations

from ...resculpting.growth import MANY
from ...resculpting.search import ROUNDS
from ...study import Study
from ..common.command import Command
from ..common.settings import settings_of
from .cells import BATCH_ROWS, BATCHES, RATE, REFERENCE_ROWS, SPARE_UNITS, STARTS, WIDTH, cells_of, drift_cell
from .report import drift_report

__all__ = ["COMMAND", "study"]


def study() -> Study:
    """The study of tasks that change.

    Three published tasks and five random hierarchies of gates are learnt, and one thing is changed in each: the operators of an inner gate
    or of an output, an input of a gate, a gate that a reader no longer reads, a level that is added before an output, an output that is
    added, or nothing. The consensus network of four seeds goes on by ``resculpt``; beside it the new task is sculpted anew from four
    seeds. The truth is the gate whose formula was changed.

    Returns
    -------
    Study
        A row for each task and change. ``task``, ``inputs``, ``outputs``, ``depth``, ``base_edges`` and ``base_verdict`` of the network
        before; ``kind`` of the change, ``gate``, ``formula`` and ``new_formula``; ``one_reader``: whether an inner gate and its reader lead
        to the same outputs, so that a change of either can be answered in both; ``status`` of the result and ``part``, the units learnt
        again; ``part_right``: whether all of these, and units that were added, lead to the outputs of the gate and depend on no other
        inputs; ``named_right``: whether the same is true of the units that :func:`~analysis.changes` calls changed, at least one;
        ``named``, the modules that have such units, and ``modules_right``: whether each of these has a unit of the gate's; ``kept`` and
        ``kept_rest``, the fractions of all edges before, and of those that are
        not the gate's, with the same weight; ``accuracy`` and ``edges`` after; ``steps`` and ``seconds``; ``anew_accuracy``,
        ``anew_edges``, ``anew_steps`` and ``anew_seconds``; ``drift`` and ``p_value``; ``alarm`` of the monitor on one batch of the new
        task; ``false_alarms`` of so many ``batches`` where nothing has changed.
    """
    own = {"width": WIDTH, "starts": STARTS, "spare_units": list(SPARE_UNITS), "rounds": ROUNDS, "grown": MANY, "rate": RATE}
    rows = {"reference_rows": REFERENCE_ROWS, "batch_rows": BATCH_ROWS, "batches": BATCHES}
    return Study(cells_of(), drift_cell, {**settings_of(1), **own, **rows}, drift_report)


COMMAND = Command(study, "tasks that change: the part that is learnt again, and what is kept, beside sculpting anew")
