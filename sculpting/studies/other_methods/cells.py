"""The cells of the study of other methods: a task, and what every method finds in it."""

from __future__ import annotations

import csv
import json
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from ...sculptor import sculpt
from ...store import Row
from ...study import CellResult
from ...tasks import Task, boolean
from ..boolean.cells import shapes, task_keys
from ..boolean.published import TUNING_TASKS
from ..common.selection import select
from ..common.settings import SEEDS
from ..digits.cells import DEPTHS, DETECTION, MAKERS, widths_of
from ..functions.cells import WIDTH, function_of, kind_of
from ..functions.cells import cells_of as functions_cells
from .dense import Case, Found, dense_of
from .methods import METHODS, OURS, Setting, best_settings, setting_text

__all__ = ["KINDS", "cells_of", "given_rows", "needs_of", "other_cell"]

KINDS = ("tuning", "held-out", "functions", "digits")  # the first two are the published Boolean tasks
DIGITS_SIZE = 14
GIVEN = ("seed", "edges", "verdict", "modules_right", "valid", "score", "inputs_right", "outputs_right", "modules", "accuracy", "seconds")
# What other studies call the same.
CALLED = {"functions": {"modules_right": "exact"}, "digits": {"accuracy": "test_accuracy"}}


def cells_of(kinds: Iterable[str], given: Mapping[str, Sequence[Row]]) -> dict[str, dict[str, Any]]:
    """The arguments of the cells of some kinds, by their names; the six of tuning are always there.

    ``given`` has rows of other studies by kind, from :func:`given_rows`, which are taken as ours.
    """
    cells: dict[str, dict[str, Any]] = {}
    for key in task_keys():
        widths, depths = shapes(key)
        kind = "tuning" if str(list(key)) in TUNING_TASKS else "held-out"
        cells[f"boolean_{'-'.join(map(str, key))}"] = {"kind": kind, "task": list(key), "width": widths[0], "depth": depths[1]}
    for cell in functions_cells().values():
        # Random hierarchies of even seeds are where the detector was refined. The smaller depth of a function comes first.
        if kind_of(cell["function"]) != "tuning" and f"function_{cell['function']}" not in cells:
            cells[f"function_{cell['function']}"] = {"kind": "functions", "task": cell["function"], "width": WIDTH, "depth": cell["depth"]}
    for name, depths in DEPTHS.items():
        cells[name] = {"kind": "digits", "task": name, "width": widths_of(DIGITS_SIZE)[0], "depth": depths[0]}
    wanted = {"tuning", *kinds}
    kept = {name: cell for name, cell in cells.items() if cell["kind"] in wanted}
    return {name: {**cell, "ours": _ours_of(cell, given.get(cell["kind"], ()))} for name, cell in kept.items()}


def needs_of(cells: Mapping[str, Mapping[str, Any]]) -> dict[str, list[str]]:
    """What each cell needs: those of tuning, which choose the settings."""
    tuning = [name for name, cell in cells.items() if cell["kind"] == "tuning"]
    return {name: tuning for name, cell in cells.items() if cell["kind"] != "tuning"}


def given_rows(path: str | Path) -> list[Row]:
    """The rows by consensus of single seeds and of four, of a ``rows.csv`` of the study of functions or of digits."""
    with Path(path).open(newline="") as file:
        return [row for row in csv.DictReader(file) if row["rule"] == "consensus"]


def _ours_of(cell: Mapping[str, Any], rows: Sequence[Row]) -> list[Row] | None:
    """The given rows of a cell with the columns of this study; None where there are none."""
    called = CALLED.get(cell["kind"], {})
    facts = {"task": cell["task"], "function": cell["task"], "width": cell["width"], "depth": cell["depth"], "size": DIGITS_SIZE}
    mine = [row for row in rows if all(row[name] == str(fact) for name, fact in facts.items() if name in row)]
    if not mine:
        return None
    return [{"seeds": int(row["seeds"]), **{name: _value(row.get(called.get(name, name))) for name in GIVEN}} for row in mine]


def _value(text: str | None) -> Any:
    """A value of a table: None for nothing, a bool, a number or the text."""
    if not text:
        return None
    try:
        return json.loads(text.lower())
    except ValueError:
        return text


def other_cell(
    kind: str,
    task: Any,
    width: int,
    depth: int,
    ours: Sequence[Row] | None,
    *,
    source: str,
    data_dir: str | Path | None = None,
    files: Mapping[str, bytes] | None = None,
) -> CellResult:
    """The rows of all methods on one task. ``files`` are those of the cells of tuning; without them all settings are tried."""
    known, detection = _task_of(kind, task, source, data_dir)
    facts = {"kind": kind, "task": known.name if kind in KINDS[:2] else task, "width": width, "depth": depth}
    truth = known.truth(hidden_layers=depth)
    judge = partial(_row, known, truth)
    mine = [dict(row) for row in ours] if ours is not None else _sculpted(known, width, depth, judge, detection)
    dense = dense_of(known, width, depth)
    edges = [int(row["edges"] or dense.networks[i].edge_count) for i, row in enumerate(_single(mine))]
    case = Case(known, truth, dense, edges, detection)
    rows = [{**facts, "method": OURS, "setting": "default", **_ordered(row)} for row in mine]
    if kind != KINDS[0]:
        assert files is not None
        for name, setting in best_settings(files).items():
            rows += _rows_of(case, facts, name, setting, judge)
        return CellResult(rows)
    scores: dict[str, list[list[float]]] = {name: [] for name in METHODS}
    for name, method in METHODS.items():
        for setting in method.settings:
            tried = _rows_of(case, facts, name, setting, judge)
            scores[name].append([row["score"] for row in _single(tried)])
            rows += tried
    return CellResult(rows, {f"tuning/{'-'.join(map(str, task))}.json": json.dumps(scores).encode()})


def _task_of(kind: str, task: Any, source: str, data_dir: str | Path | None) -> tuple[Task, dict[str, Any]]:
    """The task, and the options of the detector for it."""
    if kind == "digits":
        return MAKERS[task](size=DIGITS_SIZE, source=source, data_dir=data_dir), dict(DETECTION)
    return (function_of(task) if kind == "functions" else boolean(task)), {}


def _single(rows: Sequence[Row]) -> list[Row]:
    return [row for row in rows if row["seeds"] == 1]


def _rows_of(case: Case, facts: Row, name: str, setting: Setting, judge: Callable[[Found], Row]) -> list[Row]:
    """A row for each seed of what a method finds, and one for the vote where there is one. Seconds count those of dense training."""
    method = METHODS[name]
    shared = case.dense.seconds if method.settings != ({},) else 0.0
    found = [Found(one.hierarchy, one.network, shared + one.seconds) for one in method.find(case, **setting)]
    rows = [{"seeds": 1, "seed": seed, **judge(one)} for seed, one in enumerate(found)]
    if method.vote:
        voted = select([one.network for one in found], "consensus", **case.detection)
        rows.append({"seeds": len(found), "seed": 0, **judge(Found(voted, voted.network, sum(one.seconds for one in found)))})
    return [{**facts, "method": name, "setting": setting_text(setting), **_ordered(row)} for row in rows]


def _ordered(row: Row) -> Row:
    return {name: row[name] for name in ("seeds", *GIVEN)}


def _sculpted(task: Task, width: int, depth: int, judge: Callable[[Found], Row], detection: Mapping[str, Any]) -> list[Row]:
    """The rows of this library: the consensus of all four seeds, and of each alone. Seconds are those of the run, shared by the seeds."""
    start = time.perf_counter()
    result = sculpt(task.model(width, depth), task, seeds=SEEDS, progress=False)
    shared = (time.perf_counter() - start) / SEEDS
    rows = []
    for seeds in (range(SEEDS), *(range(seed, seed + 1) for seed in range(SEEDS))):
        start = time.perf_counter()
        candidates = [candidate for candidate in result.candidates if candidate.origin["seed"] in seeds]
        selected = select(candidates, "consensus", **detection) if candidates else None
        spent = time.perf_counter() - start
        row: Row = dict.fromkeys(GIVEN) | {"verdict": "none", "modules_right": False, "valid": False, "score": 0.0}
        if selected is not None:
            row |= judge(Found(selected, selected.network, 0.0))
        rows.append({**row, "seeds": len(seeds), "seed": seeds[0], "seconds": round(len(seeds) * shared + spent, 3)})
    return rows


def _row(task: Task, truth: Any, found: Found) -> Row:
    """The columns that say what was found."""
    from analysis import compare

    same = compare(found.hierarchy, truth)
    return {
        "edges": found.network.edge_count, "verdict": same.verdict, "modules_right": same.exact, "valid": bool(same.valid),
        "score": same.score, "inputs_right": same.inputs.exact, "outputs_right": same.outputs.exact,
        "modules": len(found.hierarchy.modules), "accuracy": _accuracy(task, found), "seconds": round(found.seconds, 3),
    }  # fmt: skip


def _accuracy(task: Task, found: Found) -> float:
    """The fraction of bits that the network has right: of all rows of a complete table, or of the test rows."""
    from analysis.graph import as_graph

    x, y = (task.x, task.y) if task.x_test is None or task.y_test is None else (task.x_test, task.y_test)
    graph: Any = as_graph(found.network)
    return float(np.mean((graph.evaluate(x.double().numpy()) > 0) == (y.numpy() > 0)))
