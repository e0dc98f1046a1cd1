"""What is drawn of a hierarchy: its units, or groups of them, and what the picture says of that."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from ..hierarchy import Hierarchy
from .rows import Unit

__all__ = ["Groups", "Links"]


class Links(NamedTuple):
    """How many links between groups are drawn, of how many, and the edges that they stand for."""

    drawn: int
    all: int
    drawn_edges: int
    all_edges: int


@dataclass(frozen=True, eq=False)
class Groups:
    """What is drawn of a hierarchy: its units, or groups of them.

    Attributes
    ----------
    whole : Hierarchy
        The hierarchy itself.
    hierarchy : Hierarchy
        The same, or one whose units are groups of units, and whose edges are the links between two groups, weighted by the sum of |weight|.
    members : dict of (layer, index) to tuple of int
        The units of each group, by their indices in the layer; units that are not in it are drawn one by one.
    numbers : tuple of (int or None)
        For each module of ``hierarchy`` that of ``whole``, None for the rest: small modules that are drawn together. Empty where modules
        keep their numbers.
    links : Links or None
        None where each edge is drawn.
    rest : int
        The number of modules that are drawn together.
    """

    whole: Hierarchy
    hierarchy: Hierarchy
    members: dict[Unit, tuple[int, ...]] = field(default_factory=dict)
    numbers: tuple[int | None, ...] = ()
    links: Links | None = None
    rest: int = 0

    @property
    def notes(self) -> tuple[str, ...]:
        """What is drawn together and what is left out, a line each; empty where there is nothing to say."""
        of_modules, of_rest, loose = self._counts()
        found = []
        if self.links is not None and of_modules[0]:
            found.append(f"{_some(of_modules, 'unit')} of one module in one layer")
        if self.rest:
            shown = len(self.numbers) - 1
            which = f"the {shown} largest of {self.rest + shown:,} modules are shown"
            found.append(f"{which}; the {of_rest[0]:,} units of the others are together in each layer, “rest”")
        if loose[0] > 1:
            found.append(_some(loose, "output", " that read nothing"))
        if self.links is not None and self.links.drawn < self.links.all:
            drawn, links, edges, all_edges = self.links
            which = f"{links - drawn:,} of {links:,} links between groups, the weakest"
            found.append(f"left out: {which}, with {all_edges - edges:,} of {all_edges:,} edges")
        return tuple(found)

    @property
    def rest_units(self) -> int:
        """The units of the modules that are drawn together."""
        return self._counts()[1][0]

    def units(self, unit: Unit) -> tuple[int, ...]:
        """The indices in its layer of the units that a unit of the picture stands for."""
        return self.members.get(unit, (unit[1],))

    def number(self, module: int) -> int | None:
        """The number in the whole hierarchy of a module of the picture; None for the rest."""
        return self.numbers[module] if self.numbers else module

    def name(self, module: int) -> str:
        """The number of a module as ids in files have it; ``"rest"`` for the rest."""
        number = self.number(module)
        return "rest" if number is None else str(number)

    def within_rest(self, source: Unit, target: Unit) -> bool:
        """Whether both ends of a link are groups of the rest."""
        return all(self.number(int(self.hierarchy.labels[layer][index])) is None for layer, index in (source, target))

    def _counts(self) -> list[tuple[int, int]]:
        """Units and groups of modules that are shown, of the rest, and of outputs that read nothing."""
        found = [[0, 0], [0, 0], [0, 0]]
        for (layer, index), units in self.members.items():
            module = int(self.hierarchy.labels[layer][index])
            kind = found[2 if module < 0 else 1 if self.number(module) is None else 0]
            kind[0] += len(units)
            kind[1] += 1
        return [(units, groups) for units, groups in found]


def _some(counts: tuple[int, int], word: str, which: str = "") -> str:
    units, groups = counts
    return f"{units:,} {word}{'' if units == 1 else 's'}{which} drawn as {groups:,} group{'' if groups == 1 else 's'}"
