"""The study of language models in words and pictures."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from statistics import mean

from ...store import Row
from ...study import Read
from ..common.agreement import mean_and_range
from ..common.reporting import hours, pictures
from ..common.success_rates import table
from .drawing import FIGURES
from .published import AGREEMENT, KNEES, RANDOM, SPARSITY, TOKENS
from .selecting import METHODS, Rows, rows_of, runs_of, strengths_of, values_of

__all__ = ["language_report"]

NOTE = (
    "Losses are in nats a token on held-out text; parameters count zeros that fill up layers of unequal width. Published figures are of "
    "Llama-3.2-1B, another scale, and of losses in training."
)
NEVER = 10**12  # tokens, of a loss that is not reached
MARGINS = (0.1, 0.2, 0.4)  # nats above the model: the targets


def language_report(rows: Rows, read: Read, *, title: str) -> dict[str, bytes]:
    """``summary.md``, and figures of the parts that were run."""
    parts = [f"# {title}", NOTE, *(section(rows) for section in SECTIONS if section(rows))]
    done = [row for row in rows if row["seconds"] is not None]
    files = {"summary.md": "\n\n".join([*parts, f"All cells took {hours(done)}."]).encode() + b"\n"}
    drawn = {name: draw(rows) for name, draw in FIGURES.items() if any(row["part"] == name for row in rows)}
    return files | pictures(**drawn)


def _pair(row: Row) -> str:
    return f"{row['keep']:.2f} / {row['forget']:.2f}"


def _mean_pair(rows: Rows) -> str:
    return " / ".join(f"{mean(row[name] for row in rows):.2f}" for name in ("keep", "forget"))


def _sparsity(rows: Rows) -> str:
    own = rows_of(rows, "sparsity")
    if not own:
        return ""
    header = ("sparsity", *values_of(own), "published, attribution")
    lines = []
    for sparsity in values_of(own, "sparsity"):
        cells = [_pair(rows_of(own, "sparsity", method=method, sparsity=sparsity)[0]) for method in values_of(own)]
        published = SPARSITY.get(sparsity)
        lines.append([f"{sparsity:g}", *cells, "" if published is None else f"{published:g}"])
    return "## Loss against sparsity of neurons, without training\n\nPython / English, ranked on Python.\n\n" + table(header, lines)


def _recovery(rows: Rows) -> str:
    own = [row for row in rows_of(rows, "recovery") if not row["phase"].endswith("validation")]
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
    own = rows_of(rows, "agreement")
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
    own = rows_of(rows, "overlap")
    lines = [[row["method"], f"{row['spearman']:.2f}", f"{row['top_fifth']:.2f}", "0.20"] for row in own]
    text = "## Whether Python and English need the same neurons\n\n"
    return text + table(("score", "Spearman", "shared of the top fifths", "by chance"), lines) if own else ""


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}"


def _base(rows: Rows) -> str:
    own = rows_of(rows, "base", phase="model")
    if not own:
        return ""
    [row] = own
    return f"The model has {row['parameters']:,} parameters and {row['keep']:.2f} nats on Python, {row['forget']:.2f} on English."


def _target(rows: Rows) -> str:
    """Tokens until a validation loss, by method and size."""
    own, base = rows_of(rows, "target"), rows_of(rows, "base")
    if not own or not base:
        return ""
    whole = rows_of(base, "base", phase="validation")[-1]["keep"]
    lines = []
    for sparsity in sorted(values_of(own, "sparsity")):
        for method in (name for name in METHODS if rows_of(own, "target", method=name, sparsity=sparsity)):
            runs = runs_of(own, method, sparsity)
            parameters = rows_of(own, "target", method=method, sparsity=sparsity)[-1]["parameters"]
            cells = [_reached(runs, whole + margin) for margin in MARGINS]
            ends = mean_and_range([run[-1][1] for run in runs])
            lines.append([f"{parameters:,}", method, str(len(runs)), *cells, ends, TOKENS.get(method, "")])
    header = ("parameters", "method", "seeds", *(f"+{margin:g} nats" for margin in MARGINS), "loss at the end", "published, to 1.7 nats")
    text = (
        "Training tokens, those that were scored included, until the validation loss on Python is at most that of the whole model, "
        f"{whole:.2f}, plus a margin: the median over seeds, and the range. *Above*: not within that budget, which is a third for pruned "
        "models. What the whole model was trained on is not counted. Published: at about 300 of 1,236 million parameters."
    )
    return f"## Tokens to one loss\n\n{text}\n\n" + table(header, lines)


def _reached(runs: Sequence[Sequence[tuple[int, float]]], target: float) -> str:
    """The tokens of the median seed until a loss, and those of the first and the last seed."""
    first = sorted(next((tokens for tokens, loss in run if loss <= target), NEVER) for run in runs)
    above = f"above {min(run[-1][0] for run in runs):,}"
    middle, low, high = (above if value == NEVER else f"{value:,}" for value in (first[len(first) // 2], first[0], first[-1]))
    return middle if low == high else f"{middle} ({low} to {high})"


def _lasso(rows: Rows) -> str:
    own = rows_of(rows, "lasso")
    if not own:
        return ""
    shown = (0.0, 0.3, 0.5, 0.6, 0.7, 0.8, 0.9)
    lines = []
    for method in strengths_of(own):
        for score in values_of(own, "phase"):
            runs = rows_of(own, "lasso", method=method, phase=score)
            zeros = mean_and_range([row["zeros"] for row in runs if row["sparsity"] == 0.0])
            lines.append([method, score, zeros, *(_mean_pair([row for row in runs if row["sparsity"] == each]) for each in shown)])
    header = ("group lasso", "score", "zeros", *(f"{each:g}" for each in shown))
    text = (
        "Python / English against sparsity, after the same training on Python, means over "
        f"{len(values_of(own, 'seed'))} seeds; strength 0 is the control. Published knees: {KNEES}."
    )
    return f"## Group lasso\n\n{text}\n\n" + table(header, lines)


def _forgetting(rows: Rows) -> str:
    own = [row for row in rows_of(rows, "forgetting") if not row["phase"].endswith("validation")]
    if not own:
        return ""
    lines = [[r["method"], r["phase"], f"{r['parameters']:,}", f"{r['tokens']:,}", _pair(r)] for r in own]
    text = "80 % of the neurons removed. *control*: the whole model after the same training, without penalty or pruning."
    return f"## What is forgotten, and what comes back\n\n{text}\n\n" + table(
        ("method", "phase", "parameters", "tokens", "Python / English"), lines
    )


def _modules(rows: Rows) -> str:
    own = rows_of(rows, "modules")
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
