"""Populations with random masks, and data for them."""

from __future__ import annotations

import torch
from torch import nn

from sculpting.data import Data
from sculpting.mlp.population import Population
from sculpting.models.shape import Shape
from sculpting.randomness import keys, uniforms
from sculpting.tasks import Task


def make(widths: tuple[int, ...], members: int, activation: str = "relu", seed: int = 0, kept: float = 0.7) -> Population:
    shape = Shape(widths, (activation,) * (len(widths) - 2) + ("identity",))
    population = Population.fresh(shape, keys([("member", seed, i) for i in range(members)]))
    mask = (uniforms(keys([("mask", seed, i) for i in range(members)]), shape.size) < kept).float()
    population = Population.of(shape, population.values + 0.1, mask)
    return population


def data_for(loss: str, widths: tuple[int, ...], rows: int = 20) -> Data:
    generator = torch.Generator().manual_seed(3)
    x = torch.randn(rows, widths[0], generator=generator)
    y = torch.randn(rows, widths[-1], generator=generator)
    y = {"bce": (y > 0).float(), "ce": nn.functional.one_hot(y.argmax(dim=1), widths[-1]).float(), "mse": y}[loss]
    return Data.of(Task(x, y, loss, x, y))
