"""Facts of a hierarchy for both kinds of report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ..drawing.images import PixelMap
from ..drawing.names import one_line
from ..graph import LayeredGraph
from ..hierarchy import Hierarchy, module_graph
from ..layout.rows import drawn

__all__ = ["COLUMNS", "NOTHING", "PIXEL_COLUMNS", "TITLE", "facts_of", "headline_of", "metric_of", "pixel_headline", "pixel_row", "rows_of"]

NOTHING: Mapping[str, Any] = {}
TITLE = "Modules and hierarchy"
COLUMNS = ("module", "inputs", "outputs", "hidden units", "reads from")
PIXEL_COLUMNS = ("module", "pixels", "rows", "columns", "left half", "right half")
INPUTS_ALONE = "none, since its inputs are read by units of other modules"
LISTED = 24  # names; longer lists are shortened


def headline_of(hierarchy: Hierarchy) -> str:
    """The number of modules, and the widths of the network."""
    count = len(hierarchy.modules)
    return f"{count} module{'' if count == 1 else 's'} in a network of widths {'-'.join(map(str, hierarchy.graph.widths))}"


def metric_of(hierarchy: Hierarchy, name: str | None = None) -> str:
    """What the accuracy of the network is called; where nothing else is said it is that of the rows that decided, as a network has it."""
    return one_line(f"{getattr(hierarchy.network, 'metric', 'accuracy')} on the validation rows" if name is None else str(name))


def facts_of(hierarchy: Hierarchy, metric: str | None = None, more: Mapping[str, Any] = NOTHING) -> list[tuple[str, str]]:
    """Names and texts: edges and units that are left, accuracy and support where they are known, and what else is.

    ``metric`` is what the accuracy is called; that of the network when left out.
    """
    graph = hierarchy.graph
    undrawn = graph.edge_count - sum(not edge.carry for edge in drawn(hierarchy))
    lost = f"; {undrawn} of them at removed units, not drawn" if undrawn else ""
    ends = ("inputs", "outputs")  # of a chain, whose hidden layers are "hidden 1", "hidden 2", ...
    units = [
        f"{(a >= 0).sum()} of {len(a)} {'' if layer.name in ends else 'in '}{one_line(layer.name)}"
        for a, layer in zip(hierarchy.labels, graph.layers, strict=True)
    ]
    possible = sum(int(np.prod(block.weights.shape)) for block in graph.blocks if not block.carry)
    facts = [
        ("edges", f"{graph.edge_count} of {possible} (density {graph.density:.3f}){lost}"),
        ("units", ", ".join(units)),
    ]
    accuracy = getattr(hierarchy.network, "accuracy", None)
    if accuracy is not None:
        facts.append((metric_of(hierarchy, metric), f"{float(accuracy):.4f}"))
    facts += [(one_line(str(name)), one_line(str(value))) for name, value in more.items()]
    if hierarchy.support is not None:
        interval = "" if hierarchy.support_interval is None else " (95 % interval {:.2f} to {:.2f})".format(*hierarchy.support_interval)
        facts.append(("support", f"{hierarchy.support:.3f} of the votes{interval}"))
    return facts


def rows_of(hierarchy: Hierarchy) -> list[tuple[str, ...]]:
    """A row for each module, in the order of ``COLUMNS``; empty cells where there is nothing."""
    graph, flow = hierarchy.graph, module_graph(hierarchy)
    rows: list[tuple[str, ...]] = []
    for module in hierarchy.modules:
        counts = np.bincount([layer for layer, _ in module.units], minlength=len(graph.widths))
        ends = (*graph.inputs, *graph.outputs)
        names = [str(layer) if isinstance(graph, LayeredGraph) else graph.layers[layer].name for layer in range(len(counts))]
        hidden = [f"{count} in layer {one_line(names[layer])}" for layer, count in enumerate(counts) if count and layer not in ends]
        inputs = _list([graph.input_names[i] for i in module.inputs])
        outputs = _list([graph.output_names[i] for i in module.outputs])
        sources = _list([f"M{index}" for index in sorted(flow.predecessors(module.index))])
        alone = INPUTS_ALONE if module.inputs and not hidden and not module.outputs else ""
        rows.append((f"M{module.index}", inputs, outputs, ", ".join(hidden) or alone, sources))
    return rows


def pixel_headline(maps: Sequence[PixelMap], image: tuple[int, int]) -> str:
    """The number of pixels that are read, and the size of the image."""
    height, width = image
    return f"{sum(one.count for one in maps)} of {height * width} read, of an image {height} high and {width} wide"


def pixel_row(pixels: PixelMap) -> tuple[str, ...]:
    """The row of a map, in the order of ``PIXEL_COLUMNS``."""
    spans = ("{} to {}".format(*span) for span in (pixels.rows, pixels.columns))
    return f"M{pixels.module}", str(pixels.count), *spans, *(f"{share:.2f}" for share in pixels.halves)


def _list(names: Sequence[str]) -> str:
    names = [one_line(name) for name in names]
    shown = [*names[:LISTED], f"… ({len(names)} in all)"] if len(names) > LISTED else names
    return ", ".join(shown)
