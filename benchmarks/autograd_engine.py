"""What does a gradient step of one member of a population of modules cost, against one network at a time in plain PyTorch?

Run as `python benchmarks/autograd_engine.py`. Both train a round with masked gradients and fused Adam, on one thread. The plain loop runs
before and after every run of the engine; the median of the ratios counts. Seconds are those of the process.
"""

from __future__ import annotations

import os
import platform
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import torch
import torch.nn.functional as F  # noqa: N812
from engine import processor
from torch import Tensor, nn

from analysis.files import write_file
from sculpting.autograd import Architecture, ModuleRows, fresh_members
from sculpting.autograd.training import train
from sculpting.models.groups import units
from sculpting.randomness import keys
from sculpting.settings import RoundSettings
from sculpting.tasks import Task

MEMBERS, RUNS, STEPS, PLAIN_STEPS = 64, 5, 20, 200
OUT = Path("benchmarks/results/autograd_engine.md")


class Images(nn.Module):
    """Two convolutions and two linear layers on 8 x 8 images."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Conv2d(1, 8, 3, padding=1), nn.Conv2d(8, 16, 3, padding=1)
        self.hidden, self.out = nn.Linear(64, 32), nn.Linear(32, 10)

    def forward(self, x: Tensor) -> Tensor:
        for convolution in (self.first, self.second):
            x = F.max_pool2d(torch.relu(convolution(x)), 2)
        return self.out(torch.relu(self.hidden(x.flatten(1))))


class Tokens(nn.Module):
    """One block of a transformer of width 32 with 4 heads and 64 neurons, on 8 tokens."""

    def __init__(self, width: int = 32, heads: int = 4) -> None:
        super().__init__()
        self.heads, self.embedding, self.position = heads, nn.Embedding(16, width), nn.Parameter(torch.randn(8, width) / 4)
        self.before, self.after = nn.LayerNorm(width), nn.LayerNorm(width)
        self.q, self.k, self.v, self.o = (nn.Linear(width, width) for _ in range(4))
        self.up, self.down, self.out = nn.Linear(width, 64), nn.Linear(64, width), nn.Linear(width, 10)

    def forward(self, x: Tensor) -> Tensor:
        stream = self.embedding(x) + self.position
        normed = self.before(stream)
        q, k, v = (part(normed).unflatten(-1, (self.heads, -1)).transpose(1, 2) for part in (self.q, self.k, self.v))
        stream = stream + self.o(F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2))
        stream = stream + self.down(F.gelu(self.up(self.after(stream))))
        return self.out(stream[:, -1])


def plain_seconds(module: nn.Module, x: Tensor, classes: Tensor, batch: int) -> float:
    """Process seconds of one step of one network."""
    optimizer = torch.optim.Adam(module.parameters(), lr=0.001, fused=True)
    masks = [torch.ones_like(part) for part in module.parameters()]
    start = time.process_time()
    for step in range(PLAIN_STEPS):
        first = step * batch % (len(x) - batch + 1)
        optimizer.zero_grad()
        F.cross_entropy(module(x[first : first + batch]), classes[first : first + batch]).backward()
        for part, mask in zip(module.parameters(), masks, strict=True):
            if part.grad is not None:
                part.grad *= mask
        optimizer.step()
    return (time.process_time() - start) / PLAIN_STEPS


def row_of(name: str, make: Callable[[], nn.Module], x: Tensor, batch: int, target: float | None) -> str:
    """One row of the table: a step of a network alone and of a member, in microseconds, and the ratios."""
    classes = torch.randint(0, 10, (len(x),))
    y = F.one_hot(classes, 10).float()
    rows, module = ModuleRows.of(Task(x, y, "ce", x[:batch], y[:batch])), make()
    architecture = Architecture.of(module, units(module, x[:3]), (x[:3],))
    key = keys([*range(MEMBERS)])
    members = fresh_members(architecture, key)
    settings = RoundSettings(steps=STEPS, batch_size=batch, learning_rate=0.001, weight_decay=0.0, keep_last=True)
    train(members, rows, settings, key)
    plain_seconds(module, x, classes, batch)
    ratios, alone, together = [], [], []
    for _ in range(RUNS):
        before = plain_seconds(module, x, classes, batch)
        start = time.process_time()
        train(members, rows, settings, key)
        steps = settings.epochs(len(x)) * -(-len(x) // batch)
        engine = (time.process_time() - start) / (steps * MEMBERS)
        after = plain_seconds(module, x, classes, batch)
        alone, together, ratios = [*alone, before, after], [*together, engine], [*ratios, (before + after) / 2 / engine]
    ratio, wanted = statistics.median(ratios), "" if target is None else f"{target:g}"
    each = ", ".join(f"{value:.1f}" for value in ratios)
    us = [f"{statistics.median(seconds) * 1e6:.0f}" for seconds in (alone, together)]
    return f"| {name} | {batch} | {us[0]} | {us[1]} | {ratio:.1f} ({each}) | {wanted} |"


def main() -> None:
    torch.set_num_threads(1)
    torch.manual_seed(0)
    images, tokens = torch.rand(160, 1, 8, 8), torch.randint(0, 16, (160, 8))
    lines = [
        f"{processor()}, {os.cpu_count()} cores, one thread; Python {platform.python_version()}, torch {torch.__version__}; "
        f"load {os.getloadavg()[0]:.1f}",
        "",
        f"| module, {MEMBERS} members | batch | alone, us a step | a member, us a step | ratio, median of {RUNS} (all) | target |",
        "|---|---|---|---|---|---|",
        row_of("convolutions, 8 and 16 channels", Images, images, 8, 4),
        row_of("convolutions, 8 and 16 channels", Images, images, 32, None),
        row_of("transformer of width 32", Tokens, tokens, 8, 6),
        row_of("transformer of width 32", Tokens, tokens, 32, None),
    ]
    print("\n".join(lines))
    write_file(OUT, ("\n".join(lines) + "\n").encode())


if __name__ == "__main__":
    main()
