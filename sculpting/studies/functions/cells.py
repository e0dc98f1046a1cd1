"""The cells of the study of functions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any

import networkx as nx

from ...store import Row
from ...study import CellResult
from ...tasks import Task, from_gates, layers_needed, random_gates
from ..common.candidates import Sculpted, sculpted
from ..common.networks import network_bytes, network_file
from ..common.selection import RULES, Selected, groups_of, selected_of, share_seconds
from ..common.settings import PUBLISHED, SEEDS
from .circuits import CIRCUITS

__all__ = ["KINDS", "WIDTH", "cells_of", "function_of", "functions_cell", "kind_of", "verdict_columns"]

RANDOM, WIDTH = 24, 24  # random hierarchies, and units of a hidden layer
FEWEST, MOST = 2, 4  # hidden layers of the shallower network of a function
KINDS = ("circuit", "tuning", "reported")
PREFIX = "random-"


def function_of(name: str) -> Task:
    """The function of a name: a circuit, or ``random-7``."""
    return random_gates(int(name.removeprefix(PREFIX))) if name.startswith(PREFIX) else from_gates(CIRCUITS[name], name=name)


def kind_of(name: str) -> str:
    """``"circuit"``; of random hierarchies those of even seeds are for tuning, those of odd seeds are reported."""
    return KINDS[1 + int(name.removeprefix(PREFIX)) % 2] if name.startswith(PREFIX) else KINDS[0]


def cells_of() -> dict[str, dict[str, Any]]:
    """The arguments of all cells, by their names, such as ``c17_depth2``."""
    cells: dict[str, dict[str, Any]] = {}
    for name in (*CIRCUITS, *(f"{PREFIX}{seed}" for seed in range(RANDOM))):
        gates = function_of(name).gates
        assert gates is not None
        fewest = min(max(FEWEST, layers_needed(gates)), MOST)
        formulas = {gate: str(formula) for gate, formula in gates.gates.items()}
        cells |= {f"{name}_depth{d}": {"function": name, "gates": formulas, "depth": d} for d in (fewest, fewest + 1)}
    return cells


def functions_cell(
    function: str, gates: Mapping[str, str], depth: int, *, candidates: str | None = None, changed: Mapping[str, Any] = MappingProxyType({})
) -> CellResult:
    """The rows of one cell, the network that the consensus of all seeds selects, and all candidates; ``gates`` are of the function.

    ``changed`` are settings of ``sculpt`` other than the default.
    """
    del gates  # they are stored with the rows, which no other function of the name may take over
    task, name = function_of(function), f"{function}_depth{depth}"
    result, files = sculpted(task, WIDTH, depth, name, SEEDS, candidates, **changed)
    truth = task.truth(hidden_layers=depth)
    rules: dict[str, dict[str, Any]] = {"levels": {"x": task.x.numpy()}, "published": PUBLISHED}
    selected = [
        selected_of(result.candidates, seeds, rule, {}) for size in (SEEDS, 1) for seeds in groups_of(SEEDS, size) for rule in RULES
    ]
    selected += [replace(selected_of(result.candidates, range(SEEDS), RULES[0], options), rule=rule) for rule, options in rules.items()]
    facts = {
        "function": function, "kind": kind_of(function), "inputs": len(task.input_names), "outputs": len(task.output_names), "depth": depth,
    }  # fmt: skip
    rows = [{**facts, **one.columns, **verdict_columns(result, one, truth)} for one in selected]
    found = selected[0].found
    files |= {} if found is None else {network_file(name): network_bytes(found.network)}
    return CellResult(share_seconds(rows, result.seconds), files)


def verdict_columns(result: Sculpted, selected: Selected, truth: nx.DiGraph) -> Row:
    """The columns from ``accuracy`` to ``restarts``."""
    from analysis import compare

    mine = [candidate for candidate in result.candidates if candidate.origin["seed"] in selected.seeds]
    again = {candidate.origin["seed"] for candidate in mine if candidate.origin.get("restarted")}
    row: Row = {"accuracy": result.best_accuracy(selected.seeds), "support": None, "verdict": "none", "reason": "", "score": None}
    row |= {"exact": False, "valid": False, "modules": None, "true_modules": len(truth), "restarts": len(again)}
    if selected.found is None:
        return row
    same = compare(selected.found, truth)
    row |= {"accuracy": selected.found.network.accuracy, "support": selected.found.support}
    row |= {"verdict": same.verdict, "reason": same.reason, "score": same.score, "exact": same.exact, "valid": bool(same.valid)}
    return row | {"modules": len(selected.found.modules)}
