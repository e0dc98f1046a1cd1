"""The engine for chains of Linear layers, as the schedule calls it.

N = members, M = members of one packing, H = hidden units of one member, E = its weights, P = its parameters.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate
from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor

from ..data import Data
from ..engine import Evaluation, Items, Part
from ..models.network import SparseNetwork
from ..models.shape import Shape
from ..settings import RoundSettings
from .ablation import BLOCK
from .batched_mlp import BatchedMLP
from .export import by_weights, networks_of
from .memory import in_groups_that_fit, members_that_fit
from .packing import Packing, packings
from .population import Population
from .scores import ScoreFunction
from .training import evaluate, train

__all__ = ["MLPEngine"]


@dataclass(frozen=True, eq=False)
class MLPEngine:
    """Trains, scores and prunes populations of multilayer perceptrons on one set of data.

    Attributes
    ----------
    data : Data
    settings : RoundSettings
    scores : mapping of "units" and "edges" to a score function
    max_members : int, optional
        Members that are trained or scored at once, at most; as many as fit into memory when left out.
    threads : int
        Threads on which blocks of members are trained side by side.
    """

    data: Data
    settings: RoundSettings
    scores: Mapping[Items, ScoreFunction]
    max_members: int | None = None
    threads: int = 1

    def train(self, members: Population, key: Tensor, learning_rate: Tensor, noise: float = 1.0) -> tuple[Population, Evaluation]:
        """Every member at the best epoch of a training round, and its evaluation there."""
        usual = self.settings
        settings = replace(usual, input_noise=noise * usual.input_noise, hidden_noise=noise * usual.hidden_noise)
        return train(members, self.data, settings, key, learning_rate, self.max_members, self.threads)

    def evaluate(self, members: Population) -> Evaluation:
        """Accuracy and loss of every member on the validation rows."""
        parts = in_groups_that_fit(lambda rows: evaluate(_some(members, rows), self.data), [torch.arange(len(members))])
        return Evaluation.joined([part for _, part in parts])

    def row_scores(self, members: Population, part: Part = "validation") -> Tensor:
        """What each validation or training row adds to the metric of every member: float64 ``(N, K, S)``."""
        x, y = (self.data.x, self.data.y) if part == "training" else (self.data.x_validation, self.data.y_validation)
        floats = 2 * sum(members.shape.widths[1:]) * x.shape[1]

        def scores(values: Tensor) -> Tensor:
            networks = BatchedMLP(members.shape, values)
            return self.data.metric.rows(networks.outputs(networks.forward(x)[0][-1]), y)

        return torch.cat([part for _, part in in_groups_that_fit(scores, members.values.split(max(1, BLOCK // floats)))])

    def count(self, members: Population, items: Items) -> tuple[Tensor, Tensor]:
        """How many items each member had before any pruning, and how many are left: int64 ``(N,)``, on the CPU.

        Frozen edges are not counted.
        """
        if items == "edges" and members.trainable is not None:
            return members.trainable_counts(), members.prunable_edges().sum(dim=1).cpu()
        if items == "units":
            return members.hidden_counts, torch.cat(members.alive(), dim=1).sum(dim=1).cpu()
        return members.edge_counts, members.edges().cpu()

    def score(self, members: Population, items: Items, key: Tensor) -> Tensor:
        """The importance of every item: float32 ``(N, items)``, infinite for those that were pruned, and for frozen edges.

        Members are packed to their live units first. No more are scored at once than a round would train.
        """
        total = sum(members.shape.widths[1:-1]) if items == "units" else len(members.shape.weight_positions())
        found = torch.full((len(members), total), torch.inf, dtype=torch.float32, device=members.device)

        def scores_of(packing: Packing) -> Tensor:
            packed = packing.pack(members)
            alive = torch.cat(packed.alive(), dim=1) if items == "units" else packed.prunable_edges()
            scores = self.scores[items](packed, self.data.restricted_to(packing.inputs), key[packing.members]).float()
            scores.masked_fill_(~alive, torch.inf)
            if packing.places is None:
                return scores
            positions = _unit_positions(packing, members.shape) if items == "units" else _edge_positions(packing, members.shape)
            return scores.new_full((len(scores), total), torch.inf).scatter_(1, positions, scores)

        for whole in packings(members):
            size = self.max_members or members_that_fit(len(whole.members), whole.shape, self.data, self.settings)
            for packing, scores in in_groups_that_fit(scores_of, whole.split(size), lambda packing: len(packing.members)):
                found.index_copy_(0, packing.members, scores)
        return found

    def remove(self, members: Population, items: Items, removed: Tensor) -> Population:
        """The members without the items that are true in ``removed``, bool ``(N, items)``."""
        return members.masked(members.without_units(removed) if items == "units" else members.without_edges(removed))

    def export(self, members: Population, facts: Sequence[dict[str, Any]]) -> list[SparseNetwork]:
        """Every member as a network; ``facts`` holds further attributes for each."""
        return networks_of(members, facts)

    def by_weights(self, members: Population, edges: Tensor) -> list[tuple[NDArray[Any], ...]]:
        """Numbers of edges ``(N, E)``, for every member as one array ``(n_out, n_in)`` for each layer of its weights."""
        return by_weights(members, edges)


def _some(members: Population, rows: Tensor) -> Population:
    """Some members; no copy where they are all."""
    return members if len(rows) == len(members) else members.select(rows)


def _unit_positions(packing: Packing, shape: Shape) -> Tensor:
    """The index of each packed hidden unit among all hidden units of the shape: int64 ``(M, H packed)``."""
    starts = accumulate(shape.widths[1:-2], initial=0)
    return torch.cat([units + start for units, start in zip(packing.units, starts, strict=True)], dim=1)


def _edge_positions(packing: Packing, shape: Shape) -> Tensor:
    """The index of each packed weight among all weights of the shape: int64 ``(M, E packed)``."""
    assert packing.places is not None
    weights = shape.weight_positions(packing.places.device)
    position = weights.new_zeros(shape.size).scatter_(0, weights, torch.arange(len(weights), device=weights.device))
    return position[packing.places[:, packing.shape.weight_positions(packing.places.device)]]
