"""Settings of the training rounds and of the pruning schedule, and the complete settings of one round."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from numbers import Real

__all__ = ["DEFAULT_SCHEDULE", "DEFAULT_TRAINING", "MOST_RATES", "RoundSettings", "ScheduleSettings", "TrainingSettings"]

EPOCHS, LEAST_STEPS, MOST_STEPS = 30, 60, 120  # of a round: 30 epochs, but at least 60 and at most 120 steps
LARGEST_BATCH = 64
MOST_RATES = 1_000


@dataclass(frozen=True)
class TrainingSettings:
    """Settings of the training rounds of ``sculpt``, which use Adam.

    Attributes
    ----------
    steps : int, optional
        Gradient steps of a round. When left out, 30 epochs, but at least 60 and at most 120 steps.
    batch_size : int, optional
        Rows of a batch. When left out, half of the rows, but at most 64.
    learning_rate : float or sequence of float
        One learning rate, or several to try side by side, each with every seed.
    final_rate : float in [0, 1]
        The learning rate falls along half a cosine to this fraction of it at the end of a round; 1 for a constant rate, as published.
    rate_width : int, optional
        The learning rate is halved for a network with more live units than this in a layer, and halved again with every doubling. None
        for never.
    least_rows : int
        Data of fewer rows than this are repeated in every epoch, as often as they fit into this number of rows.
    weight_decay : float
        Coupled L2 penalty, as in Adam.
    input_noise : float
        Standard deviation of the Gaussian noise on the inputs in training.
    hidden_noise : float
        Standard deviation of the Gaussian noise on the sums of hidden units. It discourages units that carry several bits.
    keep_last : bool
        Take the network at the end of a round, and not at its best epoch on the validation rows. On few rows the best of many epochs is
        the luckiest.

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
    keep_last: bool = False

    def __post_init__(self) -> None:
        if isinstance(self.learning_rate, Iterator):  # can be read once only
            object.__setattr__(self, "learning_rate", tuple(islice(self.learning_rate, MOST_RATES + 1)))

    @property
    def learning_rates(self) -> tuple[float, ...]:
        """All learning rates, also when there is one."""
        one = isinstance(self.learning_rate, Real) or getattr(self.learning_rate, "ndim", 1) == 0
        rates = [self.learning_rate] if one else islice(self.learning_rate, MOST_RATES + 1)  # type: ignore[arg-type]
        return tuple(float(rate) for rate in rates)  # type: ignore[arg-type]

    def copies(self, rows: int) -> int:
        """How often each of this number of rows occurs in an epoch."""
        return max(1, self.least_rows // rows)

    def of_round(self, rows: int) -> RoundSettings:
        """The complete settings of a round on this number of rows, at the first of the learning rates."""
        rows *= self.copies(rows)
        batch = min(LARGEST_BATCH, max(1, rows // 2)) if self.batch_size is None else self.batch_size
        steps = min(max(EPOCHS * -(-rows // batch), LEAST_STEPS), MOST_STEPS) if self.steps is None else self.steps
        return RoundSettings(
            steps, batch, self.learning_rates[0], self.final_rate, self.weight_decay, self.input_noise, self.hidden_noise, self.rate_width,
            keep_last=self.keep_last,
        )  # fmt: skip


@dataclass(frozen=True)
class ScheduleSettings:
    """Settings of the pruning schedule of ``sculpt``.

    Attributes
    ----------
    unit_steps, edge_steps : sequence of float in (0, 1), optional
        First steps of the chains, as fractions of all hidden units and of all weights. Each seed has a chain of unit pruning for each unit
        step; from each of these starts a chain of edge pruning for each edge step. One of the two may be empty. When left out, the steps
        are 0.7, 0.65, ... 0.05 and 0.025, 0.02, ... 0.005, which gives 70 candidates a seed. For models of more than 20,000 weights they
        are 0.5, 0.2 and 0.02, 0.01.
    unit_score : {"loss_sensitivity", "ablation", "weight_sum", "random"}
        The importance of a hidden unit. The least important is pruned first.
    edge_score : {"magnitude", "ablation", "loss_sensitivity", "random"}
        The importance of an edge: its magnitude, as published, or the loss without it, see ``sculpting.mlp.ablation.edge_ablation``.
    double_after : int, optional
        Double a chain's step after this many acceptances in a row; None for never, as published. When steps only halve, a chain whose
        first steps are rejected may prune thousands of edges one by one, long after the others have ended.
    unit_tries, edge_tries : int
        How many units or edges are tried in turn at the finest step, the least important first, before a chain ends; 1 as published.
    dense_rounds : int, optional
        Rounds of dense training at the first start, at most. When left out, 10 where the accuracy to reach is known beforehand, otherwise
        50.
    restart_rate : float in (0, 1], optional
        Where the accuracy to reach is known, a dense network that does not reach it starts again at this fraction of the learning rate,
        first without noise, for at most six times as many rounds (twice as many without noise); its chains of pruning keep that learning
        rate. None for no second start, as published. Networks that are trained already, with ``initial="model"``, have none.
    tolerance : float in [0, 1)
        How much accuracy pruning may lose, where no ``min_accuracy`` is given and the data are no complete table. Unit pruning may lose
        half of it, so that edges can be pruned too.
    confidence : float in [0.5, 1), optional
        Of a one-sided paired test on the validation rows, for data that are no complete table: every output of a network must be less
        than ``tolerance`` below the mean of the dense networks. Where ``min_accuracy`` is given, every output must reach that. When None,
        the accuracy over all outputs is compared with that of the best dense network, as it is.
    """

    unit_steps: Sequence[float] | None = None
    edge_steps: Sequence[float] | None = None
    unit_score: str = "loss_sensitivity"
    edge_score: str = "magnitude"
    double_after: int | None = 4
    unit_tries: int = 10
    edge_tries: int = 4
    dense_rounds: int | None = None
    restart_rate: float | None = 0.3
    tolerance: float = 0.005
    confidence: float | None = None


@dataclass(frozen=True)
class RoundSettings:
    """Complete settings of one training round.

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
        Standard deviation of the Gaussian noise on the sums of hidden units, before their activation.
    rate_width : int, optional
        Members with more live units than this in a layer get half of the learning rate, and half again with every doubling. A step of Adam
        moves each weight by the learning rate, and so the sum of a unit by the learning rate times the sum of its inputs.
    epsilon : float
        Of Adam, added to the root of the second moment.
    check_every : int, optional
        Steps between two evaluations; an epoch when left out.
    keep_last : bool
        Return the members at the end of the round instead of at their best evaluation.
    target : float, optional
        Return each member at its first evaluation with at least this accuracy. The round ends when all members have reached it.
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
