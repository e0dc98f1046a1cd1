"""Models and data as ``narrow`` reads them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import nn

from ..autograd.setup import ModuleSetup
from ..models.chain import Chain
from ..models.copying import check_readable, copy_of
from ..models.groups import UnitMap, units
from ..models.network import SparseNetwork
from ..models.sparse_module import SparseModule
from ..tasks.task import Task
from .engines import engine_of
from .given import ChainModels, ModuleModels
from .groups import read_chain, read_finite
from .modules import UnitScores

__all__ = ["Model", "read_alone", "read_narrow", "read_pair"]

Model = nn.Module | SparseNetwork | SparseModule


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
