"""The cells of studies of modules with a truth: are two groups of outputs answered by parts that share nothing?"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
from torch import nn

from ...metrics import metric_of
from ...models.network import by_edges
from ...models.sparse_module import SparseModule
from ...sculptor import sculpt
from ...store import Row
from ...study import CellResult
from ...tasks import Task, by_group
from .networks import network_bytes, network_file
from .sampled import checkpoint_of
from .selection import RULES, Selected, selected_of, share_seconds
from .settings import SEEDS

__all__ = ["module_cell", "module_from", "outputs_apart", "settings_of_modules", "shared_units"]

NULLS = 100  # rewired networks


def module_cell(task: Task, model: nn.Module, groups: int, first: int, name: str, study: str, facts: Mapping[str, Any]) -> CellResult:
    """A row for four seeds and for each alone, by consensus and by the sparsest candidate.

    Of a task that is no complete table each seed is sculpted by itself, so that its own dense network sets the accuracy.

    Parameters
    ----------
    task : Task
        With several groups of outputs of one size.
    model : nn.Module
    groups : int
    first : int
        The first of the four seeds.
    name, study : str
        Of the cell, and the ``key_of_study``; a cell that was killed goes on on the same machine.
    facts : mapping
        The first columns of every row.
    """
    start, seeds, each = time.perf_counter(), range(first, first + SEEDS), SEEDS if task.complete else 1
    checkpoints = {seed: checkpoint_of(study, f"{name}_{seed}") for seed in seeds[::each]}
    results = [sculpt(model, task, seeds=each, seed=seed, checkpoint=path, progress=False) for seed, path in checkpoints.items()]
    candidates = by_edges([network for result in results for network in result.candidates])
    dense: list[Any] = [network for result in results for network in result.dense]
    selected = [selected_of(candidates, part, rule, {}) for part in (seeds, *(range(s, s + 1) for s in seeds)) for rule in RULES]
    rows = [{**facts, **one.columns, **_columns(task, groups, dense, one), "support": one.found and one.found.support} for one in selected]
    found = selected[0].found
    seconds = max(time.perf_counter() - start, sum(attempt.seconds for result in results for attempt in result.history))
    for path in checkpoints.values():
        path.unlink(missing_ok=True)
    return CellResult(share_seconds(rows, seconds), {} if found is None else {network_file(name): network_bytes(found.network)})


def _columns(task: Task, groups: int, every: Sequence[SparseModule], selected: Selected) -> Row:
    dense = [network for network in every if network.origin["seed"] in selected.seeds]
    known = [_accuracies(network, task, groups) for network in dense]
    row: Row = {
        "dense_edges": dense[0].edge_count, "dense_accuracy": float(np.mean([bits for bits, _ in known])),
        "dense_groups": float(np.mean([each for _, each in known])), "accuracy": None, "groups": None, "apart": False, "shared": None,
        "modules": None, "null_apart": None,
    }  # fmt: skip
    if selected.found is None:
        return row
    network = selected.found.network
    bits, each = _accuracies(network, task, groups)
    chance = float(np.mean([outputs_apart(graph, groups) for graph in _rewired(network)])) if len(selected.seeds) == 1 else None
    shared, modules = shared_units(network, groups), len(selected.found.modules)
    return {**row, "accuracy": bits, "groups": each, "apart": shared == 0, "shared": shared, "modules": modules, "null_apart": chance}


def _accuracies(network: SparseModule, task: Task, groups: int) -> tuple[float, float]:
    """Accuracy by output and by group, on the test rows, or on all of a complete table."""
    x, y = (task.x, task.y) if task.x_test is None or task.y_test is None else (task.x_test, task.y_test)
    with torch.no_grad():
        z = network.model()(x)
    return float(((z > 0) == (y > 0)).double().mean()), float(by_group(z, y, groups).mean())


def _rewired(network: SparseModule) -> list[Any]:
    from analysis import rewired

    return [rewired(network, seed=seed) for seed in range(NULLS)]


def shared_units(network: Any, groups: int) -> int | None:
    """How many living units lead to outputs of more than one of the groups; None where a group has no path from an input.

    Tables of tokens and positions, and the stream that they write, do not count: there a unit is one dimension at all positions, whatever
    token stands at each.

    Parameters
    ----------
    network : SparseModule or UnitGraph
    groups : int
        The outputs are so many groups of one size.
    """
    from analysis.graph import UnitGraph, as_graph

    graph = as_graph(network)
    assert isinstance(graph, UnitGraph)
    starts = np.cumsum([0, *graph.widths])
    alive, matrix = np.concatenate(graph.alive()), graph.adjacency() != 0

    def units_of(layers: Iterable[int]) -> Any:
        return np.concatenate([np.arange(0), *(np.arange(starts[layer], starts[layer + 1]) for layer in layers)]).astype(int)

    leading = [_leading(matrix, part) & alive for part in np.array_split(units_of(graph.outputs), groups)]
    if not all(part[units_of(graph.inputs)].any() for part in leading):
        return None
    tables = [block for block in graph.blocks if block.kind == "embedding"]
    shared = np.sum(leading, axis=0) > 1
    shared[units_of({end for block in tables for end in (block.source, block.target)})] = False
    return int(shared.sum())


def outputs_apart(network: Any, groups: int) -> bool:
    """Whether every group of outputs is answered from inputs, and no unit leads to outputs of two."""
    return shared_units(network, groups) == 0


def _leading(matrix: Any, ends: Any) -> Any:
    """Which units lead to some of these: bool, one for each unit."""
    found = np.zeros(matrix.shape[0], dtype=bool)
    found[ends] = True
    new = found.copy()
    while new.any():
        new = (matrix @ new.astype(float) > 0) & ~found
        found |= new
    return found


def module_from(content: bytes) -> SparseModule:
    """The network of a file of a study."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "network.safetensors"
        path.write_bytes(content)
        return SparseModule.load(path)


def settings_of_modules(tasks: Mapping[str, Task], variants: Sequence[str], groups: int) -> dict[str, Any]:
    """What all rows of a study of modules depend on: the settings of its tasks, and the defaults of detection and consensus.

    Raises
    ------
    ValueError
        When ``groups`` is not a whole number of at least 1.
    """
    from .settings import defaults

    if not isinstance(groups, int) or groups < 1:
        raise ValueError(f"groups must be a whole number of groups of four seeds, at least 1; got {groups!r}")
    found: dict[str, Any] = {f"{part}.{name}": value for part, values in defaults().items() for name, value in values.items()}
    for name, task in tasks.items():
        found |= {f"{name}.{key}": value for part in (task.training, task.schedule) for key, value in asdict(part).items()}
        found[f"{name}.model"] = str(task.model())
        if task.metric is not None:
            found[f"{name}.metric"] = metric_of(task.metric, task.loss).name
    return {**found, "variants": list(variants), "groups": groups, "nulls": NULLS}
