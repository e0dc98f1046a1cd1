"""What the module detector costs: the search for the number of clusters, large networks, and many small ones. On one thread.

Run as `python benchmarks/detection.py`. Process time; medians of 3 with all values. A refit is the straightforward search: the
clustering of scikit-learn again for each number of clusters, and the modularity of its labels from the definition. Large networks run in
a process of their own, whose peak memory holds the interpreter, its imports and the weights.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before NumPy is loaded

import argparse
import platform
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import scipy
import sklearn
from numpy.typing import NDArray
from scipy import sparse
from scipy.spatial.distance import pdist, squareform
from sklearn.cluster import AgglomerativeClustering

from analysis import LayeredGraph, detect_modules
from analysis.detection.criteria import best_count, candidate_counts, modularity_by_count
from analysis.detection.distances import cosine_distances
from analysis.detection.linkages import published_merges
from analysis.graph import UnitGraph
from analysis.graph.blocks import INPUT, OUTPUT, Block, Layer

WIDE = (1568, 1568, 1568, 1568, 20)
NARROW = (1568, 392, 392, 392, 3)
LIMITS = {WIDE: "60 s, 6 GB", NARROW: "5 s"}
OPTIONS: dict[str, dict[str, str]] = {
    "defaults": {},
    "symmetric": {"ties": "symmetric"},
    "weighted": {"features": "weighted"},
    "both": {"direction": "both"},
    "jaccard": {"distance": "jaccard"},
}


def seconds(run: Callable[[], Any]) -> list[float]:
    """Process seconds of three runs."""
    found = []
    for _ in range(3):
        start = time.process_time()
        run()
        found.append(time.process_time() - start)
    return found


def shown(values: Sequence[float], digits: int = 3) -> str:
    return f"{statistics.median(values):.{digits}f} | {', '.join(f'{v:.{digits}f}' for v in values)}"


# --- The number of clusters ---------------------------------------------------------------------------------------------------


def some_features(units: int) -> NDArray[np.bool_]:
    """Ten groups of units with features of their own, and a fifth of all features at random."""
    rng = np.random.default_rng(units)
    group = rng.integers(10, size=units)
    return (rng.random((units, 400)) < 0.05) | ((np.arange(400) % 10 == group[:, None]) & (rng.random((units, 400)) < 0.5))


def search(features: NDArray[np.bool_]) -> int | None:
    distances = cosine_distances(features)
    merges = published_merges(distances, "average")
    counts = candidate_counts(merges)
    return best_count(counts, modularity_by_count(merges, distances)[counts - 1])


def refit(features: NDArray[np.bool_]) -> int:
    distances = squareform(pdist(features, "cosine"))
    share = distances / distances.sum()
    values = {}
    for k in range(2, len(features)):
        labels = AgglomerativeClustering(n_clusters=k, metric="precomputed", linkage="average").fit(distances).labels_
        member = np.eye(k)[labels]
        blocks = member.T @ share @ member
        values[k] = np.trace(blocks) - (blocks.sum(axis=1) ** 2).sum()
    return max(k for k, value in values.items() if value <= min(values.values()) + 1e-9)


def searches() -> list[str]:
    lines = ["| units | refit for every number, s | all | one linkage, s | all | ratio |", "|---|---|---|---|---|---|"]
    for units in (20, 50, 100, 200):
        features = some_features(units)
        assert search(features) == refit(features)
        theirs, ours = seconds(lambda f=features: refit(f)), seconds(lambda f=features: [search(f) for _ in range(20)])
        ours = [s / 20 for s in ours]
        ratio = statistics.median(theirs) / statistics.median(ours)
        lines.append(f"| {units} | {shown(theirs)} | {shown(ours, 5)} | {ratio:.0f} |")
    return [*lines, "", *growth()]


def growth() -> list[str]:
    sizes = (200, 400, 800, 1500, 3000)
    features = {units: some_features(units) for units in sizes}
    measured = {units: seconds(lambda f=found: search(f)) for units, found in features.items()}
    slope = np.polyfit(np.log(sizes), [np.log(statistics.median(measured[n])) for n in sizes], 1)[0]
    lines = ["| units | one linkage, s | all |", "|---|---|---|"]
    lines += [f"| {units} | {shown(values)} |" for units, values in measured.items()]
    return [*lines, "", f"Fitted exponent of the growth from 200 to 3000 units: {slope:.2f} (at most 2.2)."]


# --- Large networks -----------------------------------------------------------------------------------------------------------


def uniform(widths: Sequence[int], density: float) -> list[NDArray[np.float64]]:
    rng = np.random.default_rng(0)
    return [rng.normal(size=(b, a)) * (rng.random((b, a)) < density) for a, b in pairwise(widths)]


def halves(widths: Sequence[int], density: float) -> list[NDArray[np.float64]]:
    """Two modules, left and right, that share no edge."""
    weights = uniform(widths, 2 * density)
    for weight in weights:
        rows, columns = (np.arange(n) < n / 2 for n in weight.shape)
        weight *= rows[:, None] == columns
    return weights


def survivors(widths: Sequence[int], density: float) -> list[NDArray[np.float64]]:
    """Two modules of few hidden units that read half of the inputs, as the published MNIST networks: nearly all other units are dead."""
    weights = halves(widths, 0.25)
    rng = np.random.default_rng(0)
    kept = [rng.permutation(n) < k for n, k in zip(widths, (n // 2 if i == 0 else min(n, 26) for i, n in enumerate(widths)), strict=True)]
    return [w * b[:, None] * a for w, a, b in zip(weights, kept, kept[1:], strict=False)]


def peak() -> float:
    """The most memory that this process had, in GB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1e6 if sys.platform == "linux" else 1e9)


MAKERS = {"uniform": uniform, "two halves": halves, "mostly dead": survivors}
LARGE = [(WIDE, kind, density) for kind, density in (("uniform", 0.001), ("uniform", 0.005), ("two halves", 0.005), ("mostly dead", 0.0))]
LARGE += [(NARROW, kind, density) for kind, density in (("uniform", 0.005), ("uniform", 0.05), ("two halves", 0.02), ("mostly dead", 0.0))]


def one_large(place: int, options: str) -> None:
    """What the process for one large network prints: a row of the table."""
    widths, kind, density = LARGE[place]
    graph = LayeredGraph.from_weights(MAKERS[kind](widths, density))
    start = time.process_time()
    hierarchy = detect_modules(graph, **OPTIONS[options])
    spent = time.process_time() - start
    alive = "-".join(str(int(a.sum())) for a in graph.alive())
    name = "-".join(map(str, widths))
    cells = name, kind, f"{graph.density:.4f}", alive, options, len(hierarchy.modules), f"{spent:.2f}", f"{peak():.2f}", LIMITS[widths]
    print(f"| {' | '.join(map(str, cells))} |")


def large_networks() -> list[str]:
    cases = [(place, "defaults") for place in range(len(LARGE))]
    cases += [(place, options) for place in (2, 6) for options in OPTIONS if options != "defaults"]
    lines = [
        "| widths | network | density | alive units | options | modules | s | peak GB | limit |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for place, options in cases:
        command = [sys.executable, __file__, "--place", str(place), "--options", options]
        lines.append(subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip())
        print(lines[-1], flush=True)
    return lines


# --- Sparse networks of 100,000 units -----------------------------------------------------------------------------------------

SPARSE_WIDTH, SPARSE_LAYERS, SPARSE_EDGES = 10_000, 10, 180_000
SPARSE_LIMIT = "60 s, 2 GB"
FORMS = ("chain", "UnitGraph")


def sparse_weights() -> list[sparse.csr_array]:
    """Random edges, 18 at a unit, as matrices of row = source; two at one place are one."""
    rng, each = np.random.default_rng(0), SPARSE_EDGES // (SPARSE_LAYERS - 1)
    shape = (SPARSE_WIDTH, SPARSE_WIDTH)
    places = [(rng.integers(0, SPARSE_WIDTH, each), rng.integers(0, SPARSE_WIDTH, each)) for _ in range(SPARSE_LAYERS - 1)]
    return [sparse.csr_array((rng.normal(size=each), place), shape=shape) for place in places]


def unit_graph(weights: Sequence[sparse.csr_array]) -> UnitGraph:
    """The same as layers and the blocks of edges between them."""
    kinds = [INPUT, *["unit"] * (len(weights) - 1), OUTPUT]
    layers = tuple(Layer(f"layer {place}", kind, SPARSE_WIDTH, ()) for place, kind in enumerate(kinds))
    return UnitGraph(layers, tuple(Block(place, place + 1, weight, "weights") for place, weight in enumerate(weights)))


def one_sparse(form: str) -> None:
    """What the process for one form prints: a row of the table."""
    weights = sparse_weights()
    given: Any = weights if form == "chain" else unit_graph(weights)
    start = time.process_time()
    hierarchy = detect_modules(given)
    spent = time.process_time() - start
    cells = form, len(hierarchy.modules), f"{spent:.1f}", f"{peak():.2f}", SPARSE_LIMIT
    print(f"| {' | '.join(map(str, cells))} |")


def sparse_networks() -> list[str]:
    lines = [
        f"{SPARSE_WIDTH * SPARSE_LAYERS:,} units in {SPARSE_LAYERS} layers, {SPARSE_EDGES:,} random edges, sparse matrices:",
        "",
        "| given as | modules | s | peak GB | limit |",
        "|---|---|---|---|---|",
    ]
    for form in FORMS:
        command = [sys.executable, __file__, "--sparse", form]
        lines.append(subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip())
        print(lines[-1], flush=True)
    return lines


# --- Small networks -----------------------------------------------------------------------------------------------------------


def candidate(seed: int, extra: int) -> list[NDArray[np.float64]]:
    """A network 6-24-24-3 of [6,3,3,3]: 15 edges at hidden units of its own, and up to ``extra`` more between any units that are alive."""
    rng = np.random.default_rng(seed)
    alive = [np.arange(6), rng.permutation(24)[:3], rng.permutation(24)[:3], np.arange(3)]
    parts = [np.repeat(np.eye(3), 2, axis=1), np.eye(3), np.eye(3) + np.eye(3)[[1, 2, 0]]]
    weights = [np.zeros((b, a)) for a, b in pairwise((6, 24, 24, 3))]
    for weight, part, a, b in zip(weights, parts, alive, alive[1:], strict=False):
        weight[np.ix_(b, a)] = part
    for _ in range(rng.integers(extra + 1)):
        layer = rng.integers(3)
        weights[layer][rng.choice(alive[layer + 1]), rng.choice(alive[layer])] = 1
    return [w * rng.normal(size=w.shape) for w in weights]


def alive_edges(graph: LayeredGraph) -> tuple[bytes, ...]:
    alive = graph.alive()
    return tuple((w[a][:, b] != 0).tobytes() for w, a, b in zip(graph.weights, alive, alive[1:], strict=False))


def small_networks(count: int) -> list[str]:
    lines = [
        f"| {count} networks 6-24-24-3 | edges | different | ms a network in one call | all | one by one | all |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, extra in (("as candidates of one run are", 5), ("as different as they can be", 40)):
        networks = [candidate(seed, extra) for seed in range(count)]
        graphs = [LayeredGraph.from_weights(n) for n in networks]
        different = len({alive_edges(graph) for graph in graphs})
        together, apart = seconds(lambda n=networks: detect_modules(n)), seconds(lambda n=networks: [detect_modules(one) for one in n])
        edges = statistics.mean(g.edge_count for g in graphs)
        cells = (shown([s / count * 1e3 for s in values]) for values in (together, apart))
        lines.append(f"| {name} | {edges:.1f} | {different} | {' | '.join(cells)} |")
    return [*lines, "", "At most 1 ms each on average in one call. `different` counts the edges between alive units, in their order."]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--small", type=int, default=10_000)
    parser.add_argument("--place", type=int, help="one of the large networks, in this process")
    parser.add_argument("--sparse", choices=FORMS, help="the sparse network of 100,000 units, in this process")
    parser.add_argument("--options", default="defaults", choices=OPTIONS)
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/detection.md"))
    given = parser.parse_args()
    if given.place is not None:
        return one_large(given.place, given.options)
    if given.sparse is not None:
        return one_sparse(given.sparse)
    # First: a new process starts with the peak memory of the one that starts it.
    large = [*large_networks(), "", *sparse_networks()]
    from engine import processor  # loads torch

    versions = f"Python {platform.python_version()}, numpy {np.__version__}, scipy {scipy.__version__}, scikit-learn {sklearn.__version__}"
    machine = f"{processor()}, {os.cpu_count()} cores, one thread; {versions}; load {os.getloadavg()[0]:.1f}"
    parts = [[machine], searches(), large, small_networks(given.small)]
    text = "\n\n".join("\n".join(part) for part in parts) + "\n"
    print(text)
    given.out.parent.mkdir(parents=True, exist_ok=True)
    given.out.write_text(text)


if __name__ == "__main__":
    main()
