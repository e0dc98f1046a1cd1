"""The verdict on a found hierarchy in one word, with the reason."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import Any, Literal

import networkx as nx

from .contraction import contraction, owners

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
    if (parts := contraction(truth, found)) is not None:
        return "coarser", f"right, less resolved: {_unions(parts, of_truth, of_found)}"
    if (parts := contraction(found, truth)) is not None:
        return "finer", f"right, more resolved: {_unions(parts, of_found, of_truth)}"
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


def _unions(part_of: Mapping[Any, Any], fine: Describe, coarse: Describe) -> str:
    """Which modules are unions of which others."""
    parts: dict[Any, list[Any]] = {}
    for node, module in part_of.items():
        parts.setdefault(module, []).append(node)
    joined = {module: nodes for module, nodes in parts.items() if len(nodes) > 1}
    return "; ".join(f"{coarse(module)} is {' + '.join(map(fine, nodes))}" for module, nodes in joined.items())


def _unrelated(found: nx.DiGraph, truth: nx.DiGraph) -> tuple[Any, tuple[Any, Any]] | None:
    """The first found module that joins modules of the truth which are not connected with each other, and two of these."""
    owner = owners(truth)
    hidden = {node for node, facts in truth.nodes(data=True) if not facts["inputs"] and not facts["outputs"]}
    for module, facts in found.nodes(data=True):
        ends = [("inputs", i) for i in facts["inputs"]] + [("outputs", o) for o in facts["outputs"]]
        held = dict.fromkeys(owner[end] for end in ends if end in owner)
        groups = list(nx.weakly_connected_components(truth.subgraph([*held, *hidden])))
        first = next(iter(held), None)
        others = [node for node in held if not any({first, node} <= group for group in groups)]
        if others:
            return module, (first, others[0])
    return None
