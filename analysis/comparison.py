"""What was found against the ground truth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import networkx as nx
import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import adjusted_rand_score

from .hierarchy import Hierarchy, Module

__all__ = ["Comparison", "Grouping", "compare"]

Boundary = tuple[tuple[int, ...], tuple[int, ...]]  # the inputs and outputs of a module


@dataclass(frozen=True)
class Grouping:
    """How the inputs, or the outputs, are grouped: exactly as in the truth, and the adjusted Rand index.

    The index is 1 for the same groups and about 0 for groups by chance.
    """

    exact: bool
    rand_index: float


@dataclass(frozen=True)
class Comparison:
    """The outcome of ``compare``; printed, it is a report.

    Attributes
    ----------
    exact : bool
        Every module of the truth was found, with its inputs and outputs, and nothing else.
    connected : bool
        Exact, and the modules read one another as in the truth.
    matched : tuple of (int, node)
        Index of the found module, and node of the truth.
    missing : tuple of node
    extra : tuple of int
    inputs, outputs : Grouping
    """

    exact: bool
    connected: bool
    matched: tuple[tuple[int, object], ...]
    missing: tuple[object, ...]
    extra: tuple[int, ...]
    inputs: Grouping
    outputs: Grouping
    lines: tuple[str, ...] = ()

    def __str__(self) -> str:
        return "\n".join(self.lines)


def compare(found: Hierarchy, truth: nx.DiGraph) -> Comparison:
    """How a found hierarchy differs from the ground truth.

    Modules are the same when they hold the same inputs and the same outputs; names of modules and positions of hidden units do not matter.

    Parameters
    ----------
    found : Hierarchy
    truth : networkx.DiGraph
        Nodes with ``inputs`` and ``outputs`` (positions), and possibly ``name`` and ``function``; edges where a module reads another.

    Raises
    ------
    ValueError
        When the truth is no such graph, or speaks of inputs or outputs that the network does not have.

    Examples
    --------
    >>> from analysis import detect_modules
    >>> truth = nx.DiGraph()
    >>> truth.add_node(0, inputs=(0, 1), outputs=(0,))
    >>> compare(detect_modules([[[1.0, 1.0]], [[1.0]]]), truth).exact
    True
    """
    boundaries = _boundaries(found, truth)
    pairs, connected = _pairs(found, truth, boundaries)
    taken = {node for _, node in pairs}
    missing = tuple(node for node in truth if node not in taken)
    extra = tuple(m.index for m in found.modules if m.index not in {i for i, _ in pairs})
    exact = not missing and not extra
    last = len(found.graph.weights)
    sides = [_grouping(found.labels[layer], [boundaries[node][side] for node in truth]) for side, layer in ((0, 0), (1, last))]
    lines = _report(found, truth, exact, connected, pairs, missing, extra, sides)
    return Comparison(exact, exact and connected, tuple(pairs), missing, extra, sides[0], sides[1], tuple(lines))


def _boundaries(found: Hierarchy, truth: nx.DiGraph) -> dict[object, Boundary]:
    if not isinstance(truth, nx.DiGraph) or not len(truth):
        raise ValueError(f"the truth must be a networkx.DiGraph of at least one module, such as task.truth(hidden_layers=2); got {truth!r}")
    widths = found.graph.widths
    boundaries = {}
    for node, facts in truth.nodes(data=True):
        try:
            boundaries[node] = (tuple(sorted(facts["inputs"])), tuple(sorted(facts["outputs"])))
        except (KeyError, TypeError) as error:
            raise ValueError(
                f"every module of the truth must have `inputs` and `outputs`, tuples of positions; got {facts} for {node!r}"
            ) from error
    for side, (what, count) in enumerate((("inputs", widths[0]), ("outputs", widths[-1]))):
        positions = [p for b in boundaries.values() for p in b[side]]
        if len(set(positions)) != len(positions) or not all(0 <= p < count for p in positions):
            raise ValueError(f"the truth must give each of the network's {count} {what} to one module at most; got {sorted(positions)}")
    return boundaries


def _pairs(found: Hierarchy, truth: nx.DiGraph, boundaries: dict[object, Boundary]) -> tuple[list[tuple[int, object]], bool]:
    """Modules with equal boundaries; where the whole graphs are alike, so that hidden-only modules are told apart by what they read."""
    graph = found.to_networkx()
    known = nx.DiGraph(truth.edges)
    known.add_nodes_from((node, {"inputs": b[0], "outputs": b[1]}) for node, b in boundaries.items())
    same = nx.isomorphism.DiGraphMatcher(graph, known, lambda a, b: (a["inputs"], a["outputs"]) == (b["inputs"], b["outputs"]))
    if same.is_isomorphic():
        return sorted(same.mapping.items()), True
    left = dict(boundaries)
    pairs = []
    for module in found.modules:
        node = next((n for n, b in left.items() if b == (module.inputs, module.outputs)), None)
        if node is not None:
            del left[node]
            pairs.append((module.index, node))
    return pairs, False


def _grouping(labels: NDArray[np.int64], groups: Sequence[tuple[int, ...]]) -> Grouping:
    expected = np.full(len(labels), -1)
    for i, group in enumerate(groups):
        expected[list(group)] = i
    counted = (labels >= 0) | (expected >= 0)
    a, b = (_alone(np.where(counted, side, -1))[counted] for side in (labels, expected))
    if not counted.any():
        return Grouping(True, 1.0)
    both_left_out = bool(((labels >= 0) == (expected >= 0)).all())
    exact = both_left_out and len(set(zip(a.tolist(), b.tolist(), strict=True))) == len(set(a.tolist())) == len(set(b.tolist()))
    return Grouping(exact, float(adjusted_rand_score(b, a)))


def _alone(labels: NDArray[np.int64]) -> NDArray[np.int64]:
    """What belongs to no module counts as a group of its own."""
    return np.where(labels < 0, len(labels) + np.arange(len(labels)) + labels.max(initial=0), labels)


def _report(
    found: Hierarchy,
    truth: nx.DiGraph,
    exact: bool,
    connected: bool,
    pairs: Sequence[tuple[int, object]],
    missing: Sequence[object],
    extra: Sequence[int],
    sides: Sequence[Grouping],
) -> list[str]:
    verdict = "yes" if exact else f"no, {len(missing)} missing and {len(extra)} extra"
    how = "" if not exact else ", connected as in the truth" if connected else ", but connected in another way than in the truth"
    lines = [f"exact: {verdict} ({len(pairs)} of {len(truth)} modules match{how})"]
    for what, grouping in zip(("inputs", "outputs"), sides, strict=True):
        lines.append(f"{what} grouped: {'exactly' if grouping.exact else 'differently'} (adjusted Rand index {grouping.rand_index:.2f})")
    index = {m.index: m for m in found.modules}
    lines += [f"  M{i} is {_describe_truth(found, truth, node)}" for i, node in pairs]
    lines += [f"  missing: {_describe_truth(found, truth, node)}" for node in missing]
    lines += [f"  extra: M{i} {_describe(found, index[i].inputs, index[i].outputs, index[i])}" for i in extra]
    return lines


def _describe_truth(found: Hierarchy, truth: nx.DiGraph, node: object) -> str:
    facts = truth.nodes[node]
    function = f": {facts['function']}" if facts.get("function") else ""
    return f"{facts.get('name', node)} {_describe(found, facts['inputs'], facts['outputs'], None)}{function}"


def _describe(found: Hierarchy, inputs: Sequence[int], outputs: Sequence[int], module: Module | None) -> str:
    names = [*(found.graph.input_names[i] for i in inputs), *(found.graph.output_names[i] for i in outputs)]
    return f"{{{', '.join(names)}}}" if names else "{hidden units only}" if module is None else f"{{{len(module.units)} hidden units}}"
