"""A narrow language model as a table and pictures."""

from __future__ import annotations

import io
import json
import math
from pathlib import Path
from typing import Any

from ...files import write_file
from .results import LanguageResult

__all__ = ["write_language_report"]

COLOURS = {"keep": "#0072B2", "forget": "#D55E00"}
STYLES = {"model": "-", "control": ":", "control revived": ":", "revived": "--"}


def write_language_report(result: LanguageResult, folder: str | Path) -> tuple[Path, ...]:
    """See :meth:`LanguageResult.report`."""
    folder = Path(folder)
    return (
        write_file(folder / "report.md", _table(result).encode()),
        write_file(folder / "settings.json", json.dumps(dict(result.settings), indent=2).encode()),
        write_file(folder / "curves.svg", _curves(result)),
    )


def _table(result: LanguageResult) -> str:
    lines = [
        f"# A language model narrowed by {result.method}",
        "",
        f"{result.parameters:,} parameters. Losses are in nats a token on held-out text.",
        "",
        "| phase | parameters | tokens | keep | forget | tokens a second |",
        "|---|---|---|---|---|---|",
    ]
    for phase in result.phases:
        losses = [_number(phase.keep), _number(phase.forget), _number(phase.tokens_per_second, 0)]
        lines.append(f"| {phase.name} | {phase.parameters:,} | {phase.tokens:,} | {' | '.join(losses)} |")
    if result.frontier:
        lines += ["", "Loss against sparsity of neurons, before any training:", "", "| sparsity | keep | forget |", "|---|---|---|"]
        lines += [f"| {point.sparsity:g} | {_number(point.keep)} | {_number(point.forget)} |" for point in result.frontier]
    return "\n".join([*lines, "", *(f"- {note}" for note in result.notes)]).rstrip() + "\n"


def _number(value: float, digits: int = 3) -> str:
    return "-" if math.isnan(value) else f"{value:.{digits}f}"


def _curves(result: LanguageResult) -> bytes:
    """Loss against sparsity, and the loss in training, side by side."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 3.6), layout="constrained")
    left, right = figure.subplots(1, 2)
    for name in ("keep", "forget"):
        points = [(p.sparsity, getattr(p, name)) for p in result.frontier if not math.isnan(getattr(p, name))]
        if points:
            left.plot(*zip(*points, strict=True), marker="o", color=COLOURS[name], label=name)
    left.set(xlabel="sparsity of neurons", ylabel="loss (nats a token)", title="Before any training")
    trained = [phase for phase in result.phases if len(phase.curve) > 1]
    for phase in trained:
        for name in phase.curve[0].losses:
            points = [(p.tokens, p.losses[name]) for p in phase.curve]
            right.plot(
                *zip(*points, strict=True), color=COLOURS[name], linestyle=STYLES.get(phase.name, "-"), label=f"{phase.name}, {name}"
            )
    right.set(xlabel="training tokens", ylabel="loss (nats a token)", title="In training")
    for axes in (left, right):
        _finish(axes)
    stream = io.BytesIO()
    figure.savefig(stream, format="svg", metadata={"Date": None})
    return stream.getvalue()


def _finish(axes: Any) -> None:
    axes.spines[["top", "right"]].set_visible(False)
    if axes.lines:
        axes.legend(frameon=False, fontsize=8)
    else:
        axes.text(0.5, 0.5, "nothing to show", ha="center", va="center", transform=axes.transAxes, color="0.5")
