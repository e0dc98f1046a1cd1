"""Sparse parities with distractors: are blocks and hierarchy found?"""

from __future__ import annotations

from functools import partial

from ...study import Study
from ...tasks import cmsp
from ...tasks.parities import SCHEDULE, TRAINING
from ..common.command import Command
from ..common.sampled import key_of_study
from ..common.settings import PUBLISHED, settings_of_sampled
from .cells import DISTRACTORS, cells_of, parities_cell
from .report import parities_report

__all__ = ["COMMAND", "study"]


def study() -> Study:
    """The study of parities.

    Two and three parities of two and three bits, with two distractors; asked for by control bits at one output, each alone and all at
    once, or, of three, in every combination; and with an output for each code; networks of 2 and 3 hidden layers of 64 units, four seeds,
    sculpted in one population. The results are the consensus of all four and of each seed alone, and beside each the sparsest candidate.
    A cell that was killed goes on where it was.

    Returns
    -------
    Study
        Ten rows a cell. ``task``, ``m``, ``k``, ``outputs`` (``"one"``, ``"all"`` combinations at one, or ``"each"``), ``width``,
        ``depth``, ``seeds`` (4 or 1), ``seed`` (the first), ``rule``; of the selected network ``density`` in [0, 1], ``edges``,
        ``units``, ``accuracy``; as bool ``inputs_right`` (every block in a group of its own, with its control bit where there is one, and
        nothing else in any group), ``distractors_out`` (no distractor leads anywhere), ``modules_right`` (every module of the truth and
        nothing else), ``exact`` (and connected alike), ``valid`` (or another valid decomposition; None with one output, where combinations
        of control bits that are no code have no defined output); ``matched``, ``missing`` and ``extra``, how many modules of the truth
        were found and were not, and how many others were; ``smallest`` and ``smallest_right``, the size of the smallest candidate of
        these seeds, edges and two for each hidden unit, and of the smallest with exactly the modules of the truth (None where none is);
        ``support`` of a consensus; ``seconds`` (the cell's, times the row's share of the seeds). Where no candidate was accepted, verdicts
        are False, the accuracy is the best of all attempts and the rest is None.
    """
    settings = {**settings_of_sampled({"cmsp": cmsp}, {"cmsp": (TRAINING, SCHEDULE)}, **PUBLISHED), "distractors": DISTRACTORS}
    return Study(cells_of(), partial(parities_cell, study=key_of_study(settings)), settings, parities_report)


COMMAND = Command(study, "sparse parities, alone and summed, with distractors: are blocks and hierarchy found?")
