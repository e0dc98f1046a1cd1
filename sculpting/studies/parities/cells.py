"""The cells of the study of compositional multitask sparse parity, with distractors."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, partial
from itertools import combinations
from typing import Any

import networkx as nx
import numpy as np

from ...models.network import SparseNetwork
from ...sculptor import SculptResult
from ...store import Row
from ...study import CellResult
from ...tasks import cmsp
from ..common.candidates import Sculpted
from ..common.sampled import sampled_cell
from ..common.selection import Selected
from ..common.settings import PUBLISHED, defaults

__all__ = ["DEPTHS", "DISTRACTORS", "KINDS", "cell_name", "cells_of", "parities_cell"]

PARITIES = ((2, 2), (3, 2), (2, 3), (3, 3))  # atomic tasks, and bits of a block
DISTRACTORS, WIDTH = 2, 64
OUTPUTS, DEPTHS = ("one", "all", "each"), (2, 3)
# Of two atomic tasks the usual codes are all that there are.
KINDS = tuple((m, k, outputs) for outputs in OUTPUTS for m, k in PARITIES if outputs != "all" or m > 2)
VERDICTS = ("inputs_right", "distractors_out", "modules_right", "exact", "valid")
COUNTS, SIZES = ("matched", "missing", "extra"), ("smallest", "smallest_right")


def cell_name(m: int, k: int, outputs: str, width: int, depth: int) -> str:
    """The name of a cell, such as ``m2_k2_one_width64_depth2``."""
    return f"m{m}_k{k}_{outputs}_width{width}_depth{depth}"


def cells_of() -> dict[str, dict[str, Any]]:
    """The arguments of all cells, by their names."""
    shapes = [(*kind, WIDTH, depth) for kind in KINDS for depth in DEPTHS]
    return {cell_name(*shape): dict(zip(("m", "k", "outputs", "width", "depth"), shape, strict=True)) for shape in shapes}


def parities_cell(m: int, k: int, outputs: str, width: int, depth: int, *, study: str) -> CellResult:
    """The rows of one cell, and the network that the consensus of all seeds selects."""
    codes = [code for size in range(1, m + 1) for code in combinations(range(m), size)] if outputs == "all" else None
    task = cmsp(m, k, m * k + DISTRACTORS, codes, outputs="each" if outputs == "each" else "one")
    facts = {"task": task.name, "m": m, "k": k, "outputs": outputs, "width": width, "depth": depth}
    truth = task.truth(hidden_layers=depth)
    describe = partial(_columns, truth, cache(partial(_size, truth)))  # every candidate stands in four rows
    result = sampled_cell(task, width, depth, cell_name(m, k, outputs, width, depth), study, describe, **PUBLISHED)
    return CellResult([{**facts, **row} for row in result.rows], result.files)


def _columns(truth: nx.DiGraph, size: Callable[[SparseNetwork], tuple[float, bool]], result: SculptResult, selected: Selected) -> Row:
    if selected.found is None:
        return {
            "accuracy": Sculpted.of(result).best_accuracy(selected.seeds),
            **dict.fromkeys(VERDICTS, False),
            **dict.fromkeys((*COUNTS, *SIZES)),
        }
    sizes = [size(candidate) for candidate in result.candidates if candidate.origin["seed"] in selected.seeds]
    smallest = min(sizes)[0], min((number for number, right in sizes if right), default=None)
    return {"accuracy": selected.found.network.accuracy, **_verdicts(selected.found, truth), **dict(zip(SIZES, smallest, strict=True))}


def _size(truth: nx.DiGraph, candidate: SparseNetwork) -> tuple[float, bool]:
    """The size that ``consensus`` counts for a candidate, and whether its modules are exactly those of the truth."""
    from analysis import compare, detect_modules

    unit_cost = defaults()["consensus"]["unit_cost"]
    live = candidate.compact()
    return live.edge_count + unit_cost * sum(live.widths[1:-1]), compare(detect_modules(candidate, **PUBLISHED), truth).exact


def _verdicts(found: Any, truth: nx.DiGraph) -> Row:
    from analysis import compare

    same = compare(found, truth)
    distractors = np.array([name.startswith("d") for name in found.graph.input_names])
    out = bool((found.labels[0][distractors] < 0).all())
    counts = dict(zip(COUNTS, map(len, (same.matched, same.missing, same.extra)), strict=True))
    return {**dict(zip(VERDICTS, (same.inputs.exact, out, same.exact, same.connected, same.valid), strict=True)), **counts}
