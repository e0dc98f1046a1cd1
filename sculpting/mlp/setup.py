"""How ``sculpt`` sets up the engine for chains of Linear layers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ..data import Data
from ..engine import Items
from ..models.chain import Chain
from ..models.network import SparseNetwork
from ..options import check_finite, check_inputs
from ..randomness import keys
from ..scaling import Scaling
from ..settings import ScheduleSettings, TrainingSettings
from ..tasks.own_data import as_task
from ..tasks.task import Task
from .engine import MLPEngine
from .population import Population
from .scores import EDGE_SCORES, UNIT_SCORES, ScoreFunction

__all__ = ["ChainSetup"]


@dataclass(frozen=True, eq=False)
class ChainSetup:
    """Chains of Linear layers that are sculpted side by side.

    Attributes
    ----------
    chains : sequence of Chain
    scaling : Scaling, optional
        Of standardised rows.
    """

    chains: Sequence[Chain]
    scaling: Scaling | None = None

    @property
    def models(self) -> int:
        """The number of models."""
        return len(self.chains)

    @property
    def device(self) -> torch.device:
        """That of the first model."""
        return self.chains[0].device

    @property
    def edges(self) -> int:
        """Edges of the largest model."""
        return max(len(chain.shape.weight_positions()) for chain in self.chains)

    def task(self, data: Any, **options: Any) -> tuple[ChainSetup, Task]:
        """The data as a task, see ``as_task``, and the models as its loss requires them."""
        task = as_task(data, outputs=self.chains[0].shape.widths[-1], **options)
        return ChainSetup([chain.for_loss(task.loss) for chain in self.chains]), task

    def check(self, task: Task, initial: str) -> None:
        """Refuse what does not fit the models."""
        check_inputs(self.chains[0], task)
        if initial == "model":
            for chain in self.chains:
                check_finite(chain)

    def fitted(self, task: Task, keep: Sequence[str], half: bool) -> tuple[ChainSetup, Task]:
        """Standardised rows, and the models in their units."""
        for name, given in (("keep", keep), ("mixed_precision", half)):
            if given:
                raise ValueError(
                    f"{name} is for modules that are no chain of Linear layers; got {given!r} with a chain. Leave it out"
                    + " (unit_steps=() keeps all units)" * (name == "keep")
                )
        if not task.standardised:
            return self, task
        scaling = Scaling.of(task, self.chains)
        return ChainSetup([scaling.chain(chain) for chain in self.chains], scaling), scaling.task(task)

    def dense(self, seeds: Sequence[int], rates: int, initial: str, regrow: bool, device: torch.device) -> Population:
        """The dense networks before training: a member for each model, learning rate and seed."""
        parts = []
        for chain in self.chains:
            if initial == "fresh":
                population = Population.fresh(chain.shape, keys([("initial", s) for s in [*seeds] * rates], device))
                parts.append(population.masked(population.mask * chain.mask.to(device)))
            else:
                mask = chain.mask if regrow else _without_zeros(chain).mask
                flats = (flat.to(device).repeat(len(seeds) * rates, 1) for flat in (chain.values, mask))
                parts.append(Population.of(chain.shape, *flats))
        return Population.padded(parts)

    def engine(
        self, task: Task, training: TrainingSettings, schedule: ScheduleSettings, device: torch.device, max_members: int | None
    ) -> MLPEngine:
        """The engine for these rows and settings."""
        scores: dict[Items, ScoreFunction] = {"units": UNIT_SCORES[schedule.unit_score], "edges": EDGE_SCORES[schedule.edge_score]}
        data = Data.of(task, device, training.copies(len(task.y)))
        threads = torch.get_num_threads() if device.type == "cpu" else 1
        return MLPEngine(data, training.of_round(len(task.y)), scores, max_members, threads)

    def identity(self, population: Population) -> tuple[object, list[Tensor]]:
        """What tells the models of one call from those of another."""
        return population.shape, [population.values.cpu(), population.mask.cpu()]

    def size(self, population: Population) -> int:
        """Parameters of one member."""
        return population.shape.size

    def facts(self, model: int) -> tuple[dict[str, Any], dict[str, Any]]:
        """What networks of a model have as attributes, and what they record in their origin."""
        chain = self.chains[model]
        return {"head": chain.head}, {"widths": list(chain.shape.widths)}

    def returned(self, network: SparseNetwork) -> SparseNetwork:
        """A network in the units of the data."""
        return network if self.scaling is None else self.scaling.network(network)


def _without_zeros(chain: Chain) -> Chain:
    """The chain with its zero weights pruned, which must leave some in every layer."""
    sparse = chain.without_zeros()
    for layer, mask in enumerate(sparse.shape.weights(sparse.mask.unsqueeze(0))):
        if not mask.any():
            raise ValueError(
                f"every layer of a model must have weights that are not zero, since zeros stay pruned; got none in weight layer {layer}. "
                "Pass regrow=True to train them"
            )
    return sparse
