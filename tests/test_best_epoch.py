"""The best epoch of every member is the same however many evaluations are made together."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from sculpting.data import Data
from sculpting.engine import Evaluation
from sculpting.mlp.best_epoch import BestEpoch
from sculpting.mlp.memory_layout import put_last
from sculpting.mlp.population import Population
from sculpting.mlp.training import evaluate, train
from sculpting.models.shape import Shape
from sculpting.randomness import keys
from sculpting.settings import RoundSettings
from sculpting.tasks import boolean

TASK = boolean([4, 2, 4])
DATA = Data.of(TASK)
SHAPE = Shape((4, 3, 4), ("relu", "identity"))


def courses(count: int, members: int = 5) -> list[Tensor]:
    """The values of the members at each evaluation; some occur twice, and one is all NaN."""
    found = [Population.fresh(SHAPE, keys([(i, n) for n in range(members)])).values for i in range(count)]
    found[-1][:2] = found[0][:2]
    found[count // 2][3] = torch.nan
    return found


def best_of(
    places: list[Tensor], count: int, settings: RoundSettings, *, last: bool = False, at_once: bool = False
) -> tuple[Tensor, Evaluation, int]:
    """Best values and evaluation of members that had these values, of ``count`` evaluations, and how many were made together."""
    values = put_last(places[0]) if last else places[0].clone()
    epochs = BestEpoch(Population.of(SHAPE, values), DATA, settings, count, at_once)
    for place in places:
        epochs.values.copy_(place)
        epochs.take()
    return *epochs.finish(), epochs.together


def by_hand(places: list[Tensor]) -> tuple[Tensor, list[int]]:
    """The best values of every member, and the number of their evaluation, found one evaluation after the other."""
    best, which, top = torch.zeros_like(places[0]), [-1] * len(places[0]), [(-math.inf, -math.inf)] * len(places[0])
    for number, place in enumerate(places):
        score = evaluate(Population.of(SHAPE, place), DATA)
        for member, pair in enumerate(zip(score.accuracy.tolist(), (-score.loss).tolist(), strict=True)):
            if pair > top[member]:
                best[member], which[member], top[member] = place[member], number, pair
    return best, which


@pytest.mark.parametrize("last", [False, True])
@pytest.mark.parametrize(("count", "fit", "together"), [(7, 7, 7), (7, 3, 3), (7, 5, 4), (7, 1, 1), (6, 4, 3)])
def test_the_best_is_the_same_however_many_are_evaluated_together(
    count: int, fit: int, together: int, last: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    places = courses(count)
    expected, which = by_hand(places)
    assert len(set(which)) > 2
    monkeypatch.setattr("sculpting.mlp.best_epoch.FLOATS", fit * 5 * (SHAPE.size + 3 * 7 * 16))
    best, top, found = best_of(places, count, RoundSettings(), last=last)
    assert found == together
    assert torch.equal(best, expected)
    again = evaluate(Population.of(SHAPE, expected), DATA)
    assert torch.equal(top.accuracy, again.accuracy)
    torch.testing.assert_close(top.loss, again.loss)


def test_a_round_that_ends_early_returns_the_best_until_then() -> None:
    places = courses(7)
    for taken in (1, 2, 5):
        assert torch.equal(best_of(places[:taken], 7, RoundSettings())[0], by_hand(places[:taken])[0])


def test_keep_last_and_target_evaluate_one_epoch_at_a_time() -> None:
    places = courses(6)[:3]
    nowhere = [torch.full_like(places[0], torch.nan)]
    best, top, _ = best_of([*places[:2], *nowhere], 3, RoundSettings(keep_last=True))
    assert torch.equal(best, places[1])
    best, top, _ = best_of(nowhere, 1, RoundSettings())
    assert torch.equal(top.accuracy, torch.full((5,), -torch.inf, dtype=torch.float64))
    best, _, together = best_of(places, 3, RoundSettings(keep_last=True))
    assert torch.equal(best, places[-1])
    assert together == 1
    accuracies = torch.stack([evaluate(Population.of(SHAPE, place), DATA).accuracy for place in places])
    target = float(accuracies.median())
    best, top, together = best_of(places, 3, RoundSettings(keep_last=True, target=target))
    for member, reached in enumerate(accuracies.t() >= target):
        first = int(reached.float().argmax()) if bool(reached.any()) else 2
        assert torch.equal(best[member], places[first][member])
        assert top.accuracy[member] == accuracies[first, member]
    assert together == 1
    assert best_of(places, 3, RoundSettings(target=target))[2] == 1
    assert best_of(places, 3, RoundSettings(), at_once=True)[2] == 1
    assert best_of(places, 3, RoundSettings())[2] == 3


def test_the_best_has_highest_accuracy_then_lowest_loss_then_comes_first() -> None:
    nan, inf = math.nan, math.inf
    accuracies = [[0.5, 1.0, nan, 0.5, 0.5, nan], [0.5, 1.0, 0.1, 0.9, 0.9, nan], [0.4, 1.0, 0.0, 0.9, 0.9, nan]]
    losses = [[1.0, 0.3, 0.0, 0.0, 0.0, 1.0], [1.0, 0.2, 5.0, inf, nan, 1.0], [0.0, 0.2, 1.0, nan, nan, 1.0]]
    score = Evaluation(torch.tensor(accuracies, dtype=torch.float64).flatten(), torch.tensor(losses).flatten())
    assert score.first_best(6).tolist() == [0, 7, 8, 9, 10, 5]


def test_a_round_is_the_same_with_evaluations_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    population, key = Population.fresh(Shape((4, 12, 4), ("relu", "identity")), keys(range(40))), keys(range(40))
    together, score = train(population, DATA, RoundSettings(30, 8), key)
    monkeypatch.setattr("sculpting.mlp.best_epoch.FLOATS", 1)
    alone, score_alone = train(population, DATA, RoundSettings(30, 8), key)
    same = (together.values == alone.values).all(dim=1)
    assert float(same.float().mean()) > 0.9  # a loss that rounds differently may choose another epoch
    assert torch.equal(score.accuracy, score_alone.accuracy)
