"""The graph of units: stages of the forward, and the blocks between them.

n = nodes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from .shadow import Link
from .trace import RawUse, Trace
from .unit_map import NONE, Block, Stage

__all__ = ["staged", "unused", "without_passages"]

ENDS = ("input", "output")


def without_passages(trace: Trace) -> Tensor:
    """For every node the one that it is taken for, int64 ``(n,)``: a node that is only carried on to one later node is that node."""
    count = len(trace.nodes.parent)
    readers, onward = torch.zeros(count, dtype=torch.int64), torch.zeros(count, dtype=torch.int64)
    for use in trace.uses:
        if use.source is not None:
            readers[use.source.unique()] += 2
    for link in trace.nodes.links:
        readers.index_add_(0, link.source, torch.full_like(link.source, 1 if link.kind == "carry" else 2))
        if link.kind == "carry":
            onward[link.source] = link.target
    given = torch.tensor([kind == "input" for _, kind in trace.nodes.stages])[torch.tensor(trace.nodes.stage)]
    passing = ((readers == 1) & (onward > 0) & ~given).tolist()
    final, later = list(range(count)), onward.tolist()
    for node in range(count - 1, 0, -1):  # targets come after sources
        if passing[node]:
            final[node] = final[later[node]]
    return torch.tensor(final)


def staged(
    trace: Trace, final: Tensor, unit_of: Tensor, kind_of: Sequence[str], ends: Mapping[str, Tensor], dropped: Mapping[int, Tensor]
) -> tuple[tuple[Stage, ...], tuple[Block, ...]]:
    """Stages and blocks, in the order of the forward.

    Tables of tokens and of positions have a stage of kind ``"input"`` each, with one unit for every column of the table. ``ends`` are the
    nodes of inputs and of outputs.
    """
    kept = final[1:].unique()
    number_of = torch.tensor(trace.nodes.stage)
    names: set[str] = set()
    tables = [use for use in trace.uses if use.kind == "embedding"]
    stages = [Stage(unused(use.parameter, "table", names), "input", _column(use)) for use in tables]
    places, stage_at = torch.full_like(final, NONE), torch.full_like(final, NONE)
    at_end = {node: kind for kind in ENDS for node in final[ends[kind]].tolist()}
    for number in number_of[kept].unique().tolist():
        nodes = kept[number_of[kept] == number]
        units = unit_of[nodes]
        kinds = {_kind_at(kind_of[unit], at_end.get(node)) for node, unit in zip(nodes.tolist(), units.tolist(), strict=True)}
        places[nodes], stage_at[nodes] = torch.arange(len(nodes)), len(stages)
        stages.append(Stage(unused(trace.nodes.stages[number][0], "stage", names), kinds.pop() if len(kinds) == 1 else "mixed", units))
    blocks: list[Block] = []
    for i, use in enumerate(trace.uses):
        if use.kind == "embedding" and use.target is not None:
            nodes = final[use.target]
            blocks.append(Block(tables.index(use), int(stage_at[nodes].max()), use.kind, i, _along(use.target), places[nodes]))
        elif use.source is not None and use.target is not None and use.kind != "statistic":
            blocks += _of_use(i, use, final, places, stage_at)
    for i, link in enumerate(trace.nodes.links):
        blocks += _of_link(link, dropped.get(i), final, places, stage_at)
    return tuple(stages), tuple(sorted(blocks, key=lambda block: (block.target, block.source)))


def unused(name: str, kind: str, names: set[str]) -> str:
    """The name, or one like it that is not among ``names`` yet, to which it is added."""
    tries = [name, f"{name} {kind}", *(f"{name} {kind} {i}" for i in range(2, len(names) + 3))]
    found = next(each for each in tries if each not in names)
    names.add(found)
    return found


def _kind_at(kind: str, end: str | None) -> str:
    """The kind of a unit at one stage: a stream from an input to the answer is neither in between."""
    return end or ("residual" if kind in ENDS else kind)


def _column(use: RawUse) -> Tensor:
    assert use.target is not None
    return torch.full((use.target.numel(),), NONE)


def _along(nodes: Tensor) -> Tensor:
    """Positions along the one axis of a tensor of nodes."""
    return torch.arange(nodes.numel()).view(nodes.shape)


def _of_use(number: int, use: RawUse, final: Tensor, places: Tensor, stage_at: Tensor) -> list[Block]:
    """The blocks of a parameter: one for each pair of stages whose units it joins."""
    source, target = final[use.source], final[use.target]
    found = []
    for a in stage_at[source[source > 0]].unique().tolist():
        for b in stage_at[target[target > 0]].unique().tolist():
            ends = ((source, a), (target, b))
            rows, columns = (torch.where((nodes > 0) & (stage_at[nodes] == stage), places[nodes], NONE) for nodes, stage in ends)
            found.append(Block(a, b, use.kind, number, rows, columns))
    return found


def _of_link(link: Link, dropped: Tensor | None, final: Tensor, places: Tensor, stage_at: Tensor) -> list[Block]:
    """The blocks of a link. Units that are turned into one another, as by rotary embeddings, are mixed and not carried."""
    source, target = final[link.source], final[link.target]
    apart = (source != target) if dropped is None else (source != target) & ~dropped
    source, target = source[apart], target[apart]
    found = []
    for a, b in torch.stack([stage_at[source], stage_at[target]]).unique(dim=1).t().tolist():
        chosen = (stage_at[source] == a) & (stage_at[target] == b)
        found.append(Block(a, b, link.kind, None, places[source[chosen]], places[target[chosen]]))
    return found
