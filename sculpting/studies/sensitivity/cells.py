"""How much success depends on each setting: one changed at a time around the default."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...files import write_file
from ...options import DENSE_ROUNDS, EPOCHS
from ...sculptor import sculpt
from ...store import Row, write_rows
from ...study import Progress, run_study, workers
from ...tasks import boolean
from ..boolean.cells import shapes, task_keys
from ..boolean.published import TUNING_TASKS
from ..common.answers import SEEDS, Question, answer_cell, cell_name, settings_of
from ..common.success_rates import LENIENT, STRICT, rate_of, table

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from analysis import Rate

__all__ = ["sensitivity_study", "sensitivity_summary"]

READ = ("merge_threshold", "halving", "unit_cost")  # of detection and consensus: these need no new sculpting
Values = dict[str, list[Any]]


def sensitivity_study(folder: str | Path, *, groups: int = 1, jobs: int = 1, progress: Progress = True) -> list[Row]:
    """The rows of the sensitivity study; it goes on where a run with the same folder was stopped.

    On each of the six tasks on which the default setting was chosen, in the middle width and the middle depth, one setting is changed
    at a time: the activation of the hidden units; the learning rate, what is left of it at the end of a round, and the width from which
    it falls; the steps a round, the noise on inputs and on hidden units, the weight decay, the rounds of dense training, what edges are
    pruned by, how many units and edges are tried in turn, a single unit step or edge step (in percent) in place of the grid; and the
    merge threshold of the detector, the halving of the votes and what a unit counts there, for which the candidates of the default are
    read anew.

    Parameters
    ----------
    folder : str or Path
        Where cells are kept, and where ``rows.csv``, ``rows.json``, ``summary.md``, ``sensitivity.svg`` and ``.png`` are written.
    groups : int
        Disjoint groups of four seeds: 0-3, 4-7, ...
    jobs : int
        Processes, each on one thread. A script that asks for several needs ``if __name__ == "__main__":``.
    progress : bool or callable
        A bar by cell with the time left, nothing, or ``progress(cells done, cells in all)``.

    Returns
    -------
    list of dict
        A row for each parameter, value, task and group: ``parameter``, ``value`` (None for the default grid of steps, for steps a round by
        the size of the table, and for a rate that holds at every width), ``is_default``, and the columns of
        :func:`~sculpting.studies.boolean.cells.boolean_study`, for the consensus of four seeds.

    Raises
    ------
    ValueError
        When ``groups`` or ``jobs`` is below 1, or the folder holds something else or a study with other settings.
    RuntimeError
        Once all other cells are done, when some failed.
    """
    from analysis.drawing import picture_bytes

    values, defaults = _values()
    cells = _cells(values, defaults, groups)
    with workers(jobs) as executor:
        rows = run_study(cells, sensitivity_cell, folder, settings=settings_of(groups), executor=executor, progress=progress)
    rows.sort(key=lambda row: (list(values).index(row["parameter"]), values[row["parameter"]].index(row["value"])))
    for name in ("rows.csv", "rows.json"):
        write_rows(rows, Path(folder) / name)
    write_file(Path(folder) / "summary.md", sensitivity_summary(rows).encode())
    figure = _figure(rows)
    for suffix in ("svg", "png"):
        write_file(Path(folder) / f"sensitivity.{suffix}", picture_bytes(figure.axes[0], suffix))
    return rows


def _values() -> tuple[Values, dict[str, Any]]:
    """The values of each parameter, the default among them, and the defaults."""
    from analysis import consensus, detect_modules

    functions = (sculpt, detect_modules, consensus)
    defaults = {name: p.default for function in functions for name, p in inspect.signature(function).parameters.items()}
    task = boolean(TUNING_TASKS[0])
    defaults |= {name: getattr(task, name) for name in ("input_noise", "hidden_noise", "edge_score") if defaults[name] is None}
    defaults |= {"unit_step": None, "edge_step": None, "activation": task.activation, "dense_rounds": DENSE_ROUNDS}
    rate = defaults["learning_rate"]
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
        "unit_step": [None, 10.0, 30.0, 50.0, 70.0],
        "edge_step": [None, 0.5, 1.0, 1.5, 2.0, 2.5],
        "merge_threshold": [0.5, 0.6, 0.7, 0.8, 0.9, 1.0],
        "halving": [0.05, 0.1, 0.2, 0.5],
        "unit_cost": [0.0, 1.0, 2.0, 4.0],
    }
    # A default that has moved stays in the table.
    values = {name: some if defaults[name] in some else sorted([*some, defaults[name]]) for name, some in values.items()}
    return values, {name: defaults[name] for name in values}


def _cells(values: Values, defaults: Mapping[str, Any], groups: int) -> dict[str, dict[str, Any]]:
    """For each task one cell of the default, which answers for every default and for what is read anew, and one for each other value."""
    read = [(name, value) for name in values for value in values[name] if name in READ or value == defaults[name]]
    sculpted = [(name, value) for name in values for value in values[name] if (name, value) not in read]
    cells: dict[str, dict[str, Any]] = {}
    for task in task_keys(TUNING_TASKS):
        (_, width, _), (_, depth, _) = shapes(task)
        stem, common = cell_name(task, width, depth), {"task": task, "width": width, "depth": depth, "groups": groups}
        points = [{"parameter": name, "value": value, "is_default": value == defaults[name]} for name, value in read]
        cells[f"{stem}_default"] = {**common, "points": points, "sculpting": {}}
        for name, value in sculpted:
            point = {"parameter": name, "value": value, "is_default": False}
            cells[f"{stem}_{name}_{_text(name, value)}"] = {**common, "points": [point], "sculpting": _sculpting(name, value)}
    return cells


def _sculpting(name: str, value: Any) -> dict[str, Any]:
    return {f"{name}s": [value]} if name in ("unit_step", "edge_step") else {name: value}


def _reading(point: Mapping[str, Any]) -> dict[str, Any]:
    return {point["parameter"]: point["value"]} if point["parameter"] in READ else {}


def sensitivity_cell(
    task: Sequence[int], width: int, depth: int, groups: int, points: Sequence[Mapping[str, Any]], sculpting: Mapping[str, Any]
) -> list[Row]:
    """For each point and each group of four seeds the answer by consensus."""
    questions = [
        Question(range(first, first + SEEDS), "consensus", point, _reading(point))
        for point in points
        for first in range(0, SEEDS * groups, SEEDS)
    ]
    return answer_cell(task, width, depth, groups, questions, sculpting)


def sensitivity_summary(rows: Sequence[Row]) -> str:
    """A table as markdown: for each value of each parameter, how many answers are right, strictly and counting valid decompositions."""
    strict, lenient, defaults = _rates(rows, STRICT), _rates(rows, LENIENT), _defaults(rows)
    lines = [
        [name, f"{value}{' (default)' * (defaults[name] == value)}", str(rate), str(lenient[name][value])]
        for name, rates in strict.items()
        for value, rate in rates.items()
    ]
    tasks = ", ".join(dict.fromkeys(f"`{row['task']}`" for row in rows))
    told = (
        f"Consensus of four seeds on {tasks}; one setting changed at a time. *Counting valid*: or another valid decomposition of the "
        "function."
    )
    return "\n\n".join(["# Sensitivity", told, table(["parameter", "value", "right", "counting valid"], lines)]) + "\n"


def _rates(rows: Sequence[Row], verdicts: Sequence[str]) -> dict[str, dict[str, Rate | None]]:
    """For each parameter and value, how many answers are right by any of the verdicts."""
    told: dict[str, dict[str, list[Row]]] = {}
    for row in rows:
        told.setdefault(row["parameter"], {}).setdefault(_text(row["parameter"], row["value"]), []).append(row)
    return {name: {value: rate_of(some, verdicts) for value, some in values.items()} for name, values in told.items()}


def _defaults(rows: Sequence[Row]) -> dict[str, str]:
    return {row["parameter"]: _text(row["parameter"], row["value"]) for row in rows if row["is_default"]}


def _text(parameter: str, value: str | float | None) -> str:
    """None is the whole grid of steps, a rate at every width, or steps by the size of the table."""
    if value is None:
        return {"rate_width": "every", "steps": f"{EPOCHS} epochs"}.get(parameter, "grid")
    return value if isinstance(value, str) else f"{value:g}"


def _figure(rows: Sequence[Row]) -> Figure:
    from analysis.figures import success_panels

    return success_panels(_rates(rows, STRICT), defaults=_defaults(rows), lenient=_rates(rows, LENIENT))
