"""What the study of even digits compares: teachers, and small networks that are made from them or trained from scratch.

H = hidden units of a teacher.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from torch import Tensor

from ...data import Data
from ...mlp.export import network_of
from ...mlp.population import Population
from ...mlp.training import train
from ...models.network import SparseNetwork
from ...models.shape import Shape
from ...models.sparse_module import SparseModule
from ...narrow.engines import engine_of
from ...narrow.lasso import Lasso
from ...narrow.narrowing import run_of
from ...narrow.results import NarrowResult
from ...narrow.settings import LASSO, NarrowSettings
from ...randomness import fold, keys
from ...settings import RoundSettings
from ...store import Row
from ...tasks.task import Task
from ..common.agreement import agreement_of, attributions_of, rounded

__all__ = [
    "BATCH", "MIXING", "NOISE", "ORDER_OF_TEACHING", "SCORED", "TEACHER_BATCH", "TEACHER_RATE", "TEACHING", "TEMPERATURE", "THRESHOLD",
    "key_of", "small_networks", "teacher_scores", "trained_teacher",
]  # fmt: skip

BATCH = 16  # rows, of every training but that of the teachers
NOISE = 0.3  # standard deviation, of the noise on the pixels in every training
TEACHER_BATCH, TEACHER_RATE = 128, 3e-3
SCORED = 480  # training images that units are scored on, and which count as consumed
TEMPERATURE, MIXING = 20.0, 0.9  # of distillation
THRESHOLD = 0.05  # norm up to which a group counts as dead
TEACHING, ORDER_OF_TEACHING, INITIAL, CHANCE, SHRINKING, ORDER = range(6)  # what each seed's random numbers are for


def key_of(seeds: Sequence[int]) -> Tensor:
    """Keys of seeds."""
    return keys([("mnist-even", seed) for seed in seeds])


def trained_teacher(task: Task, width: int, epochs: int, seed: int) -> SparseNetwork:
    """A network that has learnt to name all digits, as it was in its best epoch."""
    key, shape = key_of([seed]), Shape((task.x.shape[1], width, width, len(task.output_names)), ("relu", "relu", "identity"))
    steps = epochs * -(-len(task.x) // TEACHER_BATCH)
    settings = RoundSettings(steps, TEACHER_BATCH, TEACHER_RATE, weight_decay=0.0, input_noise=NOISE)
    population, score = train(Population.uniform(shape, fold(key, TEACHING)), Data.of(task), settings, fold(key, ORDER_OF_TEACHING))
    return network_of(population, 0, accuracy=float(score.accuracy), origin={"seed": seed, **task.origin})


def teacher_scores(teacher: Any, data: Any, key: Tensor) -> Row:
    """How attribution agrees with ablation in a single teacher, and, in lists, what each of its units scores by either.

    For the even digits, on the training images that pruning scores on.
    """
    scored = data.scored_on(SCORED)
    ablation, attributions = engine_of(teacher).scores["ablation"](teacher, scored, key)[0], attributions_of(teacher, scored, key)
    lists = {"scores": rounded(ablation), "attributions": {kind: rounded(scores) for kind, scores in attributions.items()}}
    return {**agreement_of(ablation, attributions), **lists}


def small_networks(
    method: str,
    teachers: Sequence[SparseNetwork | SparseModule],
    task: Task,
    sizes: Sequence[int],
    *,
    images: int,
    shrinking: int,
    rate: float,
    strength: float | None,
    check_every: int,
    target: float,
    noise: float = NOISE,
) -> NarrowResult:
    """What ``narrow`` makes of a teacher for each seed, with the random numbers of this study.

    ``images`` are those of training until the target at the most, ``shrinking`` those of a group lasso of some ``strength`` before it.
    """
    lasso = LASSO if strength is None else Lasso(strength, "subgradient", bias=False, threshold=THRESHOLD)
    steps, before = (-(-count // BATCH) for count in (images, shrinking))
    settings = NarrowSettings(
        method={"distillation": "distill"}.get(method, method), scope="layer", target=target,
        steps=before if method == "group-lasso" else steps, recovery_steps=steps, batch_size=BATCH, learning_rate=rate,
        check_every=check_every, input_noise=noise, scored_rows=SCORED, lasso=lasso, capture_sizes=True, temperature=TEMPERATURE,
        mixing=MIXING,
    )  # fmt: skip
    run = run_of(teachers, task, None, settings, units=sizes)
    purposes = {"initial": INITIAL, "scores": CHANCE, "group-lasso": SHRINKING, "training": ORDER}
    key = key_of(run.numbers)
    return replace(run, keys={name: fold(key, purpose) for name, purpose in purposes.items()}).result()
