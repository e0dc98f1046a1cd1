"""Checkpoints: the state of a run on disk, from which an interrupted run continues."""

from __future__ import annotations

import hashlib
import json
import re
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors.torch import save
from torch import Tensor

from ..engine import M
from ..files import check_file, write_file
from ..integrity import ALTERED, UNSIGNED, Contents, call_digest, parsed_json, read_header, read_safetensors, signed
from .chains import ChainName, ChainState
from .history import RoundRecord
from .pruning_schedule import PruningSchedule
from .restoring import COUNTERS, restore

__all__ = ["Checkpoint", "digest"]

FORMAT, VERSION = "neural-sculpting checkpoint", "5"
OLDER = ("4", "3", "2", "1")  # without a digest of the file, and with one of the call that leaves out shapes and dtypes
WITH_RESTARTS = (VERSION, "4", "3")
SECONDS = 10.0  # between two writings
# Tensors named otherwise in version 1. It also had steps in percent, and another name and two more fields for the settings of a round.
FIRST_NAMES = {".told": ".reported", ".standing.": ".state."}


def digest(facts: str, tensors: Iterable[Tensor]) -> str:
    """A hash that differs between calls whose facts or tensors differ, but not by shapes and dtypes alone; ``call_digest`` has these.

    Checkpoints of earlier versions and files of candidates are named by it.
    """
    found = hashlib.sha256(facts.encode())
    for tensor in tensors:
        found.update(tensor.contiguous().numpy().tobytes())
    return found.hexdigest()


@dataclass(frozen=True, eq=False)
class _Held:
    """The state of a run between two rounds. Networks are not copied: a round makes new ones."""

    min_accuracy: float
    history: list[RoundRecord]
    names: dict[str, list[ChainName] | None]
    tensors: dict[str, Tensor]


class Checkpoint:
    """The checkpoint file of one call of ``sculpt``, which ``facts`` and ``tensors`` identify.

    Raises
    ------
    ValueError
        When no file can be written there.
    """

    def __init__(self, path: str | Path, facts: object, tensors: Iterable[Tensor]) -> None:
        check_file(path, "checkpoint")
        self.path, self.written = Path(path), time.monotonic()
        self.facts, self.tensors = repr(facts), list(tensors)
        self.call = call_digest(self.facts, self.tensors)
        self.held: _Held | None = None

    def hold(self, schedule: PruningSchedule[M]) -> None:
        """Keep the state of all chains, to be written later. Only between two rounds, where it is whole."""
        if schedule.units.state is None and schedule.edges.state is None:
            return  # nothing was pruned, and nothing will be
        tensors: dict[str, Tensor] = {}
        names: dict[str, list[ChainName] | None] = {}
        for name, phase in (("units", schedule.units), ("edges", schedule.edges)):
            tensors |= {f"{name}.{counter}": getattr(phase, counter).clone() for counter in COUNTERS}  # a round changes them in place
            names[name] = _take(f"{name}.state", phase.state, tensors)
        names |= {name: _take(name, getattr(schedule, name), tensors) for name in ("dense", "done")}
        criterion = schedule.rounds.criterion
        test = criterion.test
        if test is not None and test.reference is not None and test.fit is not None:
            tensors |= {"test.reference": test.reference, "test.fit": test.fit}
        self.held = _Held(criterion.min_accuracy, list(schedule.rounds.history), names, tensors)

    def write(self) -> None:
        """Write the state that is held, at most every ten seconds. The file is always complete."""
        if time.monotonic() - self.written >= SECONDS:
            self._write_held()

    @contextmanager
    def written_on(self, kind: type[BaseException]) -> Iterator[None]:
        """A context in which exceptions of a kind, such as that of Ctrl-C, write the state that is held, and then go on."""
        try:
            yield
        except kind as raised:
            try:
                self._write_held()
            except (OSError, ValueError) as error:
                raised.add_note(f"The checkpoint was not written: {error}")
            raise

    def read(self, schedule: PruningSchedule[M], like: M, names: Sequence[ChainName]) -> bool:
        """Restore all chains from the file; False when there is none.

        ``like`` holds the dense networks before training, and ``names`` theirs.

        Raises
        ------
        ValueError
            When the file is no checkpoint, is one of another call, or was changed since it was written.
        """
        if not self.path.exists():
            return False
        contents = self._contents()
        version, tensors = contents.metadata["version"], contents.tensors
        try:
            state = parsed_json(contents.metadata["state"])
            call = state["call"]
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(f"{self.path} is not a checkpoint of sculpting: {error}. Give another file, or remove it") from error
        if version == "1":
            tensors = {_renamed(name): tensor for name, tensor in tensors.items()}
        if call != self._call_of(version):
            raise ValueError(
                f"{self.path} is the checkpoint of another call: its model, data or settings differ. Give another file, or remove "
                "it to start again"
            )
        restarts = schedule.restarts  # before the criterion is restored
        try:
            restore(schedule, like, names, state, tensors, percent=version == "1", proven=version == VERSION)
        except ValueError as error:
            raise ValueError(f"{self.path} is not a whole checkpoint: {error}. Remove it to start again") from error
        # Of a call that has a second start, a run without one is the beginning only where no network needed it.
        if version not in WITH_RESTARTS and restarts and schedule.dense is not None and not bool(schedule.dense.accepted.all()):
            raise ValueError(
                f"{self.path} is the checkpoint of another call: version {version} had no second start, which a network needs here. "
                "Give another file, or remove it to start again"
            )
        return True

    def _write_held(self) -> None:
        if self.held is None:
            return
        held, self.held = self.held, None
        state: dict[str, Any] = {"call": self.call, "min_accuracy": held.min_accuracy, **held.names}
        state["rounds"] = [vars(record) for record in held.history]
        kept = {name: tensor.detach().cpu().contiguous() for name, tensor in held.tensors.items()}
        content = signed(save(kept, {"format": FORMAT, "version": VERSION, "state": json.dumps(state), **UNSIGNED}))
        try:
            write_file(self.path, content)
        except BaseException:
            self.held = held
            raise
        self.written = time.monotonic()

    def _contents(self) -> Contents:
        try:
            header = read_header(self.path)
            if header.get("format") != FORMAT:
                raise ValueError("it has another header")
            if header.get("version") not in (VERSION, *OLDER):
                raise ValueError(f"versions {OLDER[-1]} to {VERSION} can be read; it is of version {header.get('version')!r:.80}")
            found = read_safetensors(self.path)
        except ValueError as error:
            raise ValueError(f"{self.path} is not a checkpoint of sculpting: {error}. Give another file, or remove it") from error
        if found.altered or (found.altered is None and header["version"] == VERSION):
            raise ValueError(f"{self.path} {ALTERED}. A run that goes on from it would give another result. Remove it to start again")
        return found

    def _call_of(self, version: str) -> str:
        """The digest of this call as a version has it."""
        if version == VERSION:
            return self.call
        facts = self.facts
        if version in ("3", "2", "1"):
            facts = facts.replace(", ('test', None, None)", "")  # there was no test
        if version in ("2", "1"):
            facts = re.sub(r", \('restart', [^)]*\)", "", facts)  # there was no second start
        if version == "1":
            facts = facts.replace("RoundSettings(", "Round(").replace("target=None)", "target=None, before_step=None, after_step=None)")
        return digest(facts, self.tensors)


def _renamed(name: str) -> str:
    """The present name of a tensor of version 1."""
    for before, after in FIRST_NAMES.items():
        name = name.replace(before, after)
    return name


def _take(name: str, state: ChainState[M] | None, tensors: dict[str, Tensor]) -> list[ChainName] | None:
    """The names of chains; the rest of their state is added to ``tensors``."""
    if state is None:
        return None
    parts = {**state.members.tensors(), "accuracy": state.accuracy, "accepted": state.accepted}
    if state.survived is not None:
        parts["survived"] = state.survived
    tensors |= {f"{name}.{part}": tensor for part, tensor in parts.items()}
    return state.names
