"""The hierarchy as a graph of modules, laid out like a network of which each module is one unit."""

from __future__ import annotations

from collections import defaultdict

import networkx as nx
import numpy as np

from ..drawing.routes import curve
from ..graph import Block, Layer, UnitGraph
from ..hierarchy import Hierarchy, module_graph
from ..layout import layered_layout
from ..layout.rows import Edge, bundle_of
from .markup import number, path, tag, tints

__all__ = ["flow_svg"]

STEP, RISE, HALF, HIGH = 36.0, 58.0, 19.0, 11.0  # points: a step of the layout, a row, half of the width and of the height of a node
THIN, THICK = 1.0, 5.0  # width of a line with one edge, and with the most
Place = tuple[float, float]
Pair = tuple[int, int]


def flow_svg(hierarchy: Hierarchy) -> str:
    """The graph of the modules: what reads others is above them; a line is the wider the more edges it stands for."""
    flow = module_graph(hierarchy)
    forward, ranks = _ranked(flow)
    places, lines = _placed(forward, ranks)
    lines |= {pair: [places[pair[0]], places[pair[1]]] for pair in flow.edges if pair not in lines}
    width, height = max(x for x, _ in places.values()) + HALF + 4, max(y for _, y in places.values()) + HIGH + 4
    most = max((count for *_, count in flow.edges(data="edges")), default=1)
    parts = []
    for (a, b), line in lines.items():
        count = flow.edges[a, b]["edges"]
        wide = number(float(np.interp(count, (1, max(2, most)), (THIN, THICK))))
        said = tag("title", f"M{a} to M{b}: {count} edge{'' if count == 1 else 's'}")
        kind = "flow" if (a, b) in forward.edges else "flow back"
        parts.append(tag("path", said, class_=kind, d=path(line), stroke_width=wide, style=tints(a), data_from=a, data_to=b))
    parts += [_node(module.index, places[module.index]) for module in hierarchy.modules]
    said = "; ".join(f"M{a} to M{b}" for a, b in sorted(flow.edges)) or "no module reads another"
    box = f"0 0 {number(width)} {number(height)}"
    return tag(
        "svg",
        "".join(parts),
        class_="hierarchy",
        viewBox=box,
        role="group",
        aria_label=f"Graph of the modules: {said}",
        style=f"--width:{number(width)}px",
    )


def _node(module: int, place: Place) -> str:
    x, y = place
    box = tag("rect", x=number(x - HALF), y=number(y - HIGH), width=number(2 * HALF), height=number(2 * HIGH), rx=6)
    text = tag("text", f"M{module}", x=number(x), y=number(y), font_size=11)
    look = {"class_": "node", "role": "button", "tabindex": 0, "aria_pressed": "false", "data_module": module}
    return tag("g", box + text, **look, aria_label=f"Module M{module}: show it and its paths alone", style=tints(module))


def _ranked(flow: nx.DiGraph) -> tuple[nx.DiGraph, dict[int, int]]:
    """The graph without the edges that run back in a circle of modules, and how far up each module stands."""
    heights = {m: (float(np.mean([layer for layer, _ in units])), m) for m, units in flow.nodes(data="units")}
    groups = {m: i for i, group in enumerate(nx.strongly_connected_components(flow)) for m in group}
    forward = nx.DiGraph()
    forward.add_nodes_from(flow)
    forward.add_edges_from((a, b) for a, b in flow.edges if groups[a] != groups[b] or heights[a] < heights[b])
    return forward, {m: rank for rank, generation in enumerate(nx.topological_generations(forward)) for m in generation}


def _placed(forward: nx.DiGraph, ranks: dict[int, int]) -> tuple[dict[int, Place], dict[Pair, list[Place]]]:
    """The places of the modules, and the lines of the edges, which pass beside the modules between."""
    if not forward.edges:
        return {module: (HALF + 4 + i * 1.4 * STEP, HIGH + 4) for i, module in enumerate(sorted(ranks))}, {}
    alone, units = _units(forward, ranks)
    layout = layered_layout(alone)
    left, top = min(x for x, _ in layout.positions.values()), layout.level[-1]

    def point(level: int, x: float) -> Place:
        return (x - left) * STEP + HALF + 4, (top - level) * RISE + HIGH + 4

    places = {module: point(layout.level[unit[0]], layout.positions[unit][0]) for module, unit in units.items()}
    lines = {}
    for a, b in forward.edges:
        bundle = bundle_of(alone, layout.level, Edge(units[a], units[b], 1.0, ""))
        lane = [] if bundle is None else [point(level, x) for level, x, _ in layout.lanes.get(bundle, ())]
        lines[a, b] = curve([places[a], *lane, places[b]])
    return places, lines


def _units(forward: nx.DiGraph, ranks: dict[int, int]) -> tuple[Hierarchy, dict[int, Pair]]:
    """A hierarchy with a layer for each rank, in which every module is one unit, and these units."""
    rows: dict[int, list[int]] = defaultdict(list)
    for module, rank in sorted(ranks.items()):
        rows[rank].append(module)
    units = {module: (rank, i) for rank, modules in rows.items() for i, module in enumerate(modules)}
    blocks: dict[Pair, np.ndarray] = {}
    for a, b in forward.edges:
        (low, i), (high, j) = units[a], units[b]
        blocks.setdefault((low, high), np.zeros((len(rows[low]), len(rows[high]))))[i, j] = 1.0
    kinds = ["input", *["neuron"] * (len(rows) - 2), "output"]
    layers = tuple(Layer(f"rank {rank}", kind, len(rows[rank])) for rank, kind in enumerate(kinds))
    labels = tuple(np.array(rows[rank]) for rank in range(len(rows)))
    graph = UnitGraph(layers, tuple(Block(low, high, weights) for (low, high), weights in blocks.items()))
    return Hierarchy(graph, labels, labels), units
