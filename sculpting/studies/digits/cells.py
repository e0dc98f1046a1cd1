"""The cells of the study of two digits side by side: naming both, and the XOR of their bits."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import networkx as nx

from ...sculptor import SculptResult
from ...store import Row
from ...study import CellResult
from ...tasks import Task, mnist_pair, mnist_xor
from ...tasks.mnist import PAIR, XOR
from ..common.sampled import sampled_cell
from ..common.selection import Selected, accuracies_on_test
from ..common.settings import IMAGE_THRESHOLD, PUBLISHED
from .bits import bit_columns

__all__ = ["DEPTHS", "DETECTION", "MAKERS", "SETTINGS", "cell_name", "cells_of", "digits_cell", "widths_of"]

DEPTHS = {"mnist-pair": (2, 3), "mnist-xor": (4, 5)}  # hidden layers that show every module of the truth
MAKERS = {"mnist-pair": mnist_pair, "mnist-xor": mnist_xor}
SETTINGS = {variant.name: (variant.training, variant.schedule) for variant in (PAIR, XOR)}
DETECTION = {**PUBLISHED, "merge_threshold": IMAGE_THRESHOLD}
FULL = 28  # size from which on one width is enough of a cost
COUNTS = ("pixels_read", "modules", "input_modules", "output_modules", "middle_modules")
VERDICTS = ("sides_apart", "inputs_right", "outputs_right", "modules_right", "exact")
OF_BITS = ("bit_share", "bits_separate", "one_output")


def widths_of(size: int) -> tuple[int, ...]:
    """The widths for images of two digits of so many pixels a side.

    Examples
    --------
    >>> widths_of(14), widths_of(28)
    ((98, 196), (392,))
    """
    pixels = 2 * size * size
    return (pixels // 4,) if size >= FULL else (pixels // 4, pixels // 2)


def cell_name(task: str, size: int, width: int, depth: int) -> str:
    """The name of a cell, such as ``mnist-pair_size14_width98_depth2``."""
    return f"{task}_size{size}_width{width}_depth{depth}"


def cells_of(tasks: Sequence[str], sizes: Sequence[int]) -> dict[str, dict[str, Any]]:
    """The arguments of the cells of some tasks and sizes, by their names."""
    return {
        cell_name(task, size, width, depth): {"task": task, "size": size, "width": width, "depth": depth}
        for size in sizes
        for task, depths in DEPTHS.items()
        for depth in depths
        for width in widths_of(size)
        if task in tasks
    }


def digits_cell(task: str, size: int, width: int, depth: int, *, source: str, study: str, data_dir: str | Path | None = None) -> CellResult:
    """The rows of one cell, and the network that the consensus of all seeds selects."""
    known = MAKERS[task](size=size, source=source, data_dir=data_dir)
    describe = partial(_columns, known, known.truth(hidden_layers=depth))
    result = sampled_cell(known, width, depth, cell_name(task, size, width, depth), study, describe, **DETECTION)
    facts = {"task": task, "size": size, "width": width, "depth": depth}
    return CellResult([{**facts, **row} for row in result.rows], result.files)


def _columns(task: Task, truth: nx.DiGraph, result: SculptResult, selected: Selected) -> Row:
    dense = [network for network in result.dense if network.origin["seed"] in selected.seeds]
    if selected.found is None:
        of_network: Row = {**dict.fromkeys(COUNTS), **dict.fromkeys(VERDICTS, False), **dict.fromkeys(OF_BITS)}
        sparse: Row = {"validation_accuracy": None, "test_accuracy": None}
    else:
        of_network = {**_counts(selected.found), **_verdicts(selected.found, truth, task), **_bits(selected.found, task)}
        network = selected.found.network
        sparse = {"validation_accuracy": network.accuracy, "test_accuracy": accuracies_on_test([network], task)[0]}
    tested = accuracies_on_test(dense, task)
    return {**of_network, **sparse, "dense_test_accuracy": sum(tested) / len(tested)}


def _counts(found: Any) -> Row:
    inputs, outputs = (sum(bool(ends) for ends in side) for side in zip(*((m.inputs, m.outputs) for m in found.modules), strict=True))
    middle = sum(not (module.inputs or module.outputs) for module in found.modules)
    return dict(zip(COUNTS, (found.network.unit_counts[0], len(found.modules), inputs, outputs, middle), strict=True))


def _verdicts(found: Any, truth: nx.DiGraph, task: Task) -> Row:
    from analysis import compare

    assert task.image is not None
    same, columns = compare(found, truth), task.image[1]
    sides = [{2 * (pixel % columns) < columns for pixel in module.inputs} for module in found.modules]
    apart = len(set().union(*sides)) == 2 and all(len(held) < 2 for held in sides)
    outputs = same.outputs.exact and bool((found.graph.weights[-1] != 0)[found.labels[-2] >= 0].any(axis=0).all())
    return dict(zip(VERDICTS, (apart, same.inputs.exact, outputs, same.exact, same.connected), strict=True))


def _bits(found: Any, task: Task) -> Row:
    if task.name != "mnist-xor":
        return dict.fromkeys(OF_BITS)
    assert task.x_test is not None
    assert task.labels_test is not None
    return bit_columns(found.graph, task.x_test.numpy(), task.labels_test.numpy())
