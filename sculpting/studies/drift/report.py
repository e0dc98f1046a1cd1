"""The study of tasks that change in words."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median
from typing import TYPE_CHECKING

from ...store import Row
from ...study import Read
from ..common.reporting import pictures, with_interval
from ..common.success_rates import NOT_RUN, table
from .changing import DIGIT_KINDS
from .edits import KINDS
from .figure import drift_figure
from .targets import NAMED_BY, changed, target_table

if TYPE_CHECKING:
    from analysis import Rate

__all__ = ["drift_report", "drift_summary"]

MEANING = (
    "One thing is changed in what a sparse network computes, and the network goes on by `resculpt`. *Named*: every module of before that "
    "has a unit which `changes` calls changed has one of the changed gate's, and there is one; units of the gate lead to its outputs and "
    "depend on no inputs but its own. *Detected*: the same where modules are detected again in the new network. *Units*: all units that "
    "changed are the gate's. *Part*: all units learnt again and added are. Of two digits the gate is the side whose classes were renamed. "
    "*Rest kept*: edges that are not the gate's, with the same weight, in the median. *One reader*: a gate whose reader leads to the same "
    "outputs, so that either can answer for the change; these are counted in all rates. Intervals are Wilson's."
)


def drift_report(rows: Sequence[Row], read: Read) -> dict[str, bytes]:
    """``summary.md`` and the figure."""
    some = changed(rows)
    return {"summary.md": drift_summary(rows).encode(), **(pictures(drift=drift_figure(some)) if some else {})}


def drift_summary(rows: Sequence[Row]) -> str:
    """The summary of the study, as markdown.

    Examples
    --------
    >>> print(drift_summary([]).splitlines()[2])
    0 changes of 0 networks.
    """
    networks = len({row["task"] for row in rows})
    parts = [
        "# Tasks that change",
        f"{len(changed(rows))} changes of {networks} networks.",
        *(MEANING, "## Targets", target_table(rows)),
        *("## Kinds of change", _kinds(rows)),
        *("## By what the network was before", _verdicts(rows)),
        *("## Inputs that are more often 1", _inputs(rows)),
        *("## Every change", _all(rows)),
    ]
    return "\n\n".join(parts) + "\n"


def _rate(rows: Sequence[Row], column: str) -> Rate | None:
    from analysis import Rate

    return Rate(sum(bool(row[column]) for row in rows), len(rows)) if rows else None


def _line(name: str, some: Sequence[Row]) -> list[str]:
    """One line of rates and medians."""
    if not some:
        return [name, "0", *(NOT_RUN,) * 9]
    kept = [row["kept_rest"] for row in some if row["kept_rest"] is not None]
    alarms = [row for row in some if row["alarm"] is not None]
    return [
        name, str(len(some)), *(with_interval(_rate(some, column)) for column in NAMED_BY),
        f"{median(kept):.2f}" if kept else "", f"{median(row['steps'] for row in some):,.0f}",
        f"{median(row['steps'] / row['anew_steps'] for row in some):.3f}",
        f"{median(row['edges'] for row in some):.0f}/{median(row['anew_edges'] or 0 for row in some):.0f}",
        str(_rate(alarms, "alarm")) if alarms else "",
    ]  # fmt: skip


HEADER = ("", "changes", "named", "detected", "units", "part", "rest kept", "steps", "of anew", "edges, anew", "alarm in one batch")


def _kinds(rows: Sequence[Row]) -> str:
    some = changed(rows)
    lines = [_line(kind, [row for row in some if row["kind"] == kind]) for kind in (*KINDS, *DIGIT_KINDS) if kind != "none"]
    lines += [_line("one reader", [row for row in some if row["one_reader"]]), _line("all", some)]
    return table(HEADER, lines)


def _verdicts(rows: Sequence[Row]) -> str:
    some = changed(rows)
    verdicts = dict.fromkeys(row["base_verdict"] for row in some)
    return table(HEADER, [_line(verdict, [row for row in some if row["base_verdict"] == verdict]) for verdict in verdicts])


def _inputs(rows: Sequence[Row]) -> str:
    """How often the monitor named modules when an input was more often 1, and only those that depend on it."""
    some = [row for row in rows if row["inputs"] is not None]
    if not some:
        return NOT_RUN
    read, seen, right = (sum(row[column] for row in some) for column in ("inputs", "inputs_seen", "inputs_right"))
    return f"Of {read} inputs, each in one batch, {seen} were seen; in {right} of these every module that was named depends on the input."


def _all(rows: Sequence[Row]) -> str:
    start = ("function", "before", "change", "gate", "status", "learnt again", "named", "modules, detected, units, part right")
    header = (*start, "rest kept", "edges", "steps", "anew")
    lines = []
    for row in rows:
        gate = f"{row['gate']} = {row['formula']} -> {row['new_formula']}".replace("|", "\\|") if row["gate"] else ""
        kept = "" if row["kept_rest"] is None else f"{row['kept_rest']:.2f}"
        anew = "" if row["anew_steps"] is None else f"{row['anew_steps']:,}"
        right = ", ".join("yes" if row[column] else "no" for column in NAMED_BY)
        lines.append([
            row["task"], row["base_verdict"], row["kind"] + " (one reader)" * bool(row["one_reader"]), gate, row["status"], row["part"],
            row["named"], right, kept, str(row["edges"]), f"{row['steps']:,}", anew,
        ])  # fmt: skip
    return table(header, lines)
