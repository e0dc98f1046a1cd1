"""The history and the names of chains, as a checkpoint states them in JSON."""

from __future__ import annotations

import math
from dataclasses import fields
from typing import Any

from ..integrity import is_number
from .chains import PHASES, ChainName
from .history import RoundRecord

__all__ = ["names_of", "record_of"]

FIELDS = {field.name for field in fields(RoundRecord)}
LATER = {"reserve", "accepted", "number"}  # fields that not every version has
WITH_STEPS = {"dense": (False, False), "units": (True, False), "retrain": (True, False)}  # of edges the unit step depends on the call


def names_of(rows: object, percent: bool) -> list[ChainName]:
    """The names of chains, from rows of seed, unit step, edge step, model and rate.

    Raises
    ------
    ValueError
        When they are no such rows.
    """
    if not isinstance(rows, list) or not all(_is_name(row) for row in rows):
        raise ValueError(f"names of chains must be rows of seed, steps, model and rate; got {rows!r:.80}")
    by = 100 if percent else 1
    return [ChainName(seed, unit and unit / by, edge and edge / by, model, rate) for seed, unit, edge, model, rate in rows]


def record_of(record: Any, percent: bool) -> RoundRecord:
    """A training round, with a figure for each chain.

    Raises
    ------
    ValueError
        When a field is missing, of another kind, or has another length.
    """
    if not isinstance(record, dict) or not FIELDS - LATER <= record.keys() <= FIELDS:
        raise ValueError(f"rounds must have the fields {sorted(FIELDS)}; got {record!r:.80}")
    found = RoundRecord(**{**record, "names": names_of(record["names"], percent)})
    pruning, size = found.phase in ("units", "edges"), len(found.names)
    columns = {
        "phase": isinstance(found.phase, str) and found.phase in PHASES,
        "asked": _is_column(found.asked, size, 0, 1) if pruning else found.asked is None,
        "density": _is_column(found.density, size, 0, 1),
        "accuracy": _is_column(found.accuracy, size, unknown=True),
        "seconds": is_number(found.seconds, 0, 1e12),
        "reserve": is_number(found.reserve, 0, 1e300),
        "number": isinstance(found.number, int) and is_number(found.number, 0, 1e12),
        "accepted": found.accepted is None or _is_flags(found.accepted, size),
    }
    for name, fits in columns.items():
        if not fits:
            raise ValueError(f"the {name} of a round of {size} chains must be of its kind and size; got {getattr(found, name)!r:.80}")
    with_steps = WITH_STEPS.get(found.phase)
    if with_steps is not None and any((name.unit_step is not None, name.edge_step is not None) != with_steps for name in found.names):
        raise ValueError(f"chains in phase {found.phase} must have the steps of it; got {found.names!r:.80}")
    return found


def _is_name(row: object) -> bool:
    if not isinstance(row, list) or len(row) != 5:
        return False
    seed, unit, edge, model, rate = row
    whole = all(isinstance(number, int) and not isinstance(number, bool) and number >= 0 for number in (seed, model, rate))
    return whole and all(step is None or is_number(step, 0, 100) for step in (unit, edge))


def _is_column(values: object, size: int, low: float = -math.inf, high: float = math.inf, unknown: bool = False) -> bool:
    """Whether there is a number for each chain; ``unknown`` ones are NaN, of networks that diverged."""
    if not isinstance(values, list) or len(values) != size:
        return False
    return all(is_number(value, low, high) or (unknown and isinstance(value, float) and math.isnan(value)) for value in values)


def _is_flags(values: object, size: int) -> bool:
    return isinstance(values, list) and len(values) == size and all(isinstance(value, bool) for value in values)
