"""The modules of one network, kept in the network that follows it."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np

from ..hierarchy import Hierarchy
from .sides import Side, changed_units, check_same_layers, members

__all__ = ["keep_modules"]


def keep_modules(before: Hierarchy, after: Hierarchy) -> Hierarchy:
    """The hierarchy of ``after`` in which every unit that ``before`` has keeps its module of before.

    Detection looks at the whole network, so that it may regroup units of which none changed. Here only units that came are placed by it:
    where it counts them to a module together with a unit that changed, they belong to the module which that unit had before (of several,
    the one with the most such units; of equals, the first). Otherwise they form a module of their own, since a module whose units are all
    as they were has not changed. What changed is as :func:`analysis.changes` has it.

    Parameters
    ----------
    before, after : Hierarchy
        Of networks with the same layers, such as ``detect_modules(found.before)`` and ``detect_modules(found.network)`` of a result of
        ``sculpting.resculpt``.

    Returns
    -------
    Hierarchy
        Of the graph of ``after``. No module of it is split or merged, so that :func:`analysis.changes` names by it which modules changed,
        and says which module was which: labels are numbered by first appearance here too, so that M1 is M0 once M0 is gone.

    Raises
    ------
    TypeError, ValueError
        When a value is no hierarchy, or the networks have other layers.

    Examples
    --------
    A unit comes, and the detector counts it, the output that changed and another module to one:

    >>> from analysis import LayeredGraph, detect_modules
    >>> first = [[1.0, 1.0, 0, 0], [0, 0, 1.0, 1.0], [0, 0, 0, 0]]
    >>> came = [*first[:2], [1.0, 0, 1.0, 0]]
    >>> one, other = ([first, [[1.0, 0, 0], [0, 1.0, 0]]], [came, [[1.0, 0, 0], [2.0, 1.0, -1.0]]])
    >>> one, other = (detect_modules(LayeredGraph.from_weights(weights)) for weights in (one, other))
    >>> [labels.tolist() for labels in other.labels], [labels.tolist() for labels in keep_modules(one, other).labels]
    ([[0, 0, 1, 1], [2, 2, 2], [2, 2]], [[0, 0, 1, 1], [0, 1, 1], [0, 1]])
    """
    check_same_layers(before, after)
    old, new = Side.of(before), Side.of(after)
    first = 1 + max(old.labels.values(), default=-1)
    labels = {unit: old.labels.get(unit, first + module) for unit, module in new.labels.items()}
    changed = changed_units(old, replace(new, labels=labels))
    for units in members(new):
        hosts = Counter(old.labels[unit] for unit in units & changed if unit in old.labels)
        if hosts:
            host = min(hosts, key=lambda module: (-hosts[module], module))
            labels |= dict.fromkeys(units - old.labels.keys(), host)
    kept = tuple(np.array([labels.get(unit, -1) for unit in layer], dtype=np.int64) for layer in new.layers)
    return Hierarchy(after.graph, kept, kept, network=after.network)
