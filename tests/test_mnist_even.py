"""Naming one digit: which images are in which part, and training with a watch hook and with noise."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from sculpting import tasks
from sculpting.data import Data
from sculpting.mlp.population import Population
from sculpting.mlp.training import train
from sculpting.models.shape import Shape
from sculpting.narrow import chains, learn
from sculpting.randomness import keys
from sculpting.settings import RoundSettings
from sculpting.tasks import mnist_even
from sculpting.tasks.digits import Digits, read_digits
from sculpting.tasks.mnist_even import EVEN, mnist_digits


def rows_of(x: torch.Tensor) -> list[bytes]:
    return [row.numpy().tobytes() for row in x]


@pytest.mark.parametrize("digits", [range(10), EVEN, (7, 1)])
def test_every_image_of_the_digits_is_in_one_part_with_its_label(digits: tuple[int, ...]) -> None:
    task = mnist_digits(digits, source="digits")
    train_digits, test_digits = read_digits("digits")
    kept = [np.isin(part.labels, digits) for part in (train_digits, test_digits)]
    assert task.x_test is not None
    assert task.y_test is not None
    assert torch.equal(task.x_test * 16, torch.from_numpy(test_digits.images[kept[1]].reshape(-1, 64)).float())
    assert task.y_test.argmax(dim=1).tolist() == test_digits.labels[kept[1]].tolist()
    for digit in digits:
        images = torch.from_numpy(train_digits.images[train_digits.labels == digit].reshape(-1, 64)).float() / 16
        held_out = len(images) // 6
        assert torch.equal(task.x[task.y[:, digit] == 1], images[:-held_out])
        assert torch.equal(task.x_validation[task.y_validation[:, digit] == 1], images[-held_out:])
    for y in (task.y, task.y_validation, task.y_test):
        assert torch.equal(y.sum(dim=1), torch.ones(len(y)))
        assert set(y.argmax(dim=1).tolist()) == set(digits)
    assert (task.loss, task.image, task.complete) == ("ce", (8, 8), False)
    assert (task.input_names[9], task.output_names) == ("1,1", tuple("0123456789"))
    assert (float(task.x.min()), float(task.x.max())) == (0.0, 1.0)


def test_the_parts_of_some_digits_are_those_of_all() -> None:
    every, even = (mnist_digits(digits, source="digits") for digits in (range(10), EVEN))
    assert set(rows_of(even.x)) <= set(rows_of(every.x))
    assert set(rows_of(even.x_validation)) <= set(rows_of(every.x_validation))
    assert not set(rows_of(even.x_validation)) & set(rows_of(every.x))
    assert (every.name, even.name, mnist_digits((8, 6, 4, 2, 0), source="digits").name) == ("mnist-digits", "mnist-even", "mnist-even")
    assert tasks.mnist_digits is mnist_digits


@pytest.mark.parametrize("digits", [(), (3,), (3, 3), (3, 10), (-1, 3), (2, 2, 4)])
def test_repeated_or_unknown_digits_are_refused(digits: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"digits must be at least two different digits of 0\.\.\.9; got \["):
        mnist_digits(digits, source="digits")


def test_too_few_images_of_a_digit_are_refused_where_it_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    def images(name: str, *labels: int) -> Digits:
        return Digits(np.zeros((len(labels), 2, 2), dtype=np.uint8), np.array(labels, dtype=np.uint8), 255, name)

    few = images("these", 0, 0, 2, 2, 5), images("those", 0, 2, 5)
    monkeypatch.setattr(mnist_even, "read_digits", lambda source, data_dir: few)
    assert mnist_digits((0, 2)).x.shape == (2, 4)
    with pytest.raises(ValueError, match="these must have at least 2 of each digit, one for training and one for validation; got 1 of 5"):
        mnist_digits((0, 5))
    few = few[0], images("those", 0, 5)
    with pytest.raises(ValueError, match="those must have at least 1 of each digit, for testing; got 0 of 2"):
        mnist_digits((0, 2))


# --- Training that is watched -------------------------------------------------------------------------------------------------


def fresh(seeds: int) -> tuple[Population, Data, torch.Tensor]:
    task, key = tasks.cmsp(1, 2), keys(range(seeds))
    return Population.uniform(Shape((3, 8, 1), ("relu", "identity")), key), Data.of(task), key


def test_training_can_be_watched_and_ended() -> None:
    population, data, key = fresh(3)
    seen: list[tuple[list[int], int, torch.Tensor]] = []

    def watch(members: torch.Tensor, part: Population, examples: int) -> bool:
        seen.append((members.tolist(), examples, part.values.clone()))
        return examples >= 24

    options: dict[str, Any] = {"batch_size": 4, "learning_rate": 0.01, "check_every": 2}
    learnt = learn(population, data, key, steps=50, watch=watch, **options)
    assert [(members, examples) for members, examples, _ in seen] == [([0, 1, 2], 8), ([0, 1, 2], 16), ([0, 1, 2], 24)]
    assert torch.equal(learnt.population.values, seen[-1][2])
    assert learnt.consumed.tolist() == [24] * 3
    plain = learn(population, data, key, steps=6, **options)
    assert torch.equal(plain.population.values, learnt.population.values)


def test_members_that_have_reached_the_target_are_not_watched() -> None:
    population, data, key = fresh(2)
    done = learn(population, data, key, steps=800, batch_size=4, learning_rate=0.02, target=1.0).population
    mixed = Population(done.shape, torch.stack([done.values[0], population.values[1]]), done.mask, done.own)
    members: set[int] = set()

    def watch(rows: torch.Tensor, part: Population, examples: int) -> bool:
        members.update(rows.tolist())
        return False

    learn(mixed, data, key, steps=4, batch_size=4, learning_rate=0.01, check_every=1, target=1.0, watch=watch)
    assert members == {1}


def test_noise_on_the_inputs_is_that_of_the_round(monkeypatch: pytest.MonkeyPatch) -> None:
    population, data, key = fresh(2)
    given: list[RoundSettings] = []

    def spy(population: Population, data: Data, settings: RoundSettings, *arguments: Any, **options: Any) -> Any:
        given.append(settings)
        return train(population, data, settings, *arguments, **options)

    monkeypatch.setattr(chains, "train", spy)
    ends = [learn(population, data, key, steps=3, batch_size=4, learning_rate=0.01, input_noise=noise).population for noise in (0.0, 0.5)]
    assert [settings.input_noise for settings in given] == [0.0, 0.5]
    assert not torch.equal(ends[0].values, ends[1].values)
