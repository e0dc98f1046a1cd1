"""The study of even digits: how many training images does a small network need, made from a larger one or trained anew?

N = seeds.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import torch

from ...mlp.population import Population
from ...mlp.training import Data
from ...narrow.lasso import Lasso
from ...narrow.learning import evaluate_in_parts
from ...store import Row, write_rows
from ...study import Progress, run_study, workers
from ...tasks.mnist_even import EVEN, mnist_digits
from ...tasks.task import Task
from ..common.agreement import AGREEMENT_COLUMNS, KINDS, LISTS
from . import methods
from .methods import Start, anew, key_of, pruned, shrunk, taught, teacher_of, teacher_scores, teachers_of

__all__ = ["METHODS", "PROTOCOLS", "TARGET", "Protocol", "even_cell", "even_study", "teacher_cell"]

METHODS = ("scratch", "distillation", "attribution", "random", "group-lasso")
TARGET = 0.97  # accuracy on the even digits at which training ends
SETTINGS = ("BATCH", "NOISE", "TEACHER_BATCH", "TEACHER_RATE", "SCORED", "TEMPERATURE", "MIXING", "FLOOR")
NOT_SCORED: Mapping[str, None] = dict.fromkeys((*AGREEMENT_COLUMNS, *LISTS))


@dataclass(frozen=True)
class Protocol:
    """Teachers of two hidden layers of ``width`` units, and what is to become of them.

    ``sizes`` are hidden units of both layers together, ``rates`` the learning rates that a method is tried with, and ``strengths`` those
    of a group lasso. After every ``check_every`` steps it is asked how accurate a network is. Training towards the target ends after
    ``images`` at the latest, and the group lasso before it after ``shrinking``; both are rounded up to whole passes.
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


GRID = (4e-4, 1e-3, 3e-3, 6e-3)
PROTOCOLS = {
    "reduced": Protocol(
        400, 20, (30, 50, 100, 200, 400, 600), 5, dict.fromkeys(METHODS, (1e-3, 3e-3)), (5e-3, 1e-2),
        check_every=20, images=240_000, shrinking=40_000,
    ),
    "full": Protocol(
        1200, 20, (24, 30, 50, 70, 100, 160, 200, 280, 400, 600, 800, 1200, 1600, 2000), 10,
        {
            "scratch": (*GRID, 5e-3), "distillation": GRID, "attribution": GRID, "random": GRID,
            "group-lasso": (4e-4, 8e-4, 1e-3, 2e-3, 3e-3, 5e-3, 8e-3),
        },
        (1e-3, 3e-3, 4e-3, 5e-3, 6.5e-3, 8e-3), check_every=115, images=600_000, shrinking=50_000,
    ),
}  # fmt: skip


def even_study(
    folder: str | Path,
    *,
    protocol: str = "reduced",
    source: str = "mnist",
    data_dir: str | Path | None = None,
    jobs: int = 1,
    progress: Progress = True,
) -> list[Row]:
    """The rows of the study of even digits; it goes on where a run with the same folder was stopped.

    Teachers learn to name all ten digits. Small networks then learn to name the even ones, on images of these alone, until they are right
    on 97 % of the validation images of even digits: from scratch; by distillation from a teacher; what is left of a teacher once the units
    of the lowest attribution, or units at random, are removed; and what a group lasso leaves of it.

    Parameters
    ----------
    folder : str or Path
        Where cells and teachers are kept, and where ``rows.csv``, ``rows.json``, ``curves.csv`` (units and accuracy under the group lasso,
        by images), ``summary.md`` and the figures ``frontier`` and, of the first teacher, ``attribution`` are written.
    protocol : {"reduced", "full"}
        Teachers of 800 hidden units, six sizes, five seeds, two learning rates for every method and two strengths of the group lasso; or as
        published, of 2,400 units, 14 sizes, ten seeds, and the published grids of learning rates and strengths.
    source, data_dir
        Where the images come from: see :func:`~sculpting.tasks.mnist_digits`. A folder is of one set of images.
    jobs : int
        Processes, each on one thread. A script that asks for several needs ``if __name__ == "__main__":``.
    progress : bool or callable
        A bar by cell with the time left, nothing, or ``progress(cells done, cells in all)``; first of the teachers, then of the rest.

    Returns
    -------
    list of dict
        A row for each teacher, and for each method, size, learning rate, strength and seed: ``method`` (or ``teacher``), ``asked`` (hidden
        units it was to have), ``seed``, ``learning_rate``, ``strength`` (None but for a group lasso), ``units`` (those that it has),
        ``images`` (training images of even digits consumed, each time they were used, for pruning those that units were scored on too;
        for a teacher those of all digits), ``reached`` (whether it was small and accurate by then, otherwise ``images`` is what it had;
        of a teacher, whether it is accurate), ``validation_accuracy`` and ``test_accuracy`` (on even digits, in [0, 1]; nothing was
        decided on the test images); of a teacher how ``first_order`` and ``activation_gradient`` attribution agree with ablation over all
        hidden units, ``first_order_pearson`` and so on (see ``ScoreCorrelation``; None where it is not defined, and in all other rows), all
        scored on the 480 training images of even digits that pruning by attribution scores on, as it is there that its scores decide;
        ``seconds`` (the cell's, shared equally by its rows).

    Raises
    ------
    ValueError, FileNotFoundError
        When the protocol, the source or the images do not fit, ``jobs`` is below 1, or the folder holds something else or a study with
        other settings.
    RuntimeError
        Once all other cells are done, when some failed.

    Notes
    -----
    Published: Michaud, Parker-Sartori and Tegmark, "On the creation of narrow AI", NeurIPS 2025. There training stops on the test images,
    biases and, in some scripts, outgoing weights of pruned units stay alive, scoring is not charged, and the teacher, the same for all
    runs, is regularised by dropout. Here every seed has a teacher of its own, and all trainings have noise on the pixels: without it few
    networks got to 97 % with the 4,110 images of even digits that there are among 10,000. All methods have batches of 16 (published: 64
    from scratch and for distillation) and are tried with the same learning rates, of which the best is reported; a group lasso also with
    several strengths. In the full protocol those of pruning and the group lasso are as published, where scratch and distillation had one
    learning rate; here they have those of pruning. Distillation is by Adam (published: momentum). The group lasso is the published
    subgradient, of weights without biases. Groups that are dead at a check count as gone, and are masked once the size is reached, where
    the penalty ends and training until the target begins: one run gives all sizes. Above 2,000 units nothing is run.
    """
    from .report import write_even_report

    if protocol not in PROTOCOLS:
        raise ValueError(f"protocol must be one of {list(PROTOCOLS)}; got {protocol!r}")
    known, task = PROTOCOLS[protocol], mnist_digits(source=source, data_dir=data_dir)
    settings = {
        **asdict(known), **{name.lower(): getattr(methods, name) for name in SETTINGS}, "target": TARGET, "source": source,
        "scores": ["ablation", *KINDS], "training": len(task.x), "validation": len(task.x_check),
    }  # fmt: skip
    given: dict[str, Any] = {"protocol": protocol, "folder": folder, "source": source, "data_dir": data_dir}
    teachers = {f"teacher_seed{seed}": {"seed": seed} for seed in range(known.seeds)}
    with workers(jobs) as executor:
        run = partial(run_study, folder=folder, settings=settings, executor=executor, progress=progress)
        found = [*run(teachers, partial(teacher_cell, **given)), *run(known.cells, partial(even_cell, **given))]
    rows = [{name: value for name, value in row.items() if name not in ("curve", *LISTS)} for row in found]
    for name in ("rows.csv", "rows.json"):
        write_rows(rows, Path(folder) / name)
    write_even_report(found, Path(folder), protocol)
    return rows


def teacher_cell(seed: int, *, protocol: str, folder: str | Path, source: str, data_dir: str | Path | None) -> list[Row]:
    """The row of a teacher, which is kept in the folder, with what each of its hidden units scores.

    ``scores`` are by ablation; ``attributions`` by each kind of attribution.
    """
    start, known = time.perf_counter(), PROTOCOLS[protocol]
    every, even = (mnist_digits(digits, source=source, data_dir=data_dir) for digits in (range(10), EVEN))
    teacher = teachers_of([teacher_of(_kept(folder, seed), every, known.width, known.epochs, seed)])
    validation, test = (evaluate_in_parts(teacher, data).accuracy.item() for data in (Data.of(even), _tested(even)))
    scored = teacher_scores(teacher, Data.of(even), key_of([seed]))
    units, images = int(teacher.hidden_counts[0]), known.epochs * len(every.x)
    facts = ["teacher", units, seed, methods.TEACHER_RATE, None, units, images, validation >= TARGET, validation, test, None]
    return [_row(*facts, seconds=time.perf_counter() - start, scored=scored)]


def even_cell(
    method: str, units: list[int], rate: float, strength: float | None, *, protocol: str, folder: str | Path, source: str,
    data_dir: str | Path | None,
) -> list[Row]:  # fmt: skip
    """The rows of a method at some sizes and one learning rate, of all seeds; a teacher that is missing is trained."""
    begin, known = time.perf_counter(), PROTOCOLS[protocol]
    every, even = (mnist_digits(digits, source=source, data_dir=data_dir) for digits in (range(10), EVEN))
    teachers = teachers_of([teacher_of(_kept(folder, seed), every, known.width, known.epochs, seed) for seed in range(known.seeds)])
    starts = _starts(known, method, units, rate, strength, teachers, Data.of(even))
    found = [facts for size, start in starts.items() for facts in _rows(known, method, size, start, rate, teachers, even)]
    seconds = (time.perf_counter() - begin) / len(found)
    return [_row(method, asked, seed, rate, strength, *facts, seconds=seconds) for asked, seed, *facts in found]


def _starts(
    known: Protocol, method: str, sizes: list[int], rate: float, strength: float | None, teachers: Population, data: Data
) -> dict[int, Start]:
    """The networks of every size before they are trained."""
    key, ends = key_of(range(known.seeds)), (len(data.x) - 1, len(data.y))
    if strength is not None:
        lasso = Lasso(strength, "subgradient", bias=False)
        return shrunk(teachers, data, key, lasso, sizes, images=known.shrinking, rate=rate, check_every=known.check_every)
    if method in ("scratch", "distillation"):
        return {size: anew(*ends, size, key) for size in sizes}
    return {size: pruned(method, teachers, data, size, key) for size in sizes}


def _rows(known: Protocol, method: str, size: int, start: Start, rate: float, teachers: Population, task: Task) -> list[list[Any]]:
    """For every seed: size, seed, units, images, whether it got there, accuracies, and how it shrank."""
    key = key_of(range(known.seeds))
    told = taught(
        start, Data.of(task), key, teachers if method == "distillation" else None, images=known.images, rate=rate,
        check_every=known.check_every, target=TARGET,
    )  # fmt: skip
    units = torch.cat(start.population.alive(), dim=1).sum(dim=1).tolist()
    images = start.consumed + torch.cat([part.consumed for part in told])
    there = start.small & ~torch.cat([part.examples for part in told]).isnan()
    accuracies = [torch.cat([part.score.accuracy for part in told]).tolist()]
    accuracies += [[a for part in told for a in evaluate_in_parts(part.population, _tested(task)).accuracy.tolist()]]
    columns = zip(range(known.seeds), units, images.tolist(), there.tolist(), *accuracies, start.curves, strict=True)
    return [[size, *values] for values in columns]


def _row(*values: Any, seconds: float, scored: Mapping[str, Any] = NOT_SCORED) -> Row:
    names = (
        "method", "asked", "seed", "learning_rate", "strength", "units", "images", "reached", "validation_accuracy", "test_accuracy",
        "curve",
    )  # fmt: skip
    return {**dict(zip(names, values, strict=True)), **scored, "seconds": round(seconds, 3)}


def _tested(task: Task) -> Data:
    """A task judged on its test images."""
    assert task.x_test is not None
    assert task.y_test is not None
    return Data.of(replace(task, x_check=task.x_test, y_check=task.y_test))


def _kept(folder: str | Path, seed: int) -> Path:
    return Path(folder) / "networks" / f"teacher_seed{seed}.safetensors"
