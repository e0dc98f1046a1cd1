"""The reference: one network, trained alone with PyTorch's modules, autograd and Adam. Every member of a population must equal it."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from sculpting.data import Data
from sculpting.randomness import fold, normals, permutations
from sculpting.settings import RoundSettings

LOSS = {
    "bce": F.binary_cross_entropy_with_logits,
    "ce": lambda z, y: F.cross_entropy(z, y.argmax(dim=1)),
    "mse": F.mse_loss,
}


def accuracy(loss: str, z: Tensor, y: Tensor) -> float:
    if loss == "bce":
        return float(((z > 0) == (y > 0.5)).double().mean())
    if loss == "ce":
        return float((z.argmax(dim=1) == y.argmax(dim=1)).double().mean())
    return float(1 - (z - y).double().square().sum() / (y - y.mean(dim=0)).double().square().sum())


def noised(model: nn.Sequential, x: Tensor, noise: list[Tensor]) -> Tensor:
    """The outputs with noise ``(rows, units)`` added to the sums of each hidden layer."""
    left = iter(noise)
    for layer in model:
        x = layer(x)
        if isinstance(layer, nn.Linear):
            x = x + next(left, 0.0)
    return x


def train_one(
    model: nn.Sequential, masks: dict[str, Tensor], data: Data, loss: str, settings: RoundSettings, key: Tensor
) -> tuple[float, float]:
    """Train a masked model in place to its best epoch; returns accuracy and loss there. ``key`` is the member's own, of shape (1, 2)."""
    optimizer = torch.optim.Adam(model.parameters(), lr=settings.learning_rate, weight_decay=settings.weight_decay)
    all_x, all_y, x_validation, y_validation = (part.t() for part in (data.x[:-1], data.y, data.x_validation[:-1], data.y_validation))
    rows, inputs = all_x.shape
    step, total = 0, settings.epochs(rows) * -(-rows // settings.batch_size)
    best: tuple[float, float] = (-float("inf"), float("inf"))
    state = {}
    for epoch in range(settings.epochs(rows)):
        order = permutations(fold(key, 0), rows, 1, epoch)[0, 0]
        x, y = all_x[order], all_y[order]
        if settings.input_noise:
            x = x + settings.input_noise * normals(fold(key, 1), inputs * rows, 1, epoch).view(inputs, rows).t()
        # A stream for each unit of each hidden layer.
        noise = [
            settings.hidden_noise * normals(fold(fold(key, 2 + layer).repeat(width, 1), torch.arange(width)), rows, 1, epoch)[:, 0].t()
            for layer, width in enumerate([part.out_features for part in model if isinstance(part, nn.Linear)][:-1])
        ]
        for first in range(0, rows, settings.batch_size):
            batch = slice(first, first + settings.batch_size)
            optimizer.zero_grad()
            LOSS[loss](noised(model, x[batch], [part[batch] for part in noise]), y[batch]).backward()
            for name, parameter in model.named_parameters():
                parameter.grad *= masks[name]
            # The learning rate falls along half a cosine to its final fraction.
            share = settings.final_rate + (1 - settings.final_rate) * 0.5 * (1 + math.cos(math.pi * step / total))
            optimizer.param_groups[0]["lr"] = settings.learning_rate * share
            optimizer.step()
            step += 1
        with torch.no_grad():
            z = model(x_validation)
            now = (accuracy(loss, z, y_validation), float(LOSS[loss](z, y_validation)))
        if now[0] > best[0] or (now[0] == best[0] and now[1] < best[1]):
            best, state = now, {name: p.detach().clone() for name, p in model.named_parameters()}
    model.load_state_dict(state)
    return best
