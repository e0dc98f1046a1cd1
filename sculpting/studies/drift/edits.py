"""One change of a function made of gates, of each kind."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from ...tasks import Task, from_gates
from ...tasks.gates import GateGraph

__all__ = ["KINDS", "Edit", "edits_of"]

KINDS = ("inner gate", "output gate", "input swapped", "reuse removed", "level added", "output added", "none")
ADDED = "added"  # the name of an output that is added


@dataclass(frozen=True)
class Edit:
    """A change of one gate.

    Attributes
    ----------
    kind : str
    gate : str
        The gate whose formula is another one; empty where nothing changes.
    formula : str
        Its new formula.
    """

    kind: str
    gate: str = ""
    formula: str = ""

    def task(self, graph: GateGraph) -> Task:
        """The task after the change, with the inputs and outputs of before, in their order."""
        gates = _formulas(graph) | ({self.gate: self.formula} if self.gate else {})
        outputs = [*graph.outputs, *([ADDED] if self.gate == ADDED else [])]
        return from_gates(gates, inputs=graph.inputs, outputs=outputs, name=self.kind)


def edits_of(graph: GateGraph) -> list[Edit]:
    """A change of each kind that the function allows, each of the first gate that it can be made in and that changes an output.

    Examples
    --------
    >>> graph = GateGraph.parse({"p": "a & b", "q": "c & d", "y": "p | q", "z": "p & e"})
    >>> [(edit.kind, edit.gate, edit.formula) for edit in edits_of(graph)][:3]
    [('inner gate', 'p', 'a | b'), ('output gate', 'y', 'p & q'), ('input swapped', 'p', 'c & b')]
    """
    formulas = _formulas(graph)
    inner = [gate for gate in formulas if gate not in graph.outputs]
    reads = {gate: graph.gates[gate].names() for gate in formulas}
    shared = sorted(inner, key=lambda gate: -sum(gate in names for names in reads.values()))  # those that are reused most come first
    found = {
        "inner gate": ((gate, _other_operators(formulas[gate])) for gate in shared),
        "output gate": ((gate, _other_operators(formulas[gate])) for gate in graph.outputs),
        "input swapped": _swaps(graph, shared, formulas),
        "reuse removed": _without_reuse(graph, shared, formulas),
        "level added": ((gate, f"({formulas[gate]}) ^ {other}") for gate in graph.outputs for other in inner if other not in reads[gate]),
        "output added": ((ADDED, f"{a} ^ {b}") for a in shared for b in shared if a < b),
    }
    edits = [next((e for gate, text in pairs if _matters(e := Edit(kind, gate, text), graph)), None) for kind, pairs in found.items()]
    return [*(edit for edit in edits if edit is not None), Edit("none")]


def _formulas(graph: GateGraph) -> dict[str, str]:
    return {gate: str(formula) for gate, formula in graph.gates.items()}


def _other_operators(formula: str) -> str:
    """The formula with "and" and "or" exchanged, or where it has "exclusive or", with "or" for that."""
    return formula.replace("^", "|") if "^" in formula else formula.translate(str.maketrans("&|", "|&"))


def _swaps(graph: GateGraph, gates: list[str], formulas: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """A gate that reads an input, with another input in its place."""
    for gate in gates:
        names = set(graph.gates[gate].names())
        for old in sorted(names & set(graph.inputs)):
            for new in graph.inputs:
                if new not in names:
                    yield gate, _with(formulas[gate], old, new)


def _without_reuse(graph: GateGraph, gates: list[str], formulas: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """A reader of a gate that others read, too, which reads another gate instead."""
    for gate in gates:
        readers = [name for name in formulas if gate in graph.gates[name].names()]
        for reader in readers[1:]:
            for other in gates:
                if other != reader and other not in graph.gates[reader].names() and reader not in graph.gates[other].names():
                    yield reader, _with(formulas[reader], gate, other)


def _with(formula: str, old: str, new: str) -> str:
    return re.sub(rf"\b{re.escape(old)}\b", new, formula)


def _matters(edit: Edit, graph: GateGraph) -> bool:
    """Whether the change can be made and changes an output, or the output that it adds is no constant and no copy of another."""
    try:
        after = edit.task(graph)
    except ValueError:  # a circle of gates
        return False
    columns = [column.tobytes() for column in after.y.numpy().T]
    before = [column.tobytes() for column in from_gates(graph).y.numpy().T]
    different = len(set(columns)) - len(columns) >= len(set(before)) - len(before)  # no output becomes a copy of another
    return different and columns != before and all(0 < float(share) < 1 for share in after.y.mean(dim=0))
