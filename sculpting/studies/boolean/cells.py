"""The cells of the Boolean study: every published task by the one default setting and one rule for all."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import networkx as nx

from ...store import Row
from ...study import CellResult
from ...tasks import boolean, boolean_tasks
from ..common.candidates import Sculpted, sculpted
from ..common.selection import RULES, groups_of, selected_of, share_seconds
from ..common.settings import PUBLISHED, SEEDS
from .published import OVERLAP_FAMILIES

__all__ = ["Selection", "boolean_cell", "cell_name", "cells_of", "rows_by_selection", "shapes", "task_keys"]

USES = {(4, 2, 4): 2, (6, 3, 3, 3): 2, (4, 1, 4): 4}
OVERLAPS = {family: overlap for overlap, family in enumerate(OVERLAP_FAMILIES)}
VERDICTS = ("inputs_right", "outputs_right", "hidden_right", "modules_right", "exact", "valid")


@dataclass(frozen=True)
class Selection:
    """What a row is about: the structure that ``rule`` selects among the candidates of ``seeds``.

    ``labels`` are columns that stand before all others; ``options`` go to ``consensus``, or to ``detect_modules``.
    """

    seeds: range
    rule: str
    labels: Mapping[str, Any] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)


def shapes(task: Sequence[int]) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The widths and the depths that the published study has for a task.

    Examples
    --------
    >>> shapes([4, 2, 4]), shapes([8, 2, 1, 2, 4])
    (((24, 36, 48), (1, 2, 3)), ((36, 48, 60), (2, 3, 4)))
    """
    hierarchy = tuple(task[:-1]) == (8, 2, 1, 2)
    return ((36, 48, 60), (2, 3, 4)) if hierarchy else ((24, 36, 48), (1, 2, 3))


def task_keys(tasks: Sequence[str | Sequence[int]] | None = None) -> list[tuple[int, ...]]:
    """The lists that name some of the published tasks, or all, in the order of ``boolean_tasks``."""
    names = None if tasks is None else {boolean(task).name for task in tasks}
    return [key for key in boolean_tasks() if names is None or str(list(key)) in names]


def cells_of(keys: Sequence[tuple[int, ...]], groups: int) -> dict[str, dict[str, Any]]:
    """The arguments of the cells of some tasks, by their names."""
    return {
        cell_name(key, width, depth): {"task": key, "width": width, "depth": depth, "groups": groups}
        for key in keys
        for depth in shapes(key)[1]
        for width in shapes(key)[0]
    }


def cell_name(task: Sequence[int], width: int, depth: int) -> str:
    """The name of a cell, such as ``6-3-3-3_width24_depth2``."""
    return f"{'-'.join(map(str, task))}_width{width}_depth{depth}"


def boolean_cell(
    task: Sequence[int],
    width: int,
    depth: int,
    groups: int,
    *,
    candidates: str | None = None,
    changed: Mapping[str, Any] = MappingProxyType({}),
) -> CellResult:
    """For each group of four seeds, and then for each seed alone, the rows of both rules; and all candidates."""
    selections = [Selection(seeds, rule) for size in (SEEDS, 1) for seeds in groups_of(SEEDS * groups, size) for rule in RULES]
    return rows_by_selection(task, width, depth, groups, selections, changed, candidates)


def rows_by_selection(
    task: Sequence[int],
    width: int,
    depth: int,
    groups: int,
    selections: Iterable[Selection],
    changed: Mapping[str, Any],
    candidates: str | None = None,
) -> CellResult:
    """A row for each selection, and all candidates; all seeds of all groups are sculpted in one population.

    ``changed`` are arguments of ``sculpt`` other than the defaults, but an ``activation`` is that of the model. ``seconds`` of a row are
    those of the whole cell, times its share of the seeds. ``candidates`` is the folder of a study that has them already.
    """
    start = time.perf_counter()
    key, known = tuple(task), boolean(task)
    result, files = sculpted(known, width, depth, cell_name(task, width, depth), SEEDS * groups, candidates, **changed)
    truth = known.truth(hidden_layers=depth)
    facts = {"task": known.name, "use": USES.get(key, key[-1] // 2), "overlap": OVERLAPS.get(key[:-1]), "width": width, "depth": depth}
    rows = [{**selection.labels, **facts, **_columns(result, truth, selection)} for selection in selections]
    return CellResult(share_seconds(rows, max(time.perf_counter() - start, result.seconds), SEEDS * groups), files)


def _columns(result: Sculpted, truth: nx.DiGraph, selection: Selection) -> Row:
    """The columns from ``seeds`` to ``valid``."""
    selected = selected_of(result.candidates, selection.seeds, selection.rule, {**PUBLISHED, **selection.options})
    found = selected.found
    if found is None:
        nothing = {"accuracy": result.best_accuracy(selection.seeds), "support": None}
        return {**selected.columns, **nothing, **dict.fromkeys(VERDICTS, False)}
    return {**selected.columns, "accuracy": found.network.accuracy, "support": found.support, **_verdicts(found, truth)}


def _verdicts(found: Any, truth: nx.DiGraph) -> dict[str, bool]:
    from analysis import compare

    same = compare(found, truth)
    values = (same.inputs.exact, same.outputs.exact, _hidden_right(found), same.exact, same.connected, bool(same.valid))
    return dict(zip(VERDICTS, values, strict=True))


def _hidden_right(found: Any) -> bool:
    """Whether two modules hold the outputs, and every hidden layer has units of both and of no other."""
    *hidden, outputs = ({int(label) for label in labels if label >= 0} for labels in found.labels[1:])
    return len(outputs) == 2 and all(layer == outputs for layer in hidden)
