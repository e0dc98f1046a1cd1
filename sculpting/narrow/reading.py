"""Models as ``narrow`` reads them: chains of Linear layers, or any module with its units.

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
from ..models.copying import check_readable, copy_of
from ..models.groups import UnitMap, units
from ..models.network import SparseNetwork
from ..models.sparse_module import SparseModule
from ..options import check_inputs, check_parameters
from ..tasks.own_data import as_task
from ..tasks.task import Task
from .engines import engine_of
from .groups import read_chain, read_finite
from .modules import UnitScores

__all__ = ["ChainModels", "Model", "ModuleModels", "read_alone", "read_narrow", "read_pair"]

Model = nn.Module | SparseNetwork | SparseModule


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


def read_narrow(models: Sequence[Model]) -> ChainModels | ModuleModels:
    """Models of one shape: as chains where the first is one, otherwise as modules.

    Raises
    ------
    TypeError, ValueError
        When a model cannot be read, or they differ in shape.
    """
    first = models[0]
    if isinstance(first, SparseModule):
        return _modules(models, ValueError("the model is a SparseModule"))
    try:
        read_chain(first)
    except (TypeError, ValueError) as error:
        if not isinstance(first, nn.Module):
            raise
        return _modules(models, error)
    chains: list[Chain] = []
    for model in models:
        if isinstance(model, SparseModule):
            raise TypeError("models must all be chains of Linear layers, as the first is; got a SparseModule")
        chains.append(read_finite(model))
        if (chains[-1].shape, chains[-1].head) != (chains[0].shape, chains[0].head):
            raise ValueError(
                "models must have one shape, the same widths and activations; got "
                f"{_described(chains[-1])} beside {_described(chains[0])}. Narrow models of different shapes in calls of their own"
            )
    return ChainModels(chains)


def _described(chain: Chain) -> str:
    return f"{chain.shape.widths} {[*chain.shape.activations[:-1], chain.head or chain.shape.activations[-1]]}"


def _modules(models: Sequence[Any], no_chain: Exception) -> ModuleModels:
    """Modules of the architecture of the first."""
    modules, masks = [], []
    for model in models:
        if not isinstance(model, (nn.Module, SparseModule)):
            raise TypeError(f"models must all be modules of one architecture; got {type(model).__name__}")
        module = model.model() if isinstance(model, SparseModule) else model
        check_readable(module)
        modules.append(module)
        masks.append(model.masks if isinstance(model, SparseModule) else None)
        shapes = [{name: tuple(part.shape) for name, part in copy_of(each).named_parameters()} for each in (modules[0], module)]
        if shapes[0] != shapes[1] or type(module) is not type(modules[0]):
            name = next((name for name in [*shapes[0], *shapes[1]] if shapes[0].get(name) != shapes[1].get(name)), "its class")
            raise ValueError(
                f"models must have one architecture, with {name} as {shapes[0].get(name, type(modules[0]).__name__)}; got "
                f"{shapes[1].get(name, type(module).__name__)}. Narrow models of different shapes in calls of their own"
            )
    return ModuleModels(modules, ModuleSetup(modules[0], no_chain), masks, {})


def read_pair(model: Model, data: Any, loss: str | None) -> tuple[Any, Any]:
    """A model as a population of one, and data to score it on, both where the model is.

    All rows of the data are scored on, except for a ``Task``: its ``x_validation``.

    Raises
    ------
    TypeError, ValueError
        When the model or the data cannot be read, or do not fit each other.
    """
    models = read_narrow([model])
    task = models.task(data, loss=loss, validation=None if isinstance(data, Task) else data)
    models = models.fitted(task)
    population = models.population(models.device)
    return population, engine_of(population).rows(population, task)


def read_alone(model: Model, example: Any, scores: Any) -> tuple[Any, Mapping[str, Any]]:
    """A model as a population of one on the CPU, without data, and attributes of networks that are made from it.

    The units of a module come from ``scores`` that bring them, or are found on an ``example``.

    Raises
    ------
    TypeError, ValueError
        When the model cannot be read, or the units of a module are not known.
    """
    models = read_narrow([model])
    if isinstance(models, ChainModels):
        return models.population(torch.device("cpu")), models.facts
    facts: dict[str, Any] = {}
    found: UnitMap | None = None
    if isinstance(model, SparseModule):
        found = model.units
        facts = {name: getattr(model, name) for name in ("loss", "metric", "input_names", "output_names", "tokens", "origin")}
    elif example is not None:
        found = units(models.modules[0], example)
        facts = {"tokens": tuple(not part.is_floating_point() for part in (example if isinstance(example, tuple) else (example,)))}
    elif isinstance(scores, UnitScores):
        found, facts = scores.units, {"tokens": scores.tokens}
    if found is None:
        raise ValueError(
            "the units of a module that is no chain of Linear layers must be known; got scores without them. Pass what ablation_scores or "
            "attribution_scores returned, or some rows as example="
        ) from models.setup.no_chain
    return models.mapped(found).population(torch.device("cpu")), facts
