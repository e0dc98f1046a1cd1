"""Names of groups of inputs and outputs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ..graph import AnyGraph

__all__ = ["different", "group_names", "joined"]

NAMED = 2  # units of a group


def group_names(graph: AnyGraph, groups: Mapping[int, Sequence[Sequence[int]]]) -> dict[int, list[str]]:
    """The names of groups of inputs and outputs, layer by layer, given the units of the groups of each layer."""
    found: dict[int, list[str]] = {}
    for ends in (graph.inputs, graph.outputs):
        found |= different({i: [joined([graph.unit_name(i, k) for k in group[: NAMED + 1]]) for group in groups[i]] for i in ends})
    return found


def joined(names: Sequence[str]) -> str:
    """The first two names.

    Examples
    --------
    >>> joined(["x0"]), joined(["x0", "x1", "x2"])
    ('x0', 'x0, x1, …')
    """
    return ", ".join(names) if len(names) <= NAMED else f"{', '.join(names[:NAMED])}, …"


def different(names: Mapping[int, Sequence[str]]) -> dict[int, list[str]]:
    """The names of layers, numbered where they are there twice, since a graph has no two inputs of one name.

    Examples
    --------
    >>> different({0: ["a, b", "a, b"], 2: ["y"]})
    {0: ['a, b', 'a, b (2)'], 2: ['y']}
    """
    seen: set[str] = set()
    found: dict[int, list[str]] = {}
    for layer, some in names.items():
        found[layer] = []
        for name in some:
            free, number = name, 1
            while free in seen:
                number += 1
                free = f"{name} ({number})"
            seen.add(free)
            found[layer].append(free)
    return found
