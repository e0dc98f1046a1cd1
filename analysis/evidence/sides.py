"""Two hierarchies of networks with the same layers: the units that both have, and those that changed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ..graph.blocks import entries_of
from ..hierarchy import Hierarchy, check_hierarchy

__all__ = ["Edges", "Side", "changed_units", "check_same_layers", "members", "names_of"]

Edges = dict[tuple[Any, Any], float]


@dataclass(frozen=True, eq=False)
class Side:
    """One of the two networks: ``labels`` of live units, ``biases``, ``edges`` as weights by ends, and ``layers`` of units in order."""

    labels: dict[Any, int]
    biases: dict[Any, float]
    edges: Edges
    layers: list[list[Any]]
    inputs: set[int]
    hidden: set[int]

    @classmethod
    def of(cls, hierarchy: Hierarchy) -> Side:
        graph = hierarchy.graph
        units = [[(layer, graph.unit_name(layer, i)) for i in range(width)] for layer, width in enumerate(graph.widths)]
        labels = {u: int(m) for us, ms in zip(units, hierarchy.labels, strict=True) for u, m in zip(us, ms, strict=True) if m >= 0}
        edges: Edges = {}
        for block in graph.blocks:
            for source, target, weight in zip(*entries_of(block.weights), strict=True):
                edges[units[block.source][source], units[block.target][target]] = float(weight)
        biases = getattr(graph, "biases", ())
        first = len(units) - len(biases)  # a chain has none for its inputs
        own = {u: float(b) for us, bs in zip(units[first:], biases, strict=True) for u, b in zip(us, bs, strict=True)}
        hidden = set(range(len(units))) - {*graph.inputs, *graph.outputs}
        return cls(labels, own, edges, units, {*graph.inputs}, hidden)

    def into(self) -> dict[Any, dict[Any, float]]:
        """The incoming weights of every unit, by their source."""
        found: dict[Any, dict[Any, float]] = {}
        for (source, target), weight in self.edges.items():
            found.setdefault(target, {})[source] = weight
        return found


def changed_units(old: Side, new: Side) -> set[Any]:
    """Units that changed, and those that are alive in one network only; inputs have nothing that could change."""
    into = [side.into() for side in (old, new)]
    changed: set[Any] = set()
    for layer in range(len(old.layers)):  # sources first
        for unit in dict.fromkeys([*old.layers[layer], *new.layers[layer]]) if layer not in new.inputs else ():
            there = (unit in old.labels, unit in new.labels)
            if not any(there):
                continue
            if not all(there) or old.biases.get(unit, 0.0) != new.biases.get(unit, 0.0):
                changed.add(unit)
                continue
            before, after = (part.get(unit, {}) for part in into)
            differ = [source for source in {*before, *after} if before.get(source) != after.get(source)]
            if any(source not in changed or _together(source, unit, old, new) for source in differ):
                changed.add(unit)
    return changed


def _together(source: Any, unit: Any, old: Side, new: Side) -> bool:
    """Whether two units are of one module, in the newer of the networks that have both."""
    side = new if source in new.labels else old
    return side.labels.get(source) == side.labels.get(unit)


def members(side: Side) -> list[set[Any]]:
    """The units of each module."""
    found: list[set[Any]] = [set() for _ in range(1 + max(side.labels.values(), default=-1))]
    for unit, label in side.labels.items():
        found[label].add(unit)
    return found


def names_of(units: set[Any]) -> tuple[str, ...]:
    """The names of units, layer by layer."""
    return tuple(name for _, name in sorted(units))


def check_same_layers(before: Hierarchy, after: Hierarchy) -> None:
    """Refuse what are no hierarchies of networks with the same number of layers."""
    for value in (before, after):
        check_hierarchy(value)
    depths = [len(value.graph.widths) for value in (before, after)]
    if depths[0] != depths[1]:
        raise ValueError(f"both networks must have the same layers; got {depths[0]} and {depths[1]} layers of units")
