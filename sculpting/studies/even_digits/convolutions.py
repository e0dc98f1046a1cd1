"""Small networks of convolutions that name digits: the images that they take, and their teachers.

S = images.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from ...autograd import Architecture, ModuleRows, fresh_members
from ...autograd.export import modules_of
from ...autograd.training import train
from ...models.groups import units
from ...models.sparse_module import SparseModule
from ...randomness import fold
from ...settings import RoundSettings
from ...tasks.task import Task
from .methods import ORDER_OF_TEACHING, TEACHER_BATCH, TEACHER_RATE, TEACHING, key_of

__all__ = ["ConvolutionalNetwork", "conv_teacher", "in_images"]

SIDE = 14  # larger images are pooled to a half
EXAMPLE = 3


class ConvolutionalNetwork(nn.Module):
    """Two convolutions of 3 x 3 pixels, each with a pooling of 2 x 2, and two Linear layers."""

    def __init__(self, channels: tuple[int, int], width: int, side: int, outputs: int = 10) -> None:
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(1, channels[0], 3, padding=1), nn.Conv2d(*channels, 3, padding=1)
        self.hidden, self.out = nn.Linear(channels[1] * (side // 4) ** 2, width), nn.Linear(width, outputs)

    def forward(self, x: Tensor) -> Tensor:
        """Logits ``(S, outputs)`` of images ``(S, 1, side, side)``."""
        for conv in (self.conv1, self.conv2):
            x = F.max_pool2d(torch.relu(conv(x)), 2)
        logits: Tensor = self.out(torch.relu(self.hidden(x.flatten(1))))
        return logits


def in_images(task: Task) -> Task:
    """A task whose inputs are images ``(S, 1, side, side)``, those of more than 14 x 14 pixels pooled to half of their side."""
    assert task.image is not None
    side = task.image[0]
    half = side > SIDE

    def of(x: Any) -> Any:
        images = x.view(-1, 1, side, side)
        return F.avg_pool2d(images, 2) if half else images

    x_test = None if task.x_test is None else of(task.x_test)
    small = side // 2 if half else side
    return replace(task, x=of(task.x), x_validation=of(task.x_validation), x_test=x_test, input_names=(), image=(small, small))


def conv_teacher(task: Task, channels: tuple[int, int], width: int, epochs: int, noise: float, seed: int) -> SparseModule:
    """A network that has learnt to name all digits, as it was in its best epoch."""
    key, side, x = key_of([seed]), task.x.shape[-1], (task.x[:EXAMPLE],)
    with torch.random.fork_rng():  # its own weights, which are drawn again, move no generator
        module = ConvolutionalNetwork(channels, width, side)
    architecture = Architecture.of(module, units(module, x), x)
    steps = epochs * -(-len(task.x) // TEACHER_BATCH)
    settings = RoundSettings(steps, TEACHER_BATCH, TEACHER_RATE, weight_decay=0.0, input_noise=noise)
    members, score = train(fresh_members(architecture, fold(key, TEACHING)), ModuleRows.of(task), settings, fold(key, ORDER_OF_TEACHING))
    return modules_of(members, [{"accuracy": float(score.accuracy), "loss": "ce", "origin": {"seed": seed, **task.origin}}])[0]
