"""Which elements of the parameters touch which units and edges, for all members at once.

N = members, U = units, E = edges.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import torch
from torch import Tensor

from .groups import UnitMap, Use
from .groups.unit_map import NONE

__all__ = [
    "STATISTIC",
    "WRITING",
    "edge_view",
    "keep_elements",
    "lost_units",
    "read_units",
    "readers",
    "touched_units",
    "unit_sums",
    "written_units",
]

WRITING = ("dense", "conv", "embedding")  # kinds of uses whose elements are edges into a unit, and not its bias or scale
STATISTIC = "statistic"


def touched_units(units: UnitMap, elements: Mapping[str, Tensor], uses: Callable[[Use], bool] = lambda use: True) -> Tensor:
    """The sum, for every unit, over the elements that read it or write it: ``(N, U)``.

    ``elements`` holds ``(N, *shape)`` for each parameter, numbers or truth values. Only the ``uses`` that are asked for count.
    """
    chosen = [use for use in units.uses if uses(use) and use.kind != STATISTIC]
    return unit_sums(len(units), elements, ((use.parameter, ids) for use in chosen for ids in (use.source, use.target)))


def read_units(units: UnitMap, elements: Mapping[str, Tensor]) -> Tensor:
    """The same over the elements that read a unit."""
    return unit_sums(len(units), elements, ((use.parameter, use.source) for use in units.uses if use.kind != STATISTIC))


def written_units(units: UnitMap, elements: Mapping[str, Tensor]) -> Tensor:
    """The same over the edges and embeddings that write a unit."""
    return unit_sums(len(units), elements, ((use.parameter, use.target) for use in units.uses if use.kind in WRITING))


def unit_sums(count: int, elements: Mapping[str, Tensor], places: Iterable[tuple[str, Tensor | None]]) -> Tensor:
    """The sum, for each of ``count`` units, over the elements of the parameters whose ``places`` have its number: ``(N, count)``."""
    some = next(iter(elements.values()))
    dtype = some.dtype if some.is_floating_point() else torch.float32
    found = some.new_zeros(len(some), count, dtype=dtype)
    for name, ids in places:
        if ids is None or name not in elements:
            continue
        ids, part = ids.to(some.device), elements[name]
        ids = ids.view(*(1 for _ in range(part.ndim - 1 - ids.ndim)), *ids.shape)
        alike = tuple(place + 1 for place, size in enumerate(ids.shape) if size == 1 < part.shape[place + 1])
        part = (part.sum(dim=alike, keepdim=True, dtype=dtype) if alike else part.to(dtype)).expand(-1, *ids.shape).flatten(1)
        known = ids.flatten() != NONE
        found.index_add_(1, ids.flatten()[known], part[:, known])
    return found


def lost_units(units: UnitMap, masks: Mapping[str, Tensor]) -> Tensor:
    """Which units have edges or embeddings that write them, but none of these left: bool ``(N, U)``."""
    whole = {name: torch.ones_like(mask[:1]) for name, mask in masks.items()}
    before, left = (written_units(units, part) for part in (whole, masks))
    return (before > 0) & (left == 0)


def keep_elements(units: UnitMap, kept: Tensor) -> dict[str, Tensor]:
    """Which biases and scales are left when those of some units go: a mask for each parameter; ``kept`` is bool ``(N, U)``."""
    found: dict[str, Tensor] = {}
    for use in units.uses:
        if use.target is not None and use.source is None and use.kind not in (*WRITING, STATISTIC):
            target = use.target.to(kept.device)
            mask = kept[:, target.clamp(min=0)] | (target == NONE)
            found[use.parameter] = found[use.parameter] & mask if use.parameter in found else mask
    return found


def edge_view(part: Tensor, numbers: Tensor, reduce: Callable[..., Any]) -> Tensor:
    """Elements ``(N, *shape)`` reduced to one for each edge, ``(N, *numbers.shape)``: those of a kernel are one edge."""
    alike = tuple(place + 1 for place, size in enumerate(numbers.shape) if size == 1 < part.shape[place + 1])
    found: Tensor = reduce(part, dim=alike, keepdim=True) if alike else part
    return found


def readers(units: UnitMap) -> dict[str, list[Tensor]]:
    """The units that the elements of each parameter read: one tensor of numbers for each use that reads others than the uses before."""
    found: dict[str, list[Tensor]] = {}
    for use in units.uses:
        if use.source is not None and use.kind != STATISTIC:
            known = found.setdefault(use.parameter, [])
            if not any(torch.equal(use.source, other) for other in known):
                known.append(use.source)
    return found
