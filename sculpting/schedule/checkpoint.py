"""Checkpoints: the state of a run on disk, from which an interrupted run continues."""

from __future__ import annotations

import hashlib
import json
import re
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from ..engine import M
from ..files import check_folder, write_file
from .chains import ChainName, ChainState
from .history import RoundRecord
from .pruning import Pruning
from .pruning_schedule import PruningSchedule

__all__ = ["Checkpoint", "digest"]

FORMAT, VERSION = "neural-sculpting checkpoint", "4"
SECONDS = 10.0  # between two writings
COUNTERS = ("removed", "step", "number", "key", "streak", "kept", "misses", "active", "reported", "total")
# Tensors named otherwise in version 1. It also had steps in percent, and another name and two more fields for the settings of a round.
FIRST_NAMES = {".told": ".reported", ".standing.": ".state."}


def digest(facts: str, tensors: Iterable[Tensor]) -> str:
    """A hash that differs between calls whose facts or tensors differ."""
    found = hashlib.sha256(facts.encode())
    for tensor in tensors:
        found.update(tensor.contiguous().numpy().tobytes())
    return found.hexdigest()


class Checkpoint:
    """The checkpoint file of one call of ``sculpt``, which ``facts`` and ``tensors`` identify.

    Raises
    ------
    ValueError
        When no file can be written there.
    """

    def __init__(self, path: str | Path, facts: object, tensors: Iterable[Tensor]) -> None:
        self.path, self.written = Path(path), time.monotonic()
        if self.path.is_dir():
            raise ValueError(f"checkpoint must be the path of a file; got the folder {path}. Give the name of a file in it")
        check_folder(self.path.parent, "checkpoint")
        now, tensors = repr(facts), list(tensors)
        third = now.replace(", ('test', None, None)", "")  # there was no test
        second = re.sub(r", \('restart', [^)]*\)", "", third)  # there was no second start
        first = second.replace("RoundSettings(", "Round(").replace("target=None)", "target=None, before_step=None, after_step=None)")
        self.calls = {version: digest(text, tensors) for version, text in ((VERSION, now), ("3", third), ("2", second), ("1", first))}

    def write(self, schedule: PruningSchedule[M]) -> None:
        """Write the state of all chains, at most every ten seconds. The file is always complete."""
        if time.monotonic() - self.written < SECONDS:
            return
        tensors: dict[str, Tensor] = {}
        state: dict[str, Any] = {"call": self.calls[VERSION], "min_accuracy": schedule.rounds.criterion.min_accuracy}
        state["rounds"] = [vars(record) for record in schedule.rounds.history]
        for name, phase in (("units", schedule.units), ("edges", schedule.edges)):
            tensors |= {f"{name}.{counter}": getattr(phase, counter) for counter in COUNTERS}
            state[name] = _take(f"{name}.state", phase.state, tensors)
        state |= {name: _take(name, getattr(schedule, name), tensors) for name in ("dense", "done")}
        test = schedule.rounds.criterion.test
        if test is not None and test.reference is not None and test.fit is not None:
            tensors |= {"test.reference": test.reference, "test.fit": test.fit}
        kept = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
        write_file(self.path, save(kept, {"format": FORMAT, "version": VERSION, "state": json.dumps(state)}))
        self.written = time.monotonic()

    def read(self, schedule: PruningSchedule[M], like: M) -> bool:
        """Restore all chains from the file; False when there is none. Members have the architecture of ``like``.

        Raises
        ------
        ValueError
            When the file is no checkpoint, or one of another call.
        """
        if not self.path.is_file():
            return False
        content = self.path.read_bytes()
        try:
            size = int.from_bytes(content[:8], "little")
            header = json.loads(content[8 : 8 + size])["__metadata__"]
            tensors, version, state = load(content), header["version"], json.loads(header["state"])
            known = header["format"] == FORMAT and state["call"] == self.calls.get(version)
            # Of a call that has a second start, a run without one is the beginning only where no network needed it.
            known &= version in (VERSION, "3") or not schedule.restarts or bool(tensors["dense.accepted"].all())
        except (SafetensorError, KeyError, TypeError, ValueError) as error:
            raise ValueError(f"{self.path} is not a checkpoint of sculpting: {error}. Give another file, or remove it") from error
        if not known:
            raise ValueError(
                f"{self.path} is the checkpoint of another call: its model, data or settings differ. Give another file, or remove "
                "it to start again"
            )
        percent = version == "1"
        if percent:
            tensors = {_renamed(name): tensor for name, tensor in tensors.items()}
        criterion = schedule.rounds.criterion
        criterion.min_accuracy = state["min_accuracy"]
        if criterion.test is not None and "test.reference" in tensors:
            place = criterion.test.constant.device
            criterion.test.reference, criterion.test.fit = (tensors[f"test.{name}"].to(place) for name in ("reference", "fit"))
        schedule.rounds.history = [RoundRecord(**{**record, "names": _names(record["names"], percent)}) for record in state["rounds"]]
        for name, phase in (("units", schedule.units), ("edges", schedule.edges)):
            _put_back(phase, name, tensors, _state(f"{name}.state", state[name], tensors, like, percent))
        schedule.dense, schedule.done = (_state(name, state[name], tensors, like, percent) for name in ("dense", "done"))
        return True


def _renamed(name: str) -> str:
    """The present name of a tensor of version 1."""
    for before, after in FIRST_NAMES.items():
        name = name.replace(before, after)
    return name


def _put_back(phase: Pruning[M], name: str, tensors: dict[str, Tensor], state: ChainState[M] | None) -> None:
    for counter in COUNTERS:
        setattr(phase, counter, tensors[f"{name}.{counter}"])
    phase.state = state
    if state is not None:
        phase.key = phase.key.to(state.members.device)


def _take(name: str, state: ChainState[M] | None, tensors: dict[str, Tensor]) -> list[ChainName] | None:
    """The names of chains; the rest of their state is added to ``tensors``."""
    if state is None:
        return None
    parts = {**state.members.tensors(), "accuracy": state.accuracy, "accepted": state.accepted}
    tensors |= {f"{name}.{part}": tensor for part, tensor in parts.items()}
    return state.names


def _state(name: str, names: list[list[Any]] | None, tensors: dict[str, Tensor], like: M, percent: bool) -> ChainState[M] | None:
    if names is None:
        return None
    parts = {key.removeprefix(f"{name}."): tensor for key, tensor in tensors.items() if key.startswith(f"{name}.")}
    return ChainState(like.restored(parts), parts["accuracy"], parts["accepted"], _names(names, percent))


def _names(names: list[list[Any]], percent: bool) -> list[ChainName]:
    by = 100 if percent else 1
    return [ChainName(seed, unit and unit / by, edge and edge / by, model, rate) for seed, unit, edge, model, rate in names]
