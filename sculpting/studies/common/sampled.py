"""What the studies of tasks without a complete table share: their cells, which go on where they were killed, and their settings."""

from __future__ import annotations

import inspect
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from ...options import DENSE_ROUNDS_UNMARKED, LARGE_EDGE_STEPS, LARGE_UNIT_STEPS
from ...sculptor import SculptResult, sculpt
from ...store import Row, write_rows
from ...study import Progress, run_study, workers
from ...tasks import SETTINGS, Task
from .answers import SEEDS, choose, settings_for, settings_of

__all__ = ["Answer", "answer_sampled", "network_path", "run_sampled", "settings_of_sampled"]

RULES = ("consensus", "sparsest")


@dataclass(frozen=True)
class Answer:
    """What a rule chooses among the candidates of some seeds: a ``Hierarchy``, None where nothing was accepted."""

    seeds: range
    rule: str
    found: Any

    @property
    def columns(self) -> Row:
        """Whose answer it is, and the size of the network that was chosen."""
        network = self.found and self.found.network
        return {
            "seeds": len(self.seeds),
            "seed": self.seeds[0],
            "rule": self.rule,
            "density": network and network.density,
            "edges": network and network.edge_count,
            "units": network and "-".join(map(str, network.unit_counts)),
        }


def answer_sampled(
    task: Task, width: int, depth: int, path: Path, describe: Callable[[SculptResult, Answer], Row], **detection: Any
) -> list[Row]:
    """A row for each answer of a cell: of all four seeds, and of each alone, by consensus and by the sparsest candidate.

    Parameters
    ----------
    task : Task
    width, depth : int
        Units in a hidden layer, and hidden layers.
    path : Path
        Where the network is kept that the consensus of all seeds chooses. Beside it stands the checkpoint of ``sculpt``, until the cell
        is finished.
    describe : callable
        The columns between ``units`` and ``support``.
    **detection
        Passed on to ``consensus`` and ``detect_modules``.

    Returns
    -------
    list of dict
        ``seconds`` of a row are those of the whole cell, times its share of the seeds; of a cell that was killed they are at least those
        of all its rounds of training.
    """
    start = time.perf_counter()
    checkpoint = path.with_suffix(".checkpoint")
    result = sculpt(task.model(width, depth), task, seeds=SEEDS, checkpoint=checkpoint, progress=False, **settings_for(task))
    answers = [_answer(result, seeds, rule, detection) for size in (SEEDS, 1) for seeds in _parts(size) for rule in RULES]
    rows = [{**answer.columns, **describe(result, answer), "support": answer.found and answer.found.support} for answer in answers]
    if answers[0].found is not None:
        answers[0].found.network.save(path)
    seconds = max(time.perf_counter() - start, sum(attempt.seconds for attempt in result.history))
    checkpoint.unlink(missing_ok=True)
    return [{**row, "seconds": round(seconds * row["seeds"] / SEEDS, 3)} for row in rows]


def _parts(size: int) -> list[range]:
    return [range(first, first + size) for first in range(0, SEEDS, size)]


def _answer(result: SculptResult, seeds: range, rule: str, detection: Mapping[str, Any]) -> Answer:
    candidates = [candidate for candidate in result.candidates if candidate.origin["seed"] in seeds]
    return Answer(seeds, rule, choose(candidates, rule, **detection) if candidates else None)


def network_path(folder: str | Path, name: str) -> Path:
    """Where the network of a cell is kept."""
    return Path(folder) / "networks" / f"{name}.safetensors"


def settings_of_sampled(makers: Mapping[str, Callable[..., Task]], **detection: Any) -> dict[str, Any]:
    """What all rows of a study of such tasks depend on: beside the defaults what the kinds of task are given, and how many rows they have.

    Parameters
    ----------
    makers : mapping of str to callable
        What makes the tasks, by kind.
    **detection
        What ``detect_modules`` is given in the place of its defaults.
    """
    large = {
        "sculpt.tolerance": inspect.signature(sculpt).parameters["tolerance"].default,
        "sculpt.dense_rounds_unmarked": DENSE_ROUNDS_UNMARKED,
        "sculpt.large_unit_steps": LARGE_UNIT_STEPS,
        "sculpt.large_edge_steps": LARGE_EDGE_STEPS,
        "task.activation": Task.activation,
        "task.edge_score": Task.edge_score,
    }
    given = {f"{kind}.{name}": value for kind in makers for name, value in SETTINGS.get(kind, {}).items()}
    rows = {
        f"{kind}.{name}": parameter.default
        for kind, maker in makers.items()
        for name, parameter in inspect.signature(maker).parameters.items()
        if isinstance(parameter.default, int)
    }
    return {**settings_of(1), **{f"detect_modules.{name}": value for name, value in detection.items()}, **large, **given, **rows}


def run_sampled(
    cells: Mapping[str, Mapping[str, Any]],
    work: Callable[..., list[Row]],
    folder: str | Path,
    settings: Mapping[str, Any],
    jobs: int,
    progress: Progress,
) -> list[Row]:
    """The rows of all cells, which are told the folder, written as ``rows.csv`` and ``rows.json`` too."""
    with workers(jobs) as executor:
        rows = run_study(cells, partial(work, folder=folder), folder, settings=settings, executor=executor, progress=progress, others=True)
    for name in ("rows.csv", "rows.json"):
        write_rows(rows, Path(folder) / name)
    return rows
