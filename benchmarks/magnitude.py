"""Pruning by magnitude, written plainly with ``torch.nn.utils.prune``: the baselines of ``real_data.py``.

A run trains several networks side by side, some at each of the ``RATES``, each as it would be alone but for the order of its rows, which
they share. A point is one of the networks at one sparsity, with its figures. Masks are global: the weights of all layers of a network are
ranked together.

N = networks, S = rows, n = inputs, k = outputs.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils import prune

from sculpting.metrics import metric_of
from sculpting.models import SparseNetwork
from sculpting.tasks import Task

RATES = (0.03, 0.01, 0.001)
ROUND, EARLY = 0.2, 0.1  # of the remaining weights a round; of the first round's steps, after which weights are kept to rewind to
KEPT = (0.5, 0.2, 0.1, 0.05, 0.03, 0.02, 0.01, 0.005)  # fractions of the weights that one-shot pruning keeps
LEAST_STEPS = 200  # of a round, where the budget would give less
DECAY, LAST_RATE = 1e-4, 0.05  # weight decay; the rate falls along half a cosine to this fraction of it


@dataclass(frozen=True)
class Point:
    """The number of the network in its run, edges that are left, and the figures on the validation and the test rows."""

    network: int
    edges: int
    validation: float
    test: float


class Layers(nn.Module):
    """A linear layer of each of N networks: inputs and outputs of shape (N, S, n) and (N, S, k)."""

    def __init__(self, weight: Tensor, bias: Tensor) -> None:
        super().__init__()
        self.weight, self.bias = nn.Parameter(weight), nn.Parameter(bias)

    def forward(self, x: Tensor) -> Tensor:
        return torch.baddbmm(self.bias.unsqueeze(1), x, self.weight.mT)


Networks = list[Layers]


def iterative(task: Task, widths: tuple[int, ...], steps: int, seed: int, starts: int) -> Iterator[Point]:
    """Rounds of training, pruning 20 % of the remaining weights of least magnitude, and rewinding the others to early weights."""
    torch.manual_seed(seed)
    rates = torch.tensor(RATES).repeat(starts)
    networks = fresh(widths, len(rates))
    rounds = math.ceil(math.log(size(networks) / 2) / -math.log(1 - ROUND))
    each = max(LEAST_STEPS, steps // rounds)
    early = int(EARLY * each)
    train(task, networks, rates, early)
    rewound = [(layer.weight.detach().clone(), layer.bias.detach().clone()) for layer in networks]
    train(task, networks, rates, each - early)
    yield from points(task, networks)
    for done in range(1, rounds + 1):
        keep_largest(networks, [round((1 - ROUND) ** done * size(networks))] * len(rates))
        with torch.no_grad():
            for layer, (weight, bias) in zip(networks, rewound, strict=True):
                layer.weight_orig.copy_(weight)
                layer.bias.copy_(bias)
        train(task, networks, rates, each)
        yield from points(task, networks)


def one_shot(task: Task, widths: tuple[int, ...], steps: int, seed: int, starts: int) -> Iterator[Point]:
    """Training, then for each fraction of weights: pruning once by magnitude, and fine-tuning. Each half takes half of the steps."""
    torch.manual_seed(seed)
    rates = torch.tensor(RATES).repeat(starts)
    networks = fresh(widths, len(rates))
    each = max(LEAST_STEPS, steps // 2)
    train(task, networks, rates, each)
    yield from points(task, networks)
    copies = [Layers(*(part.detach().repeat_interleave(len(KEPT), dim=0) for part in layer.parameters())) for layer in networks]
    keep_largest(copies, [max(1, round(kept * size(copies))) for kept in KEPT] * len(rates))
    train(task, copies, rates.repeat_interleave(len(KEPT)), each)
    for found in points(task, copies):
        yield Point(found.network // len(KEPT), found.edges, found.validation, found.test)


METHODS = {"iterative, rewound": iterative, "one shot, tuned": one_shot}


def fresh(widths: tuple[int, ...], starts: int) -> Networks:
    """Kaiming-normal weights, as ``sculpt`` draws them, and biases of 0."""
    return [Layers(torch.randn(starts, k, n) * (2 / n) ** 0.5, torch.zeros(starts, k)) for n, k in pairwise(widths)]


def size(networks: Networks) -> int:
    """Weights of one network."""
    return sum(layer.weight[0].numel() for layer in networks)


def keep_largest(networks: Networks, counts: list[int]) -> None:
    """Prune all but this number of weights of each network, ranked over all its layers."""
    flat = torch.cat([layer.weight.detach().abs().flatten(1) for layer in networks], dim=1)
    ranks = flat.argsort(dim=1, descending=True).argsort(dim=1)
    kept = (ranks < torch.tensor(counts).unsqueeze(1)) & (flat > 0)
    for layer, mask in zip(networks, kept.split([layer.weight[0].numel() for layer in networks], dim=1), strict=True):
        prune.custom_from_mask(layer, "weight", mask.view_as(layer.weight).float())


def answers(networks: Networks, x: Tensor) -> Tensor:
    """Outputs of shape (N, S, k)."""
    z = networks[0](x.expand(len(networks[0].bias), -1, -1))
    for layer in networks[1:]:
        z = layer(functional.relu(z))
    return z


def loss_of(task: Task, z: Tensor, y: Tensor) -> Tensor:
    """The sum of the losses of the networks."""
    losses: dict[str, Callable[[], Tensor]] = {
        "ce": lambda: functional.cross_entropy(z.flatten(0, 1), y.argmax(dim=1).repeat(len(z))),
        "bce": lambda: functional.binary_cross_entropy_with_logits(z, y.expand_as(z)),
        "mse": lambda: functional.mse_loss(z, y.expand_as(z)),
    }
    return losses[task.loss]() * len(z)


def train(task: Task, networks: Networks, rates: Tensor, steps: int) -> None:
    """Adam on batches of 64 rows, at a learning rate for each network: a step of Adam is proportional to it."""
    rows = len(task.x)
    batch = min(64, max(1, rows // 2))
    parts = [part for layer in networks for part in layer.parameters()]
    scales = [rates.view(-1, *[1] * (part.ndim - 1)) for part in parts]
    optimiser = torch.optim.Adam(parts, weight_decay=DECAY, fused=True)
    for step in range(steps):
        first = step * batch % (rows - rows % batch)
        if not first:
            order = torch.randperm(rows)
        for group in optimiser.param_groups:
            group["lr"] = LAST_RATE + (1 - LAST_RATE) * (1 + math.cos(math.pi * step / steps)) / 2
        drawn = order[first : first + batch]
        optimiser.zero_grad()
        loss_of(task, answers(networks, task.x[drawn]), task.y[drawn]).backward()
        before = [part.detach().clone() for part in parts]
        optimiser.step()
        with torch.no_grad():
            for part, old, scale in zip(parts, before, scales, strict=True):
                part.copy_(torch.lerp(old, part, scale))


def points(task: Task, networks: Networks) -> Iterator[Point]:
    """Edges are counted without dead units, as in ``SparseNetwork.compact``."""
    assert task.x_test is not None
    assert task.y_test is not None
    with torch.no_grad():
        for layer in networks:  # forward passes set the masked weights; these may be those of before the last step
            if prune.is_pruned(layer):
                layer.weight = layer.weight_orig * layer.weight_mask
        figures = [figure(task, networks, *rows) for rows in ((task.x_validation, task.y_validation), (task.x_test, task.y_test))]
        names = ("relu",) * (len(networks) - 1) + ("identity",)
        for i, (validation, test) in enumerate(zip(*figures, strict=True)):
            network = SparseNetwork(tuple(layer.weight[i] for layer in networks), tuple(layer.bias[i] for layer in networks), names)
            yield Point(i, network.compact().edge_count, validation, test)


def figure(task: Task, networks: Networks, x: Tensor, y: Tensor) -> list[float]:
    return metric_of(task.metric, task.loss).rows(answers(networks, x).mT, y.t()).mean(dim=(1, 2)).tolist()
