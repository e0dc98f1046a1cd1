"""How far results agree between population sizes and thread counts. Run as `python benchmarks/agreement.py`.

Every member has its own random numbers, so only the rounding of batched products can differ. Counted are the final candidates of
[6,3,3,3] 6-24-24-3 (32 seeds, 4 chains each) whose edges are the same as in one population of all seeds.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import torch

from sculpting import SculptResult, sculpt, sculptor, tasks

SEEDS = 32


def run(seed: int, seeds: int) -> SculptResult:
    task = tasks.boolean([6, 3, 3, 3])
    return sculpt(task.model(24, 2), task, seed=seed, seeds=seeds, unit_steps=[0.7, 0.35], edge_steps=[0.025, 0.01], progress=False)


def edges(results: Iterable[SculptResult]) -> dict[tuple, tuple[bytes, ...]]:
    networks = [network for result in results for network in result.candidates]
    return {tuple(n.origin[k] for k in ("seed", "unit_step", "edge_step")): tuple(m.tobytes() for m in n.masks) for n in networks}


def main() -> None:
    torch.set_num_threads(1)
    together = edges([run(0, SEEDS)])
    found = {
        "the same call again": edges([run(0, SEEDS)]),
        "in populations of 8 seeds": edges(run(s, 8) for s in range(0, SEEDS, 8)),
        "each seed alone": edges(run(s, 1) for s in range(SEEDS)),
    }
    torch.set_num_threads(2)
    sculptor.SMALL = 0  # otherwise work as small as this stays on one thread
    found["on two threads"] = edges([run(0, SEEDS)])
    lines = ["| compared with all 32 seeds in one population | candidates with the same edges |", "|---|---|"]
    for what, other in found.items():
        same = sum(other.get(chain) == masks for chain, masks in together.items())
        lines.append(f"| {what} | {same} of {len(together)} |")
    print("\n".join(lines))
    Path("benchmarks/results/agreement.md").write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
