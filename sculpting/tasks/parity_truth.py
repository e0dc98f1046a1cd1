"""The ground truth of compositional multitask sparse parity: a module for each gated parity, and modules that combine them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ..checks import check_layers
from .gates import MAX_INPUTS, GateGraph
from .parity_rows import Layout
from .pixel_truth import Module, module_graph

if TYPE_CHECKING:
    import networkx as nx

__all__ = ["cmsp_truth"]

Subset = tuple[int, ...]  # atomic tasks whose bits are in one module


def cmsp_truth(layout: Layout, hidden_layers: int) -> nx.DiGraph:
    """A module for each gated parity, with its control bit and its block, and modules of outputs that read them.

    Parameters
    ----------
    layout : Layout
    hidden_layers : int
        At least 1.

    Returns
    -------
    networkx.DiGraph
        As of :func:`~sculpting.tasks.truth_graph`. With an output for each code and at most 20 inputs it carries the truth table,
        ``graph["x"]``, ``["y"]``, ``["gates"]`` and ``["users"]``. With one output it does not: only the given codes occur, and other
        control bits have no defined target. Other decompositions then get no verdict on their validity.

    Raises
    ------
    ValueError
        When ``hidden_layers`` is less than 1.

    Notes
    -----
    The truth holds only what the task needs. Distractors, blocks of atomic tasks in no code and, with one output, control bits that never
    change are in no module. Atomic tasks that occur in the same codes form one parity of all their bits. A control bit that the others
    determine is in its module all the same, although a sparse network may do without it. (With the default codes and three or more atomic
    tasks this is every control bit: it is 1 where the others are all 0 or all 1.)

    *One output.* ReLU units can gate a parity on the first hidden layer and add the parities up on the second, so that two hidden
    layers show every module. One hidden layer has no room for an XOR of parities: its units read all that a code joins. Atomic tasks that
    codes join, directly or through others, are then one module. (With one hidden layer, the sparsest networks found for two atomic tasks
    of two bits put each control bit with the block of the other task.)

    *An output for each code*, at any depth. Each output reads the parities of its code. The output of an atomic code is in the module of
    its parity when no other output reads that parity. Otherwise it is a module of its own, because a group joins the group above only if
    that is all it feeds; see :func:`~sculpting.tasks.truth_graph`.

    Examples
    --------
    >>> truth = cmsp_truth(Layout(2, 2, 4, ((0,), (1,), (0, 1)), each=False), hidden_layers=2)
    >>> [(facts["inputs"], facts["outputs"], facts["function"]) for _, facts in truth.nodes(data=True)]  # doctest: +NORMALIZE_WHITESPACE
    [((0, 2, 3), (), 'p0 = c0 & (b0_0 ^ b0_1)'), ((1, 4, 5), (), 'p1 = c1 & (b1_0 ^ b1_1)'), ((), (0,), 'parity = p0 ^ p1')]
    """
    parts = _inseparable(layout) if layout.each or check_layers(hidden_layers) > 1 else _joined(layout)
    codes = [set(code) for code in layout.codes] if layout.each else [set(range(layout.m))]
    reads = [[p for p, part in enumerate(parts) if not code.isdisjoint(part)] for code in codes]
    users = Counter(p for read in reads for p in read)
    alike = _inseparable(layout)
    names = [f"p{'_'.join(map(str, part))}" for part in parts]
    formulas = {name: _parity(layout, part, alike) for name, part in zip(names, parts, strict=True)}
    formulas |= {name: " ^ ".join(names[p] for p in read) for name, read in zip(layout.output_names, reads, strict=True)}
    only = {read[0]: output for output, read in enumerate(reads) if len(read) == 1 and users[read[0]] == 1}
    shown_there = set(only.values())
    apart = [output for output in range(len(reads)) if output not in shown_there]
    modules: list[Module] = []
    for p, (name, part) in enumerate(zip(names, parts, strict=True)):
        shown = layout.output_names[only[p]] if p in only else name
        modules.append((_inputs(layout, part), (only[p],) if p in only else (), f"{shown} = {formulas[name]}"))
    modules += [((), (output,), f"{layout.output_names[output]} = {formulas[layout.output_names[output]]}") for output in apart]
    edges = [(p, len(parts) + place) for place, output in enumerate(apart) for p in reads[output]]
    truth = module_graph(modules, edges, hidden_layers)
    if layout.each and layout.n <= MAX_INPUTS:
        truth.graph.update(_table(GateGraph.parse(formulas, layout.input_names, layout.output_names)))
    return truth


def _inseparable(layout: Layout) -> list[Subset]:
    """Atomic tasks, grouped by the codes that they occur in; those in no code are left out."""
    held: list[list[int]] = [[] for _ in range(layout.m)]  # the codes of each atomic task
    for place, code in enumerate(layout.codes):
        for i in code:
            held[i].append(place)
    alike: dict[tuple[int, ...], list[int]] = {}
    for i, places in enumerate(held):
        alike.setdefault(tuple(places), []).append(i)
    return [tuple(part) for places, part in alike.items() if places]


def _joined(layout: Layout) -> list[Subset]:
    """Atomic tasks that codes join, directly or through others."""
    import networkx as nx

    joined = nx.Graph()
    for code in layout.codes:
        nx.add_path(joined, code)
    return sorted(tuple(sorted(part)) for part in nx.connected_components(joined))


def _changing(layout: Layout, part: Subset) -> list[int]:
    """The control bits of a part that are not the same in every row."""
    return [] if layout.each else [i for i in part if not all(i in code for code in layout.codes)]


def _inputs(layout: Layout, part: Subset) -> tuple[int, ...]:
    first = len(layout.controls)
    return (*_changing(layout, part), *(first + i * layout.k + j for i in part for j in range(layout.k)))


def _parity(layout: Layout, part: Subset, inseparable: Sequence[Subset]) -> str:
    """The formula of the gated parity of a part, or of several, summed."""
    terms = []
    held = set(part)
    for alike in inseparable:
        if held.issuperset(alike):
            parity = " ^ ".join(name for i in alike for name in layout.block(i))
            terms.append(f"c{alike[0]} & ({parity})" if _changing(layout, alike) else parity)
    return terms[0] if len(terms) == 1 else " ^ ".join(f"({term})" for term in terms)


def _table(gates: GateGraph) -> dict[str, Any]:
    """The truth table, as a truth graph carries it."""
    x, y = gates.truth_table()
    columns = gates.columns()
    return {"x": x, "y": y, "gates": {name: columns[name] for name in gates.gates}, "users": gates.users()}
