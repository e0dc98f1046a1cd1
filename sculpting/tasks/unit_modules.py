"""From a layered network of units to its modules: the five rules of :mod:`~sculpting.tasks.truth`.

Every step takes a time in proportion to the units and what they read, so that a thousand gates take a second.
"""

from __future__ import annotations

from collections.abc import Collection, Hashable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import reduce
from operator import or_

__all__ = ["Layered", "Unit", "groups_of", "joined_modules", "lone_readers"]

Unit = tuple[int, str]  # layer and name of the value
Groups = dict[Unit, frozenset[Unit]]  # of each unit


@dataclass(frozen=True, eq=False)
class Layered:
    """A layered network, in which every unit leads to an output.

    Attributes
    ----------
    above, below : dict of unit to list of units
        What each unit feeds, and what it reads, in the order in which they were connected.
    """

    above: dict[Unit, list[Unit]] = field(default_factory=dict)
    below: dict[Unit, list[Unit]] = field(default_factory=dict)

    def connect(self, sources: Iterable[Unit], target: Unit) -> None:
        """Let a unit that reads nothing yet read the sources."""
        for source in sources:
            self.above.setdefault(source, []).append(target)
            self.above.setdefault(target, [])
            self.below.setdefault(source, [])
            self.below.setdefault(target, []).append(source)

    @property
    def edges(self) -> Iterator[tuple[Unit, Unit]]:
        """All connections, from below."""
        return ((source, target) for source, targets in self.above.items() for target in targets)

    @property
    def layers(self) -> list[list[Unit]]:
        """The units of each layer."""
        layers: list[list[Unit]] = [[] for _ in range(1 + max(layer for layer, _ in self.above))]
        for unit in self.above:
            layers[unit[0]].append(unit)
        return layers


def groups_of(network: Layered) -> Groups:
    """Rule 1, layer by layer; every output is a group of its own."""
    layers = network.layers
    inputs = {unit: 1 << i for i, unit in enumerate(layers[0])}
    outputs = {unit: 1 << i for i, unit in enumerate(layers[-1])}
    support, shown = _gathered(inputs, layers[1:], network.below), _gathered(outputs, layers[-2::-1], network.above)
    found: Groups = {}
    for units in layers:
        groups = _Joined(units)
        first: dict[Hashable, Unit] = {}
        kinds: dict[int, dict[int, Unit]] = {}
        for unit in units:
            if network.above[unit]:
                groups.join(unit, first.setdefault(frozenset(network.above[unit]), unit))
                groups.join(unit, kinds.setdefault(support[unit], {}).setdefault(shown[unit], unit))
        for of_outputs in kinds.values():
            for one, other in _overlapping(of_outputs):
                groups.join(one, other)
        found |= groups.sets()
    return found


def _gathered(first: dict[Unit, int], layers: Iterable[list[Unit]], read: dict[Unit, list[Unit]]) -> dict[Unit, int]:
    """The ``first`` units from which each unit can be reached, as bits."""
    found = dict(first)
    for units in layers:
        for unit in units:
            found[unit] = reduce(or_, [found[other] for other in read[unit]])
    return found


def _overlapping(units: dict[int, Unit]) -> Iterator[tuple[Unit, Unit]]:
    """Pairs that join the units whose sets of outputs overlap. Since all units lead to an output, these are those that feed one unit."""
    parts: list[tuple[int, Unit]] = []  # sets that do not overlap
    claimed = 0
    for mask, unit in units.items():
        if mask & claimed:
            met = [part for part in parts if part[0] & mask]
            yield from ((unit, other) for _, other in met)
            parts = [part for part in parts if not part[0] & mask]
            parts.append((reduce(or_, (other for other, _ in met), mask), unit))
        else:
            parts.append((mask, unit))
        claimed |= mask


class _Joined:
    """Sets of units, which grow together."""

    def __init__(self, units: Iterable[Unit]) -> None:
        self.parent = {unit: unit for unit in units}

    def first(self, unit: Unit) -> Unit:
        while (above := self.parent[unit]) is not unit:
            self.parent[unit] = unit = self.parent[above]
        return unit

    def join(self, one: Unit, other: Unit) -> None:
        self.parent[self.first(one)] = self.first(other)

    def sets(self) -> Groups:
        found: dict[Unit, list[Unit]] = {}
        for unit in self.parent:
            found.setdefault(self.first(unit), []).append(unit)
        return {unit: group for group in map(frozenset, found.values()) for unit in group}


def lone_readers(network: Layered, groups: Groups) -> Groups:
    """Rule 5: the changed groups of the first hidden layer."""
    lone = set()
    for group in {groups[unit] for unit in network.layers[0]}:
        readers = {target for unit in group for target in network.above[unit]}
        lone |= readers if len(readers) == 1 and all(group.issuperset(network.below[reader]) for reader in readers) else set()
    changed: Groups = {}
    for unit in lone:
        rest = groups[unit] - lone
        changed |= {unit: frozenset([unit])} | dict.fromkeys(rest, rest)
    return changed


@dataclass(eq=False)
class _Module:
    """Units that are in one module so far.

    ``alone`` is the name of all its units where they have one, and ``outside`` what such a module feeds besides itself.
    """

    layers: dict[int, list[Unit]]
    size: int
    alone: str | None
    outside: set[Unit] = field(default_factory=set)

    def units(self) -> Iterator[Unit]:
        return (unit for units in self.layers.values() for unit in units)


def joined_modules(network: Layered, groups: Groups, inputs: Collection[str]) -> dict[Unit, frozenset[Unit]]:
    """Rules 2 to 4, from the inputs upward; ``inputs`` are those that may join the only module that reads them."""
    layers, of = network.layers, _begun(network, groups)
    last = len(layers) - 1
    for layer, units in enumerate(layers[1:], start=1):
        for group in dict.fromkeys(groups[unit] for unit in units):
            module = of[next(iter(group))]
            below = dict.fromkeys(of[source] for unit in group for source in network.below[unit])
            private = dict.fromkeys(each for each in below if each.alone in inputs and each.outside <= group)
            rest = below.keys() - private.keys() or below.keys()
            if len(rest) == 1 and (layer == last or _feeds_only(network, next(iter(rest)).layers[layer - 1], group)):
                private |= dict.fromkeys(rest)
            for each in private:
                module = _merged(module, each, of)
    whole = {module: frozenset(module.units()) for module in dict.fromkeys(of.values())}
    return {unit: whole[module] for unit, module in of.items()}


def _begun(network: Layered, groups: Groups) -> dict[Unit, _Module]:
    """A module for each group."""
    of: dict[Unit, _Module] = {}
    for group in dict.fromkeys(groups[unit] for unit in network.above):
        (layer,) = {layer for layer, _ in group}
        names = {name for _, name in group}
        module = _Module({layer: [*group]}, len(group), next(iter(names)) if len(names) == 1 else None)
        if module.alone is not None:
            module.outside = {target for unit in group for target in network.above[unit]}
        of |= dict.fromkeys(group, module)
    return of


def _feeds_only(network: Layered, units: list[Unit], group: frozenset[Unit]) -> bool:
    return all(target in group for unit in units for target in network.above[unit])


def _merged(one: _Module, other: _Module, of: dict[Unit, _Module]) -> _Module:
    """Two modules as one, by changing the larger."""
    if one is other:
        return one
    small, large = sorted((one, other), key=lambda module: module.size)
    large.alone = large.alone if large.alone == small.alone else None
    for unit in small.units():
        of[unit] = large
        large.outside.discard(unit)
        large.layers.setdefault(unit[0], []).append(unit)
    large.size += small.size
    large.outside |= {target for target in small.outside if of[target] is not large}
    return large
