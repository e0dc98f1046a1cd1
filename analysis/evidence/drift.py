"""What changed between two networks of the same units: modules kept, changed, split, merged, born and dead, and how far edges drifted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from ..hierarchy import Hierarchy
from ..tables import table
from ..texts import shown
from .sides import Edges, Side, changed_units, check_same_layers, members, names_of

__all__ = ["Changes", "ModuleChange", "changes"]

SHOWN = 6  # units of a module that a table lists


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
    pairs, unless the units of theirs that are alive in both networks are the same ones: such a module only shrank or grew. A module is
    split where two or more modules of after, merged where two or more of before, share more than ``threshold`` of their units with it, in
    this index. Source: Greene, Doyle and Cunningham, "Tracking the evolution of communities in dynamic social
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
    _check(before, after, threshold, renamings, seed)
    old, new = Side.of(before), Side.of(after)
    changed = changed_units(old, new)
    modules = _modules(old, new, changed, threshold)
    drift, null = _drifts(old, new, renamings, seed)
    p_value = (1 + int((null <= drift + 1e-12).sum())) / (1 + renamings)
    return Changes(tuple(modules), names_of(changed), drift, float(null.mean()), p_value)


def _modules(old: Side, new: Side, changed: set[Any], threshold: float) -> list[ModuleChange]:
    def of_pair(units: set[Any], others: set[Any]) -> tuple[str, ...]:
        return names_of(changed & (units | (others - old.labels.keys())))

    before, after = (members(side) for side in (old, new))
    jaccard = np.array([[len(b & a) / len(b | a) for a in after] for b in before]).reshape(len(before), len(after))
    both = old.labels.keys() & new.labels.keys()
    shrunk = np.array([[bool(b & a) and b & both == a & both for a in after] for b in before]).reshape(jaccard.shape)
    close = (jaccard > threshold) | shrunk
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
            found.append(ModuleChange("dead", b, None, 0.0, names_of(changed & units)))
    known = {each.after for each in found}
    return found + [ModuleChange("born", None, a, 0.0, names_of(changed & units)) for a, units in enumerate(after) if a not in known]


def _drifts(old: Side, new: Side, renamings: int, seed: int) -> tuple[float, NDArray[np.float64]]:
    """The drift, and that for each renaming of the hidden units of ``new``."""
    live = old.labels.keys() | new.labels.keys()
    layers = [[*dict.fromkeys([*a, *b])] for a, b in zip(old.layers, new.layers, strict=True)]
    number = {unit: i for i, unit in enumerate(unit for units in layers for unit in units)}
    hidden = [np.array([number[u] for u in units if u in live], dtype=np.int64) for i, units in enumerate(layers) if i in new.hidden]
    ends, weights = _arrays(old.edges, number)
    keys = ends[0] * len(number) + ends[1]
    order = np.argsort(keys)
    keys, weights = np.append(keys[order], -1), np.append(weights[order], np.nan)
    (sources, targets), others = _arrays(new.edges, number)

    def drift(names: NDArray[np.int64]) -> float:
        wanted = names[sources] * len(number) + names[targets]
        at = np.searchsorted(keys[:-1], wanted)
        both = keys[at] == wanted
        union = len(keys) - 1 + len(wanted) - int(both.sum())
        return 1 - int((both & (weights[at] == others)).sum()) / union if union else 0.0

    random, own = np.random.default_rng(seed), np.arange(len(number))
    null = np.empty(renamings)
    for renaming in range(renamings):
        names = own.copy()
        for units in hidden:
            names[units] = units[random.permutation(len(units))]
        null[renaming] = drift(names)
    return drift(own), null


def _arrays(edges: Edges, number: Mapping[Any, int]) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Sources and targets as numbers, int ``(2, edges)``, and weights, float ``(edges,)``."""
    ends = np.array([(number[a], number[b]) for a, b in edges], dtype=np.int64).reshape(-1, 2).T
    return ends, np.array([*edges.values()], dtype=np.float64)


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:SHOWN]) + (f" and {len(names) - SHOWN} more" if len(names) > SHOWN else "")


def _label(label: int | None) -> str:
    return "" if label is None else f"M{label}"


def _check(before: Hierarchy, after: Hierarchy, threshold: float, renamings: int, seed: int) -> None:
    check_same_layers(before, after)
    if not isinstance(threshold, (int, float)) or not 0 <= threshold < 1:
        raise ValueError(f"threshold must be a fraction in [0, 1); got {shown(threshold)}")
    for name, number, least in (("renamings", renamings, 1), ("seed", seed, 0)):
        if not isinstance(number, int) or isinstance(number, bool) or number < least:
            raise ValueError(f"{name} must be a whole number of at least {least}; got {shown(number)}")
