"""How much higher is the validation figure than the test figure? Run as `python benchmarks/optimism.py` (40 minutes).

Optimism is the difference of the two for the sparsest network, over ten sets of data and five seeds, which also draw the split. Beside the
default are the settings before it, and an accuracy that is asked for: the mean of the dense networks on the validation rows less 0.02.
"""

from __future__ import annotations

import argparse
import warnings
from typing import Any

import numpy as np
import torch
from datasets import DATASETS, Dataset, Rows, there, versions
from methods import RESULTS, table

from analysis.files import write_file
from sculpting import SculptResult, sculpt

SETS = [name for name in DATASETS if name not in ("digits", "MNIST 14 x 14")] + ["digits"]  # the slowest last
BEFORE = {"confidence": None, "tolerance": 0.005, "keep_last": False, "learning_rate": 0.1, "input_noise": 0.0}
MODES: dict[str, dict[str, Any]] = {"default": {}, "before": BEFORE, "asked": {}, "asked, before": BEFORE}
LOSS = 0.02  # below the mean of the dense networks, where an accuracy is asked for
HEADER = ("mode", "seed", "set", "edges", "all edges", "validation", "test", "optimism", "dense validation", "dense test")


def run(mode: str, data: Dataset, seed: int, kept: Rows, name: str) -> SculptResult | None:
    """The result of one mode; None where the accuracy to ask for is not known or not above 0."""
    settings = dict(MODES[mode])
    if mode.startswith("asked"):
        dense = kept.chosen(mode=mode.replace("asked, before", "before").replace("asked", "default"), seed=seed, set=name)
        if not dense or float(dense[0]["dense validation"]) <= LOSS:
            return None
        settings["min_accuracy"] = float(dense[0]["dense validation"]) - LOSS
    return sculpt(data.model(), (data.x, data.y), seed=seed, progress=False, **settings)


def row(result: SculptResult | None) -> list[object]:
    if result is None or result.network is None or result.test_accuracy is None or result.dense_test_accuracy is None:
        return [""] * (len(HEADER) - 3)
    dense = float(np.mean([network.accuracy for network in result.dense]))
    network, test = result.network, result.test_accuracy.value
    every = int(sum(np.prod(weight.shape) for weight in network.weights))
    return [network.edge_count, every, network.accuracy, test, network.accuracy - test, dense, result.dense_test_accuracy.value]


def numbers(rows: list[dict[str, str]], column: str) -> list[float]:
    return [float(each[column]) for each in rows if each[column]]


def gaps(kept: Rows, rows: list[dict[str, str]]) -> list[float]:
    """Optimism less the same difference of the default's dense networks on the same split.

    Nothing was chosen for these, so their difference is the luck of the split alone.
    """
    found = []
    for each in rows:
        dense = kept.chosen(mode="default", seed=each["seed"], set=each["set"])
        if each["optimism"] and dense and dense[0]["edges"]:
            found.append(float(each["optimism"]) - float(dense[0]["dense validation"]) + float(dense[0]["dense test"]))
    return found


def median(values: list[float], digits: int = 3) -> str:
    return f"{np.median(values):.{digits}f}" if values else ""


def mean(values: list[float]) -> str:
    return f"{np.mean(values):.3f} ± {np.std(values, ddof=1) / len(values) ** 0.5:.3f}" if len(values) > 1 else ""


def report(kept: Rows) -> list[str]:
    """Two tables: optimism by set and in all, and what the networks are."""
    names = [name for name in SETS if kept.chosen(set=name)]
    raw, beyond, networks = [], [], []
    for name in names:
        rows = [kept.chosen(mode=mode, set=name) for mode in MODES]
        raw.append([name, *(median(numbers(each, "optimism")) for each in rows)])
        beyond.append([name, *(mean(gaps(kept, each)) for each in rows)])
        dense = kept.chosen(mode="default", set=name)
        networks.append([name, _size(dense, "all edges", "dense test"), *(_size(each, "edges", "test") for each in rows)])
    every = [kept.chosen(mode=mode) for mode in MODES]
    raw.append(["all", *(median(numbers(each, "optimism")) for each in every)])
    beyond.append(["all", *(mean(gaps(kept, each)) for each in every)])
    beyond.append(["all, median", *(median(gaps(kept, each)) for each in every)])
    networks.append(["runs with a network", "", *(f"{len(numbers(each, 'edges'))} of {len(each)}" for each in every)])
    return [
        "Validation less test figure, median over the seeds:", "", *table(["set", *MODES], raw), "",
        "The same less that of the dense networks of the default on the same split, for which nothing was chosen; mean and standard error:",
        "", *table(["set", *MODES], beyond), "",
        "Test figure and edges, medians:", "", *table(["set", "dense", *MODES], networks),
    ]  # fmt: skip


def _size(rows: list[dict[str, str]], edges: str, test: str) -> str:
    return f"{median(numbers(rows, test))}, {median(numbers(rows, edges), 0)}" if numbers(rows, edges) else ""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--modes", nargs="+", default=list(MODES), choices=list(MODES))
    parser.add_argument("--sets", nargs="+", default=SETS, choices=list(DATASETS))
    options = parser.parse_args()
    torch.set_num_threads(1)
    warnings.simplefilter("ignore", UserWarning)
    kept = Rows(RESULTS / "optimism.csv", HEADER, keys=3)
    for mode in options.modes:
        for name, data in there(options.sets):
            for seed in range(options.seeds):
                if (mode, seed, name) not in kept:
                    kept.add(mode, seed, name, *row(run(mode, data, seed, kept, name)))
    text = ["# Optimism", "", f"`python benchmarks/optimism.py`. {versions()}", ""]
    write_file(RESULTS / "optimism.md", ("\n".join([*text, *report(kept)]) + "\n").encode())


if __name__ == "__main__":
    main()
