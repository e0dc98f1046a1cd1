"""Any module, as ``narrow`` asks for it; see ``protocol``. The units are the removable units of its map, in the order of the map.

N = members, H = removable units of a member, U = units, P = parameters of a member, n_l = removable units of layer l, R = seeds,
k = outputs, S = rows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import reduce
from typing import Any

import torch
from numpy import float64
from numpy.typing import NDArray
from torch import Tensor

from ..autograd import MODULE_UNIT_SCORES, Architecture, ModulePopulation, ModuleRows, fresh_members
from ..autograd.export import modules_of
from ..autograd.groups import GroupLayer
from ..autograd.memory import members_that_fit
from ..autograd.rows import whole_batches
from ..autograd.scores import ModuleScore, unit_first_order
from ..autograd.training import evaluate, outputs, train
from ..engine import Evaluation, Hooks
from ..models.groups import UnitLayer, UnitMap
from ..models.sparse_module import SparseModule
from ..settings import RoundSettings
from ..tasks.task import Task
from .distillation import distillation_loss
from .shares import shares_of

__all__ = ["ModuleEngine", "UnitScores"]


class UnitScores(list[NDArray[float64]]):
    """Scores of the units of a module: a float64 array ``(n_l,)`` for each layer that has removable units, in the order of the map.

    Attributes
    ----------
    layers : tuple of UnitLayer
        The layers, with their names and kinds.
    units : UnitMap
    tokens : tuple of bool
        For each input, whether it holds integers.
    """

    def __init__(
        self, scores: Iterable[NDArray[float64]], layers: Iterable[UnitLayer], units: UnitMap, tokens: Iterable[bool] = (False,)
    ) -> None:
        super().__init__(scores)
        self.layers, self.units, self.tokens = tuple(layers), units, tuple(tokens)

    @property
    def by_name(self) -> dict[str, NDArray[float64]]:
        """The scores by the name of their layer; several layers of one name follow one another."""
        found: dict[str, NDArray[float64]] = {}
        for layer, scores in zip(self.layers, self, strict=True):
            known = found.get(layer.name)
            found[layer.name] = scores if known is None else torch.cat([torch.from_numpy(known), torch.from_numpy(scores)]).numpy()
        return found


def _of_removable(score: ModuleScore) -> ModuleScore:
    """The scores of the removable units alone, a layer with removable units after the other."""

    def scores(members: ModulePopulation, rows: ModuleRows, key: Tensor) -> Tensor:
        return score(members, rows, key)[:, members.architecture.removable.to(members.device)]

    return scores


@dataclass(frozen=True)
class ModuleEngine:
    """The engine ``autograd``, as ``narrow`` calls it."""

    scores = {  # noqa: RUF012 (a constant)
        "ablation": _of_removable(MODULE_UNIT_SCORES["ablation"]),
        "first_order": _of_removable(unit_first_order),
        "activation_gradient": _of_removable(MODULE_UNIT_SCORES["loss_sensitivity"]),
        "random": _of_removable(MODULE_UNIT_SCORES["random"]),
    }

    def widths(self, members: ModulePopulation) -> tuple[int, ...]:
        return tuple(len(layer.units) for layer in members.architecture.groups)

    def own_widths(self, members: ModulePopulation) -> Tensor:
        return torch.tensor(self.widths(members)).repeat(len(members), 1)

    def alive(self, members: ModulePopulation) -> Tensor:
        return members.alive()[:, members.architecture.removable.to(members.device)]

    def without_units(self, members: ModulePopulation, removed: Tensor) -> ModulePopulation:
        whole = torch.zeros(len(members), len(members.architecture.units), dtype=torch.bool)
        whole[:, members.architecture.removable] = removed.cpu()
        return members.without_units(whole)

    def norms(self, members: ModulePopulation, bias: bool) -> Tensor:
        return torch.cat([part.norms() for part in self.group_layers(members, bias)], dim=1)

    def sizes(self, members: ModulePopulation, bias: bool) -> Tensor:
        return torch.cat([part.sizes() for part in self.group_layers(members, bias)], dim=1)

    def add_to_groups(self, members: ModulePopulation, flat: Tensor, numbers: Tensor, bias: bool) -> None:
        elements = members.architecture.views(flat)
        for layer, part in zip(members.architecture.groups, numbers.split(self.widths(members), dim=1), strict=True):
            layer.add(elements, part, bias)

    def group_layers(self, members: ModulePopulation, bias: bool) -> Iterator[LayerOfUnits]:
        for layer in members.architecture.groups:
            yield LayerOfUnits(layer, members, bias)

    def identity(self, members: ModulePopulation) -> object:
        """Not the code of a module's forward."""
        known = members.architecture
        return type(known.module).__qualname__, repr(known.module), [*known.shapes.items()], str(known.units)

    def rows(self, members: ModulePopulation, task: Task) -> ModuleRows:
        return ModuleRows.of(task, members.device, dtype=members.architecture.dtype)

    def settings(self, settings: RoundSettings, rows: ModuleRows) -> RoundSettings:
        return whole_batches(settings, len(rows))

    def evaluate(self, members: ModulePopulation, rows: ModuleRows) -> Evaluation:
        return evaluate(members, rows)

    def fit(self, members: ModulePopulation, rows: ModuleRows) -> int:
        return members_that_fit(len(members), members.architecture, rows, RoundSettings())

    def train(
        self,
        members: ModulePopulation,
        rows: ModuleRows,
        settings: RoundSettings,
        key: Tensor,
        rates: Tensor,
        max_members: int | None,
        hooks: Hooks,
    ) -> tuple[ModulePopulation, Evaluation]:
        return train(members, rows, settings, key, rates, max_members, hooks=hooks)

    def unpacked(self, members: ModulePopulation, rates: Tensor) -> Callable[[ModulePopulation, Tensor], ModulePopulation]:
        return lambda part, rows: part

    def taught(self, rows: ModuleRows, teacher: ModulePopulation, loss: str, mixing: float, temperature: float) -> ModuleRows:
        def below(x: tuple[Tensor, ...], y: Tensor) -> Tensor:
            return torch.cat([y, outputs(teacher, x)[0]])

        return replace(
            rows,
            y=below(rows.x, rows.y),
            y_validation=below(rows.x_validation, rows.y_validation),
            loss=distillation_loss(loss, mixing, temperature),
            sample=None if rows.sample is None else _asking(rows.sample, teacher),
        )

    def fresh(self, models: ModulePopulation, sizes: Sequence[int], key: Tensor) -> ModulePopulation:
        """The module with fresh weights, without the last units of each layer: in proportion to the layers."""
        widths = self.widths(models)
        whole, parts = fresh_members(models.architecture, key), []
        for size in sizes:
            pairs = zip(widths, shares_of(widths, size), strict=True)
            removed = torch.cat([torch.arange(width) >= share for width, share in pairs])
            parts.append(self.without_units(whole, removed.expand(len(whole), -1)))
        return reduce(ModulePopulation.joined, parts)

    def by_layer(self, members: ModulePopulation, rows: ModuleRows, scores: Tensor) -> UnitScores:
        parts = scores.double().cpu().split(self.widths(members))
        layers, tokens = (layer.layer for layer in members.architecture.groups), (not part.is_floating_point() for part in rows.x)
        return UnitScores((part.numpy() for part in parts), layers, members.architecture.units, tokens)

    def export(self, members: ModulePopulation, row: int, facts: Mapping[str, Any]) -> SparseModule:
        return modules_of(members.select([row]), [dict(facts)])[0]


@dataclass(frozen=True, eq=False)
class LayerOfUnits:
    """The groups of the removable units of one layer of some members. Parameters that do not train count in norms, and stay."""

    layer: GroupLayer
    members: ModulePopulation
    bias: bool

    def norms(self) -> Tensor:
        here = {name for name, _ in self.layer.parts(self.bias)}
        squares = {name: part.square() for name, part in self.members.parameters.items() if name in here}
        return self.layer.sums(squares, self.bias).sqrt()

    def sizes(self) -> Tensor:
        return self.layer.sums(self.members.architecture.views(self.members.mask), self.bias)

    def multiply(self, factors: Tensor) -> None:
        trained = _trained(self.members.architecture)
        elements = {name: part for name, part in self.members.parameters.items() if name in trained}
        self.layer.multiply(elements, factors, self.bias)


def _trained(architecture: Architecture) -> set[str]:
    return {name for name, part in architecture.module.named_parameters() if part.requires_grad}


def _asking(
    sample: Callable[[Tensor, int, int], tuple[Tensor, Tensor]], teacher: ModulePopulation
) -> Callable[[Tensor, int, int], tuple[Tensor, Tensor]]:
    """Fresh rows as ``sample`` draws them, with the teacher's logits below the targets."""

    def drawn(key: Tensor, step: int, count: int) -> tuple[Tensor, Tensor]:
        x, y = sample(key, step, count)
        logits = outputs(teacher, (x.transpose(1, 2).flatten(0, 1),))[0]  # the rows of all members, one after another: (k, N S)
        return x, torch.cat([y, logits.view(len(logits), len(x), count).transpose(0, 1)], dim=1)

    return drawn
