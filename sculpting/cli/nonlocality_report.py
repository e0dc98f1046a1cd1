"""The study of nonlocality in words and pictures: what has to be reached, accuracies by sparsity, and the scores of units."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..files import write_file
from ..store import Row
from .nonlocality import NETWORKS, SEEDS, SIZES
from .nonlocality_drawing import STRONG, draw_network, kept_network
from .sampled_report import spread, with_interval
from .tallies import NOT_RUN, reached, table

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["nonlocality_summary", "write_nonlocality_report"]

NAMES = {"plain": "as trained", "subgradient": "group lasso, subgradient", "proximal": "group lasso, proximal"}
# By width, of five seeds the largest sparsity at which A, recovered, is at least 0.98; read off figure 10 of the paper.
PUBLISHED = {64: (0.48, 0.45, 0.48, 0.48, 0.51), 128: (0.78, 0.80, 0.75, 0.75, 0.60), 256: (0.88, 0.90, 0.91, 0.89, 0.81)}
REVIVED, REVIVED_AT = 0.9, 0.1
KEPT, KEPT_UNTIL = 0.97, 0.7
CHANCE, GONE = 0.5, 0.06
RECOVERED, BESIDE = 0.98, 0.05
MINUTES = 10.0
COLUMNS = {"a_pruned": "A, pruned", "a_recovered": "A, recovered", "b_pruned": "B, pruned", "b_revived": "B, revived"}
DRAWN: dict[str, dict[str, Any]] = {
    "a_pruned": {"color": "#0072B2", "linestyle": (0, (4, 1.5))},
    "a_recovered": {"color": "#0072B2", "linestyle": "-"},
    "b_revived": {"color": "#D55E00", "linestyle": (0, (1, 1))},
}
GOAL_HEADER = ("width", "network", "what", "floor", "ours", "reached?")
FULL_HEADER = ("width", "published, median", "published, range", "ours, median", "ours, range", "within 0.05?")
HEADER = ("width", "network", "sparsity", "units left", *COLUMNS.values())
MEANING = (
    "Networks learn parities and two sums of them, A and B. Units with the least ablation scores on A are removed in one shot, of both "
    "hidden layers together. *Pruned*: without training; *recovered*: after training on A alone; *revived*: after training on B alone. "
    "Accuracies are on rows that decide nothing, mean and range over seeds; 0.5 is chance. Intervals are Wilson's."
)


def write_nonlocality_report(rows: Sequence[Row], folder: Path, size: str) -> list[Path]:
    """Write ``summary.md`` and the figures ``accuracy``, ``scores`` and ``networks`` as SVG and PNG; returns the paths.

    Rows have their ``scores``, and the folder the networks of the first seed.
    """
    from analysis.drawing.encoding import picture_bytes

    figures = {"accuracy": _accuracies(rows), "scores": _scores(rows, size), "networks": _networks(rows, folder, size)}
    written = [write_file(folder / "summary.md", nonlocality_summary(rows, size).encode())]
    return written + [
        write_file(folder / f"{name}.{kind}", picture_bytes(figure.axes[0], kind))
        for name, figure in figures.items()
        for kind in ("svg", "png")
    ]


def nonlocality_summary(rows: Sequence[Row], size: str) -> str:
    """The summary of the study of nonlocality, as markdown.

    Examples
    --------
    >>> print(nonlocality_summary([], "reduced").splitlines()[2])
    0 of 5 networks were trained: m = 4 parities of k = 3 bits, A and B the sums of two.
    """
    known = SIZES[size]
    done = len({(row["width"], row["seed"]) for row in rows})
    halves = {4: "two", 6: "three"}.get(known.m, str(known.m // 2))
    told = (
        f"{done} of {SEEDS * len(known.widths)} networks were trained: m = {known.m} parities of k = {known.k} bits, A and B the sums of "
        f"{halves}."
    )
    goals = table(GOAL_HEADER, [*_goals(rows, known.widths[0]), _time(rows)])
    if size == "full":
        goals = table(FULL_HEADER, [_beside(rows, width) for width in known.widths])
    lines = [_line(rows, width, network, s) for width in known.widths for network in NETWORKS for s in _shown(known.sparsities)]
    time = f"{sum(row['seconds'] for row in rows) / 3600:.2f} hours of one core."
    parts = ["# Pruning and nonlocality", told, MEANING, "## What has to be reached", goals, "## Accuracies", table(HEADER, lines)]
    return "\n\n".join([*parts, "## Time", time]) + "\n"


def _shown(sparsities: Sequence[float]) -> Sequence[float]:
    """All of few, and of many each tenth and the last."""
    return sparsities if len(sparsities) <= 10 else [*sparsities[9::10], sparsities[-1]]


def _goals(rows: Sequence[Row], width: int) -> list[list[str]]:
    """A line for each thing that the reduced study has to reach."""
    comes_back = f"B comes back to at least {REVIVED:g} at sparsity {REVIVED_AT:g}"
    stays = f"A is at least {KEPT:g} without recovery up to sparsity {KEPT_UNTIL:g}"
    gone = f"B stays within {GONE:g} of {CHANCE:g}, revived, at every sparsity"
    lines = [_goal(rows, width, "plain", comes_back, lambda row: row["sparsity"] != REVIVED_AT or row["b_revived"] >= REVIVED)]
    for network, lasso in NETWORKS.items():
        if lasso is not None:
            lines += [
                _goal(rows, width, network, stays, lambda row: row["sparsity"] > KEPT_UNTIL or row["a_pruned"] >= KEPT),
                _goal(rows, width, network, gone, lambda row: abs(row["b_revived"] - CHANCE) <= GONE),
            ]
    return lines


def _goal(rows: Sequence[Row], width: int, network: str, what: str, right: Callable[[Row], bool]) -> list[str]:
    """A line: of how many seeds every row is right."""
    from analysis.rates import Rate

    verdicts = {
        seed: all(right(row) for row in _part(rows, width, network) if row["seed"] == seed)
        for seed in dict.fromkeys(row["seed"] for row in _part(rows, width, network))
    }
    rate, floor = Rate(sum(verdicts.values()), len(verdicts)) if verdicts else None, Rate(SEEDS, SEEDS)
    return [str(width), NAMES[network], what, str(floor), with_interval(rate), reached(rate, floor)]


def _time(rows: Sequence[Row]) -> list[str]:
    minutes = sum(row["seconds"] for row in rows) / 120
    ours = [f"{minutes:.1f}", "yes" if minutes <= MINUTES else "no"] if rows else [NOT_RUN, NOT_RUN]
    return ["all", "all", "minutes of two cores at most", f"{MINUTES:g}", *ours]


def _beside(rows: Sequence[Row], width: int) -> list[str]:
    """The largest sparsity at which A, recovered, is accurate, beside what was published; 0 where it never is."""
    part, known = _part(rows, width, "plain"), PUBLISHED[width]
    facts = [str(width), f"{statistics.median(known):.2f}", spread(known, ".2f")]
    if not part:
        return [*facts, NOT_RUN, "", NOT_RUN]
    largest = [
        max((row["sparsity"] for row in part if row["seed"] == seed and row["a_recovered"] >= RECOVERED), default=0.0)
        for seed in dict.fromkeys(row["seed"] for row in part)
    ]
    ours = statistics.median(largest)
    near = abs(ours - statistics.median(known)) <= BESIDE + 1e-9
    return [*facts, f"{ours:.2f}", spread(largest, ".2f"), "yes" if near else "no"]


def _line(rows: Sequence[Row], width: int, network: str, sparsity: float) -> list[str]:
    part = [row for row in _part(rows, width, network) if row["sparsity"] == sparsity]
    means = [f"{statistics.mean(row[name] for row in part):.2f} ({spread([row[name] for row in part], '.2f')})" for name in COLUMNS if part]
    facts = [str(width), NAMES[network], f"{sparsity:g}"]
    return [*facts, spread([row["units"] for row in part], "d"), *means] if part else [*facts, NOT_RUN, "", "", "", ""]


def _part(rows: Sequence[Row], width: int, network: str) -> list[Row]:
    return [row for row in rows if (row["width"], row["network"]) == (width, network)]


def _panels(rows: Sequence[Row], widths: Sequence[int], height: float) -> tuple[Figure, list[tuple[int, str, Axes]]]:
    """A figure with a row of panels for each width and a column for each network."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9.0, 0.6 + height * len(widths)), layout="constrained", facecolor="white")
    grid = figure.subplots(len(widths), len(NETWORKS), squeeze=False)
    return figure, [(width, network, grid[i, j]) for i, width in enumerate(widths) for j, network in enumerate(NETWORKS)]


def _accuracies(rows: Sequence[Row]) -> Figure:
    """Mean accuracies by sparsity, with a band from the worst to the best seed."""
    from analysis.drawing.colours import FAINT
    from analysis.drawing.sheet import FONT, SMALL
    from analysis.figures.paper import letter

    figure, panels = _panels(rows, list(dict.fromkeys(row["width"] for row in rows)), 2.1)
    for width, network, ax in panels:
        part = _part(rows, width, network)
        sparsities = sorted({row["sparsity"] for row in part})
        ax.axhline(CHANCE, color=FAINT, linewidth=0.6)
        for name, style in DRAWN.items():
            values = [[row[name] for row in part if row["sparsity"] == sparsity] for sparsity in sparsities]
            ax.plot(sparsities, [statistics.mean(some) for some in values], **style, linewidth=1.4, label=COLUMNS[name], gid=name)
            ax.fill_between(sparsities, list(map(min, values)), list(map(max, values)), color=style["color"], alpha=0.15, linewidth=0)
        ax.set(xlim=(0, 1), ylim=(0.4, 1.03), xticks=(0.0, 0.5, 1.0), yticks=(0.5, 0.75, 1.0))
        ax.spines[["top", "right"]].set_visible(False)
        letter(ax, f"{NAMES[network]}, {width} wide", "units removed", "accuracy" if network == "plain" else "")
    lines = [line for line in figure.axes[0].lines if line.get_gid()]
    figure.legend(handles=lines, loc="outside lower center", ncols=len(DRAWN), frameon=False, prop={"family": FONT, "size": SMALL})
    return figure


def _scores(rows: Sequence[Row], size: str) -> Figure:
    """Heat maps of the first seed's ablation scores, a column for each hidden unit and a row for each code."""
    from analysis.drawing.sheet import SMALL
    from analysis.figures.paper import LETTERS, letter, shades

    figure, panels = _panels(rows, list(dict.fromkeys(row["width"] for row in rows)), 1.5)
    names = ["+".join(map(str, code)) for code in SIZES[size].codes]
    for width, network, ax in panels:
        (scores, *_) = [row["scores"] for row in _part(rows, width, network) if row["scores"] is not None]
        image = ax.pcolormesh(np.log10(np.maximum(scores, 1e-3)), cmap=shades(), vmin=-3, vmax=1.5)
        ax.axvline(width, color="white", linewidth=1.5)
        ax.set(ylim=(len(names), 0), xticks=(width / 2, 1.5 * width), xticklabels=("layer 1", "layer 2"))
        ax.set_yticks(np.arange(len(names)) + 0.5, names if network == "plain" else [], fontsize=SMALL, **LETTERS)
        ax.tick_params(length=0)
        letter(ax, f"{NAMES[network]}, {width} wide", "", "code" if network == "plain" else "")
    bar = figure.colorbar(image, ax=figure.axes, ticks=(-3, -1, 1), shrink=0.9)
    bar.set_label("log10 of the change of loss, nats", fontsize=SMALL, **LETTERS)
    bar.ax.tick_params(labelsize=SMALL)
    return figure


def _networks(rows: Sequence[Row], folder: Path, size: str) -> Figure:
    """The first seed's networks, not yet pruned."""
    from analysis.drawing.sheet import FONT, SMALL
    from analysis.figures.paper import letter

    known = SIZES[size]
    controls = [i < known.m // 2 for i in range(known.m)]
    read = [*controls, *(control for control in controls for _ in range(known.k))]
    figure, panels = _panels(rows, list(dict.fromkeys(row["width"] for row in rows)), 2.4)
    for width, network, ax in panels:
        draw_network(kept_network(folder, width, network), read, ax)
        letter(ax, f"{NAMES[network]}, {width} wide", "", "")
    told = f"weights beyond {STRONG:g}, positive blue and negative orange; dark inputs at the bottom: control and task bits of A"
    figure.supxlabel(told, family=FONT, fontsize=SMALL)
    return figure
