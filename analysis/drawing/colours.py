"""Colours that stay apart for readers with any colour vision, and on which dark text can be read."""

from __future__ import annotations

POSITIVE, NEGATIVE = "#0072B2", "#D55E00"  # Okabe and Ito
INK, FAINT = "#1a1a1a", "#6b6b6b"
# Paul Tol's light scheme without its grey; neighbours in the list differ in hue and in lightness.
HUES = ("#77AADD", "#EE8866", "#EEDD88", "#44BB99", "#FFAABB", "#BBCC33", "#99DDFF", "#AAAA00")
TINTS = (0.42, 0.22, 0.62)  # how much of the hue a region keeps; the rest is white


def region_colours(module: int) -> tuple[str, str]:
    """The fill and the border of a module's region; they repeat after 24 modules.

    Examples
    --------
    >>> region_colours(0)
    ('#c6dbf1', '#5d82a6')
    """
    hue, tint = HUES[module % len(HUES)], TINTS[module // len(HUES) % len(TINTS)]
    return _mix(hue, "#ffffff", tint), _mix(hue, INK, 0.72)


def _mix(first: str, second: str, share: float) -> str:
    pairs = zip(_channels(first), _channels(second), strict=True)
    return "#" + "".join(f"{round(share * a + (1 - share) * b):02x}" for a, b in pairs)


def _channels(colour: str) -> list[int]:
    return [int(colour[i : i + 2], 16) for i in (1, 3, 5)]
