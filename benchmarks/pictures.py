"""What pictures of dense and large networks cost, in process seconds of one thread, the first picture of a process.

Run as `python benchmarks/pictures.py`. Each picture is drawn in a process of its own, three times; `--folder` keeps them. Imports count,
detection does not. With `--before FOLDER`, which holds another version of `analysis/`, its pictures are drawn too, each for at most
`--limit` seconds.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before NumPy is loaded

import argparse
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import scipy.sparse as sp

from analysis import Hierarchy, LayeredGraph, UnitGraph, detect_modules

LIMIT = 5.0  # seconds that a picture may take
Case = tuple[Hierarchy, "tuple[int, int] | None"]


def dense(*widths: int, seed: int = 0) -> list[np.ndarray]:
    """Untrained weights."""
    rng = np.random.default_rng(seed)
    return [rng.normal(size=(above, below)) / below**0.5 for below, above in pairwise(widths)]


def pruned(edges: int, *widths: int) -> list[np.ndarray]:
    """Untrained weights of which random ones are left, of each layer the same share."""
    rng, weights = np.random.default_rng(1), dense(*widths)
    share = edges / sum(matrix.size for matrix in weights)
    return [matrix * (rng.random(matrix.shape) < share) for matrix in weights]


def planted(modules: int, widths: Sequence[int], edges: int, between: float = 0.05) -> Hierarchy:
    """A chain of modules side by side, with random edges inside them and a few between."""
    rng = np.random.default_rng(2)
    labels = [np.sort(np.arange(width) % modules) for width in widths]
    weights = []
    for below, above in pairwise(labels):
        target = rng.integers(len(above), size=edges // (len(widths) - 1))
        inside = np.searchsorted(below, above[target]) + rng.integers(len(below) // modules, size=len(target))
        source = np.where(rng.random(len(target)) < between, rng.integers(len(below), size=len(target)), inside)
        matrix = sp.coo_array((rng.normal(size=len(target)), (source, target)), shape=(len(below), len(above)))
        weights.append(matrix.toarray())
    found = tuple(labels)
    return Hierarchy(LayeredGraph.from_weights(weights, orientation="in_out"), found, found)


def unread(outputs: int = 1000) -> list[np.ndarray]:
    """Three modules of four inputs, four hidden units and an output each, and outputs without an edge."""
    last = np.zeros((outputs + 3, 12))
    last[:3] = np.kron(np.eye(3), np.ones((1, 4)))
    return [np.kron(np.eye(3), dense(4, 4)[0]), last]


def transformer(tasks: int, blocks: int, width: int = 8) -> UnitGraph:
    """Blocks of attention and neurons on a residual stream, for several tasks side by side that share five edges of a hundred."""
    rng = np.random.default_rng(3)

    def make(below: int, above: int, extra: float = 0.01) -> np.ndarray:
        inside = np.kron(np.eye(tasks), np.ones((below, above)))
        return rng.normal(size=inside.shape) * (rng.random(inside.shape) < 0.5 * inside + extra)

    heads, one = np.kron(np.eye(2 * tasks), np.ones((width // 2, 1))), np.eye(tasks * width)
    layers: list[Any] = [("model.embed", "input", 4 * tasks), ("model", "residual", width * tasks)]
    edges: list[Any] = [(0, 1, make(4, width), "embedding")]
    for k in range(blocks):
        at, name = len(layers) - 1, f"model.layers.{k}"
        layers += [(f"{name}.attn.{part}", kind, width * tasks) for part, kind in (("q", "query"), ("k", "key"), ("v", "value"))]
        layers += [(f"{name}.attn pattern", "gate", 2 * tasks), (f"{name}.attn", "value", width * tasks)]
        layers += [(f"{name}", "residual", width * tasks), (f"{name}.mlp", "neuron", 2 * width * tasks)]
        layers += [(f"{name} stage", "residual", width * tasks)]
        edges += [(at, at + i, make(width, width), "qkv"[i - 1]) for i in (1, 2, 3)]
        edges += [(at + 1, at + 4, heads, "product"), (at + 2, at + 4, heads, "product"), (at + 4, at + 5, heads.T, "gate")]
        edges += [(at + 3, at + 5, one, "carry"), (at + 5, at + 6, make(width, width), "o"), (at, at + 6, one, "carry")]
        edges += [(at + 6, at + 7, make(width, 2 * width)), (at + 7, at + 8, make(2 * width, width)), (at + 6, at + 8, one, "carry")]
    layers.append(("head", "output", 3 * tasks))
    return UnitGraph(layers, [*edges, (len(layers) - 2, len(layers) - 1, make(width, 3))])


def of_tasks(graph: UnitGraph, tasks: int) -> Hierarchy:
    """A module for each task."""
    labels = tuple(np.arange(width) * tasks // width for width in graph.widths)
    return Hierarchy(graph, labels, labels)


def one_module(*widths: int) -> Hierarchy:
    """A dense network that is one module."""
    labels = tuple(np.zeros(width, dtype=np.int64) for width in widths)
    return Hierarchy(LayeredGraph.from_weights(dense(*widths)), labels, labels)


def alone(*widths: int) -> Hierarchy:
    """A chain in which each unit is a module and has up to six edges to the next layer: the most that is drawn unit by unit."""
    rng, first = np.random.default_rng(4), np.cumsum([0, *widths])
    weights = [rng.normal(size=pair) * (rng.random(pair) < 0.11) for pair in pairwise(widths)]
    labels = tuple(start + np.arange(width) for start, width in zip(first, widths, strict=False))
    return Hierarchy(LayeredGraph.from_weights(weights, orientation="in_out"), labels, labels)


IMAGE = (28, 28)
CASES: dict[str, Callable[[], Case]] = {
    "dense 64-64-64-10": lambda: (detect_modules(dense(64, 64, 64, 10)), None),
    "784-100-100-10, 2,000 edges": lambda: (detect_modules(pruned(2000, 784, 100, 100, 10)), None),
    "the same, as pixels of an image": lambda: (detect_modules(pruned(2000, 784, 100, 100, 10)), IMAGE),
    "dense 784-100-100-10, pixels": lambda: (one_module(784, 100, 100, 10), IMAGE),
    "dense 2000 x 3": lambda: (one_module(2000, 2000, 2000), None),
    "2,000 units, sparse, 20 modules": lambda: (planted(20, (500, 500, 500, 500), 6000), None),
    "5,000 units, 187 modules": lambda: (planted(187, (1250, 1250, 1250, 1250), 20_000), None),
    "1,000 outputs nobody reads": lambda: (detect_modules(unread()), None),
    "transformer, 2 blocks": lambda: (detect_modules(transformer(3, 2)), None),
    "transformer, 6 blocks, 30 tasks": lambda: (of_tasks(transformer(30, 6), 30), None),
    "150 units, 50 modules": lambda: (planted(50, (50, 50, 50), 160), None),
    "150 units, a module each": lambda: (alone(50, 50, 50), None),
}


def one(name: str, path: Path) -> None:
    """What the process for one picture prints: units, edges, modules and seconds."""
    hierarchy, image = CASES[name]()
    units = sum(int((labels >= 0).sum()) for labels in hierarchy.labels)
    start = time.process_time()
    try:
        hierarchy.draw(path, image=image)
        spent = f"{time.process_time() - start:.2f}"
    except ValueError as error:
        spent = "refused" if "at most" in str(error) else str(error)
    print(f"{units:,}|{hierarchy.graph.edge_count:,}|{len(hierarchy.modules):,}|{spent}")


def measured(name: str, number: int, folder: Path, limit: float, library: Path) -> list[str]:
    """The printed figures of one case, drawn by the version of `analysis` in a folder."""
    command = [sys.executable, __file__, "--one", name, str(folder / f"{number:02}.png")]
    try:
        done = subprocess.run(
            command, check=True, capture_output=True, text=True, timeout=limit, env=os.environ | {"PYTHONPATH": str(library)}
        )
    except subprocess.TimeoutExpired:
        return ["", "", "", f"over {limit:g}"]
    return done.stdout.strip().split("|")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--one", nargs=2, help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--before", type=Path)
    parser.add_argument("--limit", type=float, default=120.0)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--only", default="")
    options = parser.parse_args()
    if options.one:
        one(options.one[0], Path(options.one[1]))
        return
    print(f"{platform.machine()}, one thread of {os.cpu_count()} cores; median of {options.runs} processes, all values beside it\n")
    print("| network | units | edges | modules | before, s | now, s | all |\n|---|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as scratch:
        folder = options.folder or Path(scratch)
        folder.mkdir(exist_ok=True)
        for number, name in enumerate(CASES):
            if options.only not in name:
                continue
            here = Path(__file__).resolve().parents[1]
            before = measured(name, number, Path(scratch), options.limit, options.before)[3] if options.before else "-"
            runs = [measured(name, number, folder, options.limit, here) for _ in range(options.runs)]
            seconds = [run[3] for run in runs]
            middle = f"{median(map(float, seconds)):.1f}" if all(s.replace(".", "").isdigit() for s in seconds) else seconds[0]
            print(f"| {name} | {' | '.join(runs[0][:3])} | {before} | {middle} | {', '.join(seconds)} |", flush=True)


if __name__ == "__main__":
    main()
