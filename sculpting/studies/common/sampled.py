"""The cells of studies of sampled tasks, which go on where they were killed."""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from tempfile import gettempdir
from typing import Any

from ... import __version__
from ...sculptor import SculptResult, sculpt
from ...store import Row
from ...study import CellResult
from ...tasks import Task
from .networks import network_bytes, network_file
from .selection import RULES, Selected, groups_of, selected_of, share_seconds
from .settings import SEEDS

__all__ = ["key_of_study", "sampled_cell"]


def sampled_cell(
    task: Task,
    width: int,
    depth: int,
    name: str,
    study: str,
    describe: Callable[[SculptResult, Selected], Row],
    *,
    first: int = 0,
    **detection: Any,
) -> CellResult:
    """A row for all four seeds and for each alone, by consensus and by the sparsest candidate.

    A cell that was killed goes on on the same machine: the checkpoint of ``sculpt`` lies in a folder for temporary files there.

    Parameters
    ----------
    task : Task
    width, depth : int
        Units in a hidden layer, and hidden layers.
    name : str
        Of the cell.
    study : str
        The :func:`key_of_study`.
    describe : callable
        The columns between ``units`` and ``support``.
    first : int
        The first of the four seeds.
    **detection
        Passed on to ``consensus`` and ``detect_modules``.

    Returns
    -------
    CellResult
        With the network that the consensus of all seeds selects. ``seconds`` of a row are those of the whole cell, times its share of
        the seeds; of a cell that was killed they are at least those of all its rounds of training.
    """
    start, checkpoint = time.perf_counter(), checkpoint_of(study, name)
    result = sculpt(task.model(width, depth), task, seeds=SEEDS, seed=first, checkpoint=checkpoint, progress=False)
    groups = [range(first + group[0], first + group[-1] + 1) for size in (SEEDS, 1) for group in groups_of(SEEDS, size)]
    selected = [selected_of(result.candidates, seeds, rule, detection) for seeds in groups for rule in RULES]
    rows = [{**one.columns, **describe(result, one), "support": one.found and one.found.support} for one in selected]
    found = selected[0].found
    files = {} if found is None else {network_file(name): network_bytes(found.network)}
    seconds = max(time.perf_counter() - start, sum(attempt.seconds for attempt in result.history))
    checkpoint.unlink(missing_ok=True)
    return CellResult(share_seconds(rows, seconds), files)


def key_of_study(settings: Mapping[str, Any]) -> str:
    """A short text that differs between studies of other settings, and between versions of this library."""
    return hashlib.sha256(f"{__version__} {json.dumps(settings)}".encode()).hexdigest()[:16]


def checkpoint_of(study: str, cell: str) -> Path:
    """Where a cell keeps its checkpoint, on the machine where it runs and of this user alone."""
    user = getattr(os, "getuid", lambda: "user")()  # Windows has a folder for temporary files for each user
    folder = Path(gettempdir()) / f"neural-sculpting-{user}"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder / f"{study}-{cell}.checkpoint"
