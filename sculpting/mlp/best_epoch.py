"""The best epoch of every member in a training round.

N = members, P = parameters of a member, n = inputs, k = outputs, S = validation rows.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from ..data import Data
from ..engine import Evaluation
from ..settings import RoundSettings
from .batched_mlp import BatchedMLP
from .memory import ACTIVATION_COPIES
from .memory_layout import lie_last
from .population import Population

__all__ = ["BestEpoch"]

FLOATS = 250_000  # in copies of members that are evaluated together, and in their activations: a megabyte, which stays in the cache


class BestEpoch:
    """Members as they are at their best evaluation: highest accuracy, then lowest loss, then the earliest.

    An evaluation whose loss is NaN does not count. A member of which no evaluation counts keeps its initial values; its accuracy is
    minus infinity.

    Where no evaluation is needed at once, copies of the members at several evaluations are kept side by side. They are evaluated
    together, as if each copy were a further member. This saves calls, which take most of the time of evaluating small networks.

    Parameters
    ----------
    population : Population
        The members, which training changes in place.
    data : Data
        Its validation rows are used.
    settings : RoundSettings
        ``keep_last`` makes the last evaluation the best one, ``target`` the first that reaches it.
    count : int
        Number of evaluations in the round.
    at_once : bool
        Whether each evaluation is needed as soon as it is made.

    Attributes
    ----------
    evaluation, top : Evaluation
        The last evaluation, and the best one so far.
    best : Tensor of shape (N, P)
        The values of the members at their best evaluation so far.
    """

    def __init__(self, population: Population, data: Data, settings: RoundSettings, count: int, at_once: bool) -> None:
        self.shape, self.values, self.data, self.settings = population.shape, population.values, data, settings
        members, size = self.values.shape
        each = members * (size + ACTIVATION_COPIES * sum(self.shape.widths[1:]) * data.x_validation.shape[1])
        fit = 1 if at_once or settings.keep_last or settings.target is not None else max(1, FLOATS // each)
        self.together = math.ceil(count / math.ceil(count / fit))  # about equally many each time
        self.taken = self.values
        if self.together > 1:
            slots = self.together * members
            self.taken = self.values.new_empty(size, slots).t() if lie_last(self.values) else self.values.new_empty(slots, size)
        self.networks, self.waiting = BatchedMLP(self.shape, self.taken), 0
        self.best, none = self.values.clone(), self.values.new_full((members,), torch.inf)
        self.evaluation = self.top = Evaluation(-none.double(), none)

    def take(self) -> None:
        """Add an evaluation of the members as they are now."""
        members = len(self.values)
        if self.together > 1:
            self.taken[self.waiting * members : (self.waiting + 1) * members] = self.values
        self.waiting += 1
        if self.waiting == self.together:
            self._evaluate(self.networks, self.taken)

    def tensors(self) -> dict[str, Tensor]:
        """What is known so far, by name; it is whole only where each evaluation is made at once. May be set in place before the first."""
        return {"best": self.best, "accuracy": self.top.accuracy, "loss": self.top.loss}

    def finish(self) -> tuple[Tensor, Evaluation]:
        """Values and evaluation of the members at their best epoch, after the last call of :meth:`take`."""
        if self.waiting:
            taken = self.taken[: self.waiting * len(self.values)]
            self._evaluate(BatchedMLP(self.shape, taken), taken)
        return self.best, self.top

    def _evaluate(self, networks: BatchedMLP, taken: Tensor) -> None:
        self.evaluation = networks.evaluate(self.data.x_validation, self.data.y_validation, self.data.loss)
        if self.waiting > 1:
            places = self.evaluation.first_best(len(self.values))
            self.evaluation = Evaluation(self.evaluation.accuracy[places], self.evaluation.loss[places])
            # Members last: along memory.
            taken = taken.t().index_select(1, places).t() if lie_last(taken) else taken.index_select(0, places)
        self.waiting = 0
        better = ~self.evaluation.loss.isnan() if self.settings.keep_last else self.evaluation.better_than(self.top)
        if self.settings.target is not None:
            better &= ~(self.top.accuracy >= self.settings.target)
        torch.where(better.unsqueeze(1), taken, self.best, out=self.best)
        self.top = self.top.updated(better, self.evaluation)
