"""The graph of units of any network: named layers, and blocks of edges from one layer to a later one."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import networkx as nx
import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from ..files import write_file
from ..texts import shown, text_of
from .arrays import checked_array
from .blocks import CARRY, INPUT, OUTPUT, Block, Layer, stored_matrix
from .frames import adjacency_names
from .limits import MOST_UNITS, check_units
from .unit_conversion import adjacency_fields, networkx_layers, units_to_networkx
from .wiring import Wiring

if TYPE_CHECKING:
    from pathlib import Path

    import igraph

__all__ = ["UnitGraph"]


@dataclass(frozen=True, eq=False)
class UnitGraph:
    """A weighted, directed, acyclic graph of units, whose edges run from each layer to any later ones.

    It says how units are wired, not what they compute. Matrices are copied, and the copies cannot be written to.

    Parameters
    ----------
    layers : sequence of Layer, or of tuples (name, kind, size), (name, kind, size, units) or (name, kind, size, units, images)
        In an order in which every layer stands after those that it reads. Those of kind ``"input"`` are the inputs of the network and are
        never written; those of kind ``"output"`` are its outputs and are never read. There may be several of both.
    blocks : sequence of Block, or of tuples (source, target, weights) or (source, target, weights, kind)
        Several blocks of different kinds may join the same two layers. Those of kind ``"carry"`` join a unit with itself, one stage later:
        at most one entry in each row and column. They pass on what a unit reaches, but are not counted as edges.

    Raises
    ------
    TypeError
        When layers or blocks are no such objects, or weights are not real numbers.
    ValueError
        When a block runs backward or has the wrong shape, names are there twice, or weights are not finite.

    Examples
    --------
    A unit of a residual stream that a hidden unit writes to:

    >>> layers = [("x", "input", 1), ("h", "neuron", 1), ("r", "residual", 1), ("y", "output", 1)]
    >>> graph = UnitGraph(layers, [(0, 1, [[2.0]]), (1, 2, [[-1.0]]), (0, 2, [[1.0]], "carry"), (2, 3, [[1.0]])])
    >>> graph.widths, graph.edge_count, graph.is_chain
    ((1, 1, 1, 1), 3, False)
    """

    layers: tuple[Layer, ...]
    blocks: tuple[Block, ...]

    def __post_init__(self) -> None:
        if not all(isinstance(part, Sequence) and not isinstance(part, (str, bytes)) for part in (self.layers, self.blocks)):
            raise TypeError(f"layers and blocks must be sequences; got {type(self.layers).__name__} and {type(self.blocks).__name__}")
        layers = tuple(_checked_layer(layer, i) for i, layer in enumerate(self.layers))
        check_units([layer.size for layer in layers])
        for what in (INPUT, OUTPUT):
            if not any(layer.kind == what for layer in layers):
                raise ValueError(f"layers must hold one of kind {what!r} at least; got kinds {[layer.kind for layer in layers]}")
        _check_different("layers", [layer.name for layer in layers])
        object.__setattr__(self, "layers", layers)
        object.__setattr__(self, "blocks", tuple(_checked_block(block, i, layers) for i, block in enumerate(self.blocks)))
        keys = [(block.source, block.target, block.kind) for block in self.blocks]
        if len(set(keys)) < len(keys):
            twice = next(key for key in keys if keys.count(key) > 1)
            raise ValueError(f"blocks between the same two layers must be of different kinds; got {twice} twice. Add up their weights")
        for what, names in (("inputs", self.input_names), ("outputs", self.output_names)):
            _check_different(what, names)

    @classmethod
    def from_networkx(cls, graph: nx.DiGraph) -> UnitGraph:
        """The graph of a ``networkx.DiGraph``, or of a ``MultiDiGraph`` whose parallel edges have different kinds.

        An edge without ``weight`` has the weight 1; an edge of weight 0 is left out. The layer of a node is its attribute ``layer``, or
        the first entry of a node ``(layer, index)``, or its topological generation. Nodes have the attributes ``kind`` (of their layer),
        ``layer_name`` and ``name``, edges the attribute ``kind``. Where no node says so by its kind, the first layer holds the inputs and
        the last the outputs: a node of another layer that no other reads is a unit that is not alive. Without layers, a node that no
        other reads and that is of kind ``"output"`` stands in the last one.

        Raises
        ------
        ValueError
            When the graph is undirected or has a cycle, or an edge runs within a layer or to an earlier one.

        Examples
        --------
        >>> UnitGraph.from_networkx(nx.DiGraph([("x", "h"), ("h", "y"), ("x", "y")])).widths
        (1, 1, 1)
        """
        return cls(*networkx_layers(graph))

    @classmethod
    def from_igraph(cls, graph: igraph.Graph) -> UnitGraph:
        """The graph of a directed ``igraph.Graph``; vertex and edge attributes as in :meth:`from_networkx`."""
        if not graph.is_directed():
            raise ValueError("the igraph graph must be directed; got an undirected one")
        return cls.from_networkx(graph.to_networkx())

    @classmethod
    def from_adjacency(cls, adjacency: Any, widths: Sequence[int] | None = None) -> UnitGraph:
        """The graph of a square adjacency (row = source) over all units: an array, a SciPy sparse array or a data frame.

        With ``widths``, the units stand layer after layer, inputs first. When left out, layers are found as in :meth:`from_networkx`.

        Examples
        --------
        >>> UnitGraph.from_adjacency([[0, 1, 1], [0, 0, 1], [0, 0, 0]], [1, 1, 1]).edge_count
        3
        """
        return cls(*adjacency_fields(adjacency, widths, adjacency_names(adjacency)))

    @property
    def widths(self) -> tuple[int, ...]:
        """Units in each layer."""
        return tuple(layer.size for layer in self.layers)

    @property
    def inputs(self) -> tuple[int, ...]:
        """Positions of the layers of inputs."""
        return tuple(i for i, layer in enumerate(self.layers) if layer.kind == INPUT)

    @property
    def outputs(self) -> tuple[int, ...]:
        """Positions of the layers of outputs."""
        return tuple(i for i, layer in enumerate(self.layers) if layer.kind == OUTPUT)

    @cached_property
    def input_names(self) -> tuple[str, ...]:
        """Names of the inputs, layer after layer."""
        return tuple(self.unit_name(layer, i) for layer in self.inputs for i in range(self.widths[layer]))

    @cached_property
    def output_names(self) -> tuple[str, ...]:
        """Names of the outputs, layer after layer."""
        return tuple(self.unit_name(layer, i) for layer in self.outputs for i in range(self.widths[layer]))

    @property
    def edge_count(self) -> int:
        """Number of edges, without those that carry a unit on."""
        return sum(len(block.weights.nonzero()[0]) for block in self.blocks if not block.carry)

    @property
    def density(self) -> float:
        """Edges as a fraction of all that the blocks could have, in [0, 1]; blocks that carry do not count."""
        return self.edge_count / max(1, sum(int(np.prod(block.weights.shape)) for block in self.blocks if not block.carry))

    @property
    def is_chain(self) -> bool:
        """Whether one block joins each layer with the next and there is nothing else, as in a multilayer perceptron."""
        last = len(self.layers) - 1
        pairs = sorted((block.source, block.target) for block in self.blocks)
        ends = self.inputs == (0,) and self.outputs == (last,)
        return ends and pairs == [(i, i + 1) for i in range(last)] and not any(block.carry for block in self.blocks)

    @cached_property
    def depths(self) -> tuple[int, ...]:
        """For each layer the most blocks on a path that leads there; that of outputs is the largest."""
        found = list(Wiring(self.widths, self.blocks, self.outputs).depths)
        for layer in self.outputs:
            found[layer] = max(found)
        return tuple(found)

    def alive(self) -> tuple[NDArray[np.bool_], ...]:
        """For each layer which units are alive: inputs with a path to an output, others on a path from input to output, all outputs."""
        wiring = Wiring(self.widths, self.blocks, self.outputs)
        reached, leads = wiring.reached_from(self.inputs), wiring.flipped().reached_from([len(self.layers) - 1 - i for i in self.outputs])
        found = [a & b for a, b in zip(reached, leads[::-1], strict=True)]
        for layer in self.outputs:
            found[layer] = np.ones(self.widths[layer], dtype=bool)
        return tuple(found)

    def unit_name(self, layer: int, index: int) -> str:
        """The name of a unit: that which its layer gives, or its position after the name of the layer.

        Inputs of the only layer of inputs are ``x0, x1, ...`` without other names, outputs of the only one ``y0, y1, ...``.
        """
        if not 0 <= layer < len(self.layers) or not 0 <= index < self.widths[layer]:
            raise IndexError(f"a unit must be (layer, index) within the widths {self.widths}; got ({layer}, {index})")
        known = self.layers[layer]
        if known.units:
            return known.units[index]
        only = {self.inputs: "x", self.outputs: "y"}.get((layer,))
        return f"{only}{index}" if only else f"{known.name}.{index}"

    def adjacency(self) -> sp.csr_array:
        """The weights as one square matrix over all units, layer after layer (row = source); parallel edges are added up."""
        starts = np.cumsum([0, *self.widths])
        parts = [sp.coo_array(block.weights) for block in self.blocks]
        rows = [part.row + starts[block.source] for part, block in zip(parts, self.blocks, strict=True)]
        columns = [part.col + starts[block.target] for part, block in zip(parts, self.blocks, strict=True)]
        values = np.concatenate([part.data for part in parts])
        return sp.csr_array((values, (np.concatenate(rows), np.concatenate(columns))), shape=(starts[-1], starts[-1]))

    def to_networkx(self) -> nx.DiGraph:
        """A ``networkx.DiGraph`` over units ``(layer, index)``; a ``MultiDiGraph`` where several edges join the same two units.

        Nodes have ``layer``, ``layer_name``, ``kind`` and ``name``, edges ``weight`` and ``kind``. networkx writes it as GraphML, GEXF and
        GML, and :meth:`from_networkx` reads it back; blocks without edges are kept by GraphML and GML alone.
        """
        return units_to_networkx(self.layers, self.blocks, self.unit_name)

    def to_igraph(self) -> igraph.Graph:
        """An ``igraph.Graph`` with the same vertices, in the same order, and attributes as :meth:`to_networkx`."""
        import igraph  # imports matplotlib.pyplot, which not every user of this package needs

        return igraph.Graph.from_networkx(self.to_networkx())

    def write_graphml(self, path: str | Path) -> Path:
        """Write the graph as GraphML, which ``from_networkx(networkx.read_graphml(path))`` reads back; returns the path."""
        graph = self.to_networkx()
        named = nx.relabel_nodes(graph, {unit: f"{unit[0]}:{unit[1]}" for unit in graph})
        return write_file(path, "\n".join(nx.generate_graphml(named)).encode())


def _checked_layer(layer: Any, place: int) -> Layer:
    if isinstance(layer, tuple) and 3 <= len(layer) <= 5:
        layer = Layer(*layer)
    if not isinstance(layer, Layer):
        raise TypeError(f"layers[{place}] must be a Layer, or a tuple (name, kind, size); got {shown(layer)}")
    if not all(isinstance(text, str) and text for text in (layer.name, layer.kind)):
        raise ValueError(f"layers[{place}] must have a name and a kind that are words; got {shown(layer.name)} and {shown(layer.kind)}")
    if isinstance(layer.size, bool) or not isinstance(layer.size, (int, np.integer)) or layer.size < 1:
        raise ValueError(f"layers[{place}] must have at least one unit; got size {shown(layer.size)}. Leave out a layer without units")
    if layer.size > MOST_UNITS:
        check_units([int(layer.size)], f"layers[{place}]")
    if isinstance(layer.units, (str, bytes)) or not isinstance(layer.units, Sequence):
        raise TypeError(f"layers[{place}] must have a sequence of names of units, or none; got {type(layer.units).__name__}")
    units = tuple(map(text_of, layer.units))
    if units and len(units) != layer.size:
        raise ValueError(f"layers[{place}] must have {layer.size} names of units, or none; got {len(units)}")
    return Layer(layer.name, layer.kind, int(layer.size), units, _checked_images(layer.images, int(layer.size), place))


def _checked_images(images: Any, size: int, place: int) -> NDArray[np.float64] | None:
    if images is None:
        return None
    found = checked_array(images, f"images of layers[{place}]").astype(np.float64)
    if found.ndim != 3 or len(found) != size or not found.size or not np.isfinite(found).all():
        raise ValueError(
            f"images of layers[{place}] must be {size} finite images of one size, shape ({size}, h, w); got shape {found.shape}"
            f"{'' if np.isfinite(found).all() else ' with NaN or infinite values'}. Leave them out for units without images"
        )
    found.setflags(write=False)
    return found


def _checked_block(block: Any, place: int, layers: Sequence[Layer]) -> Block:
    if isinstance(block, tuple) and 3 <= len(block) <= 4:
        block = Block(*block)
    if not isinstance(block, Block):
        raise TypeError(f"blocks[{place}] must be a Block, or a tuple (source, target, weights, kind); got {type(block).__name__}")
    if not isinstance(block.kind, str) or not block.kind:
        raise ValueError(f"blocks[{place}] must have a kind that is a word, such as 'dense'; got {shown(block.kind)}")
    ends = (block.source, block.target)
    if not all(isinstance(end, (int, np.integer)) and 0 <= end < len(layers) for end in ends):
        raise ValueError(f"blocks[{place}] must join positions of layers, 0 to {len(layers) - 1}; got {shown(ends)}")
    source, target = layers[block.source], layers[block.target]
    what = f"blocks[{place}], from {source.name!r} to {target.name!r},"
    if block.source >= block.target:
        raise ValueError(f"{what} must run to a later layer; got {shown(ends)}. List every layer after those that it reads")
    if target.kind == INPUT or source.kind == OUTPUT:
        end = "write to inputs" if target.kind == INPUT else "read outputs"
        raise ValueError(
            f"{what} must not {end}; got kinds {source.kind!r} and {target.kind!r}. Give the units in between a layer of their own"
        )
    weights = stored_matrix(block.weights, f"{what} weights")
    if weights.shape != (source.size, target.size):
        turned = ". They fit transposed: row = source" if weights.shape == (target.size, source.size) else ""
        raise ValueError(f"{what} must have weights of shape {(source.size, target.size)}; got {weights.shape}{turned}")
    if block.kind == CARRY:
        most = max(np.bincount(part).max(initial=0) for part in (weights.indices, weights.nonzero()[0]))
        if most > 1:
            raise ValueError(
                f"{what} must carry each unit to one unit at most, and from one; got {most} entries in a row or column. "
                'Give it another kind, such as "dense"'
            )
    return Block(int(block.source), int(block.target), weights, block.kind)


def _check_different(what: str, names: Iterable[str]) -> None:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise ValueError(f"{what} must have different names; got {name!r} twice")
        seen.add(name)
