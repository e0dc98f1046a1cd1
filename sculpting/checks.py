"""Checks of single arguments: counts, amounts and choices."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from itertools import islice
from numbers import Integral, Real
from typing import Any

import numpy as np
from torch import Tensor

from .plain import SHOWN, shown

__all__ = [
    "SHOWN", "check_amounts", "check_choice", "check_counts", "check_flags", "check_layers", "check_parameter_count", "is_real",
    "listed", "shown",
]  # fmt: skip

MOST_PARAMETERS = 100_000_000  # of a model; a float32 takes four bytes


def check_counts(**counts: object) -> None:
    """Refuse values that are not whole numbers of at least 1."""
    for name, value in counts.items():
        if not isinstance(value, Integral) or isinstance(value, bool) or value < 1:
            raise ValueError(f"{name} must be a whole number of at least 1; got {shown(value)}")


def check_parameter_count(parameters: int) -> None:
    """Refuse a model that is too large to be built."""
    if parameters > MOST_PARAMETERS:
        raise ValueError(
            f"a model must have at most {MOST_PARAMETERS:,} weights and biases, 400 MB; got {parameters:,}. Give smaller widths"
        )


def check_layers(hidden_layers: object) -> int:
    """The number of hidden layers that a ground truth is asked for; refused when it is no whole number of at least 1."""
    check_counts(hidden_layers=hidden_layers)
    return int(hidden_layers)  # type: ignore[call-overload]


def check_amounts(**amounts: object) -> None:
    """Refuse values that are negative or not finite."""
    for name, value in amounts.items():
        if not is_real(value) or not 0 <= value < math.inf:  # type: ignore[operator]
            raise ValueError(f"{name} must be at least 0, and finite; got {shown(value)}")


def check_choice(name: str, value: object, known: Sequence[str]) -> None:
    """Refuse a value that is not one of the known names."""
    if not isinstance(value, str) or value not in known:
        raise ValueError(f"{name} must be one of {sorted(known)}; got {shown(value)}")


def check_flags(**flags: object) -> None:
    """Refuse values that are neither true nor false."""
    for name, value in flags.items():
        if not isinstance(value, (bool, np.bool_)) and not (isinstance(value, Integral) and value in (0, 1)):
            raise TypeError(f"{name} must be True or False; got {shown(value)}")


def listed(name: str, values: object, most: int, what: str, kind: type[Exception] = TypeError) -> list[Any]:
    """The elements of a sequence or an iterator of the user, refused where it has more than ``most``, or fails.

    Raises
    ------
    TypeError or another ``kind``
        When it is no such thing.
    ValueError
        When it has more. The text says that ``name`` must be ``what``.
    """
    if isinstance(values, (str, bytes)) or not isinstance(values, Iterable):
        raise kind(f"{name} must be {what}; got {shown(values)}")
    try:
        found = list(islice(values, most + 1))
    except Exception as error:  # of the user's class
        raise kind(f"{name} must be {what}; got {type(values).__name__}, which fails when it is read ({type(error).__name__})") from error
    if len(found) > most:
        raise ValueError(f"{name} must be {what}, at most {most:,}; got more")
    return found


def is_real(value: object) -> bool:
    """Whether a value is one real number: Python's, NumPy's or PyTorch's."""
    if isinstance(value, Real):
        return True
    if isinstance(value, Tensor):
        return value.ndim == 0 and not value.is_complex() and not value.is_meta
    return getattr(value, "ndim", None) == 0 and getattr(getattr(value, "dtype", None), "kind", "") in "biuf"
