"""Training until a target: what recovery, distillation, training from scratch and revival have in common.

N = members, P = parameters of a member.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import reduce
from typing import Any

import torch
from torch import Tensor

from ..checks import check_amounts, check_counts, is_real, shown
from ..engine import Evaluation, Hooks
from ..mlp.memory import in_groups_that_fit
from ..schedule.acceptance import CLOSE
from ..settings import RoundSettings
from ..surroundings import set_aside
from .engines import engine_of
from .lasso import Lasso
from .results import Check
from .resuming import SavedTraining

__all__ = ["TrainingResult", "check_target", "evaluate_in_parts", "joined", "learn"]


@dataclass(frozen=True, eq=False)
class TrainingResult:
    """What training gave.

    Attributes
    ----------
    population : Population or ModulePopulation
        Each member as it was when it reached the target. A member that did not, or that has no target, is returned as it was at the last
        evaluation at which its loss was a number, and untrained where there is none.
    score : Evaluation
        Of these members, on the validation rows.
    examples : Tensor of shape (N,), float64
        Rows that training consumed until the target was reached; 0 for a member that was accurate before, NaN for one that never was, or
        that has no target.
    history : tuple of Check
        All evaluations, member by member: the first before any training, the last that of the member that is returned.
    """

    population: Any
    score: Evaluation
    examples: Tensor
    history: tuple[Check, ...]

    @property
    def consumed(self) -> Tensor:
        """Rows that training consumed for each member, whether it reached the target or not: int64 ``(N,)``."""
        last = {check.member: check.examples for check in self.history}
        return torch.tensor([last[member] for member in range(len(self.population))])


@set_aside()
def learn(
    population: Any,
    data: Any,
    key: Tensor,
    *,
    steps: int,
    batch_size: int,
    learning_rate: Tensor | float,
    target: float | None = None,
    check_every: int = 50,
    lasso: Lasso | None = None,
    weight_decay: float = 0.0,
    epsilon: float = 1e-8,
    input_noise: float = 0.0,
    max_members: int | None = None,
    watch: Callable[[Tensor, Any, int], bool] | None = None,
    saved: SavedTraining | None = None,
) -> TrainingResult:
    """Members trained by Adam at a constant rate until they reach an accuracy, or to the end.

    Parameters
    ----------
    population : Population or ModulePopulation
        Where training starts; left as it is. Masks hold throughout: gradients are masked before Adam sees them.
    data : Data or ModuleRows
    key : Tensor of shape (N, 2)
        Keys of the members' data order.
    steps : int
        At the most; rounded up to whole epochs. 0 for none.
    batch_size : int
        Of modules larger where the last batch of an epoch would otherwise be a single row, of which batch norms know no variance.
    learning_rate : float or Tensor of shape (N,)
    target : float in (0, 1], optional
        Accuracy on the validation rows. All members train on until each has reached it.
    check_every : int
        Steps between two evaluations, and so what ``examples`` are exact to.
    lasso : Lasso, optional
        A penalty on the way.
    weight_decay, epsilon, input_noise, max_members
        As for ``RoundSettings`` and ``train``.
    watch : function of (members, networks, examples), optional
        Called after every evaluation in training, with members that are trained together: their rows in ``population``, the members as
        they are now, and the rows that they have consumed. When it returns true, their training ends.
    saved : SavedTraining, optional
        Of a checkpoint: where this training goes on from, and where it is kept after every evaluation.

    Raises
    ------
    ValueError
        When an argument is out of range.

    Notes
    -----
    Rows are counted each time they are used. Published code stops on the test rows, and re-applies masks after the gradient and before
    Adam's step, whose moments then move what was pruned.

    Examples
    --------
    >>> from ..data import Data
    >>> from ..mlp.population import Population, Shape
    >>> from ..randomness import keys
    >>> from ..tasks import cmsp
    >>> task, key = cmsp(1, 2), keys(["a", "b"])
    >>> population = Population.uniform(Shape((3, 16, 1), ("relu", "identity")), key)
    >>> learnt = learn(population, Data.of(task), key, steps=500, batch_size=4, learning_rate=0.01, target=1.0)
    >>> learnt.score.accuracy.tolist(), bool((learnt.examples <= 2000).all())
    ([1.0, 1.0], True)
    """
    _check_numbers(steps, max_members, target, batch_size=batch_size, check_every=check_every)
    check_amounts(weight_decay=weight_decay, input_noise=input_noise)
    rates = _rates(learning_rate, epsilon, key, len(population))
    settings = RoundSettings(
        steps, batch_size, final_rate=1.0, weight_decay=weight_decay, input_noise=input_noise, rate_width=None, epsilon=epsilon,
        check_every=check_every, keep_last=True, target=None if target is None else target - CLOSE,
    )  # fmt: skip
    engine = engine_of(population)
    settings = engine.settings(settings, data)
    start = evaluate_in_parts(population, data, max_members)
    seen = [{0: Check(member, 0, *pair)} for member, pair in enumerate(zip(start.accuracy.tolist(), start.loss.tolist(), strict=True))]
    needed = float("inf") if settings.target is None else settings.target
    going = torch.nonzero(~(start.accuracy >= needed)).flatten()
    trained, score = population.select(going), start
    unpacked = None if watch is None else engine.unpacked(trained, rates[going.cpu()])

    def note(members: Tensor, part: Any, score: Evaluation, done: int) -> bool:
        rows = _consumed(done, data, settings.batch_size)
        for member, accuracy, loss in zip(going[members].tolist(), score.accuracy.tolist(), score.loss.tolist(), strict=True):
            seen[member][rows] = Check(member, rows, accuracy, loss)  # overwritten where memory ran out and training started again
        return watch is not None and unpacked is not None and watch(going[members], unpacked(part, members), rows)

    if len(going) and steps:
        hooks = replace(Hooks() if lasso is None else lasso.hooks, watch=note)
        hooks = hooks if saved is None else saved.added_to(hooks, trained, going, seen)
        part, reached = engine.train(trained, data, settings, key[going], rates[going.cpu()], max_members, hooks)
        population = population.replaced(going, part)
        score = Evaluation(start.accuracy.index_copy(0, going, reached.accuracy), start.loss.index_copy(0, going, reached.loss))
    return _result(population, score, seen, needed)


def _check_numbers(steps: int, max_members: int | None, target: float | None, **counts: int) -> None:
    """Refuse counts that are no whole numbers of at least 1, of steps 0 too, and a target that is no accuracy."""
    optional = {name: count for name, count in (("steps", steps or None), ("max_members", max_members)) if count is not None}
    check_counts(**counts, **optional)
    check_target(target)


def _result(population: Any, score: Evaluation, seen: list[dict[int, Check]], needed: float) -> TrainingResult:
    """Trained members with what was ``seen`` of each: its checks by the rows it had consumed, up to the accuracy that was ``needed``."""
    histories = [_until(list(checks.values()), needed) for checks in seen]
    examples = [float(checks[-1].examples) if checks[-1].accuracy >= needed else float("nan") for checks in histories]
    history = tuple(check for checks in histories for check in checks)
    return TrainingResult(population, score, torch.tensor(examples, dtype=torch.float64), history)


def _rates(learning_rate: Tensor | float, epsilon: float, key: Tensor, count: int) -> Tensor:
    """A learning rate for each of so many members; refused where a rate, epsilon or the keys do not fit."""
    rates = torch.as_tensor(learning_rate, dtype=torch.float64)
    for name, given, shapes in (("key", key, [(count, 2)]), ("learning_rate", rates, [(), (count,)])):
        if tuple(given.shape) not in shapes:
            raise ValueError(f"{name} must have shape {shapes[-1]}, a row for each member; got {tuple(given.shape)}")
    for name, numbers in (("learning_rate", rates.flatten().tolist()), ("epsilon", [epsilon])):
        if not all(0 < number < math.inf for number in numbers):
            raise ValueError(f"{name} must be positive, and finite; got {next(n for n in numbers if not 0 < n < math.inf):g}")
    return rates.expand(count)


def check_target(target: float | None) -> None:
    """Refuse a target that is not an accuracy."""
    if target is not None and not (is_real(target) and 0 < target <= 1):
        raise ValueError(f"target must be an accuracy in (0, 1]; got {shown(target)}")


def evaluate_in_parts(population: Any, data: Any, max_members: int | None = None) -> Evaluation:
    """Accuracy and loss of every member on the validation rows, no more members at once than fit into the free memory."""
    engine = engine_of(population)
    size = max_members or engine.fit(population, data)
    groups = torch.arange(len(population)).split(size)
    return Evaluation.joined([part for _, part in in_groups_that_fit(lambda rows: engine.evaluate(population.select(rows), data), groups)])


def joined(results: Sequence[TrainingResult], rows: Sequence[Tensor]) -> TrainingResult:
    """The results of members that were trained apart, as one; ``rows`` are the places of the members of each."""
    order = torch.cat(list(rows)).argsort()
    population = reduce(lambda some, more: some.joined(more), [result.population for result in results]).select(order)
    accuracy, loss = (torch.cat([getattr(result.score, name) for result in results])[order] for name in ("accuracy", "loss"))
    examples = torch.cat([result.examples for result in results])[order]
    history = [check._replace(member=int(own[check.member])) for result, own in zip(results, rows, strict=True) for check in result.history]
    return TrainingResult(population, Evaluation(accuracy, loss), examples, tuple(sorted(history, key=lambda check: check.member)))


def _until(checks: list[Check], accuracy: float) -> list[Check]:
    """Evaluations up to the first that reaches an accuracy."""
    reached = next((place for place, check in enumerate(checks) if check.accuracy >= accuracy), len(checks))
    return checks[: reached + 1]


def _consumed(steps: int, data: Any, batch_size: int) -> int:
    """Rows of so many steps; the last batch of an epoch may be shorter, unless rows are drawn."""
    if data.sample is not None:
        return steps * batch_size
    rows = len(data)
    epochs, rest = divmod(steps, -(-rows // batch_size))
    return epochs * rows + rest * batch_size
