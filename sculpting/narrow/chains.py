"""Chains of Linear layers, as ``narrow`` asks for them; see ``protocol``. The units are the hidden units.

N = members, H = hidden units of one member, P = parameters of a member, n_l = width of layer l.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from numpy import float64
from numpy.typing import NDArray
from torch import Tensor

from ..data import Data
from ..engine import Evaluation, Hooks
from ..mlp.ablation import unit_ablation
from ..mlp.export import network_of
from ..mlp.memory import members_that_fit
from ..mlp.packing import Packing, packings
from ..mlp.population import Population
from ..mlp.scores import ScoreFunction, unit_random, unit_sensitivity
from ..mlp.training import evaluate, gradient, train
from ..models.network import SparseNetwork
from ..models.shape import Shape
from ..settings import RoundSettings
from ..tasks.task import Task
from .distillation import distilled
from .groups import by_layer, group_sums, without_groups
from .shares import shares_of

__all__ = ["ATTRIBUTIONS", "ChainEngine", "unit_first_order"]


def unit_first_order(population: Population, data: Data, key: Tensor | None = None) -> Tensor:
    """First-order attribution of every member on the validation rows: float64 ``(N, H)``, 0 for pruned units.

    A score like those of ``mlp/scores.py``; the key is not used.
    """
    return group_sums(population.shape, gradient(population, data).double() * population.values).abs()


ATTRIBUTIONS: dict[str, ScoreFunction] = {"first_order": unit_first_order, "activation_gradient": unit_sensitivity}


@dataclass(frozen=True)
class ChainEngine:
    """The engine ``mlp``, as ``narrow`` calls it."""

    scores = {"ablation": unit_ablation, **ATTRIBUTIONS, "random": unit_random}  # noqa: RUF012 (a constant)

    def widths(self, members: Population) -> tuple[int, ...]:
        return members.shape.widths[1:-1]

    def own_widths(self, members: Population) -> Tensor:
        return members.own[:, 1:-1]

    def alive(self, members: Population) -> Tensor:
        return torch.cat(members.alive(), dim=1)

    def without_units(self, members: Population, removed: Tensor) -> Population:
        return without_groups(members, removed)

    def norms(self, members: Population, bias: bool) -> Tensor:
        return _sums(members.shape, members.values.square(), bias).sqrt()

    def sizes(self, members: Population, bias: bool) -> Tensor:
        return _sums(members.shape, members.mask.clone(), bias)

    def add_to_groups(self, members: Population, flat: Tensor, numbers: Tensor, bias: bool) -> None:
        shape = members.shape
        weights, biases = shape.weights(flat), shape.biases(flat)
        for layer, part in enumerate(numbers.split(shape.widths[1:-1], dim=1)):
            weights[layer] += part.unsqueeze(2)
            biases[layer] += part * bias
            weights[layer + 1] += part.unsqueeze(1)

    def group_layers(self, members: Population, bias: bool) -> Iterator[HiddenLayer]:
        shape = members.shape
        for layer in range(len(shape.widths) - 2):
            columns = slice(shape.starts[layer], shape.starts[layer + 2])
            part = Shape(shape.widths[layer : layer + 3], shape.activations[layer : layer + 2])
            yield HiddenLayer(part, members.values[:, columns], members.mask[:, columns], bias)

    def identity(self, members: Population) -> object:
        return members.shape

    def rows(self, members: Population, task: Task) -> Data:
        return Data.of(task, members.device)

    def settings(self, settings: RoundSettings, rows: Data) -> RoundSettings:
        return settings

    def evaluate(self, members: Population, rows: Data) -> Evaluation:
        return evaluate(members, rows)

    def fit(self, members: Population, rows: Data) -> int:
        return members_that_fit(len(members), members.shape, rows, RoundSettings())

    def train(
        self, members: Population, rows: Data, settings: RoundSettings, key: Tensor, rates: Tensor, max_members: int | None, hooks: Hooks
    ) -> tuple[Population, Evaluation]:
        return train(members, rows, settings, key, rates, max_members, hooks=hooks)

    def unpacked(self, members: Population, rates: Tensor) -> Callable[[Population, Tensor], Population]:
        packed = list(packings(members, rates))
        return lambda part, rows: _unpacked(part, rows, members, packed)

    def taught(self, rows: Data, teacher: Population, loss: str, mixing: float, temperature: float) -> Data:
        return distilled(rows, teacher, loss, mixing, temperature)

    def fresh(self, models: Population, sizes: Sequence[int], key: Tensor) -> Population:
        """From the same initial weights as any other of that shape and seed."""
        shape, parts = models.shape, []
        for size in sizes:
            widths = (shape.widths[0], *shares_of(shape.widths[1:-1], size), shape.widths[-1])
            part = Population.uniform(Shape(widths, shape.activations), key)
            mask = torch.ones_like(part.mask)
            for bias, known in zip(part.shape.biases(mask), shape.biases(models.mask), strict=True):
                bias *= known.amax(dim=1, keepdim=True)  # of the models' masks only whether a layer has biases
            parts.append(part.masked(part.mask * mask))
        return Population.padded(parts)

    def by_layer(self, members: Population, rows: Data, scores: Tensor) -> list[NDArray[float64]]:
        return by_layer(members.shape, scores)

    def export(self, members: Population, row: int, facts: Mapping[str, Any]) -> SparseNetwork:
        return network_of(members, row, **facts).compact()


@dataclass(frozen=True, eq=False)
class HiddenLayer:
    """A hidden layer alone: its shape, and views of its values and masks on either side. Within it no two groups overlap."""

    shape: Shape
    values: Tensor
    mask: Tensor
    bias: bool

    def norms(self) -> Tensor:
        return _sums(self.shape, self.values.square(), self.bias).sqrt()

    def sizes(self) -> Tensor:
        return _sums(self.shape, self.mask.clone(), self.bias)

    def multiply(self, factors: Tensor) -> None:
        into, out = self.shape.weights(self.values)
        into *= factors.unsqueeze(2)
        out *= factors.unsqueeze(1)
        if self.bias:
            self.shape.biases(self.values)[0].mul_(factors)


def _sums(shape: Shape, flat: Tensor, bias: bool) -> Tensor:
    """Sums over groups of ``flat``, which is spent."""
    if not bias:
        for part in shape.biases(flat):
            part.zero_()
    return group_sums(shape, flat)


def _unpacked(part: Population, members: Tensor, whole: Population, packed: Sequence[Packing]) -> Population:
    """Members that are trained together, with the inputs and units that packing left out; ``members`` are their rows in ``whole``."""
    packing = next(one for one in packed if bool(torch.isin(members, one.members).all()))
    if packing.places is None:
        return part
    chosen, places = whole.select(members), packing.places[torch.searchsorted(packing.members, members)]
    values = torch.zeros_like(chosen.values).scatter_(1, places, part.values)
    return Population(chosen.shape, values, chosen.mask, chosen.own)
