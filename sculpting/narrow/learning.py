"""Training until a target: what recovery, distillation, training from scratch and revival have in common.

N = members, P = parameters of a member.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import NamedTuple

import torch
from torch import Tensor

from ..data import Data
from ..engine import Evaluation
from ..mlp.memory import members_that_fit
from ..mlp.population import Population
from ..mlp.training import Hooks, evaluate, train
from ..options import check_amounts, check_counts
from ..schedule.acceptance import CLOSE
from ..settings import RoundSettings
from .lasso import Lasso

__all__ = ["Check", "TrainingResult", "check_target", "evaluate_in_parts", "learn"]


class Check(NamedTuple):
    """How a member stood on the validation rows after so many examples."""

    member: int
    examples: int
    accuracy: float
    loss: float


@dataclass(frozen=True, eq=False)
class TrainingResult:
    """What training gave.

    Attributes
    ----------
    population : Population
        Each member as it was when it reached the target; the others, or all where there is none, as they are at the end: at the last
        evaluation at which their loss was a number, or as they came.
    score : Evaluation
        There, on the validation rows.
    examples : Tensor of shape (N,), float64
        Rows that training consumed until the target was reached, 0 where it was before; NaN where it was not, or there is none.
    history : tuple of Check
        Member by member all evaluations, the first before any training, the last the one that the member is handed over at.
    """

    population: Population
    score: Evaluation
    examples: Tensor
    history: tuple[Check, ...]

    @property
    def consumed(self) -> Tensor:
        """Rows of training behind each member, whether it reached the target or not: int64 ``(N,)``."""
        last = {check.member: check.examples for check in self.history}
        return torch.tensor([last[member] for member in range(len(self.population))])


def learn(
    population: Population,
    data: Data,
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
    watch: Callable[[Tensor, Population, int], bool] | None = None,
) -> TrainingResult:
    """Members trained by Adam at a constant rate until they reach an accuracy, or to the end.

    Parameters
    ----------
    population : Population
        Where training starts; left as it is. Masks hold throughout: gradients are masked before Adam sees them.
    data : Data
    key : Tensor of shape (N, 2)
        Keys of the members' data order.
    steps : int
        At the most; rounded up to whole epochs. 0 for none.
    batch_size : int
    learning_rate : float or Tensor of shape (N,)
    target : float in (0, 1], optional
        Accuracy on the validation rows. All members train on until each has reached it.
    check_every : int
        Steps between two evaluations, and so what ``examples`` are exact to.
    lasso : Lasso, optional
        A penalty on the way.
    weight_decay, epsilon, input_noise, max_members
        As for ``RoundSettings`` and ``train``.
    watch : function of (members, population, examples), optional
        Called after every evaluation in training: which rows of ``population`` are trained together, how they are now, without pruned
        units, and the rows that they have consumed; when it returns true their training ends.

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
    >>> from ..mlp.population import Shape
    >>> from ..randomness import keys
    >>> from ..tasks import cmsp
    >>> task, key = cmsp(1, 2), keys(["a", "b"])
    >>> population = Population.uniform(Shape((3, 16, 1), ("relu", "identity")), key)
    >>> learnt = learn(population, Data.of(task), key, steps=500, batch_size=4, learning_rate=0.01, target=1.0)
    >>> learnt.score.accuracy.tolist(), bool((learnt.examples <= 2000).all())
    ([1.0, 1.0], True)
    """
    optional = {name: count for name, count in (("steps", steps or None), ("max_members", max_members)) if count is not None}
    check_counts(batch_size=batch_size, check_every=check_every, **optional)
    rates = torch.as_tensor(learning_rate, dtype=torch.float64)
    for name, given, shapes in (("key", key, [(len(population), 2)]), ("learning_rate", rates, [(), (len(population),)])):
        if tuple(given.shape) not in shapes:
            raise ValueError(f"{name} must have shape {shapes[-1]}, a row for each member; got {tuple(given.shape)}")
    check_amounts(weight_decay=weight_decay, input_noise=input_noise)
    for name, numbers in (("learning_rate", rates.flatten().tolist()), ("epsilon", [epsilon])):
        if not all(0 < number < math.inf for number in numbers):
            raise ValueError(f"{name} must be positive, and finite; got {next(n for n in numbers if not 0 < n < math.inf):g}")
    check_target(target)
    rates = rates.expand(len(population))
    settings = RoundSettings(
        steps, batch_size, final_rate=1.0, weight_decay=weight_decay, input_noise=input_noise, rate_width=None, epsilon=epsilon,
        check_every=check_every, keep_last=True, target=None if target is None else target - CLOSE,
    )  # fmt: skip
    start = evaluate_in_parts(population, data, max_members)
    seen = [{0: Check(member, 0, *pair)} for member, pair in enumerate(zip(start.accuracy.tolist(), start.loss.tolist(), strict=True))]
    mark = float("inf") if settings.target is None else settings.target
    going = torch.nonzero(~(start.accuracy >= mark)).flatten()

    def note(members: Tensor, part: Population, score: Evaluation, done: int) -> bool:
        rows = _consumed(done, data, batch_size)
        for member, accuracy, loss in zip(going[members].tolist(), score.accuracy.tolist(), score.loss.tolist(), strict=True):
            seen[member][rows] = Check(member, rows, accuracy, loss)  # written again where memory ran out and training began anew
        return watch is not None and watch(going[members], part, rows)

    values, score = population.values.clone(), start
    if len(going) and steps:
        hooks = replace(Hooks() if lasso is None else lasso.hooks, watch=note)
        part, reached = train(population.select(going), data, settings, key[going], rates[going.cpu()], max_members, hooks=hooks)
        values[going] = part.values
        score = Evaluation(start.accuracy.index_copy(0, going, reached.accuracy), start.loss.index_copy(0, going, reached.loss))
    histories = [_until(list(checks.values()), mark) for checks in seen]
    examples = [float(checks[-1].examples) if checks[-1].accuracy >= mark else float("nan") for checks in histories]
    history = tuple(check for checks in histories for check in checks)
    return TrainingResult(replace(population, values=values), score, torch.tensor(examples, dtype=torch.float64), history)


def check_target(target: float | None) -> None:
    """Refuse a target that is no accuracy."""
    if target is not None and not 0 < target <= 1:
        raise ValueError(f"target must be an accuracy in (0, 1]; got {target}")


def evaluate_in_parts(population: Population, data: Data, max_members: int | None = None) -> Evaluation:
    """The score of every member on the validation rows, no more at once than fit into the free memory."""
    size = max_members or members_that_fit(len(population), population.shape, data, RoundSettings())
    parts = [evaluate(population.select(rows), data) for rows in torch.arange(len(population)).split(size)]
    return Evaluation(torch.cat([part.accuracy for part in parts]), torch.cat([part.loss for part in parts]))


def _until(checks: list[Check], mark: float) -> list[Check]:
    """Evaluations up to the first that reaches the mark."""
    reached = next((place for place, check in enumerate(checks) if check.accuracy >= mark), len(checks))
    return checks[: reached + 1]


def _consumed(steps: int, data: Data, batch_size: int) -> int:
    """Rows of so many steps; the last batch of an epoch may be shorter, unless rows are drawn."""
    if data.sample is not None:
        return steps * batch_size
    rows = data.x.shape[1]
    epochs, rest = divmod(steps, -(-rows // batch_size))
    return epochs * rows + rest * batch_size
