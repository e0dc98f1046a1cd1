"""The figures of the study of language models."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from statistics import median
from typing import TYPE_CHECKING, Any

from .selecting import METHODS, Rows, rows_of, runs_of, strengths_of, values_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["FIGURES"]

COLOURS = {
    "first_order": "#0072B2", "absolute_gradient": "#009E73", "activation_gradient": "#56B4E9", "norm": "#E69F00",
    "attribution": "#0072B2", "random": "#D55E00", "distill": "#CC79A7", "scratch": "0.35",
}  # fmt: skip


def _axes(x: str, y: str, width: float = 5.2) -> Axes:
    from matplotlib.figure import Figure

    axes = Figure(figsize=(width, 3.6), layout="constrained").subplots()
    axes.set(xlabel=x, ylabel=y)
    axes.spines[["top", "right"]].set_visible(False)
    return axes


def _draw_sparsity(rows: Rows) -> Axes:
    own, axes = rows_of(rows, "sparsity"), _axes("sparsity of neurons", "loss (nats a token)")
    for method in values_of(own):
        points = rows_of(own, "sparsity", method=method)
        x = [row["sparsity"] for row in points]
        axes.plot(x, [row["keep"] for row in points], color=COLOURS[method], marker="o", markersize=4, label=method.replace("_", " "))
        axes.plot(x, [row["forget"] for row in points], color=COLOURS[method], linestyle=":")
    axes.plot([], [], color="0.4", linestyle=":", label="on English")
    axes.legend(frameon=False, fontsize=8, title="ranked on Python", title_fontsize=8)
    return axes


def _draw_recovery(rows: Rows) -> Axes:
    own, axes = (
        rows_of(rows, "recovery", phase="recovered, validation"),
        _axes("training tokens after pruning", "loss on Python (nats a token)"),
    )
    for method, style in (("attribution", "-"), ("random", "-")):
        for sparsity, dash in ((0.5, style), (0.8, "--")):
            points = rows_of(own, "recovery", method=method, sparsity=sparsity)
            if points:
                values = [row["keep"] for row in points]
                label = f"{method}, {sparsity:.0%} removed"
                axes.plot(
                    [row["tokens"] for row in points], values, color=COLOURS[method], linestyle=dash, marker="o", markersize=4, label=label
                )
    axes.legend(frameon=False, fontsize=8)
    return axes


def _draw_band(axes: Axes, runs: Sequence[Sequence[tuple[float, float]]], label: str, **style: Any) -> None:
    """The median over runs with the same horizontal values, and the band from the lowest to the highest."""
    x = [point[0] for point in runs[0]]
    values = list(zip(*([point[1] for point in run] for run in runs), strict=True))
    axes.plot(x, [median(each) for each in values], label=label, **style)
    if len(runs) > 1:
        axes.fill_between(x, [min(each) for each in values], [max(each) for each in values], color=style["color"], alpha=0.2, linewidth=0)


def _draw_target(rows: Rows) -> Axes:
    own, axes = rows_of(rows, "target"), _axes("training tokens", "loss on Python (nats a token)", width=7.2)
    for method in (name for name in METHODS if rows_of(own, "target", method=name)):
        for sparsity, dash in zip(sorted(values_of(own, "sparsity")), ("-", "--", ":"), strict=False):
            runs = [[point for point in run if point[0] > 0] for run in runs_of(own, method, sparsity)]
            _draw_band(axes, runs, f"{method}, {sparsity:.0%}", color=COLOURS[method], linestyle=dash, linewidth=1.2)
    base = rows_of(rows, "base")
    if base:
        axes.axhline(rows_of(base, "base", phase="validation")[-1]["keep"], color="0.7", linewidth=0.8, label="whole model")
    axes.set_xscale("log")
    axes.legend(frameon=False, fontsize=8, title="neurons removed", title_fontsize=8, loc="center left", bbox_to_anchor=(1, 0.5))
    return axes


def _draw_lasso(rows: Rows) -> Axes:
    own, axes = rows_of(rows, "lasso", phase="norm"), _axes("sparsity of neurons", "loss on Python (nats a token)")
    for method, colour in zip(strengths_of(own), ("0.35", "#56B4E9", "#0072B2", "#CC79A7"), strict=False):
        points = rows_of(own, "lasso", method=method)
        runs = [[(row["sparsity"], row["keep"]) for row in points if row["seed"] == seed] for seed in values_of(points, "seed")]
        _draw_band(axes, runs, method, color=colour, marker="o", markersize=4)
    axes.legend(frameon=False, fontsize=8, title="group lasso", title_fontsize=8)
    return axes


FIGURES: dict[str, Callable[[Rows], Axes]] = {
    "sparsity": _draw_sparsity, "recovery": _draw_recovery, "target": _draw_target, "lasso": _draw_lasso,
}  # fmt: skip
