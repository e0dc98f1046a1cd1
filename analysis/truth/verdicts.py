"""The verdict on a found hierarchy in one word, with the reason."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import Any, Literal

import networkx as nx

from .contraction import SearchLimitError, contraction, owners, without_hidden

__all__ = ["VERDICTS", "Word", "verdict_of"]

Word = Literal["exact", "coarser", "finer", "valid", "mixed", "wrong"]
VERDICTS: tuple[Word, ...] = ("exact", "coarser", "finer", "valid", "mixed", "wrong")

Describe = Callable[[Hashable], str]


def verdict_of(
    found: nx.DiGraph,
    truth: nx.DiGraph,
    connected: bool,
    exact: bool,
    valid: bool | None,
    reasons: Sequence[str],
    names: tuple[Describe, Describe],
) -> tuple[Word, str]:
    """The first of the six words that is true of the found modules, and why.

    Parameters
    ----------
    found, truth : networkx.DiGraph
        Graphs of modules with ``inputs`` and ``outputs``.
    connected, exact : bool
        Whether all modules are those of the truth and connected alike, or are those of the truth at all.
    valid : bool or None
    reasons : sequence of str
        Why the modules are no valid decomposition.
    names : pair of functions
        A found module and a module of the truth in words.
    """
    of_found, of_truth = names
    if connected:
        return "exact", "every module of the truth was found and no other, connected as in the truth"
    undecided = []
    resolved: dict[Word, tuple[str, nx.DiGraph, nx.DiGraph, Describe, Describe]] = {
        "coarser": ("less", truth, found, of_truth, of_found),
        "finer": ("more", found, truth, of_found, of_truth),
    }
    for word, (how, fine, coarse, of_fine, of_coarse) in resolved.items():
        try:
            parts = contraction(fine, coarse)
        except SearchLimitError:
            undecided.append(word)
            continue
        if parts is not None:
            return word, f"right, {how} resolved: {_unions(parts, of_fine, of_coarse)}"
    if not exact and (more := _hidden_levels(found, truth, valid is not None and not _but_surplus(reasons))):
        count = f"{abs(more)} module{'s' * (abs(more) != 1)} of hidden units only"
        return ("finer", f"right, with {count} more") if more > 0 else ("coarser", f"right, without {count}")
    word, reason = _other(found, truth, exact, valid, reasons, names)
    doubt = f" (not decided whether {' or '.join(undecided)}: too many modules are alike)" if undecided else ""
    return word, reason + doubt


def _other(
    found: nx.DiGraph, truth: nx.DiGraph, exact: bool, valid: bool | None, reasons: Sequence[str], names: tuple[Describe, Describe]
) -> tuple[Word, str]:
    """The verdict where the modules are no unions of one another."""
    of_found, of_truth = names
    if valid:
        how = "the modules of the truth, connected in another way" if exact else "another decomposition of the same function"
        return "valid", f"{how}: every module passes on what it must and no more"
    if joined := _unrelated(found, truth):
        module, (first, second) = joined
        related = nx.has_path(truth.to_undirected(as_view=True), first, second)
        how = "neither of which reads the other" if related else "which have nothing to do with each other"
        return "mixed", f"{of_found(module)} joins {of_truth(first)} and {of_truth(second)}, {how}"
    usual = "the modules of the truth, connected in another way" if exact else "what was found is no union and no part of true modules"
    return "wrong", "; ".join(reasons) or usual


def _but_surplus(reasons: Sequence[str]) -> list[str]:
    """The reasons other than that a module passes on more than it must."""
    return [reason for reason in reasons if " units where " not in reason]


def _hidden_levels(found: nx.DiGraph, truth: nx.DiGraph, reached: bool) -> int:
    """How many more modules of hidden units only were found than the truth has, where nothing else differs; otherwise 0.

    Nothing else differs where the others are the same, and each reads the same, directly or through hidden units; or where a truth table
    says that each output is reached by the inputs on which it depends. More than some are no finer ones: they may hold other units.
    """
    counts = len(_without_ends(found)), len(_without_ends(truth))
    if counts[0] > counts[1] > 0:
        return 0
    graphs = without_hidden(found), without_hidden(truth)
    names = ({node: (facts["inputs"], facts["outputs"]) for node, facts in graph.nodes(data=True)} for graph in graphs)
    here, there = (
        (set(known.values()), {(known[a], known[b]) for a, b in graph.edges}) for graph, known in zip(graphs, names, strict=True)
    )
    same = here == there or (reached and here[0] == there[0])
    return counts[0] - counts[1] if same else 0


def _unions(part_of: Mapping[Any, Any], fine: Describe, coarse: Describe) -> str:
    """Which modules are unions of which others."""
    parts: dict[Any, list[Any]] = {}
    for node, module in part_of.items():
        parts.setdefault(module, []).append(node)
    joined = {module: nodes for module, nodes in parts.items() if len(nodes) > 1}
    return "; ".join(f"{coarse(module)} is {' + '.join(map(fine, nodes))}" for module, nodes in joined.items())


def _without_ends(graph: nx.DiGraph) -> set[Any]:
    """The modules of hidden units only."""
    return {node for node, facts in graph.nodes(data=True) if not facts["inputs"] and not facts["outputs"]}


def _unrelated(found: nx.DiGraph, truth: nx.DiGraph) -> tuple[Any, tuple[Any, Any]] | None:
    """The first found module that joins modules of the truth which are not connected with each other, and two of these."""
    owner = owners(truth)
    hidden = _without_ends(truth)
    if len(_without_ends(found)) >= len(hidden):
        hidden = set()  # each can be a found module; otherwise some are parts of modules with inputs or outputs
    for module, facts in found.nodes(data=True):
        ends = [("inputs", i) for i in facts["inputs"]] + [("outputs", o) for o in facts["outputs"]]
        held = dict.fromkeys(owner[end] for end in ends if end in owner)
        groups = list(nx.weakly_connected_components(truth.subgraph([*held, *hidden])))
        first = next(iter(held), None)
        others = [node for node in held if not any({first, node} <= group for group in groups)]
        if others:
            return module, (first, others[0])
    return None
