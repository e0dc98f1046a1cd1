"""Pruning by magnitude, written plainly with ``torch.nn.utils.prune``: the baselines of ``real_data.py``.

A point of a baseline is a trained sparse network with its figures. The rows, the standardised columns, the tolerance and the budget of
gradient steps are those of ``sculpt``.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.utils import prune

from sculpting.metrics import metric_of
from sculpting.models import SparseNetwork
from sculpting.tasks import Task

RATES = (0.01, 0.001)
ROUND, EARLY = 0.2, 0.1  # of the remaining weights a round; of the first round's steps, after which weights are kept to rewind to
KEPT = (0.5, 0.2, 0.1, 0.05, 0.03, 0.02, 0.01, 0.005)  # fractions of the weights that one-shot pruning keeps
LEAST_STEPS = 200  # of a round, where the budget would give less

LOSSES: dict[str, Callable[[], nn.Module]] = {"ce": nn.CrossEntropyLoss, "bce": nn.BCEWithLogitsLoss, "mse": nn.MSELoss}


@dataclass(frozen=True)
class Point:
    """Edges that are left and the figures of a network on the validation and the test rows."""

    edges: int
    validation: float
    test: float


def iterative(task: Task, model: nn.Sequential, rate: float, steps: int, seed: int) -> Iterator[Point]:
    """Rounds of training, pruning 20 % of the remaining weights of least magnitude, and rewinding the others to early weights."""
    torch.manual_seed(seed)
    layers = fresh(model)
    rounds = math.ceil(math.log(weights_of(layers) / 2) / -math.log(1 - ROUND))
    each = max(LEAST_STEPS, steps // rounds)
    train(task, model, rate, int(EARLY * each))
    early = [copy.deepcopy(layer.state_dict()) for layer in layers]
    train(task, model, rate, each - int(EARLY * each))
    yield point(task, model, layers)
    masks = [(layer, "weight") for layer in layers]
    for _ in range(rounds):
        prune.global_unstructured(masks, pruning_method=prune.L1Unstructured, amount=ROUND)
        with torch.no_grad():
            for layer, state in zip(layers, early, strict=True):
                layer.weight_orig.copy_(state["weight"])
                layer.bias.copy_(state["bias"])
        train(task, model, rate, each)
        yield point(task, model, layers)


def one_shot(task: Task, model: nn.Sequential, rate: float, steps: int, seed: int) -> Iterator[Point]:
    """Training, then for each fraction of weights: pruning once by magnitude, and fine-tuning. Each half takes half of the steps."""
    torch.manual_seed(seed)
    layers = fresh(model)
    each = max(LEAST_STEPS, steps // 2)
    train(task, model, rate, each)
    yield point(task, model, layers)
    for kept in KEPT:
        pruned = copy.deepcopy(model)
        left = linear(pruned)
        prune.global_unstructured([(layer, "weight") for layer in left], pruning_method=prune.L1Unstructured, amount=1 - kept)
        train(task, pruned, rate, each)
        yield point(task, pruned, left)


METHODS = {"iterative, rewound": iterative, "one shot, tuned": one_shot}


def linear(model: nn.Sequential) -> list[nn.Linear]:
    return [layer for layer in model if isinstance(layer, nn.Linear)]


def fresh(model: nn.Sequential) -> list[nn.Linear]:
    """The layers of a model, with Kaiming-normal weights as ``sculpt`` draws them."""
    layers = linear(model)
    for layer in layers:
        nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
        nn.init.zeros_(layer.bias)
    return layers


def weights_of(layers: list[nn.Linear]) -> int:
    return sum(layer.weight.numel() for layer in layers)


def train(task: Task, model: nn.Sequential, rate: float, steps: int) -> None:
    """Adam at a rate that falls along half a cosine to 0.05 of itself, on batches of 64 rows."""
    loss, rows = LOSSES[task.loss](), len(task.x)
    batch = min(64, max(1, rows // 2))
    optimiser = torch.optim.Adam(model.parameters(), lr=rate, weight_decay=1e-4, fused=True)
    falling = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, max(1, steps), eta_min=0.05 * rate)
    order = torch.randperm(rows)
    for step in range(steps):
        first = step * batch % (rows - rows % batch)
        if not first:
            order = torch.randperm(rows)
        drawn = order[first : first + batch]
        optimiser.zero_grad()
        loss(model(task.x[drawn]), task.y[drawn]).backward()
        optimiser.step()
        falling.step()


def point(task: Task, model: nn.Sequential, layers: list[nn.Linear]) -> Point:
    """Edges are counted without dead units, as in ``SparseNetwork.compact``."""
    with torch.no_grad():
        masks = [getattr(layer, "weight_mask", torch.ones_like(layer.weight)) for layer in layers]
        weights = [getattr(layer, "weight_orig", layer.weight) * mask for layer, mask in zip(layers, masks, strict=True)]
        biases = [layer.bias for layer in layers]
        names = ["relu"] * (len(layers) - 1) + ["identity"]
        network = SparseNetwork(tuple(weights), tuple(biases), tuple(names)).compact()
        assert task.x_test is not None and task.y_test is not None
        figures = [figure(task, model, *rows) for rows in ((task.x_validation, task.y_validation), (task.x_test, task.y_test))]
    return Point(network.edge_count, *figures)


def figure(task: Task, model: nn.Sequential, x: Tensor, y: Tensor) -> float:
    return float(metric_of(task.metric, task.loss).rows(model(x).t().unsqueeze(0), y.t()).mean())
