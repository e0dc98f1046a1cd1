"""Random networks with planted modules: a ground truth for every detector."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations, pairwise
from math import comb
from numbers import Integral, Real
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..graph import Block, Layer, LayeredGraph, UnitGraph
from ..graph.blocks import layer_names
from ..hierarchy import Hierarchy

__all__ = ["planted_hierarchy"]

# L + 1 unit layers; a_i units in layer i. A level of m modules spans one or several layers.

DEEPEST = 3  # layers of a level at most

_Choices = tuple[tuple[int, ...], ...]  # for each module of a level, the modules it reads
_Edges = dict[tuple[int, int], NDArray[np.bool_]]  # for each two layers that edges join


class _Layer(NamedTuple):
    """For each unit of a layer, its module and the module that it reads below; both of shape (a_i,)."""

    labels: NDArray[np.int64]
    sources: NDArray[np.int64]


class _Block(NamedTuple):
    """A layer to be filled."""

    modules: NDArray[np.int64]
    reads: _Choices  # empty within a level
    least: int  # smallest number of units of each part

    @property
    def parts(self) -> int:
        """Groups of units: one for each module or, in the first layer of a level, for each module and module that it reads."""
        return sum(map(len, self.reads)) or len(self.modules)


def planted_hierarchy(modules: Sequence[int], units: int, *, cross_edges: float = 0.0, skips: float = 0.0, seed: int = 0) -> Hierarchy:
    """A random network with known modules: a chain of layers, or with edges that skip layers.

    Parameters
    ----------
    modules : sequence of int
        Number of modules of each level, from the inputs upward. Two neighbouring levels of one module each would be one module.
    units : int
        Number of units in all, inputs and outputs included.
    cross_edges : float, at least 0
        Additional random edges as a fraction of the planted ones: between unwired units of neighbouring layers and different modules, and
        with ``skips`` also of layers that are two apart.
    skips : float in [0, 1]
        The probability that a module also reads one module of a level further down, and that a module of three layers has edges from its
        first to its third. With any such edge the graph is a :class:`~analysis.graph.UnitGraph`.
    seed : int

    Returns
    -------
    Hierarchy
        The network, with weights 0 and 1, and the planted modules as labels. The clusters of a layer are its modules.

    Raises
    ------
    ValueError
        When a level has no module, two neighbouring levels have one module each, there are too few units, or there are too few unwired
        pairs for the cross edges.

    Notes
    -----
    The modules of a level span the same one to three layers, those of the last level at least two. Within a module, each layer is fully
    wired to the next. The first layer of a module that reads others consists of ports, the same number for each module that it reads.
    A port is wired to all units of the last layer of that module and to no others. A module reads all modules of the level below, or a
    subset of k of them if there are as many modules as such subsets, one subset for each (as three modules that read three in pairs, in
    the task ``[6, 3, 3, 3]``). With ``skips``, ports for a module further down are wired to its last layer, over the layers between.

    These choices make the modules identifiable by the definition of Patil, Michael & Dovrolis, NeurIPS 2023:

    - The units of a module in one layer reach the same units. Units of different modules never do, since a port reads one module only.
      In no bipartition of the modules of a layer does one side reach everything, so the test for a single cluster never fires.
    - Nothing merges across levels: a module reads several modules or is read by several, with similar numbers of edges. Sizes within
      a layer differ from their mean by at most a quarter and one unit.
    - The modules of a layer have about equal distances and about equal sizes. Distance modularity joins a and b where
      ``d(a, b) < d(a, all) d(b, all)``, with distances summed over units and divided by their total (see
      :func:`~analysis.detection.criteria.modularity_by_count`). By this definition two kinds of modules would be one: modules that share
      readers in a layer where others do not, as in a tree, and modules much smaller than the others of their layer.
    - Where a layer has more than two modules, each has at least two units there. Otherwise all units would have to be separate, which no
      number of clusters in 2..n-1 allows. Outputs are separate anyway.

    With ``skips`` this holds for nearly all networks, not for all: a reader further up makes a module differ from its neighbours more than
    they differ from one another.

    Examples
    --------
    >>> truth = planted_hierarchy([3, 3], units=40, seed=1)
    >>> len(truth.modules), sum(truth.graph.widths)
    (6, 40)
    >>> from analysis import detect_modules
    >>> found = detect_modules(truth.graph)
    >>> all((a == b).all() for a, b in zip(found.labels, truth.labels, strict=True))
    True
    """
    counts = _checked_modules(modules)
    if not isinstance(cross_edges, Real) or not 0 <= cross_edges < np.inf:
        raise ValueError(f"cross_edges must be a fraction of the planted edges, at least 0; got {cross_edges!r}")
    if not isinstance(skips, Real) or not 0 <= skips <= 1:
        raise ValueError(f"skips must be a probability in [0, 1]; got {skips!r}")
    if not isinstance(units, Integral):
        raise ValueError(f"units must be an integer; got {units!r}")
    rng = np.random.default_rng(seed)
    layers = _shuffled(_filled(_layout(counts, int(units), float(skips), rng), int(units), rng), rng)
    edges = {(i, i + 1): below.labels[:, None] == above.sources for i, (below, above) in enumerate(pairwise(layers))}
    if skips:
        _add_skips(edges, layers, float(skips), rng)
    labels = tuple(layer.labels for layer in layers)
    _add_cross_edges(edges, labels, cross_edges, rng)
    return Hierarchy(_graph(edges, [len(part) for part in labels]), labels, labels)


def _graph(edges: _Edges, widths: Sequence[int]) -> LayeredGraph | UnitGraph:
    weights = {ends: edge.astype(float) for ends, edge in edges.items()}
    if all(target == source + 1 or not edge.any() for (source, target), edge in edges.items()):
        return LayeredGraph.from_weights([weights[i, i + 1] for i in range(len(widths) - 1)], orientation="in_out")
    last = len(widths) - 1
    kinds = ["input", *("neuron",) * (last - 1), "output"]
    layers = tuple(map(Layer, layer_names(last), kinds, widths))
    return UnitGraph(layers, tuple(Block(*ends, weight) for ends, weight in weights.items()))


def _checked_modules(modules: Sequence[int]) -> list[int]:
    counts = list(modules)
    if not counts or not all(isinstance(m, Integral) and m >= 1 for m in counts):
        raise ValueError(f"modules must be positive integers, one for each level; got {modules!r}")
    if any(a == b == 1 for a, b in pairwise(counts)):
        raise ValueError(f"a level of one module must not follow another: they would be one module; got modules={modules!r}")
    return [int(m) for m in counts]


def _layout(counts: Sequence[int], units: int, skips: float, rng: np.random.Generator) -> list[_Block]:
    """The layers: a random number for each level, reduced to fit the units. If none fit, modules read as few others as possible."""
    labels = np.split(np.arange(sum(counts)), np.cumsum(counts)[:-1])
    fewest = [1] * (len(counts) - 1) + [2]
    for narrow in (False, True):
        reads: list[_Choices] = [(), *(_choices(below, len(above), narrow, rng) for below, above in pairwise(labels))]
        if skips and not narrow:
            reads = [_with_lower(read, level, counts, skips, rng) for level, read in enumerate(reads)]
        spans = [int(rng.integers(least, DEEPEST + 1)) for least in fewest]
        while (needed := _needed(blocks := _blocks(labels, reads, spans))) > units and spans != fewest:
            spans[rng.choice(np.flatnonzero(np.greater(spans, fewest)))] -= 1
        if needed <= units:
            return blocks
    raise ValueError(f"units must be at least {needed} for modules {list(counts)}; got {units}")


def _needed(blocks: Sequence[_Block]) -> int:
    return sum(block.least * block.parts for block in blocks)


def _blocks(labels: Sequence[NDArray[np.int64]], reads: Sequence[_Choices], spans: Sequence[int]) -> list[_Block]:
    blocks = []
    for level, (modules, span) in enumerate(zip(labels, spans, strict=True)):
        # The tests of the detector can separate two single units but no more; outputs are separate anyway.
        several = 2 if len(modules) > 2 else 1
        for layer in range(span):
            ports = reads[level] if layer == 0 else ()
            is_last = level == len(labels) - 1 and layer == span - 1
            blocks.append(_Block(modules, ports, 1 if is_last or (ports and len(ports[0]) > 1) else several))
    return blocks


def _choices(below: NDArray[np.int64], above: int, narrow: bool, rng: np.random.Generator) -> _Choices:
    """For each module above, the modules that it reads: a different subset each, where the numbers fit, or all."""
    sizes = [*(k for k in range(2, len(below)) if comb(len(below), k) == above), len(below)]
    size = sizes[0] if narrow else int(rng.choice(sizes))
    if size == len(below):
        return (tuple(below.tolist()),) * above
    return tuple(combinations(below.tolist(), size))


def _with_lower(reads: _Choices, level: int, counts: Sequence[int], skips: float, rng: np.random.Generator) -> _Choices:
    """What the modules of a level read, with a module of a level further down for some."""
    lower = sum(counts[: max(level - 1, 0)])
    return tuple((*read, int(rng.integers(lower))) if lower and rng.random() < skips else read for read in reads)


def _filled(blocks: Sequence[_Block], units: int, rng: np.random.Generator) -> list[_Layer]:
    """The units of each layer. Layers of ports get at most the mean size of a layer; the other layers share the rest."""
    mean = units / sum(len(block.modules) for block in blocks)
    left = units - _needed(blocks)
    layers: dict[int, _Layer] = {}
    for i, block in enumerate(blocks):
        if block.reads:
            most = min(left // block.parts, int(mean / len(block.reads[0])) - block.least)
            more = int(rng.integers(max(most, 0) + 1))
            left -= more * block.parts
            layers[i] = _ports(block, block.least + more)
    free = [i for i, block in enumerate(blocks) if not block.reads]
    shares = np.array([len(blocks[i].modules) * rng.uniform(0.5, 1.5) for i in free])
    for i, more in zip(free, rng.multinomial(left, shares / shares.sum()), strict=True):
        modules = blocks[i].modules
        labels = np.repeat(modules, _balanced(blocks[i].least * len(modules) + int(more), len(modules), rng))
        layers[i] = _Layer(labels, labels)
    return [layers[i] for i in range(len(blocks))]


def _ports(block: _Block, size: int) -> _Layer:
    sources = np.repeat(np.concatenate(block.reads), size)
    return _Layer(np.repeat(block.modules, [size * len(read) for read in block.reads]), sources)


def _balanced(total: int, modules: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Sizes with the given total that differ from their mean by at most a quarter and one unit."""
    base, rest = divmod(total, modules)
    sizes = np.full(modules, base)
    order = rng.permutation(modules)
    sizes[order[:rest]] += 1
    half = modules // 2
    moved = rng.integers(base // 4 + 1, size=half)
    sizes[order[:half]] -= moved
    sizes[order[half : 2 * half]] += moved
    return sizes


def _shuffled(layers: Sequence[_Layer], rng: np.random.Generator) -> list[_Layer]:
    orders = [rng.permutation(len(layer.labels)) for layer in layers]
    return [_Layer(labels[order], sources[order]) for (labels, sources), order in zip(layers, orders, strict=True)]


def _add_skips(edges: _Edges, layers: Sequence[_Layer], skips: float, rng: np.random.Generator) -> None:
    """Add the edges of ports to modules further down, and those from the first to the third layer of some modules."""
    top = {int(module): i for i, layer in enumerate(layers) for module in np.unique(layer.labels)}
    for i, layer in enumerate(layers):
        for source in np.unique(layer.sources).tolist():
            below = top[source] if source not in layer.labels else i - 1
            if i and below < i - 1:
                edge = edges.setdefault((below, i), np.zeros((len(layers[below].labels), len(layer.labels)), dtype=bool))
                edge |= (layers[below].labels == source)[:, None] & (layer.sources == source)
        if i > 1:
            edge = edges.setdefault((i - 2, i), np.zeros((len(layers[i - 2].labels), len(layer.labels)), dtype=bool))
            for module in np.intersect1d(layers[i - 2].labels, layer.labels).tolist():
                if rng.random() < skips:
                    edge |= (layers[i - 2].labels == module)[:, None] & (layer.labels == module)


def _add_cross_edges(edges: _Edges, labels: Sequence[NDArray[np.int64]], fraction: float, rng: np.random.Generator) -> None:
    """Add edges between random unwired pairs of different modules, all with the same probability."""
    count = round(fraction * sum(int(edge.sum()) for edge in edges.values()))
    absent = [np.flatnonzero(~edge & (labels[a][:, None] != labels[b])) for (a, b), edge in edges.items()]
    starts = np.cumsum([0, *(len(pairs) for pairs in absent)])
    if count > starts[-1]:
        raise ValueError(
            f"cross_edges={fraction} must leave pairs to wire: {count} edges for {starts[-1]} pairs of units that are not wired"
        )
    drawn = np.sort(rng.choice(starts[-1], size=count, replace=False))
    for edge, pairs, first, last in zip(edges.values(), absent, starts, starts[1:], strict=False):
        edge.flat[pairs[drawn[(drawn >= first) & (drawn < last)] - first]] = True
