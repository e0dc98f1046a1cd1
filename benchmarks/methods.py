"""The module detector beside general community detection. Run as `python benchmarks/methods.py planted`, `... skips` or `... published`.

`planted`: adjusted Rand index against the modules planted, over the fraction of cross edges; a table and a figure for the docs.
`skips`: the same for networks with edges that skip layers, a table.
`published`: share of the 630 published networks whose modules are exactly the ground truth, and seconds a network.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import platform
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from functools import partial
from itertools import pairwise, product
from pathlib import Path
from typing import TYPE_CHECKING

import igraph
import networkx
import numpy as np
import sklearn
from scipy.stats import sem, t
from sklearn.metrics import adjusted_rand_score

from analysis import Hierarchy, LayeredGraph, compare, detect_modules, planted_hierarchy
from analysis.detection.baselines import BASELINES, detect_baseline
from analysis.drawing import INK, picture_bytes
from analysis.files import write_file
from sculpting import tasks

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SHARED = Path(os.environ.get("SCULPTING_SHARED_DATA", Path(__file__).parents[2] / "shared" / "data"))
RESULTS, FIGURE = Path("benchmarks/results"), Path("docs/images/planted.svg")

OURS, LOWER = "ours", "ours, merging at 0.6"
METHODS: dict[str, Callable[[LayeredGraph], Hierarchy]] = {
    OURS: partial(detect_modules, method="published"),
    LOWER: partial(detect_modules, method="published", merge_threshold=0.6),
    **{name: partial(detect_baseline, method=name) for name in BASELINES},
}
LEVELS, SIZES, FRACTIONS = range(1, 7), (10, 30, 100, 300, 1000, 2000), (0.0, 0.02, 0.05, 0.1, 0.2, 0.3)
SKIP_LEVELS, SKIP_SIZES = range(2, 7), (30, 100)
PANELS = {"1 level": (1,), "2 and 3 levels": (2, 3), "4 to 6 levels": (4, 5, 6)}
# Colours of Okabe and Ito; shapes tell the lines apart without colour.
STYLES = {
    OURS: {"color": "#0072B2", "marker": "o", "linewidth": 2.2},
    LOWER: {"color": "#0072B2", "marker": "o", "linewidth": 1.6, "linestyle": (0, (3, 1.5)), "markerfacecolor": "white"},
    "leiden": {"color": "#D55E00", "marker": "s"},
    "louvain": {"color": "#E69F00", "marker": "D"},
    "infomap": {"color": "#009E73", "marker": "^"},
    "spectral": {"color": "#CC79A7", "marker": "v"},
}

Scores = dict[tuple[int, int, float, str], list[float]]  # levels, units, fraction of cross edges, method


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    return [f"| {' | '.join(cells)} |" for cells in (header, ["---"] * len(header), *rows)]


def versions() -> str:
    libraries = ", ".join(f"{m.__name__} {m.__version__}" for m in (igraph, networkx, sklearn))
    return f"Python {platform.python_version()}, {libraries}; {platform.machine()}, {os.cpu_count()} cores, one thread."


# --- Planted hierarchies ------------------------------------------------------------------------------------------------------


def modules_for(levels: int, units: int, seed: int, skips: float = 0.0) -> list[int] | None:
    """One to four modules on each level, at random among those for which there are units, and pairs for all cross edges."""
    rng = np.random.default_rng([levels, units, seed])
    for _ in range(300):
        modules = rng.integers(1, 5, size=levels).tolist()
        with suppress(ValueError):
            planted_hierarchy(modules, units, cross_edges=max(FRACTIONS), skips=skips, seed=seed)
            return modules
    return None


def rand_index(found: Hierarchy, truth: Hierarchy) -> float:
    labels, known = np.concatenate(found.labels), np.concatenate(truth.labels)
    return float(adjusted_rand_score(known[labels >= 0], labels[labels >= 0]))


def planted_scores(seeds: int) -> Scores:
    scores: Scores = defaultdict(list)
    for levels, units in product(LEVELS, SIZES):
        for seed in range(seeds):
            modules = modules_for(levels, units, seed)
            for cross in FRACTIONS if modules else ():
                truth = planted_hierarchy(modules, units, cross_edges=cross, seed=seed)
                for name, method in METHODS.items():
                    scores[levels, units, cross, name].append(rand_index(method(truth.graph), truth))
        print(f"{levels} levels, {units} units: {len(scores[levels, units, 0.0, OURS])} networks", flush=True)
    return scores


def chosen(scores: Scores, cross: float, method: str, levels: Sequence[int] = LEVELS, sizes: Sequence[int] = SIZES) -> list[float]:
    return [value for n, units in product(levels, sizes) for value in scores.get((n, units, cross, method), ())]


def interval(values: Sequence[float]) -> tuple[float, float]:
    """The mean and half the width of its 95 % interval (Student's t over networks)."""
    return float(np.mean(values)), float(sem(values) * t.ppf(0.975, len(values) - 1))


def planted_tables(scores: Scores, seeds: int) -> list[str]:
    count = len(chosen(scores, 0.0, OURS))
    lines = [
        f"{versions()} {count} planted networks of {SIZES[0]} to {SIZES[-1]} units and {LEVELS[0]} to {LEVELS[-1]} levels of one to four "
        f"modules, {seeds} seeds for each size and number of levels that fit, each with every fraction of cross edges.",
        "",
        "Adjusted Rand index over units, mean and 95 % interval over networks. Ours merges clusters at the published threshold for "
        "Boolean tasks, 0.9; 0.6 is the published one for MNIST.",
        "",
    ]
    rows = []
    for (panel, levels), cross in product(PANELS.items(), FRACTIONS):
        cells = ["{:.2f} ± {:.2f}".format(*interval(chosen(scores, cross, m, levels))) for m in METHODS]
        rows.append([panel, str(len(chosen(scores, cross, OURS, levels))), f"{cross:.0%}", *cells])
    lines += table(["modules on", "networks", "cross edges", *METHODS], rows)
    lines += ["", "Share of networks whose modules are found exactly.", ""]
    exact = [[f"{c:.0%}", *(f"{np.mean(np.array(chosen(scores, c, m)) == 1):.2f}" for m in METHODS)] for c in FRACTIONS]
    lines += table(["cross edges", *METHODS], exact)
    lines += ["", "Mean adjusted Rand index at 10 % cross edges by size.", ""]
    by_size = [[str(n), *(f"{np.mean(chosen(scores, 0.1, m, sizes=[n])):.2f}" for m in METHODS)] for n in SIZES]
    return lines + table(["units", *METHODS], by_size)


def draw(scores: Scores) -> Axes:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7.2, 3.1), facecolor="white")
    axes = figure.subplots(1, len(PANELS), sharey=True)
    for ax, (panel, levels) in zip(axes, PANELS.items(), strict=True):
        for name in reversed(METHODS):
            middle, half = np.transpose([interval(chosen(scores, c, name, levels)) for c in FRACTIONS])
            style = {"linewidth": 1.4, "markersize": 4, "markeredgewidth": 1, "clip_on": False, **STYLES[name]}
            ax.fill_between(np.multiply(FRACTIONS, 100), middle - half, middle + half, color=STYLES[name]["color"], alpha=0.13, linewidth=0)
            ax.plot(np.multiply(FRACTIONS, 100), middle, label=name, **style)
        ax.set(xlim=(0, 30), ylim=(0, 1.0), xticks=range(0, 31, 10), yticks=np.linspace(0, 1, 6))
        ax.set_title(panel, fontsize=9, color=INK, loc="left")
        ax.tick_params(labelsize=8, colors=INK)
        ax.spines[["top", "right"]].set_visible(False)
    axes[0].set_ylabel("adjusted Rand index", fontsize=9, color=INK)
    axes[1].set_xlabel("cross edges, % of the planted ones", fontsize=9, color=INK)
    lines = dict(zip(*reversed(axes[0].get_legend_handles_labels()), strict=True))
    figure.legend(
        [lines[m] for m in METHODS],
        map(str.capitalize, METHODS),
        ncols=len(METHODS),
        loc="upper center",
        frameon=False,
        fontsize=8,
        columnspacing=1.2,
    )
    figure.subplots_adjust(left=0.075, right=0.985, top=0.8, bottom=0.155, wspace=0.12)
    return axes[0]


def planted(options: argparse.Namespace) -> None:
    scores = planted_scores(options.seeds)
    write_file(RESULTS / "planted.md", ("\n".join(planted_tables(scores, options.seeds)) + "\n").encode())
    write_file(FIGURE, picture_bytes(draw(scores), "svg"))


# --- Planted hierarchies with edges that skip layers --------------------------------------------------------------------------


def skipping_scores(seeds: int, skips: float) -> Scores:
    scores: Scores = defaultdict(list)
    for levels, units in product(SKIP_LEVELS, SKIP_SIZES):
        for seed in range(seeds):
            modules = modules_for(levels, units, seed, skips)
            for cross in FRACTIONS if modules else ():
                truth = planted_hierarchy(modules, units, cross_edges=cross, skips=skips, seed=seed)
                for name, method in METHODS.items():
                    scores[levels, units, cross, name].append(rand_index(method(truth.graph), truth))
        print(f"{levels} levels, {units} units: {len(scores[levels, units, 0.0, OURS])} networks", flush=True)
    return scores


def skipping(options: argparse.Namespace) -> None:
    scores = skipping_scores(options.seeds, options.skips)
    count = len(chosen(scores, 0.0, OURS))
    lines = [
        f"{versions()} {count} planted networks of {SKIP_SIZES[0]} to {SKIP_SIZES[-1]} units and {SKIP_LEVELS[0]} to {SKIP_LEVELS[-1]} "
        f"levels of one to four modules with edges that skip layers (`skips={options.skips:g}`), {options.seeds} seeds for each size "
        "and number of levels that fit, each with every fraction of cross edges.",
        "",
        "Adjusted Rand index over units, mean and 95 % interval over networks. Ours merges clusters at 0.9, or at 0.6.",
        "",
    ]
    rows = []
    for levels, cross in product(SKIP_LEVELS, FRACTIONS):
        cells = ["{:.2f} ± {:.2f}".format(*interval(chosen(scores, cross, m, [levels], SKIP_SIZES))) for m in METHODS]
        rows.append([str(levels), str(len(chosen(scores, cross, OURS, [levels], SKIP_SIZES))), f"{cross:.0%}", *cells])
    for cross in FRACTIONS:
        cells = ["{:.2f} ± {:.2f}".format(*interval(chosen(scores, cross, m))) for m in METHODS]
        rows.append(["all", str(count), f"{cross:.0%}", *cells])
    lines += table(["levels", "networks", "cross edges", *METHODS], rows)
    lines += ["", "Share of networks whose modules are found exactly.", ""]
    exact = [[f"{c:.0%}", *(f"{np.mean(np.array(chosen(scores, c, m)) > 1 - 1e-9):.2f}" for m in METHODS)] for c in FRACTIONS]
    lines += table(["cross edges", *METHODS], exact)
    write_file(RESULTS / "planted_skips.md", ("\n".join(lines) + "\n").encode())


# --- Published networks -------------------------------------------------------------------------------------------------------


def read(network: dict) -> LayeredGraph:
    weights = [np.zeros(shape) for shape in pairwise(network["widths"])]
    for weight, edges in zip(weights, network["edges"], strict=True):
        weight[tuple(np.transpose(edges))] = 1
    return LayeredGraph.from_weights(tuple(weights), orientation="in_out")


def published(options: argparse.Namespace) -> None:
    networks = json.loads(gzip.decompress((options.data / "published_networks" / "networks.json.gz").read_bytes()))
    names = [name for name in METHODS if name != LOWER]
    exact: dict[tuple[str, str], list[list[bool]]] = defaultdict(list)
    seconds = np.zeros((len(networks), len(names)))
    for i, network in enumerate(networks):
        graph = read(network)
        truth = tasks.boolean(network["task"]).truth(hidden_layers=len(network["widths"]) - 2)
        verdicts = []
        for j, name in enumerate(names):
            start = time.perf_counter()
            found = METHODS[name](graph)
            seconds[i, j] = time.perf_counter() - start
            verdicts.append(compare(found, truth).exact)
        exact[network["experiment"], str(network["task"])].append(verdicts)
    lines = [f"{versions()} Share of {len(networks)} published networks whose modules are exactly the ground truth of the task.", ""]
    rows = [[e.replace("_", " "), task, str(len(v)), *shares(v)] for (e, task), v in sorted(exact.items(), key=order)]
    rows.append(["all", "", str(len(networks)), *shares([v for group in exact.values() for v in group])])
    rows.append(["median seconds a network", "", "", *(f"{s:.4f}" for s in np.median(seconds, axis=0))])
    rows.append(["mean seconds a network", "", "", *(f"{s:.4f}" for s in seconds.mean(axis=0))])
    write_file(RESULTS / "methods.md", ("\n".join(lines + table(["experiment", "task", "networks", *names], rows)) + "\n").encode())


def shares(verdicts: Sequence[Sequence[bool]]) -> list[str]:
    return [f"{share:.2f}" for share in np.mean(verdicts, axis=0)]


def order(group: tuple[tuple[str, str], object]) -> tuple[str, list[int]]:
    (experiment, task), _ = group
    return experiment, json.loads(task)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parts = parser.add_subparsers(required=True, metavar="planted | skips | published")
    part = parts.add_parser("planted", help="agreement with planted modules, and the figure of the docs")
    part.add_argument("--seeds", type=int, default=4, help="networks for each size and number of levels (default 4)")
    part.set_defaults(run=planted)
    part = parts.add_parser("skips", help="agreement with planted modules in networks with edges that skip layers")
    part.add_argument("--seeds", type=int, default=2, help="networks for each size and number of levels (default 2)")
    part.add_argument("--skips", type=float, default=0.5, help="see planted_hierarchy (default 0.5)")
    part.set_defaults(run=skipping)
    part = parts.add_parser("published", help="exact recoveries of the published networks")
    part.add_argument("--data", type=Path, default=SHARED, help="folder of published_networks (default $SCULPTING_SHARED_DATA)")
    part.set_defaults(run=published)
    options = parser.parse_args()
    options.run(options)


if __name__ == "__main__":
    main()
