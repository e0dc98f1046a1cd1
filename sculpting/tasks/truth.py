"""The ground-truth graph of a gate graph: the modules that a network of a given depth can show.

The gates are laid out as a small layered network that computes them. A gate is one unit where it is a threshold function of what it
reads, as an AND, an OR, a majority or ``a & (b | c)`` is, on the layer after the last of its parents. XOR is an OR of two ANDs, and
NOT is on the edges. A named gate is always a unit of its own. Values are copied upward to where they are read. Gates that do not fit
below the outputs are absorbed by the outputs. Then five rules give the modules:

1. Units of a layer belong together when they feed the same units, or when they read the same inputs and feed something in common.
2. A group joins the group above when that is all it feeds and it is all that the other reads.
3. An output joins the group below it when it reads nothing else.
4. A single input that only one module reads belongs to it. Several inputs that feed the same are a group, and so a sub-function.
5. A unit that alone reads a group of inputs, and nothing else, is in no group with others, and so in the module of these inputs.

For the published tasks the first three rules give the partitions by which the paper scores (Patil, Michael and Dovrolis, NeurIPS 2023).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable, Iterator, Mapping, Sequence
from functools import reduce
from operator import or_
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from .formulas import Formula, Literal
from .gates import GateGraph
from .threshold import LARGEST, all_rows, is_threshold

if TYPE_CHECKING:
    import networkx as nx

__all__ = ["layers_needed", "named_truth", "truth_graph"]

Unit = tuple[int, str]  # layer and name of the value
Column = NDArray[np.bool_]
Function = Callable[[Mapping[str, Column]], Column]
Units = dict[str, tuple[tuple[str, ...], Function]]  # what a unit reads, and its function of that
Reads = dict[str, tuple[str, ...]]  # what a unit reads
OUTPUT = "output "  # prefix of the unit of an output, since an output may have the name of a gate


def truth_graph(gates: GateGraph, hidden_layers: int, *, inputs_apart: bool = False) -> nx.DiGraph:
    """The modules of the task that a network with ``hidden_layers`` hidden layers can show.

    Parameters
    ----------
    gates : GateGraph
    hidden_layers : int
        At least 1.
    inputs_apart : bool
        Leave out rules 4 and 5, as the paper does for its tasks.

    Returns
    -------
    networkx.DiGraph
        Nodes 0, 1, ... from the inputs upward, each with ``inputs`` and ``outputs`` (tuples of positions), ``name`` (``T0``,
        ...) and ``function`` (the formulas of the values that leave the module); an edge where a module reads another.
        The graph also carries plain arrays: ``graph["x"]`` and ``graph["y"]``, the truth table (shapes (2^n, n) and (2^n, k),
        uint8), with ``graph["input_names"]`` and ``graph["output_names"]``; ``graph["hidden_layers"]``; ``graph["gates"]``, the bits of
        every gate by its name, shape (2^n,); and ``graph["users"]``, the positions of the outputs that read the gate.

    Raises
    ------
    ValueError
        When ``hidden_layers`` is less than 1.

    Examples
    --------
    >>> both = GateGraph.parse({"p": "x0 & x1", "q": "x2 & x3", "r": "x4 & x5", "y0": "p | q", "y1": "p | r", "y2": "q | r"})
    >>> truth = truth_graph(both, hidden_layers=2)
    >>> truth.number_of_nodes(), truth.graph["y"].shape, truth.graph["users"]["p"]
    (6, (64, 3), (0, 1))
    """
    if hidden_layers < 1:
        raise ValueError(f"hidden_layers must be at least 1; got {hidden_layers}")
    reads = _reads_of(gates)
    network = _layout(reads, gates, hidden_layers)
    groups = _groups(network)
    if not inputs_apart:
        groups |= _lone_readers(network, groups)
    members = _contracted(network, groups, hidden_layers + 1, () if inputs_apart else gates.inputs)
    modules = sorted(set(members.values()), key=lambda module: min((layer, _rank(gates, name)) for layer, name in module))
    truth = _with_table(gates)
    truth.graph["hidden_layers"] = hidden_layers
    for node, held in enumerate(modules):
        truth.add_node(
            node,
            name=f"T{node}",
            inputs=tuple(i for i, name in enumerate(gates.inputs) if (0, name) in held),
            outputs=tuple(i for i, name in enumerate(gates.outputs) if (hidden_layers + 1, OUTPUT + name) in held),
            function=_function(gates, reads, set(held), network),
        )
    index = {module: node for node, module in enumerate(modules)}
    truth.add_edges_from((index[members[a]], index[members[b]]) for a, b in network.edges if members[a] != members[b])
    return truth


def named_truth(gates: GateGraph) -> nx.DiGraph:
    """The gates as they are named, whatever the depth: a module for each gate.

    An input that one gate alone reads belongs to it. Other inputs are a module with those that the same gates read. A gate that only
    renames a value belongs to what it renames.

    Examples
    --------
    >>> gates = GateGraph.parse({"p": "a & b", "q": "b | c", "y": "p ^ q", "z": "~y"})
    >>> truth = named_truth(gates)
    >>> [(facts["function"], facts["inputs"], facts["outputs"]) for _, facts in truth.nodes(data=True)]
    [('b', (1,), ()), ('p = a & b', (0,), ()), ('q = b | c', (2,), ()), ('y = p ^ q', (), (0,))]
    """
    import networkx as nx

    reads: Reads = {name: tuple(dict.fromkeys(formula.names())) for name, formula in gates.gates.items()}
    own = [name for name, names in reads.items() if len(names) > 1]
    readers: dict[str, list[str]] = {}
    for name in own:
        for read in dict.fromkeys(_source(reads, read) for read in reads[name]):
            readers.setdefault(read, []).append(name)
    shown = {output: _source(reads, output) for output in gates.outputs}
    held: dict[tuple[str, ...], list[int]] = {}
    for i, name in enumerate(gates.inputs):
        if name in readers:
            held.setdefault(tuple(readers[name]), []).append(i)
        elif name in shown.values():
            held[name,] = [i]
    truth = _with_table(gates)
    index: dict[str, int] = {}
    for inputs in (inputs for names, inputs in held.items() if len(names) > 1 or names[0] not in own):
        index |= dict.fromkeys((gates.inputs[i] for i in inputs), len(truth))
        outputs = tuple(o for o, name in enumerate(gates.outputs) if shown[name] in {gates.inputs[i] for i in inputs})
        truth.add_node(len(truth), inputs=tuple(inputs), outputs=outputs, function=", ".join(gates.inputs[i] for i in inputs))
    for name in own:
        index[name] = len(truth)
        inputs = held.get((name,), [])
        values = {name, *(gates.inputs[i] for i in inputs)}
        outputs = tuple(o for o, output in enumerate(gates.outputs) if shown[output] in values)
        truth.add_node(len(truth), inputs=tuple(inputs), outputs=outputs, function=f"{name} = {gates.gates[name]}")
    nx.set_node_attributes(truth, {node: f"T{node}" for node in truth}, "name")
    truth.add_edges_from((index[read], index[name]) for read, names in readers.items() if read in index for name in names)
    return truth


def layers_needed(gates: GateGraph) -> int:
    """The fewest hidden layers with which every gate below the outputs has a unit.

    Examples
    --------
    >>> [layers_needed(GateGraph.parse({"p": formula, "y": "p & c"})) for formula in ("a & b", "a ^ b")]
    [1, 2]
    """
    level = _levels(_reads_of(gates), gates)
    return max(1, max(level[output] for output in gates.outputs) - 1)


def _with_table(gates: GateGraph) -> nx.DiGraph:
    """A graph without modules yet, with the truth table and the gates."""
    import networkx as nx  # costs a noticeable part of importing the package

    columns = gates.columns()
    x, y = (np.stack([columns[name] for name in names], axis=1) for names in (gates.inputs, gates.outputs))
    names = {"input_names": gates.inputs, "output_names": gates.outputs}
    return nx.DiGraph(x=x, y=y, **names, gates={name: columns[name] for name in gates.gates}, users=gates.users())


def _rank(gates: GateGraph, name: str) -> int:
    names = [*gates.inputs, *gates.gates, *(OUTPUT + o for o in gates.outputs)]
    return names.index(name) if name in names else len(names)


def _reads_of(gates: GateGraph) -> Reads:
    """The units that compute the gates: for each name what it reads.

    An AND or an OR is one unit. An XOR is an OR of two ANDs. A part of a formula without a name of its own is no unit where what reads it
    is a threshold function of the parts of the part, and comes a layer earlier so. A value that reads one other is that value.
    """
    units: Units = {}
    reads: Reads = {}
    level: dict[str, int] = dict.fromkeys(gates.inputs, 0)

    def add(name: str, parents: tuple[str, ...], function: Function, parts: Sequence[str]) -> None:
        """Place a unit, without those of its unnamed ``parts`` that it can do without."""
        for some in ([part for part in parts if part in ors], [part for part in parts if part not in ors]):
            merged = _merged(parents, function, {part: units[part] for part in some if part in units and part in parents})
            if merged is not None and level_of(merged[0]) < level_of(parents):
                parents, function = merged
        units[name] = parents, function
        reads[name] = parents
        level[name] = level[_source(reads, parents[0])] if len(parents) == 1 else level_of(parents)

    def level_of(parents: Sequence[str]) -> int:
        return 1 + max(level[_source(reads, parent)] for parent in parents)

    ors: set[str] = set()  # the ORs of XORs

    def place(name: str, formula: Formula) -> None:
        terms, parts = [], []
        for i, term in enumerate(formula.terms):
            if isinstance(term, Formula):
                place(f"{name}.{i}", term)
                parts.append(f"{name}.{i}")
            terms.append((term.name, term.negated) if isinstance(term, Literal) else (f"{name}.{i}", False))
        if formula.operator != "^":
            fold = np.logical_or if formula.operator == "|" else np.logical_and
            add(name, tuple(dict.fromkeys(term for term, _ in terms)), _folded(fold, terms, formula.negated), parts)
            return
        last = terms[0]
        for i, other in enumerate(terms[1:], start=1):
            target = name if i == len(terms) - 1 else f"{name}^{i}"
            unnamed = [value for value, _ in (last, other) if value in parts or value in ors]
            for sign, first in (("+", False), ("-", True)):
                signed = [(last[0], last[1] ^ first), (other[0], other[1] ^ (not first))]
                add(f"{target}{sign}", tuple(dict.fromkeys((last[0], other[0]))), _folded(np.logical_and, signed, False), unnamed)
            either = [(f"{target}+", False), (f"{target}-", False)]
            function = _folded(np.logical_or, either, formula.negated and target == name)
            add(target, (f"{target}+", f"{target}-"), function, [])
            if target not in gates.gates:
                ors.add(target)
            last = target, False

    for name, formula in gates.gates.items():
        place(name, formula)
    return reads


def _folded(fold: Callable[..., Column], terms: Sequence[tuple[str, bool]], negated: bool) -> Function:
    """An AND or an OR of values that may be negated."""

    def function(columns: Mapping[str, Column]) -> Column:
        value: Column = reduce(fold, (columns[name] ^ sign for name, sign in terms))
        return value ^ negated

    return function


def _merged(parents: tuple[str, ...], function: Function, parts: Units) -> tuple[tuple[str, ...], Function] | None:
    """A unit that reads what its parts read in place of these; None where it has none, or would be no threshold function."""
    if not parts:
        return None
    reads = tuple(dict.fromkeys(read for parent in parents for read in (parts[parent][0] if parent in parts else (parent,))))
    if len(reads) > LARGEST:
        return None

    def whole(columns: Mapping[str, Column]) -> Column:
        return function({**columns, **{part: of(columns) for part, (_, of) in parts.items()}})

    return (reads, whole) if is_threshold(whole(dict(zip(reads, all_rows(len(reads)).T, strict=True)))) else None


def _source(reads: Reads, name: str) -> str:
    """The value that a name stands for."""
    while name in reads and len(reads[name]) == 1:
        (name,) = reads[name]
    return name


def _levels(reads: Reads, gates: GateGraph) -> dict[str, int]:
    """The layer on which each value can be at the earliest; that of the inputs is 0."""
    level: dict[str, int] = dict.fromkeys(gates.inputs, 0)
    for name, parents in reads.items():
        level[name] = level[_source(reads, parents[0])] if len(parents) == 1 else 1 + max(level[_source(reads, p)] for p in parents)
    return level


def _layout(reads: Reads, gates: GateGraph, hidden_layers: int) -> nx.DiGraph:
    """The layered network: a graph over units ``(layer, value)``."""
    import networkx as nx

    level = _levels(reads, gates)
    network = nx.DiGraph()

    def below_of(name: str, layer: int) -> list[Unit]:
        """The units on the layer below from which a unit on ``layer`` gets the value ``name``."""
        found: dict[Unit, None] = {}
        seen, todo = set(), [name]
        while todo:
            value = todo.pop()
            if level[value] < layer:
                found[layer - 1, value] = None
            elif value not in seen:
                todo += [_source(reads, parent) for parent in reversed(reads[value])]
            seen.add(value)
        return list(found)

    todo: list[Unit] = []
    for output in gates.outputs:
        below = below_of(_source(reads, output), hidden_layers + 1)
        network.add_edges_from((unit, (hidden_layers + 1, OUTPUT + output)) for unit in below)
        todo += below
    while todo:
        layer, name = todo.pop()
        if layer and not network.in_degree((layer, name)):
            below = below_of(name, layer)
            network.add_edges_from((unit, (layer, name)) for unit in below)
            todo += below
    return network


def _groups(network: nx.DiGraph) -> dict[Unit, frozenset[Unit]]:
    """Rule 1, layer by layer; every output is a group of its own."""
    import networkx as nx

    layers: dict[int, list[Unit]] = {}
    for unit in network:
        layers.setdefault(unit[0], []).append(unit)
    number = {unit: 1 << i for i, unit in enumerate(network)}
    reach, support = dict.fromkeys(network, 0), dict.fromkeys(network, 0)  # sets of units as bits
    for layer in sorted(layers):
        for unit in layers[layer]:
            support[unit] = reduce(or_, (support[below] for below in network.predecessors(unit)), 0 if layer else number[unit])
    for layer in sorted(layers, reverse=True):
        for unit in layers[layer]:
            reach[unit] = reduce(or_, (reach[above] | number[above] for above in network.successors(unit)), 0)
    alike = nx.Graph()
    alike.add_nodes_from(network)
    for units in layers.values():
        first: dict[Hashable, Unit] = {}
        for unit in units:
            if reach[unit]:
                alike.add_edge(unit, first.setdefault(reach[unit], unit))
            for above in _bits(reach[unit]):
                alike.add_edge(unit, first.setdefault((support[unit], above), unit))
    return {unit: group for group in map(frozenset, nx.connected_components(alike)) for unit in group}


def _lone_readers(network: nx.DiGraph, groups: Mapping[Unit, frozenset[Unit]]) -> dict[Unit, frozenset[Unit]]:
    """Rule 5: the changed groups of the first hidden layer."""
    lone = set()
    for group in {groups[unit] for unit in network if unit[0] == 0}:
        readers = {target for unit in group for target in network.successors(unit)}
        lone |= readers if len(readers) == 1 and all(set(network.predecessors(reader)) <= group for reader in readers) else set()
    changed: dict[Unit, frozenset[Unit]] = {}
    for unit in lone:
        rest = groups[unit] - lone
        changed |= {unit: frozenset([unit])} | dict.fromkeys(rest, rest)
    return changed


def _bits(number: int) -> Iterator[int]:
    """The bits that are set."""
    while number:
        yield (bit := number & -number)
        number ^= bit


def _contracted(
    network: nx.DiGraph, groups: dict[Unit, frozenset[Unit]], last: int, inputs: Collection[str]
) -> dict[Unit, frozenset[Unit]]:
    """Rules 2 to 4, from the inputs upward; ``inputs`` are those that may join the only module that reads them."""
    members = dict(groups)
    for layer in range(1, last + 1):
        for group in {groups[unit] for unit in network if unit[0] == layer}:
            below = {members[source] for unit in group for source in network.predecessors(unit)}
            private = {
                module
                for module in below
                if len(names := {name for _, name in module}) == 1
                and names <= set(inputs)
                and all(target in module or target in group for unit in module for target in network.successors(unit))
            }
            joined = members[next(iter(group))].union(*private)
            if len(rest := below - private or below) == 1:
                (lower,) = rest
                above = {groups[target] for unit in lower if unit[0] == layer - 1 for target in network.successors(unit)}
                if layer == last or above == {group}:
                    joined |= lower
            members.update(dict.fromkeys(joined, joined))
    return members


def _function(gates: GateGraph, reads: Reads, held: set[Unit], network: nx.DiGraph) -> str:
    """The formulas of the values that leave a module, or that its outputs show."""
    leaving: dict[str, None] = {}
    for unit in sorted(held, key=lambda u: (u[0], _rank(gates, u[1]))):
        if unit[1].startswith(OUTPUT):
            leaving[_source(reads, unit[1].removeprefix(OUTPUT))] = None
        elif not set(network.successors(unit)) <= held:
            leaving[unit[1]] = None
    return ", ".join(f"{name} = {gates.gates[name]}" if name in gates.gates else name for name in leaving)
