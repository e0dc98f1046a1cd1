"""Two digits as the two channels of one image, for convolutional networks: naming both, and the XOR of their bits.

S = rows, h = pixels of a side.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from torch import Tensor

from ..metrics import group_accuracy
from ..settings import ScheduleSettings, TrainingSettings
from ..surroundings import set_aside
from .cnn import ConvolutionalNetwork
from .mnist import mnist_pair, mnist_xor
from .pixel_truth import channel_pair_truth, channel_xor_truth
from .task import Task

if TYPE_CHECKING:
    import networkx as nx

__all__ = ["colour_digits", "colour_xor"]

CHANNELS = ("red", "green")
# docs/module-studies.md has the reasons.
TRAINING = TrainingSettings(steps=300, batch_size=32, learning_rate=0.02, rate_width=None, weight_decay=5e-4, keep_last=True)
SCHEDULE = ScheduleSettings(unit_steps=(), edge_steps=(0.3,), edge_tries=8, dense_rounds=14, tolerance=0.01, confidence=0.5)


@set_aside()
def colour_digits(
    *,
    size: int | None = None,
    pairs: int = 4_000,
    validation: int = 1_000,
    test: int = 1_000,
    source: str = "digits",
    data_dir: str | Path | None = None,
    seed: int = 0,
) -> Task:
    """The task of naming two digits of which one is red and one is green: 20 bits, a one-hot for each.

    ``sculpt`` judges each digit by its largest output, not by bits. Parameters, held-out images and errors are those of
    :func:`~sculpting.tasks.mnist_pair`; the digit on the left there is red here, and that on the right is green. By default the images
    are scikit-learn's, of 8 x 8 pixels, which need no files.

    Returns
    -------
    Task
        ``x`` of shape (S, 2, h, h), values in [0, 1]: the red channel and the green one. ``model()`` is a
        :class:`~sculpting.tasks.ConvolutionalNetwork`.

    Notes
    -----
    In the truth, ``inputs`` are channels. Each is in one module with the ten outputs of its digit, and the two modules share nothing.

    Examples
    --------
    >>> task = colour_digits(pairs=200, validation=100, test=100)
    >>> task.x.shape, task.y.shape, task.input_names, task.output_names[10]
    (torch.Size([200, 2, 8, 8]), torch.Size([200, 20]), ('red', 'green'), 'green 0')
    >>> [facts["inputs"] for _, facts in task.truth(hidden_layers=3).nodes(data=True)]
    [(0,), (1,)]
    """
    task = mnist_pair(size=size, pairs=pairs, validation=validation, test=test, source=source, data_dir=data_dir, seed=seed)
    names = tuple(f"{channel} {digit}" for channel in CHANNELS for digit in range(10))
    return replace(_coloured(task, "colour-digits", channel_pair_truth), output_names=names, metric=group_accuracy(len(CHANNELS)))


@set_aside()
def colour_xor(
    *,
    size: int | None = None,
    pairs: int = 4_000,
    validation: int = 1_000,
    test: int = 1_000,
    source: str = "digits",
    data_dir: str | Path | None = None,
    seed: int = 0,
) -> Task:
    """The task of the XOR of a red digit and a green one, each 0 to 7: the three bits of a ^ b, the highest first.

    Parameters, inputs and errors are those of :func:`colour_digits`, targets and truth those of :func:`~sculpting.tasks.mnist_xor` with
    a channel in place of the pixels of a side.

    Examples
    --------
    >>> task = colour_xor(pairs=64, validation=64, test=64)
    >>> task.x.shape, task.output_names, len(task.truth(hidden_layers=3))
    (torch.Size([64, 2, 8, 8]), ('xor 4', 'xor 2', 'xor 1'), 5)
    """
    task = mnist_xor(size=size, pairs=pairs, validation=validation, test=test, source=source, data_dir=data_dir, seed=seed)
    return _coloured(task, "colour-xor", channel_xor_truth)


def _coloured(task: Task, name: str, truth: Callable[[int], nx.DiGraph]) -> Task:
    """A task of two digits side by side with one over the other."""
    x, x_validation, x_test = (_channels(part) for part in (task.x, task.x_validation, task.x_test))
    return replace(
        task, x=x, x_validation=x_validation, x_test=x_test, name=name, input_names=CHANNELS, structure=truth, image=None,
        network=partial(ConvolutionalNetwork, len(CHANNELS), task.y.shape[1]), training=TRAINING, schedule=SCHEDULE,
    )  # fmt: skip


def _channels(x: Tensor) -> Tensor:
    """Images ``(S, 2, h, h)`` from rows of pixels of h x 2 h, the left half first."""
    size = round((x.shape[1] / 2) ** 0.5)
    return x.view(-1, size, 2, size).transpose(1, 2).contiguous()
