"""Accuracy and density against rounds, as two small charts."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from itertools import groupby

import numpy as np

from ..drawing.names import one_line
from .markup import number, path, tag
from .rounds import Rounds

__all__ = ["charts"]

WIDTH, HEIGHT = 340.0, 150.0
LEFT, RIGHT, TOP, BOTTOM = 52.0, 8.0, 18.0, 30.0
SIZE = 11.0
NARROWEST = 44.0  # a phase whose name is written


def charts(rounds: Rounds, metric: str) -> str:
    """A chart of the density, on a logarithmic scale, and one of the accuracy; each with a line that the slider moves."""
    density = [float(attempt.density) for attempt in rounds.attempts]
    accuracy = [float(attempt.accuracy) for attempt in rounds.attempts]
    phases = [one_line(str(attempt.phase)) for attempt in rounds.attempts]
    parts = [("density (log scale)", density, np.log10(np.maximum(density, 1e-9))), (one_line(metric), accuracy, np.array(accuracy))]
    return "".join(_chart(name, values, heights, phases) for name, values, heights in parts)


def _chart(name: str, values: Sequence[float], heights: np.ndarray, phases: Sequence[str]) -> str:
    known = np.flatnonzero(np.isfinite(heights))
    low, high = (float(heights[known].min()), float(heights[known].max())) if len(known) else (0.0, 1.0)
    spread = high - low or 1.0
    xs = LEFT + (WIDTH - LEFT - RIGHT) * np.arange(len(values)) / max(1, len(values) - 1)
    ys = HEIGHT - BOTTOM - (HEIGHT - BOTTOM - TOP) * ((heights - low) / spread if high > low else np.full(len(values), 0.5))
    points = [(float(xs[i]), float(ys[i])) for i in known]
    ends = (
        [
            (ys[i], f"{values[i]:.3g}" if values[i] < 0.1 else f"{values[i]:.3f}")
            for i in {int(np.nanargmin(heights)), int(np.nanargmax(heights))}
        ]
        if len(known)
        else []
    )
    said = f"{name} from {values[0]:.4g} in round 1 to {values[-1]:.4g} in round {len(values)}"
    axis = f"M{number(LEFT)} {number(TOP)}V{number(HEIGHT - BOTTOM)}H{number(WIDTH - RIGHT)}"
    parts = [
        *_phases(xs, phases),
        tag("path", class_="axis", d=axis),
        *(_text(LEFT - 5, float(y), text, "end") for y, text in ends),
        _text(LEFT, HEIGHT - BOTTOM + 12, "1", "middle"),
        _text(WIDTH - RIGHT, HEIGHT - BOTTOM + 12, f"{len(values)}", "end"),
        _text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 7, f"{escape(name)} by round", "middle"),
        tag("path", class_="curve", d=path(points)) if points else "",
        "".join(tag("circle", class_="spot", cx=number(x), cy=number(y), r=1.6) for x, y in points),
        tag("line", class_="now", x1=number(xs[-1]), x2=number(xs[-1]), y1=number(TOP - 3), y2=number(HEIGHT - BOTTOM)),
    ]
    box = f"0 0 {number(WIDTH)} {number(HEIGHT)}"
    return tag(
        "svg",
        "".join(parts),
        class_="chart",
        viewBox=box,
        role="img",
        aria_label=said,
        data_left=number(LEFT),
        data_right=number(WIDTH - RIGHT),
    )


def _phases(xs: np.ndarray, phases: Sequence[str]) -> list[str]:
    """A thin line where a phase begins, and its name where there is room."""
    found, start = [], 0
    for name, run in groupby(phases):
        end = start + len(list(run))
        left, right = float(xs[start]), float(xs[min(end, len(xs) - 1)])
        if start:
            found.append(tag("line", class_="phase", x1=number(left), x2=number(left), y1=number(TOP - 12), y2=number(HEIGHT - BOTTOM)))
        if right - left >= NARROWEST:
            found.append(_text(left + 4, TOP - 8, escape(name), "start"))
        start = end
    return found


def _text(x: float, y: float, text: str, anchor: str) -> str:
    return tag("text", text, x=number(x), y=number(y), text_anchor=anchor, font_size=SIZE)
