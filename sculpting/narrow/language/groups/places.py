"""Where the units of a small model lie in the parameters of a large one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from ....models.groups.unit_map import NONE, UnitLayer, UnitMap, Use

__all__ = ["MissingError", "Scaled", "Segment", "Slice"]


@dataclass(frozen=True)
class Slice:
    """Where the groups of a layer lie in a parameter: group g at ``start + g * block ... start + (g + 1) * block`` along ``axis``.

    Attributes
    ----------
    parameter : str
    axis, start, block : int
    kind : str
        Of the operator: ``"dense"``, ``"embedding"``, ``"bias"`` or ``"scale"``.
    reads : bool
        Whether the operator reads the groups; otherwise it writes them.
    """

    parameter: str
    axis: int
    start: int
    block: int
    kind: str
    reads: bool


class MissingError(Exception):
    """Why an architecture cannot lose groups of a kind."""


@dataclass(frozen=True)
class Segment:
    """A run of places of an axis that belong to one layer of units: their numbers within it, in the small model."""

    use: Use
    axis: int
    start: int
    numbers: Tensor
    reads: bool


@dataclass(frozen=True)
class Scaled:
    """The units of the small model, and the shapes of the large one."""

    small: Mapping[str, tuple[int, ...]]
    shapes: Mapping[str, tuple[int, ...]]
    units: UnitMap

    def segments(self, layer: UnitLayer) -> list[Segment]:
        """All runs of places that belong to a layer of units, each once."""
        found: dict[tuple[str, int, int], Segment] = {}
        for use in self.units.uses:
            for reads, ends in ((True, use.source), (False, use.target)):
                if ends is not None and use.parameter in self.small:
                    for segment in _runs(use, ends, reads, layer):
                        found.setdefault((use.parameter, segment.axis, segment.start), segment)
        return list(found.values())

    def slice(self, segment: Segment, start: int, length: int, groups: int) -> tuple[int, Slice]:
        """Part of a segment as a slice of the large model, and how many groups it has there.

        ``groups`` is the number of groups where it stays the same, as that of heads does, and 0 where a place is a group.
        """
        name, axis = segment.use.parameter, segment.axis
        small, large = self.small[name][axis], self.shapes[name][axis]
        first, whole = (segment.start + start) * large / small, length * large / small
        count = groups or whole
        if first % 1 or whole % 1 or (groups and whole % groups):
            raise MissingError(f"{name} of shape {self.shapes[name]} is not divided as in a model of other widths")
        return int(count), Slice(name, axis, int(first), int(whole // count), segment.use.kind, segment.reads)


def _runs(use: Use, ends: Tensor, reads: bool, layer: UnitLayer) -> Iterator[Segment]:
    """The runs of places of a use that belong to a layer."""
    axes = [axis for axis, size in enumerate(ends.shape) if size > 1]
    inside = (ends >= layer.first) & (ends < layer.first + layer.size) & (ends != NONE)
    if not bool(inside.any()):
        return
    if len(axes) != 1:
        raise MissingError(f"{use.parameter} does not have one unit a row or column")
    numbers, here = ends.flatten(), inside.flatten()
    edges = torch.nonzero(torch.diff(here.int(), prepend=torch.zeros(1), append=torch.zeros(1))).flatten().tolist()
    for first, last in zip(edges[::2], edges[1::2], strict=True):
        yield Segment(use, axes[0], first, numbers[first:last] - layer.first, reads)
