"""The cells of the sensitivity study: one setting changed at a time around the default, on eight tasks that the default often fails."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ...settings import EPOCHS
from ...store import Row
from ...study import CellResult
from ...tasks import Task, boolean
from ...tasks.task import TABLE
from ..common.candidates import sculpted
from ..common.selection import groups_of, selected_of, share_seconds
from ..common.settings import SEEDS, defaults
from ..functions.cells import WIDTH, function_of, verdict_columns

__all__ = [
    "CATEGORIES", "DEFAULT", "DETECTION", "FIRST_SEED", "TASKS",
    "cells_of", "ordered", "sensitivity_cell", "task_of", "value_text", "values_and_defaults",
]  # fmt: skip

# Rows of the Boolean study and of that of functions choose them, as the page says: width and hidden layers by task.
TASKS: dict[str, tuple[int, int]] = {
    "4,1,2,2,12": (24, 1),
    "5,3,2,12": (36, 1),
    "4,1,2,2,16": (24, 1),
    "5,3,2,8": (48, 1),
    "comparator-2": (WIDTH, 3),
    "random-11": (WIDTH, 2),
    "full-adder": (WIDTH, 3),
    "subtractor": (WIDTH, 3),
}
FIRST_SEED = 16  # those before it chose the tasks
DEFAULT = "default"  # the parameter of rows of which no setting was changed
DETECTION = ("method", "merge_threshold", "halving", "unit_cost", "level_cost")  # read again from the candidates of the default
CATEGORIES = ("activation", "edge_score", "unit_step", "edge_step", "method")  # values without an order
COLUMNS = ("accuracy", "support", "verdict", "score", "exact", "valid")


def task_of(name: str) -> Task:
    """The task of a name: numbers such as ``"4,1,2,2,12"`` are a Boolean task, others a function.

    Examples
    --------
    >>> task_of("4,1,2,2,12").name, task_of("full-adder").name
    ('[4, 1, 2, 2, 12]', 'full-adder')
    """
    return boolean([int(number) for number in name.split(",")]) if name[0].isdigit() else function_of(name)


def values_and_defaults() -> tuple[dict[str, list[Any]], dict[str, Any]]:
    """The values of each parameter in their order, the default among them, and the defaults."""
    known = {name: value for values in defaults().values() for name, value in values.items()}
    known |= {"unit_step": None, "edge_step": None, "activation": TABLE["activation"]}
    known["level_cost"] = 0.0  # levels are counted only where the rows are given
    values: dict[str, list[Any]] = {
        "activation": ["clipped_relu", "relu", "tanh"],
        "learning_rate": [0.025, 0.1, 0.2],
        "final_rate": [0.05, 1.0],
        "rate_width": [12, None],
        "steps": [30, None],
        "input_noise": [0.0, 0.1, 0.2],
        "hidden_noise": [0.0, 0.15, 0.3],
        "edge_score": ["ablation", "magnitude"],
        "unit_tries": [1, 4, 10],
        "edge_tries": [1, 4],
        "unit_step": [None, 0.1, 0.7],
        "edge_step": [None, 0.005, 0.025],
        "method": ["refined", "published"],
        "merge_threshold": [0.5, 0.7, 0.9, 0.95],
        "halving": [0.1, 0.2, 0.5, 1.0],
        "unit_cost": [0.0, 2.0, 4.0],
        "level_cost": [0.0, 2.0, 8.0, 32.0],
    }
    # A default that has moved stays in the table.
    values = {name: some if known[name] in some else sorted([*some, known[name]], key=_order) for name, some in values.items()}
    return values, {name: known[name] for name in values}


def _order(value: Any) -> tuple[bool, Any]:
    """None behind all numbers."""
    return value is None, value


def _points() -> dict[str, list[Any]]:
    """The values of each parameter other than its default."""
    values, default = values_and_defaults()
    return {name: [value for value in some if value != default[name]] for name, some in values.items()}


def cells_of(groups: int) -> dict[str, dict[str, Any]]:
    """For each task a cell of the default, which also has what is read again from its candidates, and one for each other value."""
    values = _points()
    read = [{"parameter": name, "value": value} for name in DETECTION for value in values[name]]
    changes: list[tuple[list[dict[str, Any]], dict[str, Any]]] = [
        ([{"parameter": DEFAULT, "value": None}, *read], {}),
        *(
            ([{"parameter": name, "value": value}], _sculpting(name, value))
            for name, some in values.items()
            if name not in DETECTION
            for value in some
        ),
    ]
    return {
        _cell_name(task, points[0]): {
            "task": task, "width": width, "depth": depth, "groups": groups, "points": points, "sculpting": sculpting,
        }
        for points, sculpting in changes
        for task, (width, depth) in TASKS.items()
    }  # fmt: skip


def _cell_name(task: str, point: Mapping[str, Any]) -> str:
    """The name of a cell by the first of its points."""
    value = "" if point["parameter"] == DEFAULT else f"_{value_text(**point)}"
    return f"{task.replace(',', '-')}_{point['parameter']}{value}"


def _sculpting(name: str, value: Any) -> dict[str, Any]:
    """The argument of ``sculpt`` that has the value."""
    return {f"{name}s": [value]} if name in ("unit_step", "edge_step") else {name: value}


def sensitivity_cell(
    task: str,
    width: int,
    depth: int,
    groups: int,
    points: Sequence[Mapping[str, Any]],
    sculpting: Mapping[str, Any],
    *,
    candidates: str | None = None,
) -> CellResult:
    """For each point the rows of each group of four seeds and of each seed alone, and all candidates.

    All seeds are sculpted in one population. ``candidates`` is the folder of a study that has them already.
    """
    known, name = task_of(task), _cell_name(task, points[0])
    result, files = sculpted(known, width, depth, name, SEEDS * groups, candidates, seed=FIRST_SEED, **sculpting)
    truth = known.truth(hidden_layers=depth)
    rows: list[Row] = []
    for point in points:
        options = _detection(known, **point)
        for size in (SEEDS, 1):
            for group in groups_of(SEEDS * groups, size):
                seeds = range(FIRST_SEED + group.start, FIRST_SEED + group.stop)
                selected = selected_of(result.candidates, seeds, "consensus", options)
                columns = verdict_columns(result, selected, truth)
                facts = {**point, "task": task, "width": width, "depth": depth, **selected.columns}
                rows.append({**facts, **{column: columns[column] for column in COLUMNS}})
    return CellResult(share_seconds(rows, result.seconds, SEEDS * groups), files)


def _detection(task: Task, parameter: str, value: Any) -> dict[str, Any]:
    """The arguments of ``consensus`` at a point."""
    rows = {"x": task.x.numpy()} if parameter == "level_cost" else {}
    return {parameter: value, **rows} if parameter in DETECTION else {}


def ordered(rows: Sequence[Row]) -> list[Row]:
    """The rows of the default, and then in the order of parameters and values; those of values that are no longer in the study last."""
    points = [(DEFAULT, None), *((name, value) for name, some in _points().items() for value in some)]
    places = {point: place for place, point in enumerate(points)}
    return sorted(rows, key=lambda row: places.get((row["parameter"], row["value"]), len(places)))


def value_text(parameter: str, value: str | float | None) -> str:
    """A value in words; None is the whole grid of steps, a rate at every width, or steps by the size of the table.

    Examples
    --------
    >>> value_text("steps", None), value_text("learning_rate", 0.1)
    ('30 epochs', '0.1')
    """
    if value is None:
        return {"rate_width": "every", "steps": f"{EPOCHS} epochs"}.get(parameter, "grid")
    return value if isinstance(value, str) else f"{value:g}"
