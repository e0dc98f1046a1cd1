"""The cost of the engine against one network at a time in plain PyTorch, measured side by side. Run as `make bench`.

All in process time on one thread; networks of MNIST size on all threads. Machines are noisy, so the baseline runs before and after every
run of the engine. A ratio is the mean of these two to the run between them, and the median of the ratios counts. A member-step is one
gradient step of one member with everything in a round: noise, data order, evaluation, best epoch, pruning, history. Members run the
whole protocol with unit step 0.7 and edge step 0.025 by the published schedule, as the plain loop does.
"""

from __future__ import annotations

import argparse
import os
import platform
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import torch
from plain import mlp, seconds_per_step, train_round
from torch.nn.functional import binary_cross_entropy_with_logits

from sculpting import sculpt, tasks
from sculpting.data import Data
from sculpting.mlp.memory import bytes_of_member
from sculpting.mlp.packing import packings
from sculpting.mlp.population import Population
from sculpting.mlp.scores import UNIT_SCORES
from sculpting.mlp.training import train
from sculpting.models.shape import Shape
from sculpting.randomness import keys, uniforms
from sculpting.settings import RoundSettings
from sculpting.tasks import Task

# As published: ReLU units, constant learning rate, no hidden noise, steps that only halve, chains that end at the first rejected item.
PUBLISHED: dict[str, Any] = {
    "learning_rate": 0.05, "final_rate": 1.0, "rate_width": None, "least_rows": 1, "hidden_noise": 0.0,
    "dense_rounds": 1, "double_after": None, "unit_tries": 1, "edge_tries": 1, "edge_score": "magnitude",
}  # fmt: skip
CASES = (([6, 3, 3, 3], (24,), 32, 30), ([4, 2, 4], (24,), 8, 30), ([8, 2, 1, 2, 8], (60, 60, 60), 32, 40))
MNIST = (1568, 392, 392, 392, 3)


def runs(measure: Callable[[], float], count: int = 3) -> list[float]:
    return [measure() for _ in range(count)]


def side_by_side(baseline: Callable[[], float], measure: Callable[[], float], count: int = 5) -> tuple[list[float], list[float]]:
    """Seconds of each run, and the mean of the baseline just before and just after, over them."""
    found, ratios, before = [], [], baseline()
    for _ in range(count):
        found.append(measure())
        after = baseline()
        ratios.append((before + after) / 2 / found[-1])
        before = after
    return found, ratios


def member_step(name: list[int], hidden: tuple[int, ...], batch: int, steps: int, members: int) -> float:
    """Process seconds of a member-step over the whole protocol."""
    task = tasks.boolean(name)
    options = {**PUBLISHED, "steps": steps, "batch_size": batch, "unit_steps": [0.7], "edge_steps": [0.025], "progress": False}
    start = time.process_time()
    result = sculpt(task.model(hidden, activation="relu"), task, seeds=members, **options)
    seconds = time.process_time() - start
    return seconds / sum(len(part.names) * steps for part in result.rounds)


def whole_protocol(seeds: int, activation: str | None = None, **options: Any) -> float:
    """Process seconds of the 70 candidates of each seed on [6,3,3,3] 6-24-3."""
    task = tasks.boolean([6, 3, 3, 3])
    start = time.process_time()
    sculpt(task.model(24, 1, activation=activation), task, seeds=seeds, **options, progress=False)
    return time.process_time() - start


def small_networks(counts: tuple[int, ...]) -> list[str]:
    lines = [
        "| task, widths, batch | members | us a member-step, median | all | plain loop / this, median | all |",
        "|---|---|---|---|---|---|",
    ]
    for name, hidden, batch, steps in CASES:
        task = tasks.boolean(name)
        widths = (task.x.shape[1], *hidden, task.y.shape[1])
        label = f"{name} {'-'.join(map(str, widths))}, {batch}"
        plain = partial(seconds_per_step, widths, task.x, task.y, steps, batch)
        for members in counts:
            if len(hidden) > 1 and members > 64:
                continue
            found, ratios = side_by_side(plain, partial(member_step, name, hidden, batch, steps, members))
            lines.append(f"| {label} | {members} | {_all(found, 1e6, 2)} | {_all(ratios, 1, 1)} |")
            print(lines[-1], flush=True)
        seconds = runs(plain)
        lines.append(f"| {label} | plain loop | {_all(seconds, 1e6, 2)} | | |")
    return lines


def _all(values: list[float], unit: float, places: int) -> str:
    """Median and all values, in two cells."""
    return f"{statistics.median(values) * unit:.{places}f} | {', '.join(f'{v * unit:.{places}f}' for v in values)}"


def protocols() -> list[str]:
    schedules = {"as published": {**PUBLISHED, "steps": 30, "batch_size": 32, "activation": "relu"}, "default setting": {}}
    lines = [
        "| 70 candidates a seed, [6, 3, 3, 3] 6-24-3 | 1 seed, s, median | all | 16 seeds, s, median | all | ratio |",
        "|---|---|---|---|---|---|",
    ]
    for what, options in schedules.items():
        found = [runs(lambda n=n, o=options: whole_protocol(n, **o)) for n in (1, 16)]
        one, many = (statistics.median(seconds) for seconds in found)
        shown = [", ".join(f"{s:.2f}" for s in seconds) for seconds in found]
        lines.append(f"| {what} | {one:.2f} | {shown[0]} | {many:.2f} | {shown[1]} | {many / one:.1f} |")
    return lines


def shares(members: int = 512, steps: int = 30, times: int = 9) -> list[str]:
    """Where a member-step of a dense round goes: the same round with parts left out in turn, and its products alone.

    The minimum of runs that take turns counts, since it is differences that are read.
    """
    data, shape = Data.of(tasks.boolean([6, 3, 3, 3])), Shape((6, 24, 3), ("clipped_relu", "identity"))
    population, key = Population.fresh(shape, keys(range(members))), keys(range(members))
    whole = RoundSettings(steps, 32, 0.05, input_noise=0.1, hidden_noise=0.3)
    quiet = replace(whole, input_noise=0.0, hidden_noise=0.0)
    rounds = {
        "whole": whole,
        "without noise on hidden units": replace(whole, hidden_noise=0.0),
        "nor on inputs": quiet,
        "nor evaluations but the last": replace(quiet, keep_last=True),
    }
    weights = [torch.rand(members, n_out, n_in + 1) for n_in, n_out in pairwise(shape.widths)]
    read, slopes = ([torch.rand(members, width, 32) for width in widths] for widths in ((7, 25), (24, 3)))

    def products() -> None:
        for weight, below, slope in zip(weights, read, slopes, strict=True):
            torch.bmm(weight, below)
            torch.bmm(slope, below.transpose(1, 2))
        torch.bmm(weights[1][:, :, :-1].transpose(1, 2), slopes[1])

    def seconds_of(work: Callable[[], object], count: int) -> float:
        start = time.process_time()
        for _ in range(count):
            work()
        return (time.process_time() - start) / members

    found: dict[str, list[float]] = {name: [] for name in (*rounds, "the five products alone")}
    for _ in range(times):
        for name, settings in rounds.items():
            found[name].append(seconds_of(partial(train, population, data, settings, key), 1) / steps)
        found["the five products alone"].append(seconds_of(products, steps) / steps)
    lines = [
        f"| dense 6-24-3, batch 32, {members} members, processor as {torch.backends.cpu.get_cpu_capability()} | us a member-step, least |",
        "|---|---|",
    ]
    return [*lines, *(f"| {name} | {min(seconds) * 1e6:.2f} |" for name, seconds in found.items())]


def mnist_task(rows: int = 2048) -> Task:
    x = torch.rand(rows, MNIST[0], generator=torch.Generator().manual_seed(0))
    y = (x[:, :3] > 0.5).float()
    return Task(x, y, "bce", x, y)  # evaluated on all rows, like the plain loop


def mnist_step(data: Data, population: Population, steps: int = 24) -> float:
    start = time.perf_counter()
    train(population, data, RoundSettings(steps, 512, 1e-3), keys(["one"]))
    return (time.perf_counter() - start) / steps


def mnist_size() -> list[str]:
    torch.set_num_threads(os.cpu_count() or 1)
    task = mnist_task()
    data, shape = Data.of(task), Shape(MNIST, ("relu", "relu", "relu", "identity"))
    dense = Population.fresh(shape, keys(["dense"]))
    model, masks = mlp(MNIST), [torch.ones_like(p) for p in mlp(MNIST).parameters()]

    def plain() -> float:
        start = time.perf_counter()
        train_round(model, masks, task.x, task.y, 24, 512, 0.0)
        return (time.perf_counter() - start) / 24

    lines = [
        f"| {'-'.join(map(str, MNIST))}, batch 512, all threads | ms a step, median | all | plain masked dense / this, median | all |",
        "|---|---|---|---|---|",
        f"| plain masked dense | {_all(runs(plain, 5), 1e3, 1)} | | |",
    ]
    for what, population in (("engine, nothing pruned", dense), ("engine, 10 % of the units", with_units(dense, 0.1))):
        found, ratios = side_by_side(plain, partial(mnist_step, data, population))
        lines.append(f"| {what} | {_all(found, 1e3, 1)} | {_all(ratios, 1, 1)} |")
    torch.set_num_threads(1)
    return [*lines, "", *unit_scoring(dense, data, task)]


def with_units(population: Population, share: float) -> Population:
    """The same networks with a share of their hidden units left."""
    shape, mask = population.shape, population.mask.clone()
    gone = (uniforms(keys([("gone", i) for i in range(len(population))]), sum(shape.widths[1:-1])) > share).float()
    for layer, dead in enumerate(gone.split(shape.widths[1:-1], dim=1)):
        shape.matrices(mask)[layer].mul_(1 - dead.unsqueeze(2))
        shape.weights(mask)[layer + 1].mul_(1 - dead.unsqueeze(1))
    return population.masked(mask)


def members_on_threads(members: int = 16, steps: int = 47) -> list[str]:
    """Members side by side on threads, and every product of all members on all threads, against one thread."""
    widths, cores = (392, 196, 196, 196, 196, 3), os.cpu_count() or 1
    x = torch.rand(3000, widths[0], generator=torch.Generator().manual_seed(0))
    y = (x[:, :3] > 0.5).float()
    data = Data.of(Task(x, y, "bce", x[:500], y[:500]))
    dense = Population.fresh(Shape(widths, ("relu",) * 4 + ("identity",)), keys(range(members)))

    def measure(population: Population, inside: int, threads: int) -> float:
        torch.set_num_threads(inside)
        start = time.perf_counter()
        train(population, data, RoundSettings(steps, 64, 1e-3, hidden_noise=0.3), keys(range(members)), threads=threads)
        torch.set_num_threads(1)
        return (time.perf_counter() - start) / steps

    lines = [
        f"| {members} members {'-'.join(map(str, widths))}, batch 64 | ms a step of all, median | all | one thread / this, median | all |",
        "|---|---|---|---|---|",
    ]
    for what, population in (("nothing pruned", dense), ("30 % of the units", with_units(dense, 0.3))):
        one = partial(measure, population, 1, 1)
        for how, inside, threads in (("every product on all threads", cores, 1), ("members side by side on all threads", 1, cores)):
            found, ratios = side_by_side(one, partial(measure, population, inside, threads))
            lines.append(f"| {what}, {how} | {_all(found, 1e3, 1)} | {_all(ratios, 1, 1)} |")
    return lines


class Masked(torch.nn.Linear):
    """A layer that masks its weights whenever it is called, as pruning code in plain PyTorch does."""

    def __init__(self, n_in: int, n_out: int) -> None:
        super().__init__(n_in, n_out)
        self.mask = torch.ones_like(self.weight)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.nn.functional.linear(x, self.weight * self.mask, self.bias)


def scored_one_by_one(model: torch.nn.Sequential, x: torch.Tensor, y: torch.Tensor) -> float:
    """Seconds a row of |activation x gradient| of every hidden unit, row by row with autograd."""
    start = time.perf_counter()
    for row, target in zip(x, y, strict=True):
        model.zero_grad()
        hidden, h = [], row.unsqueeze(0)
        for layer in model:
            h = layer(h)
            if isinstance(layer, torch.nn.ReLU):
                h.retain_grad()
                hidden.append(h)
        binary_cross_entropy_with_logits(h, target.unsqueeze(0)).backward()
        [(part * part.grad).abs() for part in hidden]
    return (time.perf_counter() - start) / len(x)


def unit_scoring(dense: Population, data: Data, task: Task, sampled: int = 64) -> list[str]:
    """Nothing pruned; with units gone, as in all but the first scoring of a run; and all scorings of a run. Masks save nothing alone."""
    x, y = task.x_validation[:sampled], task.y_validation[:sampled]
    masked = torch.nn.Sequential(*(Masked(m.in_features, m.out_features) if isinstance(m, torch.nn.Linear) else m for m in mlp(MNIST)))

    def batched(populations: list[Population]) -> float:
        start = time.perf_counter()
        for population in populations:
            for packing in packings(population):
                UNIT_SCORES["loss_sensitivity"](packing.pack(population), data.restricted_to(packing.inputs), keys(["one"]))
        return (time.perf_counter() - start) / data.x_validation.shape[1] / len(populations)

    lines = [
        "| unit scores, MNIST size, one thread | batched, ms a row, median | all | row by row / batched, median | all |",
        "|---|---|---|---|---|",
    ]
    tenths = tuple(part / 10 for part in range(10, 0, -1))
    cases = (
        ("plain layers, nothing pruned", mlp(MNIST), (1.0,)),
        ("masked layers, nothing pruned", masked, (1.0,)),
        ("masked layers, 30 % of the units", masked, (0.3,)),
        ("masked layers, 10 % of the units", masked, (0.1,)),
        ("masked layers, mean of ten scorings, from all units down to 10 %", masked, tenths),
    )
    for what, model, shares in cases:
        populations = [with_units(dense, share) if share < 1 else dense for share in shares]
        found, ratios = side_by_side(partial(scored_one_by_one, model, x, y), partial(batched, populations))
        lines.append(f"| {what} | {_all(found, 1e3, 4)} | {_all(ratios, 1, 0)} |")
    return lines


def throughput(device: str, counts: tuple[int, ...] = (1_000, 10_000, 100_000)) -> list[str]:
    """Member-steps a second of dense rounds on 6-24-3, and the share of the device's memory bandwidth that they need at least.

    At least: values, mask, gradient, two moments and the best values read and written once a step, and a batch's inputs read once.
    """
    data, shape, settings = (
        Data.of(tasks.boolean([6, 3, 3, 3]), device),
        Shape((6, 24, 3), ("relu", "identity")),
        RoundSettings(30, 32, 0.05),
    )
    each = 4 * (12 * shape.size + settings.batch_size * (len(data.x) + len(data.y)))
    bandwidth = copied_bytes_a_second(device)
    lines = ["| members | member-steps a second, median | all | share of the bandwidth |", "|---|---|---|---|"]
    for members in counts:
        population, key = Population.fresh(shape, keys(range(members), device)), keys(range(members), device)

        def rate(population: Population = population, key: torch.Tensor = key) -> float:
            return len(population) * settings.steps / synchronised(device, lambda: train(population, data, settings, key))

        found = runs(rate)
        middle = statistics.median(found)
        lines.append(f"| {members} | {middle:.3g} | {', '.join(f'{v:.3g}' for v in found)} | {middle * each / bandwidth:.2f} |")
    return [f"Dense rounds of 6-24-3 on {device}, bandwidth {bandwidth / 1e9:.0f} GB/s (a copy, measured):", "", *lines]


def copied_bytes_a_second(device: str, size: int = 1 << 28) -> float:
    source = torch.empty(size, dtype=torch.uint8, device=device)
    target = torch.empty_like(source)
    return 2 * size / statistics.median(runs(lambda: synchronised(device, lambda: target.copy_(source)), 5))


def synchronised(device: str, work: Callable[[], object]) -> float:
    """Seconds of work on a device, after one run that does not count."""
    work()
    wait = torch.cuda.synchronize if device.startswith("cuda") else lambda: None
    wait()
    start = time.perf_counter()
    work()
    wait()
    return time.perf_counter() - start


def peak(members: int) -> None:
    """Print the peak memory, in bytes, of a process that trains a round of this number of members at once."""
    data, shape, settings = wide()
    train(Population.fresh(shape, keys(range(members))), data, settings, keys(range(members)), max_members=members)
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024)


def wide() -> tuple[Data, Shape, RoundSettings]:
    shape = Shape((8, 60, 60, 60, 8), ("relu", "relu", "relu", "identity"))
    return Data.of(tasks.boolean([8, 2, 1, 2, 8])), shape, RoundSettings(16, 32, 0.05, input_noise=0.1)


def memory(few: int = 256, many: int = 1280) -> list[str]:
    """Peak memory of one more member of a round, from two processes, against the estimate that chooses how many run together."""
    found = [int(subprocess.check_output([sys.executable, __file__, "--peak", str(n)], text=True)) for n in (few, many)]
    data, shape, settings = wide()
    return [
        f"Peak memory of one more member 8-60-60-60-8 in a round: {(found[1] - found[0]) / (many - few) / 1e3:.0f} kB, between {few} and "
        f"{many} members; estimated {bytes_of_member(shape, data, settings) / 1e3:.0f} kB."
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--members", nargs="+", type=int, default=(1, 8, 64, 512, 4096))
    parser.add_argument("--shares", action="store_true", help="only print where the time of a dense round of 512 members goes")
    parser.add_argument("--peak", type=int, help="only print the peak memory of a process that trains this number of members")
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/engine.md"))
    options = parser.parse_args()
    torch.set_num_threads(1)
    if options.peak:
        return peak(options.peak)
    if options.shares:
        return print("\n".join(shares()))
    versions = f"Python {platform.python_version()}, torch {torch.__version__}"
    machine = f"{processor()}, {os.cpu_count()} cores; {versions}; load {os.getloadavg()[0]:.1f}"
    parts = [[machine], memory(), small_networks(tuple(options.members)), shares(), protocols(), mnist_size(), members_on_threads()]
    if torch.cuda.is_available():
        parts.append(throughput("cuda"))
    text = "\n\n".join("\n".join(part) for part in parts) + "\n"
    print(text)
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(text)


def processor() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    return next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), platform.processor())


if __name__ == "__main__":
    main()
