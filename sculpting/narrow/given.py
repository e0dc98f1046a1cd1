"""The models that ``narrow`` is given: chains of Linear layers of one shape, or modules of one architecture with their units.

P = parameters of a model, R = models.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import reduce
from typing import Any

import torch
from torch import Tensor, nn

from ..autograd import Architecture, ModulePopulation
from ..autograd.setup import ModuleSetup
from ..mlp.population import Population
from ..models.chain import Chain
from ..models.copying import copy_of
from ..models.groups import UnitMap
from ..options import check_inputs, check_parameters
from ..tasks.own_data import as_task
from ..tasks.task import Task

__all__ = ["ChainModels", "ModuleModels"]


@dataclass(frozen=True, eq=False)
class ChainModels:
    """Chains of Linear layers of one shape."""

    chains: Sequence[Chain]

    @property
    def device(self) -> torch.device:
        """That of the first model."""
        return self.chains[0].device

    @property
    def count(self) -> int:
        """R."""
        return len(self.chains)

    @property
    def facts(self) -> dict[str, Any]:
        """Attributes of networks that are made from them."""
        return {"head": self.chains[0].head}

    def check(self, task: Task) -> None:
        """Refuse a task whose rows the models do not take."""
        check_inputs(self.chains[0], task)

    def task(self, data: Any, **options: Any) -> Task:
        """Data as a task that fits the outputs; see ``as_task``."""
        return as_task(data, outputs=self.chains[0].shape.widths[-1], **options)

    def fitted(self, task: Task) -> ChainModels:
        """The models as the loss of a task requires them, whose rows they take."""
        fitted = ChainModels([chain.for_loss(task.loss) for chain in self.chains])
        fitted.check(task)
        return fitted

    def population(self, device: torch.device) -> Population:
        """The models, one after another."""
        values, mask = (torch.stack([getattr(chain, name) for chain in self.chains]).to(device) for name in ("values", "mask"))
        return Population.of(self.chains[0].shape, values, mask)


@dataclass(frozen=True, eq=False)
class ModuleModels:
    """Modules of one architecture.

    Attributes
    ----------
    modules : sequence of nn.Module
    setup : ModuleSetup
        Of the first.
    masks : sequence of mapping of name to Tensor, or None
        What was pruned before, of networks that know; of others weights that are zero were pruned.
    """

    modules: Sequence[nn.Module]
    setup: ModuleSetup
    masks: Sequence[Mapping[str, Tensor] | None]
    facts: Mapping[str, Any]

    @property
    def device(self) -> torch.device:
        """That of the first model."""
        return self.setup.device

    @property
    def count(self) -> int:
        """R."""
        return len(self.modules)

    def check(self, task: Task) -> None:
        """Refuse a task whose rows the models do not take."""
        self.task(task)

    def task(self, data: Any, **options: Any) -> Task:
        """Data as a task that fits the outputs; see ``as_task``. Rows keep their shape."""
        try:
            return as_task(data, form=self.setup, **options)
        except (TypeError, ValueError) as error:
            raise error from self.setup.no_chain

    def fitted(self, task: Task) -> ModuleModels:
        """The models with their units, which are found on some rows of a task.

        Raises
        ------
        ValueError
            When rows do not fit, a parameter is not finite, or no unit can be removed.
        """
        setup, _ = self.setup.task(task)
        for module in self.modules:
            check_parameters(torch.cat([part.detach().flatten().cpu() for part in module.parameters()]))
        setup.check(task, "fresh")
        assert setup.architecture is not None
        _check_units(setup.architecture.units, setup.no_chain)
        x = task.x if isinstance(task.x, tuple) else (task.x,)
        tokens = tuple(not part.is_floating_point() for part in x)
        return replace(self, setup=setup, facts={**self.facts, "tokens": tokens})

    def mapped(self, found: UnitMap) -> ModuleModels:
        """The models with units that are known, to be pruned and not to be run."""
        module = copy_of(self.modules[0]).cpu().float()
        moving = tuple(name for name, _ in module.named_buffers() if name in found.shapes)
        _check_units(found, self.setup.no_chain)
        return replace(self, setup=replace(self.setup, architecture=Architecture(module, found, moving)))

    def population(self, device: torch.device) -> ModulePopulation:
        """The models, one after another."""
        assert self.setup.architecture is not None
        architecture = self.setup.architecture.to(device)
        pairs = zip(self.modules, self.masks, strict=True)
        return reduce(ModulePopulation.joined, [_member(architecture, module, mask, device) for module, mask in pairs])


def _check_units(found: UnitMap, no_chain: Exception) -> None:
    if not bool(found.removable.any()):
        raise ValueError(f"the model must have units that can be removed; got none. As a chain of Linear layers: {no_chain}") from no_chain


def _member(architecture: Architecture, module: nn.Module, masks: Mapping[str, Tensor] | None, device: torch.device) -> ModulePopulation:
    """A module as it is, as a population of one."""
    copied = copy_of(module)
    parts, buffers = dict(copied.named_parameters()), dict(copied.named_buffers())
    values = torch.cat([parts[name].detach().to(device, architecture.dtype).flatten() for name in architecture.shapes]).unsqueeze(0)
    mask = torch.ones_like(values, dtype=torch.bool)
    for name, view in architecture.views(mask).items():
        if masks is not None:
            view &= masks[name].to(device)
        elif name in architecture.units.edges:
            view &= architecture.views(values)[name] != 0
    moving = {name: buffers[name].detach().to(device).clone().unsqueeze(0) for name in architecture.moving}
    return ModulePopulation.of(architecture, values, moving, mask)
