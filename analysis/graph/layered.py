"""The layered graph: its weights, its properties and the function it computes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from math import prod
from typing import TYPE_CHECKING, Any

import networkx as nx
import numpy as np
import scipy.sparse as sp
from numpy.typing import ArrayLike, NDArray

from ..texts import shown, text_of
from .arrays import checked_array, checked_matrix, kept
from .blocks import INPUT, OUTPUT, Block, Layer, layer_names
from .chains import STORED, check_chain, stored
from .conversion import adjacency_graph, adjacency_weights, networkx_fields, networkx_graph
from .frames import adjacency_names, columns_of, end_names
from .functions import ACTIVATIONS, LOSSES
from .limits import check_dense, check_units

if TYPE_CHECKING:
    import igraph

__all__ = ["LayeredGraph"]

# L weight layers connect L + 1 unit layers of widths n_0 (inputs) ... n_L (outputs).


@dataclass(frozen=True, eq=False)
class LayeredGraph:
    """A weighted, directed graph whose edges run from each layer to the next.

    Make one with :meth:`from_weights`, :meth:`from_adjacency`, :meth:`from_networkx` or :meth:`from_igraph`. Arrays are copied, and the
    copies cannot be written to.

    Parameters
    ----------
    weights : tuple of ndarray
        ``weights[i]`` has shape ``(widths[i], widths[i + 1])``: row = source, column = target. Zero means no edge.
    biases : tuple of ndarray, optional
        ``biases[i]`` has shape ``(widths[i + 1],)``. Zeros when left out.
    activations : tuple of str, optional
        One name a weight layer, applied after it. ``"relu"`` for hidden layers and ``"identity"`` for outputs when left out.
    input_names, output_names : tuple of str, optional
        ``x0, x1, ...`` and ``y0, y1, ...`` when left out.
    loss : {"bce", "ce", "mse"}
        The loss that the network was trained with. It determines the decisions of the outputs: see :meth:`decisions`.
    orientation : {"in_out"}
        That of ``weights``. It has no other value, so that no matrices of the other orientation are read by mistake.

    Raises
    ------
    TypeError
        When weights or biases are not real numbers, or ``orientation`` is left out.
    ValueError
        When shapes do not match, values are masked or not finite, or names do not fit.

    Examples
    --------
    >>> graph = LayeredGraph.from_weights([[[1.0, 1.0, 0.0]], [[2.0]]])
    >>> graph.widths, graph.edge_count
    ((3, 1, 1), 3)
    """

    weights: tuple[NDArray[np.float64], ...]
    biases: tuple[NDArray[np.float64], ...] = ()
    activations: tuple[str, ...] = ()
    input_names: tuple[str, ...] = ()
    output_names: tuple[str, ...] = ()
    loss: str = "bce"
    orientation: str | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.orientation, str) or self.orientation != STORED:
            raise TypeError(
                f"LayeredGraph must be made with orientation={STORED!r} (row = source); got {shown(self.orientation)}. Use "
                f"LayeredGraph.from_weights(weights) for matrices (n_out, n_in), with orientation={STORED!r} for (n_in, n_out)"
            )
        matrices = [checked_matrix(w, f"weights[{i}]") for i, w in enumerate(_several(self.weights, "weights"))]
        if not matrices:
            raise ValueError("weights must hold at least one matrix; got none")
        check_units([matrices[0].shape[0], *(w.shape[1] for w in matrices)], "the network")
        weights = tuple(map(kept, matrices))
        check_chain(weights, STORED)
        biases = tuple(kept(checked_array(b, f"biases[{i}]")) for i, b in enumerate(_several(self.biases, "biases"))) or tuple(
            kept(np.zeros(w.shape[1])) for w in weights
        )
        shapes, expected = [b.shape for b in biases], [(w.shape[1],) for w in weights]
        if shapes != expected:
            raise ValueError(f"biases must be arrays of shapes {expected}, one for each weight layer; got shapes {shapes}")
        bad = sum(int((~np.isfinite(b)).sum()) for b in biases)
        if bad:
            raise ValueError(f"biases must be finite; got {bad} NaN or infinite values")
        if not isinstance(self.loss, str) or self.loss not in LOSSES:
            raise ValueError(f"loss must be one of {list(LOSSES)}; got {shown(self.loss)}")
        activations = tuple(map(text_of, _several(self.activations, "activations"))) or ("relu",) * (len(weights) - 1) + ("identity",)
        unknown = sorted(set(activations) - set(ACTIVATIONS))
        if len(activations) != len(weights) or unknown:
            raise ValueError(
                f"activations must be {len(weights)} of {sorted(ACTIVATIONS)}, one for each weight layer; got {shown(list(activations))}"
            )
        object.__setattr__(self, "weights", weights)
        object.__setattr__(self, "biases", biases)
        object.__setattr__(self, "activations", activations)
        object.__setattr__(self, "input_names", _names(self.input_names, weights[0].shape[0], "x"))
        object.__setattr__(self, "output_names", _names(self.output_names, weights[-1].shape[1], "y"))

    @classmethod
    def from_weights(cls, matrices: Sequence[ArrayLike], orientation: str = "out_in", **fields: Any) -> LayeredGraph:
        """The graph of weight matrices, first layer first.

        This is the only place in the library where weights are transposed.

        Parameters
        ----------
        matrices : sequence of arrays
            Arrays, SciPy sparse arrays, tensors, or data frames, whose names become those of inputs and outputs.
        orientation : {"out_in", "in_out"}
            Whether the matrices are ``(n_out, n_in)``, as in PyTorch, or ``(n_in, n_out)``, as ``coefs_`` of scikit-learn and the
            kernels of Keras.
        **fields
            The other parameters of the class.

        Raises
        ------
        ValueError
            When ``orientation`` is unknown or a matrix does not follow the one before it.

        Examples
        --------
        >>> LayeredGraph.from_weights([[[0.5, -0.5]], [[1.0], [0.0]]]).widths
        (2, 1, 2)
        >>> LayeredGraph.from_weights([[[0.5], [-0.5]], [[1.0, 0.0]]], orientation="in_out").widths
        (2, 1, 2)
        """
        if isinstance(matrices, (str, bytes)) or not isinstance(matrices, Sequence):
            raise TypeError(f"weights must be a sequence of matrices (n_out, n_in), first layer first; got {type(matrices).__name__}")
        check_dense(sum(prod(getattr(m, "shape", ())) for m in matrices if sp.issparse(m)), "weights together, given as sparse matrices,")
        arrays = [checked_matrix(m, f"weights[{i}]") for i, m in enumerate(matrices)]
        weights = stored(arrays, orientation)
        return cls(weights, orientation=STORED, **{**end_names(matrices, orientation), **fields})

    @classmethod
    def from_adjacency(cls, adjacency: Any, widths: Sequence[int] | None = None, **fields: Any) -> LayeredGraph:
        """The graph of a square adjacency (row = source) over all units.

        Parameters
        ----------
        adjacency : array, SciPy sparse array or data frame of shape (n, n)
            The names that a data frame has become those of inputs and outputs.
        widths : sequence of int, optional
            Units in each layer, inputs first, where units stand layer after layer. When left out, layers are found as in
            :meth:`from_networkx`.

        Raises
        ------
        ValueError
            When the shape does not fit ``widths``, rows and columns have other names, or an edge does not run from one layer to the
            next. Stored zeros are not edges.

        Examples
        --------
        >>> LayeredGraph.from_adjacency([[0, 0, 3.0], [0, 0, 0], [0, 0, 0]], [2, 1]).edge_count
        1
        """
        names = adjacency_names(adjacency)
        if widths is None:
            return replace(cls.from_networkx(adjacency_graph(adjacency, names)), **fields)
        weights = adjacency_weights(adjacency, widths)
        ends = {"input_names": names[: widths[0]], "output_names": names[len(names) - widths[-1] :]} if names else {}
        return cls(weights, orientation=STORED, **{**ends, **fields})

    @classmethod
    def from_networkx(cls, graph: nx.DiGraph) -> LayeredGraph:
        """The graph of a ``networkx.DiGraph``.

        An edge without ``weight`` has the weight 1; an edge of weight 0 is left out. The layer of a node is its attribute ``layer``, or
        the first entry of a node ``(layer, index)``. Where neither is given it is the topological generation, for which edges of weight 0
        count too. Names of inputs and outputs come from ``name`` or from the node itself.

        Raises
        ------
        ValueError
            When the graph is undirected or has a cycle, or an edge does not run from one layer to the next.

        Warns
        -----
        UserWarning
            When layers are topological generations and a path ends before the last layer: the unit at its end is read as a hidden unit
            that is not alive, which detection removes.

        Examples
        --------
        >>> LayeredGraph.from_networkx(nx.DiGraph([("a", "h"), ("b", "h"), ("h", "y")])).widths
        (2, 1, 1)
        """
        return cls(**networkx_fields(graph), orientation=STORED)

    @classmethod
    def from_igraph(cls, graph: igraph.Graph) -> LayeredGraph:
        """The graph of a directed ``igraph.Graph``; vertex and edge attributes as in :meth:`from_networkx`.

        Examples
        --------
        >>> import igraph
        >>> LayeredGraph.from_igraph(igraph.Graph([(0, 2), (1, 2), (2, 3)], directed=True)).widths
        (2, 1, 1)
        """
        if not graph.is_directed():
            raise ValueError("the igraph graph must be directed; got an undirected one")
        return cls.from_networkx(graph.to_networkx())

    @property
    def widths(self) -> tuple[int, ...]:
        """Units in each layer, inputs first."""
        return (self.weights[0].shape[0], *(w.shape[1] for w in self.weights))

    @cached_property
    def layers(self) -> tuple[Layer, ...]:
        """The layers with their names and kinds, as of a :class:`UnitGraph`."""
        depth = len(self.weights)
        kinds = [INPUT, *("neuron",) * (depth - 1), OUTPUT]
        units = [self.input_names, *((),) * (depth - 1), self.output_names]
        return tuple(map(Layer, layer_names(depth), kinds, self.widths, units))

    @cached_property
    def blocks(self) -> tuple[Block, ...]:
        """The weights as blocks from each layer to the next, as of a :class:`UnitGraph`."""
        return tuple(Block(i, i + 1, weight) for i, weight in enumerate(self.weights))

    @property
    def inputs(self) -> tuple[int, ...]:
        """Positions of the layers of inputs: the first."""
        return (0,)

    @property
    def outputs(self) -> tuple[int, ...]:
        """Positions of the layers of outputs: the last."""
        return (len(self.weights),)

    @property
    def depths(self) -> tuple[int, ...]:
        """For each layer the most blocks on a path that leads there: its position."""
        return tuple(range(len(self.weights) + 1))

    @property
    def is_chain(self) -> bool:
        """True: one block joins each layer with the next."""
        return True

    @property
    def edge_count(self) -> int:
        """Number of nonzero weights."""
        return sum(int(np.count_nonzero(w)) for w in self.weights)

    @property
    def density(self) -> float:
        """Nonzero weights as a fraction of all possible ones, in [0, 1]."""
        return self.edge_count / sum(w.size for w in self.weights)

    def alive(self) -> tuple[NDArray[np.bool_], ...]:
        """For each layer which units are alive: inputs with a path to an output, hidden units on a path from input to output, all outputs.

        The published clean-up repeats its sweep ten times. It converges to the same units, found here by one pass over the layers in each
        direction.
        """
        edges = [w != 0 for w in self.weights]
        leads = [np.ones(self.widths[-1], dtype=bool)]
        for edge in reversed(edges):
            leads.append(edge[:, leads[-1]].any(axis=1))
        alive = [leads.pop()]
        for edge in edges[:-1]:
            alive.append(edge[alive[-1]].any(axis=0) & leads.pop())
        alive.append(leads.pop())
        return tuple(alive)

    def unit_values(self, x: ArrayLike) -> tuple[NDArray[np.float64], ...]:
        """The value of every unit: L + 1 arrays of shape (rows, widths[i]), the first being ``x`` of shape (rows, inputs) itself.

        Examples
        --------
        >>> graph = LayeredGraph.from_weights([[[1.0, -1.0]], [[2.0]]])
        >>> [values.tolist() for values in graph.unit_values([[3.0, 1.0]])]
        [[[3.0, 1.0]], [[2.0]], [[4.0]]]
        """
        values, columns = checked_array(x, "x"), columns_of(x)
        if values.ndim != 2 or values.shape[1] != self.widths[0]:
            raise ValueError(f"x must have shape (rows, {self.widths[0]}); got {values.shape}")
        if columns != self.input_names and set(columns) == set(self.input_names):
            raise ValueError(f"x must have its columns in the order of the inputs, {list(self.input_names)}; got {list(columns)}")
        wrong = ~np.isfinite(values)
        if wrong.any():
            first, count = (columns or self.input_names)[int(wrong.any(axis=0).argmax())], int(wrong.sum())
            raise ValueError(f"x must be finite; got {count} NaN or infinite values, some in column {first!r}. Fill them or leave them out")
        layers = [values]
        for weight, bias, activation in zip(self.weights, self.biases, self.activations, strict=True):
            layers.append(ACTIVATIONS[activation](layers[-1] @ weight + bias))
        return tuple(layers)

    def evaluate(self, x: ArrayLike) -> NDArray[np.float64]:
        """The outputs of the network, shape (rows, outputs), for ``x`` of shape (rows, inputs).

        Examples
        --------
        >>> LayeredGraph.from_weights([[[1.0, -1.0]], [[2.0]]]).evaluate([[3.0, 1.0], [0.0, 1.0]]).tolist()
        [[4.0], [0.0]]
        """
        return self.unit_values(x)[-1]

    def decisions(self, outputs: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Which outputs decide 1, shape as ``outputs``.

        With ``loss="ce"`` the outputs are classes, and the largest of a row is chosen, the first of equal ones. Otherwise they are bits,
        with the threshold 0, or 1/2 where the outputs are probabilities (sigmoid) or were trained as real values (``loss="mse"``).
        """
        if self.loss == "ce":
            return np.arange(outputs.shape[1]) == outputs.argmax(axis=1)[:, None]
        return outputs > (0.5 if self.activations[-1] == "sigmoid" or self.loss == "mse" else 0.0)

    def to_networkx(self) -> nx.DiGraph:
        """A ``networkx.DiGraph`` over units ``(layer, index)`` with ``layer``, ``bias``, ``name`` and edge ``weight``.

        networkx writes it as GraphML, GEXF and GML, and :func:`~analysis.graph.as_graph` reads it back, but GEXF keeps no activations and
        no loss.
        """
        return networkx_graph(self.weights, self.biases, self.unit_name, activations=" ".join(self.activations), loss=self.loss)

    def to_igraph(self) -> igraph.Graph:
        """An ``igraph.Graph`` with the same vertices, in the same order, and attributes as :meth:`to_networkx`."""
        import igraph  # imports matplotlib.pyplot, which not every user of this package needs

        return igraph.Graph.from_networkx(self.to_networkx())

    def unit_name(self, layer: int, index: int) -> str:
        """The name of an input or output, or ``h<layer>.<index>``."""
        if not 0 <= layer < len(self.widths) or not 0 <= index < self.widths[layer]:
            raise IndexError(f"a unit must be (layer, index) within the widths {self.widths}; got ({layer}, {index})")
        if layer == 0:
            return self.input_names[index]
        return self.output_names[index] if layer == len(self.weights) else f"h{layer}.{index}"


def _several(values: Any, name: str) -> Any:
    """Refuse what cannot hold an entry for each layer, such as a number or a text."""
    if isinstance(values, (str, bytes)) or not (isinstance(values, Iterable) or hasattr(values, "__getitem__")):
        raise TypeError(f"{name} must be a sequence, with an entry for each weight layer; got {type(values).__name__}")
    try:
        return list(values)
    except RuntimeError as error:  # of an object that only looks like a sequence
        raise TypeError(f"{name} must be a sequence; got {type(values).__name__}, which cannot be read: {error}") from error


def _names(names: Sequence[str], count: int, prefix: str) -> tuple[str, ...]:
    kept = tuple(text_of(n) for n in _several(names, "names of inputs and outputs")) or tuple(f"{prefix}{i}" for i in range(count))
    if len(kept) != count or len(set(kept)) != count:
        kind = "input" if prefix == "x" else "output"
        raise ValueError(f"{kind}_names must be {count} different names; got {len(kept)}, {len(set(kept))} of them different")
    return kept
