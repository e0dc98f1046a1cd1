"""What a round hands over of every member, out of its evaluations.

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

FLOATS = 250_000  # of snapshots that are evaluated together, and of their activations: a megabyte, so that they stay in the cache


class BestEpoch:
    """Members as they are at their best evaluation: highest accuracy, then lowest loss, then the earliest.

    Where the loss is not a number an evaluation does not count; a member of which none counts stays as it came, with an accuracy of
    minus infinity.

    Where nobody waits for a score, snapshots of several evaluations lie side by side and are evaluated together, as if each were a
    further member: most of what an evaluation of small networks takes are its calls.

    Parameters
    ----------
    population : Population
        The members, which training changes in place.
    data : Data
        What they are evaluated on.
    settings : RoundSettings
        Says whether it is the last evaluation that counts, or the first that reaches a target.
    count : int
        How many evaluations there will be.
    at_once : bool
        Whether each score is wanted as soon as it can be had.

    Attributes
    ----------
    evaluation, top : Evaluation
        Of the last evaluation, and of what is handed over.
    best : Tensor of shape (N, P)
        What is handed over.
    """

    def __init__(self, population: Population, data: Data, settings: RoundSettings, count: int, at_once: bool) -> None:
        self.shape, self.values, self.data, self.settings = population.shape, population.values, data, settings
        members, size = self.values.shape
        each = members * (size + ACTIVATION_COPIES * sum(self.shape.widths[1:]) * data.x_validation.shape[1])
        fit = 1 if at_once or settings.keep_last or settings.target is not None else max(1, FLOATS // each)
        self.together = math.ceil(count / math.ceil(count / fit))  # as many each time, about
        self.taken = self.values
        if self.together > 1:
            slots = self.together * members
            self.taken = self.values.new_empty(size, slots).t() if lie_last(self.values) else self.values.new_empty(slots, size)
        self.networks, self.waiting = BatchedMLP(self.shape, self.taken), 0
        self.best, none = self.values.clone(), self.values.new_full((members,), torch.inf)
        self.evaluation = self.top = Evaluation(-none.double(), none)

    def take(self) -> None:
        """Another evaluation, of the members as they are now."""
        members = len(self.values)
        if self.together > 1:
            self.taken[self.waiting * members : (self.waiting + 1) * members] = self.values
        self.waiting += 1
        if self.waiting == self.together:
            self._evaluate(self.networks, self.taken)

    def finish(self) -> tuple[Tensor, Evaluation]:
        """What is handed over, values and score, when all evaluations were taken."""
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
