"""What interrupts a long run: kills at random moments, full disks, folders that vanish, clocks that go back. What was there stays whole."""

from __future__ import annotations

import errno
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from faults import KINDS
from language_tiny import tiny
from test_checkpoint import CALL, MODEL, TASK, facts, stop_after
from test_files import at_most, posix, refuse
from test_language_training import SETTINGS, Stopped, losses, train, weights

from sculpting import checkpoint_file as checkpoint
from sculpting import sculpt

HERE = Path(__file__).parent


@pytest.fixture
def at_every_round(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkpoint, "SECONDS", 0.0)


# Kills


def check_kills(kinds: str, moments: int, seed: int) -> None:
    environment = os.environ | {"PYTHONPATH": os.pathsep.join((str(HERE), str(HERE.parent))), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, str(HERE / "faults.py"), kinds, str(moments), str(seed)]
    said = subprocess.run(command, capture_output=True, text=True, check=True, env=environment).stdout
    results = [json.loads(line) for line in said.splitlines() if line.startswith("{")]
    assert ",".join(result["kind"] for result in results) == kinds
    for result in results:
        assert len(result["whole"]) == 64, result["whole"]
        assert [digest for _, digest in result["found"]] == [result["whole"]] * moments


@posix
@pytest.mark.parametrize("kinds", ["sculpt,narrow", "training,narrow_language"])  # importing takes longer than all the runs
def test_runs_that_are_killed_go_on_to_the_same_bits(kinds: str) -> None:
    assert {*kinds.split(",")} <= KINDS.keys()
    check_kills(kinds, 3, 0)


@posix
@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_runs_that_are_killed_twenty_times_go_on_to_the_same_bits(kind: str) -> None:
    check_kills(kind, 20, 1)


# Disks, folders, clocks


def whole() -> Any:
    return facts(sculpt(MODEL, TASK, **CALL, progress=False))


@posix
@pytest.mark.usefixtures("at_every_round")
@pytest.mark.parametrize("fault", ["full disk", "read-only folder"])
def test_a_checkpoint_that_cannot_be_written_is_one_clear_error_and_the_old_one_stays(
    fault: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "run"
    stop_after(3, path)
    before = path.read_bytes()
    with monkeypatch.context() as patch, at_most(1000 if fault == "full disk" else 2**40):
        if fault != "full disk":
            patch.setattr("sculpting.files._opened", refuse("EROFS"))
        with pytest.raises(OSError, match=r"while .*run was written, which is as before\. Make room there, or give another path") as caught:
            sculpt(MODEL, TASK, **CALL, progress=False, checkpoint=path)
    assert caught.value.errno == (errno.EFBIG if fault == "full disk" else errno.EROFS)
    assert path.read_bytes() == before
    assert [*tmp_path.iterdir()] == [path]
    assert facts(sculpt(MODEL, TASK, **CALL, progress=False, checkpoint=path)) == whole()


@pytest.mark.usefixtures("at_every_round")
def test_a_folder_that_is_removed_meanwhile_is_made_again(tmp_path: Path) -> None:
    folder = tmp_path / "runs"
    gone = iter(range(4))

    def remove(done: int, total: int) -> None:
        if next(gone, None) == 3:
            shutil.rmtree(folder)

    found = facts(sculpt(MODEL, TASK, **CALL, progress=remove, checkpoint=folder / "run"))
    assert found == whole()
    assert facts(sculpt(MODEL, TASK, **CALL, progress=False, checkpoint=folder / "run")) == found


@pytest.mark.usefixtures("at_every_round")
def test_a_clock_that_goes_back_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter(range(10**9, 0, -3600))
    with monkeypatch.context() as patch:
        patch.setattr(time, "time", lambda: float(next(clock)))
        stop_after(3, tmp_path / "run")
        found = facts(sculpt(MODEL, TASK, **CALL, progress=False, checkpoint=tmp_path / "run"))
    assert found == whole()


@posix
@pytest.mark.parametrize("fault", ["full disk", "read-only folder"])
def test_a_training_whose_checkpoint_cannot_be_written_is_one_clear_error(
    fault: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, model = tmp_path / "training", tiny("gpt2")
    wanted = train(model)
    with pytest.raises(KeyboardInterrupt):
        train(tiny("gpt2"), checkpoint=path, progress=Stopped(4))
    before = path.read_bytes()
    with monkeypatch.context() as patch, at_most(1000 if fault == "full disk" else 2**40):
        if fault != "full disk":
            patch.setattr("sculpting.files._opened", refuse("EROFS"))
        with pytest.raises(OSError, match=r"training was (not )?written, (and|which) is as before"):
            train(tiny("gpt2"), SETTINGS, checkpoint=path)
    assert path.read_bytes() == before
    assert [*tmp_path.iterdir()] == [path]
    again = tiny("gpt2")
    assert losses(train(again, checkpoint=path)) == losses(wanted)
    assert weights(again).equal(weights(model))
