"""The accuracy-gated schedule: prune a step, train a round, keep it or go back and halve the step.

N = chains of attempts, one member of the population each; items = hidden units (H) or weights (E) of a member.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import torch
from torch import Tensor

from ..mlp.batched_mlp import Score
from ..mlp.memory import members_that_fit
from ..mlp.packing import packings
from ..mlp.population import Population
from ..mlp.scores import ScoreFunction
from ..mlp.training import Data, Round, evaluate, train
from ..randomness import fold, keys
from ..sorting import sorted_positions

__all__ = ["Attempt", "ChainName", "Gate", "Pruning", "RoundRecord", "Standing", "Trial", "edges_of", "units_of"]

PHASES = ("dense", "units", "retrain", "edges")
PATIENCE = 3  # rounds of dense training without a gain
TOLERANCE = 1e-9  # accuracies are ratios of counts, asked numbers sums of halved steps


class ChainName(NamedTuple):
    """Which chain of attempts a member is on; steps in percent, None where the chain has none (yet).

    ``model`` and ``rate`` are positions among the models and learning rates that were given. They are no part of what keys the random
    numbers, so a seed means the same noise and order whatever else is sculpted beside it.
    """

    seed: int
    unit_step: float | None = None
    edge_step: float | None = None
    model: int = 0
    rate: int = 0


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
    """Where chains stand: the last accepted network of each, or its start while nothing was accepted.

    ``accuracy (N,)``, ``accepted (N,)``, and one name a chain.
    """

    population: Population
    accuracy: Tensor
    accepted: Tensor
    names: list[ChainName]

    def __len__(self) -> int:
        return len(self.names)

    def select(self, chains: Tensor) -> Standing:
        """A copy of some chains."""
        names = [self.names[i] for i in chains.tolist()]
        return Standing(self.population.select(chains), self.accuracy[chains], self.accepted[chains], names)

    def joined(self, other: Standing) -> Standing:
        """These chains, then the others."""
        return Standing(
            self.population.joined(other.population),
            torch.cat([self.accuracy, other.accuracy]),
            torch.cat([self.accepted, other.accepted]),
            self.names + other.names,
        )

    def replaced(self, chains: Tensor, new: Standing) -> Standing:
        """The same chains, some of them standing elsewhere now."""
        old, rows = self.population, chains.to(self.population.values.device)
        values, mask = old.values.index_copy(0, rows, new.population.values), old.mask.index_copy(0, rows, new.population.mask)
        accuracy, accepted = self.accuracy.index_copy(0, chains, new.accuracy), self.accepted.index_copy(0, chains, new.accepted)
        return Standing(replace(old, values=values, mask=mask), accuracy, accepted, self.names)

    def branched(self, kind: str, steps: Sequence[float]) -> Standing:
        """Every chain once for each step."""
        rows = torch.arange(len(self)).repeat_interleave(len(steps))
        names = [ChainName(**{**name._asdict(), kind: float(step)}) for name in self.names for step in steps]
        return Standing(self.population.select(rows), self.accuracy[rows], self.accepted[rows], names)


@dataclass(frozen=True, eq=False)
class Trial:
    """What chains try in a round, and the keys ``(N, 2)`` of its random numbers."""

    population: Population
    names: list[ChainName]
    phase: str
    key: Tensor
    asked: Tensor | None = None

    @classmethod
    def unpruned(cls, population: Population, names: list[ChainName], phase: str, number: int = 0) -> Trial:
        """A round of a phase that prunes nothing, after so many others."""
        return cls(population, names, phase, _round_key(chain_keys(population, names), phase, torch.full((len(names),), number)))


@dataclass(frozen=True, eq=False)
class RoundRecord:
    """What a round of one phase gave, a column for each thing that ``Attempt`` tells; ``reserve``: what was asked above the mark."""

    names: list[ChainName]
    phase: str
    asked: list[float] | None
    density: list[float]
    accuracy: list[float]
    seconds: float
    reserve: float = 0.0

    def attempts(self, min_accuracy: float) -> Iterator[Attempt]:
        """The same, row by row."""
        asked = [None] * len(self.names) if self.asked is None else self.asked
        for name, left, density, accuracy in zip(self.names, asked, self.density, self.accuracy, strict=True):
            accepted = accuracy >= min_accuracy + self.reserve - TOLERANCE
            yield Attempt(name, self.phase, left, density, accuracy, accepted, self.seconds)


@dataclass(eq=False)
class Gate:
    """What decides acceptance, and the history of what it decided.

    ``rates``: the learning rates that names speak of, or all have one. ``min_accuracy``: minus infinity until it is known. ``reserve``: how
    far above it networks must stay while units are pruned, so that something is left to lose for the edges.
    """

    data: Data
    settings: Round
    rates: Tensor | None = None
    max_members: int | None = None
    min_accuracy: float = -math.inf
    reserve: float = 0.0
    threads: int = 1
    rounds: list[RoundRecord] = field(default_factory=list)

    def attempt(self, trials: Sequence[Trial]) -> list[Standing]:
        """Train one round of all trials together and judge each; what chains try does not depend on who else is there."""
        start = time.perf_counter()
        population = trials[0].population
        for trial in trials[1:]:
            population = population.joined(trial.population)
        key = torch.cat([trial.key for trial in trials])
        rates = None if self.rates is None else self.rates[[name.rate for trial in trials for name in trial.names]]
        trained, score = train(population, self.data, self.settings, key, rates, self.max_members, self.threads)
        rows = torch.arange(len(population)).split([len(trial.names) for trial in trials])
        seconds = (time.perf_counter() - start) / len(population)
        return [
            self.judge(trial, trained.select(r), Score(score.accuracy[r], score.loss[r]), seconds)
            for trial, r in zip(trials, rows, strict=True)
        ]

    def pruned(self, population: Population, items: Items, removed: Tensor, kept: Tensor, key: Tensor) -> Tensor:
        """The mask ``(N, P)`` that is left when so many of all items ``(N,)`` are removed, the lowest scores among those alive but the
        ``kept (N,)`` lowest.

        Members are scored and sorted without what was pruned before, no more at once than a round would train.
        """
        left, mask = (items.total(population) - removed).to(key.device), torch.zeros_like(population.mask)
        kept = kept.to(key.device)
        for packing in packings(population):
            size = self.max_members or members_that_fit(len(packing.members), packing.shape, self.data, self.settings)
            for part in packing.split(size):
                data = self.data.checked_on(part.inputs)
                rows = part.members
                part.unpack(_without_lowest(part.pack(population), items, left[rows], kept[rows], data, key[rows]), mask)
        return mask

    def judge(self, trial: Trial, population: Population, score: Score, seconds: float) -> Standing:
        """Whether each member is accurate enough, written into the history."""
        accuracy = score.accuracy.cpu()
        reserve = self.reserve if trial.phase == "units" else 0.0
        accepted = accuracy >= self.min_accuracy + reserve - TOLERANCE
        density = population.edges().cpu().double() / population.edge_counts
        asked = None if trial.asked is None else trial.asked.tolist()
        self.rounds.append(RoundRecord(trial.names, trial.phase, asked, density.tolist(), accuracy.tolist(), seconds, reserve))
        return Standing(population, accuracy, accepted, trial.names)

    def dense(self, population: Population, names: list[ChainName], trained: bool, rounds: int) -> Standing:
        """The dense networks: as they are where they come trained, otherwise after as many rounds as it takes.

        A member goes on until it is accepted or, where it is not known yet how accurate it must be, until three rounds in a row have not
        made it more accurate, or as accurate with less loss; it is then handed over at its best round.
        """
        first = Trial.unpruned(population, names, "dense")
        if trained:
            return self.judge(first, population, evaluate(population, self.data), 0.0)
        standing = self.attempt([first])[0]
        return self._until_accepted(standing, rounds) if self.min_accuracy > -math.inf else self._while_it_gains(standing, rounds)

    def _until_accepted(self, standing: Standing, rounds: int) -> Standing:
        for number in range(1, rounds):
            below = torch.nonzero(~standing.accepted).flatten()
            if not len(below):
                break
            standing = standing.replaced(below, self._further(standing.select(below), number))
        return standing

    def _while_it_gains(self, standing: Standing, rounds: int) -> Standing:
        best, top = standing, evaluate(standing.population, self.data)
        misses = torch.zeros(len(standing), dtype=torch.int64)
        for number in range(1, rounds):
            going = torch.nonzero(misses < PATIENCE).flatten()
            if not len(going):
                break
            standing = standing.replaced(going, self._further(standing.select(going), number))
            score = evaluate(standing.population, self.data)
            better = score.better_than(top)
            top = top.updated(better, score)
            gained = torch.nonzero(better.cpu()).flatten()
            best = best.replaced(gained, standing.select(gained))
            misses[going] += 1
            misses[gained] = 0
        return best

    def _further(self, standing: Standing, number: int) -> Standing:
        return self.attempt([Trial.unpruned(standing.population, standing.names, "dense", number)])[0]


@dataclass(frozen=True)
class Items:
    """What a phase prunes: ``total(population) -> (N,)``, ``alive(population) -> (N, items)``, ``remove(population, gone) -> mask``."""

    phase: str
    score: ScoreFunction
    total: Callable[[Population], Tensor]
    alive: Callable[[Population], Tensor]
    remove: Callable[[Population, Tensor], Tensor]


def units_of(score: ScoreFunction) -> Items:
    """Hidden units, over all hidden layers together."""
    return Items("units", score, lambda p: p.hidden_counts, lambda p: torch.cat(p.alive(), dim=1), Population.without_units)


def edges_of(score: ScoreFunction) -> Items:
    """Weights, over all layers together."""
    return Items("edges", score, lambda p: p.edge_counts, _live_edges, _without_edges)


class Pruning:
    """All chains of one phase, each advancing through its own attempts until it rejects its finest step.

    An attempt aims at the items removed at the last accepted one plus the step, counted from all original items, and removes the
    lowest scores among those alive, equal scores in the order of the items: never more than asked. On rejection the chain goes
    back to its last accepted network and the step halves, down to one item. There it tries items in turn, that of the lowest score,
    the second lowest and so on, and ends when none of so many can go; after an acceptance it goes on from the same place in the order.
    An attempt that would remove everything is rejected without training.
    Source: Patil, Michael and Dovrolis (NeurIPS 2023), where a chain ends at the first item that cannot go.

    Parameters
    ----------
    items : Items
    gate : Gate
        Its data are what scores are taken on.
    double_after : int, optional
        Double the step after so many acceptances in a row; as published, never.
    tries : int
        How many items in turn are tried at the finest step, one an attempt.
    """

    def __init__(self, items: Items, gate: Gate, double_after: int | None = None, tries: int = 1) -> None:
        self.items, self.gate, self.double_after, self.tries = items, gate, double_after, tries
        self.standing: Standing | None = None
        self.removed, self.step = torch.empty(0, dtype=torch.float64), torch.empty(0, dtype=torch.float64)
        self.number, self.key = torch.empty(0, dtype=torch.int64), torch.empty(0, 2, dtype=torch.int32)
        self.active, self.told = torch.empty(0, dtype=torch.bool), torch.empty(0, dtype=torch.bool)
        self.tried, self.total = torch.empty(0, dtype=torch.int64), torch.empty(0, dtype=torch.float64)
        self.streak, self.kept, self.misses = (torch.empty(0, dtype=torch.int64) for _ in range(3))

    def add(self, standing: Standing, steps: Sequence[float]) -> None:
        """Let chains begin where they stand; ``steps``, one a chain, are their first ones in percent of all original items."""
        total = self.items.total(standing.population).double()
        self.total = torch.cat([self.total, total])
        self.removed = torch.cat([self.removed, total - self.items.alive(standing.population).sum(dim=1).cpu()])
        self.step = torch.cat([self.step, torch.tensor(steps, dtype=torch.float64).mul(total / 100).clamp(min=1)])
        self.number = torch.cat([self.number, torch.zeros(len(standing), dtype=torch.int64)])
        self.key = torch.cat([self.key.to(standing.population.values.device), chain_keys(standing.population, standing.names)])
        self.streak, self.kept, self.misses = (
            torch.cat([counts, torch.zeros(len(standing), dtype=torch.int64)]) for counts in (self.streak, self.kept, self.misses)
        )
        self.active = torch.cat([self.active, torch.ones(len(standing), dtype=torch.bool)])
        self.told = torch.cat([self.told, torch.zeros(len(standing), dtype=torch.bool)])
        self.standing = standing if self.standing is None else self.standing.joined(standing)

    def propose(self) -> Trial | None:
        """The next attempt of every chain that has not finished, or None when all have."""
        while bool((impossible := self.active & (self.removed + self.step + self.kept >= self.total - TOLERANCE)).any()):
            self._reject(torch.nonzero(impossible).flatten())
        self.tried = torch.nonzero(self.active).flatten()
        if self.standing is None or not len(self.tried):
            return None
        self.number[self.tried] += 1
        population, names = self.standing.population.select(self.tried), [self.standing.names[i] for i in self.tried.tolist()]
        asked = self.removed[self.tried] + self.step[self.tried]
        key = _round_key(self.key[self.tried], self.items.phase, self.number[self.tried])
        mask = self.gate.pruned(population, self.items, torch.floor(asked + TOLERANCE).long(), self.kept[self.tried], key)
        return Trial(population.masked(mask), names, self.items.phase, key, 1 - asked / self.total[self.tried])

    def settle(self, result: Standing) -> None:
        """Keep what was accepted of the last trial, and go back elsewhere."""
        assert self.standing is not None
        kept = torch.nonzero(result.accepted).flatten()
        accepted = self.tried[kept]
        self.standing = self.standing.replaced(accepted, result.select(kept))
        self.removed[accepted] += self.step[accepted]
        self.streak[accepted] += 1
        self.misses[accepted] = 0
        if self.double_after is not None:
            due = accepted[self.streak[accepted] == self.double_after]
            self.step[due] *= 2
            self.streak[due] = 0
        self._reject(self.tried[~result.accepted])

    def finished(self) -> Standing | None:
        """The chains that have finished since the last call, or None where there are none."""
        rows = torch.nonzero(~self.active & ~self.told).flatten()
        self.told[rows] = True
        return self.standing.select(rows) if self.standing is not None and len(rows) else None

    def _reject(self, chains: Tensor) -> None:
        finest = chains[self.step[chains] <= 1]
        self.misses[finest] += 1
        self.kept[finest] = (self.kept[finest] + 1) % self.tries
        self.active[finest[self.misses[finest] >= self.tries]] = False
        self.streak[chains] = 0
        self.step[chains] = (self.step[chains] / 2).clamp(min=1)


def chain_keys(population: Population, names: Sequence[ChainName]) -> Tensor:
    """Keys of chains, by seed and steps, on the population's device."""
    return keys([name[:3] for name in names], population.values.device)


def _round_key(key: Tensor, phase: str, number: Tensor) -> Tensor:
    """Keys of a round, from those of the chains, the phase and how many attempts each chain has made in it."""
    return fold(key, len(PHASES) * number + PHASES.index(phase))


def _without_lowest(population: Population, items: Items, left: Tensor, kept: Tensor, data: Data, key: Tensor) -> Tensor:
    alive = items.alive(population)
    count = alive.sum(dim=1) - left
    scores = items.score(population, data, key).float().masked_fill(~alive, torch.inf)
    # The bits of floats that are not negative sort as the floats do.
    order = sorted_positions(scores.view(torch.int32))[:, : int((kept + count).max().clamp(min=0))]
    place = torch.arange(order.shape[1], device=alive.device)
    lowest = (place >= kept.unsqueeze(1)) & (place < (kept + count).unsqueeze(1))
    gone = torch.zeros_like(alive).scatter(1, order, lowest)
    return items.remove(population, gone & alive)


def _live_edges(population: Population) -> Tensor:
    return torch.cat([m.flatten(1) for m in population.shape.weights(population.mask)], dim=1) > 0


def _without_edges(population: Population, gone: Tensor) -> Tensor:
    """A hidden unit that has lost its last incoming edge loses its bias too."""
    mask = population.mask.clone()
    weights = population.shape.weights(mask)
    for weight, part in zip(weights, gone.split([w[0].numel() for w in weights], dim=1), strict=True):
        weight *= ~part.view_as(weight)
    for weight, bias in list(zip(weights, population.shape.biases(mask), strict=True))[:-1]:
        bias *= weight.amax(dim=2)
    return mask
