"""The ground-truth graph of a gate graph: the modules that a network of a given depth can show.

The gates are laid out as the smallest layered network that computes them. Every AND and OR is on the layer after the last of
its parents; XOR is an OR of two ANDs, and NOT is on the edges. Values are copied upward to where they are read. Gates that do
not fit below the outputs are absorbed by the outputs. Then three rules give the modules:

1. Units of a layer belong together when they feed the same units, or when they read the same inputs and feed something in common.
2. A group joins the group above when that is all it feeds and it is all that the other reads.
3. An output joins the group below it when it reads nothing else.

For the published tasks these are the partitions by which the paper scores (Patil, Michael and Dovrolis, NeurIPS 2023).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .gates import Formula, GateGraph, Literal

if TYPE_CHECKING:
    import networkx as nx

__all__ = ["truth_graph"]

Unit = tuple[int, str]  # layer and name of the value
Simple = dict[str, tuple[str, tuple[str, ...]]]  # name -> operator and parents
OUTPUT = "output "  # prefix of the unit of an output, since an output may have the name of a gate


def truth_graph(gates: GateGraph, hidden_layers: int) -> nx.DiGraph:
    """The modules of the task that a network with ``hidden_layers`` hidden layers can show.

    Parameters
    ----------
    gates : GateGraph
    hidden_layers : int
        At least 1.

    Returns
    -------
    networkx.DiGraph
        Nodes 0, 1, ... from the inputs upward, each with ``inputs`` and ``outputs`` (tuples of positions), ``name`` (``T0``,
        ...) and ``function`` (the formulas of the values that leave the module); an edge where a module reads another.
        The graph also carries plain arrays: ``graph["x"]`` and ``graph["y"]``, the truth table (shapes (2^n, n) and (2^n, k),
        uint8); ``graph["gates"]``, the bits of every gate by its name, shape (2^n,); and ``graph["users"]``, the positions of the
        outputs that read the gate.

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
    import networkx as nx  # costs a noticeable part of importing the package

    if hidden_layers < 1:
        raise ValueError(f"hidden_layers must be at least 1; got {hidden_layers}")
    simple = _simplified(gates)
    network = _layout(simple, gates, hidden_layers)
    members = _contracted(network, _groups(network), hidden_layers + 1)
    modules = sorted(set(members.values()), key=lambda module: min((layer, _rank(gates, name)) for layer, name in module))
    x, y = gates.truth_table()
    columns = gates.columns()
    truth = nx.DiGraph(x=x, y=y, gates={name: columns[name] for name in gates.gates}, users=gates.users())
    for node, units in enumerate(modules):
        truth.add_node(
            node,
            name=f"T{node}",
            inputs=tuple(i for i, name in enumerate(gates.inputs) if (0, name) in units),
            outputs=tuple(i for i, name in enumerate(gates.outputs) if (hidden_layers + 1, OUTPUT + name) in units),
            function=_function(gates, simple, set(units), network),
        )
    index = {module: node for node, module in enumerate(modules)}
    truth.add_edges_from((index[members[a]], index[members[b]]) for a, b in network.edges if members[a] != members[b])
    return truth


def _rank(gates: GateGraph, name: str) -> int:
    names = [*gates.inputs, *gates.gates, *(OUTPUT + o for o in gates.outputs)]
    return names.index(name) if name in names else len(names)


def _simplified(gates: GateGraph) -> Simple:
    """ANDs and ORs of named values, signs left out: name -> (operator, parents); ``=`` is another name for the same value."""
    simple: Simple = {}

    def place(name: str, formula: Formula) -> None:
        parts = []
        for i, term in enumerate(formula.terms):
            if isinstance(term, Formula):
                place(f"{name}.{i}", term)
            parts.append(term.name if isinstance(term, Literal) else f"{name}.{i}")
        if formula.operator != "^":
            simple[name] = (formula.operator, tuple(dict.fromkeys(parts)))
            return
        last = parts[0]
        for i, part in enumerate(parts[1:], start=1):
            target = name if i == len(parts) - 1 else f"{name}^{i}"
            simple[f"{target}+"] = simple[f"{target}-"] = ("&", (last, part))
            simple[target] = ("|", (f"{target}+", f"{target}-"))
            last = target

    for name, formula in gates.gates.items():
        place(name, formula)
    return simple


def _source(simple: Simple, name: str) -> str:
    """The value that a name stands for."""
    while name in simple and len(simple[name][1]) == 1:
        name = simple[name][1][0]
    return name


def _layout(simple: Simple, gates: GateGraph, hidden_layers: int) -> nx.DiGraph:
    """The smallest layered network: a graph over units ``(layer, value)``."""
    import networkx as nx

    level: dict[str, int] = dict.fromkeys(gates.inputs, 0)
    for name, (_, parents) in simple.items():
        level[name] = level[_source(simple, parents[0])] if len(parents) == 1 else 1 + max(level[_source(simple, p)] for p in parents)
    network = nx.DiGraph()

    def reads(name: str, layer: int) -> list[str]:
        """The values on the layer below from which a unit on ``layer`` gets the value ``name``."""
        if level[name] < layer:
            return [name]
        return [r for p in simple[name][1] for r in reads(_source(simple, p), layer)]

    todo: list[Unit] = []
    for output in gates.outputs:
        unit = (hidden_layers + 1, OUTPUT + output)
        below = [(hidden_layers, name) for name in dict.fromkeys(reads(_source(simple, output), hidden_layers + 1))]
        network.add_edges_from((b, unit) for b in below)
        todo += below
    while todo:
        layer, name = todo.pop()
        if layer and not network.in_degree((layer, name)):
            below = [(layer - 1, r) for r in dict.fromkeys(reads(name, layer))]
            network.add_edges_from((b, (layer, name)) for b in below)
            todo += below
    return network


def _groups(network: nx.DiGraph) -> dict[Unit, frozenset[Unit]]:
    """Rule 1, layer by layer; every output is a group of its own."""
    import networkx as nx

    reach = {unit: frozenset(nx.descendants(network, unit)) for unit in network}
    support = {unit: frozenset(u for u in nx.ancestors(network, unit) | {unit} if u[0] == 0) for unit in network}
    alike = nx.Graph()
    alike.add_nodes_from(network)
    for a in network:
        for b in network:
            if a < b and a[0] == b[0] and reach[a] and (reach[a] == reach[b] or (support[a] == support[b] and reach[a] & reach[b])):
                alike.add_edge(a, b)
    return {unit: frozenset(group) for group in nx.connected_components(alike) for unit in group}


def _contracted(network: nx.DiGraph, groups: dict[Unit, frozenset[Unit]], last: int) -> dict[Unit, frozenset[Unit]]:
    """Rules 2 and 3, from the inputs upward."""
    members = dict(groups)
    for layer in range(1, last + 1):
        for group in {groups[unit] for unit in network if unit[0] == layer}:
            below = {members[source] for unit in group for source in network.predecessors(unit)}
            if len(below) != 1:
                continue
            (lower,) = below
            above = {groups[target] for unit in lower if unit[0] == layer - 1 for target in network.successors(unit)}
            if layer == last or above == {group}:
                joined = lower | members[next(iter(group))]
                members.update(dict.fromkeys(joined, joined))
    return members


def _function(gates: GateGraph, simple: Simple, units: set[Unit], network: nx.DiGraph) -> str:
    """The formulas of the values that leave a module, or that its outputs show."""
    leaving: dict[str, None] = {}
    for unit in sorted(units, key=lambda u: (u[0], _rank(gates, u[1]))):
        if unit[1].startswith(OUTPUT):
            leaving[_source(simple, unit[1].removeprefix(OUTPUT))] = None
        elif not set(network.successors(unit)) <= units:
            leaving[unit[1]] = None
    return ", ".join(f"{name} = {gates.gates[name]}" if name in gates.gates else name for name in leaving)
