"""The README's table: is the structure of published tasks recovered by the default setting? Run as `python benchmarks/recovery.py`.

One row a task, depth and width: consensus and sparsest candidate of four seeds against the truth; "valid" is another valid
decomposition of the function. `--groups 3` repeats it for
so many disjoint groups of four seeds.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

from analysis import compare, consensus, detect_modules
from sculpting import sculpt, tasks

COLUMNS = ("task", "hidden layers", "width", "first seed", "consensus", "support", "edges", "sparsest rule", "edges", "seconds")
TASKS = ("both", "input-separable", "none")


def row(name: str, hidden_layers: int, width: int, seed: int) -> tuple[str, ...]:
    task = tasks.boolean(name)
    start = time.perf_counter()
    result = sculpt(task.model(width=width, hidden_layers=hidden_layers), task, seed=seed, progress=False)
    found = consensus(result.candidates)
    seconds = time.perf_counter() - start
    truth = task.truth(hidden_layers)
    told = [compare(h, truth) for h in (found, detect_modules(result.network))]
    verdicts = ["exact" if t.exact else "valid" if t.valid else "wrong" for t in told]
    edges = found.network.edge_count, result.network.edge_count
    return (
        task.name, str(hidden_layers), str(width), str(seed),
        verdicts[0], f"{found.support:.2f}", str(edges[0]), verdicts[1], str(edges[1]), f"{seconds:.1f}",
    )  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tasks", nargs="+", default=TASKS, help=f"names of tasks (default {' '.join(TASKS)})")
    parser.add_argument("--layers", nargs="+", type=int, default=(1, 2, 3), help="hidden layers (default 1 2 3)")
    parser.add_argument("--groups", type=int, default=1, help="disjoint groups of four seeds (default 1)")
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/recovery.md"))
    options = parser.parse_args()
    lines = [f"| {' | '.join(COLUMNS)} |", "|" + "---|" * len(COLUMNS)]
    for cell in ((n, d, w, 4 * g) for n in options.tasks for d in options.layers for w in (24, 36, 48) for g in range(options.groups)):
        lines.append(f"| {' | '.join(row(*cell))} |")
        print(lines[-1], flush=True)
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
