"""What evidence says of each module, for the columns of the table, and of the whole hierarchy."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ..drawing.names import one_line
from ..evidence import Lesions, Significance
from ..hierarchy import Hierarchy, members_of
from ..truth import FunctionMap

__all__ = ["columns_of", "facts_from"]

SHOWN = 3  # outputs whose loss is named
LEVEL = 0.05


def columns_of(hierarchy: Hierarchy, evidence: Mapping[str, Any]) -> dict[str, list[str]]:
    """A column for each kind of evidence about single modules: what they compute, and what is lost without them.

    Evidence that is of another hierarchy, whose modules have other units, gives none, and neither does one that does not know its own.
    """
    columns: dict[str, list[str]] = {}
    numbers, members = [module.index for module in hierarchy.modules], members_of(hierarchy)
    for what in evidence.values():
        if not isinstance(what, FunctionMap | Lesions) or what.members != members:
            continue
        if isinstance(what, FunctionMap):
            columns["computes"] = [", ".join(one_line(gate) for gate, m in what.carriers.items() if m == number) for number in numbers]
        else:
            columns["accuracy lost without it"] = [_lost(what, number) for number in numbers]
    return columns


def facts_from(evidence: Iterable[Any]) -> list[tuple[str, str]]:
    """Facts about the whole hierarchy: the p-value of its structure."""
    tests = [what for what in evidence if isinstance(what, Significance)]
    return [("p-value", f"{test.p_value:.3g} against {len(test.null_qualities)} {test.null} networks: {test.verdict}") for test in tests]


def _lost(lesions: Lesions, module: int) -> str:
    """The outputs that lose most, with p-values; the mark is that of small ones."""
    if not lesions.units[module]:
        return "outputs only"
    drops = sorted(zip(-lesions.drop[module], range(len(lesions.names)), strict=True))
    found = [
        f"{one_line(lesions.names[o])} {-drop:.2f}{'*' if lesions.drop_p[module, o] <= LEVEL else ''} (p = {lesions.drop_p[module, o]:.2g})"
        for drop, o in drops
        if -drop > 0.005
    ]
    more = f", and {len(found) - SHOWN} more" if len(found) > SHOWN else ""
    return ", ".join(found[:SHOWN]) + more or "nothing"
