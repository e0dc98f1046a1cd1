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

from collections.abc import Iterable, Sequence
from collections.abc import Set as AbstractSet
from typing import TYPE_CHECKING

import numpy as np

from ..checks import check_layers
from .gate_units import GateUnits, units_of
from .gates import GateGraph
from .unit_modules import Layered, Unit, groups_of, joined_modules, lone_readers

if TYPE_CHECKING:
    import networkx as nx

__all__ = ["layers_needed", "named_truth", "truth_graph"]

MOST_STEPS = 2_000_000  # to lay out a network: a few seconds
UNIT = 20  # steps that a unit costs; a value that is looked at costs one
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
        When ``hidden_layers`` is no whole number of at least 1, a gate has the name of a part of another, such as ``p+``, or the
        gates have more than 20,000 parts, or the network would have more than about 100,000 units.

    Examples
    --------
    >>> both = GateGraph.parse({"p": "x0 & x1", "q": "x2 & x3", "r": "x4 & x5", "y0": "p | q", "y1": "p | r", "y2": "q | r"})
    >>> truth = truth_graph(both, hidden_layers=2)
    >>> truth.number_of_nodes(), truth.graph["y"].shape, truth.graph["users"]["p"]
    (6, (64, 3), (0, 1))
    """
    hidden_layers = check_layers(hidden_layers)
    units = units_of(gates)
    rank = _ranks(gates, units)
    network = _layout(units, gates, hidden_layers)
    groups = groups_of(network)
    if not inputs_apart:
        groups |= lone_readers(network, groups)
    members = joined_modules(network, groups, () if inputs_apart else gates.inputs)
    modules = sorted(set(members.values()), key=lambda module: min((layer, rank[name]) for layer, name in module))
    truth = _with_table(gates)
    truth.graph["hidden_layers"] = hidden_layers
    for node, held in enumerate(modules):
        truth.add_node(
            node,
            name=f"T{node}",
            inputs=_positions(gates.inputs, (name for layer, name in held if layer == 0)),
            outputs=_positions(gates.outputs, (name.removeprefix(OUTPUT) for layer, name in held if layer == hidden_layers + 1)),
            function=_function(gates, units, sorted(held, key=lambda unit: (unit[0], rank[unit[1]])), held, network),
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

    reads = {name: tuple(dict.fromkeys(formula.names())) for name, formula in gates.gates.items()}
    source = {name: name for name in gates.inputs}
    for name, names in reads.items():
        source[name] = name if len(names) > 1 else source[names[0]]
    own = {name: formula for name, formula in gates.gates.items() if len(reads[name]) > 1}
    readers: dict[str, list[str]] = {}
    for name in own:
        for read in dict.fromkeys(source[read] for read in reads[name]):
            readers.setdefault(read, []).append(name)
    shown: dict[str, list[int]] = {}  # the outputs that show a value
    for place, output in enumerate(gates.outputs):
        shown.setdefault(source[output], []).append(place)
    held: dict[tuple[str, ...], list[int]] = {}
    for i, name in enumerate(gates.inputs):
        if name in readers:
            held.setdefault(tuple(readers[name]), []).append(i)
        elif name in shown:
            held[name,] = [i]
    truth = _with_table(gates)
    index: dict[str, int] = {}

    def add(inputs: Sequence[int], function: str, *gate: str) -> None:
        names = [gates.inputs[i] for i in inputs]
        outputs = sorted(output for name in (*gate, *names) for output in shown.get(name, []))
        index.update(dict.fromkeys(gate or names, len(truth)))
        truth.add_node(len(truth), inputs=tuple(inputs), outputs=tuple(outputs), function=function)

    for inputs in (inputs for names, inputs in held.items() if len(names) > 1 or names[0] not in own):
        add(inputs, ", ".join(gates.inputs[i] for i in inputs))
    for name, formula in own.items():
        add(held.get((name,), []), f"{name} = {formula}", name)
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
    level = units_of(gates).level
    return max(1, max(level[output] for output in gates.outputs) - 1)


def _with_table(gates: GateGraph) -> nx.DiGraph:
    """A graph without modules yet, with the truth table and the gates."""
    import networkx as nx  # costs a noticeable part of importing the package

    columns = gates.columns()
    x, y = (np.stack([columns[name] for name in names], axis=1) for names in (gates.inputs, gates.outputs))
    names = {"input_names": gates.inputs, "output_names": gates.outputs}
    return nx.DiGraph(x=x, y=y, **names, gates={name: columns[name] for name in gates.gates}, users=gates.users())


def _ranks(gates: GateGraph, units: GateUnits) -> dict[str, int]:
    """The order of all values: inputs, gates, outputs, then parts without a name in the order in which they were placed."""
    names = (*gates.inputs, *gates.gates, *(OUTPUT + output for output in gates.outputs), *units.reads)
    return {name: place for place, name in enumerate(dict.fromkeys(names))}


def _positions(names: Sequence[str], held: Iterable[str]) -> tuple[int, ...]:
    """The places of some of the names, in ascending order."""
    some = set(held)
    return tuple(i for i, name in enumerate(names) if name in some) if some else ()


class _Budget:
    """Steps that may still be made."""

    def __init__(self, gates: GateGraph, hidden_layers: int) -> None:
        self.left = MOST_STEPS
        self.text = (
            f"the truth of {len(gates.gates)} gates at {hidden_layers} hidden layers must take at most {MOST_STEPS:,} steps to lay out; it "
            "takes more. Give fewer gates or layers, or leave hidden_layers out for the gates as they are named"
        )

    def spend(self, steps: int) -> None:
        self.left -= steps
        if self.left < 0:
            raise ValueError(self.text)


def _layout(units: GateUnits, gates: GateGraph, hidden_layers: int) -> Layered:
    """The layered network of units."""
    level, budget, network = units.level, _Budget(gates, hidden_layers), Layered()
    budget.spend(UNIT * hidden_layers)  # every layer has a unit

    def below_of(name: str, layer: int) -> list[Unit]:
        """The units on the layer below from which a unit on ``layer`` gets the value ``name``."""
        found: dict[Unit, None] = {}
        seen, todo = set(), [name]
        while todo:
            value = todo.pop()
            if level[value] < layer:
                found[layer - 1, value] = None
            elif value not in seen:
                todo += [units.source[parent] for parent in reversed(units.reads[value])]
            seen.add(value)
        budget.spend(len(seen))
        return list(found)

    todo: list[Unit] = []
    for output in gates.outputs:
        below = below_of(units.source[output], hidden_layers + 1)
        network.connect(below, (hidden_layers + 1, OUTPUT + output))
        todo += below
    while todo:
        layer, name = todo.pop()
        if layer and not network.below[layer, name]:
            budget.spend(UNIT)
            below = below_of(name, layer)
            network.connect(below, (layer, name))
            todo += below
    return network


def _function(gates: GateGraph, units: GateUnits, ordered: Sequence[Unit], held: AbstractSet[Unit], network: Layered) -> str:
    """The formulas of the values that leave a module, or that its outputs show."""
    leaving: dict[str, None] = {}
    for unit in ordered:
        feeds = set(network.above[unit])
        if not feeds:
            leaving[units.source[unit[1].removeprefix(OUTPUT)]] = None
        elif not feeds <= held:
            leaving[unit[1]] = None
    return ", ".join(f"{name} = {gates.gates[name]}" if name in gates.gates else name for name in leaving)
