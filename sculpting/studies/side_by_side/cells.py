"""The cells of the study of data sets side by side."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial
from itertools import combinations
from pathlib import Path
from typing import Any

import networkx as nx
import numpy as np

from ...sculptor import SculptResult
from ...store import Row
from ...study import CellResult
from ...tasks import Task, known_set, side_by_side
from ...tasks.known_sets import BUNDLED, MNIST
from ..common.sampled import sampled_cell
from ..common.selection import Selected, accuracies_on_test

__all__ = ["ALL_KINDS", "KINDS", "SPLITS", "WIDTH", "cell_name", "cells_of", "side_by_side_cell"]

WIDTH, DEPTHS = 24, (1, 2)  # units of a hidden layer, and hidden layers
SPLITS = (2, 3)  # seeds of the rows held out and of the pairs; the default of `rows` was found on 0 and 1
# Sets and the joint output: pairs, triples, and a pair with an output that needs both.
KINDS = (*((sets, None) for size in (2, 3) for sets in combinations(BUNDLED, size)), (BUNDLED[:2], "and"))
ALL_KINDS = (*KINDS, *(((name, MNIST), None) for name in BUNDLED))  # these need files


def cell_name(sets: Sequence[str], joint: str | None, depth: int, split: int) -> str:
    """The name of a cell, such as ``wine-iris_depth2_split3`` or ``wine-iris_and_depth1_split2``."""
    return "_".join(["-".join(sets), *([joint] if joint else []), f"depth{depth}", f"split{split}"])


def cells_of(kinds: Iterable[tuple[Sequence[str], str | None]]) -> dict[str, dict[str, Any]]:
    """The arguments of the cells of some sets and joint outputs, by their names."""
    return {
        cell_name(sets, joint, depth, split): {"sets": list(sets), "joint": joint, "depth": depth, "split": split}
        for sets, joint in kinds
        for depth in DEPTHS
        for split in SPLITS
    }


def side_by_side_cell(
    sets: Sequence[str], joint: str | None, depth: int, split: int, *, study: str, data_dir: str | Path | None = None
) -> CellResult:
    """The rows of one cell, and the network that the consensus of all seeds selects."""
    given = [known_set(name, data_dir) if name == MNIST else name for name in sets]
    task = side_by_side(*given, names=sets, joint=joint, seed=split)
    describe = partial(_columns, task, task.truth(hidden_layers=depth))
    result = sampled_cell(task, WIDTH, depth, cell_name(sets, joint, depth, split), study, describe)
    facts = {"task": task.name, "sets": "+".join(sets), "joint": joint, "depth": depth, "split": split}
    return CellResult([{**facts, **row} for row in result.rows], result.files)


def _columns(task: Task, truth: nx.DiGraph, result: SculptResult, selected: Selected) -> Row:
    from analysis import compare

    row: Row = {"apart": False, "modules_right": False, "verdict": "none", "modules": None, "inputs_read": None, "test_accuracy": None}
    if selected.found is not None:
        same, network = compare(selected.found, truth), selected.found.network
        row = {
            "apart": _apart(network, truth),
            "modules_right": same.exact,
            "verdict": same.verdict,
            "modules": len(selected.found.modules),
            "inputs_read": network.unit_counts[0],
            "test_accuracy": accuracies_on_test([network], task)[0],
        }
    tested = accuracies_on_test([network for network in result.dense if network.origin["seed"] in selected.seeds], task)
    return {**row, "dense_test_accuracy": sum(tested) / len(tested)}


def _apart(network: Any, truth: nx.DiGraph) -> bool:
    """Whether every set is answered, and no path leads from the inputs of one to outputs of another."""
    from analysis import path_products

    joined = path_products(network) > 0
    sides = [(facts["inputs"], facts["outputs"]) for _, facts in truth.nodes(data=True) if facts["inputs"]]
    paths = np.array([[bool(joined[np.ix_(inputs, outputs)].any()) for _, outputs in sides] for inputs, _ in sides])
    return bool((paths == np.eye(len(sides), dtype=bool)).all())
