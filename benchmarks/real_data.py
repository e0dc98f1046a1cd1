"""Edges left against test accuracy on ordinary data, beside pruning by magnitude. Run as `python benchmarks/real_data.py` (an hour).

`sculpt` with its default, and a curve of its sparsest networks over `min_accuracy`, beside the baselines of `magnitude.py`. These have the
same rows, standardised likewise, four starts as `sculpt` has four seeds, and the steps a network that `sculpt` takes in the mean over its
candidates, but at least 200 a round. Each takes the sparsest of its networks whose validation figure is within the tolerance of its dense
network; of two learning rates, the one with fewer edges.
"""

from __future__ import annotations

import argparse
import warnings
from collections.abc import Iterator
from dataclasses import replace
from importlib.util import find_spec
from typing import Any

import numpy as np
import torch
from datasets import DATASETS, Dataset, Rows, mlp, there, versions
from magnitude import METHODS, RATES, Point
from methods import RESULTS, table
from sklearn.preprocessing import StandardScaler
from torch import Tensor

from analysis.files import write_file
from sculpting import SculptResult, sculpt
from sculpting.tasks import Task

SETS = ("iris", "wine", "breast cancer", "diabetes", "wine beside iris", "digits", "MNIST 14 x 14")
BELOW = (0.01, 0.03, 0.06)  # min_accuracy of the curve, below the mean of the dense networks on the validation rows
STARTS = 4
OURS = "sculpt"
HEADER = ("set", "seed", "method", "edges", "validation", "test", "low", "high", "matching edges")


def standardised(task: Task) -> Task:
    """The task with columns of mean 0 and standard deviation 1 on the training rows."""

    def scaled(fitted: StandardScaler, part: Tensor) -> Tensor:
        return torch.from_numpy(fitted.transform(part.double().numpy())).float()

    assert task.x_test is not None and task.y_test is not None
    x = StandardScaler().fit(task.x.double().numpy())
    y = StandardScaler().fit(task.y.double().numpy()) if task.loss == "mse" else None
    inputs = {name: scaled(x, getattr(task, name)) for name in ("x", "x_validation", "x_test")}
    targets = {name: scaled(y, getattr(task, name)) for name in ("y", "y_validation", "y_test")} if y else {}
    return replace(task, **inputs, **targets)


def steps_a_network(result: SculptResult) -> int:
    """Gradient steps of all attempts over the number of candidates."""
    assert result.task is not None
    steps = result.task.training.of_round(len(result.task.x)).steps
    return round(len(result.history) * steps / max(1, len(result.candidates)))


def ours(name: str, data: Dataset, seed: int, **settings: Any) -> tuple[SculptResult, list[object]]:
    result = sculpt(data.model(), (data.x, data.y), seed=seed, progress=False, **settings)
    test = result.test_accuracy
    if result.network is None or test is None:
        return result, [""] * 6
    return result, [result.network.compact().edge_count, result.accuracy, test.value, test.low, test.high, ""]


def chosen(points: list[Point], tolerance: float) -> Point:
    """The sparsest point within the tolerance of the first, the dense network."""
    return min((p for p in points if p.validation >= points[0].validation - tolerance), key=lambda p: p.edges)


def baseline(method: str, task: Task, widths: tuple[int, ...], steps: int, seed: int, least: float) -> tuple[Point, int]:
    """The point that the rule chooses, and the fewest edges of any point with this test figure at least, whatever the rule says."""
    tolerance = max(task.schedule.tolerance, 2 * task.row_share())
    found: list[Point] = []
    every: list[Point] = []
    for rate in RATES:
        runs = [list(METHODS[method](task, mlp(*widths), rate, steps, STARTS * seed + start)) for start in range(STARTS)]
        found.append(min((chosen(points, tolerance) for points in runs), key=lambda p: p.edges))
        every += [point for points in runs for point in points]
    matching = [point.edges for point in every if point.test >= least]
    return min(found, key=lambda p: p.edges), min(matching, default=0)


def study(name: str, data: Dataset, seed: int, kept: Rows) -> None:
    if (name, seed, "one shot, tuned") in kept:
        return
    result, cells = ours(name, data, seed)
    assert result.task is not None
    dense = result.dense_test_accuracy
    average = float(np.mean([network.accuracy for network in result.dense]))
    if (name, seed, OURS) not in kept:
        if dense is not None:
            every = sum(weight.size for weight in result.dense[0].weights)
            kept.add(name, seed, "dense", every, average, dense.value, dense.low, dense.high, "")
        kept.add(name, seed, OURS, *cells)
    for below in BELOW:
        method = f"{OURS}, {below} below"
        if (name, seed, method) not in kept and average > below:
            kept.add(name, seed, method, *ours(name, data, seed, min_accuracy=average - below)[1])
    task = standardised(result.task)
    for method in METHODS:
        if (name, seed, method) not in kept:
            point, matching = baseline(method, task, data.widths, steps_a_network(result), seed, float(str(cells[2] or "inf")))
            kept.add(name, seed, method, point.edges, point.validation, point.test, "", "", matching)


# --- The report ---------------------------------------------------------------------------------------------------------------


def average(rows: list[dict[str, str]], column: str) -> float:
    values = [float(row[column]) for row in rows if row[column]]
    return float(np.mean(values)) if values else float("nan")


def cells_of(kept: Rows, name: str) -> Iterator[list[str]]:
    for method in dict.fromkeys(row["method"] for row in kept.chosen(set=name)):
        rows = kept.chosen(set=name, method=method)
        edges = ", ".join(row["edges"] or "none" for row in rows)
        yield [name, method, edges, f"{average(rows, 'validation'):.3f}", f"{average(rows, 'test'):.3f}"]


def comparison(kept: Rows, name: str) -> tuple[list[str], float, float]:
    """Our edges over the fewest of the baselines: of those whose test figure is within our interval, and of any that match our test."""
    mine = kept.chosen(set=name, method=OURS)
    edges, low = average(mine, "edges"), average(mine, "low")
    others = {method: kept.chosen(set=name, method=method) for method in METHODS}
    equal = [average(rows, "edges") for rows in others.values() if rows and average(rows, "test") >= low]
    matching = [average([row for row in rows if row["matching edges"] != "0"], "matching edges") for rows in others.values() if rows]
    least, strict = min(equal, default=float("nan")), min(matching, default=float("nan"))
    ratios = edges / least, edges / strict
    return [name, f"{edges:.1f}", f"{least:.1f}", f"{ratios[0]:.2f}", f"{strict:.1f}", f"{ratios[1]:.2f}"], *ratios


def report(kept: Rows) -> list[str]:
    names = [name for name in SETS if any(kept.chosen(set=name, method=method) for method in METHODS)]
    lines = table(["set", "method", "edges, by seed", "validation", "test"], [cells for name in names for cells in cells_of(kept, name)])
    rows, rules, strict = zip(*(comparison(kept, name) for name in names), strict=True) if names else ((), (), ())
    middle = ["median", "", "", f"{np.median(rules):.2f}", "", f"{np.median(strict):.2f}"] if names else []
    header = ["set", "sculpt, edges", "best baseline within one interval", "ratio", "best of all points that match the test", "ratio"]
    return [*lines, "", *table(header, [*rows, middle])]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--sets", nargs="+", default=SETS, choices=list(DATASETS))
    options = parser.parse_args()
    torch.set_num_threads(1)
    warnings.simplefilter("ignore", UserWarning)
    kept = Rows(RESULTS / "real_data.csv", HEADER, keys=3)
    for name, data in there(options.sets):
        for seed in range(options.seeds):
            study(name, data, seed, kept)
    units = "installed, but not compared" if find_spec("torch_pruning") else "not installed, so not compared"
    text = [
        "# Ordinary data", "", f"`python benchmarks/real_data.py`. {versions()} torch-pruning, for units, is {units}.", "",
        f"Baselines: learning rates {RATES}, {STARTS} starts. Figures are means over the seeds.", "",
    ]  # fmt: skip
    write_file(RESULTS / "real_data.md", ("\n".join([*text, *report(kept)]) + "\n").encode())


if __name__ == "__main__":
    main()
