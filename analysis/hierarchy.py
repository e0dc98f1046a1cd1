"""The result of detection: the module of every unit, the modules, and the graph between them."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import networkx as nx
import numpy as np
from numpy.typing import NDArray

from .files import write_file
from .graph import AnyGraph
from .graph.blocks import entries_of

if TYPE_CHECKING:
    import igraph

__all__ = ["VIEWS", "Hierarchy", "Members", "Module", "check_hierarchy", "members_of", "module_graph"]

Members: TypeAlias = tuple[tuple[tuple[int, int], ...], ...]  # the units of each module, by layer and index

# The functions that draw and print a hierarchy: "draw", "text", "page", "report", "card",
# "svg" and "frame". They import the class, which cannot import
# them; `analysis/__init__` registers them here.
VIEWS: dict[str, Callable[..., Any]] = {}


def check_hierarchy(value: Any) -> None:
    """Refuse a value that is not a hierarchy, such as a network."""
    if not isinstance(value, Hierarchy):
        raise TypeError(f"expected a Hierarchy, such as detect_modules(network); got {type(value).__name__}")


@dataclass(frozen=True)
class Module:
    """A group of units, in one layer or several, that form a module.

    Attributes
    ----------
    index : int
        Its label in ``Hierarchy.labels``.
    units : tuple of (layer, index)
        Original positions, layer by layer.
    inputs, outputs : tuple of int
        The network's inputs and outputs among its units, numbered as ``graph.input_names`` and ``graph.output_names`` are.
    """

    index: int
    units: tuple[tuple[int, int], ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]


@dataclass(frozen=True, eq=False)
class Hierarchy:
    """The modules of a network and the edges between them.

    Attributes
    ----------
    graph : LayeredGraph or UnitGraph
        The network as a graph.
    labels : tuple of int arrays, one a layer, of shape (widths[layer],)
        The module of each unit at its original position, -1 for removed units. Numbered by first appearance.
    clusters : tuple of int arrays, shapes as ``labels``
        The cluster of each unit within its layer, -1 for removed units.
    support : float or None
        For a consensus, the fraction of the votes for this structure, in [0, 1].
    support_interval : (float, float) or None
        Its 95 % interval.
    network : object or None
        The network that ``graph`` was made from.
    """

    graph: AnyGraph
    labels: tuple[NDArray[np.int64], ...]
    clusters: tuple[NDArray[np.int64], ...]
    support: float | None = None
    support_interval: tuple[float, float] | None = None
    network: Any = None

    def __post_init__(self) -> None:
        for name in ("labels", "clusters"):
            shapes, expected = [np.shape(a) for a in getattr(self, name)], [(n,) for n in self.graph.widths]
            if shapes != expected:
                raise ValueError(f"{name} must be arrays of shapes {expected}, one for each layer; got {shapes}")
            for layer, values in enumerate(map(np.asarray, getattr(self, name))):
                if values.dtype.kind not in "iu" or values.min() < -1:
                    got = f"{values.min()}" if values.dtype.kind in "iu" else f"an array of {values.dtype}"
                    raise ValueError(f"{name}[{layer}] must hold integers from 0, and -1 for removed units; got {got}")
        object.__setattr__(self, "labels", first_appearance(self.labels))
        object.__setattr__(self, "clusters", tuple(first_appearance([c])[0] for c in self.clusters))

    @cached_property
    def modules(self) -> tuple[Module, ...]:
        """The modules, from the inputs upward."""
        units: dict[int, list[tuple[int, int]]] = {}
        for layer, labels in enumerate(self.labels):
            for index in np.flatnonzero(labels >= 0):
                units.setdefault(int(labels[index]), []).append((layer, int(index)))
        ends = [_numbers(self.graph.widths, layers) for layers in (self.graph.inputs, self.graph.outputs)]
        return tuple(
            Module(m, tuple(units[m]), *(tuple(number[u] for u in units[m] if u in number) for number in ends)) for m in sorted(units)
        )

    @property
    def input_labels(self) -> NDArray[np.int64]:
        """The modules of the inputs, in the order of ``graph.input_names``; -1 for removed ones."""
        return np.concatenate([self.labels[layer] for layer in self.graph.inputs])

    @property
    def output_labels(self) -> NDArray[np.int64]:
        """The modules of the outputs, in the order of ``graph.output_names``."""
        return np.concatenate([self.labels[layer] for layer in self.graph.outputs])

    def to_networkx(self) -> nx.DiGraph:
        """A ``networkx.DiGraph`` over module indices, which networkx writes as GraphML, GEXF and GML.

        Nodes carry ``inputs``, ``outputs`` and ``units`` as JSON texts, since these formats have no lists; edges ``edges`` (a count) and
        ``weight`` (the sum of |weight|). ``compare`` takes such a graph as a truth, also one that was read from a file.

        Examples
        --------
        >>> from analysis import LayeredGraph
        >>> graph = LayeredGraph.from_weights([[[1.0, 1.0]]])
        >>> Hierarchy(graph, (np.zeros(2, int), np.ones(1, int)), (np.zeros(2, int), np.zeros(1, int))).to_networkx().nodes[0]
        {'inputs': '[0, 1]', 'outputs': '[]', 'units': '[[0, 0], [0, 1]]'}
        """
        graph = module_graph(self)
        for _, facts in graph.nodes(data=True):
            facts |= {name: json.dumps(value) for name, value in facts.items()}
        return graph

    def to_igraph(self) -> igraph.Graph:
        """An ``igraph.Graph`` of the modules with the attributes of :meth:`to_networkx`."""
        import igraph  # imports matplotlib.pyplot, which not every user of this package needs

        return igraph.Graph.from_networkx(self.to_networkx())

    def write_graphml(self, path: str | Path) -> Path:
        """Write the network with ``layer``, ``bias``, ``name`` and ``module`` of every unit as GraphML; returns the path."""
        graph = self.graph.to_networkx()
        for layer, index in graph:
            facts = graph.nodes[layer, index]
            facts["module"] = int(self.labels[layer][index])
        named = nx.relabel_nodes(graph, {unit: f"{unit[0]}:{unit[1]}" for unit in graph})
        return write_file(path, "\n".join(nx.generate_graphml(named)).encode())

    def frame(self, rows: str = "modules") -> Any:
        """The modules or the units as a ``pandas.DataFrame``, which needs pandas.

        Parameters
        ----------
        rows : {"modules", "units"}
            A row for each module, with ``module``, the names of its ``inputs`` and ``outputs``, the number of its ``hidden`` units and the
            modules that it ``reads``. Or a row for each unit, with ``layer``, ``index``, ``name``, ``module`` and ``cluster``, -1 for a
            removed unit.

        Raises
        ------
        ImportError
            When pandas is not installed.
        ValueError
            When ``rows`` is neither.
        """
        return VIEWS["frame"](self, rows)

    def draw(self, path: str | Path | None = None, **options: Any) -> Any:
        """Draw the hierarchy and return the axes: :func:`analysis.drawing.draw`, which has the options."""
        return VIEWS["draw"](self, path, **options)

    def report(self, path: str | Path, comparison: Any = None, **options: Any) -> Path:
        """Write the report and return the path: :func:`analysis.write_report`, which has the options."""
        written: Path = VIEWS["report"](self, path, comparison, **options)
        return written

    def __str__(self) -> str:
        return str(VIEWS["text"](self))

    def _repr_html_(self) -> str:
        return str(VIEWS["card"](self))

    def _repr_svg_(self) -> str | None:
        # Of an output with HTML and a picture a notebook shows one, the HTML if it can; the picture is for what cannot, such as LaTeX.
        picture: str | None = VIEWS["svg"](self)
        return picture


def members_of(hierarchy: Hierarchy) -> Members:
    """The units of each module, which say whether something found of a hierarchy is about another one too."""
    return tuple(module.units for module in hierarchy.modules)


def module_graph(hierarchy: Hierarchy) -> nx.DiGraph:
    """The graph of :meth:`Hierarchy.to_networkx` with tuples instead of texts."""
    graph = nx.DiGraph()
    for module in hierarchy.modules:
        graph.add_node(module.index, inputs=module.inputs, outputs=module.outputs, units=module.units)
    for block in hierarchy.graph.blocks:
        for source, target, weight in zip(*entries_of(block.weights), strict=True):
            a, b = int(hierarchy.labels[block.source][source]), int(hierarchy.labels[block.target][target])
            if a != b and min(a, b) >= 0:
                known = graph.get_edge_data(a, b, {"edges": 0, "weight": 0.0})
                graph.add_edge(a, b, edges=known["edges"] + 1, weight=known["weight"] + abs(float(weight)))
    return graph


def _numbers(widths: Sequence[int], layers: Sequence[int]) -> dict[tuple[int, int], int]:
    """The units of some layers, numbered through."""
    units = [(layer, i) for layer in layers for i in range(widths[layer])]
    return {unit: number for number, unit in enumerate(units)}


def first_appearance(labels: Sequence[NDArray[np.integer]]) -> tuple[NDArray[np.int64], ...]:
    """Label arrays renumbered 0, 1, ... by first appearance across all arrays; -1 stays -1."""
    flat = np.concatenate([np.asarray(a, dtype=np.int64) for a in labels])
    kept = flat[flat >= 0]
    known, first = np.unique(kept, return_index=True)
    rank = np.empty(len(known), dtype=np.int64)
    rank[np.argsort(first)] = np.arange(len(known))
    flat = flat.copy()
    flat[flat >= 0] = rank[np.searchsorted(known, kept)]
    return tuple(np.split(flat, np.cumsum([len(a) for a in labels])[:-1]))
