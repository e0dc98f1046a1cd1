"""The protocol between ``narrow`` and the two engines: what it asks of networks, whatever they are.

N = members, H = removable units of a member (of a chain of Linear layers: its hidden units), P = parameters of a member, L = layers of
removable units, n_l = removable units of layer l.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Protocol

from numpy import float64
from numpy.typing import NDArray
from torch import Tensor

from ..engine import Evaluation, Hooks
from ..settings import RoundSettings
from ..tasks.task import Task

__all__ = ["GroupsOfLayer", "NarrowEngine", "Score"]

Score = Callable[[Any, Any, Tensor], Tensor]  # of members, rows and keys (N, 2): (N, H)


class GroupsOfLayer(Protocol):
    """The groups of the units of one layer, in the members' own values."""

    def norms(self) -> Tensor:
        """The norm of each group: ``(N, n_l)``."""
        ...

    def sizes(self) -> Tensor:
        """Live parameters of each group: ``(N, n_l)``."""
        ...

    def multiply(self, factors: Tensor) -> None:
        """Multiply the values of each group by ``factors (N, n_l)``, in place."""
        ...


class NarrowEngine(Protocol):
    """What ``narrow`` asks of an engine. Members are a ``Population`` or a ``ModulePopulation``, rows ``Data`` or ``ModuleRows``."""

    @property
    def scores(self) -> Mapping[str, Score]:
        """``ablation``, ``first_order``, ``activation_gradient`` and ``random``, on the validation rows."""
        ...

    def widths(self, members: Any) -> tuple[int, ...]:
        """n_l of every layer, pruned units included."""
        ...

    def own_widths(self, members: Any) -> Tensor:
        """The same of each member, without padding: int64 ``(N, L)``, on the CPU."""
        ...

    def alive(self, members: Any) -> Tensor:
        """Which units have not been pruned: bool ``(N, H)``."""
        ...

    def without_units(self, members: Any, removed: Tensor) -> Any:
        """The members without the units that are true in ``removed``, bool ``(N, H)``."""
        ...

    def norms(self, members: Any, bias: bool) -> Tensor:
        """The norm of every group, with or without biases: ``(N, H)``."""
        ...

    def sizes(self, members: Any, bias: bool) -> Tensor:
        """Live parameters of every group: ``(N, H)``."""
        ...

    def add_to_groups(self, members: Any, flat: Tensor, numbers: Tensor, bias: bool) -> None:
        """Add the numbers ``(N, H)`` of its groups to what each parameter has, ``flat (N, P)``, in place."""
        ...

    def group_layers(self, members: Any, bias: bool) -> Iterable[GroupsOfLayer]:
        """The groups, layer after layer."""
        ...

    def identity(self, members: Any) -> object:
        """What tells their architecture from another in the next process, too."""
        ...

    def rows(self, members: Any, task: Task) -> Any:
        """The rows of a task as the members take them, where they are."""
        ...

    def settings(self, settings: RoundSettings, rows: Any) -> RoundSettings:
        """The settings of a round as they fit the rows."""
        ...

    def evaluate(self, members: Any, rows: Any) -> Evaluation:
        """Accuracy and loss of every member on the validation rows."""
        ...

    def fit(self, members: Any, rows: Any) -> int:
        """How many of the members fit into memory at once."""
        ...

    def train(
        self, members: Any, rows: Any, settings: RoundSettings, key: Tensor, rates: Tensor, max_members: int | None, hooks: Hooks
    ) -> tuple[Any, Evaluation]:
        """A training round of all members."""
        ...

    def unpacked(self, members: Any, rates: Tensor) -> Callable[[Any, Tensor], Any]:
        """A function of members in training, and of their rows in ``members``, that gives them with what training leaves out."""
        ...

    def taught(self, rows: Any, teacher: Any, loss: str, mixing: float, temperature: float) -> Any:
        """The rows with the outputs of a teacher, see ``distilled``."""
        ...

    def fresh(self, models: Any, sizes: Sequence[int], key: Tensor) -> Any:
        """Untrained members of every size, size by size, one for each key ``(R, 2)``."""
        ...

    def by_layer(self, members: Any, rows: Any, scores: Tensor) -> list[NDArray[float64]]:
        """Numbers of all units, ``(H,)``, as one float64 array ``(n_l,)`` for each layer."""
        ...

    def export(self, members: Any, row: int, facts: Mapping[str, Any]) -> Any:
        """One member as a network, without units that nothing depends on as far as its form allows."""
        ...
