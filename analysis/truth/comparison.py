"""Comparison of a found hierarchy with the ground truth."""

from __future__ import annotations

import json
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import networkx as nx
import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..graph import LayeredGraph
from ..hierarchy import VIEWS, Hierarchy, Module, check_hierarchy, first_appearance, module_graph
from ..imports import kept_random
from .matching import equal_modules
from .order import order_agreement
from .truth_table import TruthTable, check_truth
from .validity import Boundary, Ends, Verdict, judge_decomposition, wrong_rows
from .verdicts import Word, verdict_of

__all__ = ["Comparison", "Grouping", "compare"]


LISTED = 24  # names; longer lists are shortened


@dataclass(frozen=True)
class Grouping:
    """Agreement with the truth in how inputs, or outputs, are grouped: whether it is exact, and the adjusted Rand index.

    The index is 1 for equal groups and about 0 for random groups.
    """

    exact: bool
    rand_index: float


@dataclass(frozen=True)
class Comparison:
    """The result of ``compare``. Printed, it is a report.

    Attributes
    ----------
    verdict : {"exact", "coarser", "finer", "valid", "mixed", "wrong"}
        The first that is true. *Exact*: the modules of the truth, connected as there. *Coarser*: every found module is a union of modules
        of the truth that are connected or read exactly the same ones; or there are fewer modules of hidden units alone, and nothing else
        differs. *Finer*: every module of the truth is such a union; or there are modules of hidden units alone where the truth has none.
        *Valid*: another decomposition of the same function. *Mixed*: a found module joins modules of the truth that are not connected with
        each other.
    reason : str
        Why, in a sentence.
    score : float in [0, 1]
        For partial answers: the mean of the adjusted Rand indices of inputs and of outputs and of the ``order``, at least 0. Parts that
        are not defined, as a grouping of a single output, do not count. Each is 1 where the truth was found and 0 in the mean of random
        modules. With one module for everything each is 0 where the truth has several groups; with each unit a module of its own, where it
        has groups of several units.
    exact : bool
        Every module of the truth was found, with its inputs and outputs, and no other module.
    connected : bool
        Exact, and the modules are connected as in the truth.
    matched : tuple of (int, node)
        Index of the found module, and node of the truth.
    missing : tuple of node
    extra : tuple of int
    inputs, outputs : Grouping
    order : float or None
        Agreement of the distances from inputs to outputs, see :func:`~analysis.truth.order.order_agreement`.
    computes : bool or None
        Whether the network computes the truth table. None without a table, or where the biases of the network are not known.
    valid : bool or None
        Exact, or another valid decomposition of the function, by the rules of
        :func:`~analysis.truth.validity.judge_decomposition`. None where the truth has no truth table, or the network is no chain of layers.
    reasons : tuple of str
        Why the decomposition is not valid.
    boundaries : tuple of Boundary
        For each module that others read: the inputs it depends on, the classes it must distinguish, and the units that do.
    """

    exact: bool
    connected: bool
    matched: tuple[tuple[int, object], ...]
    missing: tuple[object, ...]
    extra: tuple[int, ...]
    inputs: Grouping
    outputs: Grouping
    valid: bool | None = None
    reasons: tuple[str, ...] = ()
    boundaries: tuple[Boundary, ...] = ()
    order: float | None = None
    computes: bool | None = None
    verdict: Word = "wrong"
    reason: str = ""
    score: float = 0.0
    lines: tuple[str, ...] = ()

    def __str__(self) -> str:
        return "\n".join(self.lines)

    def _repr_html_(self) -> str:
        return str(VIEWS["card"](self))


def compare(found: Hierarchy, truth: nx.DiGraph | Hierarchy | Sequence[ArrayLike]) -> Comparison:
    """How a found hierarchy differs from the ground truth, or from another hierarchy: a verdict, a score and the differences.

    Two modules are equal if they have the same inputs and the same outputs. Names of modules and positions of hidden units do not matter.

    Parameters
    ----------
    found : Hierarchy
    truth : networkx.DiGraph, Hierarchy, or sequence of int arrays
        Another hierarchy, or somebody else's labels of the same network: an array for each layer, -1 for units without a module. Or a
        ground truth. Its nodes have ``inputs`` and ``outputs`` (positions among ``graph.input_names`` and ``graph.output_names``), and
        optionally ``name`` and ``function``. An edge runs from each module to the modules that read it.

        The graph attributes ``truth.graph["x"]`` and ``truth.graph["y"]`` are needed for the verdict on validity. They are the complete
        truth table, arrays of 0 and 1 of shapes (2^n, n) and (2^n, k). ``truth.graph["input_names"]`` and ``["output_names"]``, where they
        are given, must not be those of the network in another order. Truth graphs of the library's tasks have all four.

        With ``truth.graph["some_inputs"]`` true, inputs without a path in the network are ignored, so that a module is found when some of
        its inputs are. A module none of whose inputs are read is still missing.

    Raises
    ------
    TypeError
        When ``found`` is not a hierarchy.
    ValueError
        When the truth is not such a graph, names inputs or outputs that the network does not have or has in another order, or has an
        incomplete truth table.

    Notes
    -----
    The ground truth of a function need not be unique. ``[4,1,2,k]`` is published as one module of all inputs. But only 3 classes of the 4
    assignments of {x0, x3} matter, and as many of {x1, x2}, so a network with a module for each pair is right too. The rules are those
    of :func:`~analysis.truth.validity.judge_decomposition`.

    Examples
    --------
    >>> from analysis import detect_modules
    >>> truth = nx.DiGraph()
    >>> truth.add_node(0, inputs=(0, 1), outputs=(0,))
    >>> compare(detect_modules([[[1.0, 1.0]], [[1.0]]]), truth).exact
    True
    """
    check_hierarchy(found)
    truth = _as_truth(found, truth)
    ends = _ends(found, truth)
    pairs, connected = equal_modules(found, truth, ends)
    taken = {node for _, node in pairs}
    missing = tuple(node for node in truth if node not in taken)
    extra = tuple(m.index for m in found.modules if m.index not in {i for i, _ in pairs})
    exact = not missing and not extra
    groups = [[ends[node][side] for node in truth] for side in (0, 1)]
    table = TruthTable.of(truth) if isinstance(found.graph, LayeredGraph) else None
    judged = None if table is None else judge_decomposition(found, list(ends.values()), table)
    valid, reasons = (None, ()) if judged is None else (judged.valid, judged.reasons)
    if judged is not None and exact and (connected or _is_reached(judged)):
        valid, reasons = True, ()
    inputs, outputs = (_grouping(labels, side) for labels, side in zip((found.input_labels, found.output_labels), groups, strict=True))
    graphs = module_graph(found), _with_ends(truth, ends)
    read = [np.flatnonzero(labels >= 0).tolist() for labels in (found.input_labels, found.output_labels)]
    order = order_agreement(*graphs, *read)
    names = (partial(_name_found, found), partial(_name_truth, found, truth, ends))
    word, reason = verdict_of(*graphs, exact and connected, exact, valid, reasons, names)
    wrong = _wrong_rows(found, table)
    comparison = Comparison(
        exact=exact,
        connected=exact and connected,
        matched=tuple(pairs),
        missing=missing,
        extra=extra,
        inputs=inputs,
        outputs=outputs,
        valid=valid,
        reasons=reasons,
        boundaries=() if judged is None else judged.boundaries,
        order=order,
        computes=None if wrong is None else not wrong.any(),
        verdict=word,
        reason=reason,
        score=_score(inputs, outputs, order, [len(ends) for ends in read]),
    )
    return replace(comparison, lines=tuple(_report(found, truth, comparison, wrong)))


def _as_truth(found: Hierarchy, truth: nx.DiGraph | Hierarchy | Sequence[ArrayLike]) -> nx.DiGraph:
    """A truth graph, or another partition as one."""
    if isinstance(truth, nx.Graph):
        plain = truth.copy()
        plain.remove_edges_from(list(nx.selfloop_edges(truth)))  # that a module reads itself says nothing
        for _, facts in plain.nodes(data=True):
            facts |= {side: _as_tuple(facts[side]) for side in ("inputs", "outputs") if side in facts}
        return plain
    if not isinstance(truth, Hierarchy):
        if isinstance(truth, str) or not isinstance(truth, Sequence):
            check_truth(truth)
        labels = [np.asarray(part) for part in truth]
        widths = found.graph.widths
        if [part.shape for part in labels] != [(width,) for width in widths] or not all(part.dtype.kind in "iu" for part in labels):
            raise ValueError(
                f"labels must be an integer array for each layer, of lengths {list(widths)}; got shapes {[part.shape for part in labels]}"
            )
        canonical = first_appearance(labels)
        truth = Hierarchy(found.graph, canonical, canonical)
    return module_graph(truth)


def _as_tuple(value: Any) -> Any:
    """Positions that are written as a JSON text, as in a graph that was read from a file, as a tuple; other values as they are."""
    if not isinstance(value, str):
        return value
    try:
        return tuple(json.loads(value))
    except (ValueError, TypeError) as error:
        raise ValueError(f"positions in a truth must be a tuple or a JSON list such as '[0, 1]'; got {value!r}") from error


def _with_ends(truth: nx.DiGraph, ends: Mapping[object, Ends]) -> nx.DiGraph:
    """The graph of the truth, with the inputs that count."""
    graph = nx.DiGraph()
    graph.add_nodes_from((node, {"inputs": inputs, "outputs": outputs}) for node, (inputs, outputs) in ends.items())
    graph.add_edges_from(truth.edges)
    return graph


def _is_reached(judged: Verdict) -> bool:
    """Whether nothing but surplus units at boundaries speaks against a decomposition: with the modules of the truth they are no fault."""
    return all(" units where " in reason for reason in judged.reasons)


def _wrong_rows(found: Hierarchy, table: TruthTable | None) -> NDArray[np.int64] | None:
    """For each output, the rows in which the network differs from the table; None where it has no biases, as a graph made of a mask."""
    graph = found.graph
    if table is None or not isinstance(graph, LayeredGraph) or not any(np.any(bias) for bias in graph.biases):
        return None
    return wrong_rows(graph, table)


def _score(inputs: Grouping, outputs: Grouping, order: float | None, counts: Sequence[int]) -> float:
    sides = zip((inputs, outputs), counts, strict=True)
    parts = [side.rand_index if count > 1 else 0.0 for side, count in sides if count > 1 or not side.exact]
    parts += [] if order is None else [order]
    return max(0.0, float(np.mean(parts))) if parts else float(inputs.exact and outputs.exact)


def _ends(found: Hierarchy, truth: nx.DiGraph) -> dict[object, Ends]:
    check_truth(truth)
    if not len(truth):
        raise ValueError("the truth must have at least one module, as task.truth(hidden_layers=2) has; got none")
    counts = len(found.graph.input_names), len(found.graph.output_names)
    _check_order(found, truth)
    ends = {}
    for node, facts in truth.nodes(data=True):
        try:
            ends[node] = (tuple(sorted(facts["inputs"])), tuple(sorted(facts["outputs"])))
        except (KeyError, TypeError) as error:
            raise ValueError(
                f"every module of the truth must have `inputs` and `outputs`, tuples of positions; got {facts} for {node!r}"
            ) from error
    for side, (what, count) in enumerate(zip(("inputs", "outputs"), counts, strict=True)):
        positions = [p for e in ends.values() for p in e[side]]
        if len(set(positions)) != len(positions) or not all(0 <= p < count for p in positions):
            raise ValueError(f"the truth must give each of the network's {count} {what} to one module at most; got {sorted(positions)}")
    if truth.graph.get("some_inputs"):
        read = {int(i) for i in np.flatnonzero(found.input_labels >= 0)}
        ends = {node: (tuple(i for i in inputs if i in read) or inputs, outputs) for node, (inputs, outputs) in ends.items()}
    return ends


def _check_order(found: Hierarchy, truth: nx.DiGraph) -> None:
    """Refuse a truth whose inputs or outputs have the names of the network's in another order."""
    sides = (("inputs", "input_names", found.graph.input_names), ("outputs", "output_names", found.graph.output_names))
    for what, key, here in sides:
        there = truth.graph.get(key, ())
        if sorted(there) == sorted(here) and tuple(there) != tuple(here):
            raise ValueError(
                f"the {what} of the truth must be in the order of the network's, {', '.join(_some([*here]))}; "
                f"got {', '.join(_some([*there]))}. Make the truth with {what}=[...] in this order"
            )


def _grouping(labels: NDArray[np.int64], groups: Sequence[tuple[int, ...]]) -> Grouping:
    with kept_random():
        from sklearn.metrics import adjusted_rand_score

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
    """Labels in which each unit without a module is a group of its own."""
    return np.where(labels < 0, len(labels) + np.arange(len(labels)) + labels.max(initial=0), labels)


def _report(found: Hierarchy, truth: nx.DiGraph, c: Comparison, wrong: NDArray[np.int64] | None) -> list[str]:
    differ = "connected in another way than in the truth" if c.exact else f"{len(c.missing)} missing and {len(c.extra)} extra"
    verdict = "yes" if c.connected else f"no, {differ}"
    how = ", connected as in the truth" if c.connected else ""
    depth, here = truth.graph.get("hidden_layers"), len(found.graph.widths) - 2
    is_same = depth in (None, here) or not isinstance(found.graph, LayeredGraph)
    other_depth = [] if is_same else [f"the truth is that of {depth} hidden layers, the network has {here}"]
    lines = [*_preface(found, truth, c, wrong), *other_depth, f"exact: {verdict} ({len(c.matched)} of {len(truth)} modules match{how})"]
    if c.valid and not c.connected:
        lines.append("another valid decomposition: every module passes on what it must and no more")
    if c.valid is False:
        what = "its boundaries are not those of" if c.verdict in ("coarser", "finer") else "not"
        lines.append(f"{what} a valid decomposition: {'; '.join(c.reasons)}")
    for what, grouping in (("inputs", c.inputs), ("outputs", c.outputs)):
        lines.append(f"{what} grouped: {'exactly' if grouping.exact else 'differently'} (adjusted Rand index {grouping.rand_index:.2f})")
    index = {m.index: m for m in found.modules}
    lines += [f"  M{i} is {_describe_truth(found, truth, node)}" for i, node in c.matched]
    lines += [f"  missing: {_describe_truth(found, truth, node)}" for node in c.missing]
    lines += [f"  extra: M{i} {_describe(found, index[i].inputs, index[i].outputs, index[i])}" for i in c.extra]
    return lines + [f"  {_passes(found, boundary)}" for boundary in c.boundaries]


def _preface(found: Hierarchy, truth: nx.DiGraph, c: Comparison, wrong: NDArray[np.int64] | None) -> list[str]:
    """What is said first: that the network computes something else, and the verdict."""
    verdict = f"verdict: {c.verdict}, score {c.score:.2f}. {c.reason[:1].upper()}{c.reason[1:]}"
    if wrong is None or not wrong.any():
        return [verdict]
    where = ", ".join(f"{found.graph.output_names[o]} in {wrong[o]} of {len(truth.graph['y'])} rows" for o in np.flatnonzero(wrong))
    return [f"the network computes something else than the truth table: {where}. The verdict is on its structure alone", verdict]


def _name_found(found: Hierarchy, index: Hashable) -> str:
    module = next(module for module in found.modules if module.index == index)
    return f"M{index} {_describe(found, module.inputs, module.outputs, module)}"


def _name_truth(found: Hierarchy, truth: nx.DiGraph, ends: Mapping[object, Ends], node: Hashable) -> str:
    return f"{truth.nodes[node].get('name', node)} {_describe(found, *ends[node], None)}"


def _passes(found: Hierarchy, boundary: Boundary) -> str:
    inputs = f"{{{', '.join(found.graph.input_names[i] for i in boundary.inputs)}}}"
    cases = f"M{boundary.module} must tell apart {boundary.classes} of the {2 ** len(boundary.inputs)} cases of {inputs}"
    if not boundary.computed:
        return f"{cases}; its inputs leave it as they are"
    units = f"{boundary.units} unit leaves it" if boundary.units == 1 else f"{boundary.units} units leave it"
    return f"{cases}; {units}" + (
        f", {boundary.patterns} patterns in all, up to {boundary.levels} levels" if boundary.patterns is not None else ""
    )


def _describe_truth(found: Hierarchy, truth: nx.DiGraph, node: object) -> str:
    facts = truth.nodes[node]
    function = f": {facts['function']}" if facts.get("function") else ""
    return f"{facts.get('name', node)} {_describe(found, facts['inputs'], facts['outputs'], None)}{function}"


def _describe(found: Hierarchy, inputs: Sequence[int], outputs: Sequence[int], module: Module | None) -> str:
    names = [*_some([found.graph.input_names[i] for i in inputs]), *_some([found.graph.output_names[i] for i in outputs])]
    return f"{{{', '.join(names)}}}" if names else "{hidden units only}" if module is None else f"{{{len(module.units)} hidden units}}"


def _some(names: list[str]) -> list[str]:
    """The names to print; of a long list the first three and their number."""
    return names if len(names) <= LISTED else [*names[:3], f"... {len(names)} in all"]
