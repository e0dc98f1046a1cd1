"""The columns that all rows of the study of language models have."""

from __future__ import annotations

import math
from typing import Any

from ...narrow.language.phases import Phase
from ...store import Row

__all__ = ["COLUMNS", "PARTS", "row", "with_zeros"]

# What the parts of the study are about.
PARTS = ("base", "sparsity", "recovery", "agreement", "overlap", "target", "lasso", "forgetting", "modules")
COLUMNS = (
    "scale", "part", "method", "phase", "sparsity", "seed", "parameters", "tokens", "keep", "forget", "target", "reached",
    "zeros", "pearson", "pearson_log", "spearman", "top_fifth", "count", "modules",
    "modularity", "null", "null_max", "stability", "seconds",
)  # fmt: skip


def with_zeros(phase: Phase) -> int:
    """The parameters of a phase, with the zeros that fill up layers."""
    return phase.parameters + phase.zeros


def row(scale: str, part: str, **values: Any) -> Row:
    """A row with all columns, None for what it does not have and for NaN.

    Raises
    ------
    ValueError
        When a name is no column.
    """
    given = {"scale": scale, "part": part, **values}
    if unknown := given.keys() - set(COLUMNS):
        raise ValueError(f"values must be of the columns {list(COLUMNS)}; got {sorted(unknown)}")
    clean = {name: None if isinstance(value, float) and not math.isfinite(value) else value for name, value in given.items()}
    return {name: clean.get(name) for name in COLUMNS}
