"""The methods of the study of even digits: teachers, and small networks from them or from scratch."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch

from sculpting import SparseNetwork
from sculpting.data import Data
from sculpting.mlp import memory
from sculpting.mlp.population import Population
from sculpting.mlp.scores import unit_sensitivity
from sculpting.mlp.training import evaluate
from sculpting.narrow import Lasso, learn
from sculpting.studies.even_digits import methods as even_methods
from sculpting.studies.even_digits.cells import METHODS, TARGET, Protocol
from sculpting.studies.even_digits.methods import (
    DEAD,
    SCORED,
    Start,
    key_of,
    pruned,
    shrunk,
    taught,
    teachers_of,
    trained_teacher,
    untrained,
)  # fmt: skip
from sculpting.tasks.mnist_even import EVEN, mnist_digits

SMALL = Protocol(24, 12, (12, 24), 2, dict.fromkeys(METHODS, (5e-3,)), (0.1,), check_every=4, images=6000, shrinking=6000)
LASSO = Lasso(0.1, "subgradient", bias=False)


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
    return teachers_of(networks)


def units_of(population: Population) -> list[list[int]]:
    """Live units of each hidden layer, member by member."""
    return torch.stack([alive.sum(dim=1) for alive in population.alive()], dim=1).tolist()


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


def test_untrained_networks_share_their_start(even: Data) -> None:
    three, two = untrained(64, 10, 12, key_of([0, 1, 2])), untrained(64, 10, 12, key_of([0, 1]))
    assert three.population.shape.widths == (64, 6, 6, 10)
    assert torch.equal(three.population.values[:2], two.population.values)
    assert not torch.equal(two.population.values[0], two.population.values[1])
    assert (two.consumed.tolist(), two.small.tolist(), two.curves) == ([0, 0], [True, True], [None, None])


def test_pruning_by_attribution_takes_the_lowest_of_each_layer_and_is_charged(teachers: Population, even: Data) -> None:
    start = pruned("attribution", teachers, even, 12, key_of([0, 1]))
    assert units_of(start.population) == [[6, 6], [6, 6]]
    assert start.consumed.tolist() == [SCORED] * 2 == [480] * 2
    on_training = replace(even, x_validation=even.x[:, :480], y_validation=even.y[:, :480])
    for layer, scores in enumerate(unit_sensitivity(teachers, on_training, key_of([0, 1])).split(24, dim=1)):
        left = start.population.alive()[layer]
        for member in (0, 1):
            assert scores[member][left[member]].min() > scores[member][~left[member]].max()
    few = replace(even, table=even.table[:, :100])
    assert pruned("attribution", teachers, few, 12, key_of([0, 1])).consumed.tolist() == [100] * 2


def test_pruning_at_random_is_free_and_differs_by_seed(teachers: Population, even: Data) -> None:
    twins = teachers.select([0, 0])
    start = pruned("random", twins, even, 24, key_of([0, 1]))
    assert (units_of(start.population), start.consumed.tolist()) == ([[12, 12], [12, 12]], [0, 0])
    assert not torch.equal(start.population.mask[0], start.population.mask[1])
    alike = pruned("attribution", twins, even, 24, key_of([0, 1])).population
    assert torch.equal(alike.mask[0], alike.mask[1])


def test_a_group_lasso_returns_each_size_as_it_is_first_there(teachers: Population, even: Data) -> None:
    key, options = key_of([0, 1]), {"rate": 5e-3, "check_every": 4}
    starts = shrunk(teachers, even, key, LASSO, (12, 24), images=20_000, **options)
    assert list(starts) == [12, 24]
    assert all(start.small.all() for start in starts.values())
    assert starts[24].curves == [None, None]
    for member in (0, 1):
        curve = starts[12].curves[member]
        assert curve is not None
        images, units, accuracies = zip(*curve, strict=True)
        assert images[:3] == (64, 128, 192)
        assert all(0 <= accuracy <= 1 for accuracy in accuracies)
        for size, start in starts.items():
            place = next(place for place, count in enumerate(units) if count <= size)
            assert start.consumed[member] == images[place]
            assert sum(units_of(start.population)[member]) == units[place] > 0
            assert (LASSO.norms(start.population)[member] > DEAD).sum() == units[place]
    # Until then, the same as without a size to stop at.
    seed, consumed = starts[24].population, int(starts[24].consumed[0])
    whole = learn(
        teachers, even, even_methods.fold(key, even_methods.SHRINKING), steps=2_000, batch_size=16, learning_rate=5e-3,
        check_every=4, lasso=LASSO, input_noise=0.3, watch=lambda members, part, examples: examples >= consumed,
    )  # fmt: skip
    assert torch.equal(seed.values[0], (LASSO.without_dead(whole.population, DEAD)).values[0])


def test_a_group_lasso_of_one_after_the_other_ends_for_each_at_the_smallest_size(
    teachers: Population, even: Data, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory, "CACHE", 0)
    starts = shrunk(teachers, even, key_of([0, 1]), LASSO, (12, 24), images=20_000, rate=5e-3, check_every=4)
    for curve in starts[12].curves:
        assert curve is not None
        assert [units <= 12 for _, units, _ in curve] == [False] * (len(curve) - 1) + [True]


def test_what_never_shrinks_is_said_to_be_large(teachers: Population, even: Data) -> None:
    weak = Lasso(1e-6, "subgradient", bias=False)
    starts = shrunk(teachers, even, key_of([0, 1]), weak, (12, 24), images=1_000, rate=1e-4, check_every=4)
    for start in starts.values():
        assert start.small.tolist() == [False, False]
        assert start.consumed.tolist() == [1_246] * 2  # two passes over 623 images hold the thousand
        assert units_of(start.population) == [[24, 24], [24, 24]]


def test_each_student_learns_from_the_teacher_of_its_seed(teachers: Population, even: Data, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[Any, ...]] = []
    distilled = even_methods.distilled

    def spy(data: Data, teacher: Population, *options: Any) -> Data:
        asked.append((teacher.values, *options))
        return distilled(data, teacher, *options)

    monkeypatch.setattr(even_methods, "distilled", spy)
    key, options = key_of([0, 1]), {"images": 640, "rate": 5e-3, "check_every": 4, "target": TARGET}
    start = untrained(64, 10, 24, key)
    parts = taught(start, even, key, teachers, **options)
    assert [part[1:] for part in asked] == [("ce", 0.9, 20.0)] * 2
    assert torch.equal(torch.cat([part[0] for part in asked]), teachers.values)
    (alone,) = taught(
        Start(start.population.select([1]), start.consumed[1:], start.small[1:], [None]), even, key[1:], teachers.select([1]), **options
    )
    assert torch.equal(parts[1].population.values, alone.population.values)
    (plain,) = taught(start, even, key, None, **options)
    assert len(plain.population) == 2
    assert not torch.equal(plain.population.values[:1], parts[0].population.values)
