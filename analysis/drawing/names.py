"""Names of units as a picture has room for them."""

from __future__ import annotations

from collections.abc import Sequence

from ..hierarchy import Hierarchy
from ..texts import clean

__all__ = ["cut", "full_name", "one_line", "shortened"]

LONGEST = 28  # characters


def full_name(hierarchy: Hierarchy, unit: tuple[int, int]) -> str:
    """The name of a unit on one line."""
    return one_line(hierarchy.graph.unit_name(*unit))


def one_line(text: str) -> str:
    """A text without line breaks and characters that files must not hold.

    Examples
    --------
    >>> one_line("sepal\\n length")
    'sepal length'
    """
    return " ".join(clean(text).split())


def shortened(names: Sequence[str]) -> list[str]:
    """Names of at most 28 characters: without their middle; where that makes names alike, with the place where they begin to differ.

    Names that are alike even so are numbered.

    Examples
    --------
    >>> shortened(["width", "sepal length in centimetres, left", "sepal length in centimetres, right"])
    ['width', 'sepal length i…imetres, left', 'sepal length i…metres, right']
    >>> shortened([f"mean concentration of {metal} in the morning, mg/l" for metal in ("iron", "zinc")])
    ['mean c…iron in…morning, mg/l', 'mean c…zinc in…morning, mg/l']
    """
    short = [cut(name, LONGEST) for name in names]
    for alike in _repeated(short):
        columns = enumerate(zip(*(names[i] for i in alike), strict=False))
        place = next((place for place, letters in columns if len(set(letters)) > 1), 0)
        for i in alike:
            short[i] = cut(names[i], LONGEST, place)
    for alike in _repeated(short):
        for number, i in enumerate(alike, start=1):
            mark = f" ({number})"
            short[i] = cut(names[i], LONGEST - len(mark)) + mark
    return short


def _repeated(texts: Sequence[str]) -> list[list[int]]:
    """The positions of each text that is there more than once."""
    places: dict[str, list[int]] = {}
    for i, text in enumerate(texts):
        places.setdefault(text, []).append(i)
    return [alike for alike in places.values() if len(alike) > 1]


def cut(name: str, longest: int, place: int | None = None) -> str:
    """Start and end of a name, of about the same length; with a ``place``, half of the start and what stands there."""
    if len(name) <= longest:
        return name
    end = (longest - 1) // 2
    start = longest - 1 - end
    if place is None:
        return f"{name[:start]}…{name[-end:]}"
    return f"{name[: start // 2 - 1]}…{name[place : place + start - start // 2]}…{name[-end:]}"
