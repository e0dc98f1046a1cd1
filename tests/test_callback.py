"""What the callback of ``sculpt`` is told, and what happens when it raises."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from test_checkpoint import CALL, MODEL, TASK, facts

from sculpting import Attempt, RoundEvent, SculptResult, sculpt


class Stopped(Exception):  # noqa: N818 (not an error)
    pass


def told(**call: Any) -> tuple[SculptResult, list[RoundEvent]]:
    events: list[RoundEvent] = []
    return sculpt(MODEL, TASK, **{**CALL, **call}, progress=False, callback=events.append), events


def attempts(events: list[RoundEvent]) -> list[Attempt]:
    return [attempt for event in events for attempt in event.attempts]


def stop_at(number: int, events: list[RoundEvent]) -> Any:
    def callback(event: RoundEvent) -> None:
        events.append(event)
        if event.number == number:
            raise Stopped

    return callback


def test_events_tell_every_attempt_once_and_change_nothing() -> None:
    result, events = told()
    assert facts(result) == facts(sculpt(MODEL, TASK, **CALL, progress=False))
    assert tuple(attempts(events)) == result.history
    assert {attempt.phase for attempt in attempts(events)} == {"dense", "units", "retrain", "edges"}
    assert [event.number for event in events] == [*range(1, len(events) + 1)]
    # No chain is in a round twice, and one round has chains of several phases.
    assert all(len({attempt.chain for attempt in event.attempts}) == len(event.attempts) for event in events)
    assert max(len({attempt.phase for attempt in event.attempts}) for event in events) > 1
    ended = [event.ended for event in events]
    assert {event.chains for event in events} == {2 * (2 + 2)}
    assert ended == sorted(ended)
    assert ended[-1] >= 7  # of 8: a chain may end where nothing is left to try
    with pytest.raises(dataclasses.FrozenInstanceError):
        events[0].number = 0  # type: ignore[misc]


def test_a_trained_model_is_told_as_a_round() -> None:
    model = sculpt(MODEL, TASK, **{**CALL, "seeds": 1}, progress=False).dense[0].model()
    events: list[RoundEvent] = []
    result = sculpt(model, TASK, **CALL, initial="model", progress=False, callback=events.append)
    assert tuple(attempts(events)) == result.history
    assert [attempt.phase for attempt in events[0].attempts] == ["dense", "dense"]


def test_dense_networks_that_set_the_accuracy_count_as_accepted() -> None:
    x = np.random.default_rng(0).normal(size=(150, TASK.x.shape[1]))
    events: list[RoundEvent] = []
    data = x, (x[:, : TASK.y.shape[1]] > 0).astype(int)
    result = sculpt(MODEL, data, **{**CALL, "unit_steps": [0.5]}, progress=False, callback=events.append)
    dense = [attempt for attempt in attempts(events) if attempt.phase == "dense"]
    assert all(attempt.accepted for attempt in dense)
    rest = [attempt for attempt in attempts(events) if attempt.phase != "dense"]
    assert rest == [attempt for attempt in result.history if attempt.phase != "dense"]
    assert not all(attempt.accepted for attempt in rest)


@pytest.mark.parametrize("number", [1, 9])
def test_what_a_callback_raises_ends_the_run(number: int) -> None:
    events: list[RoundEvent] = []
    with pytest.raises(Stopped):
        sculpt(MODEL, TASK, **CALL, progress=False, callback=stop_at(number, events))
    assert [event.number for event in events] == [*range(1, number + 1)]


@pytest.mark.parametrize("number", [1, 2, 9])
def test_a_run_that_was_stopped_goes_on_after_its_last_round_and_tells_no_round_twice(number: int, tmp_path: Path) -> None:
    """The checkpoint has the round of the callback, though ten seconds have not passed: of dense networks, or of pruning."""
    whole, every = told()
    assert {attempt.phase for attempt in every[1].attempts} == {"dense"}
    path, events = tmp_path / "run", list[RoundEvent]()
    with pytest.raises(Stopped):
        sculpt(MODEL, TASK, **CALL, progress=False, checkpoint=path, callback=stop_at(number, events))
    assert path.is_file()
    result = sculpt(MODEL, TASK, **CALL, progress=False, checkpoint=path, callback=events.append)
    assert facts(result) == facts(whole)
    bare = [dataclasses.replace(e, attempts=tuple(a._replace(seconds=0) for a in e.attempts)) for e in (*events, *every)]
    assert bare[: len(events)] == bare[len(events) :]
    assert [record.number for record in result.rounds] == [record.number for record in whole.rounds]


@pytest.mark.parametrize("number", [1, 3])
@pytest.mark.parametrize("known", [True, False])
def test_a_run_on_a_trained_model_that_was_stopped_goes_on_too(known: bool, number: int, tmp_path: Path) -> None:
    model = sculpt(MODEL, TASK, **{**CALL, "seeds": 1}, progress=False).dense[0].model()
    drawn = np.arange(150) % len(TASK.x)
    data: Any = TASK if known else (TASK.x.numpy()[drawn], TASK.y.numpy()[drawn].astype(int))
    call: Any = {**CALL, "unit_steps": [0.5], "initial": "model", "progress": False}
    every, events = list[RoundEvent](), list[RoundEvent]()
    whole = sculpt(model, data, **call, callback=every.append)
    path = tmp_path / "run"
    with pytest.raises(Stopped):
        sculpt(model, data, **call, checkpoint=path, callback=stop_at(number, events))
    assert path.is_file()
    result = sculpt(model, data, **call, checkpoint=path, callback=events.append)
    assert facts(result) == facts(whole)
    assert [event.number for event in events] == [event.number for event in every]


def test_a_callback_that_raises_where_no_checkpoint_can_be_written_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError("no space left")

    monkeypatch.setattr("sculpting.checkpoint_file.write_file", full)
    with pytest.raises(Stopped) as caught:
        sculpt(MODEL, TASK, **CALL, progress=False, checkpoint=tmp_path / "run", callback=stop_at(9, []))
    assert caught.value.__notes__ == ["The checkpoint was not written: no space left"]


def test_a_callback_must_be_a_function() -> None:
    with pytest.raises(TypeError, match="callback must be a function of a RoundEvent, or None; got"):
        sculpt(MODEL, TASK, **CALL, callback=[])  # type: ignore[arg-type]
