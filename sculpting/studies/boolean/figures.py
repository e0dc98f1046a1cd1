"""The figures of the Boolean study, each beside what was published."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from ...store import Row
from ...tasks import EXEMPLARS
from ..common.success_rates import LENIENT, STRICT, Count, layers, rate_of, rows_of
from .published import (
    EXEMPLAR_RATES,
    HIERARCHY,
    HIERARCHY_RATES,
    OVERLAP_FAMILIES,
    OVERLAP_RATES,
    REUSE,
    REUSE_RATES,
    USES,
    task_name,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from analysis import Rate

__all__ = ["FIGURES"]

COPIES = "outputs that copy one function"
ONE_LAYER = "1 hidden layer: the truth is one module; the published criterion asks for three"


def exemplars_figure(rows: Sequence[Row]) -> Axes:
    """Bars of the four exemplars by depth."""
    names = {str(list(key)): f"{name}\n{str(list(key)).replace(' ', '')}" for name, key in EXEMPLARS.items()}
    cells = {names[task]: (task, counts) for task, counts in EXEMPLAR_RATES.items()}
    return _bars(rows, (1, 2, 3), cells, "Exemplars", f"(reused, {ONE_LAYER})")


def reuse_figure(rows: Sequence[Row]) -> Axes:
    """Bars of ``[4,1,2,k]`` by use and depth."""
    return _bars(rows, tuple(REUSE_RATES), _by_use(REUSE, REUSE_RATES), "Reuse: [4,1,2,k]", f"{COPIES}\n({ONE_LAYER})")


def hierarchy_figure(rows: Sequence[Row]) -> Axes:
    """Bars of ``[8,2,1,2,k]`` by use and depth."""
    return _bars(rows, tuple(HIERARCHY_RATES), _by_use(HIERARCHY, HIERARCHY_RATES), "Hierarchy: [8,2,1,2,k]", COPIES)


def overlap_figure(rows: Sequence[Row]) -> Axes:
    """Three heat maps over overlap and use: inputs, outputs and hidden units; returns the first."""
    from matplotlib.figure import Figure

    from analysis.figures import success_map

    figure = Figure(figsize=(10.2, 3.9), layout="constrained", facecolor="white")
    axes = figure.subplots(1, 3)
    notes = ("\n(3 shared inputs: published by the sizes of groups alone)", "", "")
    titles = ("Inputs in their groups", "Outputs in their groups", "Hidden units in two modules")
    for ax, title, note, (verdict, counts) in zip(axes, titles, notes, OVERLAP_RATES.items(), strict=True):
        families = dict(zip(counts, OVERLAP_FAMILIES, strict=True))
        rates = {str(o): {str(u): rate_of(rows_of(rows, (task_name(f, u),)), (verdict,)) for u in USES} for o, f in families.items()}
        known = {str(o): {str(use): _known(count) for use, count in row.items()} for o, row in counts.items()}
        success_map(rates, published=known, ax=ax, title=title, xlabel=COPIES + note, ylabel="shared inputs" * (ax is axes[0]))
    first: Axes = axes[0]
    return first


FIGURES: dict[str, Callable[[Sequence[Row]], Axes]] = {
    "exemplars": exemplars_figure,
    "reuse": reuse_figure,
    "hierarchy": hierarchy_figure,
    "overlap": overlap_figure,
}


def _by_use(family: Sequence[int], published: Mapping[int, Mapping[int, Count]]) -> dict[str, tuple[str, dict[int, Count]]]:
    """For each use its task, and what was published of it by depth."""
    return {str(u): (task_name(family, u), {depth: row[u] for depth, row in published.items() if u in row}) for u in USES}


def _bars(
    rows: Sequence[Row], depths: Sequence[int], cells: Mapping[str, tuple[str, Mapping[int, Count]]], title: str, xlabel: str
) -> Axes:
    from analysis.figures import success_bars

    strict, lenient = (
        {name: {layers(d): rate_of(rows_of(rows, (task,), d), verdicts) for d in depths} for name, (task, _) in cells.items()}
        for verdicts in (STRICT, LENIENT)
    )
    known = {name: {layers(d): _known(count) for d, count in counts.items()} for name, (_, counts) in cells.items()}
    return success_bars(strict, lenient=lenient, published=known, title=title, xlabel=xlabel)


def _known(count: Count) -> Rate:
    from analysis import Rate

    return Rate(*count)
