"""Loose outputs: those that read nothing, which are drawn as one group."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from ..graph import AnyGraph, LayeredGraph, UnitGraph
from ..graph.blocks import Block, Layer
from ..hierarchy import Hierarchy
from .groups import Groups
from .names import group_names
from .rows import Unit

__all__ = ["loosened", "numbers_of", "with_loose_together"]

Labels = tuple[NDArray[np.int64], ...]


def loosened(hierarchy: Hierarchy) -> Labels:
    """The labels with -1 for outputs without a module, and for those of modules of outputs alone that no edge leads to.

    Examples
    --------
    >>> from analysis import detect_modules
    >>> [labels.tolist() for labels in loosened(detect_modules([[[1.0], [0.0], [0.0]]]))]
    [[0], [0, -1, -1]]
    """
    graph = hierarchy.graph
    read = [np.zeros(width, dtype=bool) for width in graph.widths]
    for block in graph.blocks:
        if block.target in graph.outputs:
            alive = hierarchy.labels[block.source] >= 0
            read[block.target] |= np.asarray((block.weights[alive] != 0).sum(axis=0)).ravel() > 0
    outputs = {*graph.outputs}
    held = [labels[read[i]] if i in outputs else labels for i, labels in enumerate(hierarchy.labels)]
    kept = np.unique(np.concatenate(held))
    return tuple(np.where(np.isin(labels, kept), labels, -1) if i in outputs else labels for i, labels in enumerate(hierarchy.labels))


def with_loose_together(hierarchy: Hierarchy) -> Groups:
    """The hierarchy unit by unit, with the loose outputs of a layer as one where there are several."""
    graph, labels = hierarchy.graph, loosened(hierarchy)
    loose = {layer: np.flatnonzero(labels[layer] < 0) for layer in graph.outputs}
    loose = {layer: units for layer, units in loose.items() if len(units) > 1}
    if not loose:
        return Groups(hierarchy, hierarchy)
    kept = [np.delete(np.arange(width), loose[i][1:] if i in loose else []) for i, width in enumerate(graph.widths)]
    mine = tuple(found[part] for found, part in zip(labels, kept, strict=True))
    members: dict[Unit, tuple[int, ...]] = {
        (layer, k): tuple(units.tolist()) if unit == units[0] else (unit,)
        for layer, units in loose.items()
        for k, unit in enumerate(kept[layer].tolist())
    }
    drawn = Hierarchy(_reduced(graph, kept, members), mine, mine)
    return Groups(hierarchy, drawn, members, numbers_of(drawn, mine))


def numbers_of(drawn: Hierarchy, labels: Labels) -> tuple[int, ...]:
    """The label that each module had before a hierarchy numbered them by first appearance."""
    return tuple(int(labels[layer][index]) for layer, index in (module.units[0] for module in drawn.modules))


def _reduced(graph: AnyGraph, kept: list[NDArray[np.int64]], members: dict[Unit, tuple[int, ...]]) -> AnyGraph:
    """The graph of the units that are kept; a group has the names of its members."""
    groups = {i: [members.get((i, k), (unit,)) for k, unit in enumerate(part.tolist())] for i, part in enumerate(kept)}
    names = group_names(graph, groups)
    if isinstance(graph, LayeredGraph):
        weights = [np.asarray(block.weights)[np.ix_(kept[block.source], kept[block.target])] for block in graph.blocks]
        of_ends = {"input_names": tuple(names[0]), "output_names": tuple(names[len(kept) - 1])}
        return LayeredGraph.from_weights(weights, orientation="in_out", **of_ends)
    layers = []
    for i, (layer, part) in enumerate(zip(graph.layers, kept, strict=True)):
        units = names[i] if i in names else [layer.units[k] for k in part] if layer.units else []
        layers.append(Layer(layer.name, layer.kind, len(part), tuple(units), None if layer.images is None else layer.images[part]))
    blocks = [Block(b.source, b.target, sp.csr_array(b.weights)[kept[b.source]][:, kept[b.target]], b.kind) for b in graph.blocks]
    return UnitGraph(tuple(layers), tuple(blocks))
