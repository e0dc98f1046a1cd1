"""The baseline: one network at a time in plain PyTorch, doing the same work as a member of a population."""

from __future__ import annotations

import time
from itertools import pairwise

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn


def mlp(widths: tuple[int, ...]) -> nn.Sequential:
    layers: list[nn.Module] = []
    for n_in, n_out in pairwise(widths):
        layers += [nn.Linear(n_in, n_out), nn.ReLU()]
    return nn.Sequential(*layers[:-1])


def train_round(model: nn.Sequential, masks: list[Tensor], x: Tensor, y: Tensor, steps: int, batch: int, noise: float) -> float:
    """One round: shuffled noisy batches, masked gradients, fused Adam, evaluation and a copy of the best epoch; returns its accuracy."""
    optimizer = torch.optim.Adam(model.parameters(), lr=0.05, weight_decay=1e-4, fused=True)
    parameters = list(model.parameters())
    best, state, done = (-1.0, 0.0), [], 0
    while done < steps:
        order = torch.randperm(len(x))
        noisy, target = x[order] + noise * torch.randn_like(x), y[order]
        for first in range(0, len(x), batch):
            optimizer.zero_grad()
            F.binary_cross_entropy_with_logits(model(noisy[first : first + batch]), target[first : first + batch]).backward()
            for parameter, mask in zip(parameters, masks, strict=True):
                parameter.grad *= mask
            optimizer.step()
            done += 1
        with torch.no_grad():
            z = model(x)
            score = float(((z > 0) == (y > 0.5)).float().mean()), -float(F.binary_cross_entropy_with_logits(z, y))
        if score > best:
            best, state = score, [p.detach().clone() for p in parameters]
    with torch.no_grad():
        for parameter, value in zip(parameters, state, strict=True):
            parameter.copy_(value)
    return best[0]


def seconds_per_step(widths: tuple[int, ...], x: Tensor, y: Tensor, steps: int, batch: int, noise: float = 0.1, rounds: int = 5) -> float:
    """Process seconds of one gradient step, with everything in a round."""
    model = mlp(widths)
    masks = [torch.ones_like(p) for p in model.parameters()]
    train_round(model, masks, x, y, steps, batch, noise)
    start = time.process_time()
    for _ in range(rounds):
        train_round(model, masks, x, y, steps, batch, noise)
    return (time.process_time() - start) / (rounds * steps)
