"""The networks before a change: what they compute, and how they are sculpted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Any

from ...results import SculptResult
from ...sculptor import sculpt
from ...tasks import Task, boolean, layers_needed, mnist_pair, random_gates
from ...tasks.gates import GateGraph
from ..common.settings import IMAGE_THRESHOLD, SEEDS

__all__ = ["DIGITS", "ROWS", "SAMPLED", "STEPS", "TABLES", "WIDTH", "Base", "base_of", "graph_of", "names_of"]

PUBLISHED = ((6, 3, 3, 3), (4, 1, 2, 2), (7, 3, 2, 2))
MOST_INPUTS = 7  # random hierarchies of two levels: the first with at most so many inputs
FIRST, FRESH, SAMPLES = 5, 5, 2  # random hierarchies in the first set and in the fresh one, and networks of two digits
WIDTH, FEWEST_LAYERS = 24, 2
PREFIX, OF_DIGITS = "random-", "digits-"
# One chain, which is the least that `sculpt` can be asked for.
DIGITS: dict[str, Any] = {"seeds": 1, "unit_steps": (0.3,), "edge_steps": (0.05,)}
ROWS: dict[str, Any] = {"pairs": 1000, "validation": 500, "test": 1000}
STEPS = 300  # of a round
TABLES: dict[str, Any] = {"seeds": 8, "spare_units": (0, 1, 2, 4)}  # of `resculpt`
SAMPLED: dict[str, Any] = {"seeds": 4, "spare_units": (0, 1)}


@dataclass(frozen=True)
class Base:
    """A task before its change.

    Attributes
    ----------
    name : str
    task : Task
    depth : int
        Hidden layers of its networks.
    sculpting, resculpting, detection : mapping
        Arguments of ``sculpt``, ``resculpt`` and ``detect_modules``.
    sampled : bool
        Whether its rows are a sample, and no complete table.
    """

    name: str
    task: Task
    depth: int
    sculpting: Mapping[str, Any]
    resculpting: Mapping[str, Any]
    detection: Mapping[str, Any] = field(default_factory=dict)
    sampled: bool = False

    def sculpted(self, task: Task) -> SculptResult:
        """Sparse networks for this task or the one after a change."""
        return sculpt(task.model(width=WIDTH, hidden_layers=self.depth), task, progress=False, **self.sculpting)


def base_of(name: str) -> Base:
    """The base of a name, such as ``"6-3-3-3"``, ``"random-9"`` or ``"digits-1"``."""
    if name.startswith(OF_DIGITS):
        task = mnist_pair(source="digits", **ROWS)
        task = replace(task, training=replace(task.training, steps=STEPS))
        sculpting = {**DIGITS, "seed": int(name.removeprefix(OF_DIGITS))}
        return Base(name, task, FEWEST_LAYERS, sculpting, SAMPLED, {"merge_threshold": IMAGE_THRESHOLD}, sampled=True)
    drawn = name.startswith(PREFIX)
    task = random_gates(int(name.removeprefix(PREFIX)), levels=2) if drawn else boolean([int(number) for number in name.split("-")])
    return Base(name, task, max(FEWEST_LAYERS, layers_needed(graph_of(task))), {"seeds": SEEDS}, TABLES)


def names_of() -> dict[str, list[str]]:
    """The names of all bases: those of the first set, fresh ones, and two digits."""
    random = (f"{PREFIX}{seed}" for seed in range(100) if len(random_gates(seed, levels=2).input_names) <= MOST_INPUTS)
    return {
        "first": [*("-".join(map(str, task)) for task in PUBLISHED), *islice(random, FIRST)],
        "fresh": [*islice(random, FRESH)],
        "digits": [f"{OF_DIGITS}{sample}" for sample in range(SAMPLES)],
    }


def graph_of(task: Task) -> GateGraph:
    """The gates of a task that has some."""
    assert task.gates is not None
    return task.gates
