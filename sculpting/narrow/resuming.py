"""The checkpoint of a call of ``narrow``: where each of its trainings stands, so that an interrupted call goes on to the same bits.

Only trainings are kept. What comes between them, such as scores and evaluations, takes little time and is computed again.

n = members that are trained together, C = their evaluations so far.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor

from ..checkpoint_file import CheckpointFile, Held
from ..engine import Hooks
from .results import Check

__all__ = ["NarrowCheckpoint", "SavedTraining", "taken"]

Groups = dict[tuple[int, ...], "GroupState"]  # by the rows of the members among those that are trained

FIRST_EVALUATION = 0  # before any training, which is made again
MOST_STEPS = 1 << 53


@dataclass(frozen=True, eq=False)
class GroupState:
    """Members that are trained together, after an evaluation: the steps made, and the tensors of their state as it was then.

    A function returns them, since what was seen so far grows with every evaluation, and few of them are written.
    """

    steps: int
    tensors: Callable[[], dict[str, Tensor]]


class Kept(Protocol):
    """What else is kept while members are trained, such as a ``Capture``."""

    def until_now(self, members: Sequence[int]) -> Callable[[], dict[str, Tensor]]:
        """A function that returns that of members that are trained together, by name, as it is now."""
        ...

    def restore(self, tensors: dict[str, Tensor], members: Sequence[int], networks: Any, examples: Sequence[int]) -> None:
        """Take the same out of ``tensors``, for members that started as ``networks`` and were evaluated after ``examples``."""
        ...


class NarrowCheckpoint(CheckpointFile):
    """The checkpoint file of one call of ``narrow``, which is read at once.

    Raises
    ------
    ValueError
        When the file is no checkpoint, is one of another call, or was changed since it was written; when none can be written there.
    """

    OF = "narrow"
    FORMAT, VERSION = "neural-sculpting narrow checkpoint", "1"

    def __init__(self, path: str | Path, facts: object, tensors: Iterable[Tensor]) -> None:
        super().__init__(path, facts, tensors)
        self.trainings: list[SavedTraining] = []
        self.begun = 0
        found = self.contents()
        if found is not None:
            try:
                self.trainings = [SavedTraining(self, groups) for groups in _groups_of(*found[1:])]
            except ValueError as error:
                raise self.not_whole(error) from error

    def training(self, capture: Kept | None = None) -> SavedTraining:
        """The next training of the call, as far as it got. A call has the same ones in the same order each time."""
        if self.begun == len(self.trainings):
            self.trainings.append(SavedTraining(self))
        found = self.trainings[self.begun]
        self.begun, found.capture = self.begun + 1, capture
        return found

    def hold(self) -> None:
        """Keep the state of all trainings, and write it where ten seconds have passed."""
        groups = [training.groups for training in self.trainings]
        trainings = [[{"members": members, "steps": group.steps} for members, group in each.items()] for each in groups]
        self.held = Held({"trainings": trainings}, partial(_tensors_of, groups))
        self.write()


@dataclass(eq=False)
class SavedTraining:
    """One training of a call: where its members stand, group by group, and what is captured from them on the way."""

    checkpoint: NarrowCheckpoint
    groups: Groups = field(default_factory=dict)
    capture: Kept | None = None

    def added_to(self, hooks: Hooks, population: Any, rows: Tensor, seen: Sequence[dict[int, Check]]) -> Hooks:
        """The hooks of a training that goes on from here and is kept here.

        Parameters
        ----------
        hooks : Hooks
        population : Population or ModulePopulation
            The members that are trained.
        rows : Tensor of shape (N,)
            Their rows among all members.
        seen : sequence of dict
            The evaluations of all members by the examples before, which are kept and restored, too.
        """

        def resume(members: Tensor, state: Mapping[str, Tensor]) -> int:
            group = self.groups.get(tuple(members.tolist()))
            if group is None:
                return 0
            left = group.tensors()
            try:
                for name, tensor in state.items():
                    tensor.copy_(taken(left, name, tensor.dtype, tensor.shape))
                examples = _restore_checks(left, rows[members].tolist(), seen)
                if self.capture is not None:
                    self.capture.restore(left, rows[members].tolist(), population.select(members), examples)
                if left:
                    raise ValueError(f"its tensors must be those of its members; got {min(left)[:80]!r}, too")
            except ValueError as error:
                raise self.checkpoint.not_whole(error) from error
            return group.steps

        def save(members: Tensor, state: Mapping[str, Tensor], steps: int) -> None:
            own, numbers = members.tolist(), rows[members].tolist()
            now = {name: tensor.clone() for name, tensor in state.items()}
            checks = partial(_checks_of, numbers, seen, len(seen[numbers[0]]))
            captured = dict if self.capture is None else self.capture.until_now(numbers)
            # Where memory ran out, a group is trained again in two.
            others = {key: group for key, group in self.groups.items() if not {*key} & {*own}}
            self.groups = others | {tuple(own): GroupState(steps, lambda: now | checks() | captured())}
            self.checkpoint.hold()

        return Hooks(hooks.before_step, hooks.after_step, hooks.watch, resume, save)


def taken(tensors: dict[str, Tensor], name: str, dtype: torch.dtype, shape: Sequence[int | None]) -> Tensor:
    """A tensor, which must have a dtype and a shape, in which None stands for any size; it is taken out."""
    found = tensors.pop(name, None)
    fits = found is not None and found.dtype == dtype and found.ndim == len(shape)
    if found is None or not fits or any(size not in (None, own) for size, own in zip(shape, found.shape, strict=True)):
        got = "none" if found is None else f"{found.dtype} of shape {tuple(found.shape)}"
        raise ValueError(f"{name[:80]} must be {dtype} of shape {tuple('any' if size is None else size for size in shape)}; got {got}")
    return found


def _tensors_of(groups: Sequence[Groups]) -> dict[str, Tensor]:
    """The tensors of the groups of every training, with their places in their names."""
    places = ((number, place, group) for number, each in enumerate(groups) for place, group in enumerate(each.values()))
    return {f"{number}.{place}.{name}": tensor for number, place, group in places for name, tensor in group.tensors().items()}


def _checks_of(members: Sequence[int], seen: Sequence[dict[int, Check]], number: int) -> dict[str, Tensor]:
    """The first ``number`` evaluations of members that are trained together: ``(C,)`` examples, ``(C, n)`` accuracies and losses."""
    examples = [count for count in islice(seen[members[0]], number) if count != FIRST_EVALUATION]
    checks = [[seen[member][count] for member in members] for count in examples]
    accuracies, losses = ([[getattr(check, name) for check in row] for row in checks] for name in ("accuracy", "loss"))
    numbers = {"accuracies": accuracies, "losses": losses}
    return {"examples": torch.tensor(examples), **{name: torch.tensor(rows, dtype=torch.float64) for name, rows in numbers.items()}}


def _restore_checks(tensors: dict[str, Tensor], members: Sequence[int], seen: Sequence[dict[int, Check]]) -> list[int]:
    """Add the evaluations to those that were seen; returns the examples."""
    examples: list[int] = taken(tensors, "examples", torch.int64, (None,)).tolist()
    accuracies, losses = (taken(tensors, name, torch.float64, (len(examples), len(members))) for name in ("accuracies", "losses"))
    if examples != sorted({*examples}) or not examples or examples[0] <= FIRST_EVALUATION:
        raise ValueError(f"examples must be positive and rise; got {examples!r:.80}")
    for column, member in enumerate(members):
        pairs = zip(examples, accuracies[:, column].tolist(), losses[:, column].tolist(), strict=True)
        seen[member].update({count: Check(member, count, accuracy, loss) for count, accuracy, loss in pairs})
    return examples


def _groups_of(state: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> list[Groups]:
    """The groups of every training, from the fields and tensors of a file.

    Raises
    ------
    ValueError
        When a field is of another kind, or a tensor belongs to no group.
    """
    trainings: Any = state.get("trainings")
    if state.keys() != {"call", "trainings"} or not _are(trainings, list) or not all(_are(training, dict) for training in trainings):
        raise ValueError(f"its trainings must be lists of groups; got {trainings!r:.80}")
    found: list[Groups] = [{} for _ in trainings]
    parts: dict[tuple[str, str], dict[str, Tensor]] = {}
    for name, tensor in tensors.items():
        where, _, rest = name.partition(".")
        place, _, own = rest.partition(".")
        parts.setdefault((where, place), {})[own] = tensor
    for number, training in enumerate(trainings):
        for row, group in enumerate(training):
            members, steps = group.get("members"), group.get("steps")
            counts = _are([steps], int) and 1 <= steps <= MOST_STEPS
            if group.keys() != {"members", "steps"} or not _are(members, int) or not members or not counts:
                raise ValueError(f"its groups must have members and steps; got {group!r:.80}")
            found[number][tuple(members)] = GroupState(steps, partial(dict, parts.pop((str(number), str(row)), {})))
    if parts:
        raise ValueError(f"its tensors must be those of its groups; got {'.'.join(min(parts))[:80]!r}, too")
    return found


def _are(values: Any, kind: type) -> bool:
    return isinstance(values, list) and all(isinstance(value, kind) and not isinstance(value, bool) for value in values)
