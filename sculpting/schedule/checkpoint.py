"""Checkpoints: the state of a run on disk, from which an interrupted run continues."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable, Sequence

from torch import Tensor

from ..checkpoint_file import CheckpointFile, Held
from ..engine import M
from .chains import ChainName, taken_apart
from .dense import DenseTraining
from .pruning_schedule import PruningSchedule
from .restoring import COUNTERS, restore
from .restoring_dense import held_training, restore_training

__all__ = ["Checkpoint", "digest"]

WITH_RESTARTS = ("5", "4", "3")
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


class Checkpoint(CheckpointFile):
    """The checkpoint file of one call of ``sculpt``."""

    OF = "sculpting"
    FORMAT, VERSION = "neural-sculpting checkpoint", "5"
    OLDER = ("4", "3", "2", "1")  # without a digest of the file, and with one of the call that leaves out shapes and dtypes

    def hold(self, schedule: PruningSchedule[M]) -> None:
        """Keep the state of all chains, to be written later. Only between two rounds, where it is whole; a round makes new networks."""
        if schedule.units.state is None and schedule.edges.state is None:
            return  # nothing was pruned, and nothing will be
        tensors: dict[str, Tensor] = {}
        names: dict[str, list[ChainName] | None] = {}
        for name, phase in (("units", schedule.units), ("edges", schedule.edges)):
            tensors |= {f"{name}.{counter}": getattr(phase, counter).clone() for counter in COUNTERS}  # a round changes them in place
            names[name] = taken_apart(f"{name}.state", phase.state, tensors)
        names |= {name: taken_apart(name, getattr(schedule, name), tensors) for name in ("dense", "done")}
        criterion = schedule.rounds.criterion
        test = criterion.test
        if test is not None and test.reference is not None and test.fit is not None:
            tensors |= {"test.reference": test.reference, "test.fit": test.fit}
        rounds = [vars(record) for record in schedule.rounds.history]
        self.held = Held({"min_accuracy": criterion.min_accuracy, **names, "rounds": rounds}, lambda: tensors)

    def keep(self, run: PruningSchedule[M] | DenseTraining[M], tell: Callable[[], None]) -> None:
        """Keep the state after a round, then tell of it. It is written where ten seconds have passed, or where telling raises."""
        if isinstance(run, DenseTraining):
            self.held = held_training(run)
        else:
            self.hold(run)
        with self.written_on(BaseException):
            tell()
        self.write()

    def read(self, schedule: PruningSchedule[M], like: M, names: Sequence[ChainName]) -> bool:
        """Restore all chains from the file; False when there is none, or the dense networks are still to be trained further.

        ``like`` holds the dense networks before training, and ``names`` theirs.

        Raises
        ------
        ValueError
            When the file is no checkpoint, is one of another call, or was changed since it was written.
        """
        found = self.contents()
        if found is None:
            return False
        version, state, tensors = found
        if version == "1":
            tensors = {_renamed(name): tensor for name, tensor in tensors.items()}
        restarts = schedule.restarts  # before the criterion is restored
        try:
            if version == self.VERSION and "training" in state:
                schedule.training = restore_training(schedule, like, names, state, tensors)
                return False
            restore(schedule, like, names, state, tensors, percent=version == "1", proven=version == self.VERSION)
        except ValueError as error:
            raise self.not_whole(error) from error
        # Of a call that has a second start, a run without one is the beginning only where no network needed it.
        if version not in WITH_RESTARTS and restarts and schedule.dense is not None and not bool(schedule.dense.accepted.all()):
            raise ValueError(
                f"{self.path} is the checkpoint of another call: version {version} had no second start, which a network needs here. "
                "Give another file, or remove it to start again"
            )
        return True

    def _call_of(self, version: str) -> str:
        """The digest of this call as a version has it."""
        if version == self.VERSION:
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
