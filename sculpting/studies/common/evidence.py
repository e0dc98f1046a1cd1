"""What a report says beside the modules: whether they are chance, what their loss costs, and their gates."""

from __future__ import annotations

from functools import partial
from typing import Any

import networkx as nx

from ...tasks import Task

__all__ = ["evidence_of"]

LESION_ROWS = 1000  # that lesions are measured on at the most


def evidence_of(found: Any, task: Task, truth: nx.DiGraph | None, seed: int, threshold: float) -> dict[str, Any]:
    """The evidence about a hierarchy, by title: chance; where outputs are decisions, lesions; where the truth has a table, gates.

    ``threshold`` is the share above which clusters merged when it was found.
    """
    from analysis import detect_modules, function_map, lesions, significance

    every = -(-len(task.x_validation) // LESION_ROWS)  # rows of a table are in order, so the first ones alone would be of one kind
    x, y = (part[::every].numpy() for part in (task.x_validation, task.y_validation))
    chance = significance(found, detect=partial(detect_modules, merge_threshold=threshold), seed=seed)
    evidence: dict[str, Any] = {"Chance": chance}
    if task.loss != "mse":  # lesions count wrong decisions
        evidence["Lesions"] = lesions(found, x, y=y, seed=seed)
    if truth is not None and "x" in truth.graph:
        evidence["Gates"] = function_map(found, truth)
    return evidence
