"""Functions that are no published task, by the one default setting: circuits with a name, and random hierarchies of gates."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from ...study import Study
from ..common.command import CANDIDATES, CHANGED, Command
from ..common.reporting import with_changed
from ..common.settings import settings_of
from .cells import WIDTH, cells_of, functions_cell
from .report import functions_report

__all__ = ["COMMAND", "study"]


def study(candidates: str | Path | None = None, changed: Mapping[str, Any] | Iterable[tuple[str, Any]] = ()) -> Study:
    """The study of functions.

    Twenty circuits and 24 random hierarchies of :func:`~sculpting.tasks.random_gates`, each at two depths: the fewest hidden layers that
    show all of its gates, but at least 2 and at most 4, and one more; 24 units a layer, four seeds, sculpted in one population. The
    results are the consensus of all four and of each seed alone, and beside each the sparsest candidate; of all four also the consensus
    that counts levels (``x`` of :func:`~analysis.consensus`), and that of modules as published.

    Parameters
    ----------
    candidates : str or Path, optional
        The folder of a study of functions whose candidates are judged again, where it has those of a cell; others are trained.
    changed : mapping, or pairs of a name and a value, optional
        Settings of ``sculpt`` other than the default, such as ``{"unit_tries": 1}``. Such a study needs a folder of its own.

    Returns
    -------
    Study
        Twelve rows a cell. ``function``, ``kind`` (``"circuit"``, ``"tuning"`` or ``"reported"``, by the parity of the seed of a random
        hierarchy), ``inputs``, ``outputs`` (how many), ``depth`` (hidden layers), ``seeds`` (4 or 1), ``seed`` (the first), ``rule``; of
        the selected network ``density`` in [0, 1], ``edges``, ``units``, ``accuracy`` and ``support`` of a consensus; ``verdict``,
        ``reason`` and ``score`` of :func:`~analysis.compare`, ``exact`` and ``valid`` as bool, ``modules`` and ``true_modules``, how many
        there are; ``restarts``, the seeds with candidates whose dense network learnt at its second start; ``seconds`` (of sculpting,
        times the row's share of the seeds). Where no candidate was accepted, the verdict is ``"none"``.

    Raises
    ------
    TypeError, ValueError
        When a name in ``changed`` is no setting, or its value is out of range.
    """
    other = dict(changed)
    work = partial(functions_cell, candidates=None if candidates is None else str(candidates), changed=other)
    return Study(cells_of(), work, {**settings_of(1, other), "width": WIDTH}, with_changed(functions_report, other))


COMMAND = Command(study, "own functions: circuits and random hierarchies of gates, judged against their truth", {**CANDIDATES, **CHANGED})
