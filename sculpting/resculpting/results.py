"""The result of ``resculpt``."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from ..models.live import Unit
from ..models.network import SparseNetwork
from ..monitoring import Alarm, monitor
from ..structure import card_of
from ..tasks.task import Task

__all__ = ["ResculptResult", "ResculptStatus"]

SHOWN = 12  # units that are listed by name


class ResculptStatus(Enum):
    """What had to be learnt again; the value is a sentence for the user."""

    UNCHANGED = "The network is as accurate on these data as it must be: nothing was learnt again."
    ONE_PART = "One part was learnt again, the smallest that suffices; all other edges are as they were."
    SEVERAL_PARTS = (
        "No single part sufficed. Several parts that lead only to outputs that were wrong were learnt again; all other edges are as they "
        "were."
    )
    WHOLE_NETWORK = "The whole network was learnt again, from its present weights and with edges grown back."
    NOT_LEARNT = (
        "The data were not learnt, neither in one part nor in the whole network, so the network is as it was: give more seeds, rounds of "
        "more steps or more spare_units, lower min_accuracy, or sculpt a wider or deeper model anew."
    )


@dataclass(frozen=True, eq=False)
class ResculptResult:
    """A network after its task changed, and what of it had to change.

    Attributes
    ----------
    network : SparseNetwork
        Units keep their positions. Where nothing was learnt again it is the network before.
    before : SparseNetwork
        The network before, with the inputs and outputs of the new data.
    status : ResculptStatus
    wrong : tuple of int
        The outputs that were wrong on the new data.
    part : tuple of (layer, index)
        The units that were learnt again, inputs being layer 0.
    added : tuple of (layer, index)
        Hidden units without a use before that have one now.
    steps : int
        Gradient steps of all networks that were trained for it, together.
    min_accuracy : float
        The accuracy that a network had to reach.
    task : Task, optional
        The new data.
    """

    network: SparseNetwork
    before: SparseNetwork
    status: ResculptStatus
    wrong: tuple[int, ...] = ()
    part: tuple[Unit, ...] = ()
    added: tuple[Unit, ...] = ()
    steps: int = 0
    min_accuracy: float = 1.0
    task: Task | None = field(default=None, repr=False)

    @property
    def kept(self) -> float:
        """The fraction of the edges of before that are there with the same weight, in [0, 1]."""
        pairs = zip(self.before.weights, self.network.weights, strict=True)
        return sum(int(((old != 0) & (old == new)).sum()) for old, new in pairs) / max(1, self.before.edge_count)

    @property
    def changed(self) -> int:
        """How many edges are new, gone, or have another weight."""
        return sum(int((old != new).sum()) for old, new in zip(self.before.weights, self.network.weights, strict=True))

    @property
    def learnt(self) -> bool:
        """Whether the network fits the new data."""
        return self.status is not ResculptStatus.NOT_LEARNT

    def monitor(self, batches: Iterable[Any], **options: Any) -> Iterator[Alarm]:
        """Whether batches are as the new data are, one alarm each: :func:`sculpting.monitor`, which has the options."""
        return monitor(self, batches, **options)

    def name_of(self, unit: Unit) -> str:
        """The name of an input or output, or ``h<layer>.<index>``."""
        layer, index = unit
        network = self.network
        if layer == 0:
            return network.input_names[index] if network.input_names else f"x{index}"
        if layer == len(network.weights):
            return network.output_names[index] if network.output_names else f"y{index}"
        return f"h{layer}.{index}"

    def __str__(self) -> str:
        last = len(self.network.weights)
        accuracy = f"{self.network.accuracy:.4f} (accepted from {self.min_accuracy:.4f})"
        lines = [
            f"before   {self.before.edge_count} edges; now {self.network.edge_count}, of which {self.changed} are new, changed or gone; "
            f"{self.kept:.1%} of the edges before are kept",
            f"{self.network.metric}   {accuracy}, {self.steps:,} steps of training",
        ]
        units: dict[str, Sequence[Unit]] = {
            "wrong outputs": [(last, index) for index in self.wrong],
            "learnt again": self.part,
            "units added": self.added,
        }
        lines += [f"{what}   {self._listed(some)}" for what, some in units.items() if some]
        return "\n".join([*lines, self.status.value])

    def _listed(self, units: Sequence[Unit]) -> str:
        names = [self.name_of(unit) for unit in units[:SHOWN]]
        return ", ".join(names) + (f" and {len(units) - SHOWN} more" if len(units) > SHOWN else "")

    def _repr_html_(self) -> str:
        return card_of(self, self.network)
