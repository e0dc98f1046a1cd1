"""Is the cost of a whole call of `sculpt` what the formula of `scale.py` says?

Run as `python benchmarks/calls.py` (a minute, one thread). The formula gives seconds of a step; a call takes the sum over its rounds, as if
nothing were ever pruned. What pruning saves, and what scores, copies and results cost, is in the ratio. Writes `results/calls.md`, and its
table between the marks of `docs/scale.md`.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before torch is loaded

import argparse
import platform
import time
import warnings
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from autograd_engine import Images
from engine import processor
from marks import filled, table, wrapped
from numpy.typing import NDArray
from scale import fitted, of_time, read, seconds_of_step
from scale_cases import Size, chain_case, in_a_copy, module_case
from torch import nn

from analysis.files import write_file
from sculpting import sculpt, tasks
from sculpting.mlp.memory import CACHE, FLOAT, STEPPED_COPIES
from sculpting.results import SculptResult
from sculpting.settings import TrainingSettings

HERE = Path(__file__).parent
OUT, PAGE = HERE / "results" / "calls.md", HERE.parent / "docs" / "scale.md"
WIDE = (392, 98, 98, 20)  # widths of the chain whose calls show what a chain of pruning takes


def boolean(seeds: int) -> tuple[Size, TrainingSettings, Callable[[], SculptResult]]:
    task = tasks.boolean([6, 3, 3, 3])
    model = task.model(24, 1)
    return chain_case((6, 24, 3), len(task.y)).size, task.training, lambda: sculpt(model, task, seeds=seeds, progress=False)


def table_of_numbers(seeds: int) -> tuple[Size, TrainingSettings, Callable[[], SculptResult]]:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(600, 20)).astype(np.float32)
    y = np.stack([(x[:, :5].sum(1) > 0), (x[:, 5:10].sum(1) > 0)], axis=1).astype(np.float32)
    model, training = nn.Sequential(nn.Linear(20, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 2)), TrainingSettings()
    call = lambda: sculpt(model, (x, y), training=training, seeds=seeds, loss="bce", progress=False)  # noqa: E731
    return chain_case((20, 64, 64, 2), 120).size, training, call


def images(seeds: int) -> tuple[Size, TrainingSettings, Callable[[], SculptResult]]:
    torch.manual_seed(0)
    x = torch.rand(300, 1, 8, 8)
    classes = (x[:, 0, :4].mean(dim=(1, 2)) > 0.5).long() + 2 * (x[:, 0, 4:].mean(dim=(1, 2)) > 0.5).long()
    training = TrainingSettings(steps=20, learning_rate=0.01)
    call = lambda: sculpt(Images(), (x, classes), training=training, seeds=seeds, unit_steps=(0.3,), edge_steps=(0.05,), progress=False)  # noqa: E731
    return module_case("convolutions on 8 x 8", 60).size, training, call


CALLS = {
    "[6,3,3,3], 6-24-3, 1 seed": lambda: boolean(1),
    "[6,3,3,3], 6-24-3, 4 seeds": lambda: boolean(4),
    "600 rows, 20-64-64-2, 1 seed": lambda: table_of_numbers(1),
    "300 images, convolutions on 8 x 8, 1 seed, a step each": lambda: images(1),
}


def predicted(coefficients: NDArray[np.float64], size: Size, training: TrainingSettings, result: SculptResult) -> float:
    """Seconds of all training rounds of a result by the formula, as if nothing were pruned."""
    task = result.task
    assert task is not None
    settings, rows = training.of_round(len(task.y)), len(task.y) * training.copies(len(task.y))
    per_epoch = -(-rows // settings.batch_size)
    noisy, validation = bool(settings.input_noise or settings.hidden_noise), len(task.y_validation)
    stepped = FLOAT * (STEPPED_COPIES * size.parameters + 3 / 2 * size.written * settings.batch_size)
    at_once = max(1, int(CACHE // stepped)) if size.engine == "mlp" else sum(len(record.names) for record in result.rounds)
    members = Counter[int]()
    for record in result.rounds:
        members[record.number] += len(record.names)
    steps = settings.epochs(rows) * per_epoch
    return sum(
        steps * seconds_of_step(coefficients, size, count, settings.batch_size, validation, 1 / per_epoch, noisy, -(-count // at_once))
        for count in members.values()
    )


def compared() -> list[str]:
    """A row for each call: its rounds and members, process seconds, and the formula as a fraction of them."""
    rows = []
    for name, make in CALLS.items():
        size, training, call = make()
        _, features, measured = of_time(read(), size.engine)
        found: list[Any] = []

        def timed(call: Callable[[], SculptResult] = call, found: list[Any] = found) -> float:
            start = time.process_time()
            found.append(call())
            return time.process_time() - start

        seconds = min(timed() for _ in range(2))
        result = found[-1]
        ratio = predicted(fitted(features, measured), size, training, result) / seconds
        rounds, members = result.rounds[-1].number, sum(len(record.names) for record in result.rounds)
        rows.append((name, f"{rounds:,}", f"{members:,}", f"{seconds:.1f}", f"{ratio:.2f}"))
        print(rows[-1], flush=True)
    return table(["call", "rounds", "members in all rounds", "s", "formula without pruning / measured"], rows)


def chain_bytes(few: int = 4, many: int = 24) -> list[str]:
    """Bytes a parameter of one more chain of pruning in a whole call, from the peaks of two calls of a few short rounds."""
    x = torch.rand(64, WIDE[0])
    y = (torch.rand(64, WIDE[-1]) > 0.5).float()
    model = nn.Sequential(nn.Linear(392, 98), nn.ReLU(), nn.Linear(98, 98), nn.ReLU(), nn.Linear(98, 20))

    def call(seeds: int) -> SculptResult:
        steps = {"unit_steps": (0.3, 0.2), "edge_steps": (0.2, 0.1), "steps": 2, "dense_rounds": 1}
        return sculpt(model, (x, y), validation=(x, y), seeds=seeds, min_accuracy=0.1, loss="bce", progress=False, **steps)

    call(1)
    low, high = (in_a_copy(lambda seeds=seeds: call(seeds))[2] for seeds in (few, many))
    size = chain_case(WIDE, 64).size
    each = (high - low) / (many - few) / size.parameters
    return wrapped(
        f"One more seed with its six chains of {size.parameters:,} parameters takes {each:.0f} bytes a parameter at the peak of a call, "
        f"{each / 7:.0f} for each of the seven networks (between {few} and {many} seeds, in groups that fit into the caches)."
    )


def main() -> None:
    argparse.ArgumentParser(description=__doc__).parse_args()
    torch.set_num_threads(1)
    warnings.simplefilter("ignore", UserWarning)
    machine = f"{processor()}, {os.cpu_count()} cores, one thread; Python {platform.python_version()}, torch {torch.__version__}; "
    machine += f"load {os.getloadavg()[0]:.1f}"
    blocks = {"calls": compared(), "chains": chain_bytes()}
    write_file(OUT, ("\n\n".join("\n".join(lines) for lines in ([machine], *blocks.values())) + "\n").encode())
    if PAGE.exists():
        write_file(PAGE, filled(PAGE.read_text(), blocks).encode())


if __name__ == "__main__":
    main()
