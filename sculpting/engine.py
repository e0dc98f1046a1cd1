"""The protocol of an engine: what the schedule calls to train, evaluate, score, remove, select, join and export networks.

N = members, items = hidden units or edges of a member, E = its edges.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol, Self, TypeVar

import torch
from numpy.typing import NDArray
from torch import Tensor

__all__ = ["NO_HOOKS", "Engine", "Evaluation", "Hooks", "Items", "Members", "Part", "Setup"]

Items = Literal["units", "edges"]
Part = Literal["training", "validation"]


@dataclass(frozen=True, eq=False)
class Evaluation:
    """Accuracy (float64, ``(N,)``) and mean loss (``(N,)``) on the validation rows."""

    accuracy: Tensor
    loss: Tensor

    def better_than(self, other: Evaluation) -> Tensor:
        """Bool ``(N,)``: more accurate, or as accurate with less loss."""
        return (self.accuracy > other.accuracy) | ((self.accuracy == other.accuracy) & (self.loss < other.loss))

    @classmethod
    def joined(cls, parts: Sequence[Evaluation]) -> Evaluation:
        """The evaluations of several groups of members, one after another."""
        return parts[0] if len(parts) == 1 else cls(torch.cat([part.accuracy for part in parts]), torch.cat([part.loss for part in parts]))

    def first_best(self, members: int) -> Tensor:
        """The position of each member's best among several evaluations, stored one after the other; ties go to the earliest."""
        accuracy = self.accuracy.view(-1, members).nan_to_num(nan=-torch.inf)
        loss = self.loss.view(-1, members).nan_to_num(nan=torch.finfo(self.loss.dtype).max)
        best = loss.masked_fill_(accuracy < accuracy.amax(dim=0), torch.inf).argmin(dim=0)
        return best * members + torch.arange(members, device=best.device)

    def updated(self, rows: Tensor, other: Evaluation) -> Evaluation:
        """The other's values where ``rows``, bool ``(N,)``, is true, and these elsewhere."""
        return Evaluation(torch.where(rows, other.accuracy, self.accuracy), torch.where(rows, other.loss, self.loss))


@dataclass(frozen=True)
class Hooks:
    """Functions that are called during a training round of either engine, with the members that are trained together.

    Attributes
    ----------
    before_step : function of (population, gradient), optional
        Called before every step. It may change the gradient in place, as a penalty does. Masked entries must stay zero.
    after_step : function of (population, learning rate), optional
        Called after every step. It may change the values in place, as a proximal step does.
    watch : function of (members, population, evaluation, steps), optional
        Called after every evaluation. ``members`` are the rows, in the whole population, of those trained together; ``population`` holds
        them as they are now; ``evaluation`` is theirs and ``steps`` counts the steps made. A true return value ends their round. When
        memory runs out, members are trained, and watched, again.
    resume : function of (members, tensors), optional
        Called before the first step with the state of those trained together: the tensors, by name, that their training goes on from. It
        may set them in place to what ``save`` was given, and returns how many steps were made; 0 leaves them as they are.
    save : function of (members, tensors, steps), optional
        Called after every evaluation, after ``watch``, with the same state as it is now, which the next step changes. ``steps`` are those
        of the whole round where the members have ended theirs.
    """

    before_step: Callable[[Any, Tensor], None] | None = None
    after_step: Callable[[Any, float], None] | None = None
    watch: Callable[[Tensor, Any, Evaluation, int], bool] | None = None
    resume: Callable[[Tensor, Mapping[str, Tensor]], int] | None = None
    save: Callable[[Tensor, Mapping[str, Tensor], int], None] | None = None


NO_HOOKS = Hooks()


class Members(Protocol):
    """Networks of one engine, side by side. The schedule selects, joins and stores them, and never looks inside."""

    @property
    def device(self) -> torch.device:
        """The device of the members."""
        ...

    def __len__(self) -> int: ...

    def select(self, members: Tensor) -> Self:
        """A copy of some members, in the order given; a member may be taken more than once."""
        ...

    def joined(self, other: Self) -> Self:
        """These members, then the others."""
        ...

    def replaced(self, rows: Tensor, other: Self) -> Self:
        """The same members, those at ``rows`` replaced by the others."""
        ...

    def live_edges(self) -> Tensor:
        """Which edges have not been pruned: bool ``(N, E)``."""
        ...

    def tensors(self) -> dict[str, Tensor]:
        """The tensors that a checkpoint stores, by name."""
        ...

    def restored(self, tensors: Mapping[str, Tensor]) -> Self:
        """Members of the same architecture, from the tensors that a checkpoint has stored.

        Shapes and dtypes are as those of :meth:`tensors`. A ValueError says where the values are not those of such members.
        """
        ...


M = TypeVar("M", bound=Members)


class Setup(Protocol):
    """How ``sculpt`` sets up an engine for its models: what is known of them before and after the run."""

    @property
    def models(self) -> int:
        """The number of models."""
        ...

    def facts(self, model: int) -> tuple[dict[str, Any], dict[str, Any]]:
        """What networks of a model have as attributes, and what they record in their origin."""
        ...

    def returned(self, network: Any) -> Any:
        """A network as it is returned, in the units of the data."""
        ...


class Engine(Protocol[M]):
    """Trains and prunes members of one architecture.

    The result of a member does not depend on the other members, except for the rounding of batched products.
    """

    def train(self, members: M, key: Tensor, learning_rate: Tensor, noise: float = 1.0) -> tuple[M, Evaluation]:
        """Every member at the best epoch of a training round, and its evaluation there.

        ``key (N, 2)`` holds the keys of the members' random numbers; ``learning_rate`` is float64 ``(N,)``; ``noise`` is the fraction of
        the usual noise.
        """
        ...

    def evaluate(self, members: M) -> Evaluation:
        """Accuracy and loss of every member on the validation rows."""
        ...

    def row_scores(self, members: M, part: Part = "validation") -> Tensor:
        """What each validation or training row adds to the metric of every member: float64 ``(N, K, S)``, see ``Metric``."""
        ...

    def count(self, members: M, items: Items) -> tuple[Tensor, Tensor]:
        """How many items each member had before any pruning, and how many are left: int64 ``(N,)``, on the CPU."""
        ...

    def score(self, members: M, items: Items, key: Tensor) -> Tensor:
        """The importance of every item: float32 ``(N, items)``, at least 0, infinite for items that were pruned."""
        ...

    def remove(self, members: M, items: Items, removed: Tensor) -> M:
        """The members without the items that are true in ``removed``, bool ``(N, items)``."""
        ...

    def export(self, members: M, facts: Sequence[dict[str, Any]]) -> Sequence[Any]:
        """Every member as a ``SparseNetwork`` or a ``SparseModule``; ``facts`` holds further attributes for each."""
        ...

    def by_weights(self, members: M, edges: Tensor) -> Sequence[tuple[NDArray[Any], ...]]:
        """Numbers of edges ``(N, E)`` in the order of ``live_edges``, for every member as arrays in the shapes of its weights."""
        ...
