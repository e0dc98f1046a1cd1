"""What changed between two networks of the same units: modules kept, changed, split, merged, born and dead, and how far edges drifted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from ..graph.blocks import entries_of
from ..hierarchy import Hierarchy, check_hierarchy
from ..tables import table
from ..texts import shown

__all__ = ["Changes", "ModuleChange", "changes"]

SHOWN = 6  # units of a module that a table lists
Edges = dict[tuple[Any, Any], float]


@dataclass(frozen=True)
class ModuleChange:
    """One module, before or after.

    Attributes
    ----------
    status : {"kept", "changed", "split", "merged", "born", "dead"}
    before, after : int or None
        Its labels in the two hierarchies; None for a module that is born or dead. A module that is split or merged has a row for each
        piece.
    overlap : float
        The Jaccard index of the units of both, in [0, 1].
    units : tuple of str
        Its units that changed, came or went.
    """

    status: str
    before: int | None
    after: int | None
    overlap: float
    units: tuple[str, ...]


@dataclass(frozen=True)
class Changes:
    """What changed between two networks.

    Attributes
    ----------
    modules : tuple of ModuleChange
        By the modules of before, and then those that are born.
    units : tuple of str
        All units that changed, came or went, whatever the modules are.
    drift : float
        1 - (edges that are in both with the same weight) / (edges that are in either), in [0, 1].
    null_drift : float
        Its mean where hidden units are renamed at random within their layers.
    p_value : float
        The fraction of such renamings, and one more, whose drift is as small: how likely so much is shared by chance.
    """

    modules: tuple[ModuleChange, ...]
    units: tuple[str, ...]
    drift: float
    null_drift: float
    p_value: float

    @property
    def named(self) -> tuple[ModuleChange, ...]:
        """The modules of which a unit changed, came or went; others may be regrouped all the same."""
        return tuple(module for module in self.modules if module.units)

    def __str__(self) -> str:
        rows = [each.status for each in self.modules]
        cells = [[_label(each.before), _label(each.after), f"{each.overlap:.2f}", _listed(each.units)] for each in self.modules]
        last = f"drift {self.drift:.2f}; units renamed at random {self.null_drift:.2f}, p = {self.p_value:.3g}"
        return "\n".join([*table(rows, ["before", "after", "overlap", "units"], cells), last])


def changes(before: Hierarchy, after: Hierarchy, *, threshold: float = 0.3, renamings: int = 999, seed: int = 0) -> Changes:
    """Which modules were kept, changed, split, merged, born and dead from one network to the next.

    Modules are the same by their units, which both networks name alike: hidden units by layer and position, inputs and outputs by name.
    Of all pairs of modules the assignment with the largest sum of Jaccard indices is taken; pairs that do not exceed ``threshold`` are no
    pairs. A module is split where two or more modules of after, merged where two or more of before, share more than ``threshold`` of
    their units with it, in this index. Source: Greene, Doyle and Cunningham, "Tracking the evolution of communities in dynamic social
    networks", ASONAM 2010, who match every pair above a threshold, without the assignment.

    A unit changed when its bias or one of its incoming weights differs, other than weights from changed units of other modules: a unit
    that only adapts to another module is not changed itself. So did a unit that only one of the networks has; inputs never do. A matched
    module is kept where no unit of it changed, although other units may be counted to it: ``overlap`` shows it.

    Parameters
    ----------
    before, after : Hierarchy
        Of networks with the same layers, such as ``detect_modules(found.before)`` and ``detect_modules(found.network)`` of a result of
        ``sculpting.resculpt``.
    threshold : float in [0, 1)
    renamings : int
        Of the null, at least 1. Hidden units that are alive, before or after, change places within their layers.
    seed : int
        Of the null.

    Returns
    -------
    Changes

    Raises
    ------
    TypeError, ValueError
        When a value is no hierarchy, the networks have other layers, or an argument is out of range.

    Examples
    --------
    >>> from analysis import LayeredGraph, detect_modules
    >>> one, other = ([[[1.0, 1.0, 0, 0], [0, 0, 1.0, last]], [[1.0, 0], [0, 1.0]]] for last in (1.0, 2.0))
    >>> found = changes(*(detect_modules(LayeredGraph.from_weights(weights)) for weights in (one, other)))
    >>> [(module.status, module.units) for module in found.modules], round(found.drift, 2)
    ([('kept', ()), ('changed', ('h1.1',))], 0.17)
    """
    _check(before, after, threshold, renamings)
    old, new = _Side.of(before), _Side.of(after)
    changed = _changed_units(old, new)
    modules = _modules(old, new, changed, threshold)
    drift = _drift(old.edges, new.edges)
    null = _null(old, new, renamings, seed)
    return Changes(tuple(modules), _names(changed), drift, float(null.mean()), float((1 + (null <= drift + 1e-12).sum()) / (1 + len(null))))


@dataclass(frozen=True, eq=False)
class _Side:
    """One of the two networks: ``labels`` of live units, ``biases``, ``edges`` as weights by ends, and ``layers`` of units in order."""

    labels: dict[Any, int]
    biases: dict[Any, float]
    edges: Edges
    layers: list[list[Any]]
    inputs: set[int]
    hidden: set[int]

    @classmethod
    def of(cls, hierarchy: Hierarchy) -> _Side:
        graph = hierarchy.graph
        units = [[(layer, graph.unit_name(layer, i)) for i in range(width)] for layer, width in enumerate(graph.widths)]
        labels = {u: int(m) for us, ms in zip(units, hierarchy.labels, strict=True) for u, m in zip(us, ms, strict=True) if m >= 0}
        edges: Edges = {}
        for block in graph.blocks:
            for source, target, weight in zip(*entries_of(block.weights), strict=True):
                edges[units[block.source][source], units[block.target][target]] = float(weight)
        biases = getattr(graph, "biases", ())
        first = len(units) - len(biases)  # a chain has none for its inputs
        own = {u: float(b) for us, bs in zip(units[first:], biases, strict=True) for u, b in zip(us, bs, strict=True)}
        hidden = set(range(len(units))) - {*graph.inputs, *graph.outputs}
        return cls(labels, own, edges, units, {*graph.inputs}, hidden)

    def into(self) -> dict[Any, dict[Any, float]]:
        """The incoming weights of every unit, by their source."""
        found: dict[Any, dict[Any, float]] = {}
        for (source, target), weight in self.edges.items():
            found.setdefault(target, {})[source] = weight
        return found


def _changed_units(old: _Side, new: _Side) -> set[Any]:
    """Units that changed, and those that are alive in one network only; inputs have nothing that could change."""
    into = [side.into() for side in (old, new)]
    changed: set[Any] = set()
    for layer in range(len(old.layers)):  # sources first
        for unit in dict.fromkeys([*old.layers[layer], *new.layers[layer]]) if layer not in new.inputs else ():
            there = (unit in old.labels, unit in new.labels)
            if not any(there):
                continue
            if not all(there) or old.biases.get(unit, 0.0) != new.biases.get(unit, 0.0):
                changed.add(unit)
                continue
            before, after = (part.get(unit, {}) for part in into)
            differ = [source for source in {*before, *after} if before.get(source) != after.get(source)]
            if any(source not in changed or _together(source, unit, old, new) for source in differ):
                changed.add(unit)
    return changed


def _together(source: Any, unit: Any, old: _Side, new: _Side) -> bool:
    """Whether two units are of one module, in the newer of the networks that have both."""
    side = new if source in new.labels else old
    return side.labels.get(source) == side.labels.get(unit)


def _modules(old: _Side, new: _Side, changed: set[Any], threshold: float) -> list[ModuleChange]:
    def of_pair(units: set[Any], others: set[Any]) -> tuple[str, ...]:
        return _names(changed & (units | (others - old.labels.keys())))

    before, after = (_members(side) for side in (old, new))
    jaccard = np.array([[len(b & a) / len(b | a) for a in after] for b in before]).reshape(len(before), len(after))
    close = jaccard > threshold
    rows, columns = linear_sum_assignment(-jaccard)
    partner = {int(b): int(a) for b, a in zip(rows, columns, strict=True) if close[b, a]}
    found = []
    for b, units in enumerate(before):
        pieces = [int(a) for a in np.flatnonzero(close[b])]
        if len(pieces) > 1:
            found += [ModuleChange("split", b, a, float(jaccard[b, a]), of_pair(units, after[a])) for a in pieces]
        elif b in partner or pieces:
            a = partner.get(b, pieces[0] if pieces else -1)
            merged = int(close[:, a].sum()) > 1
            differ = of_pair(units, after[a])
            status = "merged" if merged else "changed" if differ else "kept"
            found.append(ModuleChange(status, b, a, float(jaccard[b, a]), differ))
        else:
            found.append(ModuleChange("dead", b, None, 0.0, _names(changed & units)))
    known = {each.after for each in found}
    return found + [ModuleChange("born", None, a, 0.0, _names(changed & units)) for a, units in enumerate(after) if a not in known]


def _members(side: _Side) -> list[set[Any]]:
    """The units of each module."""
    found: list[set[Any]] = [set() for _ in range(1 + max(side.labels.values(), default=-1))]
    for unit, label in side.labels.items():
        found[label].add(unit)
    return found


def _drift(before: Edges, after: Edges) -> float:
    union = len(before.keys() | after.keys())
    return 1 - sum(after.get(ends) == weight for ends, weight in before.items()) / union if union else 0.0


def _null(old: _Side, new: _Side, renamings: int, seed: int) -> NDArray[np.float64]:
    """The drift for each renaming of the hidden units of after."""
    random = np.random.default_rng(seed)
    live = old.labels.keys() | new.labels.keys()
    alive = [[u for u in dict.fromkeys([*a, *b]) if u in live] for a, b in zip(old.layers, new.layers, strict=True)]
    drifts = []
    for _ in range(renamings):
        names: dict[Any, Any] = {}
        for layer, units in enumerate(alive):
            if layer in new.hidden:
                names.update(zip(units, (units[i] for i in random.permutation(len(units))), strict=True))
        drifts.append(_drift(old.edges, {(names.get(a, a), names.get(b, b)): weight for (a, b), weight in new.edges.items()}))
    return np.array(drifts)


def _names(units: set[Any]) -> tuple[str, ...]:
    return tuple(name for _, name in sorted(units))


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:SHOWN]) + (f" and {len(names) - SHOWN} more" if len(names) > SHOWN else "")


def _label(label: int | None) -> str:
    return "" if label is None else f"M{label}"


def _check(before: Hierarchy, after: Hierarchy, threshold: float, renamings: int) -> None:
    for value in (before, after):
        check_hierarchy(value)
    depths = [len(value.graph.widths) for value in (before, after)]
    if depths[0] != depths[1]:
        raise ValueError(f"both networks must have the same layers; got {depths[0]} and {depths[1]} layers of units")
    if not isinstance(threshold, (int, float)) or not 0 <= threshold < 1:
        raise ValueError(f"threshold must be a fraction in [0, 1); got {shown(threshold)}")
    if not isinstance(renamings, int) or renamings < 1:
        raise ValueError(f"renamings must be a whole number of at least 1; got {shown(renamings)}")
