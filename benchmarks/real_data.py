"""Edges left against test accuracy on ordinary data, beside pruning by magnitude. Run as `python benchmarks/real_data.py` (an hour).

`sculpt` with its default, and a curve of its sparsest networks over `min_accuracy`, beside the baselines of `magnitude.py`. These have the
same rows, standardised likewise, four starts as `sculpt` has four seeds at each of three learning rates, and the steps a network that
`sculpt` takes in the mean over its candidates, but at least 200 a round. Each takes the sparsest of all its networks whose validation
figure is within the tolerance of the mean dense network of `sculpt`.
"""

from __future__ import annotations

import argparse
import math
import warnings
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from importlib.util import find_spec
from typing import Any

import numpy as np
import torch
from datasets import DATASETS, Dataset, Rows, there, versions
from magnitude import METHODS, RATES, Point
from methods import RESULTS, table
from sklearn.preprocessing import StandardScaler
from torch import Tensor

from analysis.files import write_file
from sculpting import SculptResult, sculpt
from sculpting.tasks import Task

SETS = ("iris", "wine", "breast cancer", "diabetes", "wine beside iris", "digits", "MNIST 14 x 14")
BELOW = (0.02, 0.05)  # min_accuracy of the curve, below the mean of the dense networks on the validation rows
STARTS = 4
OURS, DENSE, LAST = "sculpt", "dense", [*METHODS][-1]
HEADER = ("set", "seed", "method", "edges", "validation", "test", "low", "high", "tolerance")


def standardised(task: Task) -> Task:
    """The task with columns of mean 0 and standard deviation 1 on the training rows."""

    def scaled(fitted: StandardScaler, part: Tensor) -> Tensor:
        return torch.from_numpy(fitted.transform(part.double().numpy())).float()

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


def frontier(points: Iterable[Point]) -> Iterator[Point]:
    """The points that no sparser one beats both on the validation and on the test rows: all that any rule of choice can take."""
    best = [-math.inf, -math.inf]
    for point in sorted(points, key=lambda point: (point.edges, -point.validation)):
        if point.validation > best[0] or point.test > best[1]:
            yield point
        best = [max(best[0], point.validation), max(best[1], point.test)]


def study(name: str, data: Dataset, seed: int, kept: Rows) -> None:
    if (name, seed, LAST) in kept:
        return
    result, cells = ours(name, data, seed)
    assert result.task is not None
    average = float(np.mean([network.accuracy for network in result.dense]))
    if (name, seed, OURS) not in kept:
        tolerance = max(result.task.schedule.tolerance, 2 * result.task.row_share())
        every, dense = sum(weight.size for weight in result.dense[0].weights), result.dense_test_accuracy
        kept.add(name, seed, DENSE, every, average, *([dense.value, dense.low, dense.high] if dense else [""] * 3), tolerance)
        kept.add(name, seed, OURS, *cells)
    for below in BELOW:
        method = f"{OURS}, {below} below"
        if (name, seed, method) not in kept and average > below:
            kept.add(name, seed, method, *ours(name, data, seed, min_accuracy=average - below)[1])
    task = standardised(result.task)
    for method in METHODS:
        if (name, seed, method) not in kept:
            points = METHODS[method](task, data.widths, steps_a_network(result), seed, STARTS)
            for point in [*frontier(points)]:
                kept.add(name, seed, method, point.edges, point.validation, point.test, "", "", "")


# --- The report ---------------------------------------------------------------------------------------------------------------


def mean_of(rows: list[dict[str, str]], column: str) -> float:
    values = [float(row[column]) for row in rows if row[column]]
    return float(np.mean(values)) if values else float("nan")


def chosen(kept: Rows, name: str, method: str, by: str, least: Callable[[dict[str, dict[str, str]]], float]) -> list[dict[str, str]]:
    """For each seed the sparsest row of a method whose figure on some rows is at least that which follows from our rows of the seed."""
    found = []
    for seed in dict.fromkeys(row["seed"] for row in kept.chosen(set=name, method=method)):
        own = {m: row[0] for m in (DENSE, OURS) if (row := kept.chosen(set=name, seed=seed, method=m)) and row[0]["test"]}
        rows = kept.chosen(set=name, method=method, seed=seed)
        found += [row for row in rows if len(own) == 2 and float(row[by]) >= least(own) - 1e-4][:1]
    return found


def by_rule(kept: Rows, name: str, method: str) -> list[dict[str, str]]:
    def needed(own: dict[str, dict[str, str]]) -> float:
        return float(own[DENSE]["validation"]) - float(own[DENSE]["tolerance"])

    return chosen(kept, name, method, "validation", needed)


def cells_of(kept: Rows, name: str) -> Iterator[list[str]]:
    for method in dict.fromkeys(row["method"] for row in kept.chosen(set=name)):
        rows = by_rule(kept, name, method) if method in METHODS else kept.chosen(set=name, method=method)
        edges = ", ".join(row["edges"] or "none" for row in rows)
        yield [name, method, edges, *(f"{mean_of(rows, part):.3f}".replace("nan", "none") for part in ("validation", "test"))]


def comparison(kept: Rows, name: str) -> tuple[list[str], float, float]:
    """Our edges over the fewest of the baselines: of those whose test figure is within our interval, and of any that match our test."""
    mine = kept.chosen(set=name, method=OURS)
    edges, low = mean_of(mine, "edges"), mean_of(mine, "low")
    rules = [by_rule(kept, name, method) for method in METHODS]
    matches = [chosen(kept, name, method, "test", lambda own: float(own[OURS]["test"])) for method in METHODS]
    least = min((mean_of(rows, "edges") for rows in rules if mean_of(rows, "test") >= low), default=math.nan)
    strict = min((mean_of(rows, "edges") for rows in matches if rows), default=math.nan)
    ratios = edges / least, edges / strict
    return [name, f"{edges:.1f}", f"{least:.1f}", f"{ratios[0]:.2f}", f"{strict:.1f}", f"{ratios[1]:.2f}"], *ratios


def report(kept: Rows) -> list[str]:
    names = [name for name in SETS if kept.chosen(set=name, method=LAST)]
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
        f"Baselines: learning rates {RATES}, {STARTS} starts at each. Figures are means over the seeds.", "",
    ]  # fmt: skip
    write_file(RESULTS / "real_data.md", ("\n".join([*text, *report(kept)]) + "\n").encode())


if __name__ == "__main__":
    main()
