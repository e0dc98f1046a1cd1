"""A narrow language model as a table and pictures."""

from __future__ import annotations

import io
import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ...files import write_file
from .options import PRUNING
from .phases import Phase

__all__ = ["draw_language", "write_language_report"]

COLOURS = {"keep": "#0072B2", "forget": "#D55E00"}
NARROW, CONTROL = "-", ":"
APART = 0.07  # of the height of a panel: the least distance of two labels
LOSS = "loss (nats a token)"


def write_language_report(result: Any, folder: str | Path) -> tuple[Path, ...]:
    """See :meth:`LanguageResult.report`; a result is not named here, since it has this as a method."""
    folder = Path(folder)
    return (
        write_file(folder / "report.md", _table(result).encode()),
        write_file(folder / "settings.json", json.dumps(dict(result.settings), indent=2).encode()),
        write_file(folder / "curves.svg", _svg(draw_language(result))),
    )


def _table(result: Any) -> str:
    lines = [
        f"# A language model narrowed by {result.method}",
        "",
        f"{result.parameters:,} parameters, and {result.zeros:,} zeros that only fill up layers of different widths. Losses are in nats a "
        f"token on test text: at most {result.settings.get('held_out', 0)} windows. *keep* is the text that the model was trained on. "
        "Tokens count those that were scored; the pictures show training tokens alone.",
        "",
        "| phase | parameters | zeros | tokens | keep | forget | tokens a second |",
        "|---|---|---|---|---|---|---|",
    ]
    for phase in result.phases:
        losses = [_number(phase.keep), _number(phase.forget), _number(phase.tokens_per_second, 0)]
        lines.append(f"| {phase.name} | {phase.parameters:,} | {phase.zeros:,} | {phase.tokens:,} | {' | '.join(losses)} |")
    if result.frontier:
        lines += [
            "",
            f"Loss against sparsity of neurons, pruned by {_score(result)} and not retrained, on validation text:",
            "",
            "| sparsity | keep | forget |",
            "|---|---|---|",
        ]
        lines += [f"| {point.sparsity:g} | {_number(point.keep)} | {_number(point.forget)} |" for point in result.frontier]
    return "\n".join([*lines, "", *(f"- {note}" for note in result.notes)]).rstrip() + "\n"


def _number(value: float, digits: int = 3) -> str:
    return "-" if math.isnan(value) else f"{value:.{digits}f}"


def _score(result: Any) -> str:
    name = PRUNING[result.method]
    return {"norm": "the norm", "random": "chance", "ablation": "ablation"}.get(name, f"the {name.replace('_', '-')} score")


def _svg(figure: Any) -> bytes:
    import matplotlib as mpl

    stream = io.BytesIO()
    with mpl.rc_context({"svg.hashsalt": "language"}):
        figure.savefig(stream, format="svg", metadata={"Date": None})
    return stream.getvalue()


def draw_language(result: Any) -> Any:
    """Loss against sparsity, in training on the text to keep, and in a revival, side by side, as a ``matplotlib`` figure."""
    from matplotlib.figure import Figure

    trained = [phase for phase in result.phases if len(phase.curve) > 1]
    revived = [phase for phase in trained if phase.name.endswith("revived")]
    others = [phase for phase in trained if phase not in revived]
    panels = [
        ("Trained on the text to keep", [p for p in others if p.name != "control"], [p for p in others if p.name == "control"]),
        ("Trained on the text to forget", [p for p in revived if p.name == "revived"], [p for p in revived if p.name != "revived"]),
    ]
    panels = [panel for panel in panels if panel[1]]
    count = len(panels) + bool(result.frontier) or 1
    figure = Figure(figsize=(4.4 * count, 3.8), layout="constrained")
    rows = list(figure.subplots(1, count, squeeze=False)[0])
    if result.frontier:
        _draw_frontier(rows.pop(0), result)
    for axes, (title, narrow, control) in zip(rows, panels, strict=False):
        _draw_training(axes, narrow, control)
        axes.set(title=title, xlabel="training tokens", ylabel=LOSS)
    for axes in figure.axes:
        axes.spines[["top", "right"]].set_visible(False)
        if not axes.lines:
            axes.axis("off")
            axes.text(0.5, 0.5, "nothing was measured", ha="center", va="center", color="0.5")
    return figure


def _draw_frontier(axes: Any, result: Any) -> None:
    ends = {}
    for name in COLOURS:
        points = [(p.sparsity, getattr(p, name)) for p in result.frontier if not math.isnan(getattr(p, name))]
        if points:
            axes.plot(*zip(*points, strict=True), marker="o", markersize=4, color=COLOURS[name])
            ends[name] = points[-1]
    axes.set(title=f"Pruned by {_score(result)}, not retrained", xlabel="fraction of neurons removed", ylabel=LOSS)
    _label_ends(axes, ends)


def _draw_training(axes: Any, narrow: Sequence[Phase], control: Sequence[Phase]) -> None:
    """The phases of the narrow model one after the other, and the control beside them."""
    from matplotlib.ticker import EngFormatter, MaxNLocator

    ends = {}
    for phases, style in ((control, CONTROL), (narrow, NARROW)):
        start = 0
        for phase in phases:
            for name in phase.curve[0].losses:
                points = [(start + p.tokens, p.losses[name]) for p in phase.curve]
                axes.plot(*zip(*points, strict=True), color=COLOURS[name], linestyle=style, linewidth=1.8)
                ends[name] = points[-1]
            start += phase.curve[-1].tokens
    if len(narrow) > 1:
        edges = [sum(p.curve[-1].tokens for p in narrow[:count]) for count in range(len(narrow))]
        for edge, phase in zip(edges, narrow, strict=True):
            axes.axvline(edge, color="0.85", linewidth=0.8, zorder=0)
            place: dict[str, Any] = {"xytext": (3, 0), "xycoords": ("data", "axes fraction"), "textcoords": "offset points"}
            axes.annotate(phase.name, (edge, 1), **place, fontsize=8, color="0.4", va="top")
    if control:
        handles = [axes.plot([], [], color="0.3", linestyle=style)[0] for style in (NARROW, CONTROL)]
        axes.legend(handles, ["narrow model", "control, not pruned"], frameon=False, fontsize=8)
    axes.xaxis.set_major_locator(MaxNLocator(5))
    axes.xaxis.set_major_formatter(EngFormatter(sep=""))
    axes.margins(y=0.16)
    _label_ends(axes, ends)


def _label_ends(axes: Any, ends: Mapping[str, tuple[float, float]]) -> None:
    """Names at the ends of lines, in place of a legend, and apart from one another."""
    bottom, top = axes.get_ylim()
    least, last = APART * (top - bottom), -math.inf
    for name, (x, y) in sorted(ends.items(), key=lambda item: item[1][1]):
        last = max(y, last + least)
        axes.annotate(name, (x, last), (6, 0), textcoords="offset points", color=COLOURS[name], va="center", annotation_clip=False)
