"""Dense networks that are made sparse in other ways: by an L1 penalty, by a cost of distance, by pruning once.

N = seeds, P = parameters of one network, E = its weights.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ...engine import Hooks
from ...mlp.population import Population
from ...mlp.training import evaluate, train
from ...models.shape import Shape
from ...randomness import keys
from .dense import Case, Dense, Found

__all__ = ["STEPS", "by_distance", "by_l1", "distances", "fewest_edges", "one_shot"]

STEPS = 4_000  # of training with a penalty, or after pruning
TRIED = 200  # numbers of edges that a threshold is chosen from, in geometric steps

Prune = Callable[[Dense], Population]


def by_l1(case: Case, *, penalty: float) -> list[Found]:
    """Go on with ``penalty`` times the sum of |weight|; then the threshold with the fewest edges that keeps the accuracy."""
    return _pruned(case, lambda dense: _penalised(case, torch.full((1, dense.members.shape.size), penalty)))


def by_distance(case: Case, *, penalty: float, base: float) -> list[Found]:
    """The same with a cost of distance: ``penalty`` times the sum of |weight| times :func:`distances`.

    As in brain-inspired modular training (Liu, Gan and Tegmark, 2023), without its swaps of units. Inputs and outputs lie in the order of
    the task, which is that of its modules: this is in favour of the method.
    """
    return _pruned(case, lambda dense: _penalised(case, penalty * distances(dense.members.shape, base)))


def one_shot(case: Case, *, times: int, by_layer: bool) -> list[Found]:
    """Prune once by magnitude, to as many edges as the pipeline of this library leaves for the seed, and retrain.

    Or to so many ``times`` as many. ``by_layer`` keeps the same fraction of each layer, instead of the largest weights of all. Each
    network is taken at its best epoch.
    """

    def prune(dense: Dense) -> Population:
        members = _keep_largest(dense.members, times * torch.tensor(case.edges), by_layer)
        return train(members, dense.engine.data, replace(dense.engine.settings, steps=STEPS), _keys(members), dense.rates)[0]

    return _pruned(case, prune)


def distances(shape: Shape, base: float) -> Tensor:
    """How far apart the units of each weight are, shape (1, P): ``base`` plus how far their places differ; 0 for biases.

    The units of a layer lie side by side at equal distances between 0 and 1.

    Examples
    --------
    >>> shape = Shape((2, 1, 1), ("relu", "identity"))
    >>> [part.flatten().tolist() for part in shape.weights(distances(shape, 0.5))]
    [[0.75, 0.75], [0.5]]
    """
    costs = torch.zeros(1, shape.size)
    places = [(torch.arange(width) + 0.5) / width for width in shape.widths]
    for weight, above, below in zip(shape.weights(costs), places, places[1:], strict=False):
        weight += base + (below[:, None] - above).abs()
    return costs


def fewest_edges(members: Population, case: Case) -> Population:
    """The members without their weights of least magnitude, as many as can go without losing accuracy on the validation rows.

    Data that are no complete table may lose the tolerance of the task. Numbers of edges are tried from the smallest on.
    """
    data, loss = case.dense.engine.data, 0.0 if case.task.complete else case.task.schedule.tolerance
    whole = evaluate(members, data).accuracy - loss - 1e-9
    found = []
    for i in range(len(members)):
        one = members.select([i])
        counts = np.unique(np.geomspace(1, int(one.edges()), TRIED).round().astype(int))
        tried = (_keep_largest(one, torch.tensor([count]), False) for count in counts.tolist())
        found.append(next((less for less in tried if evaluate(less, data).accuracy >= whole[i]), one))
    return Population.padded(found)


def _penalised(case: Case, costs: Tensor) -> Population:
    """The dense networks after more training with costs ``(1, P)`` of the |weights|, and below their threshold nothing."""
    dense = case.dense
    shape = dense.members.shape
    of_weights = torch.zeros_like(costs)
    for part in shape.weights(of_weights):
        part.fill_(1)
    costs = costs * of_weights

    def penalise(population: Population, slopes: Tensor) -> None:
        slopes += costs * population.values.sign()

    settings = replace(dense.engine.settings, steps=STEPS, keep_last=True)
    trained, _ = train(dense.members, dense.engine.data, settings, _keys(dense.members), dense.rates, hooks=Hooks(before_step=penalise))
    return fewest_edges(trained, case)


def _keys(members: Population) -> Tensor:
    return keys([("other methods", seed) for seed in range(len(members))])


def _keep_largest(members: Population, counts: Tensor, by_layer: bool) -> Population:
    """The members with so many of their weights, ``(N,)``, the largest."""
    layers = [part.abs().flatten(1) for part in members.weights]
    whole = sum(layer.shape[1] for layer in layers)
    if not by_layer:
        return members.masked(members.without_edges(~_largest(torch.cat(layers, dim=1), counts)))
    kept = [_largest(layer, (counts * layer.shape[1] / whole).round().long().clamp(min=1)) for layer in layers]
    return members.masked(members.without_edges(~torch.cat(kept, dim=1)))


def _largest(sizes: Tensor, counts: Tensor) -> Tensor:
    ranks = sizes.argsort(dim=1, descending=True, stable=True).argsort(dim=1, stable=True)
    return ranks < counts[:, None]


def _pruned(case: Case, prune: Prune) -> list[Found]:
    """What the detector finds in the networks that are left."""
    from analysis import detect_modules

    start, dense = time.perf_counter(), case.dense
    members = prune(dense)
    facts: list[dict[str, Any]] = [{"origin": network.origin} for network in dense.networks]
    networks = dense.engine.export(members, facts)
    shared = (time.perf_counter() - start) / len(networks)
    found = []
    for network in networks:
        start = time.perf_counter()
        hierarchy = detect_modules(network, **case.detection)
        found.append(Found(hierarchy, network, shared + time.perf_counter() - start))
    return found
