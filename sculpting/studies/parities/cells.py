"""The study of compositional multitask sparse parity, with distractors."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import cache, partial
from itertools import combinations
from pathlib import Path
from typing import Any

import networkx as nx
import numpy as np

from ...models.network import SparseNetwork
from ...sculptor import SculptResult
from ...store import Row
from ...study import Progress
from ...tasks import cmsp
from ..common.sampled import Answer, answer_sampled, network_path, run_sampled, settings_of_sampled

__all__ = ["DEPTHS", "KINDS", "cell_of", "cmsp_cell", "cmsp_study"]

PARITIES = ((2, 2), (3, 2), (2, 3), (3, 3))  # atomic tasks, and bits of a block
DISTRACTORS, WIDTH = 2, 64
OUTPUTS, DEPTHS = ("one", "all", "each"), (2, 3)
# Of two atomic tasks the usual codes are all that there are.
KINDS = tuple((m, k, outputs) for outputs in OUTPUTS for m, k in PARITIES if outputs != "all" or m > 2)
VERDICTS = ("inputs_right", "distractors_out", "modules_right", "exact", "valid")
COUNTS, SIZES = ("matched", "missing", "extra"), ("smallest", "smallest_right")


def cmsp_study(folder: str | Path, *, jobs: int = 1, progress: Progress = True) -> list[Row]:
    """The rows of the study of parities; it goes on where a run with the same folder was stopped, also within a cell.

    Two and three parities of two and three bits, with two distractors; asked for by control bits at one output, each alone and all at
    once, or, of three, in every combination; and with an output for each code; networks of 2 and 3 hidden layers of 64 units, four seeds,
    sculpted in one population. The answers are the consensus of all four and of each seed alone, and beside each the sparsest candidate.

    Parameters
    ----------
    folder : str or Path
        Where cells, networks and checkpoints are kept, and where ``rows.csv``, ``rows.json``, ``summary.md``, the figure ``success`` and
        a picture of each task and depth are written.
    jobs : int
        Processes, each on one thread. A script that asks for several needs ``if __name__ == "__main__":``.
    progress : bool or callable
        A bar by cell with the time left, nothing, or ``progress(cells done, cells in all)``.

    Returns
    -------
    list of dict
        Ten rows a cell. ``task``, ``m``, ``k``, ``outputs`` (``"one"``, ``"all"`` combinations at one, or ``"each"``), ``width``,
        ``depth``, ``seeds`` (4 or 1), ``seed`` (the first), ``rule``; of the network that was chosen ``density`` in [0, 1], ``edges``,
        ``units``, ``accuracy``; as bool ``inputs_right`` (every block in a group of its own, with its control bit where there is one, and
        nothing else in any group), ``distractors_out`` (no distractor leads anywhere), ``modules_right`` (every module of the truth and
        nothing else), ``exact`` (and connected alike), ``valid`` (or another valid decomposition; None with one output, where combinations
        of control bits that are no code have no right answer); ``matched``, ``missing`` and ``extra``, how many modules of the truth were
        found and were not, and how many others were; ``smallest`` and ``smallest_right``, the size of the smallest candidate of
        these seeds, edges and two for each hidden unit, and of the smallest with exactly the modules of the truth (None where none is);
        ``support`` of a consensus; ``seconds`` (the cell's, times the row's share of the seeds). Where nothing was accepted, verdicts are
        False, the accuracy is the best that was reached and the rest is None.

    Raises
    ------
    ValueError
        When ``jobs`` is below 1, or the folder holds something else or a study with other settings.
    RuntimeError
        Once all other cells are done, when some failed.
    """
    from .report import write_cmsp_report

    shapes = [(*kind, WIDTH, depth) for kind in KINDS for depth in DEPTHS]
    cells = {cell_of(*shape): dict(zip(("m", "k", "outputs", "width", "depth"), shape, strict=True)) for shape in shapes}
    settings = {**settings_of_sampled({"cmsp": cmsp}), "distractors": DISTRACTORS}
    rows = run_sampled(cells, cmsp_cell, folder, settings, jobs, progress)
    write_cmsp_report(rows, Path(folder))
    return rows


def cell_of(m: int, k: int, outputs: str, width: int, depth: int) -> str:
    """The name of a cell, such as ``m2_k2_one_width64_depth2``."""
    return f"m{m}_k{k}_{outputs}_width{width}_depth{depth}"


def cmsp_cell(m: int, k: int, outputs: str, width: int, depth: int, *, folder: str | Path) -> list[Row]:
    """The rows of one cell."""
    codes = [code for size in range(1, m + 1) for code in combinations(range(m), size)] if outputs == "all" else None
    task = cmsp(m, k, m * k + DISTRACTORS, codes, outputs="each" if outputs == "each" else "one")
    facts = {"task": task.name, "m": m, "k": k, "outputs": outputs, "width": width, "depth": depth}
    truth = task.truth(hidden_layers=depth)
    describe = partial(_columns, truth, cache(partial(_size, truth)))  # every candidate stands in four answers
    path = network_path(folder, cell_of(m, k, outputs, width, depth))
    return [{**facts, **row} for row in answer_sampled(task, width, depth, path, describe)]


def _columns(truth: nx.DiGraph, size: Callable[[SparseNetwork], tuple[float, bool]], result: SculptResult, answer: Answer) -> Row:
    if answer.found is None:
        best = max(attempt.accuracy for attempt in result.history if attempt.chain.seed in answer.seeds)
        return {"accuracy": best, **dict.fromkeys(VERDICTS, False), **dict.fromkeys((*COUNTS, *SIZES))}
    sizes = [size(candidate) for candidate in result.candidates if candidate.origin["seed"] in answer.seeds]
    smallest = min(sizes)[0], min((number for number, right in sizes if right), default=None)
    return {"accuracy": answer.found.network.accuracy, **_verdicts(answer.found, truth), **dict(zip(SIZES, smallest, strict=True))}


def _size(truth: nx.DiGraph, candidate: SparseNetwork) -> tuple[float, bool]:
    """How large ``consensus`` takes a candidate for, and whether its modules are exactly those of the truth."""
    from analysis import compare, consensus, detect_modules

    unit_cost = inspect.signature(consensus).parameters["unit_cost"].default
    live = candidate.compact()
    return live.edge_count + unit_cost * sum(live.widths[1:-1]), compare(detect_modules(candidate), truth).exact


def _verdicts(found: Any, truth: nx.DiGraph) -> Row:
    from analysis import compare

    told = compare(found, truth)
    distractors = np.array([name.startswith("d") for name in found.graph.input_names])
    out = bool((found.labels[0][distractors] < 0).all())
    counts = dict(zip(COUNTS, map(len, (told.matched, told.missing, told.extra)), strict=True))
    return {**dict(zip(VERDICTS, (told.inputs.exact, out, told.exact, told.connected, told.valid), strict=True)), **counts}
