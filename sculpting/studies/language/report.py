"""The study of language models in words and pictures."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from statistics import mean
from typing import TYPE_CHECKING, Any

from ...store import Row
from ...study import Read
from ..common.reporting import hours, pictures
from ..common.success_rates import table
from .published import AGREEMENT, KNEES, RANDOM, SPARSITY, TOKENS

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["language_report"]

COLOURS = {
    "first_order": "#0072B2", "absolute_gradient": "#009E73", "activation_gradient": "#56B4E9", "norm": "#E69F00",
    "attribution": "#0072B2", "random": "#D55E00", "distill": "#CC79A7", "scratch": "0.35",
}  # fmt: skip
NOTE = (
    "Losses are in nats a token on held-out text; parameters count zeros that fill up layers of unequal width. Published figures are of "
    "Llama-3.2-1B, another scale, and of losses in training."
)
MARGINS = (0.1, 0.2, 0.4)  # nats above the model: the targets

Rows = Sequence[Row]


def language_report(rows: Rows, read: Read, *, title: str) -> dict[str, bytes]:
    """``summary.md``, and figures of the parts that were run."""
    parts = [f"# {title}", NOTE, *(section(rows) for section in SECTIONS if section(rows))]
    done = [row for row in rows if row["seconds"] is not None]
    files = {"summary.md": "\n\n".join([*parts, f"All cells took {hours(done)}."]).encode() + b"\n"}
    drawn = {name: draw(rows) for name, draw in FIGURES.items() if any(row["part"] == name for row in rows)}
    return files | pictures(**drawn)


def _of(rows: Rows, part: str, **facts: Any) -> list[Row]:
    return [row for row in rows if row["part"] == part and all(row[name] == fact for name, fact in facts.items())]


def _names(rows: Rows, column: str = "method") -> list[Any]:
    return list(dict.fromkeys(row[column] for row in rows))


def _strengths(rows: Rows) -> list[str]:
    return sorted(_names(rows), key=lambda name: float(name.removeprefix("strength ")))


def _pair(row: Row) -> str:
    return f"{row['keep']:.2f} / {row['forget']:.2f}"


def _sparsity(rows: Rows) -> str:
    own = _of(rows, "sparsity")
    if not own:
        return ""
    header = ("sparsity", *_names(own), "published, attribution")
    lines = []
    for sparsity in _names(own, "sparsity"):
        cells = [_pair(_of(own, "sparsity", method=method, sparsity=sparsity)[0]) for method in _names(own)]
        published = SPARSITY.get(sparsity)
        lines.append([f"{sparsity:g}", *cells, "" if published is None else f"{published:g}"])
    return "## Loss against sparsity of neurons, without training\n\nPython / English, ranked on Python.\n\n" + table(header, lines)


def _recovery(rows: Rows) -> str:
    own = [row for row in _of(rows, "recovery") if not row["phase"].endswith("validation")]
    if not own:
        return ""
    header = ("sparsity", "method", "phase", "parameters", "tokens", "Python / English")
    lines = [
        [f"{r['sparsity']:g}", r["method"], r["phase"], f"{r['parameters']:,}", f"{r['tokens']:,}", _pair(r)]
        for r in sorted(own, key=lambda row: (row["sparsity"], row["method"]))
    ]
    text = (
        "*control*: the whole model after the same training, without pruning. *revived*: after training on English, whose tokens are "
        f"counted instead. Random is drawn without replacement. Published: {RANDOM}."
    )
    return f"## Recovery\n\n{text}\n\n" + table(header, lines)


def _agreement(rows: Rows) -> str:
    own = _of(rows, "agreement")
    if not own:
        return ""
    header = ("score", "groups", "Pearson", "of logarithms", "Spearman", "published: Pearson, of logarithms")
    lines = []
    for row in own:
        published = AGREEMENT.get(row["method"])
        values = [_number(row[name]) for name in ("pearson", "pearson_log", "spearman")]
        lines.append([row["method"], str(row["count"]), *values, "" if published is None else "{:.2f}, {:.2f}".format(*published)])
    return "## Attribution against ablation\n\n" + table(header, lines)


def _overlap(rows: Rows) -> str:
    own = _of(rows, "overlap")
    lines = [[row["method"], f"{row['spearman']:.2f}", f"{row['top_fifth']:.2f}", "0.20"] for row in own]
    text = "## Whether Python and English need the same neurons\n\n"
    return text + table(("score", "Spearman", "shared of the top fifths", "by chance"), lines) if own else ""


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}"


def _base(rows: Rows) -> str:
    own = _of(rows, "base", phase="model")
    if not own:
        return ""
    [row] = own
    return f"The model has {row['parameters']:,} parameters and {row['keep']:.2f} nats on Python, {row['forget']:.2f} on English."


def _target(rows: Rows) -> str:
    """Tokens until a validation loss, by method and size."""
    own, base = _of(rows, "target"), _of(rows, "base")
    if not own or not base:
        return ""
    whole = _of(base, "base", phase="validation")[-1]["keep"]
    lines = []
    for sparsity in sorted(_names(own, "sparsity")):
        for method in (name for name in COLOURS if _of(own, "target", method=name, sparsity=sparsity)):
            runs = _runs(own, method, sparsity)
            parameters = _of(own, "target", method=method, sparsity=sparsity)[-1]["parameters"]
            cells = [_reached(runs, whole + margin) for margin in MARGINS]
            ends = [run[-1][1] for run in runs]
            lines.append([f"{parameters:,}", method, str(len(runs)), *cells, f"{mean(ends):.2f}", TOKENS.get(method, "")])
    header = ("parameters", "method", "seeds", *(f"+{margin:g} nats" for margin in MARGINS), "loss at the end", "published, to 1.7 nats")
    text = (
        f"Training tokens, those that were scored included, until the validation loss on Python is at most that of the whole model, "
        f"{whole:.2f}, plus a margin; the median over seeds. *Above*: not within that budget, which is a third for pruned models. What the "
        "whole model was trained on is not counted. Published: at about 300 of 1,236 million parameters."
    )
    return f"## Tokens to one loss\n\n{text}\n\n" + table(header, lines)


def _runs(rows: Rows, method: str, sparsity: float) -> list[list[tuple[int, float]]]:
    """The validation losses of each seed."""
    own = [row for row in rows if row["method"] == method and row["sparsity"] == sparsity and row["phase"].endswith("validation")]
    return [[(row["tokens"], row["keep"]) for row in own if row["seed"] == seed] for seed in _names(own, "seed")]


def _reached(runs: Sequence[Sequence[tuple[int, float]]], target: float) -> str:
    first = sorted(next((tokens for tokens, loss in run if loss <= target), 10**12) for run in runs)
    middle = first[len(first) // 2]
    return f"above {min(run[-1][0] for run in runs):,}" if middle == 10**12 else f"{middle:,}"


def _lasso(rows: Rows) -> str:
    own = _of(rows, "lasso")
    if not own:
        return ""
    shown = (0.0, 0.3, 0.5, 0.6, 0.7, 0.8, 0.9)
    lines = []
    for method in _strengths(own):
        for score in _names(own, "phase"):
            curve = {row["sparsity"]: row for row in _of(own, "lasso", method=method, phase=score)}
            lines.append([method, score, f"{curve[0.0]['zeros']:.2f}", *(_pair(curve[each]) for each in shown)])
    header = ("group lasso", "score", "zeros", *(f"{each:g}" for each in shown))
    text = f"Python / English against sparsity, after the same training on Python; strength 0 is the control. Published knees: {KNEES}."
    return f"## Group lasso\n\n{text}\n\n" + table(header, lines)


def _forgetting(rows: Rows) -> str:
    own = [row for row in _of(rows, "forgetting") if not row["phase"].endswith("validation")]
    if not own:
        return ""
    lines = [[r["method"], r["phase"], f"{r['parameters']:,}", f"{r['tokens']:,}", _pair(r)] for r in own]
    text = "80 % of the neurons removed. *control*: the whole model after the same training, without penalty or pruning."
    return f"## What is forgotten, and what comes back\n\n{text}\n\n" + table(
        ("method", "phase", "parameters", "tokens", "Python / English"), lines
    )


def _modules(rows: Rows) -> str:
    own = _of(rows, "modules")
    if not own:
        return ""
    models = [row for row in own if row["phase"] == "model"]
    lines = [
        [
            str(r["seed"]),
            str(r["count"]),
            str(r["modules"]),
            *(f"{r[name]:.3f}" for name in ("modularity", "null", "null_max", "stability")),
            _pair(r),
        ]
        for r in models
    ]
    header = (
        "seed",
        "heads and neurons",
        "modules",
        "modularity",
        "null, mean",
        "null, most",
        "agreement with other seeds",
        "Python / English",
    )
    lesions = [[r["phase"], str(r["count"]), _pair(r)] for r in own if r["phase"] != "model"]
    text = (
        "What is left for both domains at 80 % sparsity after recovery, three seeds. Edges: how strongly one head or neuron reads what "
        "an earlier one writes, the strongest 5 % of pairs; modules by Leiden. The null has the same degrees and weights. Agreement is the "
        "adjusted Rand index: 1 for the same modules, 0 by chance."
    )
    return f"## Modules\n\n{text}\n\n{table(header, lines)}\n\n" + table(("seed 0", "heads and neurons", "Python / English"), lesions)


SECTIONS: tuple[Callable[[Rows], str], ...] = (
    _base, _sparsity, _recovery, _agreement, _overlap, _target, _lasso, _forgetting, _modules,
)  # fmt: skip


def _axes(x: str, y: str, width: float = 5.2) -> Axes:
    from matplotlib.figure import Figure

    axes = Figure(figsize=(width, 3.6), layout="constrained").subplots()
    axes.set(xlabel=x, ylabel=y)
    axes.spines[["top", "right"]].set_visible(False)
    return axes


def _draw_sparsity(rows: Rows) -> Axes:
    own, axes = _of(rows, "sparsity"), _axes("sparsity of neurons", "loss (nats a token)")
    for method in _names(own):
        points = _of(own, "sparsity", method=method)
        x = [row["sparsity"] for row in points]
        axes.plot(x, [row["keep"] for row in points], color=COLOURS[method], marker="o", markersize=4, label=method.replace("_", " "))
        axes.plot(x, [row["forget"] for row in points], color=COLOURS[method], linestyle=":")
    axes.plot([], [], color="0.4", linestyle=":", label="on English")
    axes.legend(frameon=False, fontsize=8, title="ranked on Python", title_fontsize=8)
    return axes


def _draw_recovery(rows: Rows) -> Axes:
    own, axes = (
        _of(rows, "recovery", phase="recovered, validation"),
        _axes("training tokens after pruning", "loss on Python (nats a token)"),
    )
    for method, style in (("attribution", "-"), ("random", "-")):
        for sparsity, dash in ((0.5, style), (0.8, "--")):
            points = _of(own, "recovery", method=method, sparsity=sparsity)
            if points:
                values = [row["keep"] for row in points]
                label = f"{method}, {sparsity:.0%} removed"
                axes.plot(
                    [row["tokens"] for row in points], values, color=COLOURS[method], linestyle=dash, marker="o", markersize=4, label=label
                )
    axes.legend(frameon=False, fontsize=8)
    return axes


def _draw_target(rows: Rows) -> Axes:
    own, axes = _of(rows, "target"), _axes("training tokens", "loss on Python (nats a token)", width=7.2)
    for method in (name for name in COLOURS if _of(own, "target", method=name)):
        for sparsity, dash in zip(sorted(_names(own, "sparsity")), ("-", "--", ":"), strict=False):
            for number, run in enumerate(_runs(own, method, sparsity)):
                points = [point for point in run if point[0] > 0]
                label = f"{method}, {sparsity:.0%}" if number == 0 else None
                axes.plot(*zip(*points, strict=True), color=COLOURS[method], linestyle=dash, linewidth=1.2, label=label)
    base = _of(rows, "base")
    if base:
        axes.axhline(_of(base, "base", phase="validation")[-1]["keep"], color="0.7", linewidth=0.8, label="whole model")
    axes.set_xscale("log")
    axes.legend(frameon=False, fontsize=8, title="neurons removed", title_fontsize=8, loc="center left", bbox_to_anchor=(1, 0.5))
    return axes


def _draw_lasso(rows: Rows) -> Axes:
    own, axes = _of(rows, "lasso", phase="norm"), _axes("sparsity of neurons", "loss on Python (nats a token)")
    for method, colour in zip(_strengths(own), ("0.35", "#56B4E9", "#0072B2", "#CC79A7"), strict=False):
        points = _of(own, "lasso", method=method)
        axes.plot([r["sparsity"] for r in points], [r["keep"] for r in points], color=colour, marker="o", markersize=4, label=method)
    axes.legend(frameon=False, fontsize=8, title="group lasso", title_fontsize=8)
    return axes


FIGURES: dict[str, Callable[[Rows], Axes]] = {
    "sparsity": _draw_sparsity, "recovery": _draw_recovery, "target": _draw_target, "lasso": _draw_lasso,
}  # fmt: skip
