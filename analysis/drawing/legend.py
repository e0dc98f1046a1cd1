"""The legend: lines, marks, and the notes on what is drawn together and left out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from .colours import FAINT, INK
from .entries import Entry
from .marks import paint_kernel
from .page_layout import BESIDE, ENTRY, LINE, MARGIN, SMALL, SYMBOL, PageLayout, entries_width, text_width
from .style import DASHES, TEXTS, write

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SAMPLE = np.array([[1.0, -0.6], [-1.0, 0.3]])  # of a kernel


def paint_legend(page: PageLayout, ax: Axes, scale: float) -> None:
    """Draw the legend at the bottom of the page, from the lowest row upward."""
    legend = page.legend
    y = MARGIN + SMALL / 2
    x = (page.width - entries_width(legend.lines, legend.plain)) / 2
    _paint_row(legend.lines, (x, y), ax, scale, ENTRY if legend.plain else 0.0)
    y += LINE * SMALL * (1 + bool(page.frames.maps))
    if legend.marks:
        _paint_row(legend.marks, ((page.width - entries_width(legend.marks)) / 2, y), ax, scale)
        y += LINE * SMALL
    for number, note in enumerate(reversed(legend.notes)):
        name = {"gid": f"note-{len(legend.notes) - number}"}
        write(ax, (page.width / 2, y), note, SMALL * scale, ha="center", va="center_baseline", color=FAINT, **name)
        y += LINE * SMALL


def _paint_row(entries: Sequence[Entry], place: tuple[float, float], ax: Axes, scale: float, step: float = 0.0) -> None:
    """Entries ``step`` points apart, or each as wide as it is."""
    x, y = place
    for entry in entries:
        _paint_symbol(entry, (x, y), ax, scale)
        write(ax, (x + SYMBOL, y), entry.text, SMALL * scale, ha="left", va="center_baseline", color=INK)
        x += step or SYMBOL + text_width(entry.text, SMALL) + BESIDE


def _paint_symbol(entry: Entry, place: tuple[float, float], ax: Axes, scale: float) -> None:
    from matplotlib.lines import Line2D
    from matplotlib.patches import Rectangle

    x, y = place
    if entry.symbol == "kernel":
        paint_kernel(SAMPLE, (x + 8, y), 3.5, ax, scale, TEXTS)
    elif entry.symbol == "gate":
        ax.add_patch(Rectangle((x + 4.5, y - 3.5), 7, 7, fc="white", ec=entry.color, lw=0.8 * scale, zorder=TEXTS))
    else:
        dashes = DASHES if entry.symbol == "dashes" else "-"
        ax.add_line(Line2D([x, x + 12], [y, y], color=entry.color, lw=1.4 * scale, ls=dashes, zorder=TEXTS))
