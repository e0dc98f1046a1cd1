"""The sensitivity study in words and pictures: how many results are right for each value of each parameter."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ...store import Row
from ...study import Read
from ..common.reporting import pictures
from ..common.success_rates import LENIENT, STRICT, rate_of, table
from .cells import ordered, value_text

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from analysis import Rate

__all__ = ["sensitivity_report", "sensitivity_summary"]


def sensitivity_report(rows: Sequence[Row], read: Read) -> dict[str, bytes]:
    """``summary.md`` and the figure ``sensitivity`` as SVG and PNG."""
    rows = ordered(rows)
    return {"summary.md": sensitivity_summary(rows).encode(), **pictures(sensitivity=_figure(rows).axes[0])}


def sensitivity_summary(rows: Sequence[Row]) -> str:
    """A table as markdown: for each value of each parameter, how many results are right, strictly and counting valid decompositions."""
    strict, lenient, defaults = _rates(rows, STRICT), _rates(rows, LENIENT), _defaults(rows)
    lines = [
        [name, f"{value}{' (default)' * (defaults[name] == value)}", str(rate), str(lenient[name][value])]
        for name, rates in strict.items()
        for value, rate in rates.items()
    ]
    tasks = ", ".join(dict.fromkeys(f"`{row['task']}`" for row in rows))
    meaning = (
        f"Consensus of four seeds on {tasks}; one setting changed at a time. *Counting valid*: or another valid decomposition of the "
        "function."
    )
    return "\n\n".join(["# Sensitivity", meaning, table(["parameter", "value", "right", "counting valid"], lines)]) + "\n"


def _rates(rows: Sequence[Row], verdicts: Sequence[str]) -> dict[str, dict[str, Rate | None]]:
    """For each parameter and value, how many results are right by any of the verdicts."""
    groups: dict[str, dict[str, list[Row]]] = {}
    for row in rows:
        groups.setdefault(row["parameter"], {}).setdefault(value_text(row["parameter"], row["value"]), []).append(row)
    return {name: {value: rate_of(some, verdicts) for value, some in values.items()} for name, values in groups.items()}


def _defaults(rows: Sequence[Row]) -> dict[str, str]:
    return {row["parameter"]: value_text(row["parameter"], row["value"]) for row in rows if row["is_default"]}


def _figure(rows: Sequence[Row]) -> Figure:
    from analysis.figures import success_panels

    return success_panels(_rates(rows, STRICT), defaults=_defaults(rows), lenient=_rates(rows, LENIENT))
