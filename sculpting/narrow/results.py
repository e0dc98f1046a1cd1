"""What ``narrow`` hands over: small networks, what each cost, and what it forgot."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from ..models.network import SparseNetwork

__all__ = ["NarrowResult", "Narrowed", "Stage"]


class Stage(NamedTuple):
    """How a network stood after a phase.

    ``phase`` is ``"model"``, ``"group-lasso"``, ``"pruned"``, ``"learnt"`` (recovered, distilled or trained from scratch) or
    ``"revived"``; ``asked`` how many hidden units it was to have, None in the phases before sizes part; ``units`` how many it had;
    ``examples`` the rows of what to keep that training had consumed, and in the last phase those of what to forget. Accuracies are NaN
    where there are no rows for them.
    """

    seed: int
    asked: int | None
    phase: str
    units: int
    examples: int
    accuracy_keep: float
    accuracy_forget: float


@dataclass(frozen=True, eq=False)
class Narrowed:
    """One narrow network.

    Attributes
    ----------
    seed, asked : int
        Which it is: the seed, and how many hidden units were asked for.
    network : SparseNetwork
        Without the units that were pruned and those that carry nothing.
    examples : int
        Rows of what to keep that its training consumed, each time they were used.
    reached : bool
        Whether it reached the target on the validation rows; without a target, true.
    accuracy_keep, accuracy_forget : float
        Accuracies: on the task's ``x_test`` where it brings one, otherwise on the validation rows. NaN without anything to forget.
    accuracy_revived : float
        On what to forget, after the same training on that: what an adversary brings back. NaN without anything to forget, or no steps.
    """

    seed: int
    asked: int
    network: SparseNetwork
    examples: int
    reached: bool
    accuracy_keep: float
    accuracy_forget: float
    accuracy_revived: float

    @property
    def units(self) -> int:
        """Hidden units that are left and carry something."""
        return sum(self.network.unit_counts[1:-1])


@dataclass(frozen=True, eq=False)
class NarrowResult:
    """What narrowing gave.

    Attributes
    ----------
    method : str
    narrowed : tuple of Narrowed
        One for each seed and size.
    history : tuple of Stage
        Every phase of each.
    """

    method: str
    narrowed: tuple[Narrowed, ...]
    history: tuple[Stage, ...] = field(repr=False)

    @property
    def best(self) -> Narrowed:
        """The most accurate on what to keep, of equals that of fewest units, then the first."""
        return max(self.narrowed, key=lambda one: (one.accuracy_keep, -one.units))

    @property
    def network(self) -> SparseNetwork:
        """That of the best; ``units``, ``examples`` and the accuracies are its too."""
        return self.best.network

    @property
    def units(self) -> int:
        """See ``Narrowed``."""
        return self.best.units

    @property
    def examples(self) -> int:
        """See ``Narrowed``."""
        return self.best.examples

    @property
    def accuracy_keep(self) -> float:
        """See ``Narrowed``."""
        return self.best.accuracy_keep

    @property
    def accuracy_forget(self) -> float:
        """See ``Narrowed``."""
        return self.best.accuracy_forget

    @property
    def accuracy_revived(self) -> float:
        """See ``Narrowed``."""
        return self.best.accuracy_revived

    def __str__(self) -> str:
        lines = [f"{self.method}: {len(self.narrowed)} narrow networks", "seed  units  examples   keep  forget  revived"]
        rows = ((n.seed, n.units, n.examples, n.accuracy_keep, n.accuracy_forget, n.accuracy_revived) for n in self.narrowed)
        return "\n".join([*lines, *("{:4d}  {:5d}  {:8d}  {:.3f}  {:6.3f}  {:7.3f}".format(*row) for row in rows)])
