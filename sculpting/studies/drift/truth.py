"""Whether what changed in a network are the units, the part and the modules of what was changed in its task."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ...models.live import Unit
from ...resculpting import ResculptResult
from ...resculpting.parts import Wiring
from .changing import Change

__all__ = ["Truth"]


class Truth:
    """The units of the gate that changed: they lead to its outputs, and depend on no inputs but its own.

    Parameters
    ----------
    found : ResculptResult
    change : Change
    """

    def __init__(self, found: ResculptResult, change: Change) -> None:
        self.found, self.change = found, change
        self.wirings = [Wiring.of(network.masks) for network in (found.before, found.network)]

    def is_mine(self, unit: Unit, wiring: Wiring) -> bool:
        """Whether a unit of one of the networks is the gate's."""
        layer, index = unit
        if layer == 0:
            return False
        reached, origins = (set(np.flatnonzero(part[layer][index]).tolist()) for part in (wiring.reached, wiring.origins))
        there = bool(reached) and reached <= self.change.outputs if self.change.apart else reached == self.change.outputs
        return there and origins <= self.change.inputs

    def part_right(self) -> bool:
        """Whether units that were learnt again and that were added are the gate's; without a change there are none."""
        return self._right([*self.found.part, *self.found.added])

    def units_right(self, names: Sequence[str]) -> bool:
        """Whether the units of these names, at least one, are the gate's; without a change there are none."""
        widths = self.found.network.widths
        units = {self.found.name_of((layer, index)): (layer, index) for layer, width in enumerate(widths) for index in range(width)}
        return self._right([units[name] for name in names])

    def _right(self, units: Sequence[Unit]) -> bool:
        if self.change.is_none:
            return not units
        before, after = self.wirings
        # A unit is the gate's by what it was; one that came, by what it is.
        sides = [after if self._idle(unit, before) else before for unit in units]
        return bool(units) and self.found.learnt and all(map(self.is_mine, units, sides))

    def modules_right(self, before: Any, after: Any, differ: Any) -> bool:
        """Whether at least one module is named, and every one has a unit of the gate's; without a change none is."""
        if self.change.is_none:
            return not differ.named
        there = [
            any(self.is_mine(unit, self.wirings[side]) for unit in (before, after)[side].modules[index].units)
            for module in differ.named
            for side, index in [(0, module.before) if module.before is not None else (1, module.after)]
        ]
        return bool(there) and all(there) and self.found.learnt

    def kept_rest(self) -> float | None:
        """The fraction of the edges of before, but those from and into the gate's units, that have the same weight."""
        total = same = 0
        for layer, (old, new) in enumerate(zip(self.found.before.weights, self.found.network.weights, strict=True)):
            for target, source in np.argwhere(old != 0).tolist():
                if not any(self.is_mine(unit, self.wirings[0]) for unit in ((layer, source), (layer + 1, target))):
                    total += 1
                    same += bool(old[target, source] == new[target, source])
        return same / total if total else None

    @staticmethod
    def _idle(unit: Unit, wiring: Wiring) -> bool:
        layer, index = unit
        return not wiring.origins[layer][index].any() or not wiring.reached[layer][index].any()
