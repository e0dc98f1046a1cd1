"""Dense networks in training, held in a checkpoint and restored from one.

N = members.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from ..checkpoint_file import Held
from ..engine import Evaluation, M
from .chains import ChainName, ChainState, Proposal, taken_apart
from .dense import DenseTraining
from .pruning_schedule import PruningSchedule
from .records import names_of, record_of
from .restoring import Reader, dense_names

__all__ = ["held_training", "restore_training"]

FIELDS = {"call", "rounds", "training"}
PARTS = ("state", "going", "best")


def held_training(training: DenseTraining[M]) -> Held:
    """The state of training between two rounds."""
    tensors: dict[str, Tensor] = {}
    names = {part: taken_apart(part, getattr(training, part), tensors) for part in PARTS}
    if training.below is not None:
        tensors["below"] = training.below
    if training.top is not None and training.misses is not None:
        tensors |= {"misses": training.misses, "top.accuracy": training.top.accuracy, "top.loss": training.top.loss.double()}
    # The first networks are the best ones, too, and a file holds no tensor twice.
    tensors = {name: tensor.clone() if name.startswith("best.") else tensor for name, tensor in tensors.items()}
    rounds = [vars(record) for record in training.rounds.history]
    return Held({"rounds": rounds, "training": {"stage": training.stage, "number": training.number, "names": names}}, lambda: tensors)


def restore_training(
    schedule: PruningSchedule[M], like: M, names: Sequence[ChainName], state: Any, tensors: Mapping[str, Tensor]
) -> DenseTraining[M]:
    """Training that goes on from there; ``like`` holds the networks before it, with these ``names``.

    Raises
    ------
    ValueError
        When a field or a tensor is missing, of another kind, or does not fit the call.
    """
    found, rounds = state["training"], schedule.rounds
    if state.keys() != FIELDS or not isinstance(found, dict) or found.keys() != {"stage", "number", "names"}:
        raise ValueError(f"its training must have a stage, a number and names; got {found!r:.80}")
    training = DenseTraining(rounds, Proposal.unpruned(like, list(names), "dense"), schedule.dense_rounds, schedule.restarts)
    most = len(training.stages) + 1 if schedule.restarts else 0
    numbers = {"stage": most, "number": 2 * schedule.dense_rounds}
    for name, highest in numbers.items():
        if not isinstance(found[name], int) or isinstance(found[name], bool) or not 0 <= found[name] <= highest:
            raise ValueError(f"its {name} must be a whole number in 0...{highest}; got {found[name]!r:.80}")
        setattr(training, name, found[name])
    if not isinstance(state["rounds"], list) or not isinstance(found["names"], dict) or found["names"].keys() != {*PARTS}:
        raise ValueError(f"its rounds must be a list, and its names those of {', '.join(PARTS)}; got others")
    rounds.history = [record_of(record, percent=False) for record in state["rounds"]]
    if any(record.phase != "dense" or any(name.rate >= len(rounds.rates) for name in record.names) for record in rounds.history):
        raise ValueError("its rounds must be of dense networks and the learning rates of this call; got others")
    reader = Reader(schedule, like, names, tensors, percent=False)
    read = {part: None if rows is None else names_of(rows, percent=False) for part, rows in found["names"].items()}
    wanted = {"state": True, "going": training.stage > 0, "best": not reader.asked}
    if any((read[part] is not None) != wanted[part] for part in PARTS):
        raise ValueError(f"its networks must be those of {', '.join(part for part in PARTS if wanted[part])}; got others")
    for part in ("state", "best"):
        if (own := read[part]) is not None:
            setattr(training, part, reader.chains(part, dense_names(schedule, names, own, asked=reader.asked), judged=False))
    if read["going"] is not None:
        training.going, training.below = _going(reader, names, read["going"], len(rounds.rates) // 2)
    if not reader.asked:
        training.misses = reader.take("misses", torch.int64, (len(names),))
        accuracy, loss = (reader.take(f"top.{part}", torch.float64, (len(names),)).to(like.device) for part in ("accuracy", "loss"))
        training.top = Evaluation(accuracy, loss)
    if unknown := tensors.keys() - reader.seen:
        raise ValueError(f"its tensors must be those of its networks; got {min(unknown)[:80]!r}, too")
    return training


def _going(reader: Reader, names: Sequence[ChainName], read: list[ChainName], slower: int) -> tuple[ChainState[Any], Tensor]:
    """The networks of a second start, and their positions among all."""
    below = reader.take("below", torch.int64, (len(read),))
    rows = below.tolist()
    known = [name._replace(rate=name.rate + slower) for name in names]
    if rows != sorted({*rows}) or any(not 0 <= row < len(known) or known[row] != name for row, name in zip(rows, read, strict=True)):
        raise ValueError(f"the networks of its second start must be some of this call; got {read!r:.80}")
    return reader.chains("going", read, judged=False), below
