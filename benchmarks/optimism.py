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


def middle(rows: list[dict[str, str]], column: str) -> str:
    values = [float(each[column]) for each in rows if each[column]]
    return f"{np.median(values):.3f}" if values else "none"


def report(kept: Rows) -> list[str]:
    def cells(**wanted: object) -> list[str]:
        rows = [kept.chosen(mode=mode, **wanted) for mode in MODES]
        return [f"{middle(each, 'optimism')}; {middle(each, 'test')}, {_edges(each)}" for each in rows]

    names = [name for name in SETS if kept.chosen(set=name)]
    lines = [[name, middle(kept.chosen(mode="default", set=name), "dense test"), *cells(set=name)] for name in names]
    overall = ["all, optimism", "", *(middle(kept.chosen(mode=mode), "optimism") for mode in MODES)]
    mean = ["all, mean and standard error", "", *(_mean(kept.chosen(mode=mode)) for mode in MODES)]
    runs = ["networks found, of runs", "", *(_found(kept.chosen(mode=mode)) for mode in MODES)]
    return table(["set", "dense, test", *MODES], [*lines, overall, mean, runs])


def _edges(rows: list[dict[str, str]]) -> str:
    values = [int(each["edges"]) for each in rows if each["edges"]]
    return f"{np.median(values):.0f} edges" if values else "none"


def _mean(rows: list[dict[str, str]]) -> str:
    values = [float(each["optimism"]) for each in rows if each["optimism"]]
    return f"{np.mean(values):.3f} ± {np.std(values, ddof=1) / len(values) ** 0.5:.3f}" if len(values) > 1 else "none"


def _found(rows: list[dict[str, str]]) -> str:
    return f"{sum(bool(each['edges']) for each in rows)} of {len(rows)}"


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
    text = [
        "# Optimism", "", f"`python benchmarks/optimism.py`. {versions()}", "",
        "In each cell the median over the seeds of: the validation less the test figure; the test figure, and the edges.", "",
    ]  # fmt: skip
    write_file(RESULTS / "optimism.md", ("\n".join([*text, *report(kept)]) + "\n").encode())


if __name__ == "__main__":
    main()
