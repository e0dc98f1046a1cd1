"""Colours that are distinct for every kind of colour vision, and light enough for dark text."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

POSITIVE, NEGATIVE = "#0072B2", "#D55E00"  # Okabe and Ito
INK, FAINT = "#1a1a1a", "#6b6b6b"
# Paul Tol's light scheme without its grey; neighbours in the list differ in hue and in lightness.
HUES = ("#77AADD", "#EE8866", "#EEDD88", "#44BB99", "#FFAABB", "#BBCC33", "#99DDFF", "#AAAA00")
TINTS = (0.42, 0.22, 0.62)  # how much of the hue a region keeps; the rest is white
REST = 0.15, 0.75  # how much of the grey of texts the region of no module and its border keep
BORDER = 0.72  # how much of the hue a border keeps; the rest is ink
PALE, DEEP = 0.65, 0.2  # how much of the hue the lightest and the darkest pixel keep; half-way it is the border's colour


def region_colours(module: int | None) -> tuple[str, str]:
    """The fill and border colours of a module's region; they repeat after 24 modules. They are greys for the module None.

    Examples
    --------
    >>> region_colours(0)
    ('#c6dbf1', '#5d82a6')
    """
    if module is None:
        return _mix(FAINT, "#ffffff", REST[0]), _mix(FAINT, "#ffffff", REST[1])
    hue, tint = HUES[module % len(HUES)], TINTS[module // len(HUES) % len(TINTS)]
    return _mix(hue, "#ffffff", tint), _mix(hue, INK, BORDER)


def shades(module: int | None, shares: NDArray[np.float64]) -> NDArray[np.float64]:
    """Colours of the pixels of a module, from light to dark for ``shares`` from 0 to 1 of shape (n,); shape (n, 3).

    They are greys for the module None. The lightest shade is visible on white. Modules whose regions differ only in tint have the same
    shades.

    Examples
    --------
    >>> shades(None, np.array([0.0, 1.0])).round(2).tolist()
    [[0.62, 0.62, 0.62], [0.16, 0.16, 0.16]]
    """
    hue = FAINT if module is None else HUES[module % len(HUES)]
    anchors = np.array([_channels(c) for c in (_mix(hue, "#ffffff", PALE), _mix(hue, INK, BORDER), _mix(hue, INK, DEEP))]) / 255
    return np.stack([np.interp(shares, (0.0, 0.5, 1.0), channel) for channel in anchors.T], axis=1)


def signed_shades(shares: NDArray[np.float64]) -> NDArray[np.float64]:
    """Colours of weights ``shares`` from -1 to 1, of shape (n,): those of edges, the paler the smaller; shape (n, 3).

    Examples
    --------
    >>> signed_shades(np.array([0.0, 1.0])).round(2).tolist()
    [[1.0, 1.0, 1.0], [0.0, 0.45, 0.7]]
    """
    ends = np.where(np.asarray(shares)[:, None] > 0, _channels(POSITIVE), _channels(NEGATIVE)) / 255
    strength: NDArray[np.float64] = np.abs(shares)[:, None]
    return 1 - strength * (1 - ends)


def _mix(first: str, second: str, share: float) -> str:
    pairs = zip(_channels(first), _channels(second), strict=True)
    return "#" + "".join(f"{round(share * a + (1 - share) * b):02x}" for a, b in pairs)


def _channels(colour: str) -> list[int]:
    return [int(colour[i : i + 2], 16) for i in (1, 3, 5)]
