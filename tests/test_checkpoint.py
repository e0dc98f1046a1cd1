"""Runs that were stopped between two rounds continue to the same result."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load, save

from sculpting import SculptResult, sculpt, tasks
from sculpting import checkpoint_file as checkpoint
from sculpting.schedule.checkpoint import Checkpoint, digest
from sculpting.schedule.rounds import Rounds
from sculpting.tasks import Task

TASK = tasks.boolean("both")
MODEL = TASK.model(width=10, hidden_layers=2)
CALL: dict[str, Any] = {"seeds": 2, "unit_steps": [0.5, 0.2], "edge_steps": [0.025], "steps": 30}


class Stopped(Exception):  # noqa: N818 (not an error)
    pass


@pytest.fixture(autouse=True)
def at_every_round(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkpoint, "SECONDS", 0.0)


def stop_after(rounds: int, path: Path, data: Any = TASK, **call: Any) -> None:
    left = iter(range(rounds))

    def progress(done: int, total: int) -> None:
        if next(left, None) is None:
            raise Stopped

    with pytest.raises(Stopped):
        sculpt(MODEL, data, **{**CALL, **call}, progress=progress, checkpoint=path)


def facts(result: SculptResult) -> tuple[Any, ...]:
    weights = [[part.tobytes() for part in (*n.weights, *n.biases)] for n in result.candidates]
    return weights, [a._replace(seconds=0) for a in result.history], result.min_accuracy, result.stop_reason


@pytest.mark.parametrize("call", [{}, {"edge_steps": []}, {"unit_steps": []}])
@pytest.mark.parametrize("rounds", [1, 12])
def test_a_run_that_was_stopped_ends_as_one_that_was_not(tmp_path: Path, call: dict[str, Any], rounds: int) -> None:
    whole = sculpt(MODEL, TASK, **{**CALL, **call}, progress=False)
    stop_after(rounds, tmp_path / "run", **call)
    rest = sculpt(MODEL, TASK, **{**CALL, **call}, progress=False, checkpoint=tmp_path / "run")
    assert whole.candidates
    assert facts(rest) == facts(whole)


@pytest.mark.parametrize("rounds", [1, 10])
def test_a_run_on_own_data_goes_on_with_the_same_paired_test(tmp_path: Path, rounds: int) -> None:
    x = np.random.default_rng(0).normal(size=(150, TASK.x.shape[1]))
    data = x, (x[:, : TASK.y.shape[1]] > 0).astype(int)
    whole = sculpt(MODEL, data, **CALL, progress=False)
    stop_after(rounds, tmp_path / "run", data)
    rest = sculpt(MODEL, data, **CALL, progress=False, checkpoint=tmp_path / "run")
    assert whole.candidates
    assert facts(rest) == facts(whole)
    assert rest.test_accuracy == whole.test_accuracy
    with pytest.raises(ValueError, match="is the checkpoint of another call"):
        sculpt(MODEL, data, **CALL, confidence=0.9, progress=False, checkpoint=tmp_path / "run")


def test_a_run_can_be_stopped_repeatedly_and_trains_no_finished_round_twice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trained: list[int] = []
    attempt = Rounds.attempt
    monkeypatch.setattr(
        Rounds, "attempt", lambda rounds, proposals, noise=1.0: (trained.append(len(proposals)), attempt(rounds, proposals, noise))[1]
    )
    whole = sculpt(MODEL, TASK, **CALL, progress=False)
    once = len(trained)
    for _ in range(3):
        stop_after(4, tmp_path / "run")
    assert facts(sculpt(MODEL, TASK, **CALL, progress=False, checkpoint=tmp_path / "run")) == facts(whole)
    # Each time, the round in which the run was stopped was not on disk yet.
    assert len(trained) == 2 * once + 3
    # A finished run is only read.
    sculpt(MODEL, TASK, **CALL, progress=False, checkpoint=tmp_path / "run")
    assert len(trained) == 2 * once + 3
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


def test_the_accuracy_that_the_dense_networks_set_is_kept(tmp_path: Path) -> None:
    x = torch.rand(60, 3, generator=torch.Generator().manual_seed(0))
    model = torch.nn.Sequential(torch.nn.Linear(3, 6), torch.nn.ReLU(), torch.nn.Linear(6, 1))
    call: dict[str, Any] = {"seeds": 1, "unit_steps": [0.5], "edge_steps": [0.1], "progress": False}
    whole = sculpt(model, (x, x.sum(dim=1)), **call)
    again = [sculpt(model, (x, x.sum(dim=1)), **call, checkpoint=tmp_path / "run").min_accuracy for _ in range(2)]
    assert again == [whole.min_accuracy] * 2


def test_checkpoints_are_written_at_most_every_ten_seconds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkpoint, "SECONDS", 1e6)
    stop_after(5, tmp_path / "run")
    assert not list(tmp_path.iterdir())
    sculpt(MODEL, TASK, **CALL, progress=False, checkpoint=tmp_path / "run")
    assert not list(tmp_path.iterdir())


def test_ctrl_c_writes_a_checkpoint_in_the_first_seconds_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the middle of a round it is the state of before the round: never a half round."""
    monkeypatch.setattr(checkpoint, "SECONDS", 1e6)
    attempt, made, last = Rounds.attempt, [0], [10**9]

    def interrupted(self: Any, proposals: Any, noise: float = 1.0) -> Any:
        found = attempt(self, proposals, noise)
        made[0] += 1
        if made[0] == last[0]:
            raise KeyboardInterrupt
        return found

    monkeypatch.setattr(Rounds, "attempt", interrupted)
    whole = facts(sculpt(MODEL, TASK, **CALL, progress=False))
    rounds = made[0]
    for before in (0, 6):
        path, made[0], last[0] = tmp_path / str(before), 0, rounds - before
        with pytest.raises(KeyboardInterrupt):
            sculpt(MODEL, TASK, **CALL, progress=False, checkpoint=path)
        assert path.is_file()
        last[0] = 10**9
        assert facts(sculpt(MODEL, TASK, **CALL, progress=False, checkpoint=path)) == whole


X = torch.rand(60, 3, generator=torch.Generator().manual_seed(0))
DENSE: dict[str, tuple[Any, Any, dict[str, Any]]] = {  # each has another course of dense training
    "until accepted": (MODEL, TASK, {**CALL, "steps": 5, "restart_rate": None, "dense_rounds": 6}),
    "second start": (MODEL, TASK, {**CALL, "steps": 5, "dense_rounds": 2, "input_noise": 0.1}),
    "while it gains": (
        torch.nn.Sequential(torch.nn.Linear(3, 6), torch.nn.ReLU(), torch.nn.Linear(6, 1)),
        (X, X.sum(dim=1)),
        {"seeds": 2, "unit_steps": [0.5], "edge_steps": [0.1], "steps": 20},
    ),
}


@pytest.mark.parametrize("name", DENSE)
def test_ctrl_c_in_the_dense_phase_keeps_its_rounds(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkpoint, "SECONDS", 1e6)
    model, data, call = DENSE[name]
    attempt, made, last = Rounds.attempt, [0], [10**9]

    def interrupted(self: Any, proposals: Any, noise: float = 1.0) -> Any:
        made[0] += 1
        if made[0] == last[0]:
            raise KeyboardInterrupt
        return attempt(self, proposals, noise)

    monkeypatch.setattr(Rounds, "attempt", interrupted)
    result = sculpt(model, data, **call, progress=False)
    whole, rounds = facts(result), made[0]
    dense = sum(record.phase == "dense" for record in result.rounds)
    assert dense > 3
    for stop in {2, dense // 2 + 1, dense}:
        path, made[0], last[0] = tmp_path / str(stop), 0, stop
        with pytest.raises(KeyboardInterrupt):
            sculpt(model, data, **call, progress=False, checkpoint=path)
        made[0], last[0] = 0, 10**9
        assert facts(sculpt(model, data, **call, progress=False, checkpoint=path)) == whole
        assert made[0] == rounds - stop + 1  # no round is trained twice


def test_ctrl_c_goes_on_where_no_checkpoint_can_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError("no space left")

    def stop(done: int, total: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(checkpoint, "SECONDS", 1e6)
    monkeypatch.setattr(checkpoint, "write_file", full)
    with pytest.raises(KeyboardInterrupt) as caught:
        sculpt(MODEL, TASK, **CALL, progress=stop, checkpoint=tmp_path / "run")
    assert caught.value.__notes__ == ["The checkpoint was not written: no space left"]


def test_the_same_bytes_in_other_shapes_are_another_call(tmp_path: Path) -> None:
    """20 rows to train on and 10 to validate with resumed the run of 10 and 20."""
    x = torch.rand(30, TASK.x.shape[1], generator=torch.Generator().manual_seed(0))
    y = (x[:, : TASK.y.shape[1]] > 0.5).float()
    parts = [Task(x[:n], y[:n], "bce", x[n:], y[n:]) for n in (20, 10)]
    call = {"min_accuracy": 0.1, "batch_size": 10}
    stop_after(2, tmp_path / "run", parts[0], **call)
    with pytest.raises(ValueError, match="is the checkpoint of another call"):
        sculpt(MODEL, parts[1], **CALL, **call, progress=False, checkpoint=tmp_path / "run")


def rewritten(path: Path, version: str, change: Any = None) -> None:
    """The checkpoint as an earlier version wrote it, without digests of the file and of shapes; ``change`` is made to its tensors."""
    content = path.read_bytes()
    size = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + size])["__metadata__"]
    tensors = load(content)
    if change is not None:
        change(tensors)
    del header["digest"]
    path.write_bytes(save(tensors, header | {"version": version}))


def test_a_checkpoint_of_the_version_before_goes_on_to_the_same_result(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = facts(sculpt(MODEL, TASK, **CALL, progress=False))
    path = tmp_path / "run"
    with monkeypatch.context() as patch:
        patch.setattr(checkpoint, "call_digest", digest)
        stop_after(8, path)
    content = path.read_bytes()
    rewritten(path, "4")
    assert facts(sculpt(MODEL, TASK, **CALL, progress=False, checkpoint=path)) == whole
    changes: list[Any] = [
        lambda t: t["units.step"].fill_(float("inf")),  # which hung
        lambda t: t["dense.accuracy"].fill_(1.5),
        lambda t: t["units.state.values"].mul_(-1),  # networks that lack the accuracy
        lambda t: t["units.number"].fill_(-1),
        lambda t: t.update({"units.key": t["units.key"] + 1}),
        lambda t: t.update({"units.active": t["units.active"].float()}),
        lambda t: t.update({"dense.own": t["dense.own"] + 1}),
        lambda t: t.pop("units.kept"),
    ]
    for change in changes:
        path.write_bytes(content)
        rewritten(path, "4", change)
        with pytest.raises(ValueError, match=r"run is not a whole checkpoint: .*\. Remove it to start again"):
            sculpt(MODEL, TASK, **CALL, progress=False, checkpoint=path)


def test_a_checkpoint_that_was_changed_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "run"
    stop_after(3, path)
    content = path.read_bytes()
    for place in (40, len(content) // 2, len(content) - 1):
        path.write_bytes(content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :])
        with pytest.raises(ValueError, match=r"was changed since it was written|is not a checkpoint of sculpting"):
            sculpt(MODEL, TASK, **CALL, progress=False, checkpoint=path)
    path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    with pytest.raises(ValueError, match=r"was changed since it was written: .* A run that goes on from it would give another result"):
        sculpt(MODEL, TASK, **CALL, progress=False, checkpoint=path)


@pytest.mark.parametrize(
    "change",
    [{"seeds": 3}, {"seed": 1}, {"steps": 31}, {"unit_tries": 3}, {"edge_steps": [0.02]}, {"min_accuracy": 0.9}, {"learning_rate": 0.05}],
)
def test_the_checkpoint_of_another_call_is_refused(tmp_path: Path, change: dict[str, Any]) -> None:
    stop_after(2, tmp_path / "run")
    before = (tmp_path / "run").read_bytes()
    with pytest.raises(ValueError, match=r"run is the checkpoint of another call: its model, data or settings differ\. Give another file"):
        sculpt(MODEL, TASK, **{**CALL, **change}, progress=False, checkpoint=tmp_path / "run")
    with pytest.raises(ValueError, match="another call"):
        sculpt(TASK.model(11, 2), TASK, **CALL, progress=False, checkpoint=tmp_path / "run")
    draw = torch.Generator().manual_seed(0)
    bits = (torch.rand(40, TASK.x.shape[1], generator=draw), (torch.rand(40, TASK.y.shape[1], generator=draw) > 0.5).float())
    stop_after(2, tmp_path / "bits", data=bits, loss="bce", min_accuracy=0.1)
    with pytest.raises(ValueError, match="another call"):
        sculpt(MODEL, bits, **{**CALL, "min_accuracy": 0.1}, loss="mse", progress=False, checkpoint=tmp_path / "bits")
    assert (tmp_path / "run").read_bytes() == before


@pytest.mark.parametrize("content", [b"", b"not one of ours, but long enough", b"\xff" * 40, None])
def test_a_file_that_is_no_checkpoint_is_refused_and_left_alone(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "run"
    if content is None:
        sculpt(MODEL, TASK, **CALL, progress=False).candidates[0].save(path)
    else:
        path.write_bytes(content)
    before = path.read_bytes()
    with pytest.raises(ValueError, match=r"run is not a checkpoint of sculpting: .*\. Give another file, or remove it"):
        sculpt(MODEL, TASK, **CALL, progress=False, checkpoint=path)
    assert path.read_bytes() == before


def test_a_truncated_checkpoint_is_refused(tmp_path: Path) -> None:
    stop_after(3, tmp_path / "run")
    content = (tmp_path / "run").read_bytes()
    for end in (4, 100, len(content) - 1):
        (tmp_path / "run").write_bytes(content[:end])
        with pytest.raises(ValueError, match="is not a checkpoint of sculpting"):
            sculpt(MODEL, TASK, **CALL, progress=False, checkpoint=tmp_path / "run")


FIRST = Path(__file__).parent / "data"


@pytest.mark.parametrize(
    ("name", "rounds", "min_accuracy", "edges"), [("checkpoint_v1", 8, 1.0, [4]), ("checkpoint_split_v1", 17, 0.968363808087462, [16, 29])]
)
def test_a_checkpoint_of_the_first_version_goes_on_to_the_same_result(
    name: str, rounds: int, min_accuracy: float, edges: list[int], tmp_path: Path
) -> None:
    """Written by version 0.1.0 after 4 of 8 rounds and after 8 of 17, with steps in percent. On another machine the remaining rounds may
    round differently, and so the result may differ by an edge or a round."""
    call: dict[str, Any] = {"seeds": 1, "unit_steps": [0.5], "edge_steps": [0.05]}
    if name == "checkpoint_v1":
        data: Any = tasks.from_gates({"y": "(a & b) | c"})
        model: torch.nn.Module = data.model(width=6, hidden_layers=1)
    else:
        x = torch.tensor(np.random.default_rng(0).uniform(-1, 1, (60, 3)).astype(np.float32))
        y = x[:, :1] * x[:, 1:2] + 0.5 * x[:, 2:]
        held_out, rest = torch.randperm(60, generator=torch.Generator().manual_seed(0)).split([12, 48])  # its split of a pair (x, y)
        data = Task(x[rest], y[rest], "mse", x[held_out], y[held_out])
        model = torch.nn.Sequential(torch.nn.Linear(3, 8), torch.nn.ReLU(), torch.nn.Linear(8, 1))
        call = {"seeds": 2, "unit_steps": [0.4], "edge_steps": [0.1], "steps": 40, "learning_rate": 0.05}
    path = tmp_path / "run"
    path.write_bytes((FIRST / f"{name}.safetensors").read_bytes())
    left: list[int] = []
    result = sculpt(model, data, **call, checkpoint=path, progress=lambda done, total: left.append(done))
    assert 0 < len(left) < rounds - 2
    assert result.min_accuracy == pytest.approx(min_accuracy)  # of dense networks, which were trained before
    assert sorted(n.edge_count for n in result.candidates) == pytest.approx(edges, abs=3)
    assert {(n.origin["unit_step"], n.origin["edge_step"]) for n in result.candidates} == {(*call["unit_steps"], *call["edge_steps"])}


def before_second_starts(facts: str) -> str:
    return re.sub(r", \('restart', [^)]*\)", "", facts.replace(", ('test', None, None)", ""))


def test_an_old_checkpoint_of_networks_that_need_a_second_start_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Version 2 had none: what a run without it has begun is the beginning of this call only where no network needed it."""
    task = tasks.from_gates({"y": "a ^ b ^ c ^ d ^ e"})
    call: dict[str, Any] = {"seeds": 1, "unit_steps": [0.5], "edge_steps": [], "dense_rounds": 1}
    for width, bits, known in ((24, task, False), (10, tasks.from_gates({"y": "a | b"}), True)):
        path = tmp_path / f"run{width}"
        with monkeypatch.context() as patch:
            patch.setattr(Checkpoint, "VERSION", "2")
            patch.setattr(checkpoint, "call_digest", lambda facts, tensors: digest(before_second_starts(facts), tensors))
            left = iter(range(2))

            def progress(done: int, total: int, left: Any = left) -> None:
                if next(left, None) is None:
                    raise Stopped

            with pytest.raises(Stopped):
                sculpt(bits.model(width, 4), bits, **call, steps=60 if known else 8, restart_rate=None, progress=progress, checkpoint=path)
        if known:
            assert sculpt(bits.model(width, 4), bits, **call, steps=60, progress=False, checkpoint=path).candidates
        else:
            with pytest.raises(ValueError, match="is the checkpoint of another call"):
                sculpt(bits.model(width, 4), bits, **call, steps=8, progress=False, checkpoint=path)
