"""The sizes of `scale.py`: five chains of layers and five modules, the time of a step of each, and the memory of a member.

Process seconds on one thread. Memory is measured in a process of its own, `--memory ENGINE SIZE`, as the difference between the peaks of
two populations.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before torch is loaded

import argparse
import json
import multiprocessing
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from autograd_engine import Images, Tokens
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import FlopCounterMode

from sculpting.autograd import Architecture, ModulePopulation, ModuleRows, fresh_members
from sculpting.autograd import memory as autograd_memory
from sculpting.autograd import training as autograd_training
from sculpting.data import Data
from sculpting.mlp import memory as mlp_memory
from sculpting.mlp import training as mlp_training
from sculpting.mlp.population import Population
from sculpting.models.groups import units
from sculpting.models.shape import Shape
from sculpting.randomness import keys
from sculpting.settings import RoundSettings
from sculpting.tasks import Task

ROWS = 256  # of training, and of validation
REPEATS, SECONDS, MOST_STEPS = 3, 0.25, 512  # runs, of which the fastest counts; process seconds of each; steps at most
HELD, MOST_MEMBERS = 3e8, 2000  # bytes by the estimate, and members at most, of the larger of two populations whose peaks are compared
MEMORY_BATCHES = (16, 128)
FORK = multiprocessing.get_context("fork")


class Picture(nn.Module):
    """Two convolutions and two linear layers on 28 x 28 images."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Conv2d(1, 16, 3, padding=1), nn.Conv2d(16, 32, 3, padding=1)
        self.hidden, self.out = nn.Linear(32 * 49, 64), nn.Linear(64, 10)

    def forward(self, x: Tensor) -> Tensor:
        for convolution in (self.first, self.second):
            x = nn.functional.max_pool2d(torch.relu(convolution(x)), 2)
        return self.out(torch.relu(self.hidden(x.flatten(1))))


def tiny() -> nn.Module:
    return nn.Sequential(nn.Linear(6, 24), nn.ReLU(), nn.Linear(24, 10))


CHAINS = ((6, 24, 3), (8, 60, 60, 60, 8), (392, 98, 98, 20), (784, 300, 100, 10), (1568, 392, 392, 392, 3))
MODULES: dict[str, tuple[Callable[[], nn.Module], Callable[[int], Tensor]]] = {
    "chain 6-24-10": (tiny, lambda rows: torch.rand(rows, 6)),
    "convolutions on 8 x 8": (Images, lambda rows: torch.rand(rows, 1, 8, 8)),
    "transformer of width 32": (Tokens, lambda rows: torch.randint(0, 16, (rows, 8))),
    "convolutions on 28 x 28": (Picture, lambda rows: torch.rand(rows, 1, 28, 28)),
    "transformer of width 256": (lambda: Tokens(256, 8), lambda rows: torch.randint(0, 16, (rows, 8))),
}
# Members and rows of a batch of the measurements of a size: few and many of both, so few that a step takes less than a quarter of a second.
PAIRS = {
    "mlp": (((1, 16), (512, 16), (1, 256), (128, 128)), ((1, 16), (64, 16), (1, 256), (32, 128)), ((1, 16), (16, 16), (1, 256), (8, 128)),
            ((1, 16), (8, 16), (1, 256), (4, 128)), ((1, 16), (4, 16), (1, 256), (4, 128))),
    "autograd": (((1, 16), (512, 16), (1, 256), (128, 128)), ((1, 16), (64, 16), (1, 256), (16, 128)),
                 ((1, 16), (64, 16), (1, 256), (16, 128)), ((1, 16), (8, 16), (1, 128), (4, 64)), ((1, 16), (8, 16), (1, 128), (4, 64))),
}  # fmt: skip
NOISY = (16, 32)  # members and rows of one measurement more of every chain, with noise


@dataclass(frozen=True)
class Size:
    """What one step of a member has to do.

    Attributes
    ----------
    engine : {"mlp", "autograd"}
    name : str
    calls : int
        Calls that all members share: weight layers of a chain, operators in a forward of a module.
    parameters : int
    products : float
        Multiplications in a forward of one row.
    written : float
        Numbers that the operators of a forward write, for one row.
    inputs : int
        Numbers of a row: inputs and, for chains, targets.
    noise : int
        Random numbers of a row with noise: for its inputs and, in chains, hidden units.
    """

    engine: str
    name: str
    calls: int
    parameters: int
    products: float
    written: float
    inputs: int
    noise: int


@dataclass(frozen=True)
class Case:
    """A size, and how to make members of it and to train them: at most so many at once, or as many as the engine chooses for None.

    ``estimate`` gives the bytes that a member takes by the engine, ``groups`` in how many groups it trains members.
    """

    size: Size
    fresh: Callable[[int], Any]
    train: Callable[[Any, RoundSettings, int | None], object]
    estimate: Callable[[RoundSettings], int]
    groups: Callable[[int, RoundSettings], int]


class Counted(TorchDispatchMode):
    """Counts the calls of operators, and the numbers that they write: views write none."""

    calls, written = 0, 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        found = func(*args, **(kwargs or {}))
        self.calls += 1
        if not func.is_view:
            self.written += sum(part.numel() for part in tree_leaves(found) if isinstance(part, Tensor))
        return found


def chain_case(widths: tuple[int, ...], rows: int) -> Case:
    generator = torch.Generator().manual_seed(0)
    x = torch.rand(rows, widths[0], generator=generator)
    y = (torch.rand(rows, widths[-1], generator=generator) > 0.5).float()
    data, shape = Data.of(Task(x, y, "bce", x, y)), Shape(widths, ("relu",) * (len(widths) - 2) + ("identity",))
    written = 2 * sum(widths[1:]) - widths[-1]  # sums of all units, and what becomes of those of hidden ones
    numbers = len(widths) - 1, shape.size, shape.size, written, widths[0] + 1 + widths[-1], sum(widths[:-1])
    size = Size("mlp", "-".join(map(str, widths)), *numbers)

    def fresh(members: int) -> Population:
        return Population.fresh(shape, keys(range(members)))

    def train(members: Population, settings: RoundSettings, most: int | None = None) -> object:
        return mlp_training.train(members, data, settings, keys(range(len(members))), max_members=most)

    def groups(members: int, settings: RoundSettings) -> int:
        return -(-members // mlp_memory.members_that_fit(members, shape, data, settings))

    return Case(size, fresh, train, lambda settings: mlp_memory.bytes_of_member(shape, data, settings), groups)


def module_case(name: str, count: int) -> Case:
    torch.manual_seed(0)
    make, draw = MODULES[name]
    module, x = make(), draw(count)
    y = nn.functional.one_hot(torch.randint(0, 10, (count,)), 10).float()
    rows = ModuleRows.of(Task(x, y, "ce", x, y))
    architecture = Architecture.of(module, units(module, x[:3]), (x[:3],))
    with torch.no_grad(), FlopCounterMode(display=False) as counter, Counted() as counted:
        module(x[:4])
    products, written = counter.get_total_flops() / 2 / 4, counted.written / 4
    size = Size("autograd", name, counted.calls, architecture.size, products, written, x[0].numel(), x[0].numel() * x.is_floating_point())

    def fresh(members: int) -> ModulePopulation:
        return fresh_members(architecture, keys(range(members)))

    def train(members: ModulePopulation, settings: RoundSettings, most: int | None = None) -> object:
        return autograd_training.train(members, rows, settings, keys(range(len(members))), max_members=most)

    def groups(members: int, settings: RoundSettings) -> int:
        return -(-members // autograd_memory.members_that_fit(members, architecture, rows, settings))

    return Case(size, fresh, train, lambda settings: autograd_memory.bytes_of_member(architecture, rows, settings), groups)


def case_of(engine: str, name: str, rows: int = ROWS) -> Case:
    return chain_case(tuple(map(int, name.split("-"))), rows) if engine == "mlp" else module_case(name, rows)


def names(engine: str) -> list[str]:
    return ["-".join(map(str, widths)) for widths in CHAINS] if engine == "mlp" else [*MODULES]


def settings_of(steps: int, batch: int, noise: bool = False) -> RoundSettings:
    return RoundSettings(steps, batch, 0.001, input_noise=0.1 * noise, hidden_noise=0.1 * noise)


def seconds_of(case: Case, members: int, batch: int, noise: bool) -> float:
    """Process seconds of a step of all members, whole epochs with an evaluation after each: the least of several runs."""
    per_epoch, population = -(-ROWS // batch), case.fresh(members)

    def run(epochs: int) -> float:
        start = time.process_time()
        case.train(population, settings_of(epochs * per_epoch, batch, noise), None)
        return (time.process_time() - start) / (epochs * per_epoch)

    once = run(1)
    epochs = max(1, min(int(SECONDS / (once * per_epoch)), MOST_STEPS // per_epoch))
    return min(run(epochs) for _ in range(REPEATS))


def in_a_copy(work: Callable[[], object]) -> tuple[float, int, int]:
    """Process seconds of work in a copy of this process, the bytes that it holds before, and the most that it holds during the work.

    What the work frees is not there for the next, and what it makes is gone with the copy.
    """
    ours, theirs = FORK.Pipe(duplex=False)
    process = FORK.Process(target=lambda: theirs.send(_measured(work)))
    process.start()
    theirs.close()
    try:
        found: tuple[float, int, int] = ours.recv()
    except EOFError as error:
        raise RuntimeError("the copy of the process ended early; see its error above, or the machine has too little memory") from error
    process.join()
    return found


def _measured(work: Callable[[], object]) -> tuple[float, int, int]:
    Path("/proc/self/clear_refs").write_text("5")  # Linux forgets the peak until now
    before, start = _held("VmRSS"), time.process_time()
    work()
    return time.process_time() - start, before, _held("VmHWM")


def _held(name: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(f"{name}:"))


def bytes_in_rounds(engine: str, name: str) -> list[tuple[int, float, int]]:
    """For small and large batches: their rows, bytes of one more member at the peak of a round, and the estimate of the engine.

    Rounds have two batches in an epoch, and as many validation rows.
    """
    found = []
    for batch in MEMORY_BATCHES:
        case, settings = case_of(engine, name, 2 * batch), settings_of(2, batch)
        estimate = case.estimate(settings)
        many = min(max(8, int(HELD / estimate)), MOST_MEMBERS)
        few = max(2, many // 4)
        case.train(case.fresh(2), settings, 2)  # what is loaded at the first use counts for neither
        low, high = (in_a_copy(partial(_round, case, members, settings))[2] for members in (few, many))
        found.append((batch, (high - low) / (many - few), estimate))
    return found


def _round(case: Case, members: int, settings: RoundSettings) -> object:
    return case.train(case.fresh(members), settings, members)


def bytes_measured(engine: str, name: str) -> list[tuple[int, float, int]]:
    """The same from a process of its own."""
    found = subprocess.check_output([sys.executable, __file__, "--memory", engine, name], text=True)
    return [tuple(each) for each in json.loads(found)]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--memory", nargs=2, required=True)
    torch.set_num_threads(1)
    print(json.dumps(bytes_in_rounds(*parser.parse_args().memory)))
