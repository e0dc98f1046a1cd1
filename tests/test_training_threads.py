"""Members trained in blocks, and side by side on threads: which are together, that they are the same, and memory that runs out."""

from __future__ import annotations

import threading
from typing import Any

import pytest
import torch
from members import data_for, make
from rounding import assert_same_to_rounding

from sculpting.mlp import memory, training
from sculpting.mlp.population import Population
from sculpting.mlp.training import train
from sculpting.randomness import keys
from sculpting.settings import RoundSettings


def test_members_trained_in_blocks_are_those_trained_together(monkeypatch: pytest.MonkeyPatch) -> None:
    population, data = make((4, 12, 3), 160), data_for("bce", (4, 3))
    settings_ = RoundSettings(steps=10, batch_size=8, input_noise=0.1, hidden_noise=0.3)
    whole, score = train(population, data, settings_, keys(range(160)))
    sizes, honest = [], training._train
    monkeypatch.setattr(memory, "CACHE", 130 * 4 * (5 * population.shape.size + 3 * (12 + 3) * 8))
    monkeypatch.setattr(training, "_train", lambda part, *rest: sizes.append(len(part)) or honest(part, *rest))
    blocks, again = train(population, data, settings_, keys(range(160)))
    assert sizes == [128, 32]
    assert_same_to_rounding(whole.values, blocks.values)
    assert torch.equal(score.accuracy, again.accuracy)


def test_members_are_trained_side_by_side_on_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training, "WORTH_A_THREAD", 0)
    population, data, settings_ = make((4, 12, 3), 5), data_for("bce", (4, 3)), RoundSettings(steps=10, input_noise=0.1, hidden_noise=0.3)
    whole, score = train(population, data, settings_, keys(range(5)))
    honest, seen, both = training._train, [], threading.Barrier(2, timeout=60)

    def met(part: Population, *rest: Any) -> Any:
        if len(seen) < 2:
            seen.append((len(part), threading.get_ident(), torch.get_num_threads()))
            both.wait()  # passed only where two are at work at the same time
        return honest(part, *rest)

    monkeypatch.setattr(training, "_train", met)
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        spread, spread_score = train(population, data, settings_, keys(range(5)), threads=2)
        assert torch.get_num_threads() == 2
        monkeypatch.setattr(training, "_train", lambda *rest: seen.append((1, 0, torch.get_num_threads())) or honest(*rest))
        train(population.select(torch.tensor([0])), data, settings_, keys([0]), threads=2)
        assert seen.pop() == (1, 0, 2)  # alone, a member may have all of torch's threads
    finally:
        torch.set_num_threads(before)
    assert sorted(count for count, *_ in seen) == [2, 3]
    assert len({thread for _, thread, _ in seen}) == 2
    assert {count for *_, count in seen} == {1}
    assert_same_to_rounding(spread.values, whole.values)
    torch.testing.assert_close(spread_score.accuracy, score.accuracy)
    assert_same_to_rounding(spread_score.loss, score.loss)


def test_members_of_different_sizes_are_trained_side_by_side_too(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("training.WORTH_A_THREAD", "packing.FEW_PARAMETERS", "packing.STEP_COST"):
        monkeypatch.setattr(f"sculpting.mlp.{name}", 0)
    population = make((4, 12, 3), 2)
    population = population.masked(population.without_units(torch.arange(12).repeat(2, 1) < torch.tensor([[0], [6]])))
    honest, both = training._train, threading.Barrier(2, timeout=60)

    def met(part: Population, *rest: Any) -> Any:
        both.wait()
        return honest(part, *rest)

    data = data_for("bce", (4, 3))
    whole, _ = train(population, data, RoundSettings(steps=4), keys(range(2)))
    monkeypatch.setattr(training, "_train", met)
    spread, _ = train(population, data, RoundSettings(steps=4), keys(range(2)), threads=2)
    assert_same_to_rounding(spread.values, whole.values)


def test_small_members_are_trained_together_on_one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    honest, seen = training._train, []

    def spy(part: Population, *rest: Any) -> Any:
        seen.append((len(part), threading.current_thread() is threading.main_thread()))
        return honest(part, *rest)

    monkeypatch.setattr(training, "_train", spy)
    train(make((4, 12, 3), 4), data_for("bce", (4, 3)), RoundSettings(steps=4), keys(range(4)), threads=2)
    monkeypatch.setattr(training, "WORTH_A_THREAD", 0)
    train(make((4, 12, 3), 4), data_for("bce", (4, 3)), RoundSettings(steps=4), keys(range(4)), threads=2, max_members=1)
    assert seen == [(4, True)] + [(1, True)] * 4
    seen.clear()
    train(make((4, 12, 3), 4), data_for("bce", (4, 3)), RoundSettings(steps=4), keys(range(4)), threads=2, max_members=3)
    assert seen == [(1, False)] * 4  # never two and two at once


@pytest.mark.parametrize("threads", [1, 2])
def test_memory_that_runs_out_on_threads_halves_their_members_and_other_errors_are_raised(
    threads: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(training, "WORTH_A_THREAD", 0)
    population, data, settings_ = make((4, 12, 3), 6), data_for("bce", (4, 3)), RoundSettings(steps=4)
    whole, _ = train(population, data, settings_, keys(range(6)))
    honest = training._train

    def scarce(part: Population, *rest: Any) -> Any:
        if len(part) > 1:
            raise torch.OutOfMemoryError("out of memory")
        return honest(part, *rest)

    monkeypatch.setattr(training, "_train", scarce)
    found, _ = train(population, data, settings_, keys(range(6)), threads=threads)
    assert_same_to_rounding(found.values, whole.values)

    tried: list[int] = []

    def broken(part: Population, *_: Any) -> Any:
        tried.append(len(part))
        raise RuntimeError("something else")

    monkeypatch.setattr(training, "_train", broken)
    before = torch.get_num_threads()
    with pytest.raises(RuntimeError, match="something else"):
        train(population, data, settings_, keys(range(6)), threads=threads)
    assert set(tried) == {6 // threads}
    assert torch.get_num_threads() == before
