"""What the study of even digits compares: teachers, and small networks that are made from them or trained from scratch.

N = seeds, H = hidden units of a teacher, K = sizes, P = parameters of a teacher.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from ...data import Data
from ...mlp.ablation import unit_ablation
from ...mlp.export import network_of
from ...mlp.population import Population
from ...mlp.scores import unit_random, unit_sensitivity
from ...mlp.training import train
from ...models.network import SparseNetwork
from ...models.shape import Shape
from ...narrow.distillation import distilled
from ...narrow.groups import read_finite, without_groups
from ...narrow.lasso import Lasso
from ...narrow.learning import TrainingResult, learn
from ...narrow.prune import lowest
from ...randomness import fold, keys
from ...settings import RoundSettings
from ...store import Row
from ...tasks.task import Task
from ..common.agreement import agreement_of, attributions_of, rounded

__all__ = [
    "BATCH", "DEAD", "MIXING", "NOISE", "SCORED", "TEACHER_BATCH", "TEACHER_RATE", "TEMPERATURE", "Start", "key_of", "pruned", "shrunk",
    "taught", "teacher_scores", "teachers_of", "trained_teacher", "untrained",
]  # fmt: skip

BATCH = 16  # rows, of every training but that of the teachers
NOISE = 0.3  # standard deviation, of the noise on the pixels in every training
TEACHER_BATCH, TEACHER_RATE = 128, 3e-3
SCORED = 480  # training images that units are scored on, and which count as consumed
TEMPERATURE, MIXING = 20.0, 0.9  # of distillation
DEAD = 0.05  # norm up to which a group counts as dead
TEACHING, ORDER_OF_TEACHING, INITIAL, CHANCE, SHRINKING, ORDER = range(6)  # what each seed's random numbers are for

Point = tuple[int, int, float]  # images consumed, live units, accuracy on the validation images


@dataclass(frozen=True, eq=False)
class Start:
    """Networks of all seeds and of one size, before they are trained until they are accurate.

    ``consumed (N,)`` images were needed to make them; ``small``, bool ``(N,)``, says which have as few units as they should.
    ``curves`` has for each seed how it shrank, where it did and the size is the last.
    """

    population: Population
    consumed: Tensor
    small: Tensor
    curves: Sequence[list[Point] | None]


def key_of(seeds: Sequence[int]) -> Tensor:
    """Keys of seeds."""
    return keys([("mnist-even", seed) for seed in seeds])


def trained_teacher(task: Task, width: int, epochs: int, seed: int) -> SparseNetwork:
    """A network that has learnt to name all digits, as it was in its best epoch."""
    key, shape = key_of([seed]), _shape(task.x.shape[1], width, len(task.output_names))
    steps = epochs * -(-len(task.x) // TEACHER_BATCH)
    settings = RoundSettings(steps, TEACHER_BATCH, TEACHER_RATE, weight_decay=0.0, input_noise=NOISE)
    population, score = train(Population.uniform(shape, fold(key, TEACHING)), Data.of(task), settings, fold(key, ORDER_OF_TEACHING))
    return network_of(population, 0, accuracy=float(score.accuracy), origin={"seed": seed, **task.origin})


def teachers_of(networks: Sequence[SparseNetwork]) -> Population:
    """Teachers of one shape as a population."""
    chains = [read_finite(network) for network in networks]
    return Population.of(chains[0].shape, torch.stack([chain.values for chain in chains]))


def teacher_scores(teacher: Population, data: Data, key: Tensor) -> Row:
    """How attribution agrees with ablation in a single teacher, and, in lists, what each of its hidden units scores by either.

    For the even digits, on the training images that ``pruned`` scores on: there, activation x gradient is what decides.
    """
    scored = _scored(data)
    ablation, attributions = unit_ablation(teacher, scored)[0], attributions_of(teacher, scored, key)
    lists = {"scores": rounded(ablation), "attributions": {kind: rounded(scores) for kind, scores in attributions.items()}}
    return {**agreement_of(ablation, attributions), **lists}


def untrained(inputs: int, outputs: int, units: int, key: Tensor) -> Start:
    """Untrained networks with half of the units in each hidden layer; of one seed and size, the same for all methods."""
    return _start(Population.uniform(_shape(inputs, units // 2, outputs), fold(key, INITIAL)), 0)


def pruned(method: str, teachers: Population, data: Data, units: int, key: Tensor) -> Start:
    """Teachers without the units of the lowest scores, as many of either layer: mean |activation x gradient|, or chance."""
    scored = _scored(data)
    score, consumed = (unit_sensitivity, scored.x_validation.shape[1]) if method == "attribution" else (unit_random, 0)
    scores, hidden = score(teachers, scored, fold(key, CHANCE)), int(teachers.hidden_counts[0])
    return _start(without_groups(teachers, lowest(scores, teachers, 1 - units / hidden, "layer")), consumed)


def shrunk(
    teachers: Population, data: Data, key: Tensor, lasso: Lasso, sizes: Sequence[int], *, images: int, rate: float, check_every: int
) -> dict[int, Start]:
    """Teachers under a group lasso, each as it was when it first had so few live units: one run of each gives all sizes."""
    found: dict[tuple[int, int], tuple[Tensor, int]] = {}
    counts: list[dict[int, int]] = [{} for _ in range(len(teachers))]

    def watch(members: Tensor, part: Population, consumed: int) -> bool:
        live = (lasso.norms(part) > DEAD).sum(dim=1).tolist()
        for row, member in enumerate(members.tolist()):
            counts[member][consumed] = live[row]
            for size in sizes:
                if live[row] <= size and (size, member) not in found:
                    found[size, member] = part.values[row].clone(), consumed
        return all((size, member) in found for size in sizes for member in members.tolist())

    learnt = learn(
        teachers, data, fold(key, SHRINKING), steps=-(-images // BATCH), batch_size=BATCH, learning_rate=rate, check_every=check_every,
        lasso=lasso, input_noise=NOISE, watch=watch,
    )  # fmt: skip
    curves = _curves(learnt, counts)
    starts = {}
    for size in sizes:
        ends = [
            found.get((size, member), (values, consumed))
            for member, (values, consumed) in enumerate(zip(learnt.population.values, learnt.consumed.tolist(), strict=True))
        ]
        population = lasso.without_dead(Population.of(teachers.shape, torch.stack([values for values, _ in ends])), DEAD)
        small = torch.tensor([(size, member) in found for member in range(len(teachers))])
        shown = curves if size == min(sizes) else [None] * len(teachers)
        starts[size] = Start(population, torch.tensor([consumed for _, consumed in ends]), small, shown)
    return starts


def taught(
    start: Start, data: Data, key: Tensor, teachers: Population | None, *, images: int, rate: float, check_every: int, target: float
) -> list[TrainingResult]:
    """Training until the target: of all seeds together or, where each has a teacher of its own to learn from, seed by seed."""
    groups = [slice(None)] if teachers is None else [slice(row, row + 1) for row in range(len(key))]
    rows = torch.arange(len(key))
    return [
        learn(
            start.population.select(rows[group]),
            data if teachers is None else distilled(data, teachers.select(rows[group]), "ce", MIXING, TEMPERATURE),
            fold(key, ORDER)[group],
            steps=-(-images // BATCH), batch_size=BATCH, learning_rate=rate, target=target, check_every=check_every, input_noise=NOISE,
        )
        for group in groups
    ]  # fmt: skip


def _scored(data: Data) -> Data:
    """Data whose validation images are the training images that units are scored on."""
    return replace(data, x_validation=data.x[:, :SCORED], y_validation=data.y[:, :SCORED])


def _shape(inputs: int, width: int, outputs: int) -> Shape:
    return Shape((inputs, width, width, outputs), ("relu", "relu", "identity"))


def _start(population: Population, consumed: int) -> Start:
    members = len(population)
    return Start(population, torch.full((members,), consumed), torch.ones(members, dtype=torch.bool), [None] * members)


def _curves(learnt: TrainingResult, counts: Sequence[dict[int, int]]) -> list[list[Point] | None]:
    """How each seed shrank, check by check."""
    return [
        [(check.examples, live[check.examples], check.accuracy) for check in learnt.history if check.member == member and check.examples]
        for member, live in enumerate(counts)
    ]
