"""How ``sculpt`` sets up the engine for modules that are no chain of Linear layers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from ..engine import Items
from ..models.copying import copy_of
from ..models.groups import UnitMap, units
from ..models.sparse_module import SparseModule
from ..options import check_names, check_parameters
from ..randomness import keys
from ..settings import ScheduleSettings, TrainingSettings
from ..tasks.own_data import as_task
from ..tasks.task import Task
from .architecture import Architecture
from .checks import check_head, check_rows, check_training, first_rows, outputs_of, reads_fractions, runs_on, some_rows
from .engine import AutogradEngine
from .fresh import fresh_members
from .population import ModulePopulation
from .rows import ModuleRows, inputs_of, whole_batches
from .scores import MODULE_EDGE_SCORES, MODULE_UNIT_SCORES, ModuleScore

__all__ = ["ModuleSetup"]

EXAMPLE = 3  # rows on which a module is probed
TRACED = 256  # rows on which it is traced, at most: a value that is the same in all of them tells nothing


@dataclass(frozen=True, eq=False)
class ModuleSetup:
    """A module that is sculpted from every seed.

    Attributes
    ----------
    module : nn.Module
        The user's, which is never changed.
    no_chain : Exception
        Why it is no chain of Linear layers.
    architecture : Architecture, optional
        Once there are rows to trace it on.
    kept : bool Tensor of shape (U,), optional
        The units that are not removed.
    half : bool
        Whether to train in bfloat16 where torch's autocast does.
    """

    module: nn.Module
    no_chain: Exception
    architecture: Architecture | None = None
    kept: Tensor | None = None
    half: bool = False
    models: int = 1

    @property
    def device(self) -> torch.device:
        """That of the module."""
        return next((part.device for part in self.module.parameters()), torch.device("cpu"))

    @property
    def edges(self) -> int:
        """Edges of the module."""
        return self._known.units.edge_count

    @property
    def _known(self) -> Architecture:
        assert self.architecture is not None
        return self.architecture

    def inputs(self, x: Any) -> Any:
        """The inputs as the module takes them: integers become float32, but where its forward needs or makes them, as for an index."""
        copied = copy_of(self.module).cpu()
        real = tuple(part.float() for part in x) if isinstance(x, tuple) else x.float()
        return real if reads_fractions(copied, first_rows(real, EXAMPLE)) or not runs_on(copied, first_rows(x, EXAMPLE)) else x

    def outputs(self, x: Any) -> int:
        """The number of outputs of the module, checked on a few rows."""
        with self._with_cause():
            return outputs_of(copy_of(self.module).cpu(), x, EXAMPLE)

    def task(self, data: Any, **options: Any) -> tuple[ModuleSetup, Task]:
        """The data as a task, see ``as_task``, and the module with its units."""
        task = as_task(data, form=self, **options)
        parts = [part.dtype for part in self.module.parameters() if part.is_floating_point()]
        if not parts:
            raise ValueError("the model must have parameters to train; got none") from self.no_chain
        dtype = torch.float64 if all(part == torch.float64 for part in parts) else torch.float32
        with self._with_cause():
            copied = copy_of(self.module).cpu().to(dtype)
            found = units(copied, inputs_of(some_rows(task.x, TRACED), dtype=dtype), drop_constant=True)
            architecture = Architecture.of(copied, found, inputs_of(first_rows(task.x, EXAMPLE), dtype=dtype))
            check_head(found.last, task.loss)
            check_training(architecture, task)
        return replace(self, architecture=architecture), task

    def check(self, task: Task, initial: str) -> None:
        """Refuse what does not fit the module."""
        check_names("output", task.output_names, task.y.shape[1])
        check_rows(self._known, task)
        if initial == "model":
            check_parameters(torch.cat([part.detach().flatten() for part in self.module.parameters()]))

    def fitted(self, task: Task, keep: Sequence[str], half: bool) -> tuple[ModuleSetup, Task]:
        """The module with these kinds and layers of units left out of pruning. It is trained on the data as they are."""
        return replace(self, kept=kept_units(self._known.units, keep), half=half), task

    def dense(self, seeds: Sequence[int], rates: int, initial: str, regrow: bool, device: torch.device) -> ModulePopulation:
        """The dense networks before training: a member for each learning rate and seed."""
        architecture = self._known.to(device)
        count = len(seeds) * rates
        if initial == "fresh":
            return fresh_members(architecture, keys([("initial", s) for s in [*seeds] * rates], device))
        values, buffers = architecture.own()
        mask = torch.ones_like(values, dtype=torch.bool)
        for name, view in architecture.views(mask).items():
            if name in architecture.units.edges and not regrow:
                view &= architecture.views(values)[name] != 0
        return ModulePopulation.of(architecture, values, buffers, mask).select([0] * count)

    def engine(
        self, task: Task, training: TrainingSettings, schedule: ScheduleSettings, device: torch.device, max_members: int | None
    ) -> AutogradEngine:
        """The engine for these rows and settings."""
        scores: dict[Items, ModuleScore] = {
            "units": MODULE_UNIT_SCORES[schedule.unit_score],
            "edges": MODULE_EDGE_SCORES[schedule.edge_score],
        }
        rows = ModuleRows.of(task, device, training.copies(len(task.y)), self._known.dtype)
        return AutogradEngine(rows, whole_batches(training.of_round(len(task.y)), len(rows)), scores, self.kept, max_members, self.half)

    def identity(self, population: ModulePopulation) -> tuple[object, list[Tensor]]:
        """What tells the module of one call from those of another: what it prints, but not the code of its forward."""
        architecture = population.architecture
        kept = [] if self.kept is None else torch.nonzero(self.kept).flatten().tolist()
        facts = (type(self.module).__qualname__, repr(self.module), [*architecture.shapes.items()], str(architecture.units), kept)
        return facts, [part.cpu() for part in population.tensors().values()]

    def size(self, population: ModulePopulation) -> int:
        """Parameters of one member."""
        return population.architecture.size

    def facts(self, model: int) -> tuple[dict[str, Any], dict[str, Any]]:
        """What networks of the module have as attributes, and what they record in their origin."""
        return {}, {}

    def returned(self, network: SparseModule) -> SparseModule:
        """The same: modules are trained on the data as they are."""
        return network

    @contextmanager
    def _with_cause(self) -> Iterator[None]:
        """One error for a model that neither engine can take; why it is no chain either is its cause."""
        try:
            yield
        except (TypeError, ValueError) as error:
            raise error from self.no_chain


def kept_units(known: UnitMap, keep: Sequence[str]) -> Tensor | None:
    """Which units have one of these kinds or layers: bool ``(U,)``, None without any.

    Raises
    ------
    ValueError
        When a name is neither a kind nor a layer.
    """
    if isinstance(keep, str):
        keep = (keep,)
    kinds, names = ([*dict.fromkeys(getattr(layer, which) for layer in known.layers)] for which in ("kind", "name"))
    strange = next((each for each in keep if each not in (*kinds, *names)), None)
    if strange is not None:
        raise ValueError(f"keep must name kinds of units, some of {kinds}, or layers, some of {names}; got {strange!r}")
    found = torch.zeros(len(known), dtype=torch.bool)
    for layer in known.layers:
        found[layer.first : layer.first + layer.size] = layer.kind in keep or layer.name in keep
    return found if keep else None
