"""The cells of the sensitivity study: one setting changed at a time around the default."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ...schedule.pruning_schedule import DENSE_ROUNDS
from ...settings import EPOCHS
from ...store import Row
from ...tasks.task import TABLE
from ..boolean.cells import Selection, cell_name, rows_by_selection, shapes, task_keys
from ..boolean.published import TUNING_TASKS
from ..common.selection import groups_of
from ..common.settings import SEEDS, defaults

__all__ = ["cells_of", "ordered", "sensitivity_cell", "value_text", "values_and_defaults"]

REREAD = ("merge_threshold", "halving", "unit_cost")  # of detection and consensus: these need no new sculpting
Values = dict[str, list[Any]]


def values_and_defaults() -> tuple[Values, dict[str, Any]]:
    """The values of each parameter, the default among them, and the defaults."""
    known = {name: value for values in defaults().values() for name, value in values.items()}
    known |= {"unit_step": None, "edge_step": None, "activation": TABLE["activation"], "dense_rounds": DENSE_ROUNDS}
    rate = known["learning_rate"]
    values: Values = {
        "activation": ["clipped_relu", "relu", "sigmoid", "tanh"],
        "learning_rate": [rate / 4, rate / 2, rate, 2 * rate],
        "final_rate": [0.05, 0.3, 1.0],
        "rate_width": [None, 6, 12, 24],
        "steps": [None, 30, 60, 120, 240],
        "input_noise": [0.0, 0.05, 0.1, 0.2, 0.3],
        "hidden_noise": [0.0, 0.15, 0.3, 0.6, 1.0],
        "weight_decay": [0.0, 1e-4, 1e-3],
        "dense_rounds": [1, 10],
        "edge_score": ["ablation", "magnitude"],
        "unit_tries": [1, 4, 10],
        "edge_tries": [1, 4],
        "unit_step": [None, 0.1, 0.3, 0.5, 0.7],
        "edge_step": [None, 0.005, 0.01, 0.015, 0.02, 0.025],
        "merge_threshold": [0.5, 0.6, 0.7, 0.8, 0.9, 1.0],
        "halving": [0.05, 0.1, 0.2, 0.5],
        "unit_cost": [0.0, 1.0, 2.0, 4.0],
    }
    # A default that has moved stays in the table.
    values = {name: some if known[name] in some else sorted([*some, known[name]]) for name, some in values.items()}
    return values, {name: known[name] for name in values}


def cells_of(groups: int) -> dict[str, dict[str, Any]]:
    """For each task one cell of the default, for every default and for what is read again, and one for each other value."""
    values, default = values_and_defaults()
    read = [(name, value) for name in values for value in values[name] if name in REREAD or value == default[name]]
    sculpted = [(name, value) for name in values for value in values[name] if (name, value) not in read]
    cells: dict[str, dict[str, Any]] = {}
    for task in task_keys(TUNING_TASKS):
        (_, width, _), (_, depth, _) = shapes(task)
        stem, common = cell_name(task, width, depth), {"task": task, "width": width, "depth": depth, "groups": groups}
        points = [{"parameter": name, "value": value, "is_default": value == default[name]} for name, value in read]
        cells[f"{stem}_default"] = {**common, "points": points, "sculpting": {}}
        for name, value in sculpted:
            point = {"parameter": name, "value": value, "is_default": False}
            cells[f"{stem}_{name}_{value_text(name, value)}"] = {**common, "points": [point], "sculpting": _sculpting(name, value)}
    return cells


def _sculpting(name: str, value: Any) -> dict[str, Any]:
    """The argument of ``sculpt`` that has the value."""
    return {f"{name}s": [value]} if name in ("unit_step", "edge_step") else {name: value}


def sensitivity_cell(
    task: Sequence[int], width: int, depth: int, groups: int, points: Sequence[Mapping[str, Any]], sculpting: Mapping[str, Any]
) -> Sequence[Row]:
    """For each point and each group of four seeds the row of their consensus."""
    selections = [
        Selection(seeds, "consensus", point, {point["parameter"]: point["value"]} if point["parameter"] in REREAD else {})
        for point in points
        for seeds in groups_of(SEEDS * groups, SEEDS)
    ]
    return rows_by_selection(task, width, depth, groups, selections, sculpting).rows


def ordered(rows: Sequence[Row]) -> list[Row]:
    """The rows in the order of parameters and values; those of values that are no longer in the study last."""
    places = {(name, value): place for place, (name, value) in enumerate(_points())}
    return sorted(rows, key=lambda row: places.get((row["parameter"], row["value"]), len(places)))


def _points() -> list[tuple[str, Any]]:
    values, _ = values_and_defaults()
    return [(name, value) for name in values for value in values[name]]


def value_text(parameter: str, value: str | float | None) -> str:
    """A value in words; None is the whole grid of steps, a rate at every width, or steps by the size of the table."""
    if value is None:
        return {"rate_width": "every", "steps": f"{EPOCHS} epochs"}.get(parameter, "grid")
    return value if isinstance(value, str) else f"{value:g}"
