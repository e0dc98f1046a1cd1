"""Two digits side by side: naming both, and the XOR of their bits (Patil, Michael and Dovrolis, NeurIPS 2023).

S = rows, h = pixels of a side of one digit.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray

from ..checks import is_real, shown
from ..randomness import check_seed
from ..settings import DEFAULT_SCHEDULE, ScheduleSettings, TrainingSettings
from ..surroundings import set_aside
from .digits import Digits, read_digits
from .pairs import Labels, draw_pairs, hold_out
from .pixel_truth import pair_truth, xor_truth
from .task import Task

if TYPE_CHECKING:
    import networkx as nx

__all__ = ["PAIR", "XOR", "check_images", "mnist_pair", "mnist_xor"]


@dataclass(frozen=True)
class _Variant:
    """What differs between the two tasks: the number of digits, the targets of two labels, the ground truth of a size and a depth."""

    name: str
    digits: int
    output_names: tuple[str, ...]
    targets: Callable[[Labels, Labels], NDArray[np.bool_]]
    truth: Callable[[int, int], nx.DiGraph]
    training: TrainingSettings
    schedule: ScheduleSettings = DEFAULT_SCHEDULE


def _both_one_hot(a: Labels, b: Labels) -> NDArray[np.bool_]:
    return np.concatenate([label[:, None] == np.arange(10) for label in (a, b)], axis=1)


def _xor_bits(a: Labels, b: Labels) -> NDArray[np.bool_]:
    return ((a ^ b)[:, None] & np.array([4, 2, 1])) > 0


MOST_BYTES, BYTES_OF_PIXEL = 4 * 10**9, 8  # of the two floats of a row for each pixel of a digit
TRAINING = TrainingSettings(steps=900, batch_size=64)
PAIR = _Variant(
    "mnist-pair", 10, tuple(f"{side} {d}" for side in ("left", "right") for d in range(10)), _both_one_hot, pair_truth, TRAINING
)
XOR = _Variant(
    "mnist-xor",
    8,
    ("xor 4", "xor 2", "xor 1"),
    _xor_bits,
    xor_truth,
    replace(TRAINING, learning_rate=0.03),  # docs/digits.md has the reasons of this and the next
    ScheduleSettings(tolerance=0.01),
)


@set_aside()
def mnist_pair(
    *,
    size: int | None = None,
    pairs: int = 20_000,
    validation: int = 4_000,
    test: int = 4_000,
    source: str = "mnist",
    data_dir: str | Path | None = None,
    seed: int = 0,
) -> Task:
    """The task of naming two digits side by side, ``[1568, 2, 20]`` at full size: 20 bits, a one-hot for the left and one for the right.

    Parameters
    ----------
    size : int, optional
        Side of one digit in pixels: that of the images, 28 (8 for ``source="digits"``), or half of it, as means of 2 x 2 pixels.
    pairs, validation, test : int
        Rows of ``x``, ``x_validation`` and ``x_test``, each at least 100, one for every ordered pair of digits.
    source : {"mnist", "digits"}
    data_dir : str or Path, optional
        Where the images come from; see :func:`~sculpting.tasks.digits.read_digits`.
    seed : int
        Seed of the drawn pairs.

    Returns
    -------
    Task
        ``x`` of shape (S, 2 h h), values in [0, 1], row-major over an image h high and 2 h wide: the left digit is columns 0 to h - 1.
        Inputs are named ``L3,7`` and ``R3,7``: side, row, column within the side. A row takes 6.3 kB at size 28, so that the
        defaults take 176 MB, and 44 MB at size 14.

    Raises
    ------
    ValueError, FileNotFoundError
        When an argument is out of range, the rows would take more than 4 GB, a file is broken or missing, or there are too few images of a
        digit.

    Notes
    -----
    Every ordered pair of digits occurs equally often, give or take one row. Its images are drawn with replacement. No image is in more
    than one of the three parts. Test images are the test images of the source. The last sixth of each digit's training images, in the
    order of the source, is for validation, whatever the seed. In the published data all pairs are drawn from one pool, so that images of
    training pairs are in test pairs too.

    Accuracy counts bits: a network whose outputs are all 0 has 0.9 of them right. In the ground truth every pixel is in the module of its
    side, even a pixel that never changes and that no network needs.

    Examples
    --------
    >>> task = mnist_pair(source="digits", pairs=200, validation=100, test=100)
    >>> task.x.shape, task.y.shape, task.input_names[8], task.output_names[0], len(task.truth(hidden_layers=2))
    (torch.Size([200, 128]), torch.Size([200, 20]), 'R0,0', 'left 0', 2)
    """
    return _two_digits(PAIR, size, (pairs, validation, test), source, data_dir, seed)


@set_aside()
def mnist_xor(
    *,
    size: int | None = None,
    pairs: int = 60_000,
    validation: int = 4_000,
    test: int = 4_000,
    source: str = "mnist",
    data_dir: str | Path | None = None,
    seed: int = 0,
) -> Task:
    """The task of the XOR of two digits 0 to 7, ``[1568, 2, 3, 3]`` at full size: the three bits of a ^ b, the highest first.

    Parameters, inputs and errors are those of :func:`mnist_pair`. Each of ``pairs``, ``validation`` and ``test`` is at least 64. Images of
    8 and 9 are left out. There are more pairs by default, 107 MB at size 14. No output depends on one digit alone, and the bit accuracy of
    dense networks was almost 0.01 lower with 20,000 pairs than with 80,000. See :func:`~sculpting.tasks.pixel_truth.xor_truth` for the
    ground truth at each depth.

    Examples
    --------
    >>> task = mnist_xor(source="digits", size=4, pairs=64, validation=64, test=64)
    >>> task.x.shape, task.output_names, task.y.mean(dim=0).tolist()
    (torch.Size([64, 32]), ('xor 4', 'xor 2', 'xor 1'), [0.5, 0.5, 0.5])
    """
    return _two_digits(XOR, size, (pairs, validation, test), source, data_dir, seed)


def _two_digits(
    variant: _Variant, size: int | None, rows: tuple[int, int, int], source: str, data_dir: str | Path | None, seed: int
) -> Task:
    for name, count in zip(("pairs", "validation", "test"), rows, strict=True):
        _check_count(name, count, variant.digits**2, ", one for every ordered pair of digits")
    seed = check_seed(seed)
    train, test = read_digits(source, data_dir)
    size = _check_size(size, train.images.shape[1])
    if sum(rows) * train.images[0].size * BYTES_OF_PIXEL > MOST_BYTES:
        raise ValueError(f"pairs, validation and test must be rows of at most {MOST_BYTES // 10**9} GB; got {sum(rows):,} rows. Give fewer")
    check_images(train, range(variant.digits), 2, "one for training and one for validation")
    check_images(test, range(variant.digits), 1, "for testing")
    (x, y, _), (x_validation, y_validation, _), (x_test, y_test, labels) = (
        _draw(variant, digits, count, size, [seed, part])
        for part, (digits, count) in enumerate(zip((*hold_out(train), test), rows, strict=True))
    )
    names = tuple(f"{side}{row},{column}" for row in range(size) for side in "LR" for column in range(size))
    return Task(
        x, y, "bce", x_validation, y_validation, name=variant.name, input_names=names, output_names=variant.output_names,
        x_test=x_test, y_test=y_test, labels_test=labels, structure=partial(variant.truth, size), image=(size, 2 * size),
        training=variant.training, schedule=variant.schedule,
    )  # fmt: skip


def _draw(variant: _Variant, digits: Digits, rows: int, size: int, seed: list[int]) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Images, targets, and the left and the right label."""
    x, left, right = draw_pairs(digits, variant.digits, rows, size, seed)
    targets = variant.targets(left, right).astype(np.float32)
    return torch.from_numpy(x), torch.from_numpy(targets), torch.from_numpy(np.stack([left, right], axis=1))


def _check_count(name: str, count: int, least: int, why: str = "") -> None:
    if not isinstance(count, int) or isinstance(count, bool) or count < least:
        raise ValueError(f"{name} must be a whole number of at least {least}{why}; got {shown(count)}")


def _check_size(size: int | None, side: int) -> int:
    allowed = [side, side // 2] if side % 2 == 0 else [side]
    if size is not None and (not is_real(size) or size not in allowed):
        raise ValueError(f"size must be {' or '.join(map(str, allowed))} for images of {side} x {side} pixels; got {shown(size)}")
    return int(size or side)


def check_images(digits: Digits, known: Iterable[int], least: int, why: str) -> None:
    """Refuse images when there are too few of one of the ``known`` digits."""
    counts = np.bincount(digits.labels, minlength=10)
    for digit in known:
        if counts[digit] < least:
            raise ValueError(
                f"{digits.name} must have at least {least} of each digit, {why}; got {counts[digit]} of {digit}. Give files with more"
            )
