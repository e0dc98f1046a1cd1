"""From the nodes of a run to the units of a module: unions of nodes, their kinds, and the graph of stages.

U = units.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from .shadow import Link
from .trace import RawUse, Trace
from .unit_map import NONE, Block, Stage, UnitLayer, UnitMap, Use

__all__ = ["settled"]

FIXED = {"input", "output", "gate", "product", "sum"}  # kinds of units that are not removed


def settled(trace: Trace, inputs: Sequence[Tensor], outputs: Tensor, parameters: Mapping[str, Tensor]) -> UnitMap:
    """The units that a run has found."""
    _unite_shared(trace)
    root = torch.tensor([trace.nodes.find(node) for node in range(len(trace.nodes.parent))])
    final = _without_passages(trace)
    kinds = _kinds(trace, root, torch.from_numpy(final), inputs, outputs)
    layers, unit_of = _layers(trace, root, kinds)
    uses = tuple(Use(use.parameter, use.kind, _units(use.source, unit_of), _units(use.target, unit_of)) for use in trace.uses)
    count = sum(layer.size for layer in layers)
    zero, mixed = ~_marked(trace.nonzero, unit_of, count), _marked(trace.mixed, unit_of, count)
    removable = torch.cat([torch.full((layer.size,), layer.kind not in FIXED) for layer in layers]) if layers else zero
    stages, blocks = _graph(trace, final, unit_of, layers)
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


def _unite_shared(trace: Trace) -> None:
    """Unite what a parameter that is used several times reads and writes, axis by axis."""
    by_name: dict[str, list[RawUse]] = defaultdict(list)
    for use in trace.uses:
        by_name[use.parameter].append(use)
    for uses in by_name.values():
        ends = [end for use in uses for end in (use.source, use.target) if end is not None]
        by_axes: dict[tuple[bool, ...], Tensor] = {}
        for end in ends if len(uses) > 1 else ():
            axes = tuple(size > 1 for size in end.shape)
            if axes in by_axes and by_axes[axes].shape == end.shape:
                trace.nodes.unite(by_axes[axes], end)
            by_axes.setdefault(axes, end)


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
        name = _unused(trace.nodes.stages[stage][0], kind, names)
        layers.append(UnitLayer(name, kind, first, len(nodes)))
        unit_of[torch.tensor(nodes)] = torch.arange(first, first + len(nodes))
        first += len(nodes)
    return tuple(layers), torch.where(torch.arange(len(root)) > 0, unit_of[root], NONE)


def _unused(name: str, kind: str, names: set[str]) -> str:
    tries = [name, f"{name} {kind}", *(f"{name} {kind} {i}" for i in range(2, len(names) + 3))]
    found = next(each for each in tries if each not in names)
    names.add(found)
    return found


def _units(nodes: Tensor | None, unit_of: Tensor) -> Tensor | None:
    """Numbers of units in place of nodes; None where there is no unit at all."""
    if nodes is None:
        return None
    found = unit_of[nodes]
    return found if bool((found != NONE).any()) else None


# --- The graph of stages ------------------------------------------------------------------------------------------------------


def _graph(trace: Trace, final: np.ndarray, unit_of: Tensor, layers: Sequence[UnitLayer]) -> tuple[tuple[Stage, ...], tuple[Block, ...]]:
    """Stages and blocks."""
    count = len(final)
    stage_of = np.array(trace.nodes.stage)
    kept = np.unique(final[1:])
    order = kept[np.argsort(stage_of[kept], kind="stable")]
    places, stage_at = np.full(count, -1), np.full(count, -1)
    stages: list[Stage] = []
    names: set[str] = set()
    kind_of = [layer.kind for layer in layers for _ in range(layer.size)]
    for number in np.unique(stage_of[order]):
        nodes = order[stage_of[order] == number]
        units = unit_of[torch.from_numpy(nodes)]
        found = {kind_of[unit] for unit in units.tolist()}
        kind = found.pop() if len(found) == 1 else "mixed"
        places[nodes], stage_at[nodes] = np.arange(len(nodes)), len(stages)
        stages.append(Stage(_unused(trace.nodes.stages[number][0], "stage", names), kind, units))
    where = (torch.from_numpy(final), torch.from_numpy(places), torch.from_numpy(stage_at))
    blocks = [block for i, use in enumerate(trace.uses) for block in _blocks_of_use(i, use, *where)]
    links = [block for link in trace.nodes.links for block in _blocks_of_link(link, *where)]
    return tuple(stages), tuple(sorted([*blocks, *links], key=lambda block: (block.target, block.source)))


def _without_passages(trace: Trace) -> np.ndarray:
    """For every node the node that it is taken for: a node that is only carried on to one later node is that node."""
    count = len(trace.nodes.parent)
    readers = np.zeros(count, dtype=np.int64)
    onward = np.zeros(count, dtype=np.int64)
    for use in trace.uses:
        if use.source is not None:
            readers[np.unique(use.source.numpy())] += 2
    for link in trace.nodes.links:
        source, target = link.source.numpy(), link.target.numpy()
        np.add.at(readers, source, 1 if link.kind == "carry" else 2)
        if link.kind == "carry":
            onward[source] = target
    inputs = np.array([kind == "input" for _, kind in trace.nodes.stages])[trace.nodes.stage]
    passing = (readers == 1) & (onward > 0) & ~inputs
    final = np.arange(count)
    for node in range(count - 1, 0, -1):  # targets come after sources
        if passing[node]:
            final[node] = final[onward[node]]
    return final


def _blocks_of_use(number: int, use: RawUse, final: Tensor, places: Tensor, stage_at: Tensor) -> list[Block]:
    if use.source is None or use.target is None or use.kind == "statistic":
        return []
    source, target = final[use.source], final[use.target]
    found = []
    for a in stage_at[source[source > 0]].unique().tolist():
        for b in stage_at[target[target > 0]].unique().tolist():
            rows, columns = (
                torch.where((nodes > 0) & (stage_at[nodes] == stage), places[nodes], NONE) for nodes, stage in ((source, a), (target, b))
            )
            found.append(Block(a, b, use.kind, number, rows, columns))
    return found


def _blocks_of_link(link: Link, final: Tensor, places: Tensor, stage_at: Tensor) -> list[Block]:
    source, target = final[link.source], final[link.target]
    apart = source != target
    source, target = source[apart], target[apart]
    found = []
    for a, b in torch.stack([stage_at[source], stage_at[target]]).unique(dim=1).t().tolist():
        chosen = (stage_at[source] == a) & (stage_at[target] == b)
        found.append(Block(a, b, link.kind, None, places[source[chosen]], places[target[chosen]]))
    return found
