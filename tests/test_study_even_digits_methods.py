"""The methods of the study of even digits: teachers, and what it asks of ``narrow``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
import torch

from sculpting import SparseNetwork
from sculpting.data import Data
from sculpting.mlp.population import Population
from sculpting.mlp.scores import unit_random, unit_sensitivity
from sculpting.mlp.training import evaluate
from sculpting.models.shape import Shape
from sculpting.narrow import Lasso, NarrowResult, TrainingResult, distilled, learn, lowest
from sculpting.narrow.groups import read_finite, without_groups
from sculpting.randomness import fold, keys
from sculpting.studies.even_digits.cells import METHODS, TARGET, Protocol
from sculpting.studies.even_digits.methods import CHANCE, INITIAL, ORDER, SHRINKING, small_networks, trained_teacher
from sculpting.tasks.mnist_even import EVEN, mnist_digits

SMALL = Protocol(24, 12, (12, 24), 2, dict.fromkeys(METHODS, (5e-3,)), (0.1,), check_every=4, images=6000, shrinking=6000)
LASSO = Lasso(0.1, "subgradient", bias=False, threshold=0.05)
KEY = keys([("mnist-even", seed) for seed in (0, 1)])


@pytest.fixture(scope="module")
def networks() -> list[SparseNetwork]:
    """The teachers of the small study."""
    every = mnist_digits(source="digits")
    return [trained_teacher(every, SMALL.width, SMALL.epochs, seed) for seed in range(SMALL.seeds)]


@pytest.fixture(scope="module")
def even() -> Data:
    return Data.of(mnist_digits(EVEN, source="digits"))


@pytest.fixture(scope="module")
def teachers(networks: list[SparseNetwork]) -> Population:
    chains = [read_finite(network) for network in networks]
    return Population.of(chains[0].shape, torch.stack([chain.values for chain in chains]))


def made(networks: list[SparseNetwork], method: str, sizes: list[int], **other: Any) -> NarrowResult:
    given = {"images": 640, "shrinking": 20_000, "rate": 5e-3, "strength": None, "check_every": 4, "target": TARGET}
    return small_networks(method, networks, mnist_digits(EVEN, source="digits"), sizes, **{**given, **other})


def trained(start: Population, data: Data, rows: slice = slice(None)) -> TrainingResult:
    """The training of the study, from some networks on."""
    options = {"steps": 40, "batch_size": 16, "learning_rate": 5e-3, "target": TARGET, "check_every": 4, "input_noise": 0.3}
    return learn(start.select(torch.arange(2)[rows]), data, fold(KEY, ORDER)[rows], **options)


def check(result: NarrowResult, expected: TrainingResult, before: Sequence[int]) -> None:
    """Accuracies and images are those of a training, to the last bit, with so many images of each seed before it; weights too."""
    assert [one.accuracy_validation for one in result.narrowed] == expected.score.accuracy.tolist()
    assert [one.examples for one in result.narrowed] == [
        first + used for first, used in zip(before, expected.consumed.tolist(), strict=True)
    ]
    for row, one in enumerate(result.narrowed):
        last = expected.population.shape.weights(expected.population.values)[-1][row]
        assert set(one.network.weights[-1].flatten().tolist()) <= set(last.flatten().tolist())


def test_a_teacher_names_all_digits_and_is_its_own_for_each_seed(networks: list[SparseNetwork], teachers: Population) -> None:
    every = mnist_digits(source="digits")
    again = trained_teacher(every, SMALL.width, SMALL.epochs, 0)
    first, second = networks
    assert all((a == b).all() for a, b in zip(again.weights, first.weights, strict=True))
    assert not (first.weights[0] == second.weights[0]).all()
    assert (first.widths, first.activations, first.head) == ((64, 24, 24, 10), ("relu", "relu", "identity"), None)
    score = evaluate(teachers, Data.of(every))
    assert score.accuracy.tolist() == pytest.approx([first.accuracy, second.accuracy])
    assert min(score.accuracy) > 0.85


def test_training_from_scratch_is_that_of_learn(networks: list[SparseNetwork], even: Data) -> None:
    start = Population.uniform(Shape((64, 6, 6, 10), ("relu", "relu", "identity")), fold(KEY, INITIAL))
    check(made(networks, "scratch", [12]), trained(start, even), [0, 0])


@pytest.mark.parametrize(("method", "score", "images"), [("activation-gradient", unit_sensitivity, 480), ("random", unit_random, 0)])
def test_pruning_takes_the_lowest_of_each_layer_and_counts_what_it_scored_on(
    method: str, score: Any, images: int, networks: list[SparseNetwork], teachers: Population, even: Data
) -> None:
    on_training = replace(even, x_validation=even.x[:, :480], y_validation=even.y[:, :480])
    scores = score(teachers, on_training, fold(KEY, CHANCE))
    start = without_groups(teachers, lowest(scores, teachers, 0.75, "layer"))
    result = made(networks, method, [12])
    check(result, trained(start, even), [images] * 2)
    stages = [stage for stage in result.history if stage.phase == "pruned"]
    assert [(stage.units, stage.examples) for stage in stages] == [(12, images)] * 2


def test_each_student_learns_from_the_teacher_of_its_seed(networks: list[SparseNetwork], teachers: Population, even: Data) -> None:
    start = Population.uniform(Shape((64, 12, 12, 10), ("relu", "relu", "identity")), fold(KEY, INITIAL))
    result = made(networks, "distillation", [24])
    for row in (0, 1):
        expected = trained(start, distilled(even, teachers.select([row]), "ce", 0.9, 20.0), slice(row, row + 1))
        check(replace(result, narrowed=result.narrowed[row : row + 1]), expected, [0])


def test_a_group_lasso_gives_each_size_as_it_is_first_there(networks: list[SparseNetwork], teachers: Population, even: Data) -> None:
    result = made(networks, "group-lasso", [12, 24], strength=0.1)
    captured = [stage for stage in result.history if stage.phase == "pruned"]
    for one, stage in zip(result.narrowed, captured, strict=True):
        path = [point for point in result.path if point.seed == one.seed]
        assert [point.examples for point in path[:3]] == [64, 128, 192]
        first = next(point for point in path if point.units <= one.asked)
        assert (stage.examples, stage.units) == (first.examples, first.units)
        assert 0 < stage.units <= one.asked
        assert one.examples >= stage.examples
    # Of one size: what a group lasso that ends there leaves, trained until the target.
    alone, starts = made(networks, "group-lasso", [24], strength=0.1), []
    for row, stage in enumerate(captured[2:]):
        whole = learn(
            teachers, even, fold(KEY, SHRINKING), steps=2_000, batch_size=16, learning_rate=5e-3, check_every=4, lasso=LASSO,
            input_noise=0.3, watch=lambda members, networks, examples, last=stage.examples: examples >= last,
        )  # fmt: skip
        starts.append(LASSO.without_dead(whole.population).select([row]))
    check(alone, trained(starts[0].joined(starts[1]), even), [stage.examples for stage in captured[2:]])


def test_what_never_shrinks_is_not_reached(networks: list[SparseNetwork]) -> None:
    result = made(networks, "group-lasso", [12, 24], strength=1e-6, shrinking=1_000, rate=1e-4)
    captured = [stage for stage in result.history if stage.phase == "pruned"]
    assert [(stage.units, stage.examples) for stage in captured] == [(48, 1_246)] * 4  # two epochs of 623 images hold the thousand
    assert not any(one.reached for one in result.narrowed)
