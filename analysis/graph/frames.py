"""Names of rows and columns of data frames, told by their attributes: neither pandas nor polars is imported."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

__all__ = ["adjacency_names", "columns_of", "end_names", "is_frame"]


def is_frame(value: Any) -> bool:
    """Whether a value is a data frame."""
    return hasattr(value, "columns") and hasattr(value, "dtypes")


def columns_of(value: Any) -> tuple[str, ...]:
    """The names of the columns of a data frame; none where they are only numbered, and none of other values."""
    return _named(value.columns) if is_frame(value) else ()


def end_names(matrices: Sequence[Any], orientation: str) -> dict[str, tuple[str, ...]]:
    """The names of inputs and outputs that matrices have as data frames."""
    first, last = (columns_of, _rows_of) if orientation == "out_in" else (_rows_of, columns_of)
    return {"input_names": first(matrices[0]), "output_names": last(matrices[-1])} if len(matrices) else {}


def adjacency_names(adjacency: Any) -> tuple[str, ...]:
    """The names of the units of an adjacency that is a data frame.

    Raises
    ------
    ValueError
        When rows have other names than columns, or another order, or names are there twice.
    """
    columns, rows = columns_of(adjacency), _rows_of(adjacency)
    if rows and columns != rows:
        place = next((i for i, (a, b) in enumerate(zip(rows, columns, strict=False)) if a != b), min(len(rows), len(columns)))
        got = [names[place] if place < len(names) else "nothing" for names in (rows, columns)]
        raise ValueError(
            f"adjacency must have the same names, in the same order, for rows and columns; got {got[0]!r} and {got[1]!r} at position "
            f"{place}. Reorder it, as with frame.loc[names, names]"
        )
    if len(set(columns)) < len(columns):
        raise ValueError(f"adjacency must have different names for all units; got {len(columns)}, {len(set(columns))} of them different")
    return columns


def _rows_of(value: Any) -> tuple[str, ...]:
    return _named(getattr(value, "index", ())) if is_frame(value) else ()


def _named(labels: Any) -> tuple[str, ...]:
    names = list(labels)
    return () if names == list(range(len(names))) else tuple(map(str, names))
