"""Kernels of channels as small squares of SVG, in the colours of weights."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .markup import number, tag

__all__ = ["kernel_picture"]


def kernel_picture(images: NDArray[np.float64], unit: int, place: tuple[float, float], half: float) -> str:
    """The image of a unit in a frame of side ``2 * half``; all images of a layer have one scale. ``images`` has the shape (size, h, w)."""
    image = images[unit] / (float(np.abs(images).max()) or 1.0)
    height, width = image.shape
    side = 2 * half / max(height, width)
    left, top = place[0] - width * side / 2, place[1] - height * side / 2
    frame = tag("rect", class_="dot", x=number(place[0] - half), y=number(place[1] - half), width=number(2 * half), height=number(2 * half))
    squares = [
        tag(
            "rect", class_="negative" if value < 0 else "positive", x=number(left + column * side), y=number(top + row * side),
            width=number(side), height=number(side), fill_opacity=number(abs(value)),
        )
        for (row, column), value in np.ndenumerate(image)
        if value
    ]  # fmt: skip
    return frame + tag("g", "".join(squares), class_="kernel")
