"""From the nodes of a run to the units of a module: unions of nodes and their kinds.

U = units.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from .staging import staged, unused, without_passages
from .trace import Trace
from .unit_map import NONE, UnitLayer, UnitMap, Use

__all__ = ["settled"]

FIXED = {"input", "output", "gate", "product", "sum"}  # kinds of units that are not removed


def settled(
    trace: Trace, inputs: Sequence[Tensor], outputs: Tensor, parameters: Mapping[str, Tensor], dropped: Mapping[int, Tensor] | None = None
) -> UnitMap:
    """The units that a run has found. ``dropped`` says, for some links by their positions, which of their pairs are not in the graph."""
    root = torch.tensor([trace.nodes.find(node) for node in range(len(trace.nodes.parent))])
    final = without_passages(trace)
    kinds = _kinds(trace, root, final, inputs, outputs)
    layers, unit_of = _layers(trace, root, kinds)
    uses = tuple(Use(use.parameter, use.kind, _units(use.source, unit_of), _units(use.target, unit_of)) for use in trace.uses)
    count = sum(layer.size for layer in layers)
    zero, mixed = ~_marked(trace.nonzero, unit_of, count), _marked(trace.mixed, unit_of, count)
    removable = torch.cat([torch.full((layer.size,), layer.kind not in FIXED) for layer in layers]) if layers else zero
    kind_of = [layer.kind for layer in layers for _ in range(layer.size)]
    stages, blocks = staged(trace, final, unit_of, kind_of, {"input": torch.cat([outputs[:0], *inputs]), "output": outputs}, dropped or {})
    used = {use.parameter for use in uses}
    free = {name: trace.free.get(name, "no unit reads or writes it") for name in parameters if name not in used}
    shapes = {name: tuple(trace.shapes[name]) for name in {**parameters, **dict.fromkeys(sorted(used))}}
    return UnitMap(layers, uses, shapes, removable, zero, mixed, free, stages, blocks)


def _marked(parts: Sequence[Tensor], unit_of: Tensor, count: int) -> Tensor:
    """Which units have a node in any of the parts: bool ``(U,)``."""
    found = torch.zeros(count, dtype=torch.bool)
    for nodes in parts:
        units = unit_of[nodes]
        found[units[units != NONE]] = True
    return found


def _kinds(trace: Trace, root: Tensor, final: Tensor, inputs: Sequence[Tensor], outputs: Tensor) -> dict[int, str]:
    """The kind of each union of nodes, by its first node; later lines of this function overrule earlier ones."""
    found: dict[int, str] = {}

    def mark(nodes: Tensor, kind: str) -> None:
        found.update(dict.fromkeys(root[nodes[nodes > 0]].unique().tolist(), kind))

    everything = torch.arange(1, len(root))
    mark(everything, "neuron")
    none = torch.zeros(0, dtype=torch.int64)
    carries = [link for link in trace.nodes.links if link.kind == "carry"]
    mark(torch.cat([none, *(link.target[final[link.source] != final[link.target]] for link in carries)]), "residual")
    gated = [link for link in trace.nodes.links if link.kind == "gate"]
    pattern = _patterns(trace)
    for link in gated:
        mark(link.target[torch.isin(link.source, pattern)], "value")
    mark(torch.cat([use.target.flatten() for use in trace.uses if use.kind == "conv" and use.target is not None] or [none]), "channel")
    for link in trace.nodes.links:
        if link.kind == "product":
            mark(link.source[torch.isin(link.target, pattern)], "query-key")
    stages = torch.tensor(trace.nodes.stage)
    for kind in ("product", "sum", "gate"):
        mark(
            everything[
                torch.isin(stages[1:], torch.tensor([i for i, (_, k) in enumerate(trace.nodes.stages) if k == kind], dtype=torch.int64))
            ],
            kind,
        )
    mark(torch.cat([none, *inputs]), "input")
    mark(outputs, "output")
    return found


def _patterns(trace: Trace) -> Tensor:
    return torch.tensor(sorted(trace.nodes.gates), dtype=torch.int64)


def _layers(trace: Trace, root: Tensor, kinds: Mapping[int, str]) -> tuple[tuple[UnitLayer, ...], Tensor]:
    """Layers of units, by the stage and kind of their first node, and the unit of every node."""
    members: dict[tuple[int, str], list[int]] = defaultdict(list)
    for node in sorted(kinds):
        members[trace.nodes.stage[node], kinds[node]].append(node)
    unit_of = torch.full((len(root),), NONE)
    layers: list[UnitLayer] = []
    names: set[str] = set()
    first = 0
    for (stage, kind), nodes in sorted(members.items(), key=lambda item: item[1][0]):
        name = unused(trace.nodes.stages[stage][0], kind, names)
        layers.append(UnitLayer(name, kind, first, len(nodes)))
        unit_of[torch.tensor(nodes)] = torch.arange(first, first + len(nodes))
        first += len(nodes)
    return tuple(layers), torch.where(torch.arange(len(root)) > 0, unit_of[root], NONE)


def _units(nodes: Tensor | None, unit_of: Tensor) -> Tensor | None:
    """Numbers of units in place of nodes; None where there is no unit at all."""
    if nodes is None:
        return None
    found = unit_of[nodes]
    return found if bool((found != NONE).any()) else None
