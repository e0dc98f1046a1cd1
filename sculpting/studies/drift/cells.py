"""The cells of the study of tasks that change."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

from ...resculpting import resculpt
from ...store import Row
from ...tasks import Task
from .bases import Base, base_of, graph_of, names_of
from .changing import Change, changes_of
from .monitored import alarms_of
from .truth import Truth

__all__ = ["cells_of", "drift_cell"]

OF_ANEW = ("anew_accuracy", "anew_edges", "anew_steps", "anew_seconds")


def cells_of() -> dict[str, dict[str, Any]]:
    """The arguments of all cells, by their names: one for each network before a change."""
    return {name: {"group": group, "task": name, "gates": _gates(name)} for group, names in names_of().items() for name in names}


def _gates(name: str) -> dict[str, str]:
    base = base_of(name)
    return {} if base.sampled else {gate: str(formula) for gate, formula in graph_of(base.task).gates.items()}


def drift_cell(group: str, task: str, gates: Mapping[str, str]) -> Sequence[Row]:
    """The rows of all changes of one task; ``gates`` are those of the task."""
    from analysis import compare, consensus, detect_modules

    del gates  # they are stored with the rows, which no other function of the name may take over
    base = base_of(task)
    result = base.sculpted(base.task)
    if base.sampled:
        assert result.network is not None
        before: Any = result  # whose accuracy is known for each output
        found = detect_modules(result.network, **base.detection)
    else:
        found = consensus(result.candidates, **base.detection)
        before = found.network
    common: Row = {
        "group": group, "task": task, "depth": base.depth, "base_edges": found.network.edge_count,
        "base_verdict": compare(found, base.task.truth(hidden_layers=base.depth)).verdict,
    }  # fmt: skip
    return [common | _row(base, before, change) for change in changes_of(base)]


def _row(base: Base, before: Any, change: Change) -> Row:
    """The columns from ``kind`` on."""
    from analysis import changes, detect_modules, keep_modules

    start = time.perf_counter()
    found = resculpt(before, change.task, progress=False, **base.resculpting)
    seconds = time.perf_counter() - start
    truth = Truth(found, change)
    old, new = (detect_modules(network, **base.detection) for network in (found.before, found.network))
    kept = keep_modules(old, new)
    differ, regrouped = changes(old, kept), changes(old, new)
    row: Row = {
        "kind": change.kind, "gate": change.gate, "formula": change.formula, "new_formula": change.new_formula,
        "one_reader": change.one_reader, "status": found.status.name, "part": " ".join(map(found.name_of, found.part)),
        "named": _named(differ), "detected": _named(regrouped), "modules_right": truth.modules_right(old, kept, differ),
        "units_right": truth.units_right(differ.units), "part_right": truth.part_right(),
        "detected_right": truth.modules_right(old, new, regrouped), "kept": found.kept, "kept_rest": truth.kept_rest(),
        "accuracy": found.network.accuracy, "edges": found.network.edge_count, "steps": found.steps, "seconds": seconds,
    }  # fmt: skip
    drifted: Row = {"drift": differ.drift, "p_value": differ.p_value}
    return row | _anew(base, change) | drifted | alarms_of(found.before, base, change, old)


def _named(differ: Any) -> str:
    """The modules with a changed unit, in words."""
    return ", ".join(dict.fromkeys(f"M{m.before} {m.status}" if m.before is not None else "born" for m in differ.named))


def _anew(base: Base, change: Change) -> Row:
    """The columns of sculpting the new task anew; empty where it is the old one."""
    if change.is_none:
        return dict.fromkeys(OF_ANEW)
    start = time.perf_counter()
    result = base.sculpted(change.task)
    seconds = time.perf_counter() - start
    edges = None if result.network is None else result.network.edge_count
    steps = _steps(change.task) * sum(len(record.names) for record in result.rounds)
    return dict(zip(OF_ANEW, (result.accuracy, edges, steps, seconds), strict=True))


def _steps(task: Task) -> int:
    """Gradient steps of a round."""
    settings = task.training.of_round(len(task.y))
    rows = len(task.y) * task.training.copies(len(task.y))
    return settings.epochs(rows) * -(-rows // settings.batch_size)
