"""What detection costs on large graphs of units with skip edges and carried units. On one thread.

Run as `python benchmarks/unit_graph.py`. Each graph runs in a process of its own, whose peak memory holds the interpreter, its imports and
the graph. The limit is 60 s and 4 GB for 10,000 units and 100,000 edges.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before NumPy is loaded

import argparse
import platform
import resource
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from analysis import UnitGraph, detect_modules

SIZES = ((1000, 10_000), (3000, 30_000), (10_000, 100_000))  # units and edges
OPTIONS: dict[str, dict[str, Any]] = {
    "defaults": {},
    "outgoing": {"direction": "outgoing"},
    "weighted": {"features": "weighted"},
    "published": {"method": "published"},
}
KINDS = ("residual", "skips", "wide")


def linked(rng: np.random.Generator, shape: tuple[int, int], edges: int, groups: int) -> sp.csr_array:
    """Random edges, most of them within one of several groups of neighbouring units; every target has one at least."""
    target = np.concatenate([np.arange(shape[1]), rng.integers(shape[1], size=max(edges - shape[1], 0))])
    group = target * groups // shape[1]
    first, last = group * shape[0] // groups, (group + 1) * shape[0] // groups
    inside = first + (rng.random(len(target)) * np.maximum(last - first, 1)).astype(np.int64)
    source = np.where(rng.random(len(target)) < 0.98, inside, rng.integers(shape[0], size=len(target)))
    matrix = sp.coo_array((rng.normal(size=len(target)), (source, target)), shape=shape)
    return sp.csr_array(matrix)


def residual(rng: np.random.Generator, units: int, edges: int) -> UnitGraph:
    """A residual stream with ten blocks of hidden units: an input layer, 11 stages, 10 hidden layers and an output layer."""
    stages, width = 10, units // 24
    hidden = (units - 13 * width) // stages
    layers: list[Any] = [("x", "input", width), ("r0", "residual", width)]
    blocks: list[Any] = [(0, 1, linked(rng, (width, width), edges // 22, 5))]
    for k in range(stages):
        at = len(layers)
        layers += [(f"h{k}", "neuron", hidden), (f"r{k + 1}", "residual", width)]
        blocks += [(at - 1, at, linked(rng, (width, hidden), edges // 22, 5)), (at, at + 1, linked(rng, (hidden, width), edges // 22, 5))]
        blocks += [(at - 1, at + 1, sp.eye_array(width), "carry")]
    layers.append(("y", "output", width))
    return UnitGraph(layers, [*blocks, (len(layers) - 2, len(layers) - 1, linked(rng, (width, width), edges // 22, 5))])


def skipping(rng: np.random.Generator, units: int, edges: int, depth: int = 20) -> UnitGraph:
    """Layers of equal width, each wired to the next and to the one after it."""
    width = units // depth
    kinds = ["input", *("neuron",) * (depth - 2), "output"]
    pairs = [(i, j) for i in range(depth) for j in (i + 1, i + 2) if j < depth]
    layers = [(f"layer {i}", kind, width) for i, kind in enumerate(kinds)]
    return UnitGraph(layers, [(i, j, linked(rng, (width, width), edges // len(pairs), 5)) for i, j in pairs])


MAKERS = {"residual": residual, "skips": skipping, "wide": lambda rng, units, edges: skipping(rng, units, edges, depth=4)}


def one(kind: str, units: int, edges: int, options: str) -> None:
    """What the process for one graph prints: a row of the table."""
    graph = MAKERS[kind](np.random.default_rng(0), units, edges)
    start = time.process_time()
    hierarchy = detect_modules(graph, **OPTIONS[options])
    spent = time.process_time() - start
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1e6 if sys.platform == "linux" else 1e9)
    alive: list[NDArray[np.bool_]] = [labels >= 0 for labels in hierarchy.labels]
    counts = f"{sum(graph.widths):,}", f"{graph.edge_count:,}", f"{sum(int(a.sum()) for a in alive):,}", str(max(graph.widths))
    cells = kind, *counts, options, str(len(hierarchy.modules)), f"{spent:.1f}", f"{memory:.2f}"
    print(f"| {' | '.join(cells)} |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--one", nargs=4, help=argparse.SUPPRESS)
    parser.add_argument("--report", type=Path, default=Path("benchmarks/results/unit_graph.md"))
    options = parser.parse_args()
    if options.one:
        kind, units, edges, name = options.one
        one(kind, int(units), int(edges), name)
        return
    cases = [(kind, size, "defaults") for kind in KINDS for size in SIZES]
    cases += [("residual", SIZES[-1], "outgoing"), ("residual", SIZES[-1], "published"), ("residual", SIZES[1], "weighted")]
    lines = [
        f"Python {platform.python_version()}, {platform.machine()}, {os.cpu_count()} cores, one thread. Process seconds of one run, and "
        "peak memory of the process. The limit for 10,000 units and 100,000 edges is 60 s and 4 GB. Graphs are of five groups with 2 % "
        "of the edges between them.",
        "",
        "| graph | units | edges | alive | widest layer | options | modules | s | GB |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for kind, (units, edges), name in cases:
        command = [sys.executable, __file__, "--one", kind, str(units), str(edges), name]
        lines.append(subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip())
        print(lines[-1], flush=True)
    options.report.write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
