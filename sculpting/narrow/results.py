"""What ``narrow`` returns: small networks, what each cost, and what it forgot."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from ..models.network import SparseNetwork
from ..models.sparse_module import SparseModule

__all__ = ["Check", "NarrowResult", "Narrowed", "PathPoint", "Stage"]


class Check(NamedTuple):
    """A member's accuracy and loss on the validation rows after so many examples."""

    member: int
    examples: int
    accuracy: float
    loss: float


class Stage(NamedTuple):
    """A network at the end of a phase.

    ``phase`` is ``"model"``, ``"group-lasso"``, ``"pruned"``, ``"learnt"`` (recovered, distilled or trained from scratch) or
    ``"revived"``. ``asked`` is the number of hidden units asked for, None in the phases that all sizes share; ``units`` the number it had.
    ``examples`` counts the rows of ``keep`` that were consumed so far; in the last phase those of ``forget``. Accuracies are NaN where
    there are no rows for them.
    """

    seed: int
    asked: int | None
    phase: str
    units: int
    examples: int
    accuracy_keep: float
    accuracy_forget: float


class PathPoint(NamedTuple):
    """A network at a check under the group lasso.

    ``examples`` are the rows consumed so far, ``units`` the hidden units whose group is not dead, ``accuracy`` that on the validation rows.
    """

    seed: int
    examples: int
    units: int
    accuracy: float


@dataclass(frozen=True, eq=False)
class Narrowed:
    """One narrow network.

    Attributes
    ----------
    seed, asked : int
        Its seed, and the number of hidden units asked for.
    network : SparseNetwork or SparseModule
        A ``SparseNetwork`` without pruned units and without units that no output depends on; of a module that is no chain a
        ``SparseModule``, in which all that reads or writes a pruned unit is zero, and which ``compact`` makes smaller.
    examples : int
        Rows of ``keep`` that were consumed to make it, each time they were used.
    reached : bool
        Whether it is as small as asked and reached the target on the validation rows; without a target, whether it is as small as asked.
    accuracy_validation : float
        On the validation rows of ``keep``, which decide when training ends.
    accuracy_keep, accuracy_forget : float
        On ``x_test`` of the task where it has one, otherwise on the validation rows. NaN without ``forget``.
    accuracy_revived : float
        On ``forget``, after training on it: what an adversary brings back. NaN without ``forget``, or without revival steps.
    """

    seed: int
    asked: int
    network: SparseNetwork | SparseModule
    examples: int
    reached: bool
    accuracy_validation: float
    accuracy_keep: float
    accuracy_forget: float
    accuracy_revived: float

    @property
    def units(self) -> int:
        """Hidden units of the network; of a module the live units of all layers that can be removed."""
        return self.network.hidden_count


@dataclass(frozen=True, eq=False)
class NarrowResult:
    """The narrow networks of a call of ``narrow``.

    Attributes
    ----------
    method : str
    narrowed : tuple of Narrowed
        One for each size and seed.
    history : tuple of Stage
        Each network at the end of every phase.
    path : tuple of PathPoint
        Every check under the group lasso, seed by seed; empty for other methods.
    """

    method: str
    narrowed: tuple[Narrowed, ...]
    history: tuple[Stage, ...] = field(repr=False)
    path: tuple[PathPoint, ...] = field(repr=False, default=())

    @property
    def best(self) -> Narrowed:
        """The most accurate on ``keep``, of equals the smallest, then the first."""
        return max(self.narrowed, key=lambda one: (one.accuracy_keep, -one.units))

    @property
    def network(self) -> SparseNetwork | SparseModule:
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
