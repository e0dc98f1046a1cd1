"""Inputs of a network as the pixels of an image: the pixels of each module and their weights.

H = rows, W = columns of the image; H W = inputs, row-major.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from numbers import Integral

import numpy as np
from numpy.typing import NDArray

from ..graph import chain_of
from ..hierarchy import Hierarchy
from ..layout.ordering import drawn_edges
from .colours import shades

__all__ = ["PixelMap", "counted", "largest_weight", "picture_of", "pixel_maps", "weights_of_pixels"]


@dataclass(frozen=True, eq=False)
class PixelMap:
    """The pixels of one module that other units read; at least one.

    Attributes
    ----------
    module : int
        Its label in ``Hierarchy.labels``.
    weights : float array of shape (H, W)
        The weight of each pixel of the module: the sum of |weight| over its edges to units of modules. Zero for pixels of other modules
        and pixels that no unit reads.
    """

    module: int
    weights: NDArray[np.float64]

    @property
    def image(self) -> tuple[int, int]:
        """Height and width in pixels."""
        height, width = self.weights.shape
        return height, width

    @property
    def count(self) -> int:
        """The number of pixels that are read."""
        return int(np.count_nonzero(self.weights))

    @property
    def rows(self) -> tuple[int, int]:
        """The first and the last row with a pixel, from 0 at the top."""
        return _ends(np.nonzero(self.weights)[0])

    @property
    def columns(self) -> tuple[int, int]:
        """The first and the last column with a pixel, from 0 on the left."""
        return _ends(np.nonzero(self.weights)[1])

    @property
    def halves(self) -> tuple[float, float]:
        """The fractions of the pixels in the left and in the right half; the middle one of an odd number of columns is in neither."""
        offsets = 2 * np.nonzero(self.weights)[1] + 1 - self.weights.shape[1]
        return float((offsets < 0).mean()), float((offsets > 0).mean())


def pixel_maps(hierarchy: Hierarchy, image: tuple[int, int]) -> tuple[PixelMap, ...]:
    """A map for each module with inputs that units of modules read, in the order of the modules.

    Parameters
    ----------
    hierarchy : Hierarchy
    image : (int, int)
        Height and width in pixels: inputs are the pixels row by row, from the top left.

    Raises
    ------
    ValueError
        When ``image`` is not a height and a width, or has more or fewer pixels than the network has inputs.

    Examples
    --------
    >>> from analysis import Hierarchy, LayeredGraph
    >>> labels = (np.array([0, 0, -1, 1]), np.array([0, 1]))
    >>> graph = LayeredGraph.from_weights([[[1.0, -2.0, 0.0, 0.5], [0.0, 0.0, 0.0, 3.0]]])
    >>> [one.weights.tolist() for one in pixel_maps(Hierarchy(graph, labels, labels), (2, 2))]
    [[[1.0, 2.0], [0.0, 0.0]], [[0.0, 0.0], [0.0, 3.5]]]
    """
    height, width = _checked(image, chain_of(hierarchy.graph, "image").widths[0])
    weights = weights_of_pixels(hierarchy).sum(axis=1)
    return tuple(
        PixelMap(module, np.where(hierarchy.labels[0] == module, weights, 0.0).reshape(height, width))
        for module in np.unique(hierarchy.labels[0][weights > 0]).tolist()
    )


def weights_of_pixels(hierarchy: Hierarchy) -> NDArray[np.float64]:
    """The |weight| of each edge from an input to a unit above, if both have modules, else zero; shape (inputs, units above)."""
    return np.abs(chain_of(hierarchy.graph, "image").weights[0]) * drawn_edges(hierarchy)[0]


def largest_weight(maps: Sequence[PixelMap]) -> float:
    """The weight of the heaviest pixel, which is the darkest shade in all maps of a picture."""
    return max(float(one.weights.max()) for one in maps)


def counted(count: int, thing: str) -> str:
    """A count with its noun, such as ``1 pixel`` and ``2 pixels``."""
    return f"{count} {thing}{'' if count == 1 else 's'}"


def picture_of(pixels: PixelMap, largest: float) -> bytes:
    """The map as a PNG of W x H dots, white for pixels that are not read."""
    from matplotlib.image import imsave

    read = pixels.weights > 0
    dots = np.ones((*pixels.weights.shape, 3))
    dots[read] = shades(pixels.module, pixels.weights[read] / largest)
    buffer = BytesIO()
    imsave(buffer, dots, format="png")
    return buffer.getvalue()


def _checked(image: tuple[int, int], inputs: int) -> tuple[int, int]:
    sides = tuple(image) if isinstance(image, Sequence) else ()
    whole = len(sides) == 2 and all(isinstance(n, Integral) and not isinstance(n, bool) and n > 0 for n in sides)
    if not whole or sides[0] * sides[1] != inputs:
        pixels = f", which has {sides[0] * sides[1]}" if whole else ""
        raise ValueError(
            f"image must be (height, width) of {inputs} pixels in all, one for each input; got {image!r}{pixels}. "
            "Leave it out where the inputs are not an image"
        )
    return int(sides[0]), int(sides[1])


def _ends(places: NDArray[np.int64]) -> tuple[int, int]:
    return int(places.min()), int(places.max())
