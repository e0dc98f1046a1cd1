"""Plain values as JSON: what is written comes back the same, and nothing else is read."""

from __future__ import annotations

import hashlib
import json
import math
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any

__all__ = ["SHOWN", "brief", "content_digest", "plain_text", "plain_value", "read_plain", "shown"]

NESTED = 32  # lists and dicts within one another; rows and settings have at most five
LARGEST = 1 << 28  # bytes of a file; a parsed one takes ten times as much memory

SHOWN, LONG = 80, 500  # characters of a value that an error shows, and of one of several parts


def shown(value: object, most: int = SHOWN) -> str:
    """The ``repr`` of a value for an error text, cut where it is long; its type where it has none."""
    try:
        text = repr(value)
    except Exception:  # of the user's class, or nested too deep
        return f"an object of type {type(value).__name__}"
    return text if len(text) <= most else f"{text[:most]}..."


def brief(value: object) -> str:
    """The same of a value of several parts, such as the arguments of a cell."""
    return shown(value, LONG)


def plain_text(value: Any, what: str) -> str:
    """A value as JSON text.

    Raises
    ------
    TypeError
        When it holds anything but texts, numbers, booleans, None, and lists and dicts of these.
    ValueError
        When a number is not finite, a key occurs twice as text, or lists and dicts are too deep in one another.
    """
    form = "texts, finite numbers, booleans, None, and lists and dicts of these"
    try:
        text = json.dumps(value, allow_nan=False)
        plain_value(text)  # keys 1 and "1" are the same text
    except TypeError as error:
        raise TypeError(f"{what} must be {form}; got {error}") from error
    except RecursionError as error:
        raise ValueError(f"{what} must be {form}, at most {NESTED} deep in one another; got more") from error
    except ValueError as error:
        raise ValueError(f"{what} must be {form}; got {error}") from error
    return text


def plain_value(text: str, *, finite: bool = True) -> Any:
    """The value of a JSON text; with ``finite=False`` numbers may be infinite and NaN, as accuracies of checkpoints.

    Raises
    ------
    ValueError
        When it is no JSON, a key occurs twice in a dict, a number is not finite, or lists and dicts are too deep in one another.
    """
    number = _finite if finite else float
    try:
        value = json.loads(text, object_pairs_hook=_dict, parse_constant=number, parse_float=number)
    except RecursionError as error:
        raise ValueError(f"lists and dicts must be at most {NESTED} deep in one another; got more") from error
    _check_depth(value)
    return value


def read_plain(path: Path) -> Any:
    """The value in a JSON file in UTF-8.

    Raises
    ------
    FileNotFoundError
        When there is none.
    ValueError
        When it is no regular file, is larger than 256 MiB, or its content is refused by :func:`plain_value`.
    """
    facts = path.stat()
    if not stat.S_ISREG(facts.st_mode):  # a pipe or a device would be read without end
        raise ValueError("expected a regular file; got a folder, a pipe or a device")
    if facts.st_size > LARGEST:
        raise ValueError(f"expected at most {LARGEST} bytes; got {facts.st_size}")
    return plain_value(path.read_bytes().decode())


def content_digest(value: Any) -> str:
    """The SHA-256 of a plain value, as hexadecimal digits: of its JSON text without spaces, keys in their order.

    The order of keys counts, since it is that of the columns of a table.

    Examples
    --------
    >>> content_digest({"a": [1, 0.5]})[:8]
    '2cd6c8fa'
    """
    return hashlib.sha256(json.dumps(value, separators=(",", ":")).encode()).hexdigest()


def _dict(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        seen: set[str] = set()
        twice = next(name for name, _ in pairs if name in seen or seen.add(name))  # type: ignore[func-returns-value]
        raise ValueError(f"every key must occur once; got {brief(twice)} twice")
    return found


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"numbers must be finite; got {text[:20]}")
    return value


def _check_depth(value: Any) -> None:
    level = [value]
    for _ in range(NESTED):
        level = [inner for each in level for inner in _inside(each)]
        if not level:
            return
    if any(isinstance(each, (dict, list)) for each in level):
        raise ValueError(f"lists and dicts must be at most {NESTED} deep in one another; got more")


def _inside(value: Any) -> list[Any]:
    if isinstance(value, Mapping):
        return list(value.values())
    return value if isinstance(value, list) else []
