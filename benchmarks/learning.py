"""Do dense networks learn complete tables, at the first start and at the second? Run as `python benchmarks/learning.py`.

Parities, adders, comparators, a multiplexer, seven segments and random tables; 2 to 5 hidden layers of 24, 36 and 48 units.
"""

from __future__ import annotations

import argparse
import time
from collections import Counter
from collections.abc import Callable
from itertools import product
from pathlib import Path

import numpy as np
import torch
from methods import RESULTS, table

from analysis.files import write_file
from sculpting import SculptResult, sculpt, tasks
from sculpting.tasks import Task

WIDTHS, DEPTHS = (24, 36, 48), (2, 3, 4, 5)
SEGMENTS = (0x7E, 0x30, 0x6D, 0x79, 0x33, 0x5B, 0x5F, 0x70, 0x7F, 0x7B, 0x77, 0x1F, 0x4E, 0x3D, 0x4F, 0x47)  # of 0 to F

Bits = np.ndarray


def number(bits: Bits) -> int:
    return int("".join(map(str, bits)), 2)


def of_rows(inputs: int, outputs: Callable[[Bits], list[int]]) -> Task:
    x = np.array(list(product((0, 1), repeat=inputs)))
    return tasks.from_table(x, np.array([outputs(row) for row in x]))


def adder(bits: int) -> Task:
    return of_rows(2 * bits, lambda row: [(number(row[:bits]) + number(row[bits:])) >> k & 1 for k in range(bits + 1)])


def comparator(bits: int) -> Task:
    def outputs(row: Bits) -> list[int]:
        a, b = number(row[:bits]), number(row[bits:])
        return [int(a < b), int(a == b), int(a > b)]

    return of_rows(2 * bits, outputs)


def random_table(inputs: int, outputs: int) -> Task:
    drawn = np.random.default_rng(outputs).integers(0, 2, (2**inputs, outputs))
    return of_rows(inputs, lambda row: drawn[number(row)].tolist())


def functions() -> dict[str, Task]:
    return {
        **{f"parity of {n}": of_rows(n, lambda row: [int(row.sum()) % 2]) for n in range(2, 7)},
        **{f"adder, {n} + {n} bits": adder(n) for n in (1, 2, 3)},
        **{f"comparator of {n} bits": comparator(n) for n in (2, 3, 4)},
        "multiplexer of 8": of_rows(11, lambda row: [row[3 + number(row[:3])]]),
        "seven segments": of_rows(4, lambda row: [SEGMENTS[number(row)] >> k & 1 for k in range(7)]),
        **{f"random, {n} inputs, {k} output{'s' * (k > 1)}": random_table(n, k) for n in (4, 5, 6) for k in (1, 3)},
    }


def learnt(result: SculptResult) -> tuple[int, int]:
    """How many seeds learn all rows at the first start, and at either."""
    accepted = {(attempt.chain.seed, attempt.chain.rate) for attempt in result.history if attempt.phase == "dense" and attempt.accepted}
    return len({seed for seed, rate in accepted if rate == 0}), len({seed for seed, _ in accepted})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=4)
    seeds = parser.parse_args().seeds
    torch.set_num_threads(1)
    start, first, all_, lines = time.perf_counter(), Counter(), Counter(), []
    for name, task in functions().items():
        cells = []
        for depth in DEPTHS:
            runs = (
                sculpt(task.model(w, depth), task, seeds=seeds, unit_steps=[0.5], edge_steps=[], unit_tries=1, progress=False)
                for w in WIDTHS
            )
            counts = [learnt(result) for result in runs]
            first[depth] += sum(one for one, _ in counts)
            all_[depth] += sum(either for _, either in counts)
            cells.append(f"{sum(one for one, _ in counts)}, {sum(either for _, either in counts)}")
        lines.append([name, *cells])
        print(lines[-1], flush=True)
    total = seeds * len(WIDTHS) * len(lines)
    lines.append(["all", *(f"{first[depth]}, {all_[depth]} of {total}" for depth in DEPTHS)])
    share = [sum(counts.values()) / (total * len(DEPTHS)) for counts in (first, all_)]
    networks = f"widths {', '.join(map(str, WIDTHS))}; {seeds} seeds each"
    text = [
        "# Learning complete tables",
        "",
        f"Seeds that learn all rows, of {seeds * len(WIDTHS)} ({networks}): at the first start, and at the first or second. In all "
        f"{share[0]:.1%} and {share[1]:.1%}. torch {torch.__version__}; {time.perf_counter() - start:.0f} s on one core.",
        "",
        *table(["function", *(f"{depth} hidden layers" for depth in DEPTHS)], lines),
    ]
    write_file(Path(RESULTS) / "learning.md", ("\n".join(text) + "\n").encode())


if __name__ == "__main__":
    main()
