"""Rows of two digits side by side, drawn from labelled images.

S = rows, h = pixels of a side of one digit.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from .digits import Digits

__all__ = ["Labels", "draw_pairs", "hold_out", "shrunk"]

HELD_OUT = 6  # the last sixth of every digit: of MNIST's 60,000 training images about the customary 10,000
Labels = NDArray[np.int64]


def hold_out(digits: Digits) -> tuple[Digits, Digits]:
    """The images, split into those for training and the last sixth of every digit, at least one, for validation.

    Examples
    --------
    >>> images = np.arange(8, dtype=np.uint8).reshape(8, 1, 1)
    >>> training, validation = hold_out(Digits(images, np.array([0, 1] * 4, dtype=np.uint8), 255, "images"))
    >>> training.images.ravel().tolist(), validation.images.ravel().tolist()
    ([0, 1, 2, 3, 4, 5], [6, 7])
    """
    held_out = np.zeros(len(digits.labels), dtype=bool)
    for digit in np.unique(digits.labels):
        places = np.flatnonzero(digits.labels == digit)
        held_out[places[-max(1, len(places) // HELD_OUT) :]] = True
    training, validation = (replace(digits, images=digits.images[part], labels=digits.labels[part]) for part in (~held_out, held_out))
    return training, validation


def draw_pairs(digits: Digits, known: int, rows: int, size: int, seed: list[int]) -> tuple[NDArray[np.float32], Labels, Labels]:
    """Rows of two digits side by side, and the labels of the left and of the right digit.

    Every ordered pair of the digits ``0 ... known - 1`` occurs equally often, give or take one row. Images are drawn with replacement.

    Parameters
    ----------
    digits : Digits
        With at least one image of each of those digits.
    known, rows : int
    size : int
        h, which divides the side of the images; a pixel is the mean of those it covers.
    seed : list of int
        Key of the random generator.

    Returns
    -------
    x : array of shape (S, 2 h h), float32
        From 0 (paper) to 1 (ink), row-major over an image h high and 2 h wide.
    left, right : array of shape (S,)

    Examples
    --------
    >>> black = Digits(np.full((2, 2, 2), 255, dtype=np.uint8), np.array([0, 1], dtype=np.uint8), 255, "images")
    >>> x, left, right = draw_pairs(black, known=2, rows=4, size=1, seed=[0])
    >>> x.tolist(), sorted(zip(left.tolist(), right.tolist()))
    ([[1.0, 1.0], [1.0, 1.0], [1.0, 1.0], [1.0, 1.0]], [(0, 0), (0, 1), (1, 0), (1, 1)])
    """
    generator = np.random.default_rng(seed)
    labels = _labels(known, rows, generator)
    sides = [digits.images[_places(digits.labels, wanted, generator)] for wanted in labels]
    x = shrunk(np.concatenate(sides, axis=2), size)
    x /= digits.white
    return x.reshape(rows, -1), *labels


def _labels(known: int, rows: int, generator: np.random.Generator) -> tuple[Labels, Labels]:
    """The left and the right label of every row, in random order. Which pairs occur once more than others is random too."""
    kinds = generator.permutation(known**2)[np.arange(rows) % known**2]
    left, right = np.divmod(generator.permutation(kinds), known)
    return left, right


def _places(labels: NDArray[np.uint8], wanted: Labels, generator: np.random.Generator) -> Labels:
    """The position of a random image with the label, for every wanted label."""
    ordered, counts = np.argsort(labels, kind="stable"), np.bincount(labels)
    places: Labels = ordered[(np.cumsum(counts) - counts)[wanted] + generator.integers(counts[wanted])]
    return places


def shrunk(images: NDArray[np.uint8], size: int) -> NDArray[np.float32]:
    """Images of shape (S, side, width) with ``size`` rows of pixels, which divides the side; a pixel is the mean of those it covers.

    Examples
    --------
    >>> shrunk(np.array([[[0, 2, 4, 4], [4, 2, 4, 4]]], dtype=np.uint8), 1).tolist()
    [[[2.0, 4.0]]]
    """
    rows, side, width = images.shape
    if side == size:
        return images.astype(np.float32)
    step = side // size
    means: NDArray[np.float32] = images.reshape(rows, size, step, width // step, step).mean(axis=(2, 4), dtype=np.float32)
    return means
