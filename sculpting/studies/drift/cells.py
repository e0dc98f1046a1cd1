"""The cells of the study of tasks that change."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from ...models.network import SparseNetwork
from ...resculpting import ResculptResult, monitor, resculpt
from ...resculpting.parts import Unit, Wiring
from ...results import SculptResult
from ...sculptor import sculpt
from ...store import Row
from ...tasks import Task, boolean, layers_needed, random_gates
from ...tasks.gates import GateGraph
from ..common.settings import SEEDS
from .edits import ADDED, Edit, edits_of

__all__ = ["BATCHES", "BATCH_ROWS", "RATE", "REFERENCE_ROWS", "SPARE_UNITS", "STARTS", "WIDTH", "base_of", "cells_of", "drift_cell"]

PUBLISHED = ((6, 3, 3, 3), (4, 1, 2, 2), (7, 3, 2, 2))
RANDOM, MOST_INPUTS = 5, 7  # random hierarchies of two levels: the first so many with at most 7 inputs
WIDTH, FEWEST_LAYERS = 24, 2
STARTS, SPARE_UNITS = 8, (0, 1, 2, 4)
RATE, REFERENCE_ROWS, BATCH_ROWS, BATCHES, NOISE = 0.01, 512, 64, 100, 0.1  # of the monitor; noise on the inputs of its rows
PREFIX = "random-"


def base_of(name: str) -> Task:
    """The task of a name, such as ``"6-3-3-3"`` or ``"random-7"``."""
    if name.startswith(PREFIX):
        return random_gates(int(name.removeprefix(PREFIX)), levels=2)
    return boolean([int(number) for number in name.split("-")])


def cells_of() -> dict[str, dict[str, Any]]:
    """The arguments of all cells, by their names: one for each task before the change."""
    random = (f"{PREFIX}{seed}" for seed in range(100) if len(random_gates(seed, levels=2).input_names) <= MOST_INPUTS)
    names = ["-".join(map(str, task)) for task in PUBLISHED] + [next(random) for _ in range(RANDOM)]
    return {name: {"task": name, "gates": {gate: str(f) for gate, f in _graph(base_of(name)).gates.items()}} for name in names}


def drift_cell(task: str, gates: Mapping[str, str]) -> Sequence[Row]:
    """The rows of all changes of one task; ``gates`` are those of the task."""
    from analysis import compare, consensus

    del gates  # they are stored with the rows, which no other function of the name may take over
    base = base_of(task)
    graph = _graph(base)
    depth = max(FEWEST_LAYERS, layers_needed(graph))
    found = consensus(_sculpted(base, depth).candidates)
    network: SparseNetwork = found.network
    common: Row = {
        "task": task, "inputs": len(graph.inputs), "outputs": len(graph.outputs), "depth": depth, "base_edges": network.edge_count,
        "base_verdict": compare(found, base.truth(hidden_layers=depth)).verdict,
    }  # fmt: skip
    return [common | _row(base, network, edit, depth) for edit in edits_of(graph)]


def _sculpted(task: Task, depth: int) -> SculptResult:
    return sculpt(task.model(width=WIDTH, hidden_layers=depth), task, seeds=SEEDS, progress=False)


def _row(base: Task, network: SparseNetwork, edit: Edit, depth: int) -> Row:
    """The columns from ``kind`` on."""
    from analysis import changes, detect_modules

    graph, after = _graph(base), edit.task(_graph(base))
    start = time.perf_counter()
    found = resculpt(network, after, seeds=STARTS, spare_units=SPARE_UNITS, progress=False)
    seconds = time.perf_counter() - start
    truth = _Truth(graph, _graph(after), edit, found)
    old, new = detect_modules(found.before), detect_modules(found.network)
    differ = changes(old, new)
    named = [f"M{m.before} {m.status}" if m.before is not None else "born" for m in differ.named]
    row: Row = {
        "kind": edit.kind, "gate": edit.gate, "formula": str(graph.gates[edit.gate]) if edit.gate in graph.gates else "",
        "new_formula": edit.formula, "one_reader": truth.one_reader, "status": found.status.name,
        "part": " ".join(map(found.name_of, found.part)), "part_right": truth.part_right(), "named": ", ".join(dict.fromkeys(named)),
        "named_right": truth.units_right(differ.units), "modules_right": truth.modules_right(old, new, differ), "kept": found.kept,
        "kept_rest": truth.kept_rest(), "accuracy": found.network.accuracy, "edges": found.network.edge_count, "steps": found.steps,
        "seconds": seconds,
    }  # fmt: skip
    return row | _anew(after, edit, depth) | {"drift": differ.drift, "p_value": differ.p_value} | _alarms(network, base, after, edit)


def _anew(after: Task, edit: Edit, depth: int) -> Row:
    """The columns of sculpting the new task anew; empty where it is the old one."""
    row: Row = {"anew_accuracy": None, "anew_edges": None, "anew_steps": None, "anew_seconds": None}
    if edit.kind == "none":
        return row
    start = time.perf_counter()
    result = _sculpted(after, depth)
    settings = after.training.of_round(len(after.y))
    rows = len(after.y) * after.training.copies(len(after.y))
    steps = settings.epochs(rows) * -(-rows // settings.batch_size) * sum(len(record.names) for record in result.rounds)
    edges = None if result.network is None else result.network.edge_count
    seconds = time.perf_counter() - start
    return {"anew_accuracy": result.accuracy, "anew_edges": edges, "anew_steps": steps, "anew_seconds": seconds}


def _alarms(network: SparseNetwork, base: Task, after: Task, edit: Edit) -> Row:
    """The columns of the monitor: one batch of a new task, or many of the old one. Added outputs cannot be seen by it."""
    random = np.random.default_rng(len(base.y))
    reference = next(_batches(base, random, REFERENCE_ROWS))
    if edit.kind == "none":
        batches = (next(_batches(base, random, BATCH_ROWS)) for _ in range(BATCHES))
        wrong = sum(alarm.changed for alarm in monitor(network, batches, reference, rate=RATE))
        return {"alarm": None, "false_alarms": wrong, "batches": BATCHES}
    if edit.gate == ADDED:
        return {"alarm": None, "false_alarms": None, "batches": None}
    alarm = next(monitor(network, _batches(after, random, BATCH_ROWS), reference, rate=RATE))
    return {"alarm": alarm.changed, "false_alarms": None, "batches": None}


def _batches(task: Task, random: np.random.Generator, rows: int) -> Iterator[tuple[Any, Any]]:
    """Rows of the table, drawn at random, with noise on the inputs."""
    while True:
        drawn = random.integers(len(task.y), size=rows)
        x = task.x.numpy()[drawn]
        yield x + random.normal(size=x.shape) * NOISE, task.y.numpy()[drawn].astype(int)


def _graph(task: Task) -> GateGraph:
    assert task.gates is not None
    return task.gates


class _Truth:
    """Which units and modules are those of the gate that changed: they lead to its outputs, and depend on no inputs but its own.

    Parameters
    ----------
    before, after : GateGraph
    edit : Edit
    found : ResculptResult
    """

    def __init__(self, before: GateGraph, after: GateGraph, edit: Edit, found: ResculptResult) -> None:
        self.found, self.edit = found, edit
        self.wirings = [Wiring.of(network.masks) for network in (found.before, found.network)]
        self.outputs = {int(output) for output in after.users().get(edit.gate, ())} if edit.gate else set()
        self.inputs = {i for graph in (before, after) if edit.gate in graph.gates for i in _origins(graph, edit.gate)}
        self.one_reader = edit.gate in before.gates and edit.gate not in before.outputs and _one_reader(before, edit.gate)

    def is_mine(self, unit: Unit, wiring: Wiring) -> bool:
        """Whether a unit of one of the networks is the gate's."""
        layer, index = unit
        if layer == 0:
            return False
        reached, origins = (set(np.flatnonzero(part[layer][index]).tolist()) for part in (wiring.reached, wiring.origins))
        return reached == self.outputs and origins <= self.inputs

    def part_right(self) -> bool:
        """Whether units that were learnt again and that were added are the gate's; without a change there are none."""
        return self._right([*self.found.part, *self.found.added])

    def units_right(self, names: Sequence[str]) -> bool:
        """Whether the units of these names, at least one, are the gate's; without a change there are none."""
        widths = self.found.network.widths
        units = {self.found.name_of((layer, index)): (layer, index) for layer, width in enumerate(widths) for index in range(width)}
        return self._right([units[name] for name in names])

    def _right(self, units: Sequence[Unit]) -> bool:
        if not self.edit.gate:
            return not units
        before, after = self.wirings
        # A unit is the gate's by what it was; one that came, by what it is.
        sides = [after if self._idle(unit, before) else before for unit in units]
        return bool(units) and self.found.learnt and all(map(self.is_mine, units, sides))

    def modules_right(self, before: Any, after: Any, differ: Any) -> bool:
        """Whether at least one module is named, and every one has a unit of the gate's; without a change none is."""
        if not self.edit.gate:
            return not differ.named
        there = [
            any(self.is_mine(unit, self.wirings[side]) for unit in (before, after)[side].modules[index].units)
            for module in differ.named
            for side, index in [(0, module.before) if module.before is not None else (1, module.after)]
        ]
        return bool(there) and all(there) and self.found.learnt

    def kept_rest(self) -> float | None:
        """The fraction of the edges of before, but those from and into the gate's units, that have the same weight."""
        total = same = 0
        for layer, (old, new) in enumerate(zip(self.found.before.weights, self.found.network.weights, strict=True)):
            for target, source in np.argwhere(old != 0).tolist():
                if not any(self.is_mine(unit, self.wirings[0]) for unit in ((layer, source), (layer + 1, target))):
                    total += 1
                    same += bool(old[target, source] == new[target, source])
        return same / total if total else None

    @staticmethod
    def _idle(unit: Unit, wiring: Wiring) -> bool:
        layer, index = unit
        return not wiring.origins[layer][index].any() or not wiring.reached[layer][index].any()


def _origins(graph: GateGraph, gate: str) -> set[int]:
    """The inputs that a gate depends on, as positions."""
    names = set(graph.gates[gate].names())
    return {graph.inputs.index(name) for name in names if name in graph.inputs} | {
        i for name in names if name in graph.gates for i in _origins(graph, name)
    }


def _one_reader(graph: GateGraph, gate: str) -> bool:
    """Whether some reader of the gate leads to the same outputs as it does."""
    users = graph.users()
    return any(gate in formula.names() and set(users[name]) == set(users[gate]) for name, formula in graph.gates.items())
