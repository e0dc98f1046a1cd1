"""Titles and names without characters that files must not contain."""

from __future__ import annotations

import re
from reprlib import Repr
from typing import Any

__all__ = ["checked_title", "clean", "shown", "text_of"]

SHORT = Repr()  # takes arguments from Python 3.12 on
SHORT.maxlevel, SHORT.maxtuple, SHORT.maxlist, SHORT.maxstring, SHORT.maxlong, SHORT.maxother = 4, 12, 12, 80, 60, 80

# Control characters except tab and line feed, marks that turn the direction of what follows, halves of surrogate pairs, and the
# noncharacters that XML forbids.
FORBIDDEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]")


def clean(text: str) -> str:
    """The text with a space for each character that is not allowed in text, XML or HTML files.

    Examples
    --------
    >>> clean("a\\x00b\\ud800\\nc")
    'a b \\nc'
    """
    return FORBIDDEN.sub(" ", text)


def shown(value: Any) -> str:
    """A value for the text of an error: as ``repr`` writes it, but short, whatever its length, depth and own text.

    Examples
    --------
    >>> shown([2, "a"]), len(shown("a" * 10_000))
    ("[2, 'a']", 80)
    """
    try:
        return SHORT.repr(value)
    except ValueError:  # an integer of more than 4300 digits
        return f"a huge {type(value).__name__}"


def text_of(value: Any) -> str:
    """A name as text.

    Raises
    ------
    ValueError
        When it has none, as an object that is nested too deep or an integer of more than 4300 digits.
    """
    try:
        return str(value)
    except (RecursionError, RuntimeError, ValueError) as error:
        raise ValueError(f"a name must be a text; got {type(value).__name__}, which has none: {error}") from error


def checked_title(title: str | None) -> str | None:
    """The title without forbidden characters; None where there is no title.

    Raises
    ------
    TypeError
        When it is not a string.
    """
    if title is not None and not isinstance(title, str):
        raise TypeError(f"title must be a string; got {type(title).__name__}")
    return title and clean(title)
