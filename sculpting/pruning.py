"""The accuracy-gated schedule: prune a step, train a round, keep it or go back and halve the step.

N = members, one chain of attempts each; items = hidden units (H) or weights (E) of a member.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import torch
from torch import Tensor

from .population import Population
from .randomness import keys
from .scores import ScoreFunction
from .training import Data, Round, Score, evaluate, train

__all__ = ["Attempt", "ChainName", "Gate", "Standing", "edges_of", "prune", "units_of"]

TOLERANCE = 1e-9  # accuracies are ratios of counts, asked numbers sums of halved steps


class ChainName(NamedTuple):
    """Which chain of attempts a member is on; steps in percent, None where the chain has none (yet)."""

    seed: int
    unit_step: float | None = None
    edge_step: float | None = None


class Attempt(NamedTuple):
    """One line of the history.

    ``asked`` is the fraction of hidden units (phase ``"units"``) or of edges (phase ``"edges"``) that was to be left, None in
    the phases ``"dense"`` and ``"retrain"``, which prune nothing; ``density`` the fraction of edges that were left; ``seconds``
    the member's share of the round.
    """

    chain: ChainName
    phase: str
    asked: float | None
    density: float
    accuracy: float
    accepted: bool
    seconds: float


@dataclass(frozen=True, eq=False)
class Standing:
    """Where every chain stands: its last accepted network, or its start while nothing was; ``accuracy (N,)`` and ``accepted (N,)``."""

    population: Population
    accuracy: Tensor
    accepted: Tensor

    def select(self, members: Tensor) -> Standing:
        """A copy of some members."""
        return Standing(self.population.select(members), self.accuracy[members], self.accepted[members])


@dataclass(eq=False)
class Gate:
    """What decides acceptance, and the history of what it decided."""

    data: Data
    settings: Round
    min_accuracy: float = float("-inf")
    history: list[Attempt] = field(default_factory=list)

    def attempt(
        self, population: Population, chains: Sequence[ChainName], phase: str, asked: Tensor | None = None, number: int = 0
    ) -> Standing:
        """Train one round, judge it and write it into the history."""
        start = time.perf_counter()
        key = keys([(phase, number, *chain) for chain in chains], population.values.device)
        population, score = train(population, self.data, self.settings, key)
        return self.judge(population, score, chains, phase, asked, start)

    def judge(
        self, population: Population, score: Score, chains: Sequence[ChainName], phase: str, asked: Tensor | None, start: float
    ) -> Standing:
        """Whether each member is accurate enough, written into the history."""
        accuracy = score.accuracy.cpu()
        accepted = accuracy >= self.min_accuracy - TOLERANCE
        density = population.edges().cpu().double() / population.shape.edge_count
        seconds = (time.perf_counter() - start) / len(chains)
        left = [None] * len(chains) if asked is None else asked.tolist()
        for row in zip(chains, left, density.tolist(), accuracy.tolist(), accepted.tolist(), strict=True):
            self.history.append(Attempt(row[0], phase, *row[1:], seconds))
        return Standing(population, accuracy, accepted)

    def retrain(self, standing: Standing, chains: Sequence[ChainName]) -> Standing:
        """One round without pruning; a member that comes out below the mark goes back to what it was."""
        trained = self.attempt(standing.population, chains, "retrain")
        return _where(trained.accepted, trained, standing)


@dataclass(frozen=True)
class Items:
    """What a phase prunes: ``total(population)``, ``alive(population) -> (N, items)``, and ``remove(population, gone) -> mask``."""

    phase: str
    score: ScoreFunction
    total: Callable[[Population], int]
    alive: Callable[[Population], Tensor]
    remove: Callable[[Population, Tensor], Tensor]


def units_of(score: ScoreFunction) -> Items:
    """Hidden units, over all hidden layers together."""
    return Items("units", score, lambda p: p.shape.hidden_count, lambda p: torch.cat(p.alive(), dim=1), _without_units)


def edges_of(score: ScoreFunction) -> Items:
    """Weights, over all layers together."""
    return Items("edges", score, lambda p: p.shape.edge_count, _live_edges, _without_edges)


def prune(
    standing: Standing,
    chains: Sequence[ChainName],
    steps: Sequence[float],
    items: Items,
    gate: Gate,
    finished: Callable[[int], None] = lambda count: None,
) -> Standing:
    """Advance every chain until it rejects its finest step.

    Parameters
    ----------
    standing : Standing
        Where the chains start.
    chains : sequence of ChainName, one a member
    steps : sequence of float, one a member
        The first step, in percent of all original items.
    items : Items
    gate : Gate
    finished : callable
        Told how many chains have finished, whenever some have.

    Notes
    -----
    An attempt aims at the items removed at the last accepted one plus the step, counted from all original items, and removes
    the lowest scores among those alive, equal scores in the order of the items: never more than asked. On rejection the chain
    goes back to its last accepted network and the step halves, down to one item. An attempt that would remove everything is
    rejected without training. Source: Patil, Michael and Dovrolis (NeurIPS 2023).
    """
    total = items.total(standing.population)
    removed = total - items.alive(standing.population).sum(dim=1).cpu().double()
    step = torch.tensor(steps, dtype=torch.float64).mul(total / 100).clamp(min=1)
    best, active, number = standing, torch.arange(len(chains)), 0
    while len(active):
        number += 1
        asked = removed[active] + step[active]
        kept = torch.zeros(len(active), dtype=torch.bool)
        possible = torch.nonzero(asked < total - TOLERANCE).flatten()
        if len(possible):
            members = active[possible]
            trial = best.population.select(members)
            names = [chains[m] for m in members.tolist()]
            mask = _pruned_mask(
                trial, items, torch.floor(asked[possible] + TOLERANCE).long(), gate.data, keys([("score", number, *n) for n in names])
            )
            result = gate.attempt(trial.masked(mask), names, items.phase, 1 - asked[possible] / total, number)
            kept[possible] = result.accepted
            best = _replaced(best, members[result.accepted], result.select(torch.nonzero(result.accepted).flatten()))
        removed[active[kept]] = asked[kept]
        lost = active[~kept]
        done = lost[step[lost] <= 1]
        step[lost] = (step[lost] / 2).clamp(min=1)
        if len(done):
            active = active[~torch.isin(active, done)]
            finished(len(done))
    return best


def start(population: Population, gate: Gate, chains: Sequence[ChainName], trained: bool) -> Standing:
    """The dense networks, after their first round, or as they are where they come trained."""
    if not trained:
        return gate.attempt(population, chains, "dense")
    return gate.judge(population, evaluate(population, gate.data), chains, "dense", None, time.perf_counter())


def _pruned_mask(population: Population, items: Items, removed: Tensor, data: Data, key: Tensor) -> Tensor:
    alive = items.alive(population)
    count = removed.to(alive.device) - (items.total(population) - alive.sum(dim=1))
    scores = items.score(population, data, key.to(alive.device)).double().masked_fill(~alive, torch.inf)
    order = scores.argsort(dim=1, stable=True)
    lowest = torch.arange(alive.shape[1], device=alive.device) < count.unsqueeze(1)
    gone = torch.zeros_like(alive).scatter(1, order, lowest)
    return items.remove(population, gone & alive)


def _without_units(population: Population, gone: Tensor) -> Tensor:
    mask = population.mask.clone()
    weights, biases = population.shape.weights(mask), population.shape.biases(mask)
    for layer, dead in enumerate(gone.split(population.shape.widths[1:-1], dim=1)):
        kept = (~dead).to(mask.dtype)
        weights[layer] *= kept.unsqueeze(2)
        biases[layer] *= kept
        weights[layer + 1] *= kept.unsqueeze(1)
    return mask


def _live_edges(population: Population) -> Tensor:
    return torch.cat([m.flatten(1) for m in population.shape.weights(population.mask)], dim=1) > 0


def _without_edges(population: Population, gone: Tensor) -> Tensor:
    """A hidden unit that has lost its last incoming edge loses its bias too."""
    mask = population.mask.clone()
    mask[:, population.shape.weight_positions(mask.device)] *= (~gone).to(mask.dtype)
    for weight, bias in list(zip(population.shape.weights(mask), population.shape.biases(mask), strict=True))[:-1]:
        bias *= weight.amax(dim=2)
    return mask


def _where(rows: Tensor, new: Standing, old: Standing) -> Standing:
    chosen = torch.nonzero(rows).flatten()
    return _replaced(old, chosen, new.select(chosen))


def _replaced(old: Standing, members: Tensor, new: Standing) -> Standing:
    population = old.population
    values, mask = population.values.clone(), population.mask.clone()
    values[members], mask[members] = new.population.values, new.population.mask
    accuracy, accepted = old.accuracy.clone(), old.accepted.clone()
    accuracy[members], accepted[members] = new.accuracy, new.accepted
    return Standing(Population(population.shape, values, mask), accuracy, accepted)
