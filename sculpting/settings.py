"""Settings: of the training rounds, of the pruning schedule, and of one round with every number known."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

__all__ = ["DEFAULT_SCHEDULE", "DEFAULT_TRAINING", "RoundSettings", "ScheduleSettings", "TrainingSettings"]

EPOCHS, LEAST_STEPS, MOST_STEPS = 30, 60, 120  # of a round: so many epochs, between so many steps
LARGEST_BATCH = 64


@dataclass(frozen=True)
class TrainingSettings:
    """Settings of the training rounds of ``sculpt``, by Adam.

    Attributes
    ----------
    steps : int, optional
        Gradient steps of a round; 30 epochs but from 60 to 120 steps when left out.
    batch_size : int, optional
        Rows of a batch; half of the rows but at most 64 when left out.
    learning_rate : float or sequence of float
        One, or several to try side by side, each for every seed.
    final_rate : float in [0, 1]
        The fraction of the learning rate that is left at the end of a round, along half a cosine; 1 for a constant rate, as published.
    rate_width : int, optional
        The most live units of a layer at which the whole learning rate holds. It halves above, and again with every doubling. None
        for never.
    least_rows : int
        Rows that an epoch holds at least: data of fewer rows are repeated as often as they fit in.
    weight_decay : float
        Coupled L2.
    input_noise : float
        Standard deviation of the Gaussian noise on the inputs in training.
    hidden_noise : float
        Standard deviation of the Gaussian noise on the sums of hidden units. It works against units that carry several bits.

    Examples
    --------
    >>> TrainingSettings(steps=300, learning_rate=(0.03, 0.1)).of_round(rows=1000).batch_size
    64
    """

    steps: int | None = None
    batch_size: int | None = None
    learning_rate: float | Sequence[float] = 0.1
    final_rate: float = 0.05
    rate_width: int | None = 12
    least_rows: int = 64
    weight_decay: float = 1e-4
    input_noise: float = 0.0
    hidden_noise: float = 0.0

    @property
    def learning_rates(self) -> tuple[float, ...]:
        """The learning rate, or all of them."""
        one = isinstance(self.learning_rate, (int, float)) or getattr(self.learning_rate, "ndim", 1) == 0
        return tuple(float(rate) for rate in ([self.learning_rate] if one else self.learning_rate))  # type: ignore[union-attr,arg-type]

    def copies(self, rows: int) -> int:
        """How often each of so many rows stands in an epoch."""
        return max(1, self.least_rows // rows)

    def of_round(self, rows: int) -> RoundSettings:
        """The settings of a round on data of so many rows, every number known; at the first of the learning rates."""
        rows *= self.copies(rows)
        batch = min(LARGEST_BATCH, max(1, rows // 2)) if self.batch_size is None else self.batch_size
        steps = min(max(EPOCHS * -(-rows // batch), LEAST_STEPS), MOST_STEPS) if self.steps is None else self.steps
        return RoundSettings(
            steps, batch, self.learning_rates[0], self.final_rate, self.weight_decay, self.input_noise, self.hidden_noise, self.rate_width
        )


@dataclass(frozen=True)
class ScheduleSettings:
    """Settings of the pruning schedule of ``sculpt``.

    Attributes
    ----------
    unit_steps, edge_steps : sequence of float in (0, 1), optional
        First steps of the chains, as fractions of all hidden units and of all weights: a chain of unit pruning for each seed and unit
        step, and from each of these a chain of edge pruning for each edge step. Either may be empty. When left out, 0.7, 0.65, ... 0.05
        and 0.025, 0.02, ... 0.005, so 70 candidates a seed; for models of more than 20,000 weights 0.5, 0.2 and 0.02, 0.01.
    unit_score : {"loss_sensitivity", "ablation", "weight_sum", "random"}
        The importance of a hidden unit. What has the least goes first.
    edge_score : {"magnitude", "ablation", "loss_sensitivity", "random"}
        The importance of an edge: as published its magnitude, or the loss without it, see ``sculpting.mlp.ablation.edge_ablation``.
    double_after : int, optional
        Double a chain's step after so many acceptances in a row. As published, steps only halve, so that a chain whose first steps fail
        may lose thousands of edges one by one, alone, long after the others have ended.
    unit_tries, edge_tries : int
        How many units or edges are tried in turn at the finest step, from the least important on, before a chain ends; 1 as published.
    dense_rounds : int, optional
        Rounds of dense training at most. When left out, 10 where the accuracy that is needed is known before, and otherwise 50.
    tolerance : float in [0, 1)
        Accuracy that may be lost, 0.005 for half a percentage point, where no accuracy is asked for and the data are no complete table.
        While units are pruned half of it is kept back, so that edges can go too.
    """

    unit_steps: Sequence[float] | None = None
    edge_steps: Sequence[float] | None = None
    unit_score: str = "loss_sensitivity"
    edge_score: str = "magnitude"
    double_after: int | None = 4
    unit_tries: int = 10
    edge_tries: int = 4
    dense_rounds: int | None = None
    tolerance: float = 0.005


@dataclass(frozen=True)
class RoundSettings:
    """Settings of one training round, every number known.

    Attributes
    ----------
    steps : int
        Gradient steps, rounded up to whole epochs.
    batch_size : int
    learning_rate : float
    final_rate : float
        The learning rate falls along half a cosine towards this fraction of it (Loshchilov and Hutter, ICLR 2017, equation 5,
        without restarts); at 1 it stays, as published.
    weight_decay : float
        Coupled L2, as in Adam: added to the gradient.
    input_noise : float
        Standard deviation of the Gaussian noise on the inputs, drawn again for each epoch.
    hidden_noise : float
        The same of the noise on the sums of hidden units, before their activation.
    rate_width : int, optional
        Members with more live units in a layer learn more slowly: half as fast from above this, and half as fast again with every
        doubling. A step of Adam moves each weight by the learning rate, so the sum of a unit by that times what it reads.
    epsilon : float
        Of Adam, beside the root of the second moment.
    check_every : int, optional
        Steps between two evaluations; an epoch when left out.
    keep_last : bool
        Return the members as they are at the end and not at their best evaluation.
    target : float, optional
        Return each member as it is at the first evaluation that is so accurate; the round ends when all members have been.
    """

    steps: int = 60
    batch_size: int = 32
    learning_rate: float = 0.1
    final_rate: float = 0.05
    weight_decay: float = 1e-4
    input_noise: float = 0.0
    hidden_noise: float = 0.0
    rate_width: int | None = None
    epsilon: float = 1e-8
    check_every: int | None = None
    keep_last: bool = False
    target: float | None = None

    def epochs(self, rows: int) -> int:
        """Passes over the data that hold at least ``steps`` batches."""
        return -(-self.steps // -(-rows // self.batch_size))

    def rate_at(self, done: float) -> float:
        """The fraction of the learning rate that holds when a fraction ``done`` of the round is over."""
        return self.final_rate + (1 - self.final_rate) * (1 + math.cos(math.pi * done)) / 2


DEFAULT_TRAINING, DEFAULT_SCHEDULE = TrainingSettings(), ScheduleSettings()
