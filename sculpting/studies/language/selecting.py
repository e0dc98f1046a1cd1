"""Rows of a part of the study, by what they have in common."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ...store import Row

__all__ = ["METHODS", "Rows", "rows_of", "runs_of", "strengths_of", "values_of"]

Rows = Sequence[Row]
METHODS = ("attribution", "random", "distill", "scratch")  # to one loss, in the order of the tables


def rows_of(rows: Rows, part: str, **facts: Any) -> list[Row]:
    """The rows of a part with these values."""
    return [row for row in rows if row["part"] == part and all(row[name] == fact for name, fact in facts.items())]


def values_of(rows: Rows, column: str = "method") -> list[Any]:
    """The values of a column, in their order."""
    return list(dict.fromkeys(row[column] for row in rows))


def strengths_of(rows: Rows) -> list[str]:
    """The strengths of the group lasso as the rows name them, ascending."""
    return sorted(values_of(rows), key=lambda name: float(name.removeprefix("strength ")))


def runs_of(rows: Rows, method: str, sparsity: float) -> list[list[tuple[int, float]]]:
    """The validation losses of each seed."""
    own = [row for row in rows if row["method"] == method and row["sparsity"] == sparsity and row["phase"].endswith("validation")]
    return [[(row["tokens"], row["keep"]) for row in own if row["seed"] == seed] for seed in values_of(own, "seed")]
