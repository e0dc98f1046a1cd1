"""The cells of the study of even digits: teachers, and small networks made from them or trained from scratch.

N = seeds.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from ...models.network import SparseNetwork
from ...models.sparse_module import SparseModule
from ...narrow.engines import engine_of
from ...narrow.learning import evaluate_in_parts
from ...narrow.reading import read_narrow
from ...store import Row
from ...study import CellResult
from ...tasks.mnist_even import EVEN, mnist_digits
from ...tasks.task import Task
from ..common.agreement import AGREEMENT_COLUMNS, KINDS, LISTS
from ..common.networks import module_from, network_bytes, network_file, network_from
from .convolutions import ConvolutionalNetwork, conv_teacher, in_images
from .methods import (
    BATCH,
    MIXING,
    NOISE,
    SCORED,
    TEACHER_BATCH,
    TEACHER_RATE,
    TEMPERATURE,
    THRESHOLD,
    key_of,
    small_networks,
    teacher_scores,
    trained_teacher,
)

__all__ = ["METHODS", "PROTOCOLS", "TARGET", "Protocol", "cells_of", "even_cell", "needs_of", "settings_of"]

METHODS = ("scratch", "distillation", "activation-gradient", "random", "group-lasso")
TARGET = 0.97  # accuracy on the even digits at which training ends
SETTINGS = {
    "batch": BATCH, "noise": NOISE, "teacher_batch": TEACHER_BATCH, "teacher_rate": TEACHER_RATE, "scored": SCORED,
    "temperature": TEMPERATURE, "mixing": MIXING, "threshold": THRESHOLD,
}  # fmt: skip
NOT_SCORED: Mapping[str, None] = dict.fromkeys((*AGREEMENT_COLUMNS, *LISTS))


@dataclass(frozen=True)
class Protocol:
    """Teachers of two hidden layers of ``width`` units, and the small networks that are made from them.

    ``sizes`` are hidden units of both layers together, ``rates`` the learning rates that a method is tried with, and ``strengths`` those
    of a group lasso. After every ``check_every`` steps the accuracy of a network is checked. Training towards the target ends after
    ``images`` at the latest, and the group lasso before it after ``shrinking``; both are rounded up to whole epochs.
    """

    width: int
    epochs: int
    sizes: tuple[int, ...]
    seeds: int
    rates: Mapping[str, tuple[float, ...]]
    strengths: tuple[float, ...]
    check_every: int
    images: int
    shrinking: int

    @property
    def units(self) -> int:
        """Hidden units of a teacher."""
        return 2 * self.width

    @property
    def noise_level(self) -> float:
        """Standard deviation of the noise on the pixels in every training."""
        return NOISE

    def task(self, task: Task) -> Task:
        """The task in the form that the networks take."""
        return task

    def teacher(self, every: Task, seed: int) -> SparseNetwork | SparseModule:
        """A network that has learnt all digits."""
        return trained_teacher(every, self.width, self.epochs, seed)

    def read(self, content: bytes, task: Task) -> SparseNetwork | SparseModule:
        """The teacher of a file, for the images of a task."""
        return network_from(content)

    @cached_property
    def cells(self) -> dict[str, dict[str, Any]]:
        """The arguments of every cell but those of the teachers, by its name: all seeds, one size, or for a group lasso all sizes."""
        alone = {
            f"{method}_units{units}_rate{rate:g}": {"method": method, "units": [units], "rate": rate, "strength": None}
            for method in METHODS[:-1]
            for units in self.sizes
            for rate in self.rates[method]
        }
        lasso = METHODS[-1]
        return alone | {
            f"{lasso}_rate{rate:g}_strength{strength:g}": {"method": lasso, "units": [*self.sizes], "rate": rate, "strength": strength}
            for rate in self.rates[lasso]
            for strength in self.strengths
        }


@dataclass(frozen=True)
class ConvolutionalProtocol(Protocol):
    """Teachers of two convolutions of ``channels`` and a hidden layer of ``width`` units; ``noise`` as for ``narrow``."""

    channels: tuple[int, int] = (8, 16)
    noise: float = 0.1

    @property
    def units(self) -> int:
        """Channels and hidden units of a teacher."""
        return sum(self.channels) + self.width

    @property
    def noise_level(self) -> float:
        """Standard deviation of the noise on the pixels in every training."""
        return self.noise

    def task(self, task: Task) -> Task:
        """The task with images in place of columns."""
        return in_images(task)

    def teacher(self, every: Task, seed: int) -> SparseModule:
        """A network that has learnt all digits."""
        return conv_teacher(every, self.channels, self.width, self.epochs, self.noise, seed)

    def read(self, content: bytes, task: Task) -> SparseModule:
        """The teacher of a file, for the images of a task."""
        return module_from(content, ConvolutionalNetwork(self.channels, self.width, task.x.shape[-1]))


GRID = (4e-4, 1e-3, 3e-3, 6e-3)
PROTOCOLS: dict[str, Protocol] = {
    "reduced": Protocol(
        400, 20, (30, 50, 100, 200, 400, 600), 5, dict.fromkeys(METHODS, (1e-3, 3e-3)), (5e-3, 1e-2),
        check_every=20, images=240_000, shrinking=40_000,
    ),
    "full": Protocol(
        1200, 20, (24, 30, 50, 70, 100, 160, 200, 280, 400, 600, 800, 1200, 1600, 2000), 10,
        {
            "scratch": (*GRID, 5e-3), "distillation": GRID, "activation-gradient": GRID, "random": GRID,
            "group-lasso": (4e-4, 8e-4, 1e-3, 2e-3, 3e-3, 5e-3, 8e-3),
        },
        (1e-3, 3e-3, 4e-3, 5e-3, 6.5e-3, 8e-3), check_every=115, images=600_000, shrinking=50_000,
    ),
    "convolutional": ConvolutionalProtocol(
        64, 20, (22, 44), 2, dict.fromkeys(METHODS, (3e-3,)), (2e-2, 5e-2), check_every=20, images=24_000, shrinking=16_000,
    ),
}  # fmt: skip


def teacher_name(seed: int) -> str:
    """The name of the cell of a teacher."""
    return f"teacher_seed{seed}"


def cells_of(protocol: str) -> dict[str, dict[str, Any]]:
    """The arguments of all cells, by their names: teachers first."""
    known = PROTOCOLS[protocol]
    return {**{teacher_name(seed): {"seed": seed} for seed in range(known.seeds)}, **known.cells}


def needs_of(protocol: str) -> dict[str, list[str]]:
    """All small networks need all teachers."""
    known = PROTOCOLS[protocol]
    return {name: [teacher_name(seed) for seed in range(known.seeds)] for name in known.cells}


def settings_of(protocol: str, source: str, task: Task) -> dict[str, Any]:
    """What all rows of a protocol depend on; ``task`` is that of the images."""
    return {
        **asdict(PROTOCOLS[protocol]), **SETTINGS, "target": TARGET, "source": source, "scores": ["ablation", *KINDS],
        "training": len(task.x), "validation": len(task.x_validation), "noise": PROTOCOLS[protocol].noise_level,
    }  # fmt: skip


def even_cell(
    *, protocol: str, source: str, data_dir: str | Path | None, files: Mapping[str, bytes] | None = None, **arguments: Any
) -> CellResult:
    """A teacher, where the argument is a ``seed``; small networks otherwise, for which ``files`` has all teachers."""
    start = time.perf_counter()
    known = PROTOCOLS[protocol]
    every, even = (known.task(mnist_digits(digits, source=source, data_dir=data_dir)) for digits in (range(10), EVEN))
    if files is None:
        return _teacher(start, known, every, even, **arguments)
    return CellResult(_small(start, known, even, files, **arguments))


def _teacher(start: float, known: Protocol, every: Task, even: Task, seed: int) -> CellResult:
    """The row of a teacher, with what each of its hidden units scores, and its network.

    ``scores`` are by ablation; ``attributions`` by each kind of attribution.
    """
    network = known.teacher(every, seed)
    models = read_narrow([network]).fitted(even)
    teacher = models.population(models.device)
    engine = engine_of(teacher)
    data, tested = engine.rows(teacher, even), engine.rows(teacher, _tested(even))
    validation, test = (evaluate_in_parts(teacher, rows).accuracy.item() for rows in (data, tested))
    scored = teacher_scores(teacher, data, key_of([seed]))
    units, images = sum(engine.widths(teacher)), known.epochs * len(every.x)
    facts = ["teacher", units, seed, TEACHER_RATE, None, units, images, validation >= TARGET, validation, test, None]
    row = _row(*facts, seconds=time.perf_counter() - start, scored=scored)
    return CellResult([row], {network_file(teacher_name(seed)): network_bytes(network)})


def _small(
    start: float,
    known: Protocol,
    even: Task,
    files: Mapping[str, bytes],
    method: str,
    units: list[int],
    rate: float,
    strength: float | None,
) -> list[Row]:
    """The rows of a method at some sizes and one learning rate, of all seeds."""
    teachers = [known.read(files[network_file(teacher_name(seed))], even) for seed in range(known.seeds)]
    result = small_networks(
        method, teachers, even, units, images=known.images, shrinking=known.shrinking, rate=rate, strength=strength,
        check_every=known.check_every, target=TARGET, noise=known.noise_level,
    )  # fmt: skip
    stages = [stage for stage in result.history if stage.phase == "learnt"]
    curves = {seed: [point[1:] for point in result.path if point.seed == seed] for seed in range(known.seeds)}
    rows, seconds = [], (time.perf_counter() - start) / len(stages)
    for one, stage in zip(result.narrowed, stages, strict=True):
        curve = curves[one.seed] if one.asked == min(units) else []
        facts = [stage.units, one.examples, one.reached, one.accuracy_validation, one.accuracy_keep, curve or None]
        rows.append(_row(method, one.asked, one.seed, rate, strength, *facts, seconds=seconds))
    return rows


def _row(*values: Any, seconds: float, scored: Mapping[str, Any] = NOT_SCORED) -> Row:
    names = (
        "method", "asked", "seed", "learning_rate", "strength", "units", "images", "reached", "validation_accuracy", "test_accuracy",
        "curve",
    )  # fmt: skip
    return {**dict(zip(names, values, strict=True)), **scored, "seconds": round(seconds, 3)}


def _tested(task: Task) -> Task:
    """A task judged on its test images."""
    assert task.x_test is not None
    assert task.y_test is not None
    return replace(task, x_validation=task.x_test, y_validation=task.y_test)
