"""The cost of a first use: imports, and the 70 candidates of one seed on one thread. Run as `make bench`.

The baseline of an import is importing torch alone. The baseline of sculpting is the time of the published code for the same work on such
a machine, 46 minutes: its measured cost of a step and an epoch, times the rounds of the protocol. Medians are printed with all values.
"""

from __future__ import annotations

import os
import platform
import statistics
import subprocess
import sys
import time
from pathlib import Path

import torch

from sculpting import sculpt, tasks

RUNS = 5
PUBLISHED_SECONDS = 46 * 60


def seconds_of_import(code: str) -> float:
    timed = f"import time; s = time.perf_counter(); {code}; print(time.perf_counter() - s)"
    return float(subprocess.run([sys.executable, "-c", timed], capture_output=True, text=True, check=True).stdout)


def seconds_of_sculpt() -> float:
    task = tasks.boolean("both")
    start = time.perf_counter()
    result = sculpt(task.model(width=24, hidden_layers=1), task, seeds=1, progress=False)
    assert len(result.candidates) == 70
    return time.perf_counter() - start


def main() -> None:
    torch.set_num_threads(1)
    measured = {
        "import torch": [seconds_of_import("import torch") for _ in range(RUNS)],
        "import sculpting": [seconds_of_import("import sculpting") for _ in range(RUNS)],
        "import analysis": [seconds_of_import("import analysis") for _ in range(RUNS)],
        "sculpt [6,3,3,3] 6-24-3, one seed, 70 candidates": [seconds_of_sculpt() for _ in range(RUNS)],
    }
    median = {name: statistics.median(values) for name, values in measured.items()}
    lines = [
        f"Python {platform.python_version()}, torch {torch.__version__}, {platform.machine()}, {os.cpu_count()} cores, one thread; "
        f"load {os.getloadavg()[0]:.1f}",
        "",
        f"| what | median of {RUNS}, s | all, s | against the baseline |",
        "|---|---|---|---|",
    ]
    extra = median["import sculpting"] - median["import torch"]
    ratios = [
        "",
        f"torch + {extra:.2f} s",
        "",
        f"published code, about {PUBLISHED_SECONDS} s: {PUBLISHED_SECONDS / list(median.values())[-1]:.0f} times faster",
    ]
    for (name, values), ratio in zip(measured.items(), ratios, strict=True):
        lines.append(f"| {name} | {median[name]:.2f} | {', '.join(f'{v:.2f}' for v in values)} | {ratio} |")
    print("\n".join(lines))
    out = Path("benchmarks/results/foundation.md")
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
