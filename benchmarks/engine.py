"""What the engine costs against one network at a time in plain PyTorch, measured side by side. Run as `make bench`.

All on one thread (MNIST size on all), process time, medians of the runs with all values. A member-step is one gradient step of one
member, everything that a round holds included: noise, order, evaluation, snapshots, pruning, history. Members run the whole
protocol with P_u = 70, P_e = 2.5.
"""

from __future__ import annotations

import argparse
import os
import platform
import resource
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import torch
from plain import mlp, seconds_per_step, train_round
from torch.nn.functional import binary_cross_entropy_with_logits

from sculpting import sculpt, tasks
from sculpting.memory import bytes_of_member
from sculpting.population import Population, Shape
from sculpting.randomness import keys, uniforms
from sculpting.scores import UNIT_SCORES
from sculpting.tasks import Task
from sculpting.training import Data, Round, train

CASES = (([6, 3, 3, 3], (24,), 32, 30), ([4, 2, 4], (24,), 8, 30), ([8, 2, 1, 2, 8], (60, 60, 60), 32, 40))
MNIST = (1568, 392, 392, 392, 3)


def runs(measure: Callable[[], float], count: int = 3) -> list[float]:
    return [measure() for _ in range(count)]


def member_step(name: list[int], hidden: tuple[int, ...], batch: int, steps: int, members: int) -> float:
    """Process seconds of a member-step over the whole protocol."""
    task = tasks.boolean(name)
    options = {"steps": steps, "batch_size": batch, "learning_rate": 0.05, "unit_steps": [70], "edge_steps": [2.5], "progress": False}
    start = time.process_time()
    result = sculpt(task.model(hidden), task, seeds=members, **options)
    seconds = time.process_time() - start
    return seconds / sum(len(part.names) * steps for part in result.rounds)


def whole_protocol(seeds: int) -> float:
    """Process seconds of the 70 candidates of each seed on [6,3,3,3] 6-24-3, published setting."""
    task = tasks.boolean([6, 3, 3, 3])
    start = time.process_time()
    sculpt(task.model(24, 1), task, seeds=seeds, steps=30, batch_size=32, learning_rate=0.05, progress=False)
    return time.process_time() - start


def small_networks(counts: tuple[int, ...]) -> list[str]:
    lines = ["| task, widths, batch | what | us a member-step, median | all | plain loop / this |", "|---|---|---|---|---|"]
    for name, hidden, batch, steps in CASES:
        task = tasks.boolean(name)
        widths = (task.x.shape[1], *hidden, task.y.shape[1])
        label = f"{name} {'-'.join(map(str, widths))}, {batch}"
        plain = runs(lambda w=widths, t=task, b=batch, s=steps: seconds_per_step(w, t.x, t.y, s, b))
        lines.append(_row(label, "plain loop", plain, statistics.median(plain)))
        for members in counts:
            if len(hidden) > 1 and members > 64:
                continue
            found = runs(lambda n=name, h=hidden, b=batch, s=steps, m=members: member_step(n, h, b, s, m))
            lines.append(_row(label, f"engine, {members} members", found, statistics.median(plain)))
            print(lines[-1], flush=True)
    return lines


def _row(label: str, what: str, seconds: list[float], plain: float) -> str:
    middle = statistics.median(seconds)
    return f"| {label} | {what} | {middle * 1e6:.2f} | {', '.join(f'{s * 1e6:.2f}' for s in seconds)} | {plain / middle:.1f} |"


def protocols() -> list[str]:
    one, many = runs(lambda: whole_protocol(1)), runs(lambda: whole_protocol(16))
    ratio = statistics.median(many) / statistics.median(one)
    shown = [", ".join(f"{s:.2f}" for s in seconds) for seconds in (one, many)]
    return [
        f"70 candidates of one seed: {statistics.median(one):.2f} s ({shown[0]}); "
        f"of 16 seeds: {statistics.median(many):.2f} s ({shown[1]}); ratio {ratio:.1f}."
    ]


def mnist_task(rows: int = 2048) -> Task:
    x = torch.rand(rows, MNIST[0], generator=torch.Generator().manual_seed(0))
    y = (x[:, :3] > 0.5).float()
    return Task(x, y, "bce", x[:512], y[:512])


def mnist_step(data: Data, population: Population, steps: int = 24) -> float:
    start = time.perf_counter()
    train(population, data, Round(steps, 512, 1e-3), keys(["one"]))
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

    mask = dense.mask.clone()
    gone = (uniforms(keys(["gone"]), shape.hidden_count) > 0.1).float()
    for layer, dead in enumerate(gone.split(MNIST[1:-1], dim=1)):
        shape.matrices(mask)[layer].mul_(1 - dead.unsqueeze(2))
        shape.weights(mask)[layer + 1].mul_(1 - dead.unsqueeze(1))
    tenth = dense.masked(mask)
    measured = {
        "plain masked dense": runs(plain, 5),
        "engine, nothing pruned": runs(lambda: mnist_step(data, dense), 5),
        "engine, 10 % of the units": runs(lambda: mnist_step(data, tenth), 5),
    }
    base = statistics.median(measured["plain masked dense"])
    lines = [f"| {'-'.join(map(str, MNIST))}, batch 512, all threads | ms a step, median | all | plain / this |", "|---|---|---|---|"]
    for what, values in measured.items():
        middle = statistics.median(values)
        lines.append(f"| {what} | {middle * 1e3:.1f} | {', '.join(f'{v * 1e3:.1f}' for v in values)} | {base / middle:.1f} |")
    torch.set_num_threads(1)
    return [*lines, "", *unit_scoring(dense, data, task)]


def unit_scoring(population: Population, data: Data, task: Task, sampled: int = 64) -> list[str]:
    model = mlp(MNIST)

    def one_by_one() -> float:
        start = time.perf_counter()
        for x, y in zip(task.x_check[:sampled], task.y_check[:sampled], strict=True):
            hidden, h = [], x.unsqueeze(0)
            for layer in model:
                h = layer(h)
                if isinstance(layer, torch.nn.ReLU):
                    h.retain_grad()
                    hidden.append(h)
            binary_cross_entropy_with_logits(h, y.unsqueeze(0)).backward()
            [(part * part.grad).abs() for part in hidden]
        return (time.perf_counter() - start) / sampled

    def batched() -> float:
        start = time.perf_counter()
        UNIT_SCORES["loss_sensitivity"](population, data, keys(["one"]))
        return (time.perf_counter() - start) / data.x_check.shape[1]

    ours, theirs = runs(batched, 5), runs(one_by_one, 5)
    ratio = statistics.median(theirs) / statistics.median(ours)
    return [
        f"Unit scores, MNIST size, one thread: {statistics.median(theirs) * 1e3:.2f} ms a row one by one, "
        f"{statistics.median(ours) * 1e3:.4f} ms batched; ratio {ratio:.0f}."
    ]


def memory() -> list[str]:
    """Peak memory of a round of 4096 members, against the estimate."""
    task = tasks.boolean([8, 2, 1, 2, 8])
    data, shape, settings = Data.of(task), Shape((8, 60, 60, 60, 8), ("relu", "relu", "relu", "identity")), Round(16, 32, 0.05, 1e-4, 0.1)
    population = Population.fresh(shape, keys(range(1024)))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    train(population, data, settings, keys(range(1024)))
    used = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024 / 1024
    return [
        f"Memory of a round of 1024 members 8-60-60-60-8: at least {used / 1e3:.0f} kB more a member at the peak; estimated "
        f"{bytes_of_member(shape, data, settings) / 1e3:.0f} kB."
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--members", nargs="+", type=int, default=(1, 8, 64, 512, 4096))
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/engine.md"))
    options = parser.parse_args()
    torch.set_num_threads(1)
    versions = f"Python {platform.python_version()}, torch {torch.__version__}"
    machine = f"{_processor()}, {os.cpu_count()} cores; {versions}; load {os.getloadavg()[0]:.1f}"
    parts = [[machine], memory(), small_networks(tuple(options.members)), protocols(), mnist_size()]
    text = "\n\n".join("\n".join(part) for part in parts) + "\n"
    print(text)
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(text)


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    return next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), platform.processor())


if __name__ == "__main__":
    main()
