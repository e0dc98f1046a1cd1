"""What is tried after a change, one stage after the other, from single parts to the whole network."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from .growth import MANY, Base, Growth
from .parts import Mask, Part, all_within, cuts_of, everything, pairs_of, parts_of
from .results import ResculptStatus

__all__ = ["stages_of"]

# Of the whole network: edges that are grown, as multiples of those that it has, and spare units, as multiples of `spare_units`.
GROWN = ((0.25, 1), (1.0, 2), (4.0, 4), (16.0, 8))
Stage = tuple[ResculptStatus, list[Growth]]


def stages_of(base: Base, wrong: Mask, edges: int, spares: Sequence[int], seeds: range) -> list[Stage]:
    """What is tried, one after the other: single parts, two, all units that lead to wrong outputs only, more and more of the network."""

    def growths(parts: Iterable[Part], most: int = MANY, spares: Sequence[int] = spares) -> list[Growth]:
        return [Growth(part, spare, start, most, seeds.start) for part in parts for spare in spares for start in range(len(seeds))]

    def larger(factor: int) -> list[int]:
        there = min(len(base.wiring.spare(layer)) for layer in range(1, base.wiring.depth))
        return sorted({min(factor * spare, there) for spare in spares})

    parts, below, whole = parts_of(base.wiring, wrong), all_within(base.wiring, wrong), everything(base.wiring)
    several = [part for part in dict.fromkeys([*pairs_of(base.wiring, wrong), *cuts_of(base.wiring, wrong)]) if part not in parts]
    stages = [(ResculptStatus.ONE_PART, growths(parts)), (ResculptStatus.SEVERAL_PARTS, growths(several))]
    if below not in parts and below != whole:
        stages.append((ResculptStatus.SEVERAL_PARTS, growths([below])))
    return [*stages, *((ResculptStatus.WHOLE_NETWORK, growths([whole], round(share * edges), larger(times))) for share, times in GROWN)]
