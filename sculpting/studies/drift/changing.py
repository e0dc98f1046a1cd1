"""What is changed in a task, and which outputs and inputs the change is about."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ...tasks import Task
from ...tasks.gates import GateGraph
from .bases import Base, graph_of
from .edits import ADDED, Edit, edits_of

__all__ = ["DIGIT_KINDS", "Change", "change_of_gate", "changes_of"]

DIGIT_KINDS = {"two digits": 2, "three digits": 3, "four digits": 4, "all digits": 10}  # how many classes of one side change names
CLASSES = 10
SIDES = ("left", "right")
FIRST = 3  # the first digit that gets another name


@dataclass(frozen=True, eq=False)
class Change:
    """One change of a task.

    Attributes
    ----------
    kind : str
    task : Task
        The new task.
    gate, formula, new_formula : str
        What was changed, in words; empty where nothing was.
    outputs, inputs : frozenset of int
        Of the gate: the outputs that it leads to, and all inputs that it depends on, before or after.
    apart : bool
        Whether its units may lead to some of these outputs only.
    one_reader : bool
        Whether a gate that reads it leads to the same outputs, so that a change of either can be answered in both.
    """

    kind: str
    task: Task
    gate: str = ""
    formula: str = ""
    new_formula: str = ""
    outputs: frozenset[int] = frozenset()
    inputs: frozenset[int] = frozenset()
    apart: bool = False
    one_reader: bool = False

    @property
    def is_none(self) -> bool:
        """Whether nothing changed."""
        return not self.gate

    @property
    def adds(self) -> bool:
        """Whether it adds an output."""
        return self.gate == ADDED


def changes_of(base: Base) -> list[Change]:
    """All changes of a task; the last changes nothing."""
    if base.sampled:
        return _of_digits(base)
    graph = graph_of(base.task)
    return [change_of_gate(graph, edit) for edit in edits_of(graph)]


def change_of_gate(graph: GateGraph, edit: Edit) -> Change:
    """The change of one gate of a function."""
    task = edit.task(graph)
    if not edit.gate:
        return Change(edit.kind, task)
    after = graph_of(task)
    old = str(graph.gates[edit.gate]) if edit.gate in graph.gates else ""
    outputs = frozenset(int(output) for output in after.users().get(edit.gate, ()))
    inputs = frozenset(i for part in (graph, after) if edit.gate in part.gates for i in _origins(part, edit.gate))
    one_reader = edit.gate in graph.gates and edit.gate not in graph.outputs and _one_reader(graph, edit.gate)
    return Change(edit.kind, task, edit.gate, old, edit.formula, outputs, inputs, one_reader=one_reader)


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


def _of_digits(base: Base) -> list[Change]:
    """Each kind once, on alternating sides; the first side is that of the number of the network."""
    first = int(base.sculpting["seed"])
    return [*(_renamed(base.task, kind, (first + i) % 2) for i, kind in enumerate(DIGIT_KINDS)), Change("none", base.task)]


def _renamed(task: Task, kind: str, side: int) -> Change:
    """Some digits of one side take the names of the next, in a circle."""
    digits = [(FIRST + i) % CLASSES for i in range(DIGIT_KINDS[kind])]
    old, new = ([CLASSES * side + digit for digit in some] for some in (digits, digits[1:] + digits[:1]))
    assert task.image is not None
    columns = task.image[1]
    pixels = frozenset(pixel for pixel in range(task.image[0] * columns) if (2 * (pixel % columns) >= columns) == bool(side))
    before, after = (" ".join(map(str, some)) for some in (digits, digits[1:] + digits[:1]))
    return Change(kind, _with_columns(task, old, new), SIDES[side], before, after, frozenset(old), pixels, apart=True)


def _with_columns(task: Task, old: Sequence[int], new: Sequence[int]) -> Task:
    """The task with the columns ``new`` of its targets at the places ``old``."""

    def exchanged(y: Any) -> Any:
        columns = np.arange(y.shape[1])
        columns[[*old]] = new
        return y[:, columns]

    return replace(task, **{part: exchanged(getattr(task, part)) for part in ("y", "y_validation", "y_test")})
