"""What the evidence says of the published networks: valid or wrong, more than chance or not. Run as `python benchmarks/evidence.py`.

Verdicts of `compare` over all of them, by task and hidden layers; `significance` over every third, and over random networks,
where p-values should be spread evenly.
"""

from __future__ import annotations

import argparse
import gzip
import json
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from functools import partial
from itertools import pairwise
from pathlib import Path

import numpy as np
from methods import RESULTS, SHARED, order, read, table, versions

from analysis import LayeredGraph, compare, detect_modules, significance
from analysis.files import write_file
from sculpting import tasks

NULLS = 99
published = partial(detect_modules, method="published")
VERDICTS = ("exact", "valid", "wrong")
RANDOM = {(6, 6, 6, 3): 0.35, (8, 12, 12, 4): 0.15, (12, 24, 24, 12): 0.08}  # widths and density


def verdicts(networks: list[dict]) -> list[str]:
    counts: dict[tuple[str, str], dict[int, Counter[str]]] = defaultdict(lambda: defaultdict(Counter))
    for network in networks:
        layers = len(network["widths"]) - 2
        comparison = compare(published(read(network)), tasks.boolean(network["task"]).truth(hidden_layers=layers))
        verdict = "exact" if comparison.exact else "valid" if comparison.valid else "wrong"
        counts[network["experiment"], str(network["task"])][layers][verdict] += 1
    total = sum((c for by_layer in counts.values() for c in by_layer.values()), Counter())
    rows = [
        [experiment.replace("_", " "), task, *(cell(by_layer.get(n)) for n in (1, 2, 3, 4))]
        for (experiment, task), by_layer in sorted(counts.items(), key=order)
    ]
    return [
        f"Of {len(networks)} published networks {', '.join(f'{total[v]} {v}' for v in VERDICTS)}. Cells: exact / another valid "
        "decomposition / wrong.",
        "",
        *table(["experiment", "task", *(f"{n} hidden layer{'s' * (n > 1)}" for n in (1, 2, 3, 4))], rows),
    ]


def cell(counts: Counter[str] | None) -> str:
    return "" if counts is None else " / ".join(str(counts[v]) for v in VERDICTS)


def chance(networks: list[dict]) -> list[str]:
    found: dict[tuple[str, str], list[tuple[float, bool]]] = defaultdict(list)
    start = time.perf_counter()
    for network in networks[::3]:
        result = significance(published(read(network)), detect=published, nulls=NULLS)
        forced = result.verdict == "cannot be comparison from chance"
        found[network["experiment"], str(network["task"])].append((result.p_value, forced))
    each = (time.perf_counter() - start) / len(networks[::3])
    rows = []
    for (experiment, task), results in sorted(found.items(), key=order):
        p_values, forced = np.transpose(results)
        rows.append([experiment.replace("_", " "), task, str(len(results)), str(int((p_values <= 0.05).sum())), str(int(forced.sum())),
                     f"{np.median(p_values):.2f}"])  # fmt: skip
    share = np.mean([p <= 0.05 for results in found.values() for p, _ in results])
    return [
        f"Every third of them against {NULLS} rewired networks, {each:.2f} s a network: p <= 0.05 in {share:.2f}. Where no null is "
        "better but many are as good, the numbers of edges per unit leave no choice.",
        "",
        *table(["experiment", "task", "networks", "p <= 0.05", "no null better", "median p"], rows),
    ]


def random_networks(widths: tuple[int, ...], density: float, count: int) -> Iterator[LayeredGraph]:
    rng = np.random.default_rng([*widths])
    for _ in range(count):
        yield LayeredGraph.from_weights(
            tuple((rng.random(shape) < density).astype(float) for shape in pairwise(widths)), orientation="in_out"
        )


def calibration(count: int = 100) -> list[str]:
    rows = []
    for widths, density in RANDOM.items():
        p = np.array(
            [
                significance(published(g), detect=published, nulls=NULLS, seed=i).p_value
                for i, g in enumerate(random_networks(widths, density, count))
            ]
        )
        rows.append(
            ["-".join(map(str, widths)), f"{density:.2f}", str(count), *(f"{(p <= level).mean():.2f}" for level in (0.05, 0.2, 0.5))]
        )
    return [
        "Random networks: the share of p-values up to a level should not exceed it. Ties count against the network, so it may be lower.",
        "",
        *table(["widths", "density", "networks", "p <= 0.05", "p <= 0.2", "p <= 0.5"], rows),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=SHARED, help="folder of published_networks (default $SCULPTING_SHARED_DATA)")
    options = parser.parse_args()
    networks = json.loads(gzip.decompress((options.data / "published_networks" / "networks.json.gz").read_bytes()))
    parts = [[versions()], verdicts(networks), chance(networks), calibration()]
    write_file(RESULTS / "evidence.md", ("\n\n".join("\n".join(part) for part in parts) + "\n").encode())


if __name__ == "__main__":
    main()
