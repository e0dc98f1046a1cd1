"""What files of networks say in JSON, checked before anything is built from it."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping
from typing import Any

from ..integrity import is_number
from ..losses import LOSSES
from ..plain import plain_value

__all__ = ["check_facts", "facts_text", "is_count", "is_list", "is_text"]


def is_text(value: object) -> bool:
    """Whether a value is text that can be encoded: without halves of surrogate pairs."""
    return isinstance(value, str) and not any("\ud800" <= letter <= "\udfff" for letter in value)


def is_count(value: object, end: int) -> bool:
    """Whether a value is a whole number from 0 to below ``end``."""
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < end


def is_list(value: object, each: Callable[[object], bool]) -> bool:
    """Whether a value is a list of such values."""
    return isinstance(value, list) and all(map(each, value))


def _is_origin(value: object) -> bool:
    if not isinstance(value, dict) or not all(map(is_text, value)):
        return False
    image = value.get("image")
    return image is None or (is_list(image, lambda size: is_count(size, 1 << 31) and size != 0) and len(image) == 2)


FIELDS: Mapping[str, tuple[str, Callable[[object], bool]]] = {
    "name": ("text", is_text),
    "activations": ("a list of names", lambda value: is_list(value, is_text)),
    "head": ("a name or null", lambda value: value is None or is_text(value)),
    "accuracy": ("a number", lambda value: is_number(value) or (isinstance(value, float) and value != value)),
    "input_names": ("a list of names", lambda value: is_list(value, is_text)),
    "output_names": ("a list of names", lambda value: is_list(value, is_text)),
    "origin": ("an object, whose image is a height and a width", _is_origin),
    "loss": (f"null or one of {sorted(LOSSES)}", lambda value: value is None or (isinstance(value, str) and value in LOSSES)),
    "metric": ("text", is_text),
    "tokens": ("a list of truth values", lambda value: is_list(value, lambda each: isinstance(each, bool))),
}


def facts_text(network: object, names: Collection[str]) -> str:
    """Some fields of a network as JSON, which can be read again.

    Raises
    ------
    ValueError
        When JSON cannot hold one of them.
    """
    try:
        text = json.dumps({name: getattr(network, name) for name in names})
    except (TypeError, ValueError, RecursionError) as error:
        raise ValueError(f"the origin of a network must hold what JSON can, to be saved: {error}") from error
    check_facts(plain_value(text, finite=False), names, names)
    return text


def check_facts(facts: Any, known: Collection[str], needed: Collection[str]) -> dict[str, Any]:
    """The fields of a network as its file states them, lists as tuples.

    Raises
    ------
    ValueError
        When one that is ``needed`` is missing, one is not ``known``, or one is of another kind.
    """
    if not isinstance(facts, dict):
        raise ValueError(f"expected an object with the fields {sorted(known)}; got {type(facts).__name__}")
    if wrong := [*sorted(set(needed) - facts.keys()), *sorted(facts.keys() - set(known))]:
        raise ValueError(f"expected the fields {sorted(known)}; got {'none of' if wrong[0] in known else 'also'} {wrong[0][:80]!r}")
    for name, value in facts.items():
        what, fits = FIELDS[name]
        if not fits(value):
            raise ValueError(f"{name} must be {what}; got {value!r:.80}")
    return {name: tuple(value) if isinstance(value, list) else value for name, value in facts.items()}
