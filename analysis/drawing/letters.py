"""Fonts for letters that the usual font lacks, such as Chinese ones: the installed ones are searched."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import cache, lru_cache

__all__ = ["FONT", "families_of", "note_boxes", "without_glyph_warnings"]

FONT = "DejaVu Sans"  # part of matplotlib, so that texts have the same size everywhere
PLACEHOLDERS = "Last Resort"  # a font of boxes for all letters


def families_of(text: str) -> list[str]:
    """The usual font, and after it one for each letter that it lacks, where one is installed.

    Examples
    --------
    >>> families_of("sépale, π")
    ['DejaVu Sans']
    """
    found = (_family_with(letter) for letter in dict.fromkeys(text))
    return list(dict.fromkeys([FONT, *(family for family in found if family)]))


def note_boxes(texts: Iterable[str]) -> None:
    """Warn of letters that no installed font has."""
    lacking = [letter for letter in dict.fromkeys("".join(texts)) if not _family_with(letter)]
    if lacking:
        warnings.warn(
            f"no installed font has {' '.join(lacking)}: a PNG or PDF shows boxes, an SVG what its viewer has. Install a font that has "
            "them, such as one of the Noto fonts",
            stacklevel=4,
        )


@contextmanager
def without_glyph_warnings() -> Iterator[None]:
    """No warnings of matplotlib for each lacking letter and each time it is measured; :func:`note_boxes` warns once."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*Glyph .* missing from font")
        yield


@lru_cache(maxsize=4096)
def _family_with(letter: str) -> str | None:
    """The usual font where it has the letter or nothing is to be seen of it, else the first other that has it; None without one."""
    from matplotlib.font_manager import findfont, fontManager

    code = ord(letter)
    if not letter.isprintable() or code in _letters(findfont(FONT)):
        return FONT
    fonts = sorted({(font.name, font.fname) for font in fontManager.ttflist if not font.name.startswith(PLACEHOLDERS)})
    return next((name for name, path in fonts if code in _letters(path)), None)


@cache
def _letters(path: str) -> frozenset[int]:
    from matplotlib.font_manager import get_font

    return frozenset(get_font(path).get_charmap())
