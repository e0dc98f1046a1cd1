"""The picture in the language of Graphviz, with modules as clusters. Only rendering needs the program `dot`."""

from __future__ import annotations

import graphviz
import numpy as np

from ..graph.blocks import UNWEIGHTED, entries_of
from ..hierarchy import Hierarchy
from ..layout.rows import drawn
from ..texts import clean
from .colours import FAINT, INK, NEGATIVE, POSITIVE, region_colours
from .style import PALE, RAIL


def to_dot(hierarchy: Hierarchy, title: str | None = None) -> graphviz.Digraph:
    """The hierarchy as a ``graphviz.Digraph``, with inputs at the bottom and a cluster for each module."""
    dot = graphviz.Digraph("hierarchy")
    dot.attr(rankdir="BT", newrank="true", splines="line", fontname="Helvetica", nodesep="0.15", ranksep="0.6", forcelabels="true")
    dot.attr("node", shape="circle", label="", width="0.16", fixedsize="true", style="filled", fillcolor="white", fontsize="9")
    dot.attr("node", fontname="Helvetica", color=INK)
    dot.attr("edge", arrowhead="none")
    if title:
        dot.attr(label=graphviz.escape(title), labelloc="t")
    _add_modules(dot, hierarchy)
    _add_layers(dot, hierarchy)
    _add_edges(dot, hierarchy)
    return dot


def render_dot(hierarchy: Hierarchy, kind: str, title: str | None = None) -> bytes:
    """The picture drawn by the program ``dot``; ``kind`` is ``svg``, ``pdf`` or ``png``.

    Raises
    ------
    RuntimeError
        When ``dot`` is not on the PATH.
    """
    try:
        return to_dot(hierarchy, title).pipe(kind)
    except graphviz.ExecutableNotFound as error:
        raise RuntimeError(
            'engine="graphviz" must find the program `dot` on the PATH; got none. Install Graphviz (https://graphviz.org/download), '
            'or use engine="native", which needs no program'
        ) from error


def _unit(layer: int, index: int) -> str:
    return f"u{layer}_{index}"  # a colon would mean a port


def _add_modules(dot: graphviz.Digraph, hierarchy: Hierarchy) -> None:
    for module in hierarchy.modules:
        fill, border = region_colours(module.index)
        with dot.subgraph(name=f"cluster_{module.index}") as cluster:
            cluster.attr(style="rounded,filled", fillcolor=fill, color=border)
            # Graphviz turns the position of the label with the layers: "b" is the top here.
            cluster.attr(label=f"M{module.index}", labelloc="b", labeljust="l", fontsize="9", fontcolor=INK)
            for layer, index in module.units:
                _add_unit(cluster, hierarchy, layer, index)
    for layer in hierarchy.graph.outputs:
        for index in np.flatnonzero(hierarchy.labels[layer] < 0).tolist():
            _add_unit(dot, hierarchy, layer, index)


def _add_unit(dot: graphviz.Digraph, hierarchy: Hierarchy, layer: int, index: int) -> None:
    name = graphviz.escape(clean(hierarchy.graph.unit_name(layer, index)))
    if layer in (*hierarchy.graph.inputs, *hierarchy.graph.outputs):
        color = INK if hierarchy.labels[layer][index] >= 0 else FAINT
        look = {"shape": "plaintext", "style": "", "fixedsize": "false", "width": "0", "height": "0", "margin": "0.04"}
        dot.node(_unit(layer, index), label=name, fontcolor=color, **look)
    else:
        look = {"shape": "square", "label": str(index), "fontsize": "7"} if hierarchy.graph.layers[layer].kind == "gate" else {}
        dot.node(_unit(layer, index), tooltip=name, **look)


def _add_layers(dot: graphviz.Digraph, hierarchy: Hierarchy) -> None:
    depths = hierarchy.graph.depths
    for depth in sorted(set(depths)):
        with dot.subgraph() as row:
            row.attr(rank="same")
            for layer in (layer for layer, other in enumerate(depths) if other == depth):
                shown = hierarchy.labels[layer] >= (-1 if layer in hierarchy.graph.outputs else 0)
                for index in np.flatnonzero(shown).tolist():
                    row.node(_unit(layer, index))


def _add_edges(dot: graphviz.Digraph, hierarchy: Hierarchy) -> None:
    edges = list(drawn(hierarchy))
    kinds = [b for b in hierarchy.graph.blocks if not b.carry and b.kind not in UNWEIGHTED]
    largest = max((abs(weight) for b in kinds for weight in entries_of(b.weights)[2].tolist()), default=1.0)
    for edge in edges:
        width = f"{0.5 + 1.5 * abs(edge.weight) / largest:.3f}"
        if edge.weighted:
            look = {"color": POSITIVE if edge.weight > 0 else NEGATIVE, "penwidth": width}
        else:
            look = {"color": PALE, "penwidth": f"{RAIL}"} if edge.carry else {"color": FAINT, "style": "dashed"}
        dot.edge(_unit(*edge.source), _unit(*edge.target), **look)
