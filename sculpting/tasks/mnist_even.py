"""Naming a digit: all ten, or some of them, such as the even ones (Michaud, Parker-Sartori and Tegmark, NeurIPS 2025)."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Integral
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ..checks import listed, shown
from ..surroundings import set_aside
from .digits import Digits, read_digits
from .mnist import check_images
from .pairs import hold_out
from .task import Task

__all__ = ["EVEN", "mnist_digits"]

ALL = tuple(range(10))
EVEN = (0, 2, 4, 6, 8)


@set_aside()
def mnist_digits(digits: Sequence[int] = ALL, *, source: str = "mnist", data_dir: str | Path | None = None) -> Task:
    """The task of naming a digit, ``[784, 10]``: always ten classes, even when only some digits occur.

    Parameters
    ----------
    digits : sequence of int
        The digits that occur, at least two.
    source : {"mnist", "digits"}
    data_dir : str or Path, optional
        Where the images come from; see :func:`~sculpting.tasks.digits.read_digits`.

    Returns
    -------
    Task
        ``x`` of shape (S, 784), or (S, 64) for ``source="digits"``: pixels from 0 (paper) to 1 (ink), row by row, named ``row,column``.
        Every image occurs once, in the order of the source.

    Raises
    ------
    ValueError, FileNotFoundError
        When ``digits`` are not at least two different digits, a file is broken or missing, or there are too few images of a digit.

    Notes
    -----
    Test images are those of the source. The last sixth of each digit's training images is for validation, as in
    :func:`~sculpting.tasks.mnist_pair`. A network for all digits and one for some digits have the same outputs, so that one can be made
    from the other by pruning or distillation. To name an even digit as an odd one is a mistake.

    Examples
    --------
    >>> every, even = (mnist_digits(digits, source="digits") for digits in (range(10), (0, 2, 4, 6, 8)))
    >>> every.x.shape, even.x.shape, even.y.sum(dim=0).int().tolist()
    (torch.Size([1253, 64]), torch.Size([623, 64]), [126, 0, 125, 0, 124, 0, 126, 0, 122, 0])
    """
    chosen = _check_digits(digits)
    training, test = read_digits(source, data_dir)
    check_images(training, chosen, 2, "one for training and one for validation")
    check_images(test, chosen, 1, "for testing")
    (x, y), (x_validation, y_validation), (x_test, y_test) = (_rows(part, chosen) for part in (*hold_out(training), test))
    side = training.images.shape[1]
    return Task(
        x, y, "ce", x_validation, y_validation, name=f"mnist-{'even' if chosen == EVEN else 'digits'}",
        input_names=tuple(f"{row},{column}" for row in range(side) for column in range(side)), output_names=tuple(map(str, ALL)),
        x_test=x_test, y_test=y_test, image=(side, side),
    )  # fmt: skip


def _rows(digits: Digits, chosen: tuple[int, ...]) -> tuple[Tensor, Tensor]:
    """Images and one-hot classes of the digits that were chosen."""
    kept = np.isin(digits.labels, chosen)
    images, labels = digits.images[kept], digits.labels[kept].astype(np.int64)
    x = images.reshape(len(images), -1).astype(np.float32) / digits.white
    return torch.from_numpy(x), torch.eye(len(ALL), dtype=torch.float32)[torch.from_numpy(labels)]


def _check_digits(digits: Sequence[int]) -> tuple[int, ...]:
    given = listed("digits", digits, len(ALL), "at least two different digits of 0...9", ValueError)
    chosen = tuple(sorted(given)) if all(isinstance(digit, Integral) for digit in given) else ()
    if len(set(chosen)) < max(2, len(chosen)) or not set(chosen) <= set(ALL):
        raise ValueError(f"digits must be at least two different digits of 0...9; got {shown(given)}")
    return chosen
