"""Does pruning find modules where there is nothing to find? Run as `python benchmarks/chance.py` (6 minutes).

Targets drawn at random, independent of the inputs: a run that keeps a network reports modules of noise. Beside them weak targets, for
which it should keep one.
"""

from __future__ import annotations

import argparse
import warnings
from collections.abc import Callable

import numpy as np
import torch
from datasets import Rows, mlp, versions
from methods import RESULTS, table
from numpy.typing import NDArray

from analysis import detect_modules
from analysis.files import write_file
from sculpting import sculpt

Rng = np.random.Generator


def flipped(rng: Rng, x: NDArray) -> NDArray:
    """The sign of the first input, wrong in 30 % of the rows."""
    return (x[:, 0] > 0) ^ (rng.random(len(x)) < 0.3)


# Sets, rows, widths, and targets from a generator and the inputs.
CASES: dict[str, tuple[int, int, tuple[int, ...], Callable[[Rng, NDArray], NDArray]]] = {
    "two classes, 400 rows": (100, 400, (6, 16, 8, 2), lambda rng, x: rng.integers(0, 2, len(x))),
    "two classes, 100 rows": (30, 100, (6, 16, 8, 2), lambda rng, x: rng.integers(0, 2, len(x))),
    "real values, 400 rows": (30, 400, (6, 16, 8, 1), lambda rng, x: rng.normal(size=len(x))),
    "weak: the sign of one input, 30 % flipped, 400 rows": (10, 400, (6, 16, 8, 2), lambda rng, x: flipped(rng, x).astype(int)),
    "weak, 1,000 rows": (10, 1000, (6, 16, 8, 2), lambda rng, x: flipped(rng, x).astype(int)),
}


def main() -> None:
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    torch.set_num_threads(1)
    warnings.simplefilter("ignore", UserWarning)
    kept = Rows(RESULTS / "chance.csv", ("case", "set", "modules", "edges", "validation", "test"), keys=2)
    for case, (sets, rows, widths, targets) in CASES.items():
        for i in range(sets):
            if (case, i) in kept:
                continue
            rng = np.random.default_rng(i)
            x = rng.normal(size=(rows, widths[0]))
            result = sculpt(mlp(*widths), (x, targets(rng, x)), seed=i, progress=False)
            modules = len(detect_modules(result.network).modules) if result.network else 0
            test = result.test_accuracy
            kept.add(case, i, modules, result.network.edge_count if result.network else 0, result.accuracy, test.value if test else "")
    lines = []
    for case in CASES:
        found = [row for row in kept.chosen(case=case) if row["modules"] != "0"]
        tests = ", ".join(f"{float(row['test']):.2f}" for row in found)
        lines.append([case, str(len(kept.chosen(case=case))), str(len(found)), tests])
    text = ["# Random and weak targets", "", f"`python benchmarks/chance.py`. {versions()}", ""]
    text += table(["targets", "sets", "that end with modules", "figure of these on the test rows"], lines)
    write_file(RESULTS / "chance.md", ("\n".join(text) + "\n").encode())


if __name__ == "__main__":
    main()
