"""What a monitor says of batches: of a changed task, of changed inputs, and where nothing changed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from ...models.network import SparseNetwork
from ...monitoring import monitor
from ...resculpting.parts import Wiring
from ...store import Row
from ...tasks import Task
from .bases import Base
from .changing import Change

__all__ = ["BATCHES", "BATCH_ROWS", "OFTEN", "RATE", "REFERENCE_ROWS", "alarms_of"]

RATE, REFERENCE_ROWS, BATCH_ROWS, BATCHES = 0.01, 512, 64, 100
NOISE = 0.1  # on the inputs of rows of a table
OFTEN = 0.9  # how often an input is 1 that was so half of the time
COLUMNS = ("alarm", "batches", "false_alarms", "false_alarms_modules", "inputs", "inputs_seen", "inputs_right")

Rows = tuple[Any, Any]


def alarms_of(network: SparseNetwork, base: Base, change: Change, modules: Any) -> Row:
    """The columns of the monitor. An output that is added cannot be seen by it."""
    random = np.random.default_rng(len(base.task.y))
    reference, batches = _sample(base, change.task, random) if base.sampled else _of_table(base.task, change.task, random)
    row: Row = dict.fromkeys(COLUMNS)
    if change.is_none:
        some = [next(batches) for _ in range(BATCHES)]
        row |= {"batches": BATCHES, "false_alarms": _count(network, some, reference),
                "false_alarms_modules": _count(network, some, reference, modules=modules)}  # fmt: skip
        return row if base.sampled else row | _of_inputs(network, base.task, reference, modules, random)
    if not change.adds:
        row["alarm"] = bool(_count(network, [next(batches)], reference))
    return row


def _count(network: SparseNetwork, batches: list[Rows], reference: Rows, **options: Any) -> int:
    return sum(alarm.changed for alarm in monitor(network, batches, reference, rate=RATE, **options))


def _of_table(before: Task, after: Task, random: np.random.Generator) -> tuple[Rows, Iterator[Rows]]:
    """Rows of the tables, drawn at random, with noise on the inputs."""
    return next(_drawn(before, random, REFERENCE_ROWS)), _drawn(after, random, BATCH_ROWS)


def _drawn(task: Task, random: np.random.Generator, rows: int) -> Iterator[Rows]:
    while True:
        drawn = random.integers(len(task.y), size=rows)
        x = task.x.numpy()[drawn]
        yield x + random.normal(size=x.shape) * NOISE, task.y.numpy()[drawn].astype(int)


def _sample(base: Base, after: Task, random: np.random.Generator) -> tuple[Rows, Iterator[Rows]]:
    """Test rows: some as the reference, and batches of the others."""
    assert base.task.y_test is not None
    assert after.y_test is not None
    x, targets = base.task.x_test.numpy(), [task.y_test.numpy().astype(int) for task in (base.task, after)]  # type: ignore[union-attr]
    order = random.permutation(len(x))
    first, rest = order[:REFERENCE_ROWS], order[REFERENCE_ROWS:]
    batches = (random.choice(rest, BATCH_ROWS, replace=False) for _ in iter(int, 1))
    return (x[first], targets[0][first]), ((x[some], targets[1][some]) for some in batches)


def _of_inputs(network: SparseNetwork, task: Task, reference: Rows, modules: Any, random: np.random.Generator) -> Row:
    """Of all inputs that a network reads, one after the other more often 1: whether that is seen, and only in modules that depend on it."""
    origins = Wiring.of(network.masks).origins
    read = [i for i in range(network.widths[0]) if network.weights[0][:, i].any()]
    seen = right = 0
    for i in read:
        shares = np.where(task.x[:, i] == 1, OFTEN, 1 - OFTEN)
        drawn = random.choice(len(task.y), size=BATCH_ROWS, p=shares / shares.sum())
        x = task.x.numpy()[drawn]
        [alarm] = monitor(network, [x + random.normal(size=x.shape) * NOISE], reference, modules=modules, rate=RATE)
        depend = [any(origins[layer][index][i] for layer, index in modules.modules[m].units if layer) for m in alarm.modules]
        seen, right = seen + bool(depend), right + (bool(depend) and all(depend))
    return {"inputs": len(read), "inputs_seen": seen, "inputs_right": right}
