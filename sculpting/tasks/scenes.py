"""Scenes of four sprites, each with a shape, a brightness and a place: the outputs ask for one attribute of each of three of them.

S = rows.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from ..randomness import check_seed
from ..surroundings import set_aside
from .fused_bits import Bits, balanced_bits, check_rows, check_targets, fused, fused_names, fused_structure
from .task import SAMPLED, Task

__all__ = ["Sprite", "draw_scenes", "sprite_scenes"]

CELL, SPRITE = 5, 3  # pixels of a side
SHAPES = np.array([[[1, 0, 1], [0, 1, 0], [1, 0, 1]], [[0, 1, 0], [1, 1, 1], [0, 1, 0]]])  # a saltire, a cross; both of five pixels
DARK, BRIGHT = (0.2, 0.5), (0.7, 1.0)
NOISE = 0.05  # standard deviation at every pixel
BYTES_OF_ROW = 64 * CELL * CELL
CORNERS = ((0, 0), (0, CELL), (CELL, 0), (CELL, CELL))
ASKED = ("cross", "bright", "right")  # of the sprites in the upper left, upper right and lower left


@dataclass(frozen=True, eq=False)
class Sprite:
    """The attributes of the sprites of one cell: whether each is a cross, bright, and on the right; bool of shape (S,)."""

    cross: Bits
    bright: Bits
    right: Bits


@set_aside()
def sprite_scenes(targets: str = "xor", *, rows: int = 3_000, validation: int = 1_000, test: int = 1_000, seed: int = 0) -> Task:
    """The task of scenes of 10 x 10 pixels with a sprite in each quarter, of which three have one attribute that matters.

    Every sprite has a shape (saltire or cross), a brightness (dark or bright) and a place (left or right in its quarter, in one of three
    heights), drawn independently of all others. Of the upper left sprite the shape is asked for, of the upper right one the brightness, of
    the lower left one the place, and of the lower right one nothing.

    Parameters
    ----------
    targets : {"xor", "and", "alone"}
        ``"xor"``: whether exactly one of cross and bright is true, and one of bright and right; ``"and"``: whether both are; ``"alone"``:
        the three attributes.
    rows, validation, test : int
        Rows of ``x``, ``x_validation`` and ``x_test``, each at least 100.
    seed : int

    Returns
    -------
    Task
        ``x`` of shape (S, 100), about 0 (black) to 1 (white), row-major. ``labels_test`` has the three attributes, shape (S, 3).

    Raises
    ------
    ValueError
        When an argument is out of range, or the rows would take more than 4 GB to draw.

    Notes
    -----
    Each part is drawn by a generator of its own, every combination of the three attributes equally often, give or take one row. In the
    truth each of the three quarters is a module, and the pixels of the fourth are in none.

    Examples
    --------
    >>> task = sprite_scenes(rows=100, validation=100, test=100)
    >>> task.x.shape, task.input_names[15], task.output_names
    (torch.Size([100, 100]), '1,5', ('cross xor bright', 'bright xor right'))
    >>> [len(facts["inputs"]) for _, facts in task.truth(hidden_layers=2).nodes(data=True)]
    [25, 25, 25, 0, 0]
    """
    targets, seed = check_targets(targets), check_seed(seed)
    check_rows((rows, validation, test), BYTES_OF_ROW)
    parts = [_rows(size, targets, np.random.default_rng([seed, part])) for part, size in enumerate((rows, validation, test))]
    (x, y, _), (x_validation, y_validation, _), (x_test, y_test, labels) = parts
    side = 2 * CELL
    return Task(
        x, y, "bce", x_validation, y_validation, name=f"sprite-scenes:targets={targets}",
        input_names=tuple(f"{row},{column}" for row in range(side) for column in range(side)), output_names=fused_names(ASKED, targets),
        standardised=True, x_test=x_test, y_test=y_test, labels_test=labels, image=(side, side),
        structure=fused_structure(_quarters()[:3], ASKED, targets), **SAMPLED,
    )  # fmt: skip


def draw_scenes(sprites: list[Sprite], generator: np.random.Generator) -> NDArray[np.float32]:
    """Images of shape (S, 10, 10) of four sprites; heights, exact brightness and noise are drawn."""
    rows = len(sprites[0].cross)
    images = NOISE * generator.normal(size=(rows, 2 * CELL, 2 * CELL))
    scene, offsets = np.arange(rows)[:, None, None], np.arange(SPRITE)
    for sprite, (top, left) in zip(sprites, CORNERS, strict=True):
        level = np.where(sprite.bright, generator.uniform(*BRIGHT, rows), generator.uniform(*DARK, rows))
        row = top + generator.integers(0, CELL - SPRITE + 1, rows)
        column = left + np.where(sprite.right, CELL - SPRITE, 0)
        where = scene, row[:, None, None] + offsets[:, None], column[:, None, None] + offsets
        images[where] += SHAPES[sprite.cross.astype(int)] * level[:, None, None]
    return images.astype(np.float32)


def _rows(rows: int, targets: str, generator: np.random.Generator) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Pixels, targets and the attributes that are asked for."""
    bits = balanced_bits(rows, len(ASKED), generator)
    attributes = generator.random((4, 3, rows)) < 0.5
    for asked in range(len(ASKED)):  # of the first sprite the first attribute, of the second the second
        attributes[asked, asked] = bits[:, asked]
    images = draw_scenes([Sprite(*each) for each in attributes], generator)
    return (
        torch.from_numpy(images.reshape(rows, -1)),
        torch.from_numpy(fused(bits, targets).astype(np.float32)),
        torch.from_numpy(bits.astype(np.int64)),
    )


def _quarters() -> list[tuple[int, ...]]:
    """Positions of the pixels of each quarter."""
    pixels = np.arange(4 * CELL * CELL).reshape(2 * CELL, 2 * CELL)
    return [tuple(pixels[top : top + CELL, left : left + CELL].ravel().tolist()) for top, left in CORNERS]
