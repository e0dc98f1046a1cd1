"""Training until a target: when members end, what is counted, and what is refused."""

from __future__ import annotations

import pytest
import torch
from rounding import assert_same_to_rounding
from test_training import data_for, make
from torch import Tensor

from sculpting.data import Data
from sculpting.mlp.population import Population
from sculpting.mlp.training import Hooks, evaluate, train
from sculpting.models.shape import Shape
from sculpting.narrow.learning import TrainingResult, learn
from sculpting.randomness import keys
from sculpting.settings import RoundSettings
from sculpting.tasks import cmsp


def parities(width: int = 16, members: int = 4) -> tuple[Population, Data, Tensor]:
    key = keys(range(members))
    return Population.uniform(Shape((3, width, 1), ("relu", "identity")), key), Data.of(cmsp(1, 2)), key


def run(population: Population, data: Data, key: Tensor, **given: object) -> TrainingResult:
    return learn(population, data, key, **({"steps": 600, "batch_size": 4, "learning_rate": 0.01, "check_every": 20} | given))


def test_each_member_is_returned_as_it_was_when_it_reached_the_target() -> None:
    population, data, key = parities()
    learnt = run(population, data, key, target=1.0)
    assert len(set(learnt.examples.tolist())) > 1
    for member in range(4):
        used = int(learnt.examples[member])
        until_then = run(population, data, key, steps=used // 4, check_every=10_000)  # of all, whose products round alike
        assert_same_to_rounding(learnt.population.values[member], until_then.population.values[member])
        own = [check for check in learnt.history if check.member == member]
        assert [check.examples for check in own] == list(range(0, used + 1, 80))
        assert own[-1].accuracy == 1.0
        assert max(check.accuracy for check in own[:-1]) < 1.0
    assert torch.equal(learnt.score.accuracy, evaluate(learnt.population, data).accuracy)
    torch.testing.assert_close(learnt.score.loss, evaluate(learnt.population, data).loss)
    assert torch.equal(learnt.consumed, learnt.examples.long())


def test_a_member_that_does_not_reach_the_target_is_returned_as_it_is_at_the_end() -> None:
    population, data, key = parities()
    slow = run(population, data, key, target=1.0, steps=60, learning_rate=torch.tensor([0.01, 1e-6, 0.01, 1e-6]))
    plain = run(population, data, key, steps=60, learning_rate=1e-6)
    assert torch.isnan(slow.examples).tolist() == [False, True, False, True] or bool(torch.isnan(slow.examples[[1, 3]]).all())
    torch.testing.assert_close(slow.population.values[[1, 3]], plain.population.values[[1, 3]])
    assert slow.consumed[[1, 3]].tolist() == plain.consumed[[1, 3]].tolist() == [240, 240]
    assert bool(torch.isnan(plain.examples).all())


def test_without_a_target_members_are_returned_as_they_are_at_the_end_and_not_at_their_best() -> None:
    population, data, key = parities()
    wild = run(population, data, key, learning_rate=0.3, batch_size=2, steps=200, check_every=1)
    own = [[check for check in wild.history if check.member == member] for member in range(4)]
    assert any(checks[-1].accuracy < max(check.accuracy for check in checks) for checks in own)
    assert wild.score.accuracy.tolist() == [checks[-1].accuracy for checks in own]
    assert torch.equal(evaluate(wild.population, data).accuracy, wild.score.accuracy)


@pytest.mark.parametrize("keep_last", [True, False])
def test_a_round_with_a_target_ends_when_all_have_reached_it(keep_last: bool) -> None:
    population, data, key = parities()
    seen: dict[int, list[float]] = {}
    settings_ = RoundSettings(4000, 4, 0.01, 1.0, 0.0, rate_width=None, check_every=20, keep_last=keep_last, target=0.75)
    trained, score = train(
        population,
        data,
        settings_,
        key,
        hooks=Hooks(watch=lambda _, part, now, steps: bool(seen.update({steps: now.accuracy.tolist()}))),
    )
    first = [next(steps for steps, row in seen.items() if row[member] >= 0.75) for member in range(4)]
    assert max(seen) == max(first) < 4000
    assert score.accuracy.tolist() == [seen[steps][member] for member, steps in enumerate(first)]
    assert torch.equal(evaluate(trained, data).accuracy, score.accuracy)


def test_a_member_that_is_accurate_before_any_training_takes_no_examples_and_stays_as_it_is() -> None:
    population, data, key = parities()
    able = run(population, data, key, target=1.0).population
    mixed = able.select([0, 1]).joined(population.select([2, 3]))
    again = run(mixed, data, key, target=1.0, batch_size=3)
    alone_ = run(population.select([2, 3]), data, key[2:], target=1.0, batch_size=3)
    assert again.examples.tolist() == [0.0, 0.0, *alone_.examples.tolist()]
    torch.testing.assert_close(again.population.values[2:], alone_.population.values)
    assert bool((again.examples[2:] > 0).all())
    assert torch.equal(again.population.values[:2], able.values[:2])
    assert run(able, data, key, target=1.0).examples.tolist() == [0.0] * 4


def test_rows_are_counted_as_they_are_used() -> None:
    """Of 20 rows in batches of 8 an epoch has 8, 8 and 4; rows that are drawn come in whole batches."""
    population, key = make((4, 6, 3), 1), keys([0])
    learnt = run(population, data_for("bce", (4, 3)), key, steps=6, batch_size=8, check_every=1)
    assert [check.examples for check in learnt.history] == [0, 8, 16, 20, 28, 36, 40]
    task = cmsp(2, 2, n=20, rows=20)
    drawn = run(Population.uniform(Shape((22, 6, 1), ("relu", "identity")), key), Data.of(task), key, steps=6, batch_size=8, check_every=2)
    assert [check.examples for check in drawn.history] == [0, 16, 32, 48]


def test_members_that_memory_runs_out_for_are_counted_once(monkeypatch: pytest.MonkeyPatch) -> None:
    population, data, key = parities()
    whole = run(population, data, key, target=1.0, max_members=2)
    from sculpting.mlp import training

    original, calls = training._train, []

    def failing(part: Population, *rest: object) -> object:
        found = original(part, *rest)
        calls.append(len(part))
        if len(part) > 2:
            raise torch.OutOfMemoryError("out of memory")
        return found

    monkeypatch.setattr(training, "_train", failing)
    split = run(population, data, key, target=1.0)
    assert calls[0] == 4
    assert set(calls[1:]) == {2}
    assert split.examples.tolist() == whole.examples.tolist()
    assert len(split.history) == len(whole.history)


def test_a_training_that_makes_no_sense_is_refused() -> None:
    population, data, key = parities()
    with pytest.raises(ValueError, match=r"target must be an accuracy in \(0, 1\]; got 1.5"):
        run(population, data, key, target=1.5)
    with pytest.raises(ValueError, match=r"learning_rate must be positive, and finite; got -0.1"):
        run(population, data, key, learning_rate=torch.tensor([0.1, -0.1, 0.1, 0.1]))
    with pytest.raises(ValueError, match="check_every must be a whole number of at least 1; got 0"):
        run(population, data, key, check_every=0)
    for name, value, text in (
        ("learning_rate", float("inf"), "must be positive, and finite; got inf"),
        ("learning_rate", torch.ones(3), r"must have shape \(4,\), a row for each member; got \(3,\)"),
        ("epsilon", 0.0, "must be positive, and finite; got 0"),
        ("weight_decay", -1.0, "must be at least 0, and finite; got -1.0"),
        ("input_noise", float("nan"), "must be at least 0, and finite; got nan"),
        ("max_members", 0, "must be a whole number of at least 1; got 0"),
    ):
        with pytest.raises(ValueError, match=f"{name} {text}"):
            run(population, data, key, **{name: value})
    with pytest.raises(ValueError, match=r"key must have shape \(4, 2\), a row for each member; got \(3, 2\)"):
        run(population, data, key[:3])


def test_a_member_whose_loss_is_not_finite_is_returned_as_it_was() -> None:
    population, data, key = parities()
    rates = torch.tensor([0.01, 1e30, 0.01, 0.01], dtype=torch.float64)
    lost, without = (run(population, data, key, learning_rate=rate, steps=60) for rate in (rates, 0.01))
    assert torch.equal(lost.population.values[1], population.values[1])
    assert_same_to_rounding(lost.population.values[[0, 2, 3]], without.population.values[[0, 2, 3]])
    assert lost.score.accuracy[1] == -torch.inf
