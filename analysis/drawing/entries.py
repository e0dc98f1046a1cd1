"""What the legend of a picture says, row by row."""

from __future__ import annotations

from dataclasses import dataclass

from ..graph.blocks import UNWEIGHTED
from ..layout.groups import Groups
from ..layout.rows import drawn
from .captions import HEADS, units_in_words
from .colours import FAINT, INK, NEGATIVE, POSITIVE
from .style import PALE

__all__ = ["Entry", "Legend", "has_image", "is_gate", "legend_of", "widest_link"]


@dataclass(frozen=True)
class Entry:
    """A text with its symbol: ``"line"``, ``"dashes"``, ``"gate"`` or ``"kernel"``."""

    text: str
    symbol: str = "line"
    color: str = INK


SIGNS = (Entry("positive weight", color=POSITIVE), Entry("negative weight", color=NEGATIVE))
NORMS = (Entry("positive weight, or norm of several", color=POSITIVE), SIGNS[1])
OF_SEVERAL = ("conv", "embedding")  # kinds of blocks in which several weights are one edge
RAIL = Entry("carried on", color=PALE)


@dataclass(frozen=True)
class Legend:
    """The legend of a picture.

    Attributes
    ----------
    lines : tuple of Entry
        The lowest row.
    marks : tuple of Entry
        The row above: what only graphs of units have; may be empty.
    notes : tuple of str
        Lines above both; may be empty.
    of_groups : bool
        Whether lines are links between groups of units.
    """

    lines: tuple[Entry, ...] = SIGNS
    marks: tuple[Entry, ...] = ()
    notes: tuple[str, ...] = ()
    of_groups: bool = False

    @property
    def plain(self) -> bool:
        """Whether the lowest row is that of signs."""
        return self.lines[: len(SIGNS)] == SIGNS

    @property
    def rows(self) -> int:
        """The number of rows."""
        return 1 + bool(self.marks) + len(self.notes)


def legend_of(groups: Groups, pixels: bool = False) -> Legend:
    """The legend of what is drawn; with ``pixels`` without the lines of maps."""
    hierarchy = groups.hierarchy
    carries = any(block.kind in ("carry", "carried") for block in hierarchy.graph.blocks)
    first: tuple[Entry, ...] = NORMS if any(block.kind in OF_SEVERAL for block in hierarchy.graph.blocks) else SIGNS
    if groups.links is not None:
        text = f"summed |weight| of edges, up to {_number(widest_link(groups, pixels))}{' or more' if groups.rest else ''}"
        first = (Entry(f"{text}, in the colour of the module they leave", color=FAINT),)
    return Legend((*first, RAIL) if carries else first, _marks(groups), groups.notes, groups.links is not None)


def widest_link(groups: Groups, pixels: bool = False) -> float:
    """The summed |weight| of the widest line: the largest, without links inside the rest where there are others; 0 without any."""
    found = [edge for edge in drawn(groups.hierarchy) if edge.weighted and not (pixels and edge.source[0] == 0)]
    shown = [edge.weight for edge in found if not groups.within_rest(edge.source, edge.target)]
    return max(shown or [edge.weight for edge in found], default=0.0)


def _number(value: float) -> str:
    return f"{value:,.0f}" if 1000 <= value < 1e6 else f"{value:.3g}"


def is_gate(groups: Groups, unit: tuple[int, int]) -> bool:
    """Whether a unit is a single gate, such as a head of attention."""
    return groups.hierarchy.graph.layers[unit[0]].kind == "gate" and len(groups.units(unit)) == 1


def has_image(groups: Groups, unit: tuple[int, int]) -> bool:
    """Whether a unit is a single one that has an image, which is not blank."""
    images, units = groups.whole.graph.layers[unit[0]].images, groups.units(unit)
    return images is not None and len(units) == 1 and bool(images[units[0]].any())


def _marks(groups: Groups) -> tuple[Entry, ...]:
    found = []
    kinds = {edge.kind for edge in drawn(groups.hierarchy)}
    unweighted = [kind for kind in UNWEIGHTED if kind in kinds]
    if unweighted:
        found.append(Entry(f"{' or '.join(unweighted)}: no weight", "dashes", FAINT))
    living = [(i, k) for i, labels in enumerate(groups.hierarchy.labels) for k, label in enumerate(labels.tolist()) if label >= 0]
    words = units_in_words(groups.hierarchy)
    gates = dict.fromkeys("head" if words[unit[0]] == HEADS else "gate" for unit in living if is_gate(groups, unit))
    if gates:
        found.append(Entry(" or ".join(gates), "gate"))
    if any(has_image(groups, unit) for unit in living):
        found.append(Entry("mean kernel of a channel", "kernel"))
    return tuple(found)
