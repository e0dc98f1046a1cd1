"""The cells of the study of tasks of known structure."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

import networkx as nx
import torch
from torch import Tensor

from ...models.network import SparseNetwork
from ...sculptor import SculptResult
from ...store import Row
from ...study import CellResult
from ...tasks import Task, expression_parity, sensor_fusion, sprite_scenes
from ..common.sampled import sampled_cell
from ..common.selection import Selected
from ..common.settings import SEEDS

__all__ = ["KINDS", "NULLS", "RIGHT", "SAMPLES", "TABLES", "WIDTH", "cell_name", "cells_of", "known_cell", "task_of", "width_of"]

# What makes the task of a sample. Expressions are complete tables: only the seeds of their networks differ.
KINDS: dict[str, Callable[[int], Task]] = {
    "two-sensors": lambda sample: sensor_fusion(2, seed=sample),
    "two-sensors-and": lambda sample: sensor_fusion(2, "and", seed=sample),
    "three-sensors": lambda sample: sensor_fusion(3, seed=sample),
    "scenes": lambda sample: sprite_scenes("alone", seed=sample),
    "fused-scenes": lambda sample: sprite_scenes(seed=sample),
    "sums-and-products": lambda _: expression_parity(),
    "comparisons": lambda _: expression_parity(3, "<="),
}
TABLES = ("sums-and-products", "comparisons")
SAMPLES = (1, 2, 3)  # settings and recipes were looked at on sample 0 alone
WIDTH, DEPTH = 24, 2  # units of a hidden layer, and hidden layers: as many as the deepest truth has levels of modules
NULLS = 200
RIGHT = ("exact", "coarser", "finer", "valid")


def task_of(kind: str, sample: int) -> Task:
    """The task of a kind."""
    return KINDS[kind](sample)


def width_of(task: Task) -> int:
    """Units of a hidden layer, by the rule of the command line: 24, or a quarter of the pixels of an image."""
    return WIDTH if task.image is None else math.prod(task.image) // 4


def cell_name(kind: str, depth: int, sample: int) -> str:
    """The name of a cell, such as ``two-sensors_depth2_sample1``."""
    return f"{kind}_depth{depth}_sample{sample}"


def cells_of(kinds: Iterable[str]) -> dict[str, dict[str, Any]]:
    """The arguments of the cells of some kinds, by their names."""
    return {
        cell_name(kind, DEPTH, sample): {"kind": kind, "task": task_of(kind, sample).name, "depth": DEPTH, "sample": sample}
        for kind in kinds
        for sample in SAMPLES
    }


def known_cell(kind: str, task: str, depth: int, sample: int, *, study: str) -> CellResult:
    """The rows of one cell, and the network that the consensus of all seeds selects; ``task`` is the name of the task of the kind."""
    known = task_of(kind, sample)
    describe = partial(_columns, known, known.truth(hidden_layers=depth))
    name = cell_name(kind, depth, sample)
    result = sampled_cell(known, width_of(known), depth, name, study, describe, first=SEEDS * sample)
    facts = {"kind": kind, "task": task, "depth": depth, "sample": sample}
    return CellResult([{**facts, **row} for row in result.rows], result.files)


def _columns(task: Task, truth: nx.DiGraph, result: SculptResult, selected: Selected) -> Row:
    """The columns from ``verdict`` to ``dense_test_accuracy``."""
    dense = [_right_bits(network, task).mean().item() for network in result.dense if network.origin["seed"] in selected.seeds]
    row: Row = {"verdict": "none", "reason": "", "score": None, "modules_right": False, "right": False, "modules": None}
    row |= {"true_modules": len(truth), "inputs_read": None, "outside": None, "p_value": None, "chance": None}
    row |= {"test_accuracy": None, "worst_accuracy": None, "test_rows": len(_tested(task)[1])}
    found = selected.found
    if found is not None:
        bits = _right_bits(found.network, task)
        row |= {**_of_modules(found, truth), "test_accuracy": bits.mean().item(), "worst_accuracy": bits.min().item()}
    return {**row, "dense_test_accuracy": sum(dense) / len(dense)}


def _of_modules(found: Any, truth: nx.DiGraph) -> Row:
    from analysis import compare, significance

    same, chance = compare(found, truth), significance(found, nulls=NULLS)
    known = {i for _, inputs in truth.nodes(data="inputs") for i in inputs}
    read = {i for i, label in enumerate(found.input_labels.tolist()) if label >= 0}
    return {
        "verdict": same.verdict, "reason": same.reason, "score": same.score, "modules_right": same.exact, "right": same.verdict in RIGHT,
        "modules": len(found.modules), "inputs_read": len(read), "outside": len(read - known), "p_value": chance.p_value,
        "chance": chance.verdict,
    }  # fmt: skip


def _tested(task: Task) -> tuple[Tensor, Tensor]:
    """The test rows, or all of a complete table."""
    return (task.x, task.y) if task.x_test is None or task.y_test is None else (task.x_test, task.y_test)


def _right_bits(network: SparseNetwork, task: Task) -> Tensor:
    """The fraction of rows in which each output is right, shape (k,)."""
    x, y = _tested(task)
    with torch.no_grad():
        return ((network.model()(x) > 0) == (y > 0)).double().mean(dim=0)
