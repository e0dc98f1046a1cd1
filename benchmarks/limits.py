"""Which step of sculpting meets a limit first as networks grow? Time and memory of every step of one member at a million and at ten
million parameters, and of detection by the number of edges.

Run as `python benchmarks/limits.py` (3 minutes, one thread). Writes `results/limits.md`, and its tables between the marks of
`docs/scale.md`. Each step runs in a copy of the process; its memory is what the copy holds at most beyond what it held before.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before torch is loaded

import argparse
import platform
import tempfile
from collections.abc import Callable
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch
from detection import halves
from engine import processor
from marks import filled, table, wrapped
from scale import fitted, of_time, read, seconds_of_step, significant
from scale_cases import chain_case, in_a_copy, settings_of
from scipy import sparse
from torch import nn

from analysis import LayeredGraph, detect_modules
from analysis.files import write_file
from sculpting import sculpt
from sculpting.mlp.export import network_of
from sculpting.mlp.population import Population
from sculpting.mlp.scores import edge_magnitude
from sculpting.models.groups import units
from sculpting.randomness import keys
from sculpting.schedule.pruning import least_important

HERE = Path(__file__).parent
OUT, PAGE = HERE / "results" / "limits.md", HERE.parent / "docs" / "scale.md"
CHAINS = ((1568, 392, 392, 392, 3), (4096, 2000, 800, 100, 10))  # 0.92 and 9.9 million parameters
BATCH, ROWS, GIANT = 64, 128, 10**9
DENSE = (330, 1000, 3160)  # units of each of three layers, of which a quarter of all edges are there: 0.05, 0.5 and 5 million
SPARSE = (1_000, 3_000, 10_000)  # units of each of ten layers, with two edges at a unit


def steps_of(widths: tuple[int, ...]) -> dict[str, Callable[[], object]]:
    """What one member goes through, by name."""
    case, settings = chain_case(widths, ROWS), settings_of(2, BATCH)
    member = case.fresh(1)
    network = network_of(member, 0)
    module = nn.Sequential(*(nn.Linear(a, b) for a, b in pairwise(widths)))
    example = torch.rand(3, widths[0])

    def pruned() -> Population:
        scores = edge_magnitude(member, None, keys([0]))  # type: ignore[arg-type]
        gone = least_important(scores, torch.tensor([0]), torch.tensor([scores.shape[1] // 50]))
        return member.masked(member.without_edges(gone))

    def saved() -> None:
        with tempfile.TemporaryDirectory() as folder:
            network.save(Path(folder) / "network")

    return {
        "initial weights": lambda: case.fresh(1),
        "a round of two steps": lambda: case.train(member, settings, None),
        "pruning a fiftieth of the edges": pruned,
        "a network from a member": lambda: network_of(member, 0),
        "saving it": saved,
        "a graph of it": lambda: LayeredGraph.from_weights(network.weights),
        "its units, as those of any module": lambda: units(module, example),
    }


def growth() -> list[str]:
    """Seconds and memory of every step at both sizes, and memory at a billion parameters as many times that of the larger size."""
    sizes = [chain_case(widths, ROWS).size.parameters for widths in CHAINS]
    found = [{name: in_a_copy(work) for name, work in steps_of(widths).items()} for widths in CHAINS]
    rows = []
    for name in found[0]:
        each = [(part[name][2] - part[name][1]) / size for part, size in zip(found, sizes, strict=True)]
        cells = [cell for part, bytes_ in zip(found, each, strict=True) for cell in (significant(part[name][0], 2), f"{bytes_:.0f}")]
        rows.append((name, *cells, f"{each[-1] * GIANT / 1e9:.0f}"))
    return table(
        ["step", *(f"{size / 1e6:.1f} million: {what}" for size in sizes for what in ("s", "bytes a parameter")), "GB at a billion"], rows
    )


def beyond() -> list[str]:
    """A step at ten million parameters, twice as long as any that the formula was fitted on, and as it predicts it."""
    case, per_epoch = chain_case(CHAINS[-1], ROWS), ROWS // BATCH
    _, features, measured = of_time(read(), "mlp")
    coefficients, member = fitted(features, measured), case.fresh(1)
    case.train(member, settings_of(per_epoch, BATCH), None)
    seconds = min(in_a_copy(lambda: case.train(member, settings_of(4 * per_epoch, BATCH), None))[0] for _ in range(3)) / (4 * per_epoch)
    predicted = seconds_of_step(coefficients, case.size, 1, BATCH, ROWS, 1 / per_epoch)
    return wrapped(
        f"A step of one member {case.size.name}, batch {BATCH}: {seconds * 1e3:.0f} ms measured, {predicted * 1e3:.0f} ms by the formula, "
        f"{predicted / seconds:.2f} of it."
    )


def whole_call() -> list[str]:
    """The peak of a call with one chain of units and one of edges, at ten million parameters, in a few short rounds."""
    widths = CHAINS[-1]
    x, y = torch.rand(ROWS, widths[0]), (torch.rand(ROWS, widths[-1]) > 0.5).float()
    layers = [part for a, b in pairwise(widths) for part in (nn.Linear(a, b), nn.ReLU())][:-1]
    model, size = nn.Sequential(*layers), chain_case(widths, ROWS).size.parameters

    def call() -> object:
        options: dict[str, Any] = {
            "unit_steps": (0.4,),
            "edge_steps": (0.3,),
            "steps": 2,
            "dense_rounds": 1,
            "unit_tries": 1,
            "edge_tries": 1,
        }
        return sculpt(model, (x, y), validation=(x, y), seeds=1, min_accuracy=0.1, loss="bce", progress=False, **options)

    seconds, before, most = in_a_copy(call)
    each = (most - before) / size
    return wrapped(
        f"A whole call of one seed, one chain of units and one of edges, {size / 1e6:.1f} million parameters, rounds of two steps: "
        f"{seconds:.0f} s, {each:.0f} bytes a parameter at its peak: {each * GIANT / 1e9:.0f} GB at a billion."
    )


def detection() -> list[str]:
    """Seconds and memory of finding modules by the number of edges: dense layers in two halves, and layers of two edges at a unit."""
    networks: list[tuple[str, int, Any]] = [
        *(("three layers in two halves", 3 * width, LayeredGraph.from_weights(halves((width,) * 3, 0.25))) for width in DENSE),
        *(("ten sparse layers", 10 * width, sparse_chain(width)) for width in SPARSE),
    ]
    rows = []
    for name, count, network in networks:
        seconds, before, most = in_a_copy(partial(detect_modules, network))
        edges = network.edge_count if isinstance(network, LayeredGraph) else sum(weight.nnz for weight in network)
        rows.append((name, f"{count:,}", f"{edges:,}", f"{seconds:.1f}", f"{(most - before) / 1e9:.2f}"))
        print(rows[-1], flush=True)
    return table(["network", "units", "edges", "s", "GB"], rows)


def sparse_chain(width: int) -> list[sparse.csr_array]:
    rng = np.random.default_rng(0)
    pairs = [(rng.integers(0, width, 2 * width), rng.integers(0, width, 2 * width)) for _ in range(9)]
    return [sparse.csr_array((rng.normal(size=2 * width), pair), shape=(width, width)) for pair in pairs]


def main() -> None:
    argparse.ArgumentParser(description=__doc__).parse_args()
    torch.set_num_threads(1)
    machine = f"{processor()}, {os.cpu_count()} cores, one thread; Python {platform.python_version()}, torch {torch.__version__}; "
    machine += f"load {os.getloadavg()[0]:.1f}"
    blocks = {"steps": growth(), "beyond": beyond(), "whole call": whole_call(), "detection": detection()}
    write_file(OUT, ("\n\n".join("\n".join(lines) for lines in ([machine], *blocks.values())) + "\n").encode())
    if PAGE.exists():
        write_file(PAGE, filled(PAGE.read_text(), blocks).encode())


if __name__ == "__main__":
    main()
