"""A run restored from the fields and tensors of its checkpoint, each checked against what the call expects.

N = chains.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from ..engine import M
from ..integrity import is_number
from .acceptance import CLOSE
from .accepted import PRUNED, accepted_attempts, attempts_of, check_survived
from .chains import ChainName, ChainState, as_percent, chain_keys
from .pruning import Pruning
from .pruning_schedule import PruningSchedule
from .records import names_of, record_of

__all__ = ["COUNTERS", "Reader", "dense_names", "restore"]

# The counters of a phase, with their dtypes. All are of shape (N,), but for the key, which is (N, 2).
COUNTERS = {
    "removed": torch.float64, "step": torch.float64, "total": torch.float64, "number": torch.int64, "streak": torch.int64,
    "kept": torch.int64, "misses": torch.int64, "active": torch.bool, "reported": torch.bool, "key": torch.int32,
}  # fmt: skip
FIELDS = {"call", "min_accuracy", "rounds", "units", "edges", "dense", "done"}
ROUNDING = 1e-3  # between an accuracy as it was stated and as it is here: another batch may round differently

Key = tuple[int, float | None, float | None, int, int]


def restore(
    schedule: PruningSchedule[M],
    like: M,
    names: Sequence[ChainName],
    state: Any,
    tensors: Mapping[str, Tensor],
    *,
    percent: bool,
    proven: bool,
) -> None:
    """Set the state of a schedule that has not begun.

    Parameters
    ----------
    schedule : PruningSchedule
    like : Members
        The dense networks before training, with these ``names``.
    state : dict
        The fields of the checkpoint.
    tensors : mapping of name to Tensor
    percent : bool
        Whether steps are in percent, as in version 1.
    proven : bool
        Whether a digest shows that nothing was changed. Otherwise the accuracies that the checkpoint states are measured again.

    Raises
    ------
    ValueError
        When a field or a tensor is missing, of another kind, or does not fit the call. The schedule may then be half set.
    """
    if not isinstance(state, dict) or state.keys() != FIELDS:
        raise ValueError(f"its state must have the fields {sorted(FIELDS)}; got {sorted(state)!r:.200}")
    reader = Reader(schedule, like, names, tensors, percent)
    reader.criterion(state["min_accuracy"])
    if not isinstance(state["rounds"], list):
        raise ValueError(f"its rounds must be a list; got {state['rounds']!r:.80}")
    schedule.rounds.history = [record_of(record, percent) for record in state["rounds"]]
    read = {name: None if state[name] is None else names_of(state[name], percent) for name in ("dense", "units", "edges", "done")}
    if read["dense"] is None:
        raise ValueError("its dense networks must be there; got none")
    schedule.dense = reader.chains("dense", dense_names(schedule, names, read["dense"], asked=reader.asked))
    for phase, expected in _expected(schedule, read, reader.reported()).items():
        if [_key(name) for name in expected or ()] != [_key(name) for name in read[phase] or ()] or (expected is None) != (
            read[phase] is None
        ):
            raise ValueError(f"the chains of {phase} must be those that this call begins; got {read[phase]!r:.200}")
        if phase == "done":
            schedule.done = None if expected is None else reader.chains("done", expected)
        else:
            reader.phase(schedule.units if phase == "units" else schedule.edges, expected)
    _check_history(schedule, read)
    _check_survived(schedule)
    if unknown := tensors.keys() - reader.seen:
        raise ValueError(f"its tensors must be those of its chains; got {min(unknown)[:80]!r}, too")
    if not proven:
        reader.check_accuracies()


def _key(name: ChainName) -> Key:
    return name.seed, as_percent(name.unit_step), as_percent(name.edge_step), name.model, name.rate


def dense_names(schedule: PruningSchedule[M], names: Sequence[ChainName], read: list[ChainName], *, asked: bool) -> list[ChainName]:
    """The names of the dense networks: those of the call, at another learning rate after a second start."""
    slower = len(schedule.rounds.rates) // 2 if schedule.settings.restart_rate is not None and asked else 0
    rates = [{name.rate, name.rate + slower} for name in names]
    same = [_key(name._replace(rate=0)) for name in read] == [_key(name._replace(rate=0)) for name in names]
    if not same or any(name.rate not in known for name, known in zip(read, rates, strict=True)):
        raise ValueError(f"its dense networks must be {len(names)}, of the seeds and models of this call; got {read!r:.200}")
    return read


def _expected(
    schedule: PruningSchedule[M], read: Mapping[str, list[ChainName] | None], reported: list[int]
) -> dict[str, list[ChainName] | None]:
    """The names of the chains of each phase. Those that follow a chain of units are in the order in which these ended."""
    dense = read["dense"]
    assert dense is not None
    if not schedule.unit_steps:
        return {"units": None, "edges": _branched(dense, "edge_step", schedule.edge_steps), "done": None}
    units = _branched(dense, "unit_step", schedule.unit_steps)
    if any(i >= len(units) for i in reported):
        raise ValueError(f"its chains of units must be {len(units)}; got more")
    after, steps = "edges" if schedule.edge_steps else "done", len(schedule.edge_steps) or 1
    ended = {_key(units[i]): units[i] for i in reported}
    found = [ended.get(_key(name._replace(edge_step=None))) for name in (read[after] or [])[::steps]]
    if None in found or len(found) != len(ended) or len({*found}) != len(found):
        raise ValueError(f"the chains of {after} must be those of the {len(ended)} chains of units that have ended; got {len(found)}")
    order = [name for name in found if name is not None]
    rest = _branched(order, "edge_step", schedule.edge_steps) if schedule.edge_steps else order
    return {"units": units, "edges": None, "done": None} | {after: rest if ended else None}


def _branched(names: Sequence[ChainName], kind: str, steps: Sequence[float]) -> list[ChainName]:
    return [ChainName(**{**name._asdict(), kind: float(step)}) for name in names for step in steps]


def _check_history(schedule: PruningSchedule[M], read: Mapping[str, list[ChainName] | None]) -> None:
    """Refuse rounds of chains that the call does not have."""
    known = {"dense": read["dense"], "units": read["units"], "retrain": read["units"], "edges": read["edges"]}
    keys = {phase: {_key(name._replace(rate=0)) for name in names or ()} for phase, names in known.items()}
    found = {(record.phase, name) for record in schedule.rounds.history for name in record.names}
    for phase, name in found:
        if _key(name._replace(rate=0)) not in keys[phase] or name.rate >= len(schedule.rounds.rates):
            raise ValueError(f"its rounds must be of the chains and learning rates of this call; got {name!r:.200} in phase {phase}")


def _check_survived(schedule: PruningSchedule[M]) -> None:
    """Refuse counts of survived networks that the history denies. Where there are none, the schedule says so."""
    assert schedule.dense is not None
    if schedule.dense.survived is None:
        schedule.unfollowed = "its run went on from a checkpoint that does not have it"
    accepted = accepted_attempts(schedule.rounds.history, schedule.rounds.criterion.min_accuracy)
    dense = dict(zip(schedule.dense.names, schedule.dense.accuracy.tolist(), strict=True))
    states = {(): schedule.dense, PRUNED[:1]: schedule.units.state, PRUNED: schedule.edges.state, PRUNED[:2]: schedule.done}
    for phases, state in states.items():
        if state is None:
            continue
        if (state.survived is None) != (schedule.dense.survived is None):
            raise ValueError("the edges that its chains lost must be there for all chains or none; got some")
        attempts = [attempts_of(name, dense[name._replace(unit_step=None, edge_step=None)], accepted, phases) for name in state.names]
        check_survived(state, attempts, schedule.rounds.engine.count(state.members, "edges")[0].tolist())


class Reader:
    """Takes the tensors of a checkpoint, and notes which were taken."""

    def __init__(
        self, schedule: PruningSchedule[Any], like: Any, names: Sequence[ChainName], tensors: Mapping[str, Tensor], percent: bool
    ) -> None:
        self.schedule, self.like, self.tensors = schedule, like, tensors
        self.rows = {(name.seed, name.model, name.rate): row for row, name in enumerate(names)}
        self.asked = schedule.rounds.criterion.known
        self.seen: set[str] = set()
        self.states: dict[str, ChainState[Any]] = {}

    def take(self, name: str, dtype: torch.dtype, shape: Sequence[int]) -> Tensor:
        """A tensor, which must have a dtype and a shape."""
        self.seen.add(name)
        found = self.tensors.get(name)
        if found is None or found.dtype != dtype or tuple(found.shape) != tuple(shape):
            got = "none" if found is None else f"{found.dtype} of shape {tuple(found.shape)}"
            raise ValueError(f"{name} must be {dtype} of shape {tuple(shape)}; got {got}")
        return found

    def criterion(self, min_accuracy: object) -> None:
        """Restore the acceptance criterion: what the dense networks set."""
        criterion = self.schedule.rounds.criterion
        fits = is_number(min_accuracy, -1e300, 1e300)
        if not fits or (self.asked and min_accuracy != criterion.min_accuracy):
            raise ValueError(f"min_accuracy must be {criterion.min_accuracy if self.asked else 'a number'}; got {min_accuracy!r:.80}")
        criterion.min_accuracy = float(min_accuracy)  # type: ignore[arg-type]
        test = criterion.test
        if test is None or self.asked:
            return
        constant = test.constant
        reference = self.take("test.reference", constant.dtype, constant.shape)
        fit = self.take("test.fit", constant.dtype, constant.shape[:1])
        if not bool(torch.isfinite(reference).all()) or not bool(torch.isfinite(fit).all()):
            raise ValueError("the figures of its dense networks must be finite; got others")
        test.reference, test.fit = reference.to(constant.device), fit.to(constant.device)

    def reported(self) -> list[int]:
        """The chains of units that have ended and gone on."""
        flags = self.tensors.get("units.reported")
        if flags is None or flags.dtype != torch.bool or flags.ndim != 1:
            raise ValueError("units.reported must be a vector of truth values; got another tensor or none")
        found: list[int] = torch.nonzero(flags).flatten().tolist()
        return found

    def chains(self, name: str, names: list[ChainName], *, judged: bool = True) -> ChainState[Any]:
        """The state of chains with these names; not ``judged`` while their networks are not yet those that count."""
        slower = len(self.schedule.rounds.rates) // 2
        rates = ((name.rate, name.rate - slower) for name in names)
        rows = [
            next(self.rows[key] for r in both if (key := (n.seed, n.model, r)) in self.rows) for n, both in zip(names, rates, strict=True)
        ]
        own = self.like.select(torch.tensor(rows, dtype=torch.int64))
        parts = {part: self.take(f"{name}.{part}", tensor.dtype, tensor.shape) for part, tensor in own.tensors().items()}
        accuracy = self.take(f"{name}.accuracy", torch.float64, (len(names),))
        accepted = self.take(f"{name}.accepted", torch.bool, (len(names),))
        if judged and not all(bool(torch.isfinite(part[accepted]).all()) for part in (*parts.values(), accuracy)):
            raise ValueError(f"the accepted networks of {name} must have finite parameters and accuracies; got others")
        criterion = self.schedule.rounds.criterion
        if judged and criterion.test is None and not torch.equal(accepted, accuracy >= criterion.min_accuracy - CLOSE):
            raise ValueError(f"the accepted networks of {name} must be those with an accuracy of {criterion.min_accuracy:g}; got others")
        members = own.restored(parts)
        self.states[name] = ChainState(members, accuracy, accepted, names, self.survived(f"{name}.survived", members))
        return self.states[name]

    def survived(self, name: str, members: Any) -> Tensor | None:
        """How long edges survived. Checkpoints have it from version 5 on, but not of the largest networks."""
        if name not in self.tensors:
            return None
        return self.take(name, torch.int16, members.live_edges().shape).to(members.device)

    def phase(self, phase: Pruning[Any], names: list[ChainName] | None) -> None:
        """Restore a phase: the state of its chains, if any began, and their counters."""
        name, count = phase.items, len(names or ())
        phase.state = None if names is None else self.chains(f"{name}.state", names)
        found = {
            counter: self.take(f"{name}.{counter}", dtype, (count, 2) if counter == "key" else (count,))
            for counter, dtype in COUNTERS.items()
        }
        if phase.state is not None:
            self._check_counters(phase, phase.state, found)
            found["key"] = found["key"].to(phase.state.members.device)
        for counter, values in found.items():
            setattr(phase, counter, values)

    def _check_counters(self, phase: Pruning[Any], state: ChainState[Any], found: Mapping[str, Tensor]) -> None:
        total, rounds = found["total"], len(self.schedule.rounds.history)
        within: dict[str, Callable[[Tensor], Tensor]] = {
            "total": lambda values: values == phase.engine.count(state.members, phase.items)[0].double(),
            "key": lambda values: values == chain_keys(state.members, state.names).cpu(),
            "removed": lambda values: (values >= 0) & (values <= total),
            "step": lambda values: (values >= 1) & (values <= (2 * total).clamp(min=1)),
            "number": lambda values: (values >= 0) & (values <= rounds),
            "streak": lambda values: (values >= 0) & (values <= rounds),
            "kept": lambda values: (values >= 0) & (values < phase.tries),
            "misses": lambda values: (values >= 0) & ((values < phase.tries) | ~found["active"]) & (values <= phase.tries),
            "reported": lambda values: ~(values & found["active"]),
        }
        for counter, fits in within.items():
            if not bool(fits(found[counter]).all()):
                raise ValueError(f"{phase.items}.{counter} must fit the chains of this call; got other values")

    def check_accuracies(self) -> None:
        """Refuse accepted networks with another accuracy than is stated."""
        for name, state in self.states.items():
            some = state.select(torch.nonzero(state.accepted).flatten())
            if not len(some):
                continue
            rounds = self.schedule.rounds
            measured = rounds.judged(some.members, rounds.engine.evaluate(some.members), "dense")[0]
            if not bool(((measured - some.accuracy).abs() <= ROUNDING * some.accuracy.abs().clamp(min=1)).all()):
                raise ValueError(f"the networks of {name} must have the accuracies that it states; they have others")
