"""The sizes of graphs that are read: what asks for more is refused before anything is built."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from math import isfinite
from typing import Any

from ..texts import shown

__all__ = ["MOST_DENSE", "MOST_ENTRIES", "MOST_LAYERS", "MOST_UNITS", "chain_entries", "check_dense", "check_units", "finite"]

MOST_UNITS = 2_000_000  # of a graph
MOST_LAYERS = 2_000
MOST_DENSE = 2**25  # weights of a chain that is read as matrices; larger ones that are given by their edges are read by their edges
MOST_ENTRIES = 2**29  # numbers of a matrix


def check_units(sizes: Sequence[int], what: str = "the graph") -> None:
    """Refuse more layers or units than are read.

    Raises
    ------
    ValueError
        When there are more than ``MOST_LAYERS`` layers or ``MOST_UNITS`` units.

    Examples
    --------
    >>> check_units([2, 1])
    """
    if len(sizes) > MOST_LAYERS:
        raise ValueError(
            f"{what} must have at most {MOST_LAYERS:,} layers; got {len(sizes):,}. Give every node its `layer`, or a part of it"
        )
    if sum(sizes) > MOST_UNITS:
        raise ValueError(f"{what} must have at most {MOST_UNITS:,} units; got {sum(sizes):,}. Give a part of it")


def check_dense(entries: int, what: str, most: int = MOST_ENTRIES) -> None:
    """Refuse a matrix of more numbers than are stored.

    Raises
    ------
    ValueError
        When there are more than ``most``.

    Examples
    --------
    >>> check_dense(6, "weights[0]")
    """
    if entries > most:
        raise ValueError(
            f"{what} must have at most {most:,} numbers; got {entries:,}, which take {8 * entries / 1e9:,.1f} GB. For a large graph "
            "with few edges give a UnitGraph, whose blocks are sparse, or a networkx.DiGraph to detect_modules"
        )


def chain_entries(widths: Sequence[int]) -> int:
    """Numbers in the matrices of a chain.

    Examples
    --------
    >>> chain_entries([3, 2, 1])
    8
    """
    return sum(int(a) * int(b) for a, b in pairwise(widths))


def finite(value: Any, what: str) -> float:
    """A number of a graph as a float.

    Raises
    ------
    TypeError
        When it is no real number.
    ValueError
        When it is NaN or infinite, or a text that is no number.

    Examples
    --------
    >>> finite("1.5", "the weight of a -> b")
    1.5
    """
    try:
        if getattr(value, "ndim", 0):
            raise TypeError("an array")
        found = float(value)
    except (TypeError, ValueError, OverflowError) as error:
        kind = TypeError if isinstance(error, TypeError) else ValueError
        raise kind(f"{what} must be a real number; got {shown(value)} ({type(value).__name__})") from error
    if not isfinite(found):
        raise ValueError(f"{what} must be finite; got {found}")
    return found
